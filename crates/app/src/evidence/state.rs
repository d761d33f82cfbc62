//! Stating: a document is read, verified, bound to a digest and kept.

use super::{
    About, EvidenceView,
    subject::{self, Found},
    told, view,
};
use crate::{Error, Ref, Tx, input, processes, record};
use serde_json::json;
use slipway_domain::{
    Digest, Faults, Name,
    evidence::{Format, Keys, Kind, MAX_PAYLOAD, Normal, Reading, Schema, Statement, Subject, read},
    identity::{Actor, Permission},
    ids::{EvidenceId, EvidenceSchemaTag, Fresh as _},
};
use slipway_store::{self as store, evidence, evidence_keys, evidence_schemas};

/// What is stated.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// What kind of evidence it is.
    pub kind: String,
    /// What it is called among its kind; when absent, after its tool or its format. Generic evidence is called as its schema.
    pub name: Option<String>,
    /// How it is written; when absent, that is told from its content.
    pub format: Option<String>,
    /// The document, as the tool wrote it.
    pub document: String,
}

/// States something: in the place of the last statement about this of the same kind and name. What waits to bring it
/// somewhere is looked at again; when something is wrong, whoever watches what carries it is told.
///
/// # Errors
/// Every fault of the document at once, in `/document`: that it is about something else, and that its signatures cannot be
/// verified, among them. `release-state` when it is about a release that is not sealed; `not-a-person` when a machine states
/// what a person is to have looked at; without `evidence.write` on what it is about, or, for a check of the release's process,
/// without the role that ticks it.
pub async fn state(tx: &mut Tx, actor: &Actor, about: &About, input: State) -> Result<EvidenceView, Error> {
    let found = subject::find(tx, actor, about).await?;
    may_state(tx, actor, &found, &input).await?;
    let mut faults = Faults::new();
    let kind = faults.take("/kind", input.kind.parse::<Kind>());
    let name = input
        .name
        .as_deref()
        .and_then(|name| faults.take("/name", name.parse::<Name>()));
    let format = input
        .format
        .as_deref()
        .and_then(|format| faults.take("/format", format.parse::<Format>()));
    if input.document.len() > MAX_PAYLOAD {
        faults.add("/document", format!("is more than {MAX_PAYLOAD} bytes"));
    }
    let schema = match kind {
        Some(Kind::Generic) => schema(tx, input.name.is_some(), name.as_ref(), &mut faults).await?,
        _ => None,
    };
    faults.check()?;
    let Some(kind) = kind else {
        return Err(Error::internal("a kind without fault is missing"));
    };
    if kind == Kind::ManualCheck && !actor.is_person_signed_in() {
        return Err(Error::refused(
            "not-a-person",
            "a manual check is stated by a person who signed in, not by a machine or an API token",
        ));
    }
    let digest = found.digest()?;
    let bound_to = found.digests(tx).await?;
    let keys = evidence_keys::trusted(tx).await?;
    let reading = Owned {
        kind,
        name,
        format,
        keys,
        bound_to,
        schema,
    };
    let (normal, document, kept) = read_off(reading, input.document).await?;
    evidence::put_document(tx, kept, document.as_bytes()).await?;
    let statement = Statement {
        id: EvidenceId::fresh(),
        subject: found.subject,
        digest,
        normal,
        payload: kept,
        stated_by: actor.principal.id,
        stated_at: tx.now,
        withdrawn: None,
        superseded_by: None,
    };
    let before = evidence::insert(tx, &statement).await?;
    let normal = &statement.normal;
    let how = if normal.passed { "passed" } else { "did not pass" };
    let message = format!(
        "stated the {} {} of {}: it {how}",
        normal.kind.words(),
        normal.name,
        found.called
    );
    let mut change = record::Change::new("evidence.state", found.called.clone(), message)
        .team(found.team)
        .with(json!({
            "evidence": statement.id, "kind": normal.kind, "name": normal.name, "passed": normal.passed,
            "counts": normal.counts, "digest": digest, "document": kept, "verified_by": statement.verified_by(),
            "supersedes": before,
        }));
    change.service = found.service;
    record::change(tx, actor, change).await?;
    evidence::look_again(tx, &[found.subject]).await?;
    if !statement.normal.passed {
        told::not_promotable(tx, &[found.subject]).await?;
    }
    view(tx, &found.called, statement).await
}

