//! What must hold of a certificate as a whole.

use super::{Outcome, Predicate};
use crate::{Faults, audit::SignedCheckpoint, signing::VerifyingKey};
use jiff::Timestamp;

impl Predicate {
    /// Everything that does not fit together in it, by pointers. The checkpoint is verified with these keys.
    #[must_use]
    pub fn check(&self, keys: &[VerifyingKey]) -> Faults {
        let mut faults = Faults::new();
        self.check_evidence(&mut faults);
        for (index, deployment) in self.deployments.iter().enumerate() {
            faults.nest(&format!("/deployments/{index}"), deployment.check(&self.release));
        }
        let outcome = Outcome::of(&self.deployments);
        if self.outcome != outcome {
            let detail = format!("is not what follows from the deployments, `{}`", outcome.as_str());
            faults.add("/outcome", detail);
        }
        if let Some(note) = &self.checkpoint {
            faults.take("/checkpoint", checkpoint(note, keys));
        }
        if let Some(last) = self.last().filter(|last| *last > self.issued_at) {
            faults.add("/issued_at", format!("is before {last}, of which it tells"));
        }
        faults
    }

    fn check_evidence(&self, faults: &mut Faults) {
        for (index, evidence) in self.evidence.iter().enumerate() {
            let about = evidence.about;
            let is_part = self.components.iter().any(|one| one.digest == about);
            if about != self.release.digest && !is_part {
                let detail = format!("{about} is neither the release nor one of its components");
                faults.add(format!("/evidence/{index}/about"), detail);
            }
        }
    }

    /// The last moment that it tells of.
    fn last(&self) -> Option<Timestamp> {
        let stated = self.evidence.iter().map(|evidence| evidence.stated_at);
        let ended = self.deployments.iter().flat_map(|one| {
            let decided = one.approvals.iter().flat_map(|approval| &approval.decisions);
            let times = [Some(one.requested_at), one.started_at, one.finished_at];
            times
                .into_iter()
                .flatten()
                .chain(decided.map(|decision| decision.at))
        });
        stated.chain(ended).chain([self.release.sealed.at]).max()
    }
}

/// Whether a signed note is a checkpoint that a known key signed.
fn checkpoint(note: &str, keys: &[VerifyingKey]) -> Result<(), String> {
    let signed: SignedCheckpoint = note.parse().map_err(|error| format!("{error}"))?;
    signed.verify(keys).map(drop).map_err(|error| error.to_string())
}
