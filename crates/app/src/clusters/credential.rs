//! The credential of a cluster: read from what users send, encrypted for the database, decrypted for a connection.

use crate::{App, Error, secrets};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use slipway_domain::{
    Faults,
    ids::ClusterId,
    ports::ClusterFault,
    registry::{
        Connection, Credential,
        kubeconfig::{self, Details},
    },
};
use slipway_store::clusters::{Sealed, SealedConnection};

/// A credential as given: one of a kubeconfig, a token, or a client certificate with its key.
#[derive(Debug, Clone, Default)]
pub struct CredentialInput {
    /// A kubeconfig; one context of it is taken.
    pub kubeconfig: Option<SecretString>,
    /// Which context; the kubeconfig's current one when absent.
    pub context: Option<String>,
    /// A bearer token.
    pub token: Option<SecretString>,
    /// A client certificate, PEM.
    pub client_certificate: Option<String>,
    /// Its private key, PEM.
    pub client_key: Option<SecretString>,
}

/// What was read of it.
#[derive(Debug)]
pub(super) enum Given {
    /// A kubeconfig: the server and its authority come with it.
    Kubeconfig(Details),
    /// The credential alone.
    Alone(Credential),
}

/// Longest token or PEM text, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Checks that a text is PEM of certificates.
pub(super) fn certificates(faults: &mut Faults, pointer: &str, pem: &str) {
    if pem.len() > MAX_BYTES {
        faults.add(pointer, format!("is longer than {MAX_BYTES} bytes"));
    } else if pem.contains("PRIVATE KEY-----") {
        faults.add(pointer, "holds a private key; only certificates belong here");
    } else if !is_pem(pem, "CERTIFICATE") {
        faults.add(
            pointer,
            "is not a certificate in PEM (`-----BEGIN CERTIFICATE-----` …)",
        );
    }
}

fn is_pem(text: &str, what: &str) -> bool {
    let text = text.trim();
    text.starts_with("-----BEGIN ")
        && text.contains(&format!("{what}-----"))
        && text.ends_with("-----")
        && text.contains("-----END ")
        && text
            .chars()
            .all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
}

/// Reads a credential; faults at pointers below `/credential`, none of which quotes it.
pub(super) fn read(input: &CredentialInput, faults: &mut Faults) -> Option<Given> {
    let mut inner = Faults::new();
    let certificate = input.client_certificate.is_some() || input.client_key.is_some();
    let ways = [input.kubeconfig.is_some(), input.token.is_some(), certificate];
    let given = if ways.iter().filter(|given| **given).count() == 1 {
        one(input, &mut inner)
    } else {
        inner.add(
            "",
            "give one of `kubeconfig`, `token`, or `client_certificate` with `client_key`",
        );
        None
    };
    if input.context.is_some() && input.kubeconfig.is_none() {
        inner.add("/context", "belongs to a kubeconfig");
    }
    let is_sound = inner.is_empty();
    faults.nest("/credential", inner);
    given.filter(|_| is_sound)
}

fn one(input: &CredentialInput, faults: &mut Faults) -> Option<Given> {
    if let Some(text) = &input.kubeconfig {
        return match kubeconfig::read(text.expose_secret(), input.context.as_deref()) {
            Ok(details) => {
                check(&details.credential, faults, "/kubeconfig/users");
                if let Some(authority) = &details.certificate_authority {
                    certificates(
                        faults,
                        "/kubeconfig/clusters/certificate-authority-data",
                        authority,
                    );
                }
                Some(Given::Kubeconfig(details))
            }
            Err(inner) => {
                faults.nest("", inner);
                None
            }
        };
    }
    if let Some(token) = &input.token {
        let credential = Credential::Token(SecretString::from(token.expose_secret().trim().to_owned()));
        check(&credential, faults, "/token");
        return Some(Given::Alone(credential));
    }
    match (&input.client_certificate, &input.client_key) {
        (Some(certificate), Some(key)) => {
            let credential = Credential::ClientCertificate {
                certificate: certificate.clone(),
                key: key.clone(),
            };
            check(&credential, faults, "/client_certificate");
            Some(Given::Alone(credential))
        }
        (Some(_), None) => {
            faults.add("/client_key", "is missing beside `client_certificate`");
            None
        }
        _ => {
            faults.add("/client_certificate", "is missing beside `client_key`");
            None
        }
    }
}

