//! How recently, and how, somebody must have signed in to decide.
//!
//! `auth_time` and `max_age` are of `OpenID` Connect Core 1.0, sections 2 and 3.1.2.1; the values of `amr` are of RFC 8176, and
//! issuers add their own. What a refusal asks for is what RFC 9470 (step-up authentication) sends back to a client.

use crate::Faults;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Least age that may be asked for: people need as long to read what they decide on.
pub const LEAST_MAX_AGE: SignedDuration = SignedDuration::from_mins(1);
/// Most age that may be asked for.
pub const MOST_MAX_AGE: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Most methods that may be asked for.
pub const MAX_METHODS: usize = 10;
/// Most characters of one method.
pub const MAX_METHOD: usize = 64;
/// How far an issuer's clock may be ahead of the database's.
pub const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// What is asked of a sign-in. Nothing, when it is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SignIn {
    /// How long ago it may have been (`auth_time`); any time when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<SignedDuration>,
    /// Methods (`amr`) that it must all have used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
}

/// How somebody signed in, as their token says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignedIn {
    /// When (`auth_time`), if the issuer says.
    pub at: Option<Timestamp>,
    /// How (`amr`); empty if the issuer does not say.
    pub methods: Vec<String>,
}

/// A sign-in does not suffice: what would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInAgain {
    /// What is asked for.
    pub wanted: SignIn,
    /// When they signed in, if that is known.
    pub at: Option<Timestamp>,
    /// Whether that is too long ago, in the future, or not known.
    pub stale: bool,
    /// Methods that it lacks.
    pub lacking: Vec<String>,
}

impl SignIn {
    /// Whether nothing is asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.max_age.is_none() && self.methods.is_empty()
    }

    /// Checks bounds.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        if self
            .max_age
            .is_some_and(|age| !(LEAST_MAX_AGE..=MOST_MAX_AGE).contains(&age))
        {
            faults.add("/max_age", "is between PT1M and 30 days");
        }
        if self.methods.len() > MAX_METHODS {
            faults.add("/methods", format!("are {MAX_METHODS} at most"));
        }
        for (i, method) in self.methods.iter().enumerate() {
            let at = format!("/methods/{i}");
            if method.is_empty() || method.len() > MAX_METHOD || !method.bytes().all(|b| b.is_ascii_graphic())
            {
                faults.add(
                    at,
                    format!(
                        "is 1 to {MAX_METHOD} printable ASCII characters without a space, as `hwk` (RFC 8176)"
                    ),
                );
            } else if self.methods.iter().take(i).any(|other| other == method) {
                faults.add(at, format!("`{method}` is listed earlier too"));
            }
        }
        faults
    }

    /// What meets both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut methods: Vec<_> = self.methods.iter().chain(&other.methods).cloned().collect();
        methods.sort();
        methods.dedup();
        Self {
            max_age: [self.max_age, other.max_age].into_iter().flatten().min(),
            methods,
        }
    }

    /// Whether a sign-in suffices for a decision at that time.
    ///
    /// # Errors
    /// What is to be done about it. A sign-in of which the issuer does not say when or how it was does not suffice where
    /// that is asked for.
    pub fn check(&self, signed_in: &SignedIn, now: Timestamp) -> Result<(), SignInAgain> {
        let stale = self.max_age.is_some_and(|most| {
            signed_in.at.is_none_or(|at| {
                let age = now.duration_since(at);
                age > most || age < -SKEW
            })
        });
        let lacking: Vec<_> = self
            .methods
            .iter()
            .filter(|method| !signed_in.methods.contains(method))
            .cloned()
            .collect();
        if !stale && lacking.is_empty() {
            return Ok(());
        }
        Err(SignInAgain {
            wanted: self.clone(),
            at: signed_in.at,
            stale,
            lacking,
        })
    }
}

impl std::fmt::Display for SignInAgain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sign in again")?;
        if !self.wanted.methods.is_empty() {
            write!(f, " with {}", ticked(&self.wanted.methods))?;
        }
        if let Some(most) = self.wanted.max_age {
            write!(f, ", and decide within {most} of it")?;
        }
        let mut because = Vec::new();
        if self.stale {
            because.push(self.at.map_or_else(
                || "when you signed in is not known: your issuer sends no `auth_time`".to_owned(),
                |at| format!("you signed in at {at}"),
            ));
        }
        if !self.lacking.is_empty() {
            because.push(format!(
                "your sign-in does not say that it used {} (`amr`)",
                ticked(&self.lacking)
            ));
        }
        write!(f, "; {}", because.join(", and "))
    }
}

fn ticked(all: &[String]) -> String {
    let ticked: Vec<_> = all.iter().map(|one| format!("`{one}`")).collect();
    ticked.join(" and ")
}

impl std::error::Error for SignInAgain {}

#[cfg(test)]
mod tests;
