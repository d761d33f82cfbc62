//! Entity tags: the revision of a resource, and what clients say they have seen.
//!
//! A resource whose answer depends on more than its own row carries a digest of the answer behind its revision
//! (`"7-1f0c…"`), so that `If-None-Match` never hides a change; `If-Match` goes by the revision alone.

use crate::problem::{Failure, catalogue};
use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// What the tag of a resource goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// Its own row.
    Revision(i64),
    /// Several rows; its own has this revision.
    Composed(i64),
    /// What is shown; it has no revision.
    Body,
}

impl Tag {
    /// The tag of an answer.
    pub(crate) fn of(self, body: &[u8]) -> ETag {
        match self {
            Self::Revision(revision) => ETag::revision(revision),
            Self::Composed(revision) => ETag::of(revision, body),
            Self::Body => ETag::of_body(body),
        }
    }
}

/// The tag of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ETag(String);

impl ETag {
    /// The tag of a resource that is wholly its own row.
    pub(crate) fn revision(revision: i64) -> Self {
        Self(format!("\"{revision}\""))
    }

    /// The tag of an answer that is put together from several rows.
    pub(crate) fn of(revision: i64, body: &[u8]) -> Self {
        Self(format!("\"{revision}-{}\"", short_digest(body)))
    }

    /// The tag of an answer without a revision.
    pub(crate) fn of_body(body: &[u8]) -> Self {
        Self(format!("\"{}\"", short_digest(body)))
    }

    /// As a header's value.
    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("\"\""))
    }

    /// Whether `If-None-Match` names it (weak comparison, RFC 9110 13.1.2).
    pub(crate) fn is_known(&self, headers: &HeaderMap) -> bool {
        headers
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.0)
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn short_digest(body: &[u8]) -> String {
    use fmt::Write as _;
    Sha256::digest(body)
        .iter()
        .take(12)
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// The revision that a client says it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Whichever there is.
    Any,
    /// This one.
    Revision(i64),
}

impl IfMatch {
    /// Reads the header: 428 when it is missing, 400 when it is malformed.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Failure> {
        let mut values = headers.get_all(header::IF_MATCH).iter();
        let Some(value) = values.next() else {
            return Err(Failure::new(
                &catalogue::PRECONDITION_REQUIRED,
                "send the `ETag` of what you have read as `If-Match`, so that no change of somebody else is lost",
            ));
        };
        let text = value.to_str().map(str::trim).unwrap_or_default();
        if values.next().is_none() {
            if text == "*" {
                return Ok(Self::Any);
            }
            let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            let revision = inner.map(|inner| inner.split_once('-').map_or(inner, |(revision, _)| revision));
            if let Some(revision) = revision
                .and_then(|text| text.parse().ok())
                .filter(|revision| *revision >= 0)
            {
                return Ok(Self::Revision(revision));
            }
        }
        Err(Failure::new(
            &catalogue::MALFORMED,
            "`If-Match` must be one `ETag` as it was given, in its quotes, or `*`",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_client_that_has_it_is_recognised_in_every_way_of_writing_it() {
        let tag = ETag::revision(7);
        for known in ["\"7\"", "W/\"7\"", "\"6\", \"7\"", "*"] {
            assert!(tag.is_known(&headers(header::IF_NONE_MATCH, known)), "{known}");
        }
        for other in ["\"8\"", "7", "\"77\""] {
            assert!(!tag.is_known(&headers(header::IF_NONE_MATCH, other)), "{other}");
        }
    }

    #[test]
    fn a_missing_precondition_is_428_and_a_malformed_one_400() {
        assert_eq!(IfMatch::read(&HeaderMap::new()).unwrap_err().kind().status, 428);
        for bad in ["7", "\"x\"", "W/\"7\"", "\"-1\"", "\"7\", \"8\"", ""] {
            let failure = IfMatch::read(&headers(header::IF_MATCH, bad)).unwrap_err();
            assert_eq!(failure.kind().status, 400, "{bad}");
        }
    }

    #[test]
    fn a_tag_that_was_given_is_accepted_back() {
        for tag in [ETag::revision(12), ETag::of(12, b"{}")] {
            let read = IfMatch::read(&headers(header::IF_MATCH, &tag.to_string())).unwrap();
            assert_eq!(read, IfMatch::Revision(12));
        }
        assert_eq!(
            IfMatch::read(&headers(header::IF_MATCH, "*")).unwrap(),
            IfMatch::Any
        );
    }

    #[test]
    fn answers_that_differ_have_tags_that_differ() {
        assert_ne!(ETag::of(1, b"a"), ETag::of(1, b"b"));
        assert_ne!(ETag::of(1, b"a"), ETag::of(2, b"a"));
    }
}
