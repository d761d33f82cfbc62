//! Rolling back: a deployment of its own, from stored renderings.

use crate::{
    people::new_target,
    world::{Broken, Deployment, World},
};
use slipway_domain::{
    deployment::{Kind, State, StateName, TargetState, Transition},
    plan::target::{Intent, Step},
    render::Rendering,
};

impl World {
    /// A person rolls a deployment back.
    pub(crate) fn roll_back_by_hand(&mut self, of: usize) -> Option<usize> {
        use StateName::{Cancelled, Errored, Failed, Paused, Running, Succeeded};
        let state = self.deployments[of].state.name();
        let possible = matches!(state, Running | Paused | Succeeded | Failed | Errored | Cancelled);
        if !possible || self.deployments[of].kind == Kind::RollBack && !state.is_terminal() {
            return None;
        }
        self.roll_back(of, "rolled back by otto")
    }

    /// Starts a rollback of what a deployment touched; none when it touched nothing, or something newer rests on it.
    pub(crate) fn roll_back(&mut self, of: usize, reason: &str) -> Option<usize> {
        let mut targets = Vec::new();
        for target in &self.deployments[of].targets {
            let begun = |step| target.progress.begun_at(step).is_some();
            if target.generation.is_none() || !begun(Step::Namespace) && !begun(Step::Guard) {
                continue;
            }
            let place = &self.places[target.place];
            let still_runs = place
                .now
                .as_ref()
                .is_some_and(|now| now.rendering == target.rendering);
            if target.generation != Some(place.generation) && !still_runs {
                return None;
            }
            let back = target.previous.clone();
            let intent = if back.is_some() {
                Intent::RollBack
            } else {
                Intent::Clean
            };
            let mut rendering = back.as_ref().map(|back| back.rendering);
            if let (Broken::RollbackRendersAgain, Some(back)) = (self.broken, &back) {
                rendering = Some(
                    self.render(back.release, self.deployments[of].environment)?
                        .digest(),
                );
            }
            let rendering = rendering.unwrap_or_else(|| nothing().digest());
            targets.push(new_target(
                target.place,
                0,
                intent,
                back.map(|back| back.release),
                rendering,
            ));
        }
        if targets.is_empty() {
            return None;
        }
        self.renderings.insert(nothing().digest(), nothing());
        let undone = &self.deployments[of];
        let new = Deployment {
            id: self.next_deployment_id(),
            kind: Kind::RollBack,
            environment: undone.environment,
            release: targets[0].release,
            digest: undone.digest,
            not_before: None,
            expires_at: self.now + self.environments[undone.environment].expires_after,
            state: State::Pending,
            approval: None,
            rolls_back: Some(of),
            rolled_back_by: None,
            targets,
            look_at: Some(self.now),
            gates: Vec::new(),
        };
        let by = new.id;
        self.deployments.push(new);
        let id = self.deployments.len() - 1;
        self.deployments[of].rolled_back_by = Some(id);
        if matches!(
            self.deployments[of].state,
            State::Running { .. } | State::Paused { .. }
        ) {
            let reason = reason.to_owned();
            self.apply(of, Transition::RollBack { reason, by });
            self.drop_idle(of);
            let now = self.now;
            for target in self.deployments[of]
                .targets
                .iter_mut()
                .filter(|t| !t.state.is_terminal())
            {
                target.state = TargetState::Cancelled;
                target.finished_at = Some(now);
            }
        }
        self.judge(id);
        Some(id)
    }

    /// When a rollback has ended, so has what it undoes.
    pub(crate) fn settle_undone(&mut self, of: usize) {
        let Some(undone) = self.deployments[of].rolls_back else {
            return;
        };
        let State::RollingBack { by, .. } = &self.deployments[undone].state else {
            return;
        };
        if *by != self.deployments[of].id || self.broken == Broken::UndoneIsForgotten {
            return;
        }
        let transition = match self.deployments[of].state.name() {
            StateName::Succeeded => Transition::RolledBack,
            other => Transition::Fail {
                reason: format!("its rollback was {other}"),
            },
        };
        self.apply(undone, transition);
    }
}

/// Nothing runs.
pub(crate) const fn nothing() -> Rendering {
    Rendering {
        objects: Vec::new(),
        hooks: Vec::new(),
    }
}
