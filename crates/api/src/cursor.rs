//! Opaque cursors: where a page ended, so that the next one starts right after it, whatever was added meanwhile.

use crate::{extract::invalid_parameter, problem::Failure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use slipway_app::Before;
use type_safe_id::{StaticType, TypeSafeId};

/// How many items a page has unless it is asked for otherwise.
pub(crate) const DEFAULT_LIMIT: u32 = 50;
/// How many items a page may have.
pub(crate) const MAX_LIMIT: u32 = 200;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    after: String,
}

/// Writes the cursor for the page after `last`.
pub(crate) fn write(last: &str) -> String {
    let json = serde_json::to_vec(&Place {
        after: last.to_owned(),
    })
    .unwrap_or_default();
    URL_SAFE_NO_PAD.encode(json)
}

/// Reads a cursor back, as whatever kind of id the list goes by.
pub(crate) fn read<T: std::str::FromStr>(cursor: &str) -> Result<T, Failure> {
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Place>(&bytes).ok())
        .and_then(|place| place.after.parse().ok())
        .ok_or_else(|| {
            let detail = "this is no cursor: give back the `next` of the page before, unchanged";
            invalid_parameter("cursor", detail)
        })
}

/// Reads the cursor of a list that goes by an id, if one is given.
pub(crate) fn before<T: StaticType>(cursor: Option<&str>) -> Result<Before, Failure> {
    cursor
        .map(|cursor| read::<TypeSafeId<T>>(cursor).map(|id| id.uuid()))
        .transpose()
}

/// Reads the cursor of a list that goes by a number, if one is given.
pub(crate) fn below(cursor: Option<&str>) -> Result<Option<i64>, Failure> {
    cursor.map(read::<i64>).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipway_domain::ids::{ReleaseId, TeamId};

    #[test]
    fn a_cursor_reads_back_and_shows_nothing_of_itself() {
        let id = ReleaseId::new();
        let cursor = write(&id.to_string());
        assert!(!cursor.contains(&id.to_string()));
        assert_eq!(read::<ReleaseId>(&cursor).unwrap(), id);
    }

    #[test]
    fn what_is_no_cursor_of_this_list_is_malformed() {
        let other = write(&TeamId::new().to_string());
        let injected = URL_SAFE_NO_PAD.encode(r#"{"after":"' OR 1=1 --"}"#);
        for bad in ["", "!", "e30", "bm9uZQ", injected.as_str(), other.as_str()] {
            let failure = read::<ReleaseId>(bad).unwrap_err();
            assert_eq!((failure.kind().status, failure.errors().len()), (400, 1), "{bad}");
        }
    }
}
