//! The keys and certificates of one cluster.

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};

/// Everything in PEM. Each cluster has an authority of its own, so that one cluster's credentials are useless, and its
/// server not believed, at another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Certificates {
    /// The authority's certificate; its key is thrown away once it has signed.
    pub(crate) authority: String,
    pub(crate) server: String,
    pub(crate) server_key: String,
    /// Signs the tokens of service accounts.
    pub(crate) service_account_key: String,
    pub(crate) service_account_public_key: String,
}

impl Certificates {
    pub(crate) fn generate(cluster: &str) -> Result<Self> {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        authority
            .distinguished_name
            .push(DnType::CommonName, format!("sandbox {cluster} authority"));
        let authority_key = KeyPair::generate()?;
        let authority_certificate = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);

        let names = [
            "127.0.0.1",
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        ];
        let mut server = CertificateParams::new(names.map(str::to_owned))?;
        server
            .distinguished_name
            .push(DnType::CommonName, format!("sandbox {cluster} api"));
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        let server_key = KeyPair::generate()?;
        let server_certificate = server.signed_by(&server_key, &issuer)?;

        let service_account_key = KeyPair::generate()?;

        Ok(Self {
            authority: authority_certificate.pem(),
            server: server_certificate.pem(),
            server_key: server_key.serialize_pem(),
            service_account_key: service_account_key.serialize_pem(),
            service_account_public_key: service_account_key.public_key_pem(),
        })
    }
}
