//! Who am I, and what may I do?

use crate::{Error, Tx};
use jiff::Timestamp;
use slipway_domain::{
    Name,
    identity::{Actor, Permission, Principal, Proof, Role, Scope, Source},
};
use slipway_store::{environments, teams};

/// Who sent a request, and what they may do.
#[derive(Debug, Clone)]
pub struct MeView {
    /// The principal.
    pub principal: Principal,
    /// How that is known.
    pub proof: Proof,
    /// When the proof ends.
    pub until: Option<Timestamp>,
    /// The roles held, and on what.
    pub roles: Vec<HeldRole>,
}

/// A role, and where it is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRole {
    /// The role.
    pub role: Role,
    /// Where.
    pub scope: Scope,
    /// Name of the team it is limited to.
    pub team: Option<Name>,
    /// Name of the environment it is limited to.
    pub environment: Option<Name>,
    /// What it allows; with an API token, never approving.
    pub permissions: Vec<Permission>,
    /// What gives it.
    pub source: Source,
}

/// Who am I, and what may I do? Everybody who is known may ask.
///
/// # Errors
/// When the database is unavailable.
pub async fn me(tx: &mut Tx, actor: &Actor) -> Result<MeView, Error> {
    let mut roles = Vec::with_capacity(actor.rights.grants().len());
    for (grant, source) in actor.rights.held() {
        let (mut team, mut environment) = (None, None);
        match grant.scope {
            Scope::Everything => {}
            Scope::Team(id) => team = teams::get(tx, id).await?.map(|team| team.name),
            Scope::Environment(id) => environment = environments::get(tx, id).await?.map(|found| found.name),
        }
        let permissions = grant.role.permissions().to_vec();
        roles.push(HeldRole {
            role: grant.role,
            scope: grant.scope,
            team,
            environment,
            permissions,
            source: source.clone(),
        });
    }
    roles.sort_by(|a, b| (a.role, &a.team, &a.environment).cmp(&(b.role, &b.team, &b.environment)));
    Ok(MeView {
        principal: Principal::clone(&actor.principal),
        proof: actor.proof.clone(),
        until: actor.until(),
        roles,
    })
}
