//! A panic in a handler answers 500 and takes nobody else's request with it.

use crate::problem::{Failure, catalogue};
use axum::response::{IntoResponse as _, Response};
use std::any::Any;

/// The answer to a panic; what it said is logged, never shown.
#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer calls")]
pub(crate) fn answer(panic: Box<dyn Any + Send + 'static>) -> Response {
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
