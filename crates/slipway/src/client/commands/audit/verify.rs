//! Verifying the record: the server's, link by link, and an export, without the server.

use super::{PAGE, page};
use crate::client::{
    Context,
    exit::{Exit, Failure},
    files,
    http::Query,
    output::Out,
    parse,
};
use clap::Args;
use serde::Deserialize;
use slipway_api_types::audit::{AuditCheckpoint, AuditEntry};
use slipway_domain::{
    Digest,
    audit::{
        Checkpoint, Entry, SignedCheckpoint, Verifier,
        checkpoint::NoCheckpoint,
        export::{ExportVerifier, MAX_LINE, Refused, Report},
    },
    signing::VerifyingKey,
};
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

    /// Verifies an export with its signed checkpoint.
    fn signed(&self, first: Vec<u8>, mut lines: impl BufRead, out: &Out) -> Result<(), Failure> {
        if self.key.is_empty() {
            let what = "say with --key which key is trusted to have signed it: `slipway audit keys` lists those of a server, \
                and whoever audits keeps them elsewhere";
            return Err(Failure::Usage(what.to_owned()));
        }
        let keys = trusted(&self.key)?;
        let kept = self.kept.as_deref().map(|path| kept(path, &keys)).transpose()?;
        let wanted = Check::new(self.contains.as_deref())?.wanted;
        let mut found = wanted.is_none();
        let mut verifier = ExportVerifier::new(&keys, kept);
        let mut line = first;
        while !line.is_empty() {
            verifier.feed(&line).map_err(|error| refused(&error))?;
            if let (Some(wanted), false) = (wanted, found) {
                let of: Option<Published> = serde_json::from_slice(&line).ok();
                found = of.is_some_and(|of| of.digest == wanted);
            }
            line.clear();
            read_line(&mut lines, &mut line)
                .map_err(|error| files::unreadable(self.file.as_deref().unwrap_or(Path::new("-")), &error))?;
        }
        let report = verifier.finish().map_err(|error| refused(&error))?;
        if let Some(wanted) = wanted.filter(|_| !found) {
            return Err(broken(format!(
                "the record holds together, {} entries, but does not contain {wanted}",
                report.entries
            )));
        }
        tell(&report, out)
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

fn broken(what: String) -> Failure {
    Failure::Outcome {
        exit: Exit::Refused,
        what,
    }
}

fn refused(refused: &Refused) -> Failure {
    broken(format!("the record does not hold: {refused}"))
}

/// What an entry's line says of itself.
#[derive(Deserialize)]
struct Published {
    digest: Digest,
}

/// Reads a line with its end; nothing at the end of all. One that never ends is cut where no line is as long.
fn read_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<()> {
    let most = MAX_LINE as u64 + 2;
    lines.take(most).read_until(b'\n', line).map(drop)
}

/// The keys that are named, or that are in files that are.
pub(crate) fn trusted(named: &[String]) -> Result<Vec<VerifyingKey>, Failure> {
    let mut keys = Vec::new();
    for named in named {
        if let Ok(key) = named.parse() {
            keys.push(key);
            continue;
        }
        let path = Path::new(named);
        let text = files::read(path)?;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let key = line.parse::<VerifyingKey>();
            keys.push(key.map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?);
        }
    }
    Ok(keys)
}

/// A checkpoint that was kept. Its signature is verified, too: what is kept may be damaged.
pub(super) fn kept(path: &Path, keys: &[VerifyingKey]) -> Result<Checkpoint, Failure> {
    let wrong = |error| Failure::Usage(format!("{}: {error}", path.display()));
    checkpoint(&files::read(path)?, keys).map_err(wrong)
}

/// What a signed checkpoint says. Without a key that is trusted it is taken as it is.
pub(super) fn checkpoint(note: &str, keys: &[VerifyingKey]) -> Result<Checkpoint, String> {
    let signed: SignedCheckpoint = note.parse().map_err(|error: NoCheckpoint| error.to_string())?;
    if keys.is_empty() {
        return Ok(signed.unverified().clone());
    }
    let (checkpoint, _) = signed.verify(keys).map_err(|error| error.to_string())?;
    Ok(checkpoint.clone())
}

