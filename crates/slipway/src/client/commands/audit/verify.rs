//! Verifying the record: the server's, link by link, and what was kept of it, without the server.

mod chain;
mod signed;

use super::{PAGE, page};
use crate::client::{
    Context,
    exit::{Exit, Failure},
    files,
    http::Query,
    output::Out,
    parse,
};
use chain::Check;
use clap::Args;
use slipway_api_types::audit::AuditCheckpoint;
use slipway_domain::{Digest, audit::export::MAX_LINE};
use std::{
    io::{BufRead, Read as _},
    path::{Path, PathBuf},
};

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// An export instead of the server's chain (- for standard input); needs no server
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// With --file: a key that is trusted to have signed it (`slipway audit keys`), or a file with such keys
    #[arg(long, value_name = "KEY", requires = "file")]
    key: Vec<String>,
    /// With --file: a checkpoint that was kept earlier, which the export must go on from
    #[arg(long, value_name = "FILE", requires = "file")]
    kept: Option<PathBuf>,
    /// A head that was noted earlier: the chain must contain it, so that nothing was cut off or written anew
    #[arg(long, value_name = "DIGEST", value_parser = parse::digest)]
    contains: Option<String>,
}

impl Verify {
    /// Whether it needs no server.
    pub(crate) const fn is_offline(&self) -> bool {
        self.file.is_some()
    }

    /// Verifies an export.
    pub(crate) fn offline(&self, out: &Out) -> Result<(), Failure> {
        let path = self.file.as_deref().unwrap_or(Path::new("-"));
        let mut lines = files::open(path)?;
        let unreadable = |error: &std::io::Error| files::unreadable(path, error);
        let mut first = Vec::new();
        read_line(&mut lines, &mut first).map_err(|error| unreadable(&error))?;
        if first.starts_with(b"{\"slipway_audit_export\"") {
            return self.signed(first, lines, out);
        }
        // Entries alone, as lists of them are: nothing in them says that they are all.
        if !self.key.is_empty() || self.kept.is_some() {
            let what = "these are entries alone, without a checkpoint that --key or --kept could say something of: \
                make an export with `slipway audit export`";
            return Err(Failure::Usage(what.to_owned()));
        }
        let mut check = Check::new(self.contains.as_deref())?;
        let mut line = first;
        while !line.is_empty() {
            let text = String::from_utf8_lossy(&line);
            if !text.trim().is_empty() {
                check.link(&text)?;
            }
            line.clear();
            read_line(&mut lines, &mut line).map_err(|error| unreadable(&error))?;
        }
        check.finish(out)
    }

    pub(super) async fn online(self, cx: &Context) -> Result<(), Failure> {
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
                let (seq, digest) = check.head();
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
            return Err(refused(what));
        }
        check.finish(&cx.out)
    }
}

fn refused(what: String) -> Failure {
    Failure::Outcome {
        exit: Exit::Refused,
        what,
    }
}

/// The digest that is to be in it.
fn wanted(contains: Option<&str>) -> Result<Option<Digest>, Failure> {
    let wanted = contains.map(str::parse::<Digest>).transpose();
    wanted.map_err(|error| Failure::Usage(error.to_string()))
}

/// Reads a line with its end; nothing at the end of all. One that never ends is cut where no line is as long.
fn read_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<()> {
    let most = MAX_LINE as u64 + 2;
    lines.take(most).read_until(b'\n', line).map(drop)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use slipway_domain::audit::{Entry, GENESIS};

    /// Entries of a chain, as they are published.
    pub(super) fn lines(count: i64) -> Vec<String> {
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
}
