//! The heads of the tree over the chain that were signed: each is what the chain comes to, and is signed with a key of this
//! installation. Whoever rewrote the whole chain did not have the key.

use super::TAMPERED;
use crate::{Error, Tx, audit};
use slipway_domain::{
    Digest,
    audit::{Frontier, SignedCheckpoint},
    doctor::{Finding, Invariant, Report},
    signing::VerifyingKey,
};
use slipway_store::audit_tree::{self, Signed};
use std::collections::VecDeque;

/// Heads that are read at once.
const PAGE: i64 = 1000;

/// Compares heads with the chain as it is gone through.
pub(super) struct Heads {
    keys: Vec<VerifyingKey>,
    frontier: Frontier,
    next: VecDeque<Signed>,
    examined: u64,
}

fn finding(check: &'static str, head: &Signed, found: String) -> Finding {
    Finding {
        invariant: Invariant::Recorded,
        check,
        subject: format!("signed head over {} entries", head.size),
        found,
        remedy: TAMPERED,
    }
}

impl Heads {
    pub(super) async fn load(tx: &mut Tx) -> Result<Self, Error> {
        let keys = audit::known_keys(tx).await?;
        Ok(Self {
            keys: keys.into_iter().map(|kept| kept.key).collect(),
            frontier: Frontier::default(),
            next: audit_tree::checkpoints_after(tx, 0, PAGE).await?.into(),
            examined: 0,
        })
    }

    pub(super) const fn examined(&self) -> u64 {
        self.examined
    }

    /// Takes the next entry.
    pub(super) async fn entry(
        &mut self,
        tx: &mut Tx,
        digest: Digest,
        report: &mut Report,
    ) -> Result<(), Error> {
        self.frontier.push(digest);
        let size = self.frontier.size();
        let Some(head) = self.next.pop_front_if(|head| head.size <= size) else {
            return Ok(());
        };
        if self.next.is_empty() {
            self.next = audit_tree::checkpoints_after(tx, head.size, PAGE).await?.into();
        }
        self.examined += 1;
        let found = self.frontier.head().root;
        if head.size == size && head.root != found {
            let what = format!("it says {}, and the chain comes to {found}", head.root);
            report.add(finding("head_contradicts_chain", &head, what));
        }
        self.signature(&head, report);
        Ok(())
    }

    fn signature(&self, head: &Signed, report: &mut Report) {
        let wrong = match head.note.parse::<SignedCheckpoint>() {
            Err(error) => error.to_string(),
            Ok(note) => match note.verify(&self.keys) {
                Err(error) => error.to_string(),
                Ok((signed, _)) if signed.head.size != head.size || signed.head.root != head.root => format!(
                    "what is signed is another head, over {} entries: {}",
                    signed.head.size, signed.head.root
                ),
                Ok(_) => return,
            },
        };
        report.add(finding("head_not_signed", head, wrong));
    }

    /// The chain has ended.
    pub(super) fn end(&self, report: &mut Report) {
        // A head that was signed meanwhile is beyond what was read; the ones before it are not.
        if let Some(head) = self.next.front() {
            let what = format!(
                "the chain ends with entry {}: entries that were signed are gone",
                self.frontier.size()
            );
            report.add(finding("head_beyond_chain", head, what));
        }
    }
}
