//! API tokens. One never lives longer, nor may more, than what it was made with; none can approve, and none makes another.

use crate::{App, Before, Error, Tx, input, record};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use slipway_domain::{
    Faults,
    identity::{Actor, Permission, Place, Role, Source},
    ids::TokenId,
};
use slipway_store::tokens;

pub use slipway_store::tokens::Token as TokenView;

/// How the secret of an API token begins, so that people and scanners recognise one.
pub(crate) const PREFIX: &str = "slp_";

/// What a new token is made of.
#[derive(Debug, Clone)]
pub struct Create {
    /// What it is for.
    pub name: String,
    /// Roles it carries at most.
    pub roles: Vec<String>,
    /// How long it lives, ISO 8601.
    pub expires_in: String,
}

/// A new token; its secret is shown this once.
#[derive(Debug, Clone)]
pub struct NewTokenView {
    /// Its record.
    pub token: TokenView,
    /// What to send as `Authorization: Bearer …`.
    pub secret: SecretString,
}

/// The stored hash of a secret; `None` for what cannot be one.
pub(super) fn hash(secret: &str) -> Option<[u8; 32]> {
    let bytes = URL_SAFE_NO_PAD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    (bytes.len() == 32).then(|| Sha256::digest(secret.as_bytes()).into())
}

/// Whether an API token may carry a role at all: not one that approves.
pub(super) fn may_carry(role: Role) -> bool {
    !role.permissions().contains(&Permission::ApprovalDecide)
}

fn generate() -> Result<SecretString, Error> {
    let mut bytes = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("there is no randomness"))?;
    Ok(SecretString::from(format!(
        "{PREFIX}{}",
        URL_SAFE_NO_PAD.encode(bytes)
    )))
}

/// Makes a token for oneself.
///
/// # Errors
/// Every fault of the input at once: roles one does not hold or that approve, a life longer than that of the proof it
/// is made with or than the server allows.
pub async fn create(tx: &mut Tx, app: &App, actor: &Actor, input: Create) -> Result<NewTokenView, Error> {
    // What a token makes nobody revokes with it, and a machine signs in anew for each run: neither needs any.
    let until = actor.until().filter(|_| actor.is_person_signed_in());
    let Some(until) = until else {
        let detail = "API tokens are made by people who signed in: no API token makes another, and machines sign in themselves";
        return Err(Error::refused("refused", detail));
    };
    let mut faults = Faults::new();
    input::line(&mut faults, "/name", &input.name, 100);
    let roles = roles(actor, &input.roles, &mut faults);
    let longest = app.config().token_lifetime_max;
    let expires_at = match input::duration(&input.expires_in) {
        Err(detail) => {
            faults.add("/expires_in", detail);
            None
        }
        Ok(life) if life.as_secs() < 1 => {
            faults.add("/expires_in", "is at least PT1S");
            None
        }
        Ok(life) if life > longest => {
            faults.add(
                "/expires_in",
                format!("is longer than {longest:#}, the most this server allows"),
            );
            None
        }
        Ok(life) => match tx.now.checked_add(life) {
            Ok(at) if at <= until => Some(at),
            _ => {
                let detail = format!(
                    "ends after {until}, when what you signed in with does: a token never outlives that"
                );
                faults.add("/expires_in", detail);
                None
            }
        },
    };
    faults.check()?;
    let Some(expires_at) = expires_at else {
        return Err(Error::internal("a field without fault is missing"));
    };
    let secret = generate()?;
    let hash = hash(secret.expose_secret()).ok_or_else(|| Error::internal("a new secret is none"))?;
    let new = tokens::New {
        principal: actor.principal.id,
        name: input.name.trim(),
        hash,
        roles: &roles,
        expires_at,
    };
    let id = tokens::insert(tx, &new).await?;
    let token = tokens::get(tx, id).await?;
    let token = token.ok_or_else(|| Error::internal("a token is gone right after it was made"))?;
    let change = record::Change::new(
        "token.create",
        id.to_string(),
        format!("made the API token {}", token.name),
    )
    .with(json!({"name": token.name, "roles": token.roles, "expires_at": token.expires_at}));
    record::change(tx, actor, change).await?;
    Ok(NewTokenView { token, secret })
}

