//! Requests of the node, which outlast an API server that is away for a while.

use std::time::Duration;

use kube::Error;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Repeats `request` until the server has answered; `None` when it says that there is nothing to do any more, because
/// the object is gone or another one, or that the request is wrong, which is logged.
pub(super) async fn answered<T, F>(what: &str, mut request: impl FnMut() -> F) -> Option<T>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        match request().await {
            Ok(answer) => return Some(answer),
            Err(Error::Api(status)) if matches!(status.code, 404 | 409) => return None,
            Err(Error::Api(status)) if (400..500).contains(&status.code) && status.code != 429 => {
                tracing::warn!(
                    what,
                    message = status.message,
                    "the API server refuses a request of the node"
                );
                return None;
            }
            Err(error) => tracing::debug!(what, %error, "a request of the node is repeated"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
