//! The environment is a stage of the process that the release pinned when it was sealed, and the stage before was passed.

use super::{Verdict, evidence::Failing};
use crate::Name;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The way of a release, as far as this deployment goes.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The process that the release pinned.
    pub process: Name,
    /// Which of its versions.
    pub version: i64,
    /// The stage that the environment is; none when it is none.
    pub stage: Option<Name>,
    /// The environment, for the reason.
    pub environment: Name,
    /// The stage before; none before the first.
    pub before: Option<Before>,
    /// What this release is called, for the reason.
    pub release: String,
}

/// The stage before.
#[derive(Debug, Clone)]
pub struct Before {
    /// Its name.
    pub stage: Name,
    /// How long the release must have been there.
    pub soak: SignedDuration,
    /// How many percent of its targets must have succeeded.
    pub share: u8,
    /// The environments that are this stage. None when it names one that there is not: nothing can have passed it.
    pub environments: Vec<Passed>,
    /// Evidence that says that something is wrong: it revokes what was shown there.
    pub failing: Vec<Failing>,
}

/// What became of the release in one environment of the stage before.
#[derive(Debug, Clone)]
pub struct Passed {
    /// Its name.
    pub environment: Name,
    /// When this digest last succeeded there, if it did and was not undone since.
    pub succeeded_at: Option<Timestamp>,
    /// How many targets succeeded then.
    pub succeeded: u32,
    /// How many there are.
    pub targets: u32,
}

/// Judges it.
#[must_use]
pub fn judge(facts: &Facts, now: Timestamp) -> (Verdict, Value) {
    let mut inputs = json!({"process": facts.process, "version": facts.version, "stage": facts.stage});
    let Some(stage) = &facts.stage else {
        let reason = format!(
            "{} goes by process {}, version {}, which has no stage for {}",
            facts.release, facts.process, facts.version, facts.environment
        );
        return (Verdict::refused(reason), inputs);
    };
    let Some(before) = &facts.before else {
        let reason = format!(
            "stage {stage} of process {}, version {}, which begins there",
            facts.process, facts.version
        );
        return (Verdict::satisfied(reason), inputs);
    };
    inputs["before"] = json!({
        "stage": before.stage, "soak": before.soak.to_string(), "success_share": before.share,
        "environments": before.environments.iter().map(Passed::inputs).collect::<Vec<_>>(),
        "failing": before.failing.iter().map(|failing| &failing.evidence).collect::<Vec<_>>(),
    });
    (before.judge(facts, stage, now), inputs)
}

impl Passed {
    fn inputs(&self) -> Value {
        json!({
            "environment": self.environment, "succeeded_at": self.succeeded_at, "succeeded": self.succeeded,
            "targets": self.targets,
        })
    }

    /// Targets that count.
    fn counts(&self) -> u32 {
        self.succeeded_at.map_or(0, |_| self.succeeded.min(self.targets))
    }
}