/// A check of the release's process is ticked by whoever holds its role, and by nobody else; anything else takes
/// `evidence.write`. Operations accept a release by a check, too: somebody who did not deploy it.
async fn may_state(tx: &mut Tx, actor: &Actor, found: &Found, input: &State) -> Result<(), Error> {
    let check = match (found.subject, &input.name) {
        (Subject::Release(release), Some(name)) if input.kind == Kind::ManualCheck.as_str() => {
            processes::check(tx, release, name)
                .await?
                .map(|role| (release, role))
        }
        _ => None,
    };
    let Some((release, role)) = check else {
        return Ok(actor.require(Permission::EvidenceWrite, &found.place)?);
    };
    let name = input.name.as_deref().unwrap_or_default();
    if !actor.rights.has_role(role, &found.place) {
        let detail = format!(
            "the process of {} has the check `{name}` ticked by the role {role}, which you do not hold there",
            found.called
        );
        return Err(Error::refused("refused", detail));
    }
    if name == processes::HANDOVER && store::processes::deployed_by(tx, release, actor.principal.id).await? {
        let detail = format!("you deployed {}: somebody else has to accept it", found.called);
        return Err(Error::refused("separation-of-duties", detail));
    }
    Ok(())
}

/// The schema of generic evidence, which is the one of its name: whoever states it cannot choose an easier one.
async fn schema(
    tx: &mut Tx,
    is_named: bool,
    name: Option<&Name>,
    faults: &mut Faults,
) -> Result<Option<Schema>, Error> {
    let Some(name) = name else {
        if !is_named {
            faults.add(
                "/name",
                "is needed: generic evidence is called as the schema that it conforms to",
            );
        }
        return Ok(None);
    };
    let registered = evidence_schemas::find(tx, &Ref::parse::<EvidenceSchemaTag>(name.as_str())).await?;
    let Some(registered) = registered else {
        faults.add("/name", format!("no schema is registered as `{name}`"));
        return Ok(None);
    };
    let text = serde_json::to_vec(&registered.schema)?;
    let schema = Schema::read(&text).map_err(|wrong| {
        Error::internal(format!("the registered schema `{name}` cannot be read: {wrong}"))
    })?;
    Ok(Some(schema))
}

/// What a document is read with.
struct Owned {
    kind: Kind,
    name: Option<Name>,
    format: Option<Format>,
    keys: Vec<(Name, String)>,
    bound_to: Vec<Digest>,
    schema: Option<Schema>,
}

/// Reading megabytes takes its time, and must not hold up others on this thread.
async fn read_off(with: Owned, document: String) -> Result<(Normal, String, Digest), Error> {
    let done = tokio::task::spawn_blocking(move || {
        let pem = with.keys.iter().map(|(name, pem)| (name.clone(), pem.as_str()));
        let keys = Keys::read(pem)
            .map_err(|wrong| Error::internal(format!("the registered keys cannot be read: {wrong}")))?;
        let reading = Reading {
            kind: with.kind,
            name: with.name.as_ref(),
            format: with.format,
            keys: &keys,
            bound_to: &with.bound_to,
            schema: with.schema.as_ref(),
        };
        let normal = read(document.as_bytes(), &reading).map_err(|wrong| {
            let mut faults = Faults::new();
            faults.nest("/document", wrong);
            Error::Invalid(faults)
        })?;
        let digest = Digest::of_bytes(document.as_bytes());
        Ok((normal, document, digest))
    });
    done.await.map_err(Error::internal)?
}

/// A reason, as people are to read it.
pub(super) fn reason(text: &str) -> Result<String, Error> {
    let mut faults = Faults::new();
    let text = text.trim();
    if text.is_empty() {
        faults.add("/reason", "is empty; whoever relies on it will want to know");
    }
    input::lines(&mut faults, "/reason", text, input::LONG);
    faults.check()?;
    Ok(text.to_owned())
}
