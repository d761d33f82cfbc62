//! What is to be kept elsewhere beside exports: checkpoints, keys, and proofs.

use super::trust::{checkpoint, kept, trusted};
use crate::client::{
    Context,
    exit::{Exit, Failure},
    files,
    http::Query,
    output::{Show, some_time, time},
};
use clap::Args;
use slipway_api_types::{
    Reason,
    audit::{AuditCheckpoint, AuditKey, AuditKeys, AuditProof},
};
use slipway_domain::Digest;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Checkpoint {
    /// Where to write it; standard output by default
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Checkpoint {
    pub(super) async fn run(self, cx: &Context) -> Result<(), Failure> {
        let reply = cx.api.get(&["v1", "audit", "checkpoint"], &Query::new()).await?;
        if cx.out.json_wanted() {
            return cx.out.json(&reply.body);
        }
        let checkpoint: AuditCheckpoint = reply.read()?;
        let signed = checkpoint.signed.ok_or_else(|| Failure::Outcome {
            exit: Exit::Refused,
            what: "nothing of the record is signed yet; that takes a few seconds".to_owned(),
        })?;
        match self.file {
            Some(path) => files::create(&path)?.write(signed.note.as_bytes())?,
            None => cx.out.print(&signed.note)?,
        }
        cx.out
            .note(&format!("{} entries, signed {}", signed.size, time(signed.at)));
        Ok(())
    }
}

pub(super) async fn keys(cx: &Context) -> Result<(), Failure> {
    let reply = cx.api.get(&["v1", "audit", "keys"], &Query::new()).await?;
    if cx.out.json_wanted() {
        return cx.out.json(&reply.body);
    }
    cx.out.rows(&reply.read::<AuditKeys>()?.items)
}

#[derive(Debug, Args)]
pub(crate) struct RotateKey {
    /// Why, for those who verify with the key before
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl RotateKey {
    pub(super) async fn run(self, cx: &Context) -> Result<(), Failure> {
        let reason = Reason {
            reason: Some(self.reason),
        };
        let reply = cx.api.post(&["v1", "audit", "keys", "rotate"], &reason).await?;
        cx.out.one::<AuditKey>(&reply)?;
        cx.out.note(
            "give it to those who verify the record; what was signed before is verified with the key before",
        );
        Ok(())
    }
}

impl Show for AuditKey {
    const COLUMNS: &'static [&'static str] = &["KEY", "SINCE", "RETIRED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.verifier_key.clone(),
            time(self.created_at),
            some_time(self.retired_at),
        ]
    }

    fn key(&self) -> String {
        self.verifier_key.clone()
    }
}

#[derive(Debug, Args)]
pub(crate) struct Proof {
    /// The number of the entry that is to be in the record
    #[arg(value_name = "SEQ", required_unless_present = "from", conflicts_with = "from")]
    entry: Option<i64>,
    /// A checkpoint that was kept earlier: the record must go on from it
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// A key that is trusted to sign the record (`slipway audit keys`), or a file with such keys; else what the server signed
    /// is taken as it is
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
}

impl Proof {
    pub(super) async fn run(self, cx: &Context) -> Result<(), Failure> {
        let keys = trusted(&self.key)?;
        let kept = self
            .from
            .as_deref()
            .map(|path| kept(path, &keys))
            .transpose()?
            .map(|kept| kept.head);
        let mut query = Query::new();
        match (&kept, self.entry) {
            (Some(kept), _) => query.push(("from", kept.size.to_string())),
            (None, Some(entry)) => query.push(("entry", entry.to_string())),
            (None, None) => {}
        }
        let reply = cx.api.get(&["v1", "audit", "proof"], &query).await?;
        let proof: AuditProof = reply.read()?;
        let head = checkpoint(&proof.checkpoint.note, &keys)
            .map_err(|error| not_proved(&error))?
            .head;
        let hashes = proof
            .hashes
            .iter()
            .map(|hash| digest(hash))
            .collect::<Result<Vec<_>, _>>()?;
        let told = if let Some(kept) = kept {
            head.verify_consistency(kept, &hashes)
                .map_err(|error| not_proved(&error.to_string()))?;
            format!(
                "the record goes on from the checkpoint over {} entries: it has {} now",
                kept.size, head.size
            )
        } else {
            let entry = self.entry.unwrap_or_default();
            let digest = digest(&proof.digest)?;
            head.verify_inclusion(entry, digest, &hashes)
                .map_err(|error| not_proved(&error.to_string()))?;
            format!(
                "entry {entry}, {digest}, is in the record of {} entries",
                head.size
            )
        };
        if cx.out.json_wanted() {
            return cx.out.json(&reply.body);
        }
        cx.out.line(&told)?;
        if keys.is_empty() {
            cx.out
                .note("its signature was not verified: say with --key which key is trusted");
        }
        Ok(())
    }
}

fn not_proved(why: &str) -> Failure {
    Failure::Outcome {
        exit: Exit::Refused,
        what: format!("the proof does not hold: {why}"),
    }
}

fn digest(text: &str) -> Result<Digest, Failure> {
    text.parse()
        .map_err(|error| not_proved(&format!("`{text}`: {error}")))
}
