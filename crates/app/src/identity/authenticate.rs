//! From a bearer token to an actor. Whoever loses a role, or a token, has lost it for the next request to the server that
//! took it, and within a second for those to others: see [`super::remembered`].

use super::{
    jwt::{self, Issuer, NoToken, Verified},
    principals,
    remembered::{Claimed, Known, Remembered, Slot},
    tokens,
};
use crate::{Database, Error, config::Config, config::Unusable};
use slipway_domain::identity::{Actor, Principal, PrincipalKind, Proof, Rights, Role};
use slipway_store as store;
use std::sync::Arc;

/// What an actor carries of the request.
#[derive(Debug, Clone, Default)]
pub struct RequestInfo {
    /// Id of the request.
    pub id: String,
    /// W3C trace context, if any.
    pub traceparent: Option<String>,
}

/// Why it is not known who sends a request.
#[derive(Debug, thiserror::Error)]
pub enum Unauthenticated {
    /// The token is not accepted (401).
    #[error("{detail}")]
    Refused {
        /// The class of the reason; nothing of the token.
        detail: String,
    },
    /// It could not be found out (503, or 500).
    #[error(transparent)]
    Failed(Error),
}

impl From<NoToken> for Unauthenticated {
    fn from(refused: NoToken) -> Self {
        Self::Refused {
            detail: refused.to_string(),
        }
    }
}

impl From<store::Error> for Unauthenticated {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Error> for Unauthenticated {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Knows the issuers and their keys, and who came lately.
pub(crate) struct Authenticator {
    issuers: Vec<Issuer>,
    remembered: Remembered,
}

impl Authenticator {
    /// Reads the issuers' keys.
    pub(crate) fn new(config: &Config) -> Result<Self, Unusable> {
        Ok(Self {
            issuers: Issuer::all(config)?,
            remembered: Remembered::default(),
        })
    }

    /// Finds out who sends a request. `bearer` is what follows `Bearer ` in the header.
    pub(crate) async fn authenticate(
        &self,
        database: &Database,
        bearer: &str,
        request: &RequestInfo,
    ) -> Result<Actor, Unauthenticated> {
        let known = self.known(database, bearer).await?;
        Ok(Actor {
            principal: Arc::clone(&known.principal),
            proof: known.proof.clone(),
            rights: Arc::clone(&known.rights),
            request: request.id.clone(),
            traceparent: request.traceparent.clone(),
        })
    }

    async fn known(&self, database: &Database, bearer: &str) -> Result<Arc<Known>, Unauthenticated> {
        let key = Remembered::key(bearer);
        if let Some(slot) = self.remembered.find(&key) {
            let known = slot.known(database).await;
            if matches!(known, Err(Unauthenticated::Refused { .. })) {
                self.remembered.forget(&key);
            }
            return known;
        }
        let slot = Arc::new(Slot::new(self.claimed(bearer)?));
        let known = slot.known(database).await?;
        self.remembered.keep(key, &slot);
        Ok(known)
    }

    /// Everything that can be checked without the database.
    fn claimed(&self, bearer: &str) -> Result<Claimed, NoToken> {
        if bearer.starts_with(tokens::PREFIX) {
            let hash = tokens::hash(bearer).ok_or(NoToken::Malformed)?;
            Ok(Claimed::ApiToken(hash))
        } else {
            Ok(Claimed::SignedIn(jwt::verify(&self.issuers, bearer)?))
        }
    }
}

/// What the database knows of a token at this moment.
pub(super) async fn ask(database: &Database, claimed: &Claimed) -> Result<Known, Unauthenticated> {
    match claimed {
        Claimed::ApiToken(hash) => by_api_token(database, hash).await,
        Claimed::SignedIn(verified) => signed_in(database, verified).await,
    }
}

async fn by_api_token(database: &Database, hash: &[u8; 32]) -> Result<Known, Unauthenticated> {
    // One answer for what never was and what was revoked: nobody learns which secrets once worked.
    let gone = || Unauthenticated::Refused {
        detail: "the API token is not known, or was revoked".to_owned(),
    };
    let presented = store::tokens::presented(database, hash).await?.ok_or_else(gone)?;
    let token = presented.token;
    if token.revoked_at.is_some() {
        return Err(gone());
    }
    if token.expires_at <= presented.now {
        return Err(NoToken::Expired.into());
    }
    let roles: Vec<Role> = token
        .roles
        .into_iter()
        .filter(|role| tokens::may_carry(*role))
        .collect();
    Ok(Known {
        principal: Arc::new(token.principal),
        proof: Proof::ApiToken {
            token: token.id,
            until: token.expires_at,
        },
        rights: Arc::new(Rights::new(presented.grants).only(&roles)),
        now: presented.now,
    })
}

async fn signed_in(database: &Database, verified: &Verified) -> Result<Known, Unauthenticated> {
    let read = store::principals::signed_in(database, &verified.issuer, &verified.subject).await?;
    // Before anything is written: an expired token registers nobody.
    let until = verified.until(read.now)?;
    let (principal, grants) = match read.known {
        Some((principal, grants)) if is_as_said(&principal, verified) => (principal, grants),
        known => {
            let principal = learn(database, verified).await?;
            (principal, known.map(|(_, grants)| grants).unwrap_or_default())
        }
    };
    Ok(Known {
        principal: Arc::new(principal),
        proof: Proof::SignedIn {
            until,
            signed_in: verified.signed_in.clone(),
        },
        rights: Arc::new(Rights::new(grants)),
        now: read.now,
    })
}

fn is_as_said(principal: &Principal, verified: &Verified) -> bool {
    verified.kind.is_none_or(|kind| kind == principal.kind)
        && verified.name.as_ref().is_none_or(|name| *name == principal.name)
}

/// Registers a principal at first sight, or writes down what its issuer says of it now.
async fn learn(database: &Database, verified: &Verified) -> Result<Principal, Unauthenticated> {
    let mut tx = database.begin().await?;
    let name = verified.name.as_deref().unwrap_or(&verified.subject);
    let kind = verified.kind.unwrap_or(PrincipalKind::Human);
    let mut principal = principals::ensure(&mut tx, &verified.issuer, &verified.subject, kind, name).await?;
    if !is_as_said(&principal, verified) {
        principal.kind = verified.kind.unwrap_or(principal.kind);
        if let Some(name) = &verified.name {
            principal.name.clone_from(name);
        }
        principals::update(&mut tx, &principal).await?;
    }
    tx.commit().await?;
    Ok(principal)
}
