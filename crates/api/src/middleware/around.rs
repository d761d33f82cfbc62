//! Everything around a handler as one layer: of several, each would cost every request allocations of its own, and a copy of
//! all that lies below it.

use super::{authenticate, context, limits, measure::Routes, panic};
use crate::state::ApiState;
use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use futures::{FutureExt as _, future::BoxFuture};
use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service, ServiceExt as _};

/// What a route is guarded by.
#[derive(Clone)]
pub(crate) enum Guard {
    /// Nothing: it answers anybody.
    Open,
    /// It answers who has a token, for as long as that takes: event streams.
    Token(ApiState),
    /// It answers who has a token, within the limits of room and time.
    TokenAndLimits(ApiState),
}

/// The layer.
#[derive(Clone)]
pub(crate) struct Around(Arc<What>);

struct What {
    routes: Arc<Routes>,
    guard: Guard,
}

impl Around {
    /// Around routes that are counted with others.
    pub(crate) fn new(routes: &Arc<Routes>, guard: Guard) -> Self {
        Self(Arc::new(What {
            routes: Arc::clone(routes),
            guard,
        }))
    }
}

impl<S> Layer<S> for Around {
    type Service = Surrounded<S>;

    fn layer(&self, inner: S) -> Surrounded<S> {
        Surrounded {
            around: Arc::clone(&self.0),
            inner,
        }
    }
}

/// A route with everything around it.
#[derive(Clone)]
pub(crate) struct Surrounded<S> {
    around: Arc<What>,
    inner: S,
}

impl<S> Service<Request> for Surrounded<S>
where
    S: Service<Request, Response: IntoResponse, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // Whatever was made ready is kept for the next call, as tower asks for: what is cloned makes itself ready.
        let (around, inner) = (Arc::clone(&self.around), self.inner.clone());
        Box::pin(async move { Ok(answer(&around, inner, request).await) })
    }
}

async fn answer<S>(around: &What, inner: S, request: Request) -> Response
where
    S: Service<Request, Response: IntoResponse, Error = Infallible>,
{
    let inside = |request: Request| async move {
        let answered = async {
            match &around.guard {
                Guard::Open => handled(inner, request).await,
                Guard::Token(state) => admitted(state, inner, request).await,
                Guard::TokenAndLimits(state) => limits::within(state, admitted(state, inner, request)).await,
            }
        };
        let answered = AssertUnwindSafe(answered).catch_unwind().await;
        answered.unwrap_or_else(panic::answer)
    };
    context::around(&around.routes, request, inside).await
}

async fn admitted<S>(state: &ApiState, inner: S, mut request: Request) -> Response
where
    S: Service<Request, Response: IntoResponse, Error = Infallible>,
{
    match authenticate::authenticate(state, &mut request).await {
        Ok(()) => handled(inner, request).await,
        Err(refusal) => refusal,
    }
}

async fn handled<S>(inner: S, request: Request) -> Response
where
    S: Service<Request, Response: IntoResponse, Error = Infallible>,
{
    let Ok(response) = inner.oneshot(request).await;
    response.into_response()
}
