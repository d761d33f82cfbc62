//! Changing text that is valid, by its tokens and by its bytes; and what stands in no grammar at all.

use crate::choices::Choices;
use std::fmt;

/// Most bytes that repeating makes of a document: what is larger takes its time, and finds nothing else.
const MOST: usize = 100_000;

/// Bytes, shown as the text that they are for the most part.
#[derive(Clone)]
pub(crate) struct Payload(pub(crate) Vec<u8>);

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20_000;
        write!(f, "{} bytes: ", self.0.len())?;
        match std::str::from_utf8(&self.0) {
            Ok(text) if text.len() <= SHOWN => write!(f, "{text:?}"),
            _ => write!(f, "b\"{}\"", self.0[..self.0.len().min(SHOWN)].escape_ascii()),
        }
    }
}

/// Words and numbers as a whole, everything else by the character.
fn tokens(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(end);
        tokens.push(token);
        rest = after;
    }
    tokens
}

/// Changes a text once, by its tokens.
pub(crate) fn retoken(choices: &mut Choices<'_>, text: &str, words: &[&str]) -> String {
    let mut all = tokens(text);
    let made = choices.text();
    let at = choices.below(all.len().max(1));
    let other = choices.below(all.len().max(1));
    let (first, last) = (at.min(other), at.max(other));
    let word = *choices.of(words);
    match choices.below(8) {
        0 if at < all.len() => drop(all.remove(at)),
        1 if at < all.len() => all.insert(at, all[other]),
        2 if at < all.len() => all.swap(at, other),
        3 if at < all.len() => all[at] = word,
        4 => all.insert(at, word),
        5 => all.insert(at, &made),
        6 if at < all.len() => drop(all.drain(first..=last)),
        _ => {
            let again: Vec<_> = all.get(first..=last).unwrap_or_default().to_vec();
            let bytes: usize = again.iter().map(|token| token.len()).sum();
            let times = (1 << choices.below(10)).min(MOST / bytes.max(1));
            let end = (last + 1).min(all.len());
            for _ in 0..times {
                all.splice(end..end, again.iter().copied());
            }
        }
    }
    all.concat()
}

/// Changes bytes once.
pub(crate) fn corrupt(choices: &mut Choices<'_>, bytes: &mut Vec<u8>) {
    let byte = u8::try_from(choices.below(256)).unwrap();
    let at = choices.below(bytes.len().max(1));
    let length = choices.below(32).min(bytes.len().saturating_sub(at));
    match choices.below(6) {
        0 if at < bytes.len() => bytes[at] = byte,
        1 => bytes.insert(at, byte),
        2 => drop(bytes.drain(at..at + length)),
        3 => bytes.truncate(at),
        4 if at < bytes.len() => bytes[at] ^= 1 << (byte % 8),
        _ => {
            let again = bytes[at..at + length].to_vec();
            bytes.splice(at..at, again);
        }
    }
}

/// Words in a row, with nothing that holds them together; bytes; or characters.
pub(crate) fn rubbish(choices: &mut Choices<'_>, words: &[&str]) -> Vec<u8> {
    match choices.below(3) {
        0 => (0..choices.below(40))
            .flat_map(|_| choices.of(words).bytes())
            .collect(),
        1 => (0..choices.below(100))
            .map(|_| u8::try_from(choices.below(256)).unwrap())
            .collect(),
        _ => {
            let text: String = (0..choices.below(100)).map(|_| choices.character()).collect();
            text.into_bytes()
        }
    }
}
