//! What is kept of an issuer whose keys are fetched.
//!
//! Keys are replaced as a whole by what was fetched last: what the issuer removed is gone. What could not be fetched leaves
//! them as they are, until they are too old. Whoever sends tokens can have keys fetched at once, but not often.

use super::{address::Place, keys::VerificationKey};
use crate::config::IssuerConfig;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout},
};

/// At least so long lies between two fetches for the sake of a token that names an unknown key: strangers can send any.
const BETWEEN_WANTED: Duration = Duration::from_secs(10);
/// How long a request waits for keys that are being fetched.
const PATIENCE: Duration = Duration::from_secs(5);
/// The first pause after a failure; twice as long after each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How the keys of an issuer stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its `iss`.
    pub issuer: String,
    /// How long ago the keys were fetched; `None` when they never were.
    pub age: Option<Duration>,
    /// Whether tokens are checked with them: they were had, and are not too old.
    pub usable: bool,
    /// Why they could not be fetched, when that failed last time.
    pub failed: Option<String>,
}

/// An issuer's keys, as they were published.
pub(super) struct Remote {
    pub(super) place: Place,
    refresh: Duration,
    max_age: Duration,
    state: Mutex<State>,
    /// Somebody wants the keys now.
    wanted: Notify,
    /// How often was fetched, with or without success.
    rounds: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    had: Option<Had>,
    failures: u32,
    failed: Option<String>,
    /// When somebody wanted them at once last, and how often had been fetched by then.
    wanted: Option<(Instant, u64)>,
}

struct Had {
    keys: Arc<[VerificationKey]>,
    /// When it was asked for them.
    at: Instant,
}

/// What a fetch changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed {
    /// A key is gone: what it signed holds no more.
    pub(super) removed: bool,
    /// How many keys there are now.
    pub(super) keys: usize,
}

