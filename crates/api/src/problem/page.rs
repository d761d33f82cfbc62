//! `GET /problems/{slug}`: what a `type` means, for people who follow it.

use super::{Failure, catalogue};
use axum::{
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

/// Answers with the text of one kind of problem.
pub(crate) async fn show(Path(slug): Path<String>) -> Response {
    match catalogue::find(&slug) {
        Some(kind) => (
            [
                (
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("text/markdown; charset=utf-8"),
                ),
                (
                    header::CACHE_CONTROL,
                    HeaderValue::from_static("public, max-age=3600"),
                ),
            ],
            catalogue::text(kind),
        )
            .into_response(),
        None => Failure::new(&catalogue::NOT_FOUND, "there is no such kind of problem").into_response(),
    }
}

/// Answers with the whole table.
pub(crate) async fn index() -> Response {
    (
        [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/markdown; charset=utf-8"),
            ),
            (
                header::CACHE_CONTROL,
                HeaderValue::from_static("public, max-age=3600"),
            ),
        ],
        catalogue::page(),
    )
        .into_response()
}
