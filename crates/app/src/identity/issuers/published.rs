//! What an issuer publishes, read: strangers' documents, of which what is no use is passed over.

use super::{
    address::{self, Place},
    keys::{self, VerificationKey},
};
use crate::config::IssuerConfig;
use serde::Deserialize;
use slipway_domain::ports::IssuerDocuments;
use url::Url;

/// What is of use in the document of an issuer (`OpenID` Connect Discovery 1.0, section 3).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

/// Fetches the keys of an issuer.
///
/// # Errors
/// Why there are none, for an operator.
pub(super) async fn fetch(
    documents: &dyn IssuerDocuments,
    place: &Place,
    issuer: &IssuerConfig,
) -> Result<Vec<VerificationKey>, String> {
    let jwks = match place {
        Place::Jwks(url) => url.clone(),
        Place::Discovery(url) => {
            let document = documents.get(url).await.map_err(|e| format!("{url}: {e}"))?;
            keys_of(&document, issuer).map_err(|e| format!("{url}: {e}"))?
        }
    };
    let document = documents.get(&jwks).await.map_err(|e| format!("{jwks}: {e}"))?;
    keys::published(&document, &issuer.algorithms).map_err(|e| format!("{jwks}: {e}"))
}

/// Where a document says that the keys are; it must be the issuer's own, to the letter: else one who publishes for another
/// issuer could sign for this one.
fn keys_of(document: &[u8], issuer: &IssuerConfig) -> Result<Url, String> {
    let metadata: Metadata =
        serde_json::from_slice(document).map_err(|e| format!("is no document of an issuer: {e}"))?;
    if metadata.issuer != issuer.issuer {
        return Err(format!(
            "is the document of the issuer `{}`, not of `{}`",
            metadata.issuer.escape_debug(),
            issuer.issuer
        ));
    }
    address::parse(&metadata.jwks_uri, issuer.fetch).map_err(|e| format!("`jwks_uri` {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Discovery, KeySource};
    use serde_json::json;

    #[test]
    fn a_document_counts_for_the_issuer_that_it_names_to_the_letter() {
        let keys = KeySource::Discovery(Discovery::default());
        let issuer = IssuerConfig::new("https://id.example", "slipway", keys);
        let read = |document: serde_json::Value| keys_of(document.to_string().as_bytes(), &issuer);
        let uri = "https://keys.example/jwks";
        let good = json!({"issuer": "https://id.example", "jwks_uri": uri, "token_endpoint": "x"});
        assert_eq!(read(good).unwrap().as_str(), uri);
        for other in [
            "https://id.example/",
            "https://ID.example",
            "https://evil.example",
            "",
        ] {
            let refused = read(json!({"issuer": other, "jwks_uri": uri})).unwrap_err();
            assert!(refused.contains("not of `https://id.example`"), "{refused}");
        }
        for uri in ["http://id.example/jwks", "http://127.0.0.1/jwks", "file:///jwks"] {
            let refused = read(json!({"issuer": "https://id.example", "jwks_uri": uri})).unwrap_err();
            assert!(refused.contains("not https"), "{refused}");
        }
        assert!(read(json!({"issuer": "https://id.example"})).is_err());
        assert!(read(json!([])).is_err());
    }
}