fn tell(report: &Report, out: &Out) -> Result<(), Failure> {
    let signed_by: Vec<_> = report.signed_by.iter().map(ToString::to_string).collect();
    if out.json_wanted() {
        let json = serde_json::json!({
            "verified": true, "origin": report.origin, "entries": report.entries, "last": report.last,
            "digest": report.head, "root": report.tree.root, "signed_by": signed_by,
            "continues": report.consistent_with.map(|kept| kept.size),
        });
        return out.json(&json.to_string());
    }
    if out.quiet {
        return out.line(&report.head.to_string());
    }
    let mut told = format!(
        "the record holds: {} entries, head {}, root {}, signed by {}",
        report.entries,
        report.head,
        report.tree.root,
        signed_by.join(", ")
    );
    if let Some(kept) = report.consistent_with {
        told = format!(
            "{told}\nit goes on from the checkpoint over {} entries that was kept",
            kept.size
        );
    }
    out.line(&told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use slipway_domain::{
        audit::{Frontier, GENESIS, export},
        signing::{KeyName, SigningKey},
    };

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

    /// A folder with an export of so many entries, the key that signed it, and the checkpoint over the first two.
    fn signed(count: i64) -> (tempfile::TempDir, String, String) {
        let name: KeyName = "slipway/test".parse().unwrap();
        let private = SigningKey::generate().unwrap();
        let key = SigningKey::from_pkcs8(name.clone(), &private).unwrap();
        let (mut frontier, mut text) = (Frontier::default(), export::header(&name, None).unwrap() + "\n");
        let dir = tempfile::tempdir().unwrap();
        let head = |frontier: &Frontier| {
            let checkpoint = Checkpoint {
                origin: name.clone(),
                head: frontier.head(),
            };
            checkpoint.sign(&key)
        };
        for line in lines(count) {
            let entry: Entry = serde_json::from_str(&line).unwrap();
            let digest = entry.digest().unwrap();
            text += &(String::from_utf8(export::line(&entry, digest).unwrap()).unwrap() + "\n");
            frontier.push(digest);
            if frontier.size() == 2 {
                std::fs::write(dir.path().join("kept"), head(&frontier).to_string()).unwrap();
            }
        }
        text += &(export::footer(&head(&frontier)).unwrap() + "\n");
        (dir, text, key.verifying_key().to_string())
    }

    fn check(
        dir: &Path,
        text: &str,
        key: &[&str],
        kept: bool,
        contains: Option<String>,
    ) -> Result<(), Failure> {
        let file = dir.join("export");
        std::fs::write(&file, text).unwrap();
        let verify = Verify {
            file: Some(file),
            key: key.iter().map(|key| (*key).to_owned()).collect(),
            kept: kept.then(|| dir.join("kept")),
            contains,
        };
        verify.offline(&Out::default())
    }

    #[test]
    fn an_export_is_verified_with_a_key_and_a_checkpoint_that_were_kept() {
        let (dir, text, key) = signed(5);
        let dir = dir.path();
        check(dir, &text, &[&key], true, None).unwrap();
        let keys = dir.join("keys");
        std::fs::write(&keys, format!("{key}\n\n")).unwrap();
        check(dir, &text, &[keys.to_str().unwrap()], false, None).unwrap();
        let third: AuditEntry = serde_json::from_str(&lines(5)[2]).unwrap();
        check(dir, &text, &[&key], false, Some(third.digest)).unwrap();
        let other = format!("sha256:{}", "0".repeat(64));
        let missing = check(dir, &text, &[&key], false, Some(other)).unwrap_err();
        assert_eq!(missing.exit(), Exit::Refused);
        let untrusted = check(dir, &text, &[], false, None).unwrap_err();
        assert_eq!(untrusted.exit(), Exit::Usage);
    }

    #[test]
    fn an_export_that_was_changed_cut_or_signed_by_another_does_not_hold() {
        let (dir, text, key) = signed(5);
        let (other, other_text, other_key) = signed(5);
        let dir = dir.path();
        let cut: String = text.split_inclusive('\n').take(4).collect();
        for (text, key, says) in [
            (text.replacen("\"ana\"", "\"eve\"", 1), &key, "line 2"),
            (cut, &key, "cut off"),
            (text.clone(), &other_key, "signed by"),
            (
                text.replacen("slipway/test", "slipway/other", 1),
                &key,
                "slipway/other",
            ),
        ] {
            let failure = check(dir, &text, &[key], false, None).unwrap_err();
            assert_eq!(failure.exit(), Exit::Refused, "{failure}");
            assert!(failure.to_string().contains(says), "{failure}");
        }
        // The other one has the same entries here; its checkpoint was signed by somebody else.
        check(other.path(), &other_text, &[&key], true, None).unwrap_err();
        // Another record with the same name and key does not go on from what was kept.
        let shorter = signed(1);
        check(shorter.0.path(), &shorter.1, &[&shorter.2], false, None).unwrap();
        std::fs::copy(dir.join("kept"), shorter.0.path().join("kept")).unwrap();
        check(shorter.0.path(), &shorter.1, &[&shorter.2], true, None).unwrap_err();
    }
}