impl Before {
    fn judge(&self, facts: &Facts, stage: &Name, now: Timestamp) -> Verdict {
        let (release, before) = (&facts.release, &self.stage);
        let targets: u64 = self.environments.iter().map(|one| u64::from(one.targets)).sum();
        let succeeded: u64 = self.environments.iter().map(|one| u64::from(one.counts())).sum();
        let wanted = u64::from(self.share);
        // Nothing of nothing has not passed.
        if targets == 0 || succeeded == 0 || succeeded * 100 < wanted * targets {
            let missing = self.environments.iter().filter(|one| one.counts() < one.targets);
            let missing: Vec<_> = missing
                .map(|one| super::a_success(release, &one.environment))
                .collect();
            let by = if missing.is_empty() {
                format!("an environment that is the stage {before}")
            } else {
                missing.join("; ")
            };
            return Verdict::waiting(
                format!(
                    "{release} has not passed the stage {before} yet, which process {}, version {}, has before {stage}: \
                     {succeeded} of {targets} targets succeeded, {wanted} % must",
                    facts.process, facts.version
                ),
                None,
                by,
            );
        }
        if !self.failing.is_empty() {
            let reasons: Vec<_> = self.failing.iter().map(|one| one.reason.as_str()).collect();
            let by: Vec<_> = self.failing.iter().map(|one| one.unblocked_by.as_str()).collect();
            return Verdict::waiting(
                format!(
                    "{release} passed the stage {before}, which was revoked: {}",
                    reasons.join("; ")
                ),
                None,
                by.join("; "),
            );
        }
        let last = self.environments.iter().filter_map(|one| one.succeeded_at).max();
        let until = last.map(|at| at.saturating_add(self.soak).unwrap_or(Timestamp::MAX));
        match until.filter(|until| *until > now) {
            Some(until) => Verdict::waiting(
                format!("soaking in the stage {before} until {until}"),
                Some(until),
                "time",
            ),
            None => Verdict::satisfied(format!(
                "passed the stage {before} of process {}, version {}: {succeeded} of {targets} targets succeeded",
                facts.process, facts.version
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::EvidenceId;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn passed(environment: &str, succeeded: u32, targets: u32) -> Passed {
        Passed {
            environment: name(environment),
            succeeded_at: (succeeded > 0).then(|| at(10)),
            succeeded,
            targets,
        }
    }

    fn facts(environments: Vec<Passed>, share: u8) -> Facts {
        Facts {
            process: name("careful"),
            version: 3,
            stage: Some(name("production")),
            environment: name("live"),
            before: Some(Before {
                stage: name("staging"),
                soak: SignedDuration::ZERO,
                share,
                environments,
                failing: Vec::new(),
            }),
            release: "shop@1.0.0".to_owned(),
        }
    }

    #[test]
    fn an_environment_that_is_no_stage_is_refused_and_the_first_stage_asks_for_nothing_before() {
        let mut first = facts(Vec::new(), 100);
        first.before = None;
        assert!(matches!(judge(&first, at(20)).0, Verdict::Satisfied { .. }));
        first.stage = None;
        assert_eq!(
            judge(&first, at(20)).0,
            Verdict::refused("shop@1.0.0 goes by process careful, version 3, which has no stage for live")
        );
    }

    #[test]
    fn enough_targets_of_all_its_environments_must_have_succeeded_and_soaked() {
        let mut some = facts(vec![passed("east", 2, 2), passed("west", 0, 2)], 100);
        let (
            Verdict::Waiting {
                reason, unblocked_by, ..
            },
            _,
        ) = judge(&some, at(20))
        else {
            panic!("it waits");
        };
        assert_eq!(
            reason,
            "shop@1.0.0 has not passed the stage staging yet, which process careful, version 3, has before production: \
             2 of 4 targets succeeded, 100 % must"
        );
        assert_eq!(
            unblocked_by,
            "a deployment of shop@1.0.0 to west that succeeds: slipway deploy create shop@1.0.0 west"
        );
        let before = some.before.as_mut().unwrap();
        before.share = 50;
        before.soak = SignedDuration::from_secs(30);
        assert!(matches!(
            judge(&some, at(20)).0,
            Verdict::Waiting { until: Some(until), .. } if until == at(40)
        ));
        assert!(matches!(judge(&some, at(40)).0, Verdict::Satisfied { .. }));
        some.before.as_mut().unwrap().failing.push(Failing {
            evidence: EvidenceId::new(),
            reason: "the tests failed".to_owned(),
            unblocked_by: "better ones".to_owned(),
        });
        assert_eq!(
            judge(&some, at(40)).0.reason(),
            "shop@1.0.0 passed the stage staging, which was revoked: the tests failed"
        );
    }

    #[test]
    fn a_stage_that_is_nowhere_was_passed_by_nothing() {
        assert!(matches!(
            judge(&facts(Vec::new(), 1), at(20)).0,
            Verdict::Waiting { .. }
        ));
    }

    proptest! {
        #[test]
        fn fewer_targets_than_the_share_never_pass(targets in 1_u32..50, succeeded in 0_u32..50, share in 1_u8..=100) {
            let succeeded = succeeded.min(targets);
            let (verdict, _) = judge(&facts(vec![passed("east", succeeded, targets)], share), at(20));
            let enough = succeeded > 0 && succeeded * 100 >= u32::from(share) * targets;
            let is_satisfied = matches!(verdict, Verdict::Satisfied { .. });
            prop_assert_eq!(is_satisfied, enough);
        }
    }
}
