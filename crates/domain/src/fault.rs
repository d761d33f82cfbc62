//! What is wrong with an input: every fault at once, each with the place it is at.

use serde::Serialize;
use std::fmt;

/// Most characters of what is said of a fault.
const MAX_DETAIL: usize = 999;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// JSON pointer (RFC 6901) into the input; empty for the whole of it.
    pub pointer: String,
    /// What is wrong and what would be right, for a person.
    pub detail: String,
}

/// Collects faults, so that a user learns of all of them in one answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// No fault yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// A single fault.
    pub fn one(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut faults = Self::new();
        faults.add(pointer, detail);
        faults
    }

    /// Adds a fault. What is said of it is cut off where it is too long to be read: parsers repeat what they were given.
    pub fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        let mut detail = detail.into();
        if let Some((end, _)) = detail.char_indices().nth(MAX_DETAIL) {
            detail.truncate(end);
            detail.push('…');
        }
        self.0.push(Fault {
            pointer: pointer.into(),
            detail,
        });
    }

    /// Adds the faults of a part of the input, under that part's pointer.
    pub fn nest(&mut self, prefix: &str, inner: Self) {
        self.0.extend(inner.0.into_iter().map(|f| Fault {
            pointer: format!("{prefix}{}", f.pointer),
            detail: f.detail,
        }));
    }

    /// Keeps the value of a result, or its error as a fault at `pointer`.
    pub fn take<T, E: fmt::Display>(&mut self, pointer: &str, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(pointer, error.to_string());
                None
            }
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults in the order they were found.
    #[must_use]
    pub fn as_slice(&self) -> &[Fault] {
        &self.0
    }

    /// `Ok` when nothing is wrong.
    ///
    /// # Errors
    /// With itself, when something is.
    pub fn check(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            if fault.pointer.is_empty() {
                f.write_str(&fault.detail)?;
            } else {
                write!(f, "{}: {}", fault.pointer, fault.detail)?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// As much of a text as belongs in a message.
#[must_use]
pub fn excerpt(text: &str) -> String {
    let mut cut: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
    if text.chars().count() > 80 {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_fault_is_short_enough_to_be_read() {
        let long = Faults::one("/a", "é".repeat(5_000));
        assert_eq!(long.as_slice()[0].detail.chars().count(), MAX_DETAIL + 1);
        let fits = "é".repeat(MAX_DETAIL);
        assert_eq!(Faults::one("/a", fits.clone()).as_slice()[0].detail, fits);
    }
}
