//! An export, with the keys and the checkpoint that whoever verifies it has kept.

use super::{Verify, read_line, refused, wanted};
use crate::client::{
    commands::audit::trust::{kept, trusted},
    exit::Failure,
    files,
    output::Out,
};
use serde::Deserialize;
use slipway_domain::{
    Digest,
    audit::export::{ExportVerifier, Refused, Report},
    counted,
};
use std::{io::BufRead, path::Path};

impl Verify {
    /// Verifies an export with its signed checkpoint.
    pub(super) fn signed(&self, first: Vec<u8>, mut lines: impl BufRead, out: &Out) -> Result<(), Failure> {
        if self.key.is_empty() {
            let what = "say with --key which key is trusted to have signed it: `slipway audit keys` lists those of a server, \
                and whoever audits keeps them elsewhere";
            return Err(Failure::Usage(what.to_owned()));
        }
        let keys = trusted(&self.key)?;
        let kept = self.kept.as_deref().map(|path| kept(path, &keys)).transpose()?;
        let wanted = wanted(self.contains.as_deref())?;
        let mut found = wanted.is_none();
        let mut verifier = ExportVerifier::new(&keys, kept);
        let mut line = first;
        while !line.is_empty() {
            verifier.feed(&line).map_err(|error| does_not_hold(&error))?;
            if let (Some(wanted), false) = (wanted, found) {
                let of: Option<Published> = serde_json::from_slice(&line).ok();
                found = of.is_some_and(|of| of.digest == wanted);
            }
            line.clear();
            read_line(&mut lines, &mut line)
                .map_err(|error| files::unreadable(self.file.as_deref().unwrap_or(Path::new("-")), &error))?;
        }
        let report = verifier.finish().map_err(|error| does_not_hold(&error))?;
        if let Some(wanted) = wanted.filter(|_| !found) {
            return Err(refused(format!(
                "the record holds together, {}, but does not contain {wanted}",
                counted(report.entries, "entry", "entries")
            )));
        }
        tell(&report, out)
    }
}

fn does_not_hold(refused_for: &Refused) -> Failure {
    refused(format!("the record does not hold: {refused_for}"))
}

/// What an entry's line says of itself.
#[derive(Deserialize)]
struct Published {
    digest: Digest,
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
        "the record holds: {}, head {}, root {}, signed by {}",
        counted(report.entries, "entry", "entries"),
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
    use crate::client::{commands::audit::verify::tests::lines, exit::Exit};
    use slipway_api_types::audit::AuditEntry;
    use slipway_domain::{
        audit::{Checkpoint, Entry, Frontier, export},
        signing::{KeyName, SigningKey},
    };

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
