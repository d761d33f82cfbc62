//! How fast it is, beside hashing the same bytes and nothing else.

use super::*;
use sha2::{Digest as _, Sha256};
use std::{hint::black_box, time::Instant};

/// What is to be reached (design/quality.md, ratio 6).
const GOAL: f64 = 0.3;
const ENTRIES: i64 = 50_000;
const ROUNDS: usize = 7;

/// A chain of hashes over the same lines, each with the hash before it: the least that any verification does.
fn raw(lines: &[Vec<u8>]) -> [u8; 32] {
    lines.iter().fold([0; 32], |before, line| {
        Sha256::new_with_prefix(before)
            .chain_update(line)
            .finalize()
            .into()
    })
}

/// The shortest of several times, in seconds.
fn shortest(mut what: impl FnMut()) -> f64 {
    let times = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        what();
        begun.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "says something in a release build only: cargo test --release -p slipway-domain --lib speed -- --ignored --nocapture"]
fn verification_is_at_least_so_fast_beside_a_raw_chain_of_hashes() {
    let mut log = Log::default();
    for seq in 1..=ENTRIES {
        // As the record of a deployment's step is.
        let data = json!({
            "deployment": format!("dep_{seq:026}"), "environment": "production", "from": "queued", "to": "running",
            "release": {"digest": GENESIS, "version": "1.2.3"}, "targets": 3, "forced": false, "reason": null,
        });
        log.add("storefront@1.2.3", data);
    }
    let lines = log.lines(0);
    let file = file(&lines);
    let bare = shortest(|| assert_ne!(black_box(raw(&lines)), [0; 32]));
    let whole = shortest(|| assert_ne!(black_box(Sha256::digest(&file))[..], [0; 32]));
    let ours = shortest(|| assert!(verified(black_box(&file), None).is_ok()));
    #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
    let (mb, n) = (file.len() as f64 / 1e6, ENTRIES as f64);
    println!("{n} entries, {mb:.1} MB, {:.0} bytes each", mb * 1e6 / n);
    for (name, seconds) in [
        ("raw chain", bare),
        ("raw, whole file", whole),
        ("verification", ours),
    ] {
        println!("{name}: {:.0} MB/s, {:.0} entries/s", mb / seconds, n / seconds);
    }
    println!(
        "ratio: {:.2} of the chain, {:.2} of the whole file",
        bare / ours,
        whole / ours
    );
    assert!(bare / ours >= GOAL, "{:.2} of a raw chain", bare / ours);
}
