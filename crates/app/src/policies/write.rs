//! Writing policies, putting them in force, and taking them out of it.

use super::{PolicyView, view};
use crate::{Error, Ref, Tx, approvals, record};
use serde_json::json;
use slipway_domain::{
    Digest, Faults, Name,
    identity::{Actor, Permission, Place},
    ids::PolicyTag,
    policy::{Document, Effect, Head, Policy, Version, document::MAX_RULES, version::NotActivated},
};
use slipway_store::policies;

/// Who decides what is asked of deployments.
pub(crate) fn require_author(actor: &Actor) -> Result<(), Error> {
    Ok(actor.require(Permission::PolicyWrite, &Place::everywhere())?)
}

async fn locked(tx: &mut Tx, reference: &str) -> Result<Head, Error> {
    policies::find_for_update(tx, &Ref::parse::<PolicyTag>(reference))
        .await?
        .ok_or_else(|| Error::not_found("policy", reference))
}

/// Checks what somebody wrote; every fault at once, at pointers below `/document`.
fn check(name: &Name, document: &Document, faults: &mut Faults) {
    // What could not be read is left out of the document: its places are no longer those of the input.
    if !faults.is_empty() {
        return;
    }
    if let Err(inner) = Policy::new(name.clone(), 1, document.clone()) {
        faults.nest("/document", inner);
    }
}

/// Groups that its rules ask must be there.
async fn known_groups(tx: &mut Tx, document: &Document, faults: &mut Faults) -> Result<(), Error> {
    for (i, rule) in document.rules.iter().enumerate().take(MAX_RULES) {
        if let Effect::RequireApproval(asked) = &rule.effect {
            let at = format!("/document/rules/{i}/effect/require_approval");
            approvals::known_groups(tx, &at, asked, faults).await?;
        }
    }
    if let Some(clause) = &document.break_glass {
        approvals::known_groups(tx, "/document/break_glass/approval", &clause.approval, faults).await?;
    }
    Ok(())
}

/// Writes a new policy: its first version is a draft. `faults` are those that were found when the document was read.
///
/// # Errors
/// Every fault of the input at once; `exists` when the name is taken; without `policy.write` on everything.
pub async fn create(
    tx: &mut Tx,
    actor: &Actor,
    name: &str,
    document: Document,
    mut faults: Faults,
) -> Result<PolicyView, Error> {
    require_author(actor)?;
    let name = faults.take("/name", name.parse::<Name>());
    // A name that is none must not hide what else is wrong.
    let unnamed = || "policy".parse::<Name>().map_err(Error::internal);
    check(&name.clone().map_or_else(unnamed, Ok)?, &document, &mut faults);
    known_groups(tx, &document, &mut faults).await?;
    faults.check()?;
    let Some(name) = name else {
        return Err(Error::internal("a name without fault is missing"));
    };
    let digest = Digest::of_canonical(&document)?;
    let inserted = policies::insert(tx, &name, &document, digest, actor.principal.id).await;
    inserted.map_err(|error| {
        if error.is_duplicate("policies_name_key") {
            Error::conflict("exists", format!("there is a policy `{name}` already"))
        } else {
            error.into()
        }
    })?;
    let change = record::Change::new("policy.create", name.as_str(), format!("wrote the policy {name}"))
        .with(json!({"version": 1, "digest": digest}));
    record::change(tx, actor, change).await?;
    let head = locked(tx, name.as_str()).await?;
    view(tx, head).await
}

/// Writes a further version of a policy: a draft, whatever is in force. `faults` as in [`create`].
///
/// # Errors
/// When there is none; every fault of the input at once; without `policy.write` on
/// everything.
pub async fn write_version(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    document: Document,
    mut faults: Faults,
) -> Result<Version, Error> {
    require_author(actor)?;
    let head = locked(tx, reference).await?;
    check(&head.name, &document, &mut faults);
    known_groups(tx, &document, &mut faults).await?;
    faults.check()?;
    let digest = Digest::of_canonical(&document)?;
    let number = policies::insert_version(tx, &head, &document, digest, actor.principal.id).await?;
    let message = format!("wrote version {number} of the policy {}", head.name);
    let change = record::Change::new("policy.write", head.name.as_str(), message)
        .with(json!({"version": number, "digest": digest}));
    record::change(tx, actor, change).await?;
    policies::get_version(tx, head.id, number)
        .await?
        .ok_or_else(|| Error::internal("a version is gone right after it was written"))
}

