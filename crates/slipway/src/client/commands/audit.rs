//! `slipway audit`: the tamper-evident record, read, exported and checked link by link.

use super::filters;
use crate::client::{
    Context,
    exit::{Exit, Failure},
    files,
    http::{Listing, Paging, Query},
    output::{Out, Show, short, time},
    parse,
};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use slipway_api_types::audit::{AuditCheckpoint, AuditEntry};
use slipway_domain::{
    Digest,
    audit::{Entry, Verifier},
};
use std::path::{Path, PathBuf};

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
    /// Write the whole chain as JSON lines, to keep it elsewhere or verify it offline
    Export {
        /// Where to; standard output by default
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// An export instead of the server's chain (- for standard input); needs no server
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A head that was noted earlier: the chain must contain it, so that nothing was cut off or written anew
    #[arg(long, value_name = "DIGEST", value_parser = parse::digest)]
    contains: Option<String>,
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
            Self::Export { file } => export(cx, file.as_deref()).await,
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

async fn export(cx: &Context, file: Option<&Path>) -> Result<(), Failure> {
    use std::io::Write as _;
    let unwritable =
        |path: &Path, error: std::io::Error| Failure::Usage(format!("{}: {error}", path.display()));
    let mut to = file
        .map(|path| std::fs::File::create(path).map_err(|error| unwritable(path, error)))
        .transpose()?;
    let (mut after, mut entries) = (0, 0_usize);
    loop {
        let (page, next) = page(cx, after, &Query::new(), PAGE).await?;
        entries += page.items.len();
        for item in &page.items {
            // JSON between its tokens may hold line ends; a line of JSON lines may not.
            let value: serde_json::Value =
                serde_json::from_str(item.get()).map_err(|error| unreadable(&error))?;
            let line = format!("{value}\n");
            match (&mut to, file) {
                (Some(to), Some(path)) => to
                    .write_all(line.as_bytes())
                    .map_err(|error| unwritable(path, error))?,
                _ => cx.out.print(&line)?,
            }
        }
        if next == after {
            break;
        }
        after = next;
    }
    cx.out.note(&format!("{entries} entries"));
    Ok(())
}

fn unreadable(error: &serde_json::Error) -> Failure {
    Failure::unavailable(format!(
        "an entry cannot be read: {}",
        crate::client::exit::chain(error)
    ))
}

/// A chain under verification.
#[derive(Debug, Default)]
struct Check {
    verifier: Verifier,
    wanted: Option<Digest>,
    found: bool,
}

impl Check {
    fn new(contains: Option<&str>) -> Result<Self, Failure> {
        let wanted = contains.map(str::parse::<Digest>).transpose();
        let wanted = wanted.map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(Self {
            wanted,
            ..Self::default()
        })
    }

    fn link(&mut self, json: &str) -> Result<(), Failure> {
        let after = self.verifier.head().0;
        let broken = |what: String| Failure::Outcome {
            exit: Exit::Refused,
            what: format!("the chain is broken: {what}"),
        };
        let published: AuditEntry = serde_json::from_str(json)
            .map_err(|error| broken(format!("what follows entry {after} is no entry: {error}")))?;
        let seq = published.seq;
        let digest = |text: &str| {
            text.parse::<Digest>()
                .map_err(|error| broken(format!("entry {seq} names `{text}`: {error}")))
        };
        let claimed = digest(&published.digest)?;
        let entry = Entry {
            seq,
            id: published.id,
            at: published.at,
            actor: published.actor,
            action: published.action,
            subject: published.subject,
            data: published.data,
            previous: digest(&published.previous)?,
        };
        self.verifier
            .check(&entry, claimed)
            .map_err(|error| broken(error.to_string()))?;
        self.found |= self.wanted == Some(claimed);
        Ok(())
    }

    fn finish(&self, out: &Out) -> Result<(), Failure> {
        let (entries, head) = self.verifier.head();
        if let Some(wanted) = self.wanted.filter(|_| !self.found) {
            let what = format!("the chain holds together, {entries} entries, but does not contain {wanted}");
            return Err(Failure::Outcome {
                exit: Exit::Refused,
                what,
            });
        }
        if out.json_wanted() {
            return out.json(
                &serde_json::json!({"entries": entries, "digest": head, "verified": true}).to_string(),
            );
        }
        if out.quiet {
            return out.line(&head.to_string());
        }
        out.line(&format!("the chain holds: {entries} entries, head {head}"))
    }
}

impl Verify {
    /// Whether it needs no server.
    pub(crate) const fn is_offline(&self) -> bool {
        self.file.is_some()
    }

    /// Verifies an export.
    pub(crate) fn offline(&self, out: &Out) -> Result<(), Failure> {
        let mut check = Check::new(self.contains.as_deref())?;
        let text = files::read(self.file.as_deref().unwrap_or(Path::new("-")))?;
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .try_for_each(|line| check.link(line))?;
        check.finish(out)
    }

    async fn online(self, cx: &Context) -> Result<(), Failure> {
        // Read first, so that entries written meanwhile do not count as missing.
        let checkpoint: AuditCheckpoint = cx
            .api
            .get(&["v1", "audit", "checkpoint"], &Query::new())
            .await?
            .read()?;
        let mut check = Check::new(self.contains.as_deref())?;
        let mut at_checkpoint = checkpoint.entries == 0;
        let mut after = 0;
        loop {
            let (page, next) = page(cx, after, &Query::new(), PAGE).await?;
            for item in &page.items {
                check.link(item.get())?;
                let (seq, digest) = check.verifier.head();
                at_checkpoint |= seq == checkpoint.entries && digest.to_string() == checkpoint.digest;
            }
            if next == after {
                break;
            }
            after = next;
        }
        if !at_checkpoint {
            let what = format!(
                "the chain holds together, but is not the server's: its checkpoint says {} entries, head {}",
                checkpoint.entries, checkpoint.digest
            );
            return Err(Failure::Outcome {
                exit: Exit::Refused,
                what,
            });
        }
        check.finish(&cx.out)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use slipway_domain::audit::GENESIS;

    fn lines(count: i64) -> Vec<String> {
        let mut previous = GENESIS;
        (1..=count)
            .map(|seq| {
                let entry = Entry {
                    seq,
                    id: format!("aud_{seq}"),
                    at: Timestamp::from_second(seq).unwrap(),
                    actor: "ana".into(),
                    action: "release.seal".into(),
                    subject: "storefront@1.0.0".into(),
                    data: serde_json::json!({"ö": 1.5, "n": null}),
                    previous,
                };
                previous = entry.digest().unwrap();
                let mut line = serde_json::to_value(&entry).unwrap();
                line["digest"] = previous.to_string().into();
                line.to_string()
            })
            .collect()
    }

    fn verify(lines: &[String], contains: Option<&str>) -> Result<(), Failure> {
        let mut check = Check::new(contains)?;
        lines.iter().try_for_each(|line| check.link(line))?;
        check.finish(&Out::default())
    }

    #[test]
    fn a_chain_as_published_holds_and_contains_its_heads() {
        let lines = lines(5);
        verify(&lines, None).unwrap();
        let noted: AuditEntry = serde_json::from_str(&lines[2]).unwrap();
        verify(&lines, Some(&noted.digest)).unwrap();
        assert_eq!(
            verify(&lines[..2], Some(&noted.digest)).unwrap_err().exit(),
            Exit::Refused
        );
    }

    #[test]
    fn any_change_is_found_and_is_exit_code_one() {
        let good = lines(4);
        let mut altered = good.clone();
        altered[1] = altered[1].replace("\"ana\"", "\"eve\"");
        let mut cut = good.clone();
        cut.remove(0);
        let mut garbled = good.clone();
        garbled[3] = "{}".into();
        let mut no_digest = good;
        no_digest[0] = no_digest[0].replace("sha256:", "sha1:");
        for (bad, at) in [
            (altered, "entry 2"),
            (cut, "entry 2"),
            (garbled, "entry 3"),
            (no_digest, "entry 1"),
        ] {
            let failure = verify(&bad, None).unwrap_err();
            assert_eq!(failure.exit(), Exit::Refused);
            assert!(failure.to_string().contains(at), "{failure}");
        }
    }
}
