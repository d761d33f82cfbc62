//! Keys that signatures are verified with: registered and revoked by authorities, seen by whoever may read anything.

use super::{state::reason, told};
use crate::{Before, Error, Ref, Tx, policies::require_author, record, teams::require_reader};
use serde_json::json;
use slipway_domain::{
    Faults, Name,
    evidence::{Keys, MAX_KEYS, RegisteredKey},
    identity::Actor,
    ids::{EvidenceKeyTag, PrincipalId},
};
use slipway_store::{evidence, evidence_keys, principals};
use std::collections::BTreeMap;

/// A key, as shown.
#[derive(Debug, Clone)]
pub struct KeyView {
    /// The key.
    pub key: RegisteredKey,
    /// Who the ids in it are.
    pub people: BTreeMap<PrincipalId, String>,
}

impl KeyView {
    /// What somebody is called.
    #[must_use]
    pub fn name(&self, id: PrincipalId) -> String {
        self.people.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// Counts its changes: it can be revoked, once.
    #[must_use]
    pub const fn revision(&self) -> i64 {
        if self.key.revoked.is_some() { 2 } else { 1 }
    }
}

async fn views(tx: &mut Tx, all: Vec<RegisteredKey>) -> Result<Vec<KeyView>, Error> {
    let mut ids: Vec<PrincipalId> = all.iter().map(|key| key.created_by).collect();
    ids.extend(
        all.iter()
            .filter_map(|key| key.revoked.as_ref())
            .map(|revoked| revoked.by),
    );
    ids.sort();
    ids.dedup();
    let people = principals::names(tx, &ids).await?;
    let view = |key| KeyView {
        key,
        people: people.clone(),
    };
    Ok(all.into_iter().map(view).collect())
}

async fn load(tx: &mut Tx, reference: &str) -> Result<RegisteredKey, Error> {
    evidence_keys::find(tx, &Ref::parse::<EvidenceKeyTag>(reference))
        .await?
        .ok_or_else(|| Error::not_found("key for evidence", crate::input::excerpt(reference)))
}

/// Who decides what is trusted is a person.
fn require_person(actor: &Actor) -> Result<(), Error> {
    if actor.is_person_signed_in() {
        return Ok(());
    }
    Err(Error::refused(
        "not-a-person",
        "what evidence is verified with is decided by a person who signed in, not by a machine or an API token",
    ))
}

/// Registers a public key: what is signed with it from now on is verified.
///
/// # Errors
/// Every fault of the input at once; `exists` when the name is or was taken; `not-a-person`; without `policy.write` on
/// everything.
pub async fn register_key(tx: &mut Tx, actor: &Actor, name: &str, pem: &str) -> Result<KeyView, Error> {
    require_author(actor)?;
    require_person(actor)?;
    let mut faults = Faults::new();
    let name = faults.take("/name", name.parse::<Name>());
    let trusted = evidence_keys::trusted(tx).await?;
    if trusted.len() >= MAX_KEYS {
        faults.add(
            "",
            format!("there are {MAX_KEYS} keys already: revoke one that is not used"),
        );
    }
    // Beside those there are: the same key under two names would not say who signed.
    let probe: Name = "the-key-to-be".parse().map_err(Error::internal)?;
    let others = trusted.iter().map(|(name, pem)| (name.clone(), pem.as_str()));
    if let Err(wrong) = Keys::read(others.take(MAX_KEYS - 1).chain([(probe, pem)])) {
        for fault in wrong.as_slice() {
            faults.add("/pem", fault.detail.clone());
        }
    }
    faults.check()?;
    let Some(name) = name else {
        return Err(Error::internal("a name without fault is missing"));
    };
    evidence_keys::insert(tx, &name, pem, actor.principal.id)
        .await
        .map_err(|error| {
            if error.is_duplicate("evidence_keys_name_key") {
                Error::conflict("exists", format!("there is a key `{name}` already, or there was"))
            } else {
                error.into()
            }
        })?;
    let message = format!("registered the key {name} for evidence");
    let change =
        record::Change::new("evidence_key.register", name.as_str(), message).with(json!({"pem": pem}));
    record::change(tx, actor, change).await?;
    get_key(tx, actor, name.as_str()).await
}

/// Revokes a key: what was verified with it does not count any more, and what waits is looked at again.
///
/// # Errors
/// When there is none; `evidence-state` when it is revoked already; a fault of the reason; `not-a-person`; without
/// `policy.write` on everything.
pub async fn revoke_key(tx: &mut Tx, actor: &Actor, reference: &str, why: &str) -> Result<KeyView, Error> {
    require_author(actor)?;
    require_person(actor)?;
    let key = load(tx, reference).await?;
    let why = reason(why)?;
    evidence_keys::revoke(tx, key.id, actor.principal.id, &why)
        .await
        .map_err(|error| match error {
            slipway_store::Error::Guard { .. } => Error::conflict(
                "evidence-state",
                format!("the key {} is revoked already", key.name),
            ),
            other => other.into(),
        })?;
    let about = evidence::verified_with(tx, key.name.as_str()).await?;
    let message = format!("revoked the key {} for evidence: {why}", key.name);
    let change = record::Change::new("evidence_key.revoke", key.name.as_str(), message)
        .with(json!({"reason": why, "statements_about": about.len()}));
    record::change(tx, actor, change).await?;
    evidence::look_again(tx, &about).await?;
    told::not_promotable(tx, &about).await?;
    get_key(tx, actor, key.name.as_str()).await
}

/// One key, by id or name.
///
/// # Errors
/// When there is none, or the actor may read nothing.
pub async fn get_key(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<KeyView, Error> {
    require_reader(actor)?;
    let key = load(tx, reference).await?;
    let one = views(tx, vec![key]).await?.pop();
    one.ok_or_else(|| Error::internal("one key has one view"))
}

/// Keys, newest first.
///
/// # Errors
/// When the actor may read nothing.
pub async fn list_keys(
    tx: &mut Tx,
    actor: &Actor,
    before: Before,
    limit: i64,
) -> Result<Vec<KeyView>, Error> {
    require_reader(actor)?;
    let page = evidence_keys::list(tx, before, limit).await?;
    views(tx, page).await
}
