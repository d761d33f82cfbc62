use super::*;
use crate::{
    audit::{Broken, Checkpoint, GENESIS, TreeHead, Verifier, checkpoint::NotTrusted},
    signing::{SigningKey, VerifyingKey},
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

mod changes;
mod speed;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| key("slipway.example.com/audit"));
static KEYS: LazyLock<Vec<VerifyingKey>> = LazyLock::new(|| vec![KEY.verifying_key()]);

fn key(name: &str) -> SigningKey {
    SigningKey::from_pkcs8(name.parse().unwrap(), &SigningKey::generate().unwrap()).unwrap()
}

/// A chain, as a server has it.
#[derive(Debug, Clone, Default)]
struct Log {
    entries: Vec<(Entry, Digest)>,
}

impl Log {
    fn of(count: i64) -> Self {
        let mut log = Self::default();
        for seq in 1..=count {
            log.add(
                &format!("storefront@1.{seq}.0"),
                json!({"ö": 1.5, "n": null, "list": [seq, "\n"], "Z": {}}),
            );
        }
        log
    }

    fn add(&mut self, subject: &str, data: Value) {
        let last = self.entries.last();
        let seq = last.map_or(0, |(entry, _)| entry.seq) + 1;
        let entry = Entry {
            seq,
            id: format!("aud_{seq:026}"),
            at: Timestamp::from_microsecond(1_764_330_000_000_000 + seq * 1_001).unwrap(),
            actor: "ana \"the\" auditor".into(),
            action: "release.seal".into(),
            subject: subject.into(),
            data,
            previous: last.map_or(GENESIS, |(_, digest)| *digest),
        };
        let digest = entry.digest().unwrap();
        self.entries.push((entry, digest));
    }

    fn frontier(&self, size: usize) -> Frontier {
        let mut frontier = Frontier::default();
        self.entries[..size]
            .iter()
            .for_each(|(_, digest)| frontier.push(*digest));
        frontier
    }

    fn checkpoint(&self, size: usize) -> Checkpoint {
        Checkpoint {
            origin: KEY.name().clone(),
            head: self.frontier(size).head(),
        }
    }

    fn lines(&self, after: usize) -> Vec<Vec<u8>> {
        let before = after.checked_sub(1).map(|before| Before {
            frontier: self.frontier(before),
            digest: self.entries[before].1,
        });
        let mut lines = vec![header(KEY.name(), before).unwrap().into_bytes()];
        lines.extend(
            self.entries[after..]
                .iter()
                .map(|(entry, digest)| line(entry, *digest).unwrap()),
        );
        let signed = self.checkpoint(self.entries.len()).sign(&KEY);
        lines.push(footer(&signed).unwrap().into_bytes());
        lines
    }
}

fn file(lines: &[Vec<u8>]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| [line, &b"\n"[..]].concat())
        .collect()
}

fn verified(file: &[u8], kept: Option<Checkpoint>) -> Result<Report, Refused> {
    let mut verifier = ExportVerifier::new(&KEYS, kept);
    verifier.feed(file)?;
    verifier.finish()
}

fn said(file: &[u8], kept: Option<Checkpoint>) -> String {
    verified(file, kept).unwrap_err().to_string()
}

#[test]
fn an_export_that_is_good_is_told_in_full() {
    let log = Log::of(13);
    let report = verified(&file(&log.lines(0)), Some(log.checkpoint(6))).unwrap();
    assert_eq!(
        report,
        Report {
            origin: KEY.name().clone(),
            first: Some(1),
            last: 13,
            entries: 13,
            head: log.entries[12].1,
            tree: log.checkpoint(13).head,
            signed_by: vec![KEY.name().clone()],
            consistent_with: Some(log.checkpoint(6).head),
        }
    );
}

#[test]
fn a_chain_of_nothing_is_one_too() {
    let report = verified(&file(&Log::default().lines(0)), None).unwrap();
    assert_eq!(
        (report.first, report.last, report.entries, report.head),
        (None, 0, 0, GENESIS)
    );
}

#[test]
fn what_is_no_export_of_this_form_says_so() {
    let good = file(&Log::of(3).lines(0));
    assert!(said(b"", None).starts_with("line 1: this is no audit export"));
    assert!(said(b"{\"seq\":1}\n", None).ends_with("not `{\"seq\":1}`"));
    let later = String::from_utf8(good.clone())
        .unwrap()
        .replacen("_export\":1", "_export\":2", 1);
    assert_eq!(
        said(later.as_bytes(), None),
        "line 1: the export is of version 2, and this program reads version 1: use a newer one"
    );
    assert_eq!(
        said(&[&good[..], b"\n"].concat(), None),
        "line 6, after entry 3: something follows the checkpoint, which is the last line of an export"
    );
    let damaged = String::from_utf8(good)
        .unwrap()
        .replacen("\"after\":0", "\"after\":7", 1);
    assert!(said(damaged.as_bytes(), None).contains("it begins after entry 7"));
}

#[test]
fn the_end_of_the_last_line_may_be_missing_and_nothing_else() {
    let mut good = file(&Log::of(3).lines(0));
    assert_eq!(good.pop(), Some(b'\n'));
    assert!(verified(&good, None).is_ok());
    good.pop();
    assert!(said(&good, None).starts_with("line 5, after entry 3: the line of the checkpoint is damaged"));
    let lines = Log::of(3).lines(0);
    assert_eq!(
        said(&file(&lines[..4]), None),
        "line 5, after entry 3: the export was cut off: its last line is no checkpoint"
    );
}

