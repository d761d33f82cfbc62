//! Who sends a request, for all of `/v1`, before anything of it is read: no route can forget it.

use super::context::RequestContext;
use crate::{
    problem::{Failure, catalogue},
    state::ApiState,
};
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use slipway_app::{RequestInfo, Unauthenticated};
use std::sync::Arc;

/// The token that a request came with: an event stream asks again whether it still holds.
#[derive(Clone)]
pub(crate) struct Bearer(pub(crate) Arc<str>);

/// Leaves the actor and the token in the request's extensions; or says why nobody is let in.
pub(super) async fn authenticate(state: &ApiState, request: &mut Request) -> Result<(), Response> {
    let Some(token) = bearer(request.headers()).map(Arc::<str>::from) else {
        return Err(unauthenticated(
            "Bearer realm=\"slipway\"",
            "send `Authorization: Bearer <token>`",
        ));
    };
    let Some(context) = request.extensions().get::<RequestContext>() else {
        return Err(Failure::new(&catalogue::INTERNAL, "the request has no context").into_response());
    };
    let info = request_info(context);
    match state.app.authenticate(&token, &info).await {
        Ok(actor) => {
            request.extensions_mut().insert(Arc::new(actor));
            request.extensions_mut().insert(Bearer(token));
            Ok(())
        }
        Err(Unauthenticated::Refused { detail }) => Err(unauthenticated(
            "Bearer realm=\"slipway\", error=\"invalid_token\"",
            &detail,
        )),
        Err(Unauthenticated::Failed(error)) => Err(Failure::from(error).into_response()),
    }
}

/// What the use-cases are told of a request.
pub(crate) fn request_info(context: &RequestContext) -> RequestInfo {
    RequestInfo {
        id: context.id.to_string(),
        traceparent: context.traceparent.as_deref().map(str::to_owned),
    }
}

fn unauthenticated(challenge: &'static str, detail: &str) -> Response {
    Failure::new(&catalogue::UNAUTHENTICATED, detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
        .into_response()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ')).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|v| (header::AUTHORIZATION, HeaderValue::from_str(v).unwrap()))
            .collect()
    }

    #[test]
    fn one_bearer_token_is_read_and_nothing_else() {
        assert_eq!(bearer(&with(&["Bearer abc"])), Some("abc"));
        assert_eq!(bearer(&with(&["bearer abc"])), Some("abc"));
        for bad in [&[][..], &["abc"], &["Basic abc"], &["Bearer "], &["Bearer a b"]] {
            assert_eq!(bearer(&with(bad)), None, "{bad:?}");
        }
        let mut two = with(&["Bearer abc"]);
        two.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer def"));
        assert_eq!(bearer(&two), None);
    }
}
