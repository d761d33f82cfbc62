//! Bringing the facts to the gates, and doing what they say: before the claim to show where a deployment stands, at the
//! claim to admit it.

use crate::world::{Broken, World};
use jiff::{SignedDuration, Timestamp};
use slipway_domain::{
    Digest,
    approval::Approval,
    deployment::{Kind, State, Transition},
    gates::{
        self, Facts, Gate, GateName, approval, concurrency, evidence, process, promotion, rollback, schedule,
    },
    policy::Judgement,
};
use std::collections::BTreeMap;

impl World {
    /// Everything that the gates of a deployment are judged on.
    pub(crate) fn facts(&self, of: usize) -> Facts {
        let d = &self.deployments[of];
        let lighter = d.kind == Kind::RollBack;
        let release_problem = d
            .release
            .and_then(|release| match self.releases[release].deployable() {
                Err(refused) => Some(refused.to_string()),
                Ok(seal) => (Some(seal.digest) != d.digest).then(|| "another digest".to_owned()),
            });
        let holder = self.holder(of).map(|holder| concurrency::Holder {
            id: self.deployments[holder].id,
            release: "shop".to_owned(),
            state: self.deployments[holder].state.name(),
            finishing: self.deployments[holder].state.name().is_terminal(),
        });
        let promotion = self.environments[d.environment]
            .promotes_from
            .filter(|_| !lighter);
        let promotion = promotion.zip(d.digest).map(|(from, digest)| {
            let success = self.last_success(from, digest);
            promotion::Facts {
                from: "staging".parse().unwrap(),
                soak: self.environments[d.environment].promotion_soak,
                succeeded_at: success
                    .and_then(|s| self.deployments[s].state.ended())
                    .map(|ended| ended.finished_at),
                undone_by: success.and_then(|s| self.undone(s)).map(|by| by.to_string()),
                failing: Vec::new(),
                release: "shop".to_owned(),
            }
        });
        Facts {
            kind: if self.broken == Broken::RollbackNeedsTheRelease {
                Kind::Deploy
            } else {
                d.kind
            },
            release_problem,
            promotion,
            process: process::Facts {
                process: "default".parse().unwrap(),
                version: 1,
                stage: Some("anywhere".parse().unwrap()),
                environment: "somewhere".parse().unwrap(),
                before: None,
                release: "shop".to_owned(),
            },
            policies: Judgement::default(),
            overrides: Vec::new(),
            asked_for: d
                .approval
                .iter()
                .filter_map(|_| self.raised(d.environment))
                .collect(),
            evidence: evidence::Facts::default(),
            approvals: d
                .approval
                .iter()
                .map(|approval| self.approval_facts(of, approval))
                .collect(),
            schedule: schedule::Facts {
                not_before: d.not_before,
                expires_at: d.expires_at,
            },
            rollback: rollback::Facts {
                targets: d
                    .targets
                    .iter()
                    .filter(|_| !lighter)
                    .map(|target| self.undo_facts(target.place))
                    .collect(),
            },
            concurrency: concurrency::Facts {
                holder,
                overtaken_on: self.overtaken_on(of),
                landed_on: Vec::new(),
            },
        }
    }

    fn approval_facts(&self, of: usize, request: &Approval) -> approval::Facts {
        let (judged, quorum) = self.request(request).judge(&[]);
        approval::Facts {
            id: request.id,
            asked: request.asked,
            state: request.state,
            requirements: request.requirements.clone(),
            judged,
            quorum,
            expires_at: None,
            digest: request.digest,
            unchanged: Some(request.digest) == self.deployments[of].digest,
            changes: Vec::new(),
            rejected_by: None,
            names: BTreeMap::default(),
        }
    }

    fn undo_facts(&self, place: usize) -> rollback::TargetFacts {
        let now = self.places[place].now.as_ref();
        rollback::TargetFacts {
            target: place.to_string(),
            previous: now.map(|now| now.release.to_string()),
            runs: now.map(|now| now.rendering),
            brings: Digest::of_bytes(b""),
            rendering_kept: now.is_none_or(|now| self.renderings.contains_key(&now.rendering)),
        }
    }

    /// Whoever holds the environment, or is still at work there; what is undone by this one does not count.
    pub(crate) fn holder(&self, of: usize) -> Option<usize> {
        let d = &self.deployments[of];
        (0..self.deployments.len()).find(|&other| {
            let o = &self.deployments[other];
            other != of
                && Some(other) != d.rolls_back
                && o.environment == d.environment
                && (o.state.name().holds_environment() || self.is_at_work(other))
        })
    }

    /// Targets of a rollback where somebody has been at work since what it undoes.
    fn overtaken_on(&self, of: usize) -> Vec<String> {
        let Some(undone) = self.deployments[of].rolls_back else {
            return Vec::new();
        };
        let undone = &self.deployments[undone];
        let mut overtaken = Vec::new();
        for target in &self.deployments[of].targets {
            let before = undone.targets.iter().find(|before| before.place == target.place);
            if before.and_then(|before| before.generation) != Some(self.places[target.place].generation) {
                overtaken.push(target.place.to_string());
            }
        }
        overtaken
    }

