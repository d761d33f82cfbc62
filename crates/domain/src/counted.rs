//! A number of things, as a sentence has it.

use std::fmt::Display;

/// `1 target`, `2 targets`, `0 targets`: `one` is the word for one of them, `many` for any other number.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(number: N, one: &str, many: &str) -> String {
    let word = if number == N::from(1) { one } else { many };
    format!("{number} {word}")
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_singular_and_every_other_number_plural() {
        assert_eq!(counted(0_usize, "target", "targets"), "0 targets");
        assert_eq!(counted(1_usize, "target", "targets"), "1 target");
        assert_eq!(counted(2_i64, "entry", "entries"), "2 entries");
        assert_eq!(
            counted(1_i32, "piece of evidence", "pieces of evidence"),
            "1 piece of evidence"
        );
    }
}
