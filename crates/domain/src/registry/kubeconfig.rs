//! Takes the connection details out of a kubeconfig, and only what is safe to take.
//!
//! A kubeconfig can name programs to run (`exec`), plugins and files on the machine that reads it. A server that obeyed
//! those would run what its users upload; they are refused, each with what to give instead.

use super::Credential;
use crate::Faults;
use base64::Engine as _;
use secrecy::SecretString;
use serde_json::Value;

/// What a kubeconfig says about one cluster.
#[derive(Debug, Clone)]
pub struct Details {
    /// Base URL.
    pub server: String,
    /// PEM.
    pub certificate_authority: Option<String>,
    /// Name to expect in the certificate.
    pub tls_server_name: Option<String>,
    /// How to be let in.
    pub credential: Credential,
}

/// Largest kubeconfig taken, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;

/// Reads one context of a kubeconfig: the named one, else the current one, else the only one.
///
/// # Errors
/// Every fault at once, with pointers below `/kubeconfig`. No fault quotes a secret.
pub fn read(text: &str, context: Option<&str>) -> Result<Details, Faults> {
    if text.len() > MAX_BYTES {
        return Err(Faults::one(
            "/kubeconfig",
            format!("is {} bytes; at most {MAX_BYTES} are taken", text.len()),
        ));
    }
    // The parser's own message may quote the text, which holds secrets.
    let root: Value = serde_saphyr::from_str(text)
        .map_err(|_| Faults::one("/kubeconfig", "is not a YAML mapping that can be read"))?;
    let wanted = context
        .or_else(|| root["current-context"].as_str().filter(|name| !name.is_empty()))
        .map(str::to_owned)
        .or_else(|| match root["contexts"].as_array().map(Vec::as_slice) {
            Some([only]) => only["name"].as_str().map(str::to_owned),
            _ => None,
        })
        .ok_or_else(|| {
            Faults::one(
                "/kubeconfig/contexts",
                "has no current context; name one in `context`",
            )
        })?;
    let named = |list: &str, name: &str, inner: &str| {
        root[list]
            .as_array()
            .and_then(|all| all.iter().find(|e| e["name"] == name))
            .map(|e| e[inner].clone())
    };
    let Some(ctx) = named("contexts", &wanted, "context") else {
        return Err(Faults::one(
            "/kubeconfig/contexts",
            format!("has no context `{wanted}`"),
        ));
    };
    let mut faults = Faults::new();
    let cluster = ctx["cluster"]
        .as_str()
        .and_then(|name| named("clusters", name, "cluster"));
    let user = ctx["user"].as_str().and_then(|name| named("users", name, "user"));
    if cluster.is_none() {
        faults.add(
            "/kubeconfig/clusters",
            format!("has no cluster for the context `{wanted}`"),
        );
    }
    if user.is_none() {
        faults.add(
            "/kubeconfig/users",
            format!("has no user for the context `{wanted}`"),
        );
    }
    let (cluster, user) = (cluster.unwrap_or_default(), user.unwrap_or_default());
    refuse(&cluster, &user, &mut faults);
    let server = cluster["server"].as_str().unwrap_or_default().to_owned();
    if cluster.is_object() && server.is_empty() {
        faults.add("/kubeconfig/clusters", "names no server");
    }
    let certificate_authority = pem(
        &cluster["certificate-authority-data"],
        "/kubeconfig/clusters/certificate-authority-data",
        &mut faults,
    );
    let credential = credential(&user, &mut faults);
    match (faults.check(), credential) {
        (Ok(()), Some(credential)) => Ok(Details {
            server,
            certificate_authority,
            tls_server_name: cluster["tls-server-name"].as_str().map(str::to_owned),
            credential,
        }),
        (Err(faults), _) => Err(faults),
        (Ok(()), None) => Err(Faults::one("/kubeconfig/users", "holds no usable credential")),
    }
}