/// Puts a draft in force, in the place of what was. Whatever waits is judged by it at once.
///
/// # Errors
/// When there is none; when the draft fails its own examples; when the actor wrote it, is
/// a machine or lacks `policy.write` on everything; when it was in force before.
pub async fn activate(tx: &mut Tx, actor: &Actor, reference: &str, number: i64) -> Result<PolicyView, Error> {
    require_author(actor)?;
    if !actor.is_person_signed_in() {
        return Err(Error::refused(
            "not-a-person",
            "a policy is put in force by a person who signed in, not by a machine or an API token",
        ));
    }
    let head = locked(tx, reference).await?;
    let version = policies::get_version(tx, head.id, number)
        .await?
        .ok_or_else(|| Error::not_found("version of this policy", number))?;
    version
        .may_be_activated(actor.principal.id)
        .map_err(|refused| match refused {
            NotActivated::Author => Error::refused("separation-of-duties", refused),
            NotActivated::State { .. } => Error::conflict("policy-state", refused),
        })?;
    let policy = Policy::new(head.name.clone(), number, version.document.clone()).map_err(|faults| {
        Error::conflict(
            "policy-invalid",
            format!("it cannot be judged any more: {faults}"),
        )
    })?;
    let failed = policy.failed_examples();
    if !failed.is_empty() {
        let mut faults = Faults::new();
        for example in failed {
            let i = version
                .document
                .examples
                .iter()
                .position(|known| known.name == example.name);
            let why: Vec<_> = example
                .judgement
                .rules
                .iter()
                .filter_map(|rule| Some(format!("{}: {}", rule.rule, rule.message.as_ref()?)))
                .collect();
            let why = if why.is_empty() {
                String::new()
            } else {
                format!(" ({})", why.join("; "))
            };
            faults.add(
                i.map_or_else(String::new, |i| format!("/document/examples/{i}")),
                format!(
                    "`{}` expects {}, and the policy says {}{why}",
                    example.name, example.expected, example.verdict
                ),
            );
        }
        return Err(faults.into());
    }
    policies::activate(tx, &head, number, actor.principal.id).await?;
    let message = format!("put version {number} of the policy {} in force", head.name);
    let change = record::Change::new("policy.activate", head.name.as_str(), message)
        .with(json!({"version": number, "digest": version.digest, "instead_of": head.in_force}));
    record::change(tx, actor, change).await?;
    let head = locked(tx, reference).await?;
    view(tx, head).await
}

/// Takes a policy out of force. Whatever waits is judged without it at once.
///
/// # Errors
/// When there is none, or it is not in force; without a reason; for whom [`activate`] is
/// refused for what they are.
pub async fn retire(tx: &mut Tx, actor: &Actor, reference: &str, reason: &str) -> Result<PolicyView, Error> {
    require_author(actor)?;
    if !actor.is_person_signed_in() {
        return Err(Error::refused(
            "not-a-person",
            "a policy is taken out of force by a person who signed in, not by a machine or an API token",
        ));
    }
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > 500 {
        return Err(Error::invalid("/reason", "has 1 to 500 characters"));
    }
    let head = locked(tx, reference).await?;
    let Some(number) = head.in_force else {
        return Err(Error::conflict(
            "policy-state",
            format!("the policy {} is not in force", head.name),
        ));
    };
    policies::retire(tx, &head, actor.principal.id).await?;
    let message = format!("took the policy {} out of force: {reason}", head.name);
    let change = record::Change::new("policy.retire", head.name.as_str(), message)
        .with(json!({"version": number, "reason": reason}));
    record::change(tx, actor, change).await?;
    let head = locked(tx, reference).await?;
    view(tx, head).await
}
