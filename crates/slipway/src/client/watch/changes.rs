//! What changed between two readings of a deployment, in lines for people.

use super::blocker;
use crate::client::{commands::deploy_target as target, output::time};
use slipway_api_types::deployment::{Blocker, Deployment, DeploymentTarget};
use std::collections::{BTreeMap, VecDeque};

/// One change, as a line.
#[derive(Debug)]
pub(super) struct Change {
    /// The line, without a time where the server gave none.
    pub(super) text: String,
    /// Whether the bar of a target shows it too.
    pub(super) on_a_bar: bool,
}

/// Remembers the last reading.
#[derive(Debug, Default)]
pub(super) struct Changes {
    begun: bool,
    /// The state that each target was in.
    targets: BTreeMap<String, String>,
    blockers: Vec<Blocker>,
    told: Vec<String>,
    /// What was said lately: a line does not say it again.
    said: VecDeque<String>,
}

/// How much of what was said is remembered.
const LATELY: usize = 50;

impl Changes {
    /// Takes note of what an event said.
    pub(super) fn heard(&mut self, message: &str) {
        if self.said.len() == LATELY {
            self.said.pop_front();
        }
        self.said.push_back(message.to_owned());
    }

    /// What changed since the last reading; everything, the first time.
    pub(super) fn since_last(&mut self, deployment: &Deployment) -> Vec<Change> {
        let mut lines = Vec::new();
        if !std::mem::replace(&mut self.begun, true) {
            let text = format!(
                "{}  {} is {}",
                time(deployment.since),
                super::named(deployment),
                deployment.state
            );
            lines.push(Change {
                text,
                on_a_bar: false,
            });
        }
        for now in &deployment.targets {
            let before = self.targets.insert(now.id.clone(), now.state.clone());
            // Steps and readiness are told by the record; a target that has done nothing yet says nothing.
            let quiet = before.is_none() && now.state == "waiting" && now.reason.is_none();
            if before.is_none_or(|state| state != now.state) && !quiet {
                lines.push(Change {
                    text: self.line(now),
                    on_a_bar: true,
                });
            }
        }
        let waiting = deployment
            .blockers
            .iter()
            .filter(|blocker| self.is_worth_telling(blocker));
        let waiting: Vec<_> = waiting.map(blocker).collect();
        for text in waiting.iter().filter(|text| !self.told.contains(text)) {
            lines.push(Change {
                text: format!("waiting for {text}"),
                on_a_bar: false,
            });
        }
        self.told = waiting;
        self.blockers.clone_from(&deployment.blockers);
        lines
    }

    /// What targets wait for is in their own lines; an executor is worth a word only when it does not come at once.
    fn is_worth_telling(&self, blocker: &Blocker) -> bool {
        match blocker.kind.as_str() {
            "target" => false,
            "executor" => self.blockers.contains(blocker),
            _ => true,
        }
    }

    fn line(&self, now: &DeploymentTarget) -> String {
        let said = |reason: &String| self.said.iter().any(|message| message.contains(reason.as_str()));
        let text = if now.reason.as_ref().is_some_and(said) {
            target(&DeploymentTarget {
                reason: None,
                ..now.clone()
            })
        } else {
            target(now)
        };
        match now.finished_at {
            Some(at) => format!("{}  {text}", time(at)),
            None => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::deployment;
    use serde_json::json;

    fn told(changes: &mut Changes, deployment: &Deployment) -> String {
        changes
            .since_last(deployment)
            .into_iter()
            .map(|change| change.text)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn read(state: &str, targets: serde_json::Value, blockers: serde_json::Value) -> Deployment {
        let mut value = deployment(state);
        value["targets"] = targets;
        value["blockers"] = blockers;
        serde_json::from_value(value).unwrap()
    }

    fn eu(state: &str, ready: u32, reason: Option<&str>) -> serde_json::Value {
        json!([{
            "id": "dpt_eu", "cluster": "eu", "namespace": "storefront", "wave": "eu", "intent": "apply", "state": state,
            "step": "await_health", "ready": ready, "total": 3, "reason": reason, "rendering": "sha256:0"
        }])
    }

    #[test]
    fn only_what_changed_is_told() {
        let mut changes = Changes::default();
        let approval = json!([{"kind": "approval", "reason": "an authority", "unblocked_by": "ada"}]);
        let pending = read("pending", eu("waiting", 0, None), approval);
        insta::assert_snapshot!(told(&mut changes, &pending), @r"
        2026-01-02 03:04:05Z  storefront@1.0.0 to production (dep_1) is pending
        waiting for approval: an authority (moved by: ada)
        ");
        assert!(changes.since_last(&pending).is_empty());
        let running = read(
            "running",
            eu("running", 1, Some("web: 1 of 3 pods ready")),
            json!([]),
        );
        insta::assert_snapshot!(
            told(&mut changes, &running),
            @"eu/storefront: running await_health 1/3 ready - web: 1 of 3 pods ready"
        );
        let done = read("succeeded", eu("succeeded", 3, None), json!([]));
        insta::assert_snapshot!(told(&mut changes, &done), @"eu/storefront: succeeded 3/3 ready");
    }

    #[test]
    fn a_reason_is_said_once_and_an_executor_only_when_it_does_not_come() {
        let mut changes = Changes::default();
        let executor = json!([
            {"kind": "executor", "reason": "an executor"},
            {"kind": "target", "reason": "eu: web: 1 of 3 pods ready"},
        ]);
        let reading = read(
            "running",
            eu("running", 1, Some("web: 1 of 3 pods ready")),
            executor,
        );
        changes.heard("web: 1 of 3 pods ready");
        insta::assert_snapshot!(told(&mut changes, &reading), @r"
        2026-01-02 03:04:05Z  storefront@1.0.0 to production (dep_1) is running
        eu/storefront: running await_health 1/3 ready
        ");
        assert_eq!(told(&mut changes, &reading), "waiting for executor: an executor");
        assert_eq!(told(&mut changes, &reading), "");
    }
}
