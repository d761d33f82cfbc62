//! Asking issuers for what they publish, over HTTP: the one place that speaks to them.
//!
//! An address comes from the configuration, or from the document of an issuer that is configured, and `app` has checked it.
//! Still a stranger answers: nothing is followed to another place, nothing is read beyond what such a document can be, and
//! nothing is waited for longer than a moment.
//!
//! To extend: whatever else must be asked of issuers becomes a method of the port [`IssuerDocuments`] first.

use reqwest::{Client, StatusCode, header, redirect};
use slipway_domain::ports::{IssuerDocuments, PortFuture};
use std::{error::Error, fmt::Write as _, time::Duration};
use url::Url;

/// Larger documents are not read, in bytes: those of the largest issuers are a twentieth of it.
pub const MAX_BYTES: usize = 256 * 1024;

/// How long a document may take, from connecting to its last byte.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Fetches documents.
#[derive(Debug, Clone)]
pub struct HttpDocuments {
    /// Over TLS, through the proxy of the environment if there is one.
    outside: Client,
    /// On this machine, where a proxy has no business.
    here: Client,
}

impl HttpDocuments {
    /// With the patience of [`PATIENCE`].
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        Self::with_patience(PATIENCE)
    }

    /// With a patience of one's own.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_patience(patience: Duration) -> Result<Self, reqwest::Error> {
        let client = || {
            Client::builder()
                .redirect(redirect::Policy::none())
                .connect_timeout(patience)
                .timeout(patience)
                .user_agent(concat!("slipway/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self {
            outside: client().https_only(true).build()?,
            here: client().no_proxy().build()?,
        })
    }

    async fn fetch(&self, address: &Url) -> Result<Vec<u8>, String> {
        let client = if address.scheme() == "https" {
            &self.outside
        } else {
            &self.here
        };
        let request = client
            .get(address.clone())
            .header(header::ACCEPT, "application/json");
        let mut answer = request.send().await.map_err(|error| in_full(&error))?;
        match answer.status() {
            StatusCode::OK => {}
            status if status.is_redirection() => {
                return Err(format!(
                    "answers {status}, and redirects are not followed: give the last address"
                ));
            }
            status => return Err(format!("answers {status}")),
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| in_full(&error))? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(format!("is larger than {MAX_BYTES} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

impl IssuerDocuments for HttpDocuments {
    fn get<'a>(&'a self, address: &'a Url) -> PortFuture<'a, Result<Vec<u8>, String>> {
        Box::pin(self.fetch(address))
    }
}

/// What went wrong, down to its cause; the address is known to whoever reads it.
fn in_full(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "does not answer in time".to_owned()
    } else {
        "does not answer".to_owned()
    };
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
