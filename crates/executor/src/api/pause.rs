//! What a cluster asked for with `429` and `Retry-After`: nothing is sent to it before that time, whoever it is for. It
//! is kept where every request passes, so watches and questions of people wait as targets do.

use http::{Request, Response, header};
use kube::client::Body;
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tower::{Layer, Service};

/// The longest that a cluster is left alone because it asked for it.
const LONGEST: Duration = Duration::from_mins(10);

/// Until when to send nothing.
#[derive(Debug)]
pub(super) struct Pause(Mutex<Instant>);

impl Default for Pause {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

/// `Retry-After` in seconds, as RFC 9110 has it; a second where there is none, or a date. At most ten minutes.
pub(crate) fn retry_after(header: Option<&str>) -> Duration {
    let seconds = header.and_then(|text| text.trim().parse().ok()).unwrap_or(1);
    Duration::from_secs(seconds).min(LONGEST)
}

impl Pause {
    /// How long it lasts, from now.
    pub(super) fn left(&self) -> Duration {
        self.lock().saturating_duration_since(Instant::now())
    }

    /// The cluster asks for nothing to come for this long; a pause is never made shorter.
    pub(super) fn hold_off(&self, after: Duration) {
        let mut until = self.lock();
        *until = (*until).max(Instant::now() + after.min(LONGEST));
    }

    async fn is_over(&self) {
        loop {
            let left = self.left();
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets every request of a client wait for the end of the pause, and looks for the next one in every answer.
#[derive(Clone)]
pub(super) struct Heeding(pub(super) Arc<Pause>);

impl<S> Layer<S> for Heeding {
    type Service = Heeded<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Heeded {
            inner,
            pause: Arc::clone(&self.0),
        }
    }
}

/// See [`Heeding`].
pub(super) struct Heeded<S> {
    inner: S,
    pause: Arc<Pause>,
}

impl<S, B> Service<Request<Body>> for Heeded<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // Nothing is sent before the first poll.
        let answer = self.inner.call(request);
        let pause = Arc::clone(&self.pause);
        Box::pin(async move {
            pause.is_over().await;
            let response = answer.await?;
            if response.status().as_u16() == 429 {
                let header = response.headers().get(header::RETRY_AFTER);
                pause.hold_off(retry_after(header.and_then(|value| value.to_str().ok())));
            }
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[test]
    fn whatever_is_asked_for_the_pause_is_a_sane_one() {
        assert_eq!(retry_after(Some(" 7 ")), Duration::from_secs(7));
        for odd in [None, Some("Fri, 31 Dec 1999 23:59:59 GMT"), Some("-3"), Some("")] {
            assert_eq!(retry_after(odd), Duration::from_secs(1), "{odd:?}");
        }
        assert_eq!(retry_after(Some("18446744073709551615")), LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_never_made_shorter_and_ends() {
        let pause = Pause::default();
        pause.hold_off(Duration::from_secs(9));
        pause.hold_off(Duration::from_secs(2));
        advance(Duration::from_secs(5)).await;
        assert_eq!(pause.left(), Duration::from_secs(4));
        pause.hold_off(Duration::MAX);
        assert_eq!(pause.left(), LONGEST);
        advance(LONGEST).await;
        assert!(pause.left().is_zero());
    }
}
