//! What may not be said in a process.

use super::{
    Document, Stage, Strategy,
    document::{MAX_DESCRIPTION, MAX_STAGES},
    stage::{ALL_TARGETS, MAX_CHECKS, MAX_EVIDENCE, MAX_WHAT},
};
use crate::{
    Faults,
    identity::Role,
    registry::{Wave, environment},
};

impl Document {
    /// Everything that is wrong with it, by pointers into it.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        if self.description.chars().count() > MAX_DESCRIPTION {
            faults.add(
                "/description",
                format!("has {MAX_DESCRIPTION} characters at most"),
            );
        }
        if self.stages.is_empty() || self.stages.len() > MAX_STAGES {
            faults.add("/stages", format!("are 1 to {MAX_STAGES}"));
        }
        // Each is looked at beside all before it: no more of them than there may be.
        for (i, stage) in self.stages.iter().enumerate().take(MAX_STAGES) {
            let mut inner = stage.faults();
            stage.beside(&self.stages[..i], &mut inner);
            faults.nest(&format!("/stages/{i}"), inner);
        }
        faults
    }
}

impl Stage {
    fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        faults.nest("/soak", environment::promotion_soak(self.soak));
        if !(1..=ALL_TARGETS).contains(&self.success_share) {
            faults.add("/success_share", "is 1 to 100 percent");
        }
        self.evidence_faults(&mut faults);
        if let Some(required) = &self.approvals {
            faults.nest("/approvals", required.faults());
        }
        self.checklist_faults(&mut faults);
        faults.nest("/strategy", self.strategy.faults());
        faults
    }

    fn evidence_faults(&self, faults: &mut Faults) {
        if self.evidence.len() > MAX_EVIDENCE {
            faults.add("/evidence", format!("are {MAX_EVIDENCE} at most"));
        }
        for (i, required) in self.evidence.iter().enumerate().take(MAX_EVIDENCE) {
            faults.nest(&format!("/evidence/{i}"), required.faults());
            if self.evidence[..i].contains(required) {
                faults.add(format!("/evidence/{i}"), "is asked for earlier in the stage too");
            }
        }
    }

    fn checklist_faults(&self, faults: &mut Faults) {
        if self.checklist.len() > MAX_CHECKS {
            faults.add("/checklist", format!("are {MAX_CHECKS} at most"));
        }
        for (i, check) in self.checklist.iter().enumerate().take(MAX_CHECKS) {
            if self.checklist[..i].iter().any(|other| other.name == check.name) {
                faults.add(
                    format!("/checklist/{i}/name"),
                    format!("`{}` names an earlier check of the stage too", check.name),
                );
            }
            if check.what.trim().is_empty() || check.what.chars().count() > MAX_WHAT {
                faults.add(
                    format!("/checklist/{i}/what"),
                    format!("has 1 to {MAX_WHAT} characters"),
                );
            }
            if matches!(check.role, Role::Viewer | Role::Auditor) {
                faults.add(
                    format!("/checklist/{i}/role"),
                    "the roles `viewer` and `auditor` only read, and tick nothing",
                );
            }
        }
    }

    /// What is wrong with it beside the stages before it.
    fn beside(&self, earlier: &[Self], faults: &mut Faults) {
        if earlier.iter().any(|other| other.name == self.name) {
            faults.add("/name", format!("`{}` names an earlier stage too", self.name));
        }
        if let Some(other) = earlier.iter().find(|other| other.place == self.place) {
            faults.add(
                "/place",
                format!("the {} is the stage {} already", self.place, other.name),
            );
        }
        for (i, check) in self.checklist.iter().enumerate().take(MAX_CHECKS) {
            let known = earlier.iter().find_map(|other| {
                let mut checks = other.checklist.iter();
                Some((other, checks.find(|known| known.name == check.name)?))
            });
            // It is ticked once for both: whoever may do so in one stage decides in the other.
            if let Some((other, known)) = known
                && known.role != check.role
            {
                faults.add(
                    format!("/checklist/{i}/role"),
                    format!(
                        "`{}` is a check of the stage {} too, for the role {}: one check has one role",
                        check.name, other.name, known.role
                    ),
                );
            }
        }
    }
}

impl Strategy {
    fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        if let Some(waves) = &self.waves {
            faults.nest("/waves", Wave::faults(waves));
        }
        if let Some(deadline) = self.progress_deadline {
            faults.nest("/progress_deadline", environment::progress_deadline(deadline));
        }
        faults
    }
}
