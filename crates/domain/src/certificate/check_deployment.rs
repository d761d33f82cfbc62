//! What must hold of one deployment in a certificate: the invariants that can be told from it.

use super::{Approval, Decision, Deployment, Person, PolicyVerdict, Release, Target};
use crate::{
    Faults,
    approval::{Answer, ApprovalState, Asked},
    deployment::{Landing, StateName, TargetState, plan_digest},
    gates::Verdict,
    ids::PrincipalId,
};

impl Deployment {
    /// Everything that does not fit together in it.
    pub(super) fn check(&self, release: &Release) -> Faults {
        let mut faults = Faults::new();
        if self.release_digest != release.digest {
            let detail = format!("is not that of the release, {}", release.digest);
            faults.add("/release_digest", detail);
        }
        self.check_times(&mut faults, release);
        self.check_targets(&mut faults);
        for (index, approval) in self.approvals.iter().enumerate() {
            faults.nest(
                &format!("/approvals/{index}"),
                self.check_approval(approval, release),
            );
        }
        if self.started_at.is_some() {
            self.check_admitted(&mut faults);
        }
        faults
    }

    fn check_times(&self, faults: &mut Faults, release: &Release) {
        if self.requested_at < release.sealed.at {
            faults.add("/requested_at", "is before the release was sealed");
        }
        if self.started_at.is_some_and(|started| started < self.requested_at) {
            faults.add("/started_at", "is before it was asked for");
        }
        let begun = self.started_at.unwrap_or(self.requested_at);
        if self.finished_at.is_some_and(|finished| finished < begun) {
            faults.add("/finished_at", "is before it began");
        }
        if self.state.is_terminal() != self.finished_at.is_some() {
            let detail = format!("is {} and says otherwise of its end", self.state);
            faults.add("/state", detail);
        }
        let worked = self.state == StateName::Succeeded || self.state.holds_environment();
        if worked && self.started_at.is_none() {
            faults.add("/state", format!("is {}, and work never began", self.state));
        }
    }

    fn check_targets(&self, faults: &mut Faults) {
        let landings: Vec<_> = self.targets.iter().map(landing).collect();
        if plan_digest(&self.environment, &landings).ok() != Some(self.plan_digest) {
            let detail =
                "is not the digest over the environment and these targets: another plan was decided on";
            faults.add("/plan_digest", detail);
        }
        for (index, target) in self.targets.iter().enumerate() {
            let at = |field: &str| format!("/targets/{index}/{field}");
            match target.applied {
                Some(applied) if applied != target.planned => {
                    faults.add(
                        at("applied"),
                        format!("is not what was planned, {}", target.planned),
                    );
                }
                Some(_) if self.started_at.is_none() => {
                    faults.add(at("applied"), "was applied, and work never began");
                }
                None if target.state == TargetState::Succeeded => {
                    faults.add(at("applied"), "is missing, and the target succeeded");
                }
                _ => {}
            }
            if self.state.is_terminal() && !target.state.is_terminal() {
                let detail = format!("is {}, and the deployment is {}", target.state, self.state);
                faults.add(at("state"), detail);
            }
        }
        // A target where there was nothing to do is skipped.
        let good = |target: &Target| matches!(target.state, TargetState::Succeeded | TargetState::Skipped);
        if self.state == StateName::Succeeded && !self.targets.iter().any(good) {
            faults.add("/state", "is succeeded, and no target is");
        }
    }

