//! The address of a cluster's API: what may be called with a credential.

use std::net::IpAddr;
use url::{Host, Url};

/// Reads a base URL: `https`, or `http` on loopback; nothing but scheme, host, port and path.
pub(super) fn read(text: &str) -> Result<String, String> {
    if text.len() > 500 {
        return Err("is longer than 500 characters".to_owned());
    }
    let url = Url::parse(text).map_err(|e| format!("is not a URL: {e}"))?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => return Err("names no host".to_owned()),
    };
    match url.scheme() {
        "https" => {}
        "http" if is_loopback => {}
        "http" => return Err("is not encrypted: `http` is for loopback only, use `https`".to_owned()),
        other => return Err(format!("has the scheme `{other}`; use `https`")),
    }
    // Some look as if they named another host than they do, and all would be stored where they can be read.
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user or password; give the credential in `credential`".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("holds a query or fragment; give the base URL alone".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_encrypted_or_on_this_machine() {
        for good in [
            "https://k.example:6443",
            "https://10.0.0.1",
            "http://127.0.0.1:8001",
            "http://[::1]:8001",
            "http://localhost:1",
        ] {
            assert_eq!(read(good).as_deref(), Ok(good));
        }
        assert_eq!(read("https://K.example:443/").as_deref(), Ok("https://k.example"));
        for bad in [
            "",
            "k.example",
            "http://k.example",
            "http://127.0.0.1.evil.example",
            "ftp://k",
            "file:///etc/passwd",
            "https://user@k.example",
            "https://user:s3cret@k.example",
            "https://k.example/?a=b",
            "https://k.example/#x",
            "http://localhost.evil.example",
            "unix:///var/run/x.sock",
        ] {
            let refused = read(bad).unwrap_err();
            assert!(!refused.contains("s3cret"), "{refused}");
        }
    }
}
