//! The line of an entry.

use super::wrong::Wrong;
use crate::{audit::canonical::Scanner, fault::excerpt};
use jiff::Timestamp;
use std::fmt;

/// The parts of an entry's line that matter to the chain.
pub(super) struct Line<'l> {
    pub(super) seq: i64,
    pub(super) previous: &'l str,
    pub(super) digest: &'l str,
    /// The line without the digest: what was hashed, in two parts.
    pub(super) before_digest: &'l str,
    pub(super) after_digest: &'l str,
}

impl<'l> Line<'l> {
    /// Reads a line that is an entry with its digest in canonical form, and nothing else.
    pub(super) fn read(line: &'l str) -> Result<Self, Wrong> {
        let mut scanner = Scanner::new(line);
        let s = &mut scanner;
        s.literal("{\"action\":")?;
        s.string()?;
        s.literal(",\"actor\":")?;
        s.string()?;
        s.literal(",\"at\":")?;
        check_time(s.string()?)?;
        s.literal(",\"data\":")?;
        s.value()?;
        s.literal(",")?;
        let before_digest = s.since(0);
        s.literal("\"digest\":")?;
        let digest = s.string()?;
        s.literal(",")?;
        let rest = s.at();
        s.literal("\"id\":")?;
        s.string()?;
        s.literal(",\"previous\":")?;
        let previous = s.string()?;
        s.literal(",\"seq\":")?;
        let seq = s.integer()?;
        s.literal(",\"subject\":")?;
        s.string()?;
        s.literal("}")?;
        s.end()?;
        Ok(Self {
            seq,
            previous,
            digest,
            before_digest,
            after_digest: s.since(rest),
        })
    }
}

/// A time is written as it was when it was hashed.
fn check_time(text: &str) -> Result<(), Wrong> {
    use std::fmt::Write as _;
    let time: Timestamp = text.parse().map_err(|_| Wrong::Time(excerpt(text)))?;
    let mut same = Same(text);
    if write!(same, "{time}").is_ok() && same.0.is_empty() {
        return Ok(());
    }
    Err(Wrong::Time(excerpt(text)))
}

/// Compares what is written to it.
struct Same<'t>(&'t str);

impl fmt::Write for Same<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(text).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// The digits of a digest that is one, if it has so many of them.
pub(super) fn digits(digest: &str) -> Option<&[u8; 64]> {
    digest.strip_prefix("sha256:")?.as_bytes().try_into().ok()
}

pub(super) fn hexadecimal(bytes: &[u8; 32]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    text
}
