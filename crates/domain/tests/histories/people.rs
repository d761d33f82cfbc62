//! What people ask for: each either changes something, or is refused and changes nothing.

use crate::world::{Broken, Deployment, Target, World};
use slipway_domain::{
    Digest,
    approval::{
        Answer, Approval, ApprovalState, Asked, Decision, Entitled, Involved, Involvement, Person,
        Requirement, SignedIn, Source, Told, decide, delegation::At, merge,
    },
    deployment::{Kind, State, StateName, TargetState, Transition},
    identity::{Place, Role},
    ids::{ApprovalId, DecisionId, PrincipalId},
    plan::target::{Intent, Progress},
    release::Seal,
};

const fn involved(who: PrincipalId, how: Involvement) -> Involved {
    Involved {
        who,
        how,
        through_delegate: false,
    }
}

impl World {
    /// Changes a release's notes.
    pub(crate) fn edit(&mut self, of: usize) {
        let may = self.releases[of].check_editable().is_ok() || self.broken == Broken::SealedReleaseEdited;
        if may {
            self.releases[of].notes.push('x');
        }
    }

    pub(crate) fn seal(&mut self, of: usize) {
        let digest = self.releases[of].content_digest().unwrap();
        let seal = Seal {
            digest,
            by: self.people[1],
            at: self.now,
        };
        if let Ok(sealed) = self.releases[of].clone().seal(seal) {
            self.releases[of] = sealed;
        }
    }

    /// What waits with it is rejected; what runs stays.
    pub(crate) fn withdraw(&mut self, of: usize) {
        let Ok(withdrawn) = self.releases[of]
            .clone()
            .withdraw("found wanting".to_owned(), self.now)
        else {
            return;
        };
        self.releases[of] = withdrawn;
        for id in 0..self.deployments.len() {
            let waits = matches!(self.deployments[id].state, State::Pending | State::Queued);
            if waits && self.deployments[id].release == Some(of) && self.deployments[id].kind == Kind::Deploy
            {
                let reason = "the release was withdrawn".to_owned();
                self.apply(id, Transition::Reject { reason });
            }
        }
    }

    /// Somebody changes an environment's configuration: what is planned already keeps its plan.
    pub(crate) fn repaint(&mut self, environment: usize) {
        self.environments[environment].colour += 1;
    }

    /// Asks for a deployment: targets and renderings are fixed, people are asked, the gates are judged.
    pub(crate) fn ask(
        &mut self,
        release: usize,
        environment: usize,
        not_before: Option<i64>,
    ) -> Option<usize> {
        let seal = self.releases[release].deployable().ok()?.clone();
        if let Some(from) = self.environments[environment].promotes_from {
            // Asking for what the stage before has not shown to work is refused.
            let success = self.last_success(from, seal.digest)?;
            if self.undone(success).is_some() {
                return None;
            }
        }
        let rendering = self.render(release, environment)?;
        let digest = rendering.digest();
        self.renderings.insert(digest, rendering);
        let targets = self
            .places
            .iter()
            .enumerate()
            .filter(|(_, place)| place.environment == environment);
        let targets: Vec<Target> = targets
            .map(|(place, row)| new_target(place, row.wave, Intent::Apply, Some(release), digest))
            .collect();
        let not_before = not_before.map(|seconds| self.after(seconds));
        let place = &self.environments[environment];
        let expires_at = not_before.unwrap_or(self.now).max(self.now) + place.expires_after;
        let id = self.next_deployment_id();
        let approval = (place.approvals > 0).then(|| Approval {
            id: ApprovalId::from_uuid(id.uuid()),
            deployment: id,
            asked: Asked::Before,
            requirements: merge(self.raised(environment).into_iter().collect()),
            digest: seal.digest,
            plan_digest: digest,
            document: None,
            state: ApprovalState::Pending,
            involved: vec![
                involved(self.people[0], Involvement::Author),
                involved(seal.by, Involvement::Sealer),
            ],
            decisions: Vec::new(),
            told: Told::default(),
            revision: 1,
            created_at: self.now,
        });
        self.deployments.push(Deployment {
            id,
            kind: Kind::Deploy,
            environment,
            release: Some(release),
            digest: Some(seal.digest),
            not_before,
            expires_at,
            state: State::Pending,
            approval,
            rolls_back: None,
            rolled_back_by: None,
            targets,
            look_at: Some(self.now),
            gates: Vec::new(),
        });
        let id = self.deployments.len() - 1;
        self.judge(id);
        Some(id)
    }

    /// What an environment asks for.
    pub(crate) fn raised(&self, environment: usize) -> Option<(Source, Requirement)> {
        let count = self.environments[environment].approvals;
        let name = format!("place-{environment}").parse().unwrap();
        (count > 0).then(|| {
            (
                Source::Environment { name },
                Requirement::new(Role::Authority, count),
            )
        })
    }

