//! How the proxy before an API server carries requests and answers.

use super::kube_proxy::{Answer, Fate, Shared, WatchEnd};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, future::pending, stream};
use http::{HeaderName, Request, Response, header};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{fmt, pin::Pin, sync::Arc};
use tokio::{net::TcpListener, time::sleep};

type Body = UnsyncBoxBody<Bytes, Broken>;

/// The connection ends, without a word.
#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is broken on purpose")
    }
}

impl std::error::Error for Broken {}

/// The API server.
#[derive(Clone)]
pub(super) struct Upstream {
    server: String,
    client: reqwest::Client,
    shared: Arc<Shared>,
}

pub(super) fn decode(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).expect("base64")
}

impl Upstream {
    pub(super) fn new(server: &str, authority: Option<&str>, shared: Arc<Shared>) -> Self {
        let mut client = reqwest::Client::builder().no_proxy().http1_only();
        if let Some(pem) = authority {
            let authority = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate authority");
            client = client.tls_certs_only([authority]);
        }
        Self {
            server: server.trim_end_matches('/').to_owned(),
            client: client.build().expect("a client"),
            shared,
        }
    }

    /// Decides what becomes of a request, and lets it become that.
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Broken> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        let agent = parts
            .headers
            .get(header::USER_AGENT)
            .and_then(|v| v.to_str().ok());
        let (fate, place) = self.shared.decide(
            parts.method.as_str(),
            path,
            query,
            agent.unwrap_or_default(),
            &body,
        );
        let watches = query
            .split('&')
            .any(|part| matches!(part, "watch=true" | "watch=1"));
        let response = match fate {
            Fate::Pass => self.pass(&parts, body, watches).await?,
            Fate::Delay(time) => {
                sleep(time).await;
                self.pass(&parts, body, watches).await?
            }
            Fate::Hold(gate) => {
                gate.passed().await;
                self.pass(&parts, body, watches).await?
            }
            Fate::Answer(answer) => said(answer),
            Fate::PassThenAnswer(answer) => {
                self.effect(&parts, body).await?;
                said(answer)
            }
            Fate::PassThenBreak => {
                self.effect(&parts, body).await?;
                return Err(Broken);
            }
            Fate::PassThenSilence => {
                self.effect(&parts, body).await?;
                return pending().await;
            }
            Fate::Break => return Err(Broken),
            Fate::Silence => Response::new(streamed(stream::pending())),
        };
        self.shared.answered(place, response.status().as_u16());
        Ok(response)
    }

    async fn send(&self, parts: &http::request::Parts, body: Bytes) -> Result<reqwest::Response, Broken> {
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut headers = parts.headers.clone();
        for name in [
            header::HOST,
            header::CONTENT_LENGTH,
            header::CONNECTION,
            header::TRANSFER_ENCODING,
        ] {
            headers.remove(name);
        }
        let request = self
            .client
            .request(parts.method.clone(), format!("{}{target}", self.server));
        request
            .headers(headers)
            .body(body)
            .send()
            .await
            .map_err(|_| Broken)
    }

    /// Lets it take effect; its answer is awaited in full, since only then it has.
    async fn effect(&self, parts: &http::request::Parts, body: Bytes) -> Result<(), Broken> {
        self.send(parts, body).await?.bytes().await.map_err(|_| Broken)?;
        Ok(())
    }

    async fn pass(
        &self,
        parts: &http::request::Parts,
        body: Bytes,
        watch: bool,
    ) -> Result<Response<Body>, Broken> {
        // Before it is sent, so that no end is missed.
        let ends = self.shared.watches.subscribe();
        let answered = self.send(parts, body).await?;
        let mut response = Response::builder().status(answered.status());
        for (name, value) in answered.headers() {
            if !is_of_the_connection(name) {
                response = response.header(name, value);
            }
        }
        let pieces = answered.bytes_stream().map(|piece| piece.map_err(|_| Broken));
        let body = if watch {
            streamed(until_ended(pieces, ends))
        } else {
            streamed(pieces)
        };
        response.body(body).map_err(|_| Broken)
    }
}

fn is_of_the_connection(name: &HeaderName) -> bool {
    [header::CONNECTION, header::TRANSFER_ENCODING].contains(name)
}

fn streamed(pieces: impl Stream<Item = Result<Bytes, Broken>> + Send + 'static) -> Body {
    StreamBody::new(pieces.map(|piece| piece.map(Frame::data))).boxed_unsync()
}

fn said(answer: Answer) -> Response<Body> {
    let mut response = Response::builder()
        .status(answer.code)
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(seconds) = answer.retry_after {
        response = response.header(header::RETRY_AFTER, seconds);
    }
    let body = Full::new(Bytes::from(answer.body)).map_err(|never| match never {});
    response.body(body.boxed_unsync()).expect("an answer")
}

type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, Broken>> + Send>>;
type Ends = tokio::sync::watch::Receiver<(u64, Option<WatchEnd>)>;

/// A watch's events, until it is ended.
fn until_ended(
    pieces: impl Stream<Item = Result<Bytes, Broken>> + Send + 'static,
    ends: Ends,
) -> impl Stream<Item = Result<Bytes, Broken>> + Send {
    let state: Option<(Pieces, Ends)> = Some((Box::pin(pieces), ends));
    stream::unfold(state, |state| async move {
        let (mut pieces, mut ends) = state?;
        let end = tokio::select! {
            biased;
            _ = ends.changed() => ends.borrow_and_update().1,
            piece = pieces.next() => return piece.map(|piece| (piece, Some((pieces, ends)))),
        };
        match end {
            None | Some(WatchEnd::Silent) => pending().await,
            Some(WatchEnd::Broken) => Some((Err(Broken), None)),
            Some(WatchEnd::Expired) => {
                let gone = serde_json::json!({"type": "ERROR", "object": {
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Expired",
                    "message": "too old resource version", "code": 410,
                }});
                Some((Ok(Bytes::from(format!("{gone}\n"))), None))
            }
        }
    })
}

/// Takes connections, for ever.
pub(super) async fn accept(listener: TcpListener, upstream: Upstream) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let upstream = upstream.clone();
        // Tasks of their own: what the API server is to do it does, whether the client still waits or not.
        let service = service_fn(move |request| {
            let upstream = upstream.clone();
            async move {
                tokio::spawn(upstream.answer(request))
                    .await
                    .unwrap_or(Err(Broken))
            }
        });
        tokio::spawn(async move {
            // Ended by either side, or on purpose.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
