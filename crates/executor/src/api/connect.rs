//! Connection details → a client. Nothing but those details decides: no kubeconfig, no environment, no programs to run.

use super::{
    ClientSettings,
    pause::{Heeding, Pause},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, Uri, header};
use kube::{Client, Config, client::ClientBuilder};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use secrecy::{ExposeSecret as _, SecretString};
use slipway_domain::{
    ports::ClusterFault,
    registry::{Connection, Credential},
};
use std::sync::Arc;

/// A client for a cluster; nothing is sent yet.
///
/// # Errors
/// [`ClusterFault::Misconfigured`], naming the detail that cannot be used.
pub(super) fn connect(
    connection: &Connection,
    settings: &ClientSettings,
    pause: &Arc<Pause>,
) -> Result<Client, ClusterFault> {
    let unusable = |detail: String| ClusterFault::Misconfigured {
        cluster: connection.name.clone(),
        detail,
    };
    let mut config = Config::new(address(&connection.server).map_err(unusable)?);
    config.connect_timeout = Some(settings.connect_timeout);
    config.write_timeout = Some(settings.request_timeout);
    // Retrying is decided by `cluster` and the steps: kube's own would sit out 16 minutes without looking at a lease.
    config.default_retry = false;
    config.headers.push((header::USER_AGENT, agent(settings)));
    config.tls_server_name.clone_from(&connection.tls_server_name);
    if let Some(pem) = &connection.certificate_authority {
        config.root_cert = Some(authorities(pem).map_err(unusable)?);
    }
    if let Some(proxy) = &settings.proxy {
        config.proxy_url = Some(
            proxy
                .parse()
                .map_err(|_| unusable("the proxy's URL cannot be read".to_owned()))?,
        );
    }
    match &connection.credential {
        Credential::Token(token) => {
            let token = token.expose_secret().trim();
            // Checked here: further down it would become an error that only says "failed to parse header value".
            HeaderValue::from_str(token)
                .map_err(|_| unusable("the token contains characters that no token has".to_owned()))?;
            config.auth_info.token = Some(SecretString::from(token));
        }
        Credential::ClientCertificate { certificate, key } => {
            config.auth_info.client_certificate_data = Some(STANDARD.encode(certificate));
            config.auth_info.client_key_data = Some(SecretString::from(STANDARD.encode(key.expose_secret())));
        }
    }
    let client = ClientBuilder::try_from(config).map_err(|error| unusable(told(&error)))?;
    Ok(client.with_layer(&Heeding(Arc::clone(pause))).build())
}

/// `slipway/1.2.3 (host-4711-0a1b2c3d)`: the API server's own record tells which process it was.
fn agent(settings: &ClientSettings) -> HeaderValue {
    const PLAIN: &str = concat!("slipway/", env!("CARGO_PKG_VERSION"));
    let named = settings.agent.as_ref().map(|name| format!("{PLAIN} ({name})"));
    named
        .and_then(|name| HeaderValue::try_from(name).ok())
        .unwrap_or(HeaderValue::from_static(PLAIN))
}

fn address(server: &str) -> Result<Uri, String> {
    let uri: Uri = server.parse().map_err(|_| format!("`{server}` is not a URL"))?;
    let host = uri.host().unwrap_or_default();
    let loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => Ok(uri),
        Some("http") if loopback => Ok(uri),
        Some("http") => Err(format!(
            "`{server}` would send the credential in clear text; use https"
        )),
        _ => Err(format!("`{server}` is not a URL that begins with https://")),
    }
}

fn authorities(pem: &str) -> Result<Vec<Vec<u8>>, String> {
    let all = CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|one| one.map(|der| der.to_vec()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| "the certificate authority is not PEM".to_owned())?;
    if all.is_empty() {
        return Err("the certificate authority holds no certificate".to_owned());
    }
    Ok(all)
}

/// What the client library says, in words that cannot hold a credential.
fn told(error: &kube::Error) -> String {
    match error {
        kube::Error::RustlsTls(error) => match error {
            kube::client::RustlsTlsError::InvalidPrivateKey(_) => {
                "the private key does not belong to the client certificate, or cannot be read".to_owned()
            }
            kube::client::RustlsTlsError::InvalidIdentityPem(_)
            | kube::client::RustlsTlsError::MissingPrivateKey
            | kube::client::RustlsTlsError::MissingCertificate
            | kube::client::RustlsTlsError::UnknownPrivateKeyFormat => {
                "the client certificate or its key is not PEM".to_owned()
            }
            kube::client::RustlsTlsError::InvalidServerName(_) => {
                "the TLS server name is not a host name".to_owned()
            }
            kube::client::RustlsTlsError::AddRootCertificate(_) => {
                "the certificate authority cannot be used".to_owned()
            }
            kube::client::RustlsTlsError::NoValidNativeRootCA(_) => {
                "this machine trusts no authority; give the cluster's certificate authority".to_owned()
            }
        },
        _ => "they cannot be made into a client".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipway_domain::ids::ClusterId;

    fn connection(server: &str) -> Connection {
        Connection {
            cluster: ClusterId::new(),
            name: "eu".parse().unwrap(),
            revision: 1,
            server: server.to_owned(),
            certificate_authority: None,
            tls_server_name: None,
            credential: Credential::Token(SecretString::from("sesame")),
        }
    }

    fn refused(connection: &Connection) -> String {
        match connect(connection, &ClientSettings::default(), &Arc::default()) {
            Err(ClusterFault::Misconfigured { detail, .. }) => detail,
            Err(other) => panic!("another fault: {other}"),
            Ok(_) => panic!("taken"),
        }
    }

    fn made(server: &str) -> bool {
        connect(&connection(server), &ClientSettings::default(), &Arc::default()).is_ok()
    }

    #[tokio::test]
    async fn a_credential_goes_in_clear_text_to_nobody_but_this_machine() {
        assert!(refused(&connection("http://10.0.0.1")).contains("clear text"));
        assert!(made("http://127.0.0.1:8080"));
        assert!(made("https://10.0.0.1"));
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_named_and_no_credential_is_quoted() {
        let mut one = connection("not a url");
        assert!(refused(&one).contains("not a URL"));
        one = connection("https://10.0.0.1");
        one.certificate_authority = Some("sesame".to_owned());
        assert!(refused(&one).contains("certificate authority"));
        one = connection("https://10.0.0.1");
        one.credential = Credential::Token(SecretString::from("sesame\nopen"));
        let told = refused(&one);
        assert!(told.contains("token") && !told.contains("sesame"), "{told}");
        one.credential = Credential::ClientCertificate {
            certificate: "c".to_owned(),
            key: SecretString::from("sesame"),
        };
        let told = refused(&one);
        assert!(told.contains("PEM") && !told.contains("sesame"), "{told}");
    }
}
