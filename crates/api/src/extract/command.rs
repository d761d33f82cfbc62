//! [`Command`]: everything that a handler which changes something starts from, and ends with.
//!
//! It reads and checks the body, opens the transaction and looks after `Idempotency-Key`; [`Change`] then keeps the
//! answer in the same transaction as the change, commits, and responds. Nothing is kept of what was refused.

use super::{
    Input, actor,
    body::{self, Parsed},
    reader::encode,
};
use crate::{
    etag::{IfMatch, Tag},
    problem::{Failure, catalogue},
    state::ApiState,
};
use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use slipway_app::{
    App, Tx,
    idempotency::{self, Begin},
};
use slipway_domain::identity::Actor;
use std::sync::Arc;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// `If-Match: *` as the use-cases take it.
const ANY_REVISION: i64 = -1;

/// A request to change something: its checked body, and the change that is under way.
pub(crate) struct Command<T>(pub(crate) T, pub(crate) Change);

/// A change that is under way.
pub(crate) struct Change {
    /// The transaction.
    pub(crate) tx: Tx,
    /// Who changes.
    pub(crate) actor: Arc<Actor>,
    /// The use-cases, for those that also ask a cluster.
    pub(crate) app: App,
    headers: HeaderMap,
    key: Option<Key>,
    nulls: Vec<String>,
}

/// Where the answer is kept.
struct Key {
    method_path: String,
    key: String,
}

/// An answer, as sent and as kept.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, String)>,
    body: Vec<u8>,
}

impl<T: Input> FromRequest<ApiState> for Command<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Response> {
        begin(request, state).await.map_err(|stopped| match stopped {
            Stopped::Failed(failure) => failure.into_response(),
            Stopped::Replay(answer) => {
                let mut response = respond(*answer);
                response
                    .headers_mut()
                    .insert(REPLAYED.clone(), HeaderValue::from_static("true"));
                response
            }
        })
    }
}

enum Stopped {
    Failed(Failure),
    Replay(Box<Answer>),
}

impl<E: Into<Failure>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

async fn begin<T: Input>(request: Request, state: &ApiState) -> Result<Command<T>, Stopped> {
    let actor = actor(request.extensions())?;
    let (parts, body) = request.into_parts();
    // Cheap refusals come before anything is read.
    let key = key(&parts.headers, &parts.method, parts.uri.path())?;
    if parts.method == Method::PATCH {
        IfMatch::read(&parts.headers)?;
    }
    let bytes = body::read(&parts.headers, body, T::limit(&state.config)).await?;
    let Parsed { input, nulls } = body::parse(&parts.headers, &bytes)?;
    let mut tx = state.app.begin().await?;
    if let Some(key) = &key {
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        match idempotency::begin(&mut tx, &actor, &key.method_path, &key.key, digest).await? {
            Begin::Fresh => {}
            Begin::Replay(kept) => return Err(Stopped::Replay(Box::new(kept_answer(kept)))),
            Begin::OtherBody => {
                let detail = "this `Idempotency-Key` was used for a request with another body; use a new key";
                return Err(Failure::new(&catalogue::IDEMPOTENCY_KEY_REUSED, detail).into());
            }
        }
    }
    let change = Change {
        tx,
        actor,
        app: state.app.clone(),
        headers: parts.headers,
        key,
        nulls,
    };
    Ok(Command(input, change))
}

