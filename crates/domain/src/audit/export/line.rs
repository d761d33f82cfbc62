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
    if is_plain_time(text.as_bytes()) {
        return Ok(());
    }
    let time: Timestamp = text.parse().map_err(|_| Wrong::Time(excerpt(text)))?;
    let mut same = Same(text);
    if write!(same, "{time}").is_ok() && same.0.is_empty() {
        return Ok(());
    }
    Err(Wrong::Time(excerpt(text)))
}

/// Whether a time is of the common form, in which it surely exists: this spares reading and writing nearly all of them.
fn is_plain_time(text: &[u8]) -> bool {
    let Some((moment, fraction)) = text.split_at_checked(19) else {
        return false;
    };
    let is_fraction = match fraction {
        b"Z" => true,
        [b'.', digits @ .., last @ b'1'..=b'9', b'Z'] => {
            digits.len() < 9 && digits.iter().chain([last]).all(u8::is_ascii_digit)
        }
        _ => false,
    };
    let form = b"2000-00-00T00:00:00";
    let is_form = moment.iter().zip(form).all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    });
    let within = |at: usize, least: &[u8], most: &[u8]| {
        let two = moment.get(at..at + 2);
        two.is_some_and(|two| least <= two && two <= most)
    };
    is_form
        && is_fraction
        && within(5, b"01", b"12")
        && within(8, b"01", b"28")
        && within(11, b"00", b"23")
        && within(14, b"00", b"59")
        && within(17, b"00", b"59")
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_time_is_good_as_it_is_written_and_only_so(
            second in 900_000_000_i64..4_200_000_000, fraction in prop_oneof![Just(0), 0..1_000_000_000, (0..1000).prop_map(|ms| ms * 1_000_000)],
            at in any::<prop::sample::Index>(), with in "[0-9TZ.:-]"
        ) {
            let time = Timestamp::new(second, fraction).unwrap().to_string();
            prop_assert!(check_time(&time).is_ok(), "{}", time);
            let mut changed = time.clone();
            let at = at.index(time.len());
            changed.replace_range(at..=at, &with);
            let is_good = changed.parse::<Timestamp>().is_ok_and(|time| time.to_string() == changed);
            prop_assert_eq!(check_time(&changed).is_ok(), is_good, "{}", changed);
            prop_assert!(!is_plain_time(changed.as_bytes()) || is_good, "{}", changed);
        }
    }

    #[test]
    fn a_time_that_there_is_not_or_is_longer_is_none() {
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00.10Z",
            "2026-01-01T00:00:00.1234567891Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00+00:00",
            "2026-01-01T00:00:00Z[UTC]",
        ] {
            assert!(check_time(text).is_err(), "{text}");
        }
        for text in [
            "2024-02-29T23:59:59.123456789Z",
            "2026-12-28T00:00:00.1Z",
            "0001-01-01T00:00:00Z",
        ] {
            assert!(check_time(text).is_ok(), "{text}");
        }
    }
}
