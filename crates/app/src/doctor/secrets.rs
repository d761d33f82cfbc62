//! 7: credentials can be read by us, and they, and what Secrets hold, stand nowhere that anybody is shown.

use super::{Counted, Options};
use crate::{App, Before, Error, Tx, clusters};
use base64::Engine as _;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use slipway_domain::{
    component::bundle::Bundle,
    doctor::{
        Finding, Invariant, Report,
        needles::{Needles, is_telling},
    },
    ids::ClusterId,
    registry::{Connection, Credential},
};
use slipway_store::doctor::texts::TEXTS;
use std::collections::BTreeMap;

/// How to talk to each cluster whose credential could be read.
pub(super) type Connections = BTreeMap<ClusterId, Connection>;

const LEAKED: &str = "replace the secret first (a cluster's credential with `slipway cluster update`, a token by revoking it, a \
     Secret's value at its source and in a new version), then have the text removed from the row; and tell us, for Slipway \
     never writes one there unless somebody typed it";

/// Reads every cluster's credential: the key fits, and what it holds is to be found nowhere else.
pub(super) async fn credentials(
    tx: &mut Tx,
    app: &App,
    needles: &mut Needles,
    report: &mut Report,
) -> Result<Connections, Error> {
    let mut connections = Connections::new();
    let mut before: Before = None;
    loop {
        let page = slipway_store::clusters::list(tx, before, 500).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.id.uuid());
        for cluster in &page {
            report.examined(Invariant::Secret, "credentials", 1);
            match clusters::connection(tx, app, cluster.id).await {
                Ok(connection) => {
                    let origin = format!("the credential of cluster {}", cluster.name);
                    match &connection.credential {
                        Credential::Token(token) => needles.add(token.expose_secret(), &origin),
                        Credential::ClientCertificate { key, .. } => {
                            needles.add(key.expose_secret(), &origin);
                        }
                    }
                    connections.insert(cluster.id, connection);
                }
                Err(Error::Cluster(fault)) => report.add(Finding {
                    invariant: Invariant::Secret,
                    check: "credential_unreadable",
                    subject: format!("cluster {}", cluster.name),
                    found: fault.to_string(),
                    remedy: "configure the key it was encrypted with under `secrets.older_keys`, or give the credential again with \
                             `slipway cluster update`",
                }),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(connections)
}

/// What a bundle's Secrets hold, and the bundle does not say openly elsewhere. A value that cannot be told from a name or
/// a word is left out: it would be found everywhere.
pub(super) fn of_bundle(bundle: &Bundle, digest: &str, needles: &mut Needles) {
    let is_secret = |object: &Value| object["kind"] == "Secret" && object["apiVersion"] == "v1";
    if !bundle.objects.iter().any(is_secret) {
        return;
    }
    let open: Vec<String> = bundle
        .objects
        .iter()
        .filter(|object| !is_secret(object))
        .map(Value::to_string)
        .collect();
    let mut add = |value: &str, name: &str| {
        let value = value.trim();
        let quoted = Value::from(value).to_string();
        let inner = &quoted[1..quoted.len() - 1];
        if is_telling(value) && !open.iter().any(|text| text.contains(inner)) {
            needles.add(value, &format!("a value of Secret {name} in bundle {digest}"));
        }
    };
    for secret in bundle.objects.iter().filter(|object| is_secret(object)) {
        let name = secret["metadata"]["name"].as_str().unwrap_or_default();
        for (field, encoded) in [("stringData", false), ("data", true)] {
            let values = secret[field].as_object().into_iter().flat_map(|map| map.values());
            for value in values.filter_map(Value::as_str) {
                let plain = encoded
                    .then(|| {
                        base64::engine::general_purpose::STANDARD
                            .decode(value.trim())
                            .ok()
                    })
                    .flatten()
                    .and_then(|bytes| String::from_utf8(bytes).ok());
                add(plain.as_deref().unwrap_or(value), name);
            }
        }
    }
}

/// Adds a finding where a text holds a secret.
pub(super) fn look(needles: &Needles, text: &str, subject: impl FnOnce() -> String, report: &mut Report) {
    if let Some(origin) = needles.find(text) {
        let finding = Finding {
            invariant: Invariant::Secret,
            check: "secret_in_the_open",
            subject: subject(),
            found: format!("it holds {origin}"),
            remedy: LEAKED,
        };
        report.add(finding);
    }
}

/// Looks through every text but the record, which is read with the chain.
pub(super) async fn texts(
    tx: &mut Tx,
    options: &Options<'_>,
    needles: &Needles,
    report: &mut Report,
) -> Result<(), Error> {
    let mut counted = Counted::new("texts", options);
    for texts in TEXTS {
        texts
            .each(tx, |id, text| {
                counted.one();
                look(needles, text, || format!("{} {id}", texts.what), report);
            })
            .await?;
    }
    report.examined(Invariant::Secret, counted.what, counted.count);
    report.examined(
        Invariant::Secret,
        "secrets looked for, in all their forms",
        needles.len() as u64,
    );
    if needles.left_out() > 0 {
        report.not_examined(
            "secrets of bundles",
            format!(
                "there are too many: {} were looked for, {} were not",
                needles.len(),
                needles.left_out()
            ),
        );
    }
    Ok(())
}
