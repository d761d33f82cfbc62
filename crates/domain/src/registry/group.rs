//! Groups: people who are asked together.

use crate::{Faults, Name, ids::GroupId};
use jiff::Timestamp;

/// Most characters of a description.
pub const MAX_DESCRIPTION: usize = 2000;
/// Most people in one.
pub const MAX_MEMBERS: usize = 1000;

/// A group of people. What it may approve is said by whoever asks it, and by the roles of its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its unique name.
    pub name: Name,
    /// Who that is, for people.
    pub description: String,
    /// Counts changes, those of its members too; the entity tag.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What is wrong with the description of a group.
#[must_use]
pub fn description_faults(description: &str) -> Faults {
    let mut faults = Faults::new();
    if description.chars().count() > MAX_DESCRIPTION {
        faults.add("", format!("is longer than {MAX_DESCRIPTION} characters"));
    }
    let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    if description.chars().any(control) {
        faults.add("", "holds control characters");
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_text_that_ends() {
        let longest = "ü".repeat(MAX_DESCRIPTION);
        for good in ["", "Who is on call\n\tfor payments.", longest.as_str()] {
            assert!(description_faults(good).is_empty(), "{good}");
        }
        for bad in [format!("{longest}ü"), "a\0b".to_owned(), "\u{1b}[2J".to_owned()] {
            assert_eq!(description_faults(&bad).as_slice().len(), 1, "{bad}");
        }
        let both = format!("{longest}\0");
        assert_eq!(description_faults(&both).as_slice().len(), 2);
    }
}