#[test]
fn a_line_is_not_longer_than_it_may_be() {
    let mut verifier = ExportVerifier::new(&KEYS, None);
    let piece = vec![b' '; MAX_LINE / 2];
    assert!(verifier.feed(&piece).is_ok());
    assert!(verifier.feed(&piece).is_ok());
    assert_eq!(verifier.feed(b" ").unwrap_err().wrong, Wrong::TooLong);
    let mut whole = vec![b' '; MAX_LINE + 1];
    whole.push(b'\n');
    assert_eq!(verified(&whole, None).unwrap_err().wrong, Wrong::TooLong);
}

#[test]
fn the_checkpoint_must_be_signed_and_cover_exactly_these() {
    let log = Log::of(5);
    let lines = log.lines(0);
    let ending = |signed: &SignedCheckpoint| {
        let mut lines = lines.clone();
        lines[6] = footer(signed).unwrap().into_bytes();
        verified(&file(&lines), None).unwrap_err().wrong
    };
    let stranger = key("slipway.example.com/audit");
    let signed = |size: usize| log.checkpoint(size).sign(&KEY);
    assert!(matches!(
        ending(&log.checkpoint(5).sign(&stranger)),
        Wrong::NotTrusted(NotTrusted::Unknown(_))
    ));
    assert_eq!(ending(&signed(4)), Wrong::Size { signed: 4, found: 5 });
    let root = Digest::of_bytes(b"other");
    let other = Checkpoint {
        head: TreeHead { size: 5, root },
        ..log.checkpoint(5)
    };
    assert_eq!(
        ending(&other.sign(&KEY)),
        Wrong::Root {
            signed: root,
            found: log.checkpoint(5).head.root
        }
    );
    let other = Checkpoint {
        origin: "b".parse().unwrap(),
        ..log.checkpoint(5)
    };
    assert!(matches!(ending(&other.sign(&KEY)), Wrong::Origin { .. }));
    let mut lines = lines.clone();
    lines[6] = br#"{"checkpoint":"what"}"#.to_vec();
    assert!(matches!(
        verified(&file(&lines), None).unwrap_err().wrong,
        Wrong::NoCheckpoint(_)
    ));
}

#[test]
fn a_record_that_was_written_anew_is_found_by_the_checkpoint_that_was_kept() {
    let kept = Log::of(9).checkpoint(9);
    let mut anew = Log::of(4);
    anew.add("storefront@9.9.9", Value::Null);
    (0..10).for_each(|_| anew.add("later", Value::Null));
    // By itself it is a good one: whoever has the key can sign anything.
    assert!(verified(&file(&anew.lines(0)), None).is_ok());
    let wrong = verified(&file(&anew.lines(0)), Some(kept.clone())).unwrap_err();
    assert!(matches!(wrong.wrong, Wrong::KeptRoot { size: 9, .. }));
    assert_eq!(wrong.line, 10, "at the line where it shows");
    assert!(
        wrong
            .to_string()
            .contains("the record was written anew: the first 9 entries")
    );

    let other = Checkpoint {
        origin: "b".parse().unwrap(),
        ..kept.clone()
    };
    assert!(matches!(
        verified(&file(&Log::of(12).lines(0)), Some(other))
            .unwrap_err()
            .wrong,
        Wrong::KeptOrigin { .. }
    ));
    assert_eq!(
        said(&file(&Log::of(8).lines(0)), Some(kept)),
        "line 10, after entry 8: the checkpoint that you kept covers 9 entries, and the export ends with entry 8: \
         entries were cut off, or the export is older"
    );
}

#[test]
fn an_export_from_the_middle_is_bound_to_what_was_before() {
    let log = Log::of(12);
    for after in 1..=12 {
        let lines = log.lines(after);
        for kept in after..=12 {
            let report = verified(&file(&lines), Some(log.checkpoint(kept))).unwrap();
            assert_eq!(report.entries, u64::try_from(12 - after).unwrap());
            assert_eq!(report.first.unwrap_or(13), i64::try_from(after).unwrap() + 1);
            assert_eq!(report.head, log.entries[11].1);
        }
        let kept = Some(log.checkpoint(after - 1));
        assert!(matches!(
            verified(&file(&lines), kept).unwrap_err().wrong,
            Wrong::KeptBefore { .. }
        ));
        let mut kept = log.checkpoint(after);
        kept.head.root = Digest::of_bytes(b"other");
        let wrong = verified(&file(&lines), Some(kept)).unwrap_err();
        assert!(matches!((wrong.line, wrong.wrong), (1, Wrong::KeptRoot { .. })));
        // Whatever else is said of what was before does not lead to the signed root.
        let text = String::from_utf8(lines[0].clone()).unwrap();
        let mut other = lines.clone();
        let digest = text.find("\"digest\":\"sha256:").unwrap() + 17;
        other[0][digest] = if other[0][digest] == b'a' { b'b' } else { b'a' };
        assert!(verified(&file(&other), None).is_err());
        if let Some(hash) = text.find("[\"sha256:") {
            let mut other = lines.clone();
            other[0][hash + 9] = if other[0][hash + 9] == b'a' { b'b' } else { b'a' };
            assert!(matches!(
                verified(&file(&other), None).unwrap_err().wrong,
                Wrong::Root { .. }
            ));
        }
    }
}
