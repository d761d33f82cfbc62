//! People who use the API over the network.

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

/// Every body that the API has sent to anybody in a test.
pub type Seen = Arc<Mutex<BTreeSet<String>>>;

/// Somebody with a token.
#[derive(Clone)]
pub struct Person {
    /// The connection.
    pub client: reqwest::Client,
    /// Base URL of the server asked.
    pub api: String,
    /// The bearer token; empty for nobody.
    pub token: String,
    /// Keeps what came back.
    pub seen: Seen,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// As JSON; a text when it is none, null when it is empty.
    pub body: Value,
    request: String,
}

impl Person {
    /// The same person, at another server or with another token.
    pub fn at(&self, api: &str) -> Self {
        Self {
            api: api.to_owned(),
            ..self.clone()
        }
    }

    /// The same connection with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// A request with the token, not sent yet.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.api))
            .bearer_auth(&self.token)
    }

    /// Sends a request, and keeps what came back.
    ///
    /// # Panics
    /// When nothing came back.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        self.try_send(request)
            .await
            .unwrap_or_else(|e| panic!("no answer: {e:?}"))
    }

    /// Sends a request to a server that may not answer.
    ///
    /// # Errors
    /// When nothing came back: the server was killed, or held still.
    ///
    /// # Panics
    /// When the request is none.
    pub async fn try_send(&self, request: reqwest::RequestBuilder) -> Result<Reply, reqwest::Error> {
        let request = request.build().expect("a request");
        let name = format!("{} {}", request.method(), request.url().path());
        let response = self.client.execute(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.clone()))
        };
        self.seen.lock().expect("no panic").insert(text);
        Ok(Reply {
            status,
            headers,
            body,
            request: name,
        })
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// `POST` without a body.
    pub async fn act(&self, path: &str) -> Reply {
        self.send(self.request(Method::POST, path)).await
    }

    /// `PATCH` with `If-Match`.
    pub async fn patch(&self, path: &str, etag: &str, body: Value) -> Reply {
        let request = self.request(Method::PATCH, path).header("if-match", etag);
        self.send(request.json(&body)).await
    }

    /// The digest of what there is to be decided on now.
    pub async fn looks_at(&self, approval: &str) -> String {
        let shown = self.get(&format!("/v1/approvals/{approval}")).await.expect(200);
        shown["digest"].as_str().expect("a digest").to_owned()
    }

    /// Decides on an approval.
    pub async fn decide(&self, approval: &str, decision: &str, digest: &str) -> Reply {
        let body = json!({"decision": decision, "digest": digest});
        self.post(&format!("/v1/approvals/{approval}/decisions"), body)
            .await
    }
}

impl Reply {
    /// The body, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        self.check(status);
        self.body
    }

    /// The problem document, if it is one of this status and kind, complete in every part.
    #[track_caller]
    pub fn problem(self, status: u16, kind: &str) -> Problem {
        self.check(status);
        let (request, body) = (&self.request, &self.body);
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{request}: {body:#}"
        );
        assert_eq!(body["type"], format!("/problems/{kind}"), "{request}: {body:#}");
        assert_eq!(body["status"], status, "{request}: {body:#}");
        assert!(text(&body["title"]).len() > 3, "{request}: {body:#}");
        assert!(text(&body["detail"]).len() > 3, "{request}: {body:#}");
        let id = self.header("x-request-id");
        assert!(!id.is_empty(), "{request}");
        assert_eq!(body["instance"], format!("/requests/{id}"), "{request}");
        let faults = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut pointers: Vec<String> = faults.iter().map(|fault| text(&fault["pointer"])).collect();
        pointers.sort();
        Problem {
            detail: text(&body["detail"]),
            faults: faults.iter().map(|fault| text(&fault["detail"])).collect(),
            pointers,
        }
    }

    /// A header; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    #[track_caller]
    fn check(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{}: {:#}", self.request, self.body);
    }
}

/// What a problem document says.
#[derive(Debug)]
pub struct Problem {
    /// Its `detail`.
    pub detail: String,
    /// Pointers of all faults, sorted.
    pub pointers: Vec<String>,
    /// Details of all faults.
    pub faults: Vec<String>,
}

impl Problem {
    /// Checks that it says this, in its detail or in one of its faults.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(
            self.detail.contains(words) || self.faults.iter().any(|fault| fault.contains(words)),
            "`{words}` is not in {self:#?}"
        );
        self
    }

    /// Checks where the faults are: exactly there.
    #[track_caller]
    pub fn at(self, pointers: &[&str]) -> Self {
        assert_eq!(self.pointers, pointers, "{self:#?}");
        self
    }
}

/// The text of a value; empty when it is none.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