/// A text that is base64 of PEM, if it is there.
fn pem(value: &Value, at: &str, faults: &mut Faults) -> Option<String> {
    let text = value.as_str().filter(|t| !t.is_empty())?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(text).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    if decoded.is_none() {
        faults.add(at, "is not base64 of a PEM text");
    }
    decoded
}

/// The user's token, or client certificate and key.
fn credential(user: &Value, faults: &mut Faults) -> Option<Credential> {
    let certificate = pem(
        &user["client-certificate-data"],
        "/kubeconfig/users/client-certificate-data",
        faults,
    );
    let key = pem(
        &user["client-key-data"],
        "/kubeconfig/users/client-key-data",
        faults,
    );
    let token = user["token"]
        .as_str()
        .filter(|t| !t.is_empty())
        .map(str::to_owned);
    match (token, certificate, key) {
        (Some(token), _, _) => Some(Credential::Token(SecretString::from(token))),
        (None, Some(certificate), Some(key)) => Some(Credential::ClientCertificate {
            certificate,
            key: SecretString::from(key),
        }),
        _ => {
            if faults.is_empty() {
                faults.add(
                    "/kubeconfig/users",
                    "holds neither `token` nor `client-certificate-data` with `client-key-data`",
                );
            }
            None
        }
    }
}

/// Refuses what would make the server run programs, read its own files or trust anybody.
fn refuse(cluster: &Value, user: &Value, faults: &mut Faults) {
    let users = [
        (
            "exec",
            "a program would run on the server; give a token or a client certificate",
        ),
        (
            "auth-provider",
            "a plugin would run on the server; give a token or a client certificate",
        ),
        ("tokenFile", "a file of the server would be read; give `token`"),
        (
            "client-certificate",
            "a file of the server would be read; give `client-certificate-data`",
        ),
        (
            "client-key",
            "a file of the server would be read; give `client-key-data`",
        ),
        (
            "username",
            "basic authentication is not supported; give a token or a client certificate",
        ),
        (
            "as",
            "impersonation is not supported; give a credential of its own",
        ),
    ];
    for (key, why) in users {
        if !user[key].is_null() {
            faults.add(format!("/kubeconfig/users/{key}"), why);
        }
    }
    let clusters = [
        (
            "certificate-authority",
            "a file of the server would be read; give `certificate-authority-data`",
        ),
        ("proxy-url", "proxies come from the server's own configuration"),
    ];
    for (key, why) in clusters {
        if !cluster[key].is_null() {
            faults.add(format!("/kubeconfig/clusters/{key}"), why);
        }
    }
    if cluster["insecure-skip-tls-verify"] == true {
        faults.add(
            "/kubeconfig/clusters/insecure-skip-tls-verify",
            "anybody could pose as the cluster; give `certificate-authority-data`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn config(cluster: &str, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
             clusters: [{{name: k, cluster: {cluster}}}]\nusers: [{{name: u, user: {user}}}]\n"
        )
    }

    #[test]
    fn a_token_is_taken() {
        let details = read(&config("{server: 'https://k:6443'}", "{token: s3cret}"), None).unwrap();
        assert_eq!(details.server, "https://k:6443");
        assert!(matches!(details.credential, Credential::Token(t) if t.expose_secret() == "s3cret"));
    }

    #[test]
    fn everything_that_would_make_the_server_run_or_read_something_is_refused_at_once() {
        let faults = read(
            &config(
                "{server: 'https://k', certificate-authority: /etc/passwd, insecure-skip-tls-verify: true}",
                "{exec: {command: rm}, tokenFile: /etc/shadow, token: s3cret}",
            ),
            None,
        )
        .unwrap_err();
        let text = faults.to_string();
        for part in [
            "exec",
            "tokenFile",
            "certificate-authority",
            "insecure-skip-tls-verify",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("s3cret"));
    }

    #[test]
    fn a_fault_never_quotes_the_text() {
        let faults = read("token: s3cret\n  bad: [", None).unwrap_err();
        assert!(!faults.to_string().contains("s3cret"));
    }
}
