//! One cluster, and one request to it.
//!
//! Every request passes the same gates in the same order: the pause the cluster asked for, the circuit breaker, the
//! rate, and the number under way; all of it within the lease, where there is one: that is looked at whenever the
//! request would go on, so no waiting lies between looking at it and sending.

use super::{Breaker, BreakerState, ClientSettings, kinds::Kinds};
use crate::{
    fault::{CallError, of_answer, of_transport},
    lease::LeaseClock,
};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{Method, Request, header};
use jiff::SignedDuration;
use kube::client::Body;
use serde_json::Value;
use slipway_domain::{Name, ids::ClusterId, ports::ClusterFault, registry::Connection};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until, timeout},
};

/// A pause the cluster asks for is sat out here when it is no longer than this; else the work is given back.
const SHORT_PAUSE: Duration = Duration::from_secs(2);
/// How often a request is sent again after such a pause.
const SHORT_PAUSES: u32 = 3;

/// A cluster that is being talked to.
pub struct Cluster {
    id: ClusterId,
    name: Name,
    revision: i64,
    client: kube::Client,
    rate: DefaultDirectRateLimiter,
    slots: Semaphore,
    breaker: Breaker,
    /// The cluster asked for nothing before this (`Retry-After`).
    not_before: Mutex<Instant>,
    request_timeout: Duration,
    pub(super) kinds: Kinds,
}

/// One request.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// The lease that allows it; none for reads, and for dry runs.
    pub(crate) lease: Option<&'a LeaseClock>,
}

/// An answer below 400.
pub(crate) struct Answered {
    pub(crate) code: u16,
    pub(crate) body: Value,
}

impl<'a> Call<'a> {
    /// A read.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            content_type: "application/json",
            body: Vec::new(),
            lease: None,
        }
    }

    /// A write, or something that is sent like one.
    pub(crate) fn send(method: Method, path: String, body: &Value, lease: Option<&'a LeaseClock>) -> Self {
        Self {
            method,
            path,
            content_type: "application/json",
            body: body.to_string().into_bytes(),
            lease,
        }
    }
}

impl Cluster {
    pub(super) fn new(connection: &Connection, client: kube::Client, settings: &ClientSettings) -> Self {
        Self {
            id: connection.cluster,
            name: connection.name.clone(),
            revision: connection.revision,
            client,
            rate: RateLimiter::direct(Quota::per_second(settings.rate)),
            slots: Semaphore::new(settings.at_once),
            breaker: Breaker::new(settings.breaker),
            not_before: Mutex::new(Instant::now()),
            request_timeout: settings.request_timeout,
            kinds: Kinds::default(),
        }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> ClusterId {
        self.id
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The revision of the connection details it was built from.
    #[must_use]
    pub const fn revision(&self) -> i64 {
        self.revision
    }

    /// What its circuit breaker is doing.
    #[must_use]
    pub fn breaker(&self) -> BreakerState {
        self.breaker.state()
    }

    /// The client itself, for watches: those last, and are not counted against rate and number.
    pub(crate) fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// Sends a request and says what came of it. All waiting is within the lease, where there is one.
    pub(crate) async fn call(&self, call: &Call<'_>) -> Result<Answered, CallError> {
        match call.lease {
            Some(lease) => lease.run(self.tries(call)).await?,
            None => self.tries(call).await,
        }
    }

    async fn tries(&self, call: &Call<'_>) -> Result<Answered, CallError> {
        let mut pauses = 0;
        loop {
            self.pause().await?;
            let result = self.once(call).await;
            match &result {
                Err(CallError::Fault(ClusterFault::TooManyRequests { after, .. })) => {
                    let after = Duration::try_from(*after).unwrap_or_default();
                    self.hold_off(after);
                    pauses += 1;
                    if after > SHORT_PAUSE || pauses > SHORT_PAUSES {
                        return result;
                    }
                }
                _ => return result,
            }
        }
    }

    /// Waits out a pause that the cluster asked for, when it is short.
    async fn pause(&self) -> Result<(), CallError> {
        let until = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.saturating_duration_since(Instant::now());
        if left > SHORT_PAUSE {
            let after = SignedDuration::try_from(left).unwrap_or(SignedDuration::MAX);
            return Err(ClusterFault::TooManyRequests {
                cluster: self.name.clone(),
                after,
            }
            .into());
        }
        sleep_until(until).await;
        Ok(())
    }

    fn hold_off(&self, after: Duration) {
        let mut not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        *not_before = (*not_before).max(Instant::now() + after);
    }

    async fn once(&self, call: &Call<'_>) -> Result<Answered, CallError> {
        self.rate.until_ready().await;
        let _slot = self.slots.acquire().await.map_err(|_| self.closed())?;
        self.breaker.admit().map_err(|(after, detail)| CallError::Open {
            fault: ClusterFault::Unreachable {
                cluster: self.name.clone(),
                detail: format!("left alone after several faults, the last: {detail}"),
            },
            after,
        })?;
        let result = timeout(self.request_timeout, self.exchange(call))
            .await
            .unwrap_or_else(|_| {
                let detail = format!("no answer within {} s", self.request_timeout.as_secs());
                Err(ClusterFault::Unreachable {
                    cluster: self.name.clone(),
                    detail,
                }
                .into())
            });
        self.judge(&result);
        result
    }

    async fn exchange(&self, call: &Call<'_>) -> Result<Answered, CallError> {
        let request = Request::builder()
            .method(call.method.clone())
            .uri(&call.path)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, call.content_type)
            .body(Body::from(call.body.clone()))
            .map_err(|_| self.closed())?;
        let response = self
            .client
            .send(request)
            .await
            .map_err(|error| of_transport(&self.name, &error))?;
        let code = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned);
        let body = response
            .into_body()
            .collect_bytes()
            .await
            .map_err(|error| of_transport(&self.name, &error))?;
        if code >= 400 {
            return Err(of_answer(&self.name, code, retry_after.as_deref(), &body));
        }
        let body = serde_json::from_slice(&body).map_err(|_| ClusterFault::Other {
            cluster: self.name.clone(),
            detail: format!("answered {code} with something that is not JSON"),
        })?;
        Ok(Answered { code, body })
    }

    /// Tells the breaker. An internal error of the API server may be about one object alone (a webhook of it fails),
    /// so only what says that the cluster itself is away counts.
    fn judge(&self, result: &Result<Answered, CallError>) {
        let was = self.breaker.state();
        match result {
            Err(CallError::Fault(
                fault @ (ClusterFault::Unreachable { .. } | ClusterFault::Certificate { .. }),
            )) => {
                let detail = match fault {
                    ClusterFault::Unreachable { detail, .. } | ClusterFault::Certificate { detail, .. } => {
                        detail
                    }
                    _ => "",
                };
                self.breaker.faulted(detail);
            }
            Err(CallError::LeaseEnding | CallError::Open { .. }) => {}
            _ => self.breaker.answered(),
        }
        let is = self.breaker.state();
        if std::mem::discriminant(&was) != std::mem::discriminant(&is) {
            let open = if is == BreakerState::Closed { 0.0 } else { 1.0 };
            metrics::gauge!("slipway_executor_breaker_open", "cluster" => self.name.to_string()).set(open);
            tracing::info!(cluster = %self.name, from = ?was, to = ?is, "circuit breaker");
        }
    }

    fn closed(&self) -> CallError {
        let detail = "the request could not be made".to_owned();
        ClusterFault::Other {
            cluster: self.name.clone(),
            detail,
        }
        .into()
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.name)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}