fn roles(actor: &Actor, wanted: &[String], faults: &mut Faults) -> Vec<Role> {
    if wanted.is_empty() {
        faults.add("/roles", "a token carries at least one role");
    }
    if wanted.len() > Role::ALL.len() {
        faults.add("/roles", format!("are {} at most", Role::ALL.len()));
    }
    let mut roles = Vec::new();
    for (i, text) in wanted.iter().take(Role::ALL.len()).enumerate() {
        let at = format!("/roles/{i}");
        let Some(role) = faults.take(&at, text.parse::<Role>()) else {
            continue;
        };
        if roles.contains(&role) {
            faults.add(at, format!("`{role}` is there already"));
        } else if !may_carry(role) {
            faults.add(at, format!("API tokens never approve: none carries `{role}`"));
        } else if let Err(detail) = may_give(actor, role) {
            faults.add(at, detail);
        } else {
            roles.push(role);
        }
    }
    roles
}

/// A token carries what role bindings give, where they give it, and nothing that the sign-in brought: that ends with it.
fn may_give(actor: &Actor, role: Role) -> Result<(), String> {
    let mut sources = actor
        .rights
        .held()
        .filter(|(grant, _)| grant.role == role)
        .map(|(_, source)| source);
    let Some(first) = sources.next() else {
        return Err(format!("you do not hold the role `{role}`"));
    };
    if *first == Source::Binding || sources.any(|source| *source == Source::Binding) {
        return Ok(());
    }
    Err(format!(
        "you hold the role `{role}` by your sign-in alone; a token carries only what role bindings give"
    ))
}

/// One's own tokens, or everybody's, newest first.
///
/// # Errors
/// For everybody's, without `identity.manage` on everything.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    everybody: bool,
    before: Before,
    limit: i64,
) -> Result<Vec<TokenView>, Error> {
    if everybody {
        actor.require(Permission::IdentityManage, &Place::everywhere())?;
    }
    let of = (!everybody).then_some(actor.principal.id);
    Ok(tokens::list(tx, of, before, limit).await?)
}

/// One token: one's own, or anybody's with `identity.manage` on everything.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn get(tx: &mut Tx, actor: &Actor, id: &str) -> Result<TokenView, Error> {
    let missing = || Error::not_found("token", id);
    let parsed = id.parse::<TokenId>().map_err(|_| missing())?;
    let token = tokens::get(tx, parsed).await?.ok_or_else(missing)?;
    let may = token.principal.id == actor.principal.id
        || actor
            .rights
            .allows(Permission::IdentityManage, &Place::everywhere());
    if may { Ok(token) } else { Err(missing()) }
}

/// Revokes a token: one's own, or anybody's with `identity.manage` on everything. Again is no fault.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn revoke(tx: &mut Tx, actor: &Actor, id: &str) -> Result<TokenView, Error> {
    let token = get(tx, actor, id).await?;
    if token.revoked_at.is_some() || !tokens::revoke(tx, token.id).await? {
        return get(tx, actor, id).await;
    }
    let message = format!(
        "revoked the API token {} of {}",
        token.name, token.principal.subject
    );
    let change = record::Change::new("token.revoke", token.id.to_string(), message)
        .with(json!({"name": token.name, "principal": token.principal.id}));
    record::change(tx, actor, change).await?;
    get(tx, actor, id).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_recognised_and_hashed_and_nothing_else_is() {
        let secret = generate().unwrap();
        assert!(hash(secret.expose_secret()).is_some());
        assert_ne!(secret.expose_secret(), generate().unwrap().expose_secret());
        for bad in [
            "",
            "slp_",
            "slp_AAAA",
            "xyz_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "slp_ü",
        ] {
            assert!(hash(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn no_role_that_a_token_may_carry_approves() {
        for role in Role::ALL.into_iter().filter(|role| may_carry(*role)) {
            assert!(
                !role.permissions().contains(&Permission::ApprovalDecide),
                "{role}"
            );
        }
        assert!(!may_carry(Role::Authority));
    }
}
