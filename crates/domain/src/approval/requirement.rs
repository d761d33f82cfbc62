//! What is required of approvals: who must say yes, how, and until when.
//!
//! Policies, processes and environments hold requirements in their documents; what is absent there is as it was before there
//! was more than a role and a number, and is not written, so that digests of older documents stay as they are.

use super::SignIn;
use crate::{Faults, Name, identity::Role};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most people of one quorum, most rejections that may be let pass, and most people who are named.
pub const MAX_PEOPLE: u32 = 10;
/// Most groups of one list.
pub const MAX_GROUPS: usize = 10;
/// Most steps of an escalation.
pub const MAX_STEPS: usize = 10;
/// Most characters of an issuer.
pub const MAX_ISSUER: usize = 512;
/// Most characters of a subject (`OpenID` Connect Core 1.0, section 2: 255 of ASCII).
pub const MAX_SUBJECT: usize = 255;
/// Shortest time that anything may wait: for an answer, or until the next group is asked.
pub const SHORTEST: SignedDuration = SignedDuration::from_secs(1);
/// Longest time that a request may wait for an answer.
pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Longest time until the next group is asked, or people are reminded.
pub const LONGEST_DELAY: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Shortest time between two reminders: more of them are not read.
pub const SHORTEST_REMINDER: SignedDuration = SignedDuration::from_mins(5);

/// Somebody, as their issuer knows them: they may never have been here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Person {
    /// Who vouches for them (`iss`).
    pub issuer: String,
    /// What the issuer calls them (`sub`).
    pub subject: String,
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject)
    }
}

/// One step of an escalation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Step {
    /// How long after those before were asked.
    pub after: SignedDuration,
    /// The group that is asked then, and may answer in the place of the groups of the requirement.
    pub to: Name,
}

/// Who must approve.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Requirement {
    /// The role that each must hold there.
    pub role: Role,
    /// How many distinct people, at least: those that are named and those for each group of `all_of` among them.
    pub count: u32,
    /// Groups of which the others must be, each of any of them; anybody with the role when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub any_of: Vec<Name>,
    /// Groups of which there must be somebody for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all_of: Vec<Name>,
    /// People who must approve, and for whom nobody else can but a delegate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<Person>,
    /// How many rejections end it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub rejections: u32,
    /// How long it waits for answers; as long as the deployment when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<SignedDuration>,
    /// How each must have signed in.
    #[serde(default, skip_serializing_if = "SignIn::is_empty")]
    pub sign_in: SignIn,
    /// How often people are reminded; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_every: Option<SignedDuration>,
    /// Who is asked next, and when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalate: Vec<Step>,
}

// Serde takes the names of functions, and gives a reference.
const fn one() -> u32 {
    1
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_one(rejections: &u32) -> bool {
    *rejections == 1
}

impl Requirement {
    /// So many people with a role, and nothing else.
    #[must_use]
    pub const fn new(role: Role, count: u32) -> Self {
        Self {
            role,
            count,
            any_of: Vec::new(),
            all_of: Vec::new(),
            named: Vec::new(),
            rejections: 1,
            expires_after: None,
            sign_in: SignIn {
                max_age: None,
                methods: Vec::new(),
            },
            remind_every: None,
            escalate: Vec::new(),
        }
    }

    /// How many people must approve who are there for nobody and no group in particular.
    #[must_use]
    pub fn rest(&self) -> usize {
        let particular = self.named.len() + self.all_of.len();
        (self.count as usize).saturating_sub(particular)
    }

    /// Checks bounds; every fault at once.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        if !(1..=MAX_PEOPLE).contains(&self.count) {
            faults.add("/count", format!("is 1 to {MAX_PEOPLE} people"));
        } else if !self.any_of.is_empty() && self.rest() == 0 {
            faults.add(
                "/count",
                format!(
                    "is at least {}: {} named, {} for `all_of`, and one at least of `any_of`, which nobody would be asked of",
                    self.named.len() + self.all_of.len() + 1,
                    self.named.len(),
                    self.all_of.len()
                ),
            );
        }
        if self.role != Role::Authority {
            faults.add("/role", "only the role `authority` may decide on approvals");
        }
        groups("/any_of", &self.any_of, &mut faults);
        groups("/all_of", &self.all_of, &mut faults);
        self.named_faults(&mut faults);
        if !(1..=MAX_PEOPLE).contains(&self.rejections) {
            faults.add("/rejections", format!("is 1 to {MAX_PEOPLE}"));
        }
        if self
            .expires_after
            .is_some_and(|after| !(SHORTEST..=LONGEST_WAIT).contains(&after))
        {
            faults.add("/expires_after", "is between PT1S and 90 days");
        }
        faults.nest("/sign_in", self.sign_in.faults());
        if self
            .remind_every
            .is_some_and(|every| !(SHORTEST_REMINDER..=LONGEST_DELAY).contains(&every))
        {
            faults.add("/remind_every", "is between PT5M and 30 days");
        }
        self.escalation_faults(&mut faults);
        faults
    }

    fn named_faults(&self, faults: &mut Faults) {
        if self.named.len() > MAX_PEOPLE as usize {
            faults.add("/named", format!("are {MAX_PEOPLE} at most"));
        }
        for (i, person) in self.named.iter().enumerate() {
            for (field, text, most) in [
                ("issuer", &person.issuer, MAX_ISSUER),
                ("subject", &person.subject, MAX_SUBJECT),
            ] {
                if text.trim().is_empty() || text.chars().count() > most || text.chars().any(char::is_control)
                {
                    faults.add(
                        format!("/named/{i}/{field}"),
                        format!("has 1 to {most} characters, as in their token"),
                    );
                }
            }
            if self.named.iter().take(i).any(|other| other == person) {
                faults.add(
                    format!("/named/{i}"),
                    format!(
                        "`{}` is named earlier too",
                        crate::fault::excerpt(&person.subject)
                    ),
                );
            }
        }
    }

    fn escalation_faults(&self, faults: &mut Faults) {
        if self.escalate.len() > MAX_STEPS {
            faults.add("/escalate", format!("are {MAX_STEPS} steps at most"));
        }
        for (i, step) in self.escalate.iter().enumerate() {
            if !(SHORTEST..=LONGEST_DELAY).contains(&step.after) {
                faults.add(
                    format!("/escalate/{i}/after"),
                    "is between PT1S and 30 days, counted from when those before are asked",
                );
            }
            if self.escalate.iter().take(i).any(|other| other.to == step.to) {
                faults.add(
                    format!("/escalate/{i}/to"),
                    format!("`{}` is asked in an earlier step too", step.to),
                );
            }
        }
    }
}

fn groups(pointer: &str, groups: &[Name], faults: &mut Faults) {
    if groups.len() > MAX_GROUPS {
        faults.add(pointer, format!("are {MAX_GROUPS} groups at most"));
    }
    for (i, group) in groups.iter().enumerate() {
        if groups.iter().take(i).any(|other| other == group) {
            faults.add(
                format!("{pointer}/{i}"),
                format!("`{group}` is listed earlier too"),
            );
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
