//! Whatever is changed of an export is found.

use super::*;
use crate::digest::canonical;

/// What the chain says of the entries of an export when it is read, written again and hashed: the long way round.
fn chain(lines: &[Vec<u8>]) -> Result<i64, ()> {
    let mut verifier = Verifier::default();
    for line in &lines[1..lines.len() - 1] {
        let mut value: Value = serde_json::from_slice(line).map_err(drop)?;
        if canonical(&value).map_err(drop)? != *line {
            return Err(());
        }
        let digest = value.as_object_mut().ok_or(())?.remove("digest").ok_or(())?;
        let digest = serde_json::from_value(digest).map_err(drop)?;
        let entry: Entry = serde_json::from_value(value.clone()).map_err(drop)?;
        if json!(entry) != value {
            return Err(());
        }
        verifier.check(&entry, digest).map_err(drop)?;
    }
    Ok(verifier.head().0)
}

#[test]
fn an_entry_that_is_changed_left_out_or_moved_is_named() {
    let lines = Log::of(5).lines(0);
    let wrong = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        assert_eq!(chain(&lines), Err(()));
        verified(&file(&lines), None).unwrap_err()
    };
    let replace = |line: &[u8], from: &str, to: &str| {
        let line = std::str::from_utf8(line).unwrap();
        assert!(line.contains(from));
        line.replacen(from, to, 1).into_bytes()
    };
    let left_out = wrong(&|lines| drop(lines.remove(3)));
    assert_eq!(
        left_out.to_string(),
        "line 4, after entry 2: entry 4 follows entry 2; 3 was expected"
    );
    let moved = wrong(&|lines| lines.swap(3, 4));
    assert_eq!(moved.wrong, Wrong::Broken(Broken::Gap { after: 2, found: 4 }));
    let changed = wrong(&|lines| lines[3] = replace(&lines[3], "1.3.0", "1.3.1"));
    assert_eq!(
        changed.to_string(),
        "line 4, after entry 2: entry 3 is not what was written: its digest is another"
    );
    let unlinked =
        wrong(&|lines| lines[3] = replace(&lines[3], "\"previous\":\"sha256:", "\"previous\":\"sha265:"));
    assert_eq!(unlinked.wrong, Wrong::Broken(Broken::Unlinked { seq: 3 }));
    // The same said otherwise is not what was hashed, though reading it makes no difference.
    let spaced = wrong(&|lines| lines[3] = replace(&lines[3], "\"actor\":", "\"actor\": "));
    assert!(
        spaced
            .to_string()
            .starts_with("line 4, after entry 2: the entry is not in canonical form, at byte")
    );
    let twice = wrong(&|lines| lines[3] = replace(&lines[3], "\"data\":", "\"actor\":\"mallory\",\"data\":"));
    assert!(matches!(twice.wrong, Wrong::NotCanonical(_)));
    let more = wrong(&|lines| lines[3] = replace(&lines[3], "\"id\":", "\"extra\":1,\"id\":"));
    assert!(matches!(more.wrong, Wrong::NotCanonical(_)));
    let later = wrong(&|lines| lines[3] = replace(&lines[3], "Z\",\"data\"", "0Z\",\"data\""));
    assert!(matches!(later.wrong, Wrong::Time(_)), "{later}");
    let zoned = wrong(&|lines| lines[3] = replace(&lines[3], "Z\",\"data\"", "Z[UTC]\",\"data\""));
    assert!(matches!(zoned.wrong, Wrong::Time(_)), "{zoned}");
    let no_text = wrong(&|lines| lines[3][40] = 0xff);
    assert_eq!(
        no_text.to_string(),
        "line 4, after entry 2: the line is not UTF-8"
    );
}

#[test]
fn a_line_that_was_hashed_in_another_form_is_refused() {
    // Who holds the key could hash and sign bytes that two readers understand differently.
    let mut log = Log::of(1);
    let text = String::from_utf8(log.lines(0)[1].clone()).unwrap();
    let double = text.replacen("\"data\":", "\"actor\":\"mallory\",\"data\":", 1);
    let (before, after) = (double.find("\"digest\"").unwrap(), double.find("\"id\"").unwrap());
    let hashed = format!("{}{}", &double[..before], &double[after..]);
    let digest = Digest::of_bytes(hashed.as_bytes());
    let own = log.entries[0].1.to_string();
    log.entries[0].1 = digest;
    let mut lines = log.lines(0);
    lines[1] = double.replacen(&own, &digest.to_string(), 1).into_bytes();
    assert!(matches!(
        verified(&file(&lines), None).unwrap_err().wrong,
        Wrong::NotCanonical(_)
    ));
}

proptest! {
    #[test]
    fn a_byte_that_is_changed_is_found_or_changes_nothing(
        count in 0_i64..5, at in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..3
    ) {
        let log = Log::of(count);
        let good = file(&log.lines(0));
        let mut changed = good.clone();
        let at = at.index(good.len());
        match how {
            0 if changed[at] != byte => changed[at] = byte,
            1 => changed.insert(at, byte),
            _ => { changed.remove(at); }
        }
        if let Ok(report) = verified(&changed, None) {
            prop_assert_eq!(report, verified(&good, None).unwrap());
        }
    }

    #[test]
    fn it_is_the_same_whatever_pieces_it_comes_in(count in 0_i64..6, cuts in prop::collection::vec(1_usize..400, 1..40)) {
        let good = file(&Log::of(count).lines(0));
        let mut verifier = ExportVerifier::new(&KEYS, None);
        let mut rest = &good[..];
        for cut in cuts.iter().cycle() {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            verifier.feed(piece).unwrap();
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(verifier.finish(), verified(&good, None));
    }

    #[test]
    fn what_is_accepted_is_what_the_chain_accepts(
        count in 1_i64..4, line in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), with in "[0-9a-z\"{}:,\\\\ Z.-]"
    ) {
        let log = Log::of(count);
        let mut lines = log.lines(0);
        let line = 1 + line.index(usize::try_from(count).unwrap());
        let at = at.index(lines[line].len());
        lines[line][at] = with.as_bytes()[0];
        let long = chain(&lines);
        prop_assert_eq!(verified(&file(&lines), None).map(|report| report.last).map_err(drop), long);
    }

    #[test]
    fn an_export_of_any_data_is_verified(subjects in prop::collection::vec("\\PC{0,8}|[\0-\u{1f}\"\\\\]{1,3}", 0..9), after in any::<prop::sample::Index>()) {
        let mut log = Log::default();
        for subject in &subjects {
            log.add(subject, json!({subject.as_str(): [subject, 1e21, -7, 0.1], "é": {"\u{ffff}": 1, "\u{1f600}": 2}}));
        }
        let after = after.index(subjects.len() + 1);
        let report = verified(&file(&log.lines(after)), Some(log.checkpoint(after))).unwrap();
        prop_assert_eq!(report.last, i64::try_from(subjects.len()).unwrap());
    }
}
