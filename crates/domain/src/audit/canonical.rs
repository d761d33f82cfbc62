//! Tells whether a text *is* canonical JSON (RFC 8785), in one pass and without making anything of it.
//!
//! A text that is its own canonical form need not be read, sorted and written again to be hashed: its bytes are what was
//! hashed. What is checked: no white space; keys in ascending order of their UTF-16 units, none of them twice; only the
//! escapes that must be, each in its one form; numbers as ECMAScript writes them.

#[cfg(test)]
mod tests;

use crate::digest::canonical;

/// Most levels of nesting, as `serde_json` reads them.
const MAX_DEPTH: u32 = 127;

/// What a text is not canonical for, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at byte {}: {what}", .at + 1)]
pub struct NotCanonical {
    /// How many bytes are before it.
    pub at: usize,
    /// What was expected.
    pub what: &'static str,
}

/// A place in a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

/// Where the first byte is that is not just itself in a string: a quote, a backslash or a control character. Looks at
/// eight at once, which is what makes verification fast.
fn special(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = specials(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(8 * index + found.trailing_zeros() as usize / 8);
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    rest.iter().position(is_special).map(|at| 8 * words.len() + at)
}

/// The highest bit of each byte that is special. What is above the lowest such bit may be wrong: a borrow went there.
const fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    const fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word
    }
    let quote = below(word ^ (ONES * b'"' as u64), 1);
    let backslash = below(word ^ (ONES * b'\\' as u64), 1);
    (below(word, 0x20) | quote | backslash) & HIGH
}

impl<'t> Scanner<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// How many bytes are before it.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'t [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    const fn not(&self, what: &'static str) -> NotCanonical {
        NotCanonical { at: self.at, what }
    }

    /// What was passed over since.
    pub(super) fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Passes over exactly this.
    pub(super) fn literal(&mut self, text: &'static str) -> Result<(), NotCanonical> {
        if !self.rest().starts_with(text.as_bytes()) {
            return Err(NotCanonical {
                at: self.at,
                what: text,
            });
        }
        self.at += text.len();
        Ok(())
    }

    /// Nothing follows.
    pub(super) fn end(&self) -> Result<(), NotCanonical> {
        if self.rest().is_empty() {
            return Ok(());
        }
        Err(self.not("its end"))
    }

    /// Passes over a string, and hands out what is between its quotes, with its escapes.
    pub(super) fn string(&mut self) -> Result<&'t str, NotCanonical> {
        if self.peek() != Some(b'"') {
            return Err(self.not("a string"));
        }
        self.at += 1;
        let start = self.at;
        loop {
            let Some(plain) = special(self.rest()) else {
                return Err(self.not("a string that ends"));
            };
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    let inner = self.since(start);
                    self.at += 1;
                    return Ok(inner);
                }
                Some(b'\\') => self.escape()?,
                _ => return Err(self.not("a control character that is escaped")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), NotCanonical> {
        self.at += match self.rest() {
            [_, b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            // Those below 0x20 that have no letter.
            [_, b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..]
            | [_, b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => 6,
            _ => return Err(self.not("a character that is not escaped, or is as it must be")),
        };
        Ok(())
    }

    /// Passes over a whole number.
    pub(super) fn integer(&mut self) -> Result<i64, NotCanonical> {
        let before = *self;
        self.number()?;
        let number = self.since(before.at).parse();
        number.map_err(|_| before.not("a whole number"))
    }

    fn number(&mut self) -> Result<(), NotCanonical> {
        let before = *self;
        let in_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        self.at += self.rest().iter().take_while(|byte| in_number(byte)).count();
        let text = self.since(before.at);
        let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
        let canonical = match digits {
            b"0" => text == "0",
            // So many digits are exact in a double.
            [b'1'..=b'9', rest @ ..] if digits.len() <= 15 && rest.iter().all(u8::is_ascii_digit) => true,
            _ => is_canonical_number(text),
        };
        if canonical {
            return Ok(());
        }
        Err(before.not("a value, and a number as ECMAScript writes it"))
    }

    /// Passes over a value.
    pub(super) fn value(&mut self) -> Result<(), NotCanonical> {
        self.value_within(MAX_DEPTH)
    }

    fn value_within(&mut self, depth: u32) -> Result<(), NotCanonical> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => self.object(self.deeper(depth)?),
            Some(b'[') => self.array(self.deeper(depth)?),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => self.number(),
        }
    }

    fn deeper(&self, depth: u32) -> Result<u32, NotCanonical> {
        depth
            .checked_sub(1)
            .ok_or(self.not("at most 127 levels of nesting"))
    }

    /// Whether another part follows, after a comma, or the end.
    fn goes_on(&mut self, end: u8) -> Result<bool, NotCanonical> {
        let next = self.peek();
        if next != Some(b',') && next != Some(end) {
            return Err(self.not("a comma or the end of the list or object"));
        }
        self.at += 1;
        Ok(next == Some(b','))
    }

    fn array(&mut self, depth: u32) -> Result<(), NotCanonical> {
        self.literal("[")?;
        if self.peek() == Some(b']') {
            return self.literal("]");
        }
        loop {
            self.value_within(depth)?;
            if !self.goes_on(b']')? {
                return Ok(());
            }
        }
    }

    fn object(&mut self, depth: u32) -> Result<(), NotCanonical> {
        self.literal("{")?;
        if self.peek() == Some(b'}') {
            return self.literal("}");
        }
        let mut before: Option<&str> = None;
        loop {
            let place = *self;
            let key = self.string()?;
            if before.is_some_and(|before| !is_before(before, key)) {
                return Err(place.not("a key that comes after the one before it (in order, and none twice)"));
            }
            before = Some(key);
            self.literal(":")?;
            self.value_within(depth)?;
            if !self.goes_on(b'}')? {
                return Ok(());
            }
        }
    }
}

/// Whether one key comes before another, as they stand between their quotes.
fn is_before(one: &str, other: &str) -> bool {
    let is_plain = |key: &str| key.is_ascii() && !key.contains('\\');
    if is_plain(one) && is_plain(other) {
        return one < other;
    }
    match (unescaped(one), unescaped(other)) {
        (Some(one), Some(other)) => one.encode_utf16().lt(other.encode_utf16()),
        _ => false,
    }
}

fn unescaped(key: &str) -> Option<String> {
    serde_json::from_str(&format!("\"{key}\"")).ok()
}

fn is_canonical_number(text: &str) -> bool {
    let number: Option<f64> = text.parse().ok();
    let written = number.and_then(|number| canonical(&number).ok());
    written.is_some_and(|written| written == text.as_bytes())
}
