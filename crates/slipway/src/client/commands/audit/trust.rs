//! What whoever verifies has kept, and trusts: keys, and an earlier checkpoint.

use crate::client::{exit::Failure, files};
use slipway_domain::{
    audit::{Checkpoint, SignedCheckpoint, checkpoint::NoCheckpoint},
    signing::VerifyingKey,
};
use std::path::Path;

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
