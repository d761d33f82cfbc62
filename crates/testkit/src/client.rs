//! People who use the API, without a network in between.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, StatusCode},
    response::Response,
};
use serde_json::Value;
use tower::ServiceExt as _;

/// Somebody with a token.
#[derive(Clone)]
pub struct Person {
    pub(crate) router: Router,
    /// What they prove who they are with; nobody in particular without one.
    pub token: Option<String>,
}

/// A request, before it is sent.
pub struct Request {
    router: Router,
    inner: axum::http::request::Builder,
    body: Body,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as JSON; a text when it is none, null when it is empty.
    pub body: Value,
    request: String,
}

impl Person {
    /// The same person with another token.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self {
            router: self.router.clone(),
            token: Some(token.into()),
        }
    }

    /// A request, for tests that need more than the short forms.
    #[must_use]
    pub fn request(&self, method: Method, path: &str) -> Request {
        let mut inner = axum::http::Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            inner = inner.header("authorization", format!("Bearer {token}"));
        }
        Request {
            router: self.router.clone(),
            inner,
            body: Body::empty(),
        }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path).send().await
    }

    /// `POST` with JSON.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.request(Method::POST, path).json(&body).send().await
    }

    /// `POST` without a body.
    pub async fn act(&self, path: &str) -> Reply {
        self.request(Method::POST, path).send().await
    }

    /// `PATCH` with JSON, to what has this tag.
    pub async fn patch(&self, path: &str, etag: &str, body: Value) -> Reply {
        self.request(Method::PATCH, path)
            .header("if-match", etag)
            .json(&body)
            .send()
            .await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Reply {
        self.request(Method::DELETE, path).send().await
    }
}

impl Request {
    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.inner = self.inner.header(name, value);
        self
    }

    /// With JSON.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .raw(body.to_string())
    }

    /// With whatever.
    #[must_use]
    pub fn raw(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it and leaves the body to be read: for streams.
    ///
    /// # Panics
    /// When it is no request.
    pub async fn open(self) -> Response {
        let request = self.inner.body(self.body).expect("a request");
        match self.router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Sends it.
    ///
    /// # Panics
    /// When the body of the answer cannot be read.
    pub async fn send(self) -> Reply {
        let request = format!(
            "{} {}",
            self.inner.method_ref().cloned().unwrap_or_default(),
            self.inner.uri_ref().cloned().unwrap_or_default()
        );
        let (parts, body) = self.open().await.into_parts();
        let bytes = axum::body::to_bytes(body, 64 << 20).await.expect("a body");
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
        };
        Reply {
            status: parts.status,
            headers: parts.headers,
            body,
            request,
        }
    }
}

impl Reply {
    /// The body, if the status is this one.
    ///
    /// # Panics
    /// When it is not, with what came instead.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        self.check(status);
        self.body
    }

    /// The reply itself, if the status is this one.
    ///
    /// # Panics
    /// When it is not, with what came instead.
    #[track_caller]
    pub fn ok(self, status: u16) -> Self {
        self.check(status);
        self
    }

    /// The problem's kind, if the status is this one: the last part of its `type`.
    ///
    /// # Panics
    /// When it is not, or it is no problem document.
    #[track_caller]
    pub fn problem(self, status: u16) -> String {
        self.check(status);
        let kind = self.header("content-type").to_owned();
        assert_eq!(
            kind, "application/problem+json",
            "{}: {:#}",
            self.request, self.body
        );
        let path = self.body["type"].as_str().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// A header; empty when it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The entity tag.
    #[must_use]
    pub fn etag(&self) -> String {
        self.header("etag").to_owned()
    }

    /// The pointers of all faults.
    #[must_use]
    pub fn pointers(&self) -> Vec<String> {
        let faults = self.body["errors"].as_array().cloned().unwrap_or_default();
        faults
            .iter()
            .filter_map(|fault| fault["pointer"].as_str().map(str::to_owned))
            .collect()
    }

    #[track_caller]
    fn check(&self, status: u16) {
        let came = self.status.as_u16();
        assert_eq!(came, status, "{} answered {came}: {:#}", self.request, self.body);
    }
}
