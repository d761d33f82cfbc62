//! One cluster, and one request to it.
//!
//! Every request passes the same gates in the same order: the pause the cluster asked for, the circuit breaker, the
//! rate, and the number under way; all of it within the lease, where there is one: that is looked at whenever the
//! request would go on, so no waiting lies between looking at it and sending.

use super::{Breaker, BreakerState, ClientSettings, kinds::Kinds, measure, pause::Pause};
use crate::{
    fault::{CallError, of_answer, of_transport},
    lease::LeaseClock,
};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::SignedDuration;
use kube::client::Body;
use serde_json::Value;
use slipway_domain::{Name, ids::ClusterId, ports::ClusterFault, registry::Connection};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

/// A pause the cluster asks for is sat out here when it is no longer than this; else the work is given back.
const SHORT_PAUSE: Duration = Duration::from_secs(2);
/// The longest answer that is read, in bytes; a page of a list is far below.
const MOST: usize = 256 << 20;
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
    pause: Arc<Pause>,
    request_timeout: Duration,
    pub(super) kinds: Kinds,
}

/// One request.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    /// In what form the answer is asked for.
    pub(crate) accept: &'static str,
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
            accept: "application/json",
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
            accept: "application/json",
            body: body.to_string().into_bytes(),
            lease,
        }
    }
}

impl Cluster {
    pub(super) fn new(
        connection: &Connection,
        client: kube::Client,
        pause: Arc<Pause>,
        settings: &ClientSettings,
    ) -> Self {
        measure::begin(&connection.name);
        Self {
            id: connection.cluster,
            name: connection.name.clone(),
            revision: connection.revision,
            client,
            rate: RateLimiter::direct(Quota::per_second(settings.rate)),
            slots: Semaphore::new(settings.at_once),
            breaker: Breaker::new(settings.breaker),
            pause,
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
            self.pause_ends().await?;
            let result = self.once(call).await;
            match &result {
                Err(CallError::Fault(ClusterFault::TooManyRequests { after, .. })) => {
                    let after = Duration::try_from(*after).unwrap_or_default();
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
    async fn pause_ends(&self) -> Result<(), CallError> {
        let left = self.left_alone_for();
        if left > SHORT_PAUSE {
            return Err(self.busy(left));
        }
        sleep(left).await;
        Ok(())
    }

    /// How long the cluster asked to be left alone, from now.
    pub(crate) fn left_alone_for(&self) -> Duration {
        self.pause.left()
    }

    fn busy(&self, left: Duration) -> CallError {
        let after = SignedDuration::try_from(left).unwrap_or(SignedDuration::MAX);
        ClusterFault::TooManyRequests {
            cluster: self.name.clone(),
            after,
        }
        .into()
    }

    async fn once(&self, call: &Call<'_>) -> Result<Answered, CallError> {
        self.rate.until_ready().await;
        let _slot = self.slots.acquire().await.map_err(|_| self.closed())?;
        // Another request may have been asked to wait while this one stood in line.
        let left = self.left_alone_for();
        if !left.is_zero() {
            return Err(self.busy(left));
        }
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
            .header(header::ACCEPT, call.accept)
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
        let body = Limited::new(response.into_body(), MOST)
            .collect()
            .await
            .map_err(|error| self.unread(&*error))?
            .to_bytes();
        if code >= 400 {
            return Err(of_answer(&self.name, code, retry_after.as_deref(), &body));
        }
        let body: Value = serde_json::from_slice(&body).map_err(|_| self.absurd(code, "is not JSON"))?;
        if !body.is_object() {
            return Err(self.absurd(code, "is no JSON object"));
        }
        Ok(Answered { code, body })
    }

    /// An answer that no API server gives: something else is there, or it is broken.
    pub(super) fn absurd(&self, code: u16, what: &str) -> CallError {
        ClusterFault::Other {
            cluster: self.name.clone(),
            detail: format!("answered {code} with something that {what}"),
        }
        .into()
    }

    fn unread(&self, error: &(dyn std::error::Error + Send + Sync + 'static)) -> CallError {
        if error.is::<LengthLimitError>() {
            let detail = format!("answered with more than {} MiB", MOST >> 20);
            return ClusterFault::Other {
                cluster: self.name.clone(),
                detail,
            }
            .into();
        }
        of_transport(&self.name, error).into()
    }

    /// Tells the breaker. An internal error of the API server may be about one object alone (a webhook of it fails),
    /// so only what says that the cluster itself is away counts.
    fn judge(&self, result: &Result<Answered, CallError>) {
        measure::fault(&self.name, result.as_ref().err());
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
            measure::breaker(&self.name, is != BreakerState::Closed);
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