    /// Work began, so everything that guards it held.
    fn check_admitted(&self, faults: &mut Faults) {
        if self.gates.is_empty() {
            faults.add("/gates", "are missing, and work began");
        }
        for (index, gate) in self.gates.iter().enumerate() {
            if !matches!(gate.verdict, Verdict::Satisfied { .. }) {
                let detail = format!("the gate {} did not hold, and work began", gate.name);
                faults.add(format!("/gates/{index}"), detail);
            }
        }
        for (index, policy) in self.policies.iter().enumerate() {
            if policy.verdict == PolicyVerdict::Refused {
                let detail = format!(
                    "{} version {} refused, and work began",
                    policy.name, policy.version
                );
                faults.add(format!("/policies/{index}"), detail);
            }
        }
        for (index, approval) in self.approvals.iter().enumerate() {
            if approval.asked == Asked::Before && approval.state != ApprovalState::Approved {
                let detail = format!("is {}, and work began", approval.state);
                faults.add(format!("/approvals/{index}/state"), detail);
            }
        }
    }

    fn check_approval(&self, approval: &Approval, release: &Release) -> Faults {
        let mut faults = Faults::new();
        let mut people: Vec<PrincipalId> = Vec::new();
        for (index, decision) in approval.decisions.iter().enumerate() {
            let at = |field: &str| format!("/decisions/{index}/{field}");
            for (field, detail) in self.wrong_with(approval, decision, release) {
                faults.add(at(field), detail);
            }
            for (field, person) in decision.behind() {
                if people.contains(&person.id) {
                    let detail = format!("{} decided before; a decision counts once a person", person.name);
                    faults.add(at(field), detail);
                }
            }
            people.extend(decision.behind().map(|(_, person)| person.id));
        }
        let said = |answer| approval.decisions.iter().filter(move |one| one.answer == answer);
        let (yes, no) = (said(Answer::Approve).count(), said(Answer::Reject).count());
        let ends = approval.rejections.max(1) as usize;
        let fits = match approval.state {
            ApprovalState::Approved => no < ends && yes >= approval.required as usize,
            ApprovalState::Rejected => no >= ends,
            ApprovalState::Pending | ApprovalState::Withdrawn | ApprovalState::Expired => no < ends,
        };
        if !fits {
            let (state, required) = (approval.state, approval.required);
            let detail = format!("is {state}, with {yes} of {required} who approved and {no} who rejected");
            faults.add("/state", detail);
        }
        faults
    }

    fn wrong_with(
        &self,
        approval: &Approval,
        decision: &Decision,
        release: &Release,
    ) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        if decision.digest != release.digest {
            wrong.push((
                "digest",
                format!("is not that of the release, {}", release.digest),
            ));
        }
        // Who says no to a plan that was changed since has said no all the same.
        if decision.answer == Answer::Approve && decision.plan_digest != self.plan_digest {
            wrong.push((
                "plan_digest",
                format!("is not that of the plan, {}", self.plan_digest),
            ));
        }
        for (field, behind) in decision.behind() {
            let is = |person: &Person| person.id == behind.id;
            let involved = [
                (is(&release.author), "composed the release"),
                (release.editors.iter().any(is), "edited the release"),
                (is(&release.sealed.by), "sealed the release"),
                (is(&self.requested_by), "asked for the deployment"),
            ];
            for (_, how) in involved.into_iter().filter(|(is, _)| *is) {
                wrong.push((field, format!("{} {how}: separation of duties", behind.name)));
            }
        }
        if decision.at < self.requested_at {
            wrong.push(("at", "is before the deployment was asked for".to_owned()));
        }
        if approval.asked == Asked::Before
            && decision.answer == Answer::Approve
            && self.started_at.is_some_and(|started| decision.at > started)
        {
            wrong.push(("at", "is after work began".to_owned()));
        }
        wrong
    }
}

impl Decision {
    /// Whoever took it, and the one in whose place, with the field that names them.
    fn behind(&self) -> impl Iterator<Item = (&'static str, &Person)> {
        let for_whom = self.on_behalf_of.iter().map(|person| ("on_behalf_of", person));
        std::iter::once(("by", &self.by)).chain(for_whom)
    }
}

fn landing(target: &Target) -> Landing {
    Landing {
        cluster: target.cluster.to_string(),
        namespace: target.namespace.to_string(),
        wave: target.wave as usize,
        intent: target.intent,
        rendering: target.planned,
    }
}
