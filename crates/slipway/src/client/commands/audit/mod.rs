//! `slipway audit`: the tamper-evident record, read, exported, proved, and checked with and without the server.

mod export;
mod record;
mod trust;
mod verify;

pub(super) use trust::trusted;
pub(crate) use verify::Verify;

use super::filters;
use crate::client::{
    Context,
    exit::Failure,
    http::{Listing, Paging, Query},
    output::{Show, short, time},
};
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use slipway_api_types::audit::AuditEntry;

/// How many entries are read at once.
const PAGE: usize = 200;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List entries, oldest first
    List {
        /// Begin after this entry
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        after: i64,
        /// Only what this actor did
        #[arg(long)]
        actor: Option<String>,
        /// Only this action, as release.seal
        #[arg(long)]
        action: Option<String>,
        /// Only what was done to this
        #[arg(long)]
        subject: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Recompute every digest of the chain; exit code 1 at the first link that does not hold
    Verify(Verify),
    /// Write the record as JSON lines, with its signed checkpoint: to keep it elsewhere, and to verify it without the server
    Export(export::Export),
    /// Show the newest signed checkpoint; keep it elsewhere
    Checkpoint(record::Checkpoint),
    /// List the keys that the record is signed with; keep them elsewhere, too
    Keys,
    /// Sign the record with a new key from now on; the one before is retired, and verifies what it signed
    RotateKey(record::RotateKey),
    /// Prove that an entry is in the record, or that it continues an earlier checkpoint; checks the proof
    Proof(record::Proof),
}

#[derive(Debug, Serialize, Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        match self {
            Self::List {
                after,
                actor,
                action,
                subject,
                paging,
            } => {
                list(
                    cx,
                    after,
                    &filters([("actor", actor), ("action", action), ("subject", subject)]),
                    paging,
                )
                .await
            }
            Self::Verify(verify) => verify.online(cx).await,
            Self::Export(export) => export.run(cx).await,
            Self::Checkpoint(checkpoint) => checkpoint.run(cx).await,
            Self::Keys => record::keys(cx).await,
            Self::RotateKey(rotate) => rotate.run(cx).await,
            Self::Proof(proof) => proof.run(cx).await,
        }
    }
}

async fn page(cx: &Context, after: i64, filters: &Query, limit: usize) -> Result<(Page, i64), Failure> {
    let mut query = filters.clone();
    query.extend([
        ("after", after.to_string()),
        ("limit", limit.min(PAGE).to_string()),
    ]);
    let page: Page = cx.api.get(&["v1", "audit", "entries"], &query).await?.read()?;
    // A server that does not move on would be asked for ever.
    let next = page.next.filter(|next| *next > after);
    Ok((page, next.unwrap_or(after)))
}

async fn list(cx: &Context, mut after: i64, filters: &Query, paging: Paging) -> Result<(), Failure> {
    let mut items = Vec::new();
    let next = loop {
        let (page, next) = page(cx, after, filters, paging.wanted() - items.len()).await?;
        items.extend(page.items);
        if next == after || items.len() >= paging.wanted() {
            break (next != after).then_some(next);
        }
        after = next;
    };
    if cx.out.json_wanted() {
        return cx
            .out
            .json(&serde_json::to_string(&Page { items, next }).map_err(|error| unreadable(&error))?);
    }
    cx.out.list::<AuditEntry>(&Listing { items, next: None })?;
    if next.is_some() {
        cx.out.note("there are more: use --after SEQ, --limit N or --all");
    }
    Ok(())
}

fn unreadable(error: &serde_json::Error) -> Failure {
    Failure::unavailable(format!(
        "an entry cannot be read: {}",
        crate::client::exit::chain(error)
    ))
}

impl Show for AuditEntry {
    const COLUMNS: &'static [&'static str] = &["SEQ", "AT", "ACTOR", "ACTION", "SUBJECT", "DIGEST"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.seq.to_string(),
            time(self.at),
            self.actor.clone(),
            self.action.clone(),
            self.subject.clone(),
            short(&self.digest),
        ]
    }

    fn key(&self) -> String {
        self.digest.clone()
    }
}
