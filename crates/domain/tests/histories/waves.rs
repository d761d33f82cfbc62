//! What follows when a target has ended: the planner's answer, carried out.

use crate::world::{Broken, World};
use slipway_domain::{
    deployment::{Kind, State, TargetState, Transition},
    plan::deployment::{Next, Outcome, TargetFacts, next},
};

impl World {
    /// Does what the planner says for a running deployment.
    pub(crate) fn advance(&mut self, of: usize) {
        if !matches!(self.deployments[of].state, State::Running { .. }) {
            return;
        }
        let d = &self.deployments[of];
        let facts: Vec<TargetFacts> = d
            .targets
            .iter()
            .map(|target| TargetFacts {
                wave: target.wave,
                state: target.state,
                name: target.place.to_string(),
                reason: target.reason.clone(),
                finished_at: target.finished_at,
            })
            .collect();
        let waves = match d.kind {
            Kind::Deploy => self.environments[d.environment].waves.clone(),
            Kind::RollBack | Kind::Heal => Vec::new(),
        };
        match next(&waves, &facts, self.now) {
            Next::Wait => self.deployments[of].look_at = None,
            Next::Soak { until, .. } => {
                self.deployments[of].look_at = (self.broken != Broken::SoakHasNoEnd).then_some(until);
            }
            Next::Start(which) => {
                for index in which {
                    self.deployments[of].targets[index].state = TargetState::Running;
                    self.enqueue(of, index);
                }
                self.deployments[of].look_at = None;
            }
            Next::Finish(outcome) => self.finish(of, outcome),
        }
    }

    fn finish(&mut self, of: usize, outcome: Outcome) {
        match outcome {
            Outcome::Succeeded { remark } => {
                self.apply(of, Transition::Succeed { remark });
            }
            Outcome::Failed { reason } => {
                let d = &self.deployments[of];
                let undo = d.kind == Kind::Deploy && self.environments[d.environment].automatic_rollback;
                if !undo || self.roll_back(of, &reason).is_none() {
                    self.apply(of, Transition::Fail { reason });
                }
            }
            Outcome::Errored { reason } => {
                self.apply(of, Transition::Error { reason });
            }
        }
    }
}
