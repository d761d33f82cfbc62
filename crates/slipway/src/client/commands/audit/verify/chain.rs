//! Entries alone, link by link: nothing in them says that they are all.

use super::{refused, wanted};
use crate::client::{exit::Failure, output::Out};
use slipway_api_types::audit::AuditEntry;
use slipway_domain::{
    Digest,
    audit::{Entry, Verifier},
    counted,
};

/// A chain under verification.
#[derive(Debug, Default)]
pub(super) struct Check {
    verifier: Verifier,
    wanted: Option<Digest>,
    found: bool,
}

impl Check {
    pub(super) fn new(contains: Option<&str>) -> Result<Self, Failure> {
        Ok(Self {
            wanted: wanted(contains)?,
            ..Self::default()
        })
    }

    /// Takes the next entry, as it is published.
    pub(super) fn link(&mut self, json: &str) -> Result<(), Failure> {
        let after = self.verifier.head().0;
        let broken = |what: String| refused(format!("the chain is broken: {what}"));
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

    /// The last number and its digest.
    pub(super) const fn head(&self) -> (i64, Digest) {
        self.verifier.head()
    }

    /// Says what it was, when all of it has come.
    pub(super) fn finish(&self, out: &Out) -> Result<(), Failure> {
        let (entries, head) = self.verifier.head();
        let number = counted(entries, "entry", "entries");
        if let Some(wanted) = self.wanted.filter(|_| !self.found) {
            let what = format!("the chain holds together, {number}, but does not contain {wanted}");
            return Err(refused(what));
        }
        if out.json_wanted() {
            return out.json(
                &serde_json::json!({"entries": entries, "digest": head, "verified": true}).to_string(),
            );
        }
        if out.quiet {
            return out.line(&head.to_string());
        }
        out.line(&format!("the chain holds: {number}, head {head}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{commands::audit::verify::tests::lines, exit::Exit};

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
