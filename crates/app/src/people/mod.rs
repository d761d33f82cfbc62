//! Who is asked for approval: groups, who decides in the place of whom, and who is away.

pub mod absences;
pub mod delegations;
pub mod groups;

use crate::{App, Error, Tx, identity::role_bindings, input};
use jiff::Timestamp;
use serde_json::{Value, json};
use slipway_domain::{
    Faults,
    identity::{Principal, PrincipalKind},
    ids::PrincipalId,
};
use slipway_store::principals;
use std::collections::BTreeMap;

/// A person, as users name them.
#[derive(Debug, Clone)]
pub struct Named {
    /// Who vouches for them; the only configured issuer when absent.
    pub issuer: Option<String>,
    /// What the issuer calls them.
    pub subject: String,
}

impl Named {
    /// Issuer and subject, or faults below the pointer.
    fn read(&self, app: &App, faults: &mut Faults, pointer: &str) -> Option<(String, &str)> {
        let issuer = role_bindings::issuer(app, self.issuer.as_deref(), &format!("{pointer}/issuer"), faults);
        let mut of_subject = Faults::new();
        input::line(&mut of_subject, "/subject", &self.subject, 255);
        let is_good = of_subject.is_empty();
        faults.nest(pointer, of_subject);
        issuer
            .filter(|_| is_good)
            .map(|issuer| (issuer, self.subject.as_str()))
    }
}

/// Somebody who has been here, or whom an admin has named; a fault at the pointer otherwise, also for a machine.
async fn known(
    tx: &mut Tx,
    app: &App,
    faults: &mut Faults,
    pointer: &str,
    named: &Named,
) -> Result<Option<Principal>, Error> {
    let Some((issuer, subject)) = named.read(app, faults, pointer) else {
        return Ok(None);
    };
    let found = principals::find(tx, &issuer, subject).await?;
    match &found {
        None => faults.add(
            pointer,
            format!(
                "nobody who has been here is called `{}`: they sign in once first",
                input::excerpt(subject)
            ),
        ),
        Some(found) if found.kind == PrincipalKind::Machine => {
            faults.add(pointer, "is a machine, and machines never approve");
        }
        Some(_) => {}
    }
    Ok(found.filter(|found| found.kind == PrincipalKind::Human))
}

/// Everybody with these ids.
async fn all(tx: &mut Tx, mut ids: Vec<PrincipalId>) -> Result<BTreeMap<PrincipalId, Principal>, Error> {
    ids.sort();
    ids.dedup();
    let people = principals::many(tx, &ids).await?;
    Ok(people.into_iter().map(|one| (one.id, one)).collect())
}

/// One of them.
fn one(people: &BTreeMap<PrincipalId, Principal>, id: PrincipalId) -> Result<Principal, Error> {
    let found = people.get(&id).cloned();
    found.ok_or_else(|| Error::internal(format!("the principal {id} is gone")))
}

/// Somebody as the record names them for ever.
fn described(principal: &Principal) -> Value {
    json!({"principal": principal.id, "issuer": principal.issuer, "subject": principal.subject})
}

/// A time as the database keeps it: to the microsecond, so that what is checked is what is stored.
fn kept(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// Refuses whoever is no person who signed in: nobody is spoken for by a machine or an API token.
fn require_person(actor: &slipway_domain::identity::Actor, what: &str) -> Result<(), Error> {
    if actor.is_person_signed_in() {
        return Ok(());
    }
    let detail = format!("{what} takes a person who signed in: never a machine or an API token");
    Err(Error::refused("not-a-person", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_checked_as_it_is_kept() {
        let at: Timestamp = "2026-03-01T09:00:00.123456789Z".parse().unwrap();
        assert_eq!(kept(at).to_string(), "2026-03-01T09:00:00.123456Z");
        assert_eq!(kept(kept(at)), kept(at));
    }
}
