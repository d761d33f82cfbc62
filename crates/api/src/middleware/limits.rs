//! Room and time: what would wait too long is refused at once, so that the rest stays quick.

use crate::{
    problem::{Failure, catalogue},
    state::ApiState,
};
use axum::response::{IntoResponse as _, Response};

/// Sheds what is too much, and gives up on what takes too long; a transaction that was open rolls back.
pub(super) async fn within(state: &ApiState, answered: impl Future<Output = Response>) -> Response {
    let Ok(_room) = state.in_flight.try_acquire() else {
        metrics::counter!(slipway_telemetry::catalogue::HTTP_SHED).increment(1);
        return Failure::new(&catalogue::UNAVAILABLE, "the server has too much to do just now")
            .retry_after(1)
            .into_response();
    };
    let limit = state.config.request_timeout;
    let answered = async {
        let answered = tokio::time::timeout(limit, answered).await;
        answered.map_err(|_| {
            let detail = format!("this took longer than {} seconds", limit.as_secs_f32());
            Failure::new(&catalogue::UNAVAILABLE, detail).retry_after(2)
        })
    };
    let answered = state.app.while_the_database_answers(answered).await;
    answered.unwrap_or_else(Failure::into_response)
}