fn key(headers: &HeaderMap, method: &Method, path: &str) -> Result<Option<Key>, Failure> {
    let mut values = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let key = value.to_str().unwrap_or_default();
    let is_sane = (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_sane && values.next().is_none() {
        return Ok(Some(Key {
            method_path: format!("{method} {path}"),
            key: key.to_owned(),
        }));
    }
    let detail = "`Idempotency-Key` must be one value of 1 to 255 visible ASCII characters, like a UUID";
    Err(Failure::new(&catalogue::MALFORMED, detail))
}

impl Change {
    /// The revision that the client says it changes, as the use-cases take it.
    pub(crate) fn if_match(&self) -> Result<i64, Failure> {
        Ok(match IfMatch::read(&self.headers)? {
            IfMatch::Any => ANY_REVISION,
            IfMatch::Revision(revision) => revision,
        })
    }

    /// Whether the body gives this field as `null`, so that it is to be taken away; what is absent stays.
    pub(crate) fn takes_away(&self, pointer: &str) -> bool {
        self.nulls.iter().any(|null| null == pointer)
    }

    /// 201: it was made, and is found there.
    pub(crate) async fn created<B: Serialize>(
        self,
        location: String,
        tag: Tag,
        body: &B,
    ) -> Result<Response, Failure> {
        let answer = Answer::json(StatusCode::CREATED, body)?
            .with(header::LOCATION, location)
            .tagged(tag);
        self.answer(answer).await
    }

    /// 201: it was made and is found there; what is kept for a repetition is another answer, because this one has a
    /// secret that is stored nowhere.
    pub(crate) async fn created_secret<B: Serialize>(
        mut self,
        location: String,
        body: &B,
    ) -> Result<Response, Failure> {
        let kept = Failure::new(
            &catalogue::SECRET_SHOWN_ONCE,
            format!("{location} was made by the first request under this key, and its secret was shown then"),
        );
        let kept = Answer {
            status: kept.kind().status(),
            headers: vec![(header::CONTENT_TYPE, crate::problem::MEDIA_TYPE.to_owned())],
            body: encode(&kept.document(&self.actor.request))?,
        };
        self.keep(&kept).await?;
        self.tx.commit().await.map_err(slipway_app::Error::from)?;
        Ok(respond(
            Answer::json(StatusCode::CREATED, body)?.with(header::LOCATION, location),
        ))
    }

    /// 200 with the resource as it is now.
    pub(crate) async fn ok<B: Serialize>(self, tag: Tag, body: &B) -> Result<Response, Failure> {
        self.answer(Answer::json(StatusCode::OK, body)?.tagged(tag)).await
    }

    /// It is refused, and that is on record: what was written stays, and no answer is kept for a repetition.
    pub(crate) async fn refused(self, error: slipway_app::Error) -> Failure {
        match self.tx.commit().await {
            Ok(()) => error.into(),
            Err(failed) => slipway_app::Error::from(failed).into(),
        }
    }

    /// 204: it is done, and there is nothing to show.
    pub(crate) async fn no_content(self) -> Result<Response, Failure> {
        self.answer(Answer {
            status: StatusCode::NO_CONTENT,
            headers: Vec::new(),
            body: Vec::new(),
        })
        .await
    }

    async fn answer(mut self, answer: Answer) -> Result<Response, Failure> {
        self.keep(&answer).await?;
        self.tx.commit().await.map_err(slipway_app::Error::from)?;
        Ok(respond(answer))
    }

    async fn keep(&mut self, answer: &Answer) -> Result<(), Failure> {
        let Some(Key { method_path, key }) = &self.key else {
            return Ok(());
        };
        let kept = idempotency::Answer {
            status: answer.status.as_u16(),
            headers: answer
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect(),
            body: answer.body.clone(),
        };
        Ok(idempotency::keep(&mut self.tx, &self.actor, method_path, key, &kept).await?)
    }
}

impl Answer {
    fn json<B: Serialize>(status: StatusCode, body: &B) -> Result<Self, Failure> {
        let headers = vec![(header::CONTENT_TYPE, "application/json".to_owned())];
        Ok(Self {
            status,
            headers,
            body: encode(body)?,
        })
    }

    fn with(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    fn tagged(self, tag: Tag) -> Self {
        let tag = tag.of(&self.body).to_string();
        self.with(header::ETAG, tag)
    }
}

fn kept_answer(kept: idempotency::Answer) -> Answer {
    let header = |(name, value): (String, String)| Some((HeaderName::try_from(name).ok()?, value));
    Answer {
        status: StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK),
        headers: kept.headers.into_iter().filter_map(header).collect(),
        body: kept.body,
    }
}

fn respond(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(values: &[&str]) -> Result<Option<Key>, Failure> {
        let headers = values
            .iter()
            .map(|v| (IDEMPOTENCY_KEY.clone(), HeaderValue::from_str(v).unwrap()))
            .collect();
        key(&headers, &Method::POST, "/v1/teams")
    }

    #[test]
    fn an_idempotency_key_is_one_short_visible_text() {
        assert!(keyed(&[]).unwrap().is_none());
        let key = keyed(&["0198b2f0-0000-7000"]).unwrap().unwrap();
        assert_eq!(
            (key.method_path.as_str(), key.key.as_str()),
            ("POST /v1/teams", "0198b2f0-0000-7000")
        );
        let long = "x".repeat(256);
        for bad in [&[""][..], &["a b"], &[long.as_str()]] {
            assert_eq!(
                keyed(bad).err().map(|failure| failure.kind().status),
                Some(400),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_kept_answer_is_sent_as_the_first_was() {
        let kept = idempotency::Answer {
            status: 201,
            headers: vec![("location".to_owned(), "/v1/teams/x".to_owned())],
            body: b"{}".to_vec(),
        };
        let response = respond(kept_answer(kept));
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()[header::LOCATION], "/v1/teams/x");
    }
}
