//! The HTTP client: one server, no redirects, requests that are safe to repeat are repeated.
//!
//! A POST carries an `Idempotency-Key`, so repeating it after a lost answer does nothing twice. A change reads the
//! resource's `ETag` first and sends it as `If-Match`, so it never overwrites what somebody else did meanwhile.

use super::{
    exit::{Failure, Refusal, chain},
    settings::Access,
};
use backon::{BackoffBuilder as _, ExponentialBuilder};
use reqwest::{
    Client, Method, Response,
    header::{
        ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_MATCH, LOCATION, RETRY_AFTER,
    },
    redirect,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use slipway_api_types::Problem;
use std::time::Duration;
use url::Url;
use uuid::Uuid;

/// How long one answer may take: a cluster check or a preview talks to clusters meanwhile.
const ANSWER_WITHIN: Duration = Duration::from_secs(90);
/// A server that asks for more patience than this is reported instead of waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The largest page that is asked for at once.
const PAGE: usize = 100;

/// A query: names and values.
pub(crate) type Query = Vec<(&'static str, String)>;

/// Speaks to the server.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: Client,
    base: Url,
    token: Option<SecretString>,
    retry: ExponentialBuilder,
}

/// An answer with success.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The body as it came.
    pub(crate) body: String,
    etag: Option<HeaderValue>,
}

impl Reply {
    /// The body as what it should be.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.body).map_err(|error| {
            Failure::unavailable(format!(
                "the server's answer is not what this command line understands: {error}"
            ))
        })
    }
}

/// A list, as far as it was asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Listing {
    /// What is on it, as it came.
    pub(crate) items: Vec<Box<RawValue>>,
    /// Where the rest begins, if there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// How much of a list is wanted.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Paging {
    /// How many to show, newest first
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Show all there are
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Paging {
    /// How many at most.
    pub(crate) fn wanted(self) -> usize {
        if self.all {
            usize::MAX
        } else {
            usize::try_from(self.limit).unwrap_or(usize::MAX)
        }
    }

    /// All of them.
    pub(crate) const ALL: Self = Self { limit: 1, all: true };
}

struct Call {
    method: Method,
    url: Url,
    body: Option<Vec<u8>>,
    headers: HeaderMap,
    /// Doing it twice is doing it once.
    repeatable: bool,
}