    /// Somebody, and what they are entitled to now.
    fn entitled(&self, person: usize) -> Entitled {
        let authority = (!self.disentitled.contains(&person)).then_some(Role::Authority);
        Entitled {
            id: self.people[person],
            person: Person {
                issuer: "people".to_owned(),
                subject: person.to_string(),
            },
            roles: authority.into_iter().collect(),
            groups: Vec::new(),
        }
    }

    /// A request as far as deciding goes, by what everybody is entitled to now.
    pub(crate) fn request(&self, approval: &Approval) -> decide::Request {
        let all = (0..self.people.len()).map(|person| (self.people[person], self.entitled(person)));
        approval.request(&all.collect())
    }

    /// Decides on a deployment's approval.
    pub(crate) fn decide(&mut self, of: usize, person: usize, yes: bool) {
        let Some(mut approval) = self.deployments[of].approval.clone() else {
            return;
        };
        let attempt = decide::Attempt {
            by: self.entitled(person),
            person_signed_in: true,
            signed_in: SignedIn::default(),
            on_behalf_of: None,
            answer: if yes { Answer::Approve } else { Answer::Reject },
            subject: approval.subject(),
        };
        let around = decide::Circumstances {
            at: At {
                approval: approval.id,
                place: &Place::everywhere(),
            },
            stand_ins: &[],
            delegations: &[],
        };
        if let Ok(outcome) = self.request(&approval).decide(&attempt, &around, self.now) {
            approval.state = outcome.state;
            approval.decisions.push(Decision {
                id: DecisionId::from_uuid(approval.id.uuid()),
                by: outcome.taken.by,
                of: outcome.taken.of.id,
                delegation: None,
                signed_in: outcome.taken.signed_in,
                claimed_roles: Vec::new(),
                answer: outcome.taken.answer,
                subject: outcome.taken.subject,
                comment: None,
                at: outcome.taken.at,
                withdrawn: None,
            });
            self.deployments[of].approval = Some(approval);
            if self.broken == Broken::CancelledIsRevived
                && self.deployments[of].state.name() == StateName::Cancelled
            {
                self.apply(of, Transition::Queue);
            }
            self.judge(of);
        }
    }

    pub(crate) fn pause(&mut self, of: usize) {
        let reason = "paused by otto".to_owned();
        if self.apply(of, Transition::Pause { reason }) {
            self.park_all(of);
        }
    }

    pub(crate) fn resume(&mut self, of: usize) {
        if self.apply(of, Transition::Resume) {
            if self.broken != Broken::ResumeLeavesWorkParked {
                self.unpark_all(of);
            }
            self.advance(of);
        }
    }

    pub(crate) fn cancel(&mut self, of: usize) {
        let reason = "cancelled by otto".to_owned();
        self.apply(of, Transition::Cancel { reason });
    }

    /// The same again, through every gate.
    pub(crate) fn retry(&mut self, of: usize) {
        use StateName::{Cancelled, Errored, Expired, Failed, RolledBack};
        let deployment = &self.deployments[of];
        let ended = matches!(
            deployment.state.name(),
            Failed | Errored | Cancelled | RolledBack | Expired
        );
        if let (true, Kind::Deploy, Some(release)) = (ended, deployment.kind, deployment.release) {
            self.ask(release, deployment.environment, None);
        }
    }

    /// The last deployment of this digest that succeeded there.
    pub(crate) fn last_success(&self, environment: usize, digest: Digest) -> Option<usize> {
        let all = self.deployments.iter().enumerate();
        all.filter(|(_, d)| {
            d.kind == Kind::Deploy && d.environment == environment && d.digest == Some(digest)
        })
        .filter(|(_, d)| matches!(d.state, State::Succeeded(_)))
        .max_by_key(|(_, d)| d.state.ended().map(|e| e.finished_at))
        .map(|(id, _)| id)
    }

    /// What undid it, and did not fail at it.
    pub(crate) fn undone(&self, of: usize) -> Option<usize> {
        use StateName::{Cancelled, Errored, Expired, Failed, Rejected};
        self.deployments[of].rolled_back_by.filter(|by| {
            !matches!(
                self.deployments[*by].state.name(),
                Failed | Errored | Cancelled | Rejected | Expired
            )
        })
    }
}

pub(crate) fn new_target(
    place: usize,
    wave: usize,
    intent: Intent,
    release: Option<usize>,
    rendering: Digest,
) -> Target {
    Target {
        place,
        wave,
        intent,
        release,
        rendering,
        generation: None,
        previous: None,
        state: TargetState::Waiting,
        reason: None,
        finished_at: None,
        progress: Progress::default(),
    }
}