impl Remote {
    pub(super) fn new(place: Place, issuer: &IssuerConfig) -> Self {
        Self {
            place,
            refresh: Duration::from_secs(issuer.fetch.refresh_seconds.into()),
            max_age: Duration::from_secs(issuer.fetch.max_age_seconds.into()),
            state: Mutex::default(),
            wanted: Notify::new(),
            rounds: watch::Sender::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys, if there are any that are not too old.
    pub(super) fn keys(&self) -> Option<Arc<[VerificationKey]>> {
        let state = self.state();
        let had = state.had.as_ref()?;
        (had.at.elapsed() < self.max_age).then(|| Arc::clone(&had.keys))
    }

    pub(super) fn standing(&self, issuer: &str) -> Standing {
        let state = self.state();
        let age = state.had.as_ref().map(|had| had.at.elapsed());
        Standing {
            issuer: issuer.to_owned(),
            age,
            usable: age.is_some_and(|age| age < self.max_age),
            failed: state.failed.clone(),
        }
    }

    /// Keeps what was asked for at this time.
    pub(super) fn keep(&self, keys: Vec<VerificationKey>, at: Instant) -> Changed {
        let changed = {
            let mut state = self.state();
            let removed = state.had.as_ref().is_some_and(|had| {
                let gone = |old: &VerificationKey| keys.iter().all(|new| new.fingerprint != old.fingerprint);
                had.keys.iter().any(gone)
            });
            state.failures = 0;
            state.failed = None;
            let changed = Changed {
                removed,
                keys: keys.len(),
            };
            state.had = Some(Had {
                keys: keys.into(),
                at,
            });
            changed
        };
        self.rounds.send_modify(|rounds| *rounds += 1);
        changed
    }

    /// Notes that nothing could be had.
    pub(super) fn fail(&self, why: String) {
        {
            let mut state = self.state();
            state.failures = state.failures.saturating_add(1);
            state.failed = Some(why);
        }
        self.rounds.send_modify(|rounds| *rounds += 1);
    }

    /// How long until the next fetch. `chance` is between 0 and 1.
    pub(super) fn pause(&self, chance: f64) -> Duration {
        pause(self.state().failures, self.refresh, chance)
    }

    /// Waits until somebody wants the keys at once.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Has the keys fetched at once and waits for that; `false` when it was done just now, or the issuer does not answer.
    pub(super) async fn fetched_anew(&self) -> bool {
        let mut rounds = {
            let mut state = self.state();
            if state.failures > 0 || state.had.is_none() {
                return false;
            }
            let rounds = self.rounds.subscribe();
            let round = *rounds.borrow();
            match state.wanted {
                // What another has asked for is under way: it is waited for together.
                Some((_, asked_in)) if asked_in == round => {}
                Some((at, _)) if at.elapsed() < BETWEEN_WANTED => return false,
                _ => {
                    state.wanted = Some((Instant::now(), round));
                    self.wanted.notify_one();
                }
            }
            rounds
        };
        timeout(PATIENCE, rounds.changed()).await.is_ok()
    }

    /// Waits for the first round, whatever comes of it.
    pub(super) async fn fetched_once(&self) {
        let mut rounds = self.rounds.subscribe();
        let _ = timeout(PATIENCE, rounds.wait_for(|rounds| *rounds > 0)).await;
    }
}

/// Around the refresh when all is well; after failures one second, two, four and so on up to a minute. Never two servers at
/// the same beat.
fn pause(failures: u32, refresh: Duration, chance: f64) -> Duration {
    if failures == 0 {
        return refresh.mul_f64(0.9 + 0.1 * chance);
    }
    let longest = LONGEST_PAUSE.min(refresh.max(FIRST_PAUSE));
    let doubled = FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(16));
    doubled.min(longest).mul_f64(0.5 + 0.5 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeySource;

    fn remote(max_age_seconds: u32) -> Remote {
        let address = "https://id.example/keys";
        let mut config = IssuerConfig::new("https://id.example", "a", KeySource::JwksUrl(address.to_owned()));
        config.fetch.max_age_seconds = max_age_seconds;
        Remote::new(Place::Jwks(address.parse().unwrap()), &config)
    }

    fn key(x: &str) -> VerificationKey {
        let jwks = format!(r#"{{"keys": [{{"kty": "OKP", "crv": "Ed25519", "x": "{x}", "kid": "{x}"}}]}}"#);
        let algorithms = crate::config::Algorithm::all();
        super::super::keys::published(jwks.as_bytes(), &algorithms)
            .unwrap()
            .remove(0)
    }

    const ONE: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const TWO: &str = "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw";

    #[test]
    fn pauses_grow_after_failures_and_are_never_the_same() {
        let refresh = Duration::from_mins(5);
        let seconds = |failures, chance| pause(failures, refresh, chance).as_secs_f64();
        assert_eq!((seconds(0, 0.0), seconds(0, 1.0)), (270.0, 300.0));
        let grown: Vec<_> = [1, 2, 3, 7, 30, u32::MAX]
            .map(|failures| seconds(failures, 1.0))
            .into();
        assert_eq!(grown, [1.0, 2.0, 4.0, 60.0, 60.0, 60.0]);
        assert_eq!(pause(3, refresh, 0.0), Duration::from_secs(2));
        let short = pause(9, Duration::from_secs(1), 1.0);
        assert_eq!(short, Duration::from_secs(1), "never rarer than when all is well");
    }

    #[tokio::test(start_paused = true)]
    async fn keys_stay_while_the_issuer_is_away_until_they_are_too_old() {
        let remote = remote(600);
        assert!(remote.keys().is_none());
        assert!(!remote.keep(vec![key(ONE)], Instant::now()).removed);
        tokio::time::advance(Duration::from_secs(599)).await;
        remote.fail("away".to_owned());
        assert_eq!(remote.keys().unwrap().len(), 1);
        let standing = remote.standing("id");
        assert_eq!(
            (standing.usable, standing.failed.as_deref()),
            (true, Some("away"))
        );
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(remote.keys().is_none());
        assert!(!remote.standing("id").usable);
        remote.keep(vec![key(ONE)], Instant::now());
        assert!(remote.keys().is_some() && remote.standing("id").failed.is_none());
    }

    #[test]
    fn a_key_that_was_removed_is_gone_and_said_to_be() {
        let remote = remote(600);
        remote.keep(vec![key(ONE)], Instant::now());
        let both = remote.keep(vec![key(ONE), key(TWO)], Instant::now());
        assert_eq!(
            both,
            Changed {
                removed: false,
                keys: 2
            }
        );
        let one = remote.keep(vec![key(TWO)], Instant::now());
        assert_eq!(
            one,
            Changed {
                removed: true,
                keys: 1
            }
        );
        assert!(
            remote
                .keys()
                .unwrap()
                .iter()
                .all(|k| k.kid.as_deref() == Some(TWO))
        );
        assert!(
            remote.keep(Vec::new(), Instant::now()).removed,
            "all of them can be gone"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_have_keys_fetched_at_most_every_ten_seconds() {
        let remote = Arc::new(remote(600));
        let round = || remote.keep(vec![key(ONE)], Instant::now());
        round();
        let wanting = (0..3).map(|_| {
            let remote = Arc::clone(&remote);
            tokio::spawn(async move { remote.fetched_anew().await })
        });
        let wanting: Vec<_> = wanting.collect();
        remote.wanted().await;
        // All of them wait by now, and for the one fetch.
        tokio::task::yield_now().await;
        round();
        for waited in wanting {
            assert!(waited.await.unwrap());
        }
        let again = tokio::time::timeout(Duration::from_secs(1), remote.wanted()).await;
        assert!(again.is_err(), "one fetch is enough for all");
        tokio::time::advance(Duration::from_secs(8)).await;
        assert!(!remote.fetched_anew().await);
        tokio::time::advance(Duration::from_secs(1)).await;
        remote.fail("away".to_owned());
        assert!(!remote.fetched_anew().await, "who does not answer is left alone");
    }
}
