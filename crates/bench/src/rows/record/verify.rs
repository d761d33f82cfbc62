//! Verifying an export, beside a chain of hashes over the same lines: the least that any verification does.

use crate::stats::count;
use anyhow::{Result, ensure};
use sha2::{Digest as _, Sha256};
use slipway_domain::{audit::export::ExportVerifier, signing::VerifyingKey};
use std::{hint::black_box, time::Instant};

const ROUNDS: usize = 9;

/// An export, and its lines of entries alone.
pub(super) struct Exported {
    pub(super) lines: Vec<Vec<u8>>,
    pub(super) file: Vec<u8>,
    pub(super) key: VerifyingKey,
}

impl Exported {
    /// Bytes of a line, on the average.
    pub(super) fn bytes_each(&self) -> f64 {
        count(self.file.len()) / count(self.lines.len())
    }

    fn verify(&self) -> Result<()> {
        let keys = std::slice::from_ref(&self.key);
        let mut verifier = ExportVerifier::new(keys, None);
        verifier.feed(black_box(&self.file))?;
        let entries = verifier.finish()?.entries;
        ensure!(
            usize::try_from(entries)? == self.lines.len(),
            "{entries} were verified"
        );
        Ok(())
    }

    fn hash(&self) -> Result<()> {
        let last = black_box(&self.lines)
            .iter()
            .fold([0; 32], |before: [u8; 32], line| {
                Sha256::new_with_prefix(before)
                    .chain_update(line)
                    .finalize()
                    .into()
            });
        ensure!(last != [0; 32], "no lines");
        Ok(())
    }
}

/// Entries a second on either side, round by round.
pub(super) fn measure(export: &Exported) -> Result<Vec<(f64, f64)>> {
    let rate = |what: fn(&Exported) -> Result<()>| {
        let begun = Instant::now();
        what(export)?;
        anyhow::Ok(count(export.lines.len()) / begun.elapsed().as_secs_f64())
    };
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let (ours, raw);
        if round % 2 == 0 {
            ours = rate(Exported::verify)?;
            raw = rate(Exported::hash)?;
        } else {
            raw = rate(Exported::hash)?;
            ours = rate(Exported::verify)?;
        }
        // The first of either finds nothing in any cache.
        if round > 0 {
            rounds.push((ours, raw));
        }
    }
    Ok(rounds)
}