impl Api {
    /// A client for one server.
    pub(crate) fn new(access: Access) -> Result<Self, Failure> {
        let Access { server: base, token } = access;
        let loopback = match base.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        let mut client = Client::builder()
            .user_agent(concat!("slipway/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(Duration::from_secs(10));
        if loopback {
            client = client.no_proxy();
        }
        if base.scheme() == "http" {
            // Without TLS there is nothing to trust, and a machine without certificate authorities is no obstacle.
            client = client.tls_certs_only([]);
        }
        let http = client.build().map_err(|error| {
            Failure::unavailable(format!("no TLS client can be set up: {}", chain(&error)))
        })?;
        let retry = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(5))
            .with_max_times(4)
            .with_jitter();
        Ok(Self {
            http,
            base,
            token,
            retry,
        })
    }

    /// The same, repeating as `retry` says.
    #[cfg(test)]
    pub(crate) fn with_retry(self, retry: ExponentialBuilder) -> Self {
        Self { retry, ..self }
    }

    /// The server's base URL.
    pub(crate) const fn base(&self) -> &Url {
        &self.base
    }

    /// Reads a resource.
    pub(crate) async fn get(&self, path: &[&str], query: &Query) -> Result<Reply, Failure> {
        self.send(self.call(Method::GET, path, query)?).await
    }

    /// Reads a list, page after page, as far as it is wanted.
    pub(crate) async fn list(
        &self,
        path: &[&str],
        filters: Query,
        paging: Paging,
    ) -> Result<Listing, Failure> {
        let wanted = paging.wanted();
        let mut listing = Listing {
            items: Vec::new(),
            next: None,
        };
        loop {
            let mut query = filters.clone();
            query.push(("limit", (wanted - listing.items.len()).min(PAGE).to_string()));
            query.extend(listing.next.take().map(|cursor| ("cursor", cursor)));
            let page: Listing = self.get(path, &query).await?.read()?;
            let came = page.items.len();
            listing.items.extend(page.items);
            listing.next = page.next;
            if listing.next.is_none() || listing.items.len() >= wanted || came == 0 {
                return Ok(listing);
            }
        }
    }

    /// Makes something, or does something with it; safe to repeat, thanks to its key.
    pub(crate) async fn post<B: Serialize + Sync>(&self, path: &[&str], body: &B) -> Result<Reply, Failure> {
        let mut call = self.call(Method::POST, path, &Query::new())?.with_body(body)?;
        let key = HeaderValue::from_str(&Uuid::now_v7().to_string()).map_err(Failure::header)?;
        call.headers.insert("idempotency-key", key);
        call.repeatable = true;
        self.send(call).await
    }

    /// Changes a resource as it was just now, and not if it is another by then.
    pub(crate) async fn patch<B: Serialize + Sync>(&self, path: &[&str], body: &B) -> Result<Reply, Failure> {
        let seen = self.get(path, &Query::new()).await?;
        let mut call = self.call(Method::PATCH, path, &Query::new())?.with_body(body)?;
        if let Some(etag) = seen.etag {
            call.headers.insert(IF_MATCH, etag);
        }
        self.send(call).await
    }

    /// Removes a resource.
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<Reply, Failure> {
        let mut call = self.call(Method::DELETE, path, &Query::new())?;
        // Whatever it became meanwhile, it is to go.
        call.headers.insert(IF_MATCH, HeaderValue::from_static("*"));
        self.send(call).await
    }

    /// Opens the stream of events; the caller reads it, and reconnects.
    pub(crate) async fn events(&self, query: &Query, after: Option<&str>) -> Result<Response, Failure> {
        let mut call = self.call(Method::GET, &["v1", "events"], query)?;
        call.headers
            .insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(after) = after {
            call.headers.insert(
                "last-event-id",
                HeaderValue::from_str(after).map_err(Failure::header)?,
            );
        }
        self.once(&call, None).await
    }

    /// Opens an answer that is read as it comes, however long it takes.
    pub(crate) async fn stream(&self, path: &[&str], query: &Query) -> Result<Response, Failure> {
        self.once(&self.call(Method::GET, path, query)?, None).await
    }

    fn call(&self, method: Method, path: &[&str], query: &Query) -> Result<Call, Failure> {
        let mut url = self.base.clone();
        if let Some(odd) = path.iter().find(|part| matches!(**part, "" | "." | "..")) {
            return Err(Failure::Usage(format!("`{odd}` is neither a name nor an id")));
        }
        url.path_segments_mut()
            .map_err(|()| Failure::Usage("the server's URL has no path".into()))?
            .pop_if_empty()
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, application/problem+json"),
        );
        if let Some(token) = &self.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
                .map_err(|_| Failure::Usage("the token holds characters that no token has".into()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let repeatable = method == Method::GET;
        Ok(Call {
            method,
            url,
            body: None,
            headers,
            repeatable,
        })
    }

    async fn send(&self, call: Call) -> Result<Reply, Failure> {
        let mut waits = self.retry.build();
        loop {
            let failure = match self.answer(&call).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            let (again, asked) = match &failure {
                Failure::Unavailable { unsent, .. } => (*unsent || call.repeatable, None),
                // Both say that nothing was done.
                Failure::Refused(refusal) => {
                    (matches!(refusal.problem.status, 429 | 503), refusal.retry_after)
                }
                _ => (false, None),
            };
            match waits.next().map(|wait| asked.unwrap_or(wait)) {
                Some(wait) if again && wait <= LONGEST_WAIT => tokio::time::sleep(wait).await,
                _ => return Err(failure),
            }
        }
    }

    async fn answer(&self, call: &Call) -> Result<Reply, Failure> {
        let response = self.once(call, Some(ANSWER_WITHIN)).await?;
        let etag = response.headers().get(ETAG).cloned();
        let body = response.text().await.map_err(|error| self.unreachable(&error))?;
        Ok(Reply { body, etag })
    }

    async fn once(&self, call: &Call, within: Option<Duration>) -> Result<Response, Failure> {
        let mut request = self
            .http
            .request(call.method.clone(), call.url.clone())
            .headers(call.headers.clone());
        if let Some(within) = within {
            request = request.timeout(within);
        }
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status.is_redirection() {
            let to = response
                .headers()
                .get(LOCATION)
                .and_then(|to| to.to_str().ok())
                .unwrap_or("elsewhere");
            return Err(Failure::unavailable(format!(
                "{} redirects to {to}: redirects are not followed, the token is for this server alone; set --server",
                self.base
            )));
        }
        Err(refusal(response).await)
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let why = if error.is_timeout() {
            "it did not answer in time".to_owned()
        } else {
            chain(error)
        };
        Failure::Unavailable {
            what: format!("no answer from {}: {why}", self.base),
            unsent: error.is_connect(),
        }
    }
}

impl Call {
    fn with_body<B: Serialize>(mut self, body: &B) -> Result<Self, Failure> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Failure::Usage(format!("the request cannot be written as JSON: {error}")))?;
        self.body = Some(body);
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(self)
    }
}

impl Failure {
    #[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
    fn header(error: reqwest::header::InvalidHeaderValue) -> Self {
        Self::Usage(format!("a header cannot be written: {error}"))
    }
}

async fn refusal(response: Response) -> Failure {
    let status = response.status();
    let header = |name| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let request_id = header("x-request-id");
    // A date is legal too, but means reading a clock that is not the server's; the back-off stands in for it.
    let retry_after = header(RETRY_AFTER.as_str())
        .and_then(|text| text.trim().parse().ok())
        .map(Duration::from_secs);
    let body = response.text().await.unwrap_or_default();
    let (problem, raw) = match serde_json::from_str::<Problem>(&body) {
        Ok(problem) => (
            Problem {
                status: status.as_u16(),
                ..problem
            },
            Some(body),
        ),
        Err(_) => (unexplained(status, &body), None),
    };
    Failure::Refused(Box::new(Refusal {
        problem,
        raw,
        request_id,
        retry_after,
    }))
}

/// What a proxy or anything else said that is not the API.
fn unexplained(status: reqwest::StatusCode, body: &str) -> Problem {
    Problem {
        kind: "about:blank".into(),
        title: status
            .canonical_reason()
            .unwrap_or("An answer without explanation")
            .into(),
        status: status.as_u16(),
        detail: body
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect(),
        instance: String::new(),
        errors: Vec::new(),
    }
}
