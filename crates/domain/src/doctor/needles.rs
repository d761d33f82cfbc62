//! Looking for many secrets in much text, reading the text once.
//!
//! Each secret is looked for as it is, as it stands inside JSON, and in base64. Which one was found is said by where it
//! came from, never by what it is.

use base64::Engine as _;
use std::{
    collections::{HashMap, HashSet},
    fmt,
};

/// Shorter texts are no secrets that could be told from words.
pub const SHORTEST: usize = 8;
/// Shortest line of a text of several lines that is looked for on its own.
const SHORTEST_LINE: usize = 20;
/// Length of an API token's random part, in base64.
const TOKEN: usize = 43;
/// How many places of the first look there are: a power of two.
const PLACES: usize = 1 << 17;

/// Bytes to look for, and the number of where they are from.
type Needle = (Box<[u8]>, u32);

/// Secrets to look for.
pub struct Needles {
    /// By their first eight bytes.
    by_head: HashMap<[u8; SHORTEST], Vec<Needle>>,
    known: HashSet<Box<[u8]>>,
    origins: Vec<String>,
    origin_numbers: HashMap<String, u32>,
    /// Whether anything begins so: a first look that is nearly always the last.
    first: Box<[bool]>,
    most: usize,
    left_out: u64,
}

impl fmt::Debug for Needles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Needles")
            .field("count", &self.known.len())
            .finish_non_exhaustive()
    }
}

fn place(head: [u8; SHORTEST]) -> usize {
    let mixed = u64::from_le_bytes(head).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    usize::try_from(mixed >> 47).unwrap_or(0) % PLACES
}

/// Whether a value can be told from a name, a word or a number: long enough, and not of one kind of letters alone.
#[must_use]
pub fn is_telling(value: &str) -> bool {
    let has = |kind: fn(&char) -> bool| value.chars().any(|c| kind(&c));
    let letters = has(char::is_ascii_alphabetic);
    let kinds = [
        has(char::is_ascii_digit) && letters,
        has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase),
        value
            .chars()
            .any(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_' | '/' | ':')),
    ];
    value.len() >= SHORTEST && kinds.contains(&true)
}

impl Needles {
    /// None yet; at most so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            by_head: HashMap::new(),
            known: HashSet::new(),
            origins: Vec::new(),
            origin_numbers: HashMap::new(),
            first: vec![false; PLACES].into_boxed_slice(),
            most,
            left_out: 0,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// How many were one too many.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Adds a secret that must be found nowhere, whatever it looks like; `origin` says whose it is. Of a text of several
    /// lines (a key in PEM), its long lines are looked for each on its own too. Too short a one is left out.
    pub fn add(&mut self, secret: &str, origin: &str) {
        let secret = secret.trim();
        self.add_forms(secret, origin);
        if secret.contains('\n') {
            for line in secret.lines().map(str::trim) {
                if line.len() >= SHORTEST_LINE && !line.starts_with("-----") {
                    self.add_forms(line, origin);
                }
            }
        }
    }

    fn add_forms(&mut self, secret: &str, origin: &str) {
        self.add_bytes(secret.as_bytes(), origin);
        let quoted = serde_json::Value::from(secret).to_string();
        self.add_bytes(&quoted.as_bytes()[1..quoted.len() - 1], origin);
        let encoded = base64::engine::general_purpose::STANDARD.encode(secret);
        self.add_bytes(encoded.trim_end_matches('=').as_bytes(), origin);
    }

    fn add_bytes(&mut self, bytes: &[u8], origin: &str) {
        let Some(head) = bytes.first_chunk::<SHORTEST>() else {
            return;
        };
        if self.known.contains(bytes) {
            return;
        }
        if self.known.len() >= self.most {
            self.left_out += 1;
            return;
        }
        let next = u32::try_from(self.origins.len()).unwrap_or(u32::MAX);
        let number = *self.origin_numbers.entry(origin.to_owned()).or_insert_with(|| {
            self.origins.push(origin.to_owned());
            next
        });
        self.known.insert(bytes.into());
        self.first[place(*head)] = true;
        self.by_head
            .entry(*head)
            .or_default()
            .push((bytes.into(), number));
    }

