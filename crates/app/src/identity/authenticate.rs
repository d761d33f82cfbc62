//! From a bearer token to an actor. Whoever loses a role, or a token, has lost it for the next request to the server that
//! took it, and within a second for those to others: see [`super::remembered`].

use super::{
    issuers::{Issuer, NoKeys},
    jwt::{self, NoToken, NotVerified, Verified},
    principals,
    remembered::{Claimed, Known, Remembered, Slot},
    tokens,
};
use crate::{Database, Error, config::Config, config::Unusable};
use slipway_domain::identity::{
    Actor, GivenOn, Grant, Principal, PrincipalKind, Proof, Rights, Role, Scope, Source, Stated,
};
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
    issuers: Vec<Arc<Issuer>>,
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

    pub(crate) fn remembered(&self) -> usize {
        self.remembered.len()
    }

    pub(crate) fn issuers(&self) -> &[Arc<Issuer>] {
        &self.issuers
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
            let known = match self.still_signed(slot.claimed()) {
                Ok(()) => slot.known(database).await,
                Err(refused) => Err(refused),
            };
            if matches!(known, Err(Unauthenticated::Refused { .. })) {
                self.remembered.forget(&key);
            }
            return known;
        }
        let slot = Arc::new(Slot::new(self.claimed(bearer).await?));
        let known = slot.known(database).await?;
        self.remembered.keep(key, &slot);
        Ok(known)
    }

    /// Everything that can be checked without the database.
    async fn claimed(&self, bearer: &str) -> Result<Claimed, Unauthenticated> {
        if bearer.starts_with(tokens::PREFIX) {
            let hash = tokens::hash(bearer).ok_or(NoToken::Malformed)?;
            return Ok(Claimed::ApiToken(hash));
        }
        let worth_another_try = match jwt::verify(&self.issuers, bearer) {
            Err(NotVerified::KeyUnknown(issuer)) => issuer.fetched_anew().await,
            Err(NotVerified::KeysMissing(issuer)) => {
                issuer.fetched_once().await;
                true
            }
            verified => return Ok(Claimed::SignedIn(told(verified)?.into())),
        };
        if !worth_another_try {
            return Err(NoToken::Signature.into());
        }
        Ok(Claimed::SignedIn(
            told(jwt::verify(&self.issuers, bearer))?.into(),
        ))
    }

    /// What its issuer takes back is not believed because it was believed before.
    fn still_signed(&self, claimed: &Claimed) -> Result<(), Unauthenticated> {
        let Claimed::SignedIn(verified) = claimed else {
            return Ok(());
        };
        let mut issuers = self.issuers.iter();
        let issuer = issuers
            .find(|issuer| issuer.config.issuer == verified.issuer)
            .ok_or(NoToken::UnknownIssuer)?;
        match issuer.still_has(&verified.key) {
            Ok(true) => Ok(()),
            Ok(false) => Err(NoToken::Signature.into()),
            Err(NoKeys) => Err(keys_missing(issuer)),
        }
    }
}

fn told(verified: Result<Verified, NotVerified<'_>>) -> Result<Verified, Unauthenticated> {
    verified.map_err(|not| match not {
        NotVerified::Refused(refused) => refused.into(),
        NotVerified::KeyUnknown(_) => NoToken::Signature.into(),
        NotVerified::KeysMissing(issuer) => keys_missing(issuer),
    })
}

/// It cannot be told whether a token is good: nothing that its bearer could do better.
fn keys_missing(issuer: &Issuer) -> Unauthenticated {
    let issuer = &issuer.config.issuer;
    Unauthenticated::Failed(Error::Unavailable {
        detail: format!("the keys of the issuer {issuer} cannot be fetched, so its tokens cannot be checked"),
        retry_after: 5,
    })
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
    let mut rights = Rights::new(grants)
        .and(granted(database, &verified.stated).await?)
        .by_rules(verified.stated.rules.clone());
    if principal.kind == PrincipalKind::Machine {
        rights = rights.without_approving();
    }
    Ok(Known {
        principal: Arc::new(as_its_rules_call_it(principal, &verified.stated)),
        proof: Proof::SignedIn {
            until,
            signed_in: verified.signed_in.clone(),
        },
        rights: Arc::new(rights),
        now: read.now,
    })
}

/// What a token's claims give, where that is by now: a team or environment that is not there gives nothing.
async fn granted(database: &Database, stated: &Stated) -> Result<Vec<(Grant, Source)>, Unauthenticated> {
    let named = |given: &GivenOn| *given != GivenOn::Everything;
    let places = if stated.given.iter().any(|(given, _)| named(&given.on)) {
        let places = stated.given.iter().map(|(given, _)| &given.on);
        store::places::known(database, places).await?
    } else {
        store::places::Places::default()
    };
    let granted = stated.given.iter().filter_map(|(given, source)| {
        let scope = match &given.on {
            GivenOn::Everything => Scope::Everything,
            GivenOn::Team(name) => Scope::Team(*places.teams.get(name.as_str())?),
            GivenOn::Environment(name) => Scope::Environment(*places.environments.get(name.as_str())?),
        };
        let role = given.role;
        Some((Grant { role, scope }, source.clone()))
    });
    Ok(granted.collect())
}

/// A trusted machine goes by its rules and its subject, in this request alone: which rules fit may differ from one to the
/// next, and that changes nothing of the principal.
fn as_its_rules_call_it(principal: Principal, stated: &Stated) -> Principal {
    if stated.rules.is_empty() {
        return principal;
    }
    let name = format!("{}: {}", stated.rules.join("+"), principal.subject);
    Principal { name, ..principal }
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
