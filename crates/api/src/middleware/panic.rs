//! A panic in a handler answers 500 and takes nobody else's request with it.

use crate::problem::{Failure, catalogue};
use axum::response::{IntoResponse as _, Response};
use std::any::Any;

/// The answer to a panic; what it said is logged, never shown.
#[expect(clippy::needless_pass_by_value, reason = "what unwinding leaves is owned")]
pub(super) fn answer(panic: Box<dyn Any + Send + 'static>) -> Response {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("something that is no text");
    tracing::error!(said, "a request panicked");
    Failure::new(
        &catalogue::INTERNAL,
        "Slipway could not do this because of a fault of its own; the log has it under the request's id",
    )
    .into_response()
}

#[cfg(test)]
mod tests {
    use crate::middleware::{Around, Guard, Routes};
    use axum::{Router, body::Body, http::Request, routing::get};
    use std::sync::Arc;
    use tower::ServiceExt as _;

    async fn broken() -> &'static str {
        panic!("password=hunter2")
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_says_nothing_of_it() {
        let router = Router::new()
            .route("/", get(broken))
            .layer(Around::new(&Arc::<Routes>::default(), Guard::Open));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["content-type"], crate::problem::MEDIA_TYPE);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("hunter2"));
    }
}