fn check(credential: &Credential, faults: &mut Faults, pointer: &str) {
    match credential {
        Credential::Token(token) => {
            let token = token.expose_secret();
            // It goes into a header: nothing there may end the line.
            if token.is_empty()
                || token.len() > MAX_BYTES
                || !token.bytes().all(|byte| byte.is_ascii_graphic())
            {
                faults.add(
                    pointer,
                    "holds no token that can be sent: it must be visible ASCII without spaces",
                );
            }
        }
        Credential::ClientCertificate { certificate, key } => {
            certificates(faults, pointer, certificate);
            if key.expose_secret().len() > MAX_BYTES || !is_pem(key.expose_secret(), "PRIVATE KEY") {
                faults.add(
                    pointer,
                    "has no private key in PEM beside it (`-----BEGIN … PRIVATE KEY-----`)",
                );
            }
        }
    }
}

/// As it is before it is encrypted.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Stored {
    Token(String),
    ClientCertificate { certificate: String, key: String },
}

/// Bound to the cluster: one cluster's credential cannot be put in another's row.
fn place(cluster: ClusterId) -> [u8; 16] {
    *cluster.uuid().as_bytes()
}

/// Encrypts a credential for the database.
pub(super) fn seal(app: &App, cluster: ClusterId, credential: &Credential) -> Result<Sealed, Error> {
    let stored = match credential {
        Credential::Token(token) => Stored::Token(token.expose_secret().to_owned()),
        Credential::ClientCertificate { certificate, key } => Stored::ClientCertificate {
            certificate: certificate.clone(),
            key: key.expose_secret().to_owned(),
        },
    };
    let plain = SecretString::from(serde_json::to_string(&stored)?);
    let (credential, key) = secrets::seal(app.config(), &place(cluster), plain.expose_secret().as_bytes())
        .map_err(Error::internal)?;
    Ok(Sealed { credential, key })
}

/// Decrypts the credential of a connection.
pub(super) fn open(app: &App, sealed: SealedConnection) -> Result<Connection, Error> {
    let unusable = |why: String| {
        let detail = format!(
            "its credential cannot be decrypted: {why}; configure the key, or give the credential again"
        );
        Error::Cluster(ClusterFault::Misconfigured {
            cluster: sealed.name.clone(),
            detail,
        })
    };
    let place = place(sealed.cluster);
    let plain = secrets::open(
        app.config(),
        &place,
        &sealed.sealed.key,
        &sealed.sealed.credential,
    )
    .map_err(|e| unusable(e.to_string()))?;
    // The parser's own message may quote the text.
    let stored: Stored = serde_json::from_slice(plain.expose_secret())
        .map_err(|_| unusable("it is not what this version of Slipway writes".to_owned()))?;
    let credential = match stored {
        Stored::Token(token) => Credential::Token(SecretString::from(token)),
        Stored::ClientCertificate { certificate, key } => Credential::ClientCertificate {
            certificate,
            key: SecretString::from(key),
        },
    };
    Ok(Connection {
        cluster: sealed.cluster,
        name: sealed.name,
        revision: sealed.revision,
        server: sealed.server,
        certificate_authority: sealed.certificate_authority,
        tls_server_name: sealed.tls_server_name,
        credential,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----\n";

    fn faults(input: &CredentialInput) -> Vec<(String, String)> {
        let mut faults = Faults::new();
        read(input, &mut faults);
        faults
            .as_slice()
            .iter()
            .map(|fault| (fault.pointer.clone(), fault.detail.clone()))
            .collect()
    }

    #[test]
    fn exactly_one_way_of_being_let_in_is_given() {
        let token = || Some(SecretString::from("s3cret"));
        let none = CredentialInput::default();
        let two = CredentialInput {
            token: token(),
            client_certificate: Some(CERTIFICATE.to_owned()),
            client_key: Some(SecretString::from(KEY)),
            ..CredentialInput::default()
        };
        for wrong in [none, two] {
            assert_eq!(faults(&wrong)[0].0, "/credential");
        }
        let half = CredentialInput {
            client_certificate: Some(CERTIFICATE.to_owned()),
            ..CredentialInput::default()
        };
        assert_eq!(faults(&half)[0].0, "/credential/client_key");
        assert!(
            faults(&CredentialInput {
                token: token(),
                ..CredentialInput::default()
            })
            .is_empty()
        );
    }

    #[test]
    fn what_cannot_be_sent_is_refused_and_never_quoted() {
        for bad in ["", "s3cret\r\nHost: evil", "s3 cret", "s3crét"] {
            let input = CredentialInput {
                token: Some(SecretString::from(bad)),
                ..CredentialInput::default()
            };
            let faults = faults(&input);
            assert_eq!(faults.len(), 1, "{bad:?}");
            assert!(!faults[0].1.contains("s3cr"));
        }
        let swapped = CredentialInput {
            client_certificate: Some(KEY.to_owned()),
            client_key: Some(SecretString::from(CERTIFICATE)),
            ..CredentialInput::default()
        };
        let faults = faults(&swapped);
        assert_eq!(faults.len(), 2);
        assert!(faults.iter().all(|(_, detail)| !detail.contains("s3cret")));
    }
}