    /// The gates' own verdicts, at the time that the database says it is.
    pub(crate) fn evaluate(&self, of: usize) -> Vec<Gate> {
        let now = if self.broken == Broken::ClockOfItsOwn {
            Timestamp::from_second(1_000_000_300).unwrap()
        } else {
            self.now
        };
        let mut gates = gates::evaluate(&self.facts(of), now);
        match self.broken {
            Broken::ApprovalGateLeftOut => gates.retain(|gate| gate.name != GateName::Approval),
            Broken::ConcurrencyGateLeftOut if gates.len() > 1 => {
                gates.retain(|gate| gate.name != GateName::Concurrency);
            }
            _ => {}
        }
        gates
    }

    /// Judges a deployment that has not begun: queues, holds, rejects or expires it.
    pub(crate) fn judge(&mut self, of: usize) {
        let state = self.deployments[of].state.clone();
        if !matches!(state, State::Pending | State::Queued) {
            return;
        }
        let gates = self.evaluate(of);
        let expires_at = self.deployments[of].expires_at;
        let mut boundary = gates::next_boundary(&gates).unwrap_or(expires_at).min(expires_at);
        let holds = |gate: &Gate| matches!(gate.verdict, gates::Verdict::Satisfied { .. });
        if gates
            .iter()
            .all(|gate| holds(gate) || gate.name == GateName::Concurrency)
        {
            boundary = boundary.min(self.after(5));
        }
        let verdicts: Vec<_> = gates
            .iter()
            .map(|gate| format!("{} {}", gate.name, holds(gate)))
            .collect();
        self.tell(&format!("{of}: {}", verdicts.join(", ")));
        self.deployments[of].look_at = Some(boundary);
        let transition = if self.now >= expires_at {
            Some(Transition::Expire)
        } else if let Some(refused) = gates::refusal(&gates) {
            let reason = format!("{}: refused", refused.name);
            Some(Transition::Reject { reason })
        } else {
            match (&state, gates::all_satisfied(&gates)) {
                (State::Pending, true) => Some(Transition::Queue),
                (State::Queued, false) => Some(Transition::Hold),
                _ => None,
            }
        };
        self.deployments[of].gates = gates;
        let Some(transition) = transition else { return };
        let (queued, held) = (transition == Transition::Queue, transition == Transition::Hold);
        self.apply(of, transition);
        if queued {
            self.enqueue(of, 0);
            self.deployments[of].look_at = Some(expires_at);
        } else if held {
            self.drop_idle(of);
            self.deployments[of].look_at = Some(boundary);
        }
    }

    /// The claim's own judgement: the only one that admits.
    pub(crate) fn admit(&mut self, of: usize) -> bool {
        if self.deployments[of].state != State::Queued {
            return false;
        }
        let gates = self.evaluate(of);
        if !gates::all_satisfied(&gates) && self.broken != Broken::NotJudgedAtTheClaim {
            let transition = match gates::refusal(&gates) {
                Some(_) if self.now >= self.deployments[of].expires_at => Transition::Hold,
                Some(gate) => Transition::Reject {
                    reason: format!("{}: refused", gate.name),
                },
                None => Transition::Hold,
            };
            self.apply(of, transition);
            self.drop_idle(of);
            return false;
        }
        self.must_be_admissible(of);
        self.apply(of, Transition::Admit);
        self.look_again();
        if self.deployments[of].kind == Kind::Deploy {
            self.supersede_earlier(of);
        }
        self.advance(of);
        self.deployments[of].state.name() == slipway_domain::deployment::StateName::Running
    }

    /// What was asked for earlier and still waits must not come after this.
    fn supersede_earlier(&mut self, of: usize) {
        for earlier in 0..of {
            let d = &self.deployments[earlier];
            let waits = matches!(d.state, State::Pending | State::Queued);
            if !waits || d.kind != Kind::Deploy || d.environment != self.deployments[of].environment {
                continue;
            }
            if d.state == State::Queued {
                self.apply(earlier, Transition::Hold);
                self.drop_idle(earlier);
            }
            let by = self.deployments[of].id;
            self.apply(earlier, Transition::Supersede { by });
        }
    }

    /// Everything that waits is looked at again: a fact has changed.
    pub(crate) fn look_again(&mut self) {
        let now = self.now;
        for d in &mut self.deployments {
            if matches!(d.state, State::Pending | State::Queued) {
                d.look_at = Some(now);
            }
        }
    }

    /// The scheduler's look: what is due is judged, or goes on.
    pub(crate) fn look(&mut self) {
        for of in 0..self.deployments.len() {
            if self.deployments[of].look_at.is_none_or(|at| at > self.now) {
                continue;
            }
            match self.deployments[of].state {
                State::Pending | State::Queued => self.judge(of),
                State::Running { .. } => self.advance(of),
                _ => self.deployments[of].look_at = None,
            }
        }
    }

    /// The next time at which something happens by itself.
    pub(crate) fn next_time(&self) -> Option<Timestamp> {
        let looks = self.deployments.iter().filter_map(|d| d.look_at);
        let work = self.work.iter().filter_map(crate::queue::Unit::next_time);
        looks
            .chain(work)
            .min()
            .map(|at| at.max(self.now + SignedDuration::from_secs(1)))
    }
}
