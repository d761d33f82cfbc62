//! [`Reader`]: who asks, and one consistent state of the database to answer from.

use super::actor;
use crate::{
    cursor,
    etag::{ETag, Tag},
    problem::Failure,
    state::ApiState,
};
use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use serde::Serialize;
use slipway_api_types::Page;
use slipway_app::Tx;
use slipway_domain::identity::Actor;
use std::sync::Arc;

/// Reads for somebody. Take it last, so that what is malformed opens no transaction.
pub(crate) struct Reader {
    /// A read-only transaction.
    pub(crate) tx: Tx,
    /// Who asks.
    pub(crate) actor: Arc<Actor>,
    headers: HeaderMap,
}

impl FromRequestParts<ApiState> for Reader {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Failure> {
        let actor = actor(&parts.extensions)?;
        let tx = state.app.read().await?;
        Ok(Self {
            tx,
            actor,
            headers: parts.headers.clone(),
        })
    }
}

impl Reader {
    /// Answers with a resource; 304 if the client has it as it is.
    pub(crate) fn one<B: Serialize>(&self, tag: Tag, body: &B) -> Result<Response, Failure> {
        let bytes = encode(body)?;
        let tag = tag.of(&bytes);
        if self.knows(&tag) {
            Ok(not_modified(&tag))
        } else {
            Ok(tagged(&tag, bytes))
        }
    }

    /// Whether the client says what it has, so that asking for the revision first is worth it.
    pub(crate) fn is_conditional(&self) -> bool {
        self.headers.contains_key(header::IF_NONE_MATCH)
    }

    /// 304, if the client has this revision of a resource that is wholly its own row.
    pub(crate) fn unchanged(&self, revision: i64) -> Option<Response> {
        let tag = ETag::revision(revision);
        tag.is_known(&self.headers).then(|| not_modified(&tag))
    }

    /// Whether the client has the answer with this tag.
    pub(crate) fn knows(&self, tag: &ETag) -> bool {
        tag.is_known(&self.headers)
    }
}

/// How much of a list is asked for.
pub(crate) fn limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(cursor::DEFAULT_LIMIT).clamp(1, cursor::MAX_LIMIT)
}

/// One page of a list, from one item more than it shows.
pub(crate) fn page<V, W>(
    mut views: Vec<V>,
    limit: u32,
    id: impl Fn(&V) -> String,
    wire: impl Fn(V) -> W,
) -> Page<W> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = views.len() > limit;
    views.truncate(limit);
    let next = if more {
        views.last().map(|last| cursor::write(&id(last)))
    } else {
        None
    };
    Page {
        items: views.into_iter().map(wire).collect(),
        next,
    }
}

/// Writes a body as JSON.
pub(crate) fn encode<B: Serialize>(body: &B) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(body).map_err(|error| Failure::internal(&error))
}

/// 200 with JSON.
pub(crate) fn json<B: Serialize>(body: &B) -> Result<Response, Failure> {
    let mut response = Response::new(Body::from(encode(body)?));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// 200 with JSON and its tag.
pub(crate) fn tagged(tag: &ETag, bytes: impl Into<Body>) -> Response {
    let bytes = bytes.into();
    let mut response = Response::new(bytes);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ETAG, tag.header());
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    response
}

/// 304: the client has it.
pub(crate) fn not_modified(tag: &ETag) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().insert(header::ETAG, tag.header());
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipway_domain::ids::TeamId;

    #[test]
    fn a_page_that_is_not_the_last_says_where_the_next_begins() {
        let ids: Vec<_> = (0..3).map(|_| TeamId::new()).collect();
        let full = page(ids.clone(), 2, ToString::to_string, |id| id);
        assert_eq!(full.items, ids[..2]);
        assert_eq!(cursor::read::<TeamId>(&full.next.unwrap()).unwrap(), ids[1]);
        assert!(page(ids, 3, ToString::to_string, |id| id).next.is_none());
    }

    #[test]
    fn a_list_has_a_limit_whatever_is_asked_for() {
        assert_eq!(
            (limit(None), limit(Some(0)), limit(Some(1_000_000))),
            (50, 1, 200)
        );
    }
}
