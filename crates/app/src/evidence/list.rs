//! Reading what was stated.

use super::{
    About, EvidenceView,
    subject::{self, Found},
    view, views,
};
use crate::{Before, Error, Tx};
use slipway_domain::{
    Faults,
    evidence::{Kind, Statement},
    identity::Actor,
    ids::EvidenceId,
};
use slipway_store::evidence;

/// Filters of a list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only what was not followed by another of its kind and name.
    pub newest: bool,
}

/// A statement that the actor may see, and what it is about.
pub(super) async fn load(tx: &mut Tx, actor: &Actor, id: &str) -> Result<(Statement, Found), Error> {
    let missing = || Error::not_found("evidence", crate::input::excerpt(id));
    let id: EvidenceId = id.parse().map_err(|_| missing())?;
    let statement = evidence::get(tx, id).await?.ok_or_else(missing)?;
    let found = subject::of(tx, actor, statement.subject).await?;
    Ok((statement, found.ok_or_else(missing)?))
}

/// One statement.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn get(tx: &mut Tx, actor: &Actor, id: &str) -> Result<EvidenceView, Error> {
    let (statement, found) = load(tx, actor, id).await?;
    view(tx, &found.called, statement).await
}

/// The document of a statement, as it came.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn document(tx: &mut Tx, actor: &Actor, id: &str) -> Result<(Statement, Vec<u8>), Error> {
    let (statement, _) = load(tx, actor, id).await?;
    let bytes = evidence::document(tx, statement.payload).await?;
    let gone = || Error::internal(format!("the document {} is gone", statement.payload));
    let bytes = bytes.ok_or_else(gone)?;
    Ok((statement, bytes))
}

/// What was stated about something, newest first.
///
/// # Errors
/// When there is no such thing that the actor may see, or the filter names no kind of evidence.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    about: &About,
    filter: &Filter,
    before: Before,
    limit: i64,
) -> Result<Vec<EvidenceView>, Error> {
    let found = subject::find(tx, actor, about).await?;
    let mut faults = Faults::new();
    let kind = filter
        .kind
        .as_deref()
        .and_then(|kind| faults.take("/kind", kind.parse::<Kind>()));
    faults.check()?;
    let filter = evidence::Filter {
        kind,
        newest: filter.newest,
    };
    let all = evidence::list(tx, found.subject, filter, before, limit).await?;
    views(tx, &found.called, all).await
}
