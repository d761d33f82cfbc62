//! Where an issuer's keys may be fetched from: over TLS; over plain `http` from this very machine, where a setting says so.

use crate::config::{Fetch, IssuerConfig, KeySource, Unusable};
use url::{Host, Url};

/// Below an issuer (`OpenID` Connect Discovery 1.0, section 4).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The keys.
    Jwks(Url),
    /// The document that names where the keys are.
    Discovery(Url),
}

/// Why an address will not do.
pub(super) fn parse(text: &str, fetch: Fetch) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("is no address: {e}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a password in it".to_owned());
    }
    if url.fragment().is_some() {
        return Err("has a fragment".to_owned());
    }
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" if url.host().is_some() => Ok(url),
        "http" if loopback && fetch.loopback_http => Ok(url),
        "http" if loopback => Err(
            "is not https; `fetch.loopback_http = true` allows http to this machine, for development"
                .to_owned(),
        ),
        _ => Err("is not https".to_owned()),
    }
}

/// The place that is configured.
pub(super) fn read(setting: &str, issuer: &IssuerConfig) -> Result<Place, Vec<Unusable>> {
    let mut faults = Vec::new();
    let fetch = issuer.fetch;
    if !(1..=86_400).contains(&fetch.refresh_seconds) {
        let key = format!("{setting}.fetch.refresh_seconds");
        faults.push(Unusable::new(key, "is between 1 and 86400, a day"));
    }
    if fetch.max_age_seconds < fetch.refresh_seconds || fetch.max_age_seconds > 30 * 86_400 {
        let detail = "is at least `fetch.refresh_seconds`, and at most 30 days";
        faults.push(Unusable::new(format!("{setting}.fetch.max_age_seconds"), detail));
    }
    let (key, text, is_jwks) = match &issuer.keys {
        KeySource::JwksUrl(text) => (format!("{setting}.keys.jwks_url"), text.clone(), true),
        KeySource::Discovery(discovery) => {
            let (key, base) = match &discovery.at {
                Some(at) => (format!("{setting}.keys.discovery.at"), at),
                None => (format!("{setting}.issuer"), &issuer.issuer),
            };
            (key, format!("{}{WELL_KNOWN}", base.trim_end_matches('/')), false)
        }
        KeySource::Pem(_) | KeySource::Jwks(_) | KeySource::JwksFile(_) => {
            return Err(vec![Unusable::new(format!("{setting}.keys"), "is not fetched")]);
        }
    };
    match parse(&text, fetch) {
        Ok(url) if url.query().is_some() && !is_jwks => {
            faults.push(Unusable::new(key, "has a query, below which nothing can be"));
        }
        Ok(url) if faults.is_empty() => {
            return Ok(if is_jwks {
                Place::Jwks(url)
            } else {
                Place::Discovery(url)
            });
        }
        Ok(_) => {}
        Err(detail) => faults.push(Unusable::new(key, detail)),
    }
    Err(faults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Discovery;

    const LOOPBACK: Fetch = Fetch {
        refresh_seconds: 60,
        max_age_seconds: 600,
        loopback_http: true,
    };

    #[test]
    fn keys_come_over_tls_or_from_this_machine_when_that_is_allowed() {
        let strict = Fetch::default();
        assert!(parse("https://id.example/keys", strict).is_ok());
        for (address, allowed) in [
            ("http://127.0.0.1:8081/keys", true),
            ("http://[::1]/keys", true),
            ("http://localhost/keys", true),
            ("http://id.example/keys", false),
            ("http://10.0.0.1/keys", false),
            ("http://169.254.169.254/keys", false),
            ("http://localhost.evil.example/keys", false),
            ("http://127.0.0.1.evil.example/keys", false),
            ("http://0.0.0.0/keys", false),
            ("ftp://127.0.0.1/keys", false),
            ("file:///etc/passwd", false),
            ("https://user:word@id.example/keys", false),
            ("https://id.example/keys#x", false),
            ("no address", false),
        ] {
            assert_eq!(parse(address, LOOPBACK).is_ok(), allowed, "{address}");
            assert!(parse(address, strict).is_err(), "{address}");
        }
    }

    #[test]
    fn a_document_is_below_its_issuer_or_where_the_configuration_says() {
        let at = |issuer: &str, at: Option<&str>| {
            let discovery = Discovery {
                at: at.map(str::to_owned),
            };
            let config = IssuerConfig::new(issuer, "slipway", KeySource::Discovery(discovery));
            read(
                "issuers[0]",
                &IssuerConfig {
                    fetch: LOOPBACK,
                    ..config
                },
            )
        };
        let document = |url: &str| Ok(Place::Discovery(url.parse().unwrap()));
        let realm = "https://id.example/realms/shop/.well-known/openid-configuration";
        assert_eq!(at("https://id.example/realms/shop", None), document(realm));
        assert_eq!(at("https://id.example/realms/shop/", None), document(realm));
        let here = "http://127.0.0.1:1/.well-known/openid-configuration";
        assert_eq!(at("a-name", Some("http://127.0.0.1:1")), document(here));
        assert_eq!(at("a-name", None).unwrap_err()[0].key, "issuers[0].issuer");
        assert!(at("https://id.example/?a=b", None).is_err());
    }
}
