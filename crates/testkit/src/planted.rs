//! Secrets that a test plants, to look for them wherever they must not come out.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use std::fmt::Write as _;

/// A secret, where it was planted, and every form in which it could come out.
#[derive(Debug, Clone)]
pub struct Planted {
    /// Where it was planted.
    pub place: &'static str,
    /// The secret itself.
    pub secret: String,
    forms: Vec<String>,
}

impl Planted {
    /// A secret nobody else has, for this place.
    #[must_use]
    pub fn new(place: &'static str) -> Self {
        let secret = format!("hunter2!{}", uuid::Uuid::now_v7().simple());
        Self::of(place, &secret)
    }

    /// A secret that was made elsewhere.
    #[must_use]
    pub fn of(place: &'static str, secret: &str) -> Self {
        let encoded = STANDARD.encode(secret);
        let mut forms = vec![secret.to_owned()];
        forms.extend(alignments(secret.as_bytes()));
        // The data of a Secret once more inside of something that is encoded.
        forms.extend(alignments(encoded.as_bytes()));
        let hex = hex(secret);
        forms.push(hex.to_uppercase());
        forms.push(hex);
        let url: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        forms.push(url);
        Self {
            place,
            secret: secret.to_owned(),
            forms,
        }
    }

    /// As the data of a Secret has it.
    #[must_use]
    pub fn base64(&self) -> String {
        STANDARD.encode(&self.secret)
    }

    /// What of it a text holds, with what stands around it.
    #[must_use]
    pub fn found_in(&self, text: &str) -> Option<String> {
        let at = self.forms.iter().find_map(|form| text.find(form.as_str()))?;
        let begin = text.floor_char_boundary(at.saturating_sub(120));
        let end = text.floor_char_boundary(at + 200);
        Some(format!("{}: …{}…", self.place, &text[begin..end]))
    }
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Base64 of bytes that stand behind none, one or two others: the part that is the same whatever stands around them. Both
/// alphabets.
fn alignments(bytes: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    for before in 0..3 {
        let mut shifted = vec![0; before];
        shifted.extend(bytes);
        let text = STANDARD_NO_PAD.encode(&shifted);
        let begin = (before * 8).div_ceil(6);
        let end = shifted.len() * 8 / 6;
        let core = text[begin..end].to_owned();
        all.push(core.replace('+', "-").replace('/', "_"));
        all.push(core);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_whatever_form_it_comes_out() {
        let planted = Planted::new("here");
        let secret = &planted.secret;
        let inside = |before: &str| STANDARD.encode(format!("{before}{secret} and more"));
        for text in [
            format!("x {secret} y"),
            planted.base64(),
            inside(""),
            inside("a"),
            inside("ab"),
            STANDARD.encode(format!("password: {}", planted.base64())),
            hex(secret),
        ] {
            assert!(planted.found_in(&text).is_some(), "{text}");
        }
        let other = Planted::new("there");
        assert!(
            planted
                .found_in(&format!("{} {}", other.secret, other.base64()))
                .is_none()
        );
    }
}
