//! What is required of approvals, as users write it.

use crate::{Error, Tx, input};
use slipway_domain::{
    Faults, Name,
    approval::{Person, Requirement, SignIn, Step},
};
use slipway_store::groups;

/// A requirement as given.
#[derive(Debug, Clone, Default)]
pub struct RequirementInput {
    /// How many distinct people.
    pub count: u32,
    /// The role each must hold.
    pub role: String,
    /// Groups of which the others must be, each of any of them.
    pub any_of: Vec<String>,
    /// Groups of which there must be somebody for each.
    pub all_of: Vec<String>,
    /// People who must approve: issuer and subject.
    pub named: Vec<(String, String)>,
    /// How many rejections end it; one when absent.
    pub rejections: Option<u32>,
    /// How long it waits for answers, ISO 8601.
    pub expires_after: Option<String>,
    /// How long ago approvers may have signed in, ISO 8601.
    pub max_age: Option<String>,
    /// How they must have signed in.
    pub methods: Vec<String>,
    /// How often people are reminded, ISO 8601.
    pub remind_every: Option<String>,
    /// Who is asked next: after how long (ISO 8601), and which group.
    pub escalate: Vec<(String, String)>,
}

/// Reads each entry of a list; what cannot be read is a fault, and left out.
fn each<A, T>(
    given: Vec<A>,
    pointer: &str,
    faults: &mut Faults,
    mut read: impl FnMut(A, &str, &mut Faults) -> Option<T>,
) -> Vec<T> {
    let entries = given.into_iter().enumerate();
    entries
        .filter_map(|(i, one)| read(one, &format!("{pointer}/{i}"), faults))
        .collect()
}

impl RequirementInput {
    /// Reads it: what cannot be read is told here, what breaks a rule by [`Requirement::faults`].
    pub fn read(self, faults: &mut Faults) -> Option<Requirement> {
        let before = faults.as_slice().len();
        let name = |text: String, at: &str, faults: &mut Faults| faults.take(at, text.parse::<Name>());
        let role = faults.take("/role", self.role.parse());
        let span = |text: Option<String>, at: &str, faults: &mut Faults| {
            text.and_then(|text| faults.take(at, input::duration(&text)))
        };
        let requirement = Requirement {
            any_of: each(self.any_of, "/any_of", faults, name),
            all_of: each(self.all_of, "/all_of", faults, name),
            named: self
                .named
                .into_iter()
                .map(|(issuer, subject)| Person { issuer, subject })
                .collect(),
            rejections: self.rejections.unwrap_or(1),
            expires_after: span(self.expires_after, "/expires_after", faults),
            sign_in: SignIn {
                max_age: span(self.max_age, "/sign_in/max_age", faults),
                methods: self.methods,
            },
            remind_every: span(self.remind_every, "/remind_every", faults),
            escalate: each(self.escalate, "/escalate", faults, |(after, to), at, faults| {
                let after = faults.take(&format!("{at}/after"), input::duration(&after));
                let to = faults.take(&format!("{at}/to"), to.parse::<Name>());
                Some(Step {
                    after: after?,
                    to: to?,
                })
            }),
            ..Requirement::new(role?, self.count)
        };
        (faults.as_slice().len() == before).then_some(requirement)
    }
}

/// Adds a fault for every group that is asked and that there is not: nobody could ever answer for it.
pub(crate) async fn known_groups(
    tx: &mut Tx,
    pointer: &str,
    requirement: &Requirement,
    faults: &mut Faults,
) -> Result<(), Error> {
    let any = requirement
        .any_of
        .iter()
        .enumerate()
        .map(|(i, group)| (format!("/any_of/{i}"), group));
    let all = requirement
        .all_of
        .iter()
        .enumerate()
        .map(|(i, group)| (format!("/all_of/{i}"), group));
    let steps = requirement
        .escalate
        .iter()
        .enumerate()
        .map(|(i, step)| (format!("/escalate/{i}/to"), &step.to));
    let asked: Vec<(String, &Name)> = any.chain(all).chain(steps).collect();
    let names: Vec<Name> = asked.iter().map(|(_, group)| (*group).clone()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let missing = groups::missing(tx, &names).await?;
    for (at, group) in asked.into_iter().filter(|(_, group)| missing.contains(group)) {
        faults.add(
            format!("{pointer}{at}"),
            format!("there is no group `{group}`: make it first, `slipway group create {group}`"),
        );
    }
    Ok(())
}
