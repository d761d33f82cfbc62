//! Granting roles and taking them away.

use super::principals;
use crate::{App, Before, Error, Ref, Tx, input, record, teams};
use serde_json::json;
use slipway_domain::{
    Faults,
    identity::{Actor, Grant, Permission, Place, PrincipalKind, Role, Scope},
    ids::{EnvironmentTag, RoleBindingId},
};
use slipway_store::{environments, role_bindings};

pub use slipway_store::role_bindings::{Filter, RoleBinding as RoleBindingView};

/// Held while grants are changed, so that two admins cannot take each other's away at once.
const LOCK: &str = "slipway:role-bindings";

/// What to grant, to whom.
#[derive(Debug, Clone, Default)]
pub struct Create {
    /// Issuer of the principal; the only configured one when absent.
    pub issuer: Option<String>,
    /// What the issuer calls it; it need not have been seen yet.
    pub subject: String,
    /// `human` (default) or `machine`, for one that has not been seen yet.
    pub kind: Option<String>,
    /// Which role.
    pub role: String,
    /// Only on what this team owns (name or id).
    pub team: Option<String>,
    /// Only in this environment (name or id).
    pub environment: Option<String>,
}

/// Grants a role.
///
/// # Errors
/// Every fault of the input at once; `self-grant` for `authority` to oneself; `exists` when it is held already;
/// without `identity.manage` on everything.
pub async fn create(tx: &mut Tx, app: &App, actor: &Actor, input: Create) -> Result<RoleBindingView, Error> {
    actor.require(Permission::IdentityManage, &Place::everywhere())?;
    let mut faults = Faults::new();
    let issuer = issuer(app, input.issuer.as_deref(), "/principal/issuer", &mut faults);
    input::line(&mut faults, "/principal/subject", &input.subject, 255);
    let kind = match input.kind.as_deref() {
        None | Some("human") => PrincipalKind::Human,
        Some("machine") => PrincipalKind::Machine,
        Some(_) => {
            faults.add("/principal/kind", "is `human` or `machine`");
            PrincipalKind::Human
        }
    };
    let role = faults.take("/role", input.role.parse::<Role>());
    let scope = scope(tx, &input, &mut faults).await?;
    faults.check()?;
    let (Some(issuer), Some(role), Some(scope)) = (issuer, role, scope) else {
        return Err(Error::internal("a field without fault is missing"));
    };
    let is_self = actor.principal.issuer == issuer && actor.principal.subject == input.subject;
    if is_self && role == Role::Authority {
        let detail = "nobody grants `authority` to themselves; another admin must do it";
        return Err(Error::refused("self-grant", detail));
    }
    tx.lock(LOCK).await?;
    let principal = principals::ensure(tx, &issuer, &input.subject, kind, &input.subject).await?;
    if principal.kind == PrincipalKind::Machine && role == Role::Authority {
        return Err(Error::invalid(
            "/role",
            "machines can never approve; `authority` is for people",
        ));
    }
    let id = role_bindings::insert(tx, principal.id, Grant { role, scope })
        .await
        .map_err(|error| {
            if error.is_duplicate("role_bindings_once") {
                Error::conflict(
                    "exists",
                    format!("{} holds the role {role} there already", principal.subject),
                )
            } else {
                error.into()
            }
        })?;
    let binding = load(tx, id).await?;
    let change = described(
        "role_binding.create",
        &format!("granted {}", phrase(&binding, "to")),
        &binding,
    );
    record::change(tx, actor, change).await?;
    Ok(binding)
}

/// Takes a role away; with the next request it is gone, at other servers within a second.
///
/// # Errors
/// When there is no such binding; for the last admin of everything; without `identity.manage` on everything.
pub async fn delete(tx: &mut Tx, actor: &Actor, id: &str) -> Result<(), Error> {
    actor.require(Permission::IdentityManage, &Place::everywhere())?;
    let missing = || Error::not_found("role binding", id);
    let parsed = id.parse::<RoleBindingId>().map_err(|_| missing())?;
    tx.lock(LOCK).await?;
    let binding = role_bindings::get(tx, parsed).await?.ok_or_else(missing)?;
    let is_admin = binding.grant
        == Grant {
            role: Role::Admin,
            scope: Scope::Everything,
        };
    if is_admin && role_bindings::admins(tx).await? <= 1 {
        let detail = "this is the last admin of everything; grant it to somebody else first";
        return Err(Error::conflict("in-use", detail));
    }
    role_bindings::delete(tx, parsed).await?;
    let change = described(
        "role_binding.delete",
        &format!("took {}", phrase(&binding, "from")),
        &binding,
    );
    record::change(tx, actor, change).await
}

