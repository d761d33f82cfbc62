//! Absences: who is away is not waited for. People say it of themselves; whoever may read sees it.

use super::{all, described, groups, kept, one, require_person};
use crate::{Before, Error, Tx, record, teams};
use jiff::Timestamp;
use serde_json::json;
use slipway_domain::{
    approval::escalation::Away,
    identity::{Actor, Principal},
    ids::AbsenceId,
    registry::absence,
};
use slipway_store::{
    absences::{self, Absence},
    approvals,
};

/// An absence, as shown.
#[derive(Debug, Clone)]
pub struct AbsenceView {
    /// It.
    pub absence: Absence,
    /// Who is away.
    pub who: Principal,
    /// When it was read.
    pub read_at: Timestamp,
}

impl AbsenceView {
    /// Whether it is `to_come`, they are `away`, or it is `over`, as read.
    #[must_use]
    pub fn state(&self) -> &'static str {
        let away = &self.absence.away;
        if away.until <= self.read_at || away.until <= away.from {
            "over"
        } else if self.read_at < away.from {
            "to_come"
        } else {
            "away"
        }
    }
}

/// What a new absence is made of.
#[derive(Debug, Clone, Copy)]
pub struct Create {
    /// From when on; now when absent.
    pub starts: Option<Timestamp>,
    /// Until when.
    pub ends: Timestamp,
}

/// Filters of a list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of everybody in this group (name or id); only one's own when absent.
    pub group: Option<String>,
}

/// Says that one is away.
///
/// # Errors
/// Every fault of the input at once; `not-a-person` for machines and API tokens; when the actor may read nothing.
pub async fn create(tx: &mut Tx, actor: &Actor, input: Create) -> Result<AbsenceView, Error> {
    teams::require_reader(actor)?;
    require_person(actor, "saying that somebody is away")?;
    let away = Away {
        who: actor.principal.id,
        from: input.starts.map_or(tx.now, kept),
        until: kept(input.ends),
    };
    absence::faults(&away, tx.now).check()?;
    let id = absences::insert(tx, &away).await?;
    // Who is asked instead is asked at once.
    approvals::look_again(tx).await?;
    let view = load(tx, id).await?;
    let message = format!("is away from {} until {}", away.from, away.until);
    record::change(tx, actor, told("absence.create", message, &view)).await?;
    Ok(view)
}

fn told(action: &'static str, message: String, view: &AbsenceView) -> record::Change {
    let away = &view.absence.away;
    record::Change::new(action, view.absence.id.to_string(), message).with(json!({
        "who": described(&view.who), "starts": away.from, "ends": away.until,
    }))
}

async fn load(tx: &mut Tx, id: AbsenceId) -> Result<AbsenceView, Error> {
    let missing = || Error::not_found("absence", id);
    let absence = absences::get(tx, id).await?.ok_or_else(missing)?;
    let people = all(tx, vec![absence.away.who]).await?;
    Ok(AbsenceView {
        who: one(&people, absence.away.who)?,
        absence,
        read_at: tx.now,
    })
}

/// One absence. Seen by whoever may read anything: they have to know whom not to wait for.
///
/// # Errors
/// When there is none.
pub async fn get(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<AbsenceView, Error> {
    teams::require_reader(actor)?;
    let missing = || Error::not_found("absence", reference);
    let id: AbsenceId = reference.parse().map_err(|_| missing())?;
    match load(tx, id).await {
        Err(Error::NotFound { .. }) => Err(missing()),
        view => view,
    }
}

/// One's own absences, or those of everybody in a group, newest first.
///
/// # Errors
/// When there is no such group, or the actor may read nothing.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    filter: &Filter,
    before: Before,
    limit: i64,
) -> Result<Vec<AbsenceView>, Error> {
    teams::require_reader(actor)?;
    let of = match &filter.group {
        None => vec![actor.principal.id],
        Some(group) => groups::members_named(tx, group).await?,
    };
    let found = absences::list(tx, Some(&of), before, limit).await?;
    let people = all(tx, found.iter().map(|absence| absence.away.who).collect()).await?;
    let shown = found.into_iter().map(|absence| {
        Ok(AbsenceView {
            who: one(&people, absence.away.who)?,
            absence,
            read_at: tx.now,
        })
    });
    shown.collect()
}

/// Ends one's own absence now; one that is to come never was. When it is over already, nothing changes.
///
/// # Errors
/// When there is none; `refused` for somebody else's; when the actor may read nothing.
pub async fn end(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<AbsenceView, Error> {
    let view = get(tx, actor, reference).await?;
    if view.who.id != actor.principal.id {
        let detail = format!("{} says themselves when they are back", view.who.subject);
        return Err(Error::refused("refused", detail));
    }
    let (id, now) = (view.absence.id, tx.now);
    match absences::end(tx, id, now).await {
        // It is over, or somebody else has ended it meanwhile.
        Err(slipway_store::Error::Guard { .. }) => return load(tx, id).await,
        done => done?,
    }
    let view = load(tx, id).await?;
    record::change(tx, actor, told("absence.end", "is back".to_owned(), &view)).await?;
    Ok(view)
}