    /// Whose secret a text holds, if any; an API token counts too, whoever has it.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&str> {
        if has_token(text) {
            return Some("an API token");
        }
        let bytes = text.as_bytes();
        if self.known.is_empty() {
            return None;
        }
        for (at, window) in bytes.windows(SHORTEST).enumerate() {
            let Some(head) = window.first_chunk::<SHORTEST>() else {
                continue;
            };
            if !self.first[place(*head)] {
                continue;
            }
            let Some(all) = self.by_head.get(head) else {
                continue;
            };
            if let Some((_, origin)) = all.iter().find(|(needle, _)| bytes[at..].starts_with(needle)) {
                return self.origins.get(*origin as usize).map(String::as_str);
            }
        }
        None
    }
}

/// Whether there is something that looks like an API token: `slp_` and 32 bytes in base64.
fn has_token(text: &str) -> bool {
    let is_random = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    text.match_indices("slp_").any(|(at, prefix)| {
        let rest = &text.as_bytes()[at + prefix.len()..];
        rest.len() >= TOKEN && rest[..TOKEN].iter().all(is_random)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_secret_is_found_wherever_it_stands_and_nothing_else_is(
            secrets in proptest::collection::vec("[a-zA-Z0-9\"\\\\]{8,40}", 1..20), before in "[ -~]{0,60}",
            after in "[ -~]{0,60}", at in any::<prop::sample::Index>()
        ) {
            let mut needles = Needles::new(1000);
            for (i, secret) in secrets.iter().enumerate() {
                needles.add(secret, &format!("secret {i}"));
            }
            let secret = at.get(&secrets);
            let plain = format!("{before}{secret}{after}");
            prop_assert!(needles.find(&plain).is_some());
            let inside = serde_json::json!({"message": plain}).to_string();
            prop_assert!(needles.find(&inside).is_some());
            let encoded = base64::engine::general_purpose::STANDARD.encode(secret);
            let encoded = format!("{before}{encoded}");
            prop_assert!(needles.find(&encoded).is_some());
            let holds = secrets.iter().any(|s| before.contains(s.as_str()));
            prop_assert!(needles.find(&before).is_none() || holds || before.contains("slp_"));
        }
    }

    #[test]
    fn a_key_is_found_by_any_line_of_it_and_told_by_its_origin() {
        let mut needles = Needles::new(1000);
        needles.add(
            "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\nCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n",
            "the credential of cluster eu",
        );
        assert_eq!(
            needles.find("it said CCqGSM49AwEHBG0wawIBAQQg, and stopped"),
            Some("the credential of cluster eu")
        );
        assert_eq!(needles.find("-----BEGIN PRIVATE KEY-----"), None);
    }

    #[test]
    fn an_api_token_is_found_without_being_known() {
        let needles = Needles::new(10);
        let token = format!("slp_{}", "Ab3_-".repeat(9));
        assert_eq!(
            needles.find(&format!("Bearer {token} was sent")),
            Some("an API token")
        );
        assert_eq!(needles.find("an API token (`slp_…`)"), None);
        assert_eq!(needles.find("slp_3q2-7wAbC"), None);
    }

    #[test]
    fn words_names_and_numbers_tell_nothing() {
        for word in [
            "production",
            "shop.svc.cluster.local",
            "12345678",
            "short1",
            "https://example.org/x",
        ] {
            assert!(!is_telling(word), "{word}");
        }
        for secret in [
            "hunter2-hunter2",
            "CorrectHorse",
            "p@ssword",
            "correct horse battery",
        ] {
            assert!(is_telling(secret), "{secret}");
        }
    }

    #[test]
    fn there_is_an_end_to_how_many_are_kept_and_it_is_counted() {
        let mut needles = Needles::new(4);
        for i in 0..10 {
            needles.add(&format!("secret-number-{i}"), "x");
        }
        assert_eq!(needles.len(), 4);
        assert!(needles.left_out() > 0);
    }
}