/// Bindings, newest first.
///
/// # Errors
/// Without `identity.manage` on everything.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    filter: &Filter,
    before: Before,
    limit: i64,
) -> Result<Vec<RoleBindingView>, Error> {
    actor.require(Permission::IdentityManage, &Place::everywhere())?;
    Ok(role_bindings::list(tx, filter, before, limit).await?)
}

/// One binding.
///
/// # Errors
/// When there is none; without `identity.manage` on everything.
pub async fn get(tx: &mut Tx, actor: &Actor, id: &str) -> Result<RoleBindingView, Error> {
    actor.require(Permission::IdentityManage, &Place::everywhere())?;
    let missing = || Error::not_found("role binding", id);
    let parsed = id.parse::<RoleBindingId>().map_err(|_| missing())?;
    role_bindings::get(tx, parsed).await?.ok_or_else(missing)
}

/// The first grants, `(issuer, subject, role)`, from the server's configuration: made only while nobody is admin of
/// everything. Says how many were made.
///
/// # Errors
/// When the database is unavailable.
pub async fn bootstrap(tx: &mut Tx, grants: &[(String, String, Role)]) -> Result<usize, Error> {
    tx.lock(LOCK).await?;
    if role_bindings::admins(tx).await? > 0 {
        return Ok(0);
    }
    let mut made = 0;
    for (issuer, subject, role) in grants {
        let principal = principals::ensure(tx, issuer, subject, PrincipalKind::Human, subject).await?;
        let grant = Grant {
            role: *role,
            scope: Scope::Everything,
        };
        if role_bindings::grants(tx, principal.id).await?.contains(&grant) {
            continue;
        }
        let id = role_bindings::insert(tx, principal.id, grant).await?;
        let binding = load(tx, id).await?;
        let message = format!("granted {}, as the configuration says", phrase(&binding, "to"));
        record::by_system(tx, described("role_binding.create", &message, &binding)).await?;
        made += 1;
    }
    Ok(made)
}

async fn load(tx: &mut Tx, id: RoleBindingId) -> Result<RoleBindingView, Error> {
    let binding = role_bindings::get(tx, id).await?;
    binding.ok_or_else(|| Error::internal("a role binding is gone right after it was made"))
}

/// The issuer that a user names, or the only configured one; a fault there otherwise.
pub(crate) fn issuer(app: &App, given: Option<&str>, pointer: &str, faults: &mut Faults) -> Option<String> {
    let known: Vec<_> = app
        .config()
        .issuers
        .iter()
        .map(|issuer| issuer.issuer.as_str())
        .collect();
    match (given, known.as_slice()) {
        (Some(given), known) if known.contains(&given) => Some(given.to_owned()),
        (None, [only]) => Some((*only).to_owned()),
        (Some(_), known) => {
            faults.add(
                pointer,
                format!("is none of the configured issuers: {}", known.join(", ")),
            );
            None
        }
        (None, known) => {
            faults.add(
                pointer,
                format!("is needed, there is not just one: {}", known.join(", ")),
            );
            None
        }
    }
}

async fn scope(tx: &mut Tx, input: &Create, faults: &mut Faults) -> Result<Option<Scope>, Error> {
    match (&input.team, &input.environment) {
        (None, None) => Ok(Some(Scope::Everything)),
        (Some(team), None) => {
            let team = teams::named(tx, faults, "/team", team).await?;
            Ok(team.map(|team| Scope::Team(team.id)))
        }
        (None, Some(reference)) => {
            let found = environments::find(tx, &Ref::parse::<EnvironmentTag>(reference)).await?;
            if found.is_none() {
                faults.add(
                    "/environment",
                    format!("there is no environment `{}`", input::excerpt(reference)),
                );
            }
            Ok(found.map(|found| Scope::Environment(found.id)))
        }
        (Some(_), Some(_)) => {
            faults.add(
                "/environment",
                "a role is granted on a team or on an environment, not on both",
            );
            Ok(None)
        }
    }
}

/// `the role manager on team shop to ana`.
fn phrase(binding: &RoleBindingView, preposition: &str) -> String {
    let place = match (&binding.team, &binding.environment) {
        (Some(team), _) => format!("on team {team}"),
        (None, Some(environment)) => format!("in {environment}"),
        (None, None) => "on everything".to_owned(),
    };
    format!(
        "the role {} {place} {preposition} {}",
        binding.grant.role, binding.principal.subject
    )
}

fn described(action: &'static str, message: &str, binding: &RoleBindingView) -> record::Change {
    let mut change = record::Change::new(action, binding.id.to_string(), message).with(json!({
        "principal": binding.principal.id,
        "issuer": binding.principal.issuer,
        "subject": binding.principal.subject,
        "role": binding.grant.role,
        "team": binding.team,
        "environment": binding.environment,
    }));
    match binding.grant.scope {
        Scope::Everything => {}
        Scope::Team(team) => change = change.team(team),
        Scope::Environment(environment) => change = change.environment(environment),
    }
    change
}
