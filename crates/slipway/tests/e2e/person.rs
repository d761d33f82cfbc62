//! People who use the API over the network.

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

/// Every body that the API has sent to anybody in a test.
pub(crate) type Seen = Arc<Mutex<BTreeSet<String>>>;

/// Somebody with a token.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) client: reqwest::Client,
    pub(crate) api: String,
    pub(crate) token: String,
    pub(crate) seen: Seen,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// As JSON; a text when it is none, null when it is empty.
    pub(crate) body: Value,
    request: String,
}

impl Person {
    /// The same person, at another server or with another token.
    pub(crate) fn at(&self, api: &str) -> Self {
        Self {
            api: api.to_owned(),
            ..self.clone()
        }
    }

    /// The same connection with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.api))
            .bearer_auth(&self.token)
    }

    /// Sends a request, and keeps what came back.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let request = request.build().expect("a request");
        let name = format!("{} {}", request.method(), request.url().path());
        let response = self
            .client
            .execute(request)
            .await
            .unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("a body");
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.clone()))
        };
        self.seen.lock().expect("no panic").insert(text);
        Reply {
            status,
            headers,
            body,
            request: name,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// `POST` without a body.
    pub(crate) async fn act(&self, path: &str) -> Reply {
        self.send(self.request(Method::POST, path)).await
    }

    pub(crate) async fn patch(&self, path: &str, etag: &str, body: Value) -> Reply {
        let request = self.request(Method::PATCH, path).header("if-match", etag);
        self.send(request.json(&body)).await
    }

    /// Decides on an approval.
    pub(crate) async fn decide(&self, approval: &str, decision: &str, digest: &str) -> Reply {
        let body = json!({"decision": decision, "digest": digest});
        self.post(&format!("/v1/approvals/{approval}/decisions"), body)
            .await
    }
}

impl Reply {
    /// The body, if the status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        self.check(status);
        self.body
    }

    /// The problem document, if it is one of this status and kind, complete in every part.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, kind: &str) -> Problem {
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
    pub(crate) fn header(&self, name: &str) -> &str {
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
pub(crate) struct Problem {
    pub(crate) detail: String,
    /// Pointers of all faults, sorted.
    pub(crate) pointers: Vec<String>,
    /// Details of all faults.
    pub(crate) faults: Vec<String>,
}

impl Problem {
    /// Checks that it says this, in its detail or in one of its faults.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(
            self.detail.contains(words) || self.faults.iter().any(|fault| fault.contains(words)),
            "`{words}` is not in {self:#?}"
        );
        self
    }

    /// Checks where the faults are: exactly there.
    #[track_caller]
    pub(crate) fn at(self, pointers: &[&str]) -> Self {
        assert_eq!(self.pointers, pointers, "{self:#?}");
        self
    }
}

/// The text of a value; empty when it is none.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
