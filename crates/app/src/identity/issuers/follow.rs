//! Fetching issuers' keys, in the background, for as long as the server runs. One fetch an issuer at a time.

use super::{Issuer, published, remote::Remote};
use crate::App;
use futures::future::join_all;
use metrics::{counter, gauge};
use slipway_domain::ports::IssuerDocuments;
use slipway_telemetry::catalogue as names;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Keeps the keys of all issuers that publish them, until told to stop.
pub async fn follow(app: App, documents: Arc<dyn IssuerDocuments>, stop: CancellationToken) {
    let issuers = app.authenticator().issuers().to_vec();
    let all = join_all(issuers.iter().map(|issuer| one(&app, issuer, documents.as_ref())));
    tokio::select! {
        _ = all => {}
        () = stop.cancelled() => {}
    }
}

async fn one(app: &App, issuer: &Issuer, documents: &dyn IssuerDocuments) {
    let Some(remote) = issuer.remote() else { return };
    loop {
        fetch(app, issuer, remote, documents).await;
        tokio::select! {
            () = tokio::time::sleep(remote.pause(chance())) => {}
            () = remote.wanted() => {}
        }
    }
}

async fn fetch(app: &App, issuer: &Issuer, remote: &Remote, documents: &dyn IssuerDocuments) {
    let name = &issuer.config.issuer;
    // Before it is asked: keys are as old as the question.
    let at = Instant::now();
    let fetched = published::fetch(documents, &remote.place, &issuer.config).await;
    let (outcome, stale) = match &fetched {
        Ok(_) => ("fetched", 0.0),
        Err(_) => ("failed", 1.0),
    };
    counter!(names::ISSUER_FETCHES, "issuer" => name.clone(), "outcome" => outcome).increment(1);
    gauge!(names::ISSUER_KEYS_STALE, "issuer" => name.clone()).set(stale);
    match fetched {
        Ok(keys) => {
            let changed = remote.keep(keys, at);
            if changed.keys == 0 {
                tracing::error!(
                    issuer = name,
                    "the issuer publishes no key that is of use: none of its tokens is accepted"
                );
            }
            if changed.removed {
                tracing::info!(
                    issuer = name,
                    "the issuer removed a key; what it signed holds no more"
                );
                // Whoever was let in by it is asked again at once, open streams too.
                app.database().changes().heard_of_identity();
            }
        }
        Err(why) => {
            tracing::warn!(
                issuer = name,
                why,
                "the issuer's keys cannot be fetched; those from before stay until they are too old"
            );
            remote.fail(why);
        }
    }
}

/// Between 0 and 1. Without randomness all servers have one beat, and nothing else is wrong.
fn chance() -> f64 {
    let mut bytes = [0_u8; 4];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        return 0.5;
    }
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}
