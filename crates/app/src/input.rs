//! Reading what users send, where the domain has no type for it.

use slipway_domain::{Faults, registry::Labels};
pub(crate) use slipway_domain::{duration::parse as duration, fault::excerpt};

/// Longest description or reason, in characters.
pub(crate) const LONG: usize = 2000;

/// A text of one line: without control characters, 1 to `most` characters.
pub(crate) fn line(faults: &mut Faults, pointer: &str, text: &str, most: usize) {
    if text.trim().is_empty() {
        faults.add(pointer, "is empty");
    } else if text.chars().count() > most {
        faults.add(pointer, format!("is longer than {most} characters"));
    } else if text.chars().any(char::is_control) {
        faults.add(pointer, "holds control characters");
    }
}

/// A text of several lines: without control characters other than tab and line ends, up to `most` characters.
pub(crate) fn lines(faults: &mut Faults, pointer: &str, text: &str, most: usize) {
    if text.chars().count() > most {
        faults.add(pointer, format!("is longer than {most} characters"));
    } else if text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
    {
        faults.add(pointer, "holds control characters");
    }
}

/// Labels, as Kubernetes has them but for the size of keys.
pub fn labels(faults: &mut Faults, pointer: &str, labels: &Labels) {
    const MOST: usize = 50;
    if labels.len() > MOST {
        faults.add(pointer, format!("are {MOST} at most"));
    }
    let word = |text: &str, more: &[char], most: usize| {
        text.len() <= most
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(&c))
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    for (key, value) in labels.iter().take(MOST) {
        let at = format!("{pointer}/{}", token(key));
        if !word(key, &['-', '_', '.', '/'], 120) {
            faults.add(&at, "a label's key is 1 to 120 letters, digits, '-', '_', '.' and '/', with a letter or digit at both ends");
        }
        if !value.is_empty() && !word(value, &['-', '_', '.'], 63) {
            faults.add(&at, "a label's value is up to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends");
        }
    }
}

/// A key as a token of a JSON pointer (RFC 6901), cut where it is long.
pub(crate) fn token(key: &str) -> String {
    excerpt(key).replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_end_or_with_control_characters_is_refused() {
        for bad in ["", "  ", "a\nb", "a\0", &"x".repeat(11)] {
            let mut faults = Faults::new();
            line(&mut faults, "/name", bad, 10);
            assert_eq!(faults.as_slice().len(), 1, "{bad:?}");
        }
        let mut faults = Faults::new();
        line(&mut faults, "/name", "größer", 10);
        lines(&mut faults, "/text", "a\n\tb", 10);
        assert!(faults.is_empty());
        lines(&mut faults, "/text", "a\0b", 10);
        assert!(!faults.is_empty());
    }

    #[test]
    fn a_key_with_a_slash_is_one_token_of_a_pointer() {
        let mut faults = Faults::new();
        labels(
            &mut faults,
            "/labels",
            &Labels::from([("a/b~".to_owned(), "x".to_owned())]),
        );
        assert_eq!(faults.as_slice()[0].pointer, "/labels/a~1b~0");
    }
}
