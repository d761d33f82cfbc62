//! Issuers: who may vouch for people and machines, with which keys, and what their tokens give.
//!
//! * `keys` reads keys; `rules` what claims give; both say everything that is wrong with the configuration.
//! * `address`: where keys may be fetched from; `published`: what is found there; `remote`: what is kept of it;
//!   [`follow`]: fetching it again and again.

mod address;
mod follow;
mod keys;
mod published;
mod remote;
mod rules;

pub use follow::follow;
pub(super) use keys::{Fingerprint, VerificationKey};
pub use remote::Standing;

use crate::{
    App,
    config::{Config, IssuerConfig, KeySource, Unusable},
};
use remote::Remote;
use slipway_domain::identity::ClaimRules;
use std::sync::Arc;

/// An issuer that is configured.
pub(crate) struct Issuer {
    pub(super) config: IssuerConfig,
    pub(super) rules: ClaimRules,
    keys: Keys,
}

enum Keys {
    /// Read at start, and good for as long as the server runs.
    Given(Arc<[VerificationKey]>),
    /// Fetched.
    Fetched(Box<Remote>),
}

/// The keys of an issuer are not known: never had, or too old to be good.
pub(super) struct NoKeys;

impl Issuer {
    /// Every configured issuer; or everything that is wrong with their configuration.
    pub(super) fn all(config: &Config) -> Result<Vec<Arc<Self>>, Unusable> {
        let mut faults = Vec::new();
        let mut issuers: Vec<Arc<Self>> = Vec::with_capacity(config.issuers.len());
        for (i, issuer) in config.issuers.iter().enumerate() {
            let setting = format!("issuers[{i}]");
            let mut fault = |field: &str, detail: &str| {
                faults.push(Unusable::new(format!("{setting}.{field}"), detail));
            };
            if issuer.issuer.is_empty() {
                fault("issuer", "is missing");
            }
            if issuer.audience.is_empty() {
                fault("audience", "is missing");
            }
            if config.issuers[..i]
                .iter()
                .any(|other| other.issuer == issuer.issuer)
            {
                fault("issuer", "is configured twice");
            }
            if issuer.algorithms.is_empty() {
                fault("algorithms", "is empty");
            }
            let rules = rules::read(&setting, issuer, &mut faults);
            match Keys::read(&setting, issuer) {
                Ok(keys) => issuers.push(Arc::new(Self {
                    config: issuer.clone(),
                    rules,
                    keys,
                })),
                Err(wrong) => faults.extend(wrong),
            }
        }
        Unusable::all(faults)?;
        Ok(issuers)
    }

    /// Its keys, as far as they are known now.
    pub(super) fn keys(&self) -> Result<Arc<[VerificationKey]>, NoKeys> {
        match &self.keys {
            Keys::Given(keys) => Ok(Arc::clone(keys)),
            Keys::Fetched(remote) => remote.keys().ok_or(NoKeys),
        }
    }

    /// Whether a key is still one of its keys.
    pub(super) fn still_has(&self, key: &Fingerprint) -> Result<bool, NoKeys> {
        match &self.keys {
            Keys::Given(_) => Ok(true),
            Keys::Fetched(_) => Ok(self.keys()?.iter().any(|one| one.fingerprint == *key)),
        }
    }

    /// Has the keys fetched at once, because a token names one that is not known, and waits for them; `false` when that
    /// was done just now, or cannot be.
    pub(super) async fn fetched_anew(&self) -> bool {
        match &self.keys {
            Keys::Given(_) => false,
            Keys::Fetched(remote) => remote.fetched_anew().await,
        }
    }

    /// Waits until the keys were fetched for the first time, or could not be.
    pub(super) async fn fetched_once(&self) {
        if let Keys::Fetched(remote) = &self.keys {
            remote.fetched_once().await;
        }
    }

    fn remote(&self) -> Option<&Remote> {
        match &self.keys {
            Keys::Given(_) => None,
            Keys::Fetched(remote) => Some(remote),
        }
    }
}

impl Keys {
    fn read(setting: &str, issuer: &IssuerConfig) -> Result<Self, Vec<Unusable>> {
        match &issuer.keys {
            KeySource::JwksUrl(_) | KeySource::Discovery(_) => {
                let place = address::read(setting, issuer)?;
                Ok(Self::Fetched(Box::new(Remote::new(place, issuer))))
            }
            _ => keys::read(setting, issuer)
                .map(|keys| Self::Given(keys.into()))
                .map_err(|wrong| vec![wrong]),
        }
    }
}

/// Everything that is wrong with the configured issuers.
pub(crate) fn check(config: &Config) -> Result<(), Unusable> {
    Issuer::all(config).map(|_| ())
}

/// How the keys of issuers stand that are fetched: for operators.
#[must_use]
pub fn standing(app: &App) -> Vec<Standing> {
    let issuers = app.authenticator().issuers().iter();
    issuers
        .filter_map(|issuer| Some(issuer.remote()?.standing(&issuer.config.issuer)))
        .collect()
}
