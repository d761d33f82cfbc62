//! Somebody who does not give up: asks another server when one does not answer, under the same key, until there is an answer.

use reqwest::Method;
use serde_json::Value;
use slipway_testkit::live::{Person, Reply};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// How long somebody asks for one thing before that counts as a failure.
const PATIENCE: Duration = Duration::from_secs(100);

/// How people reach the servers.
pub(crate) struct Caller {
    apis: Vec<String>,
    turn: AtomicUsize,
    /// Requests that had to be sent again.
    pub(crate) again: AtomicUsize,
}

impl Caller {
    pub(crate) const fn new(apis: Vec<String>) -> Self {
        Self {
            apis,
            turn: AtomicUsize::new(0),
            again: AtomicUsize::new(0),
        }
    }

    /// `GET`.
    pub(crate) async fn get(&self, who: &Person, path: &str) -> Reply {
        self.insist(who, Method::GET, path, None, "").await
    }

    /// `POST`: once, however often it is sent.
    pub(crate) async fn post(&self, who: &Person, path: &str, body: Option<Value>) -> Reply {
        let key = uuid::Uuid::now_v7().to_string();
        self.post_as(who, path, body, &key).await
    }

    /// `POST` under this key.
    pub(crate) async fn post_as(&self, who: &Person, path: &str, body: Option<Value>, key: &str) -> Reply {
        self.insist(who, Method::POST, path, body, key).await
    }

    async fn insist(
        &self,
        who: &Person,
        method: Method,
        path: &str,
        body: Option<Value>,
        key: &str,
    ) -> Reply {
        let began = Instant::now();
        let mut last = String::new();
        while began.elapsed() < PATIENCE {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let person = who.at(&self.apis[turn % self.apis.len()]);
            let mut request = person
                .request(method.clone(), path)
                .timeout(Duration::from_secs(6));
            if let Some(body) = &body {
                request = request.json(body);
            }
            if !key.is_empty() {
                request = request.header("idempotency-key", key);
            }
            match person.try_send(request).await {
                // What is said to be tried again is; everything else is an answer.
                Ok(reply) if reply.status.is_server_error() || reply.status.as_u16() == 429 => {
                    assert!(
                        reply.status.as_u16() != 500,
                        "an internal fault: {method} {path}: {:#}",
                        reply.body
                    );
                    last = format!("{}: {}", reply.status, reply.body);
                }
                Ok(reply) => return reply,
                Err(error) => last = format!("{error:?}"),
            }
            self.again.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("no server answers {method} {path} within {PATIENCE:?}: {last}");
    }
}
