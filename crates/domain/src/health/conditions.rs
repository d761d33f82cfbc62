//! Reading `status.conditions`.

use super::read;
use serde_json::Value;

/// One condition of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition<'a> {
    pub(super) status: &'a str,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
}

impl Condition<'_> {
    /// What it says, for a person: message and reason, as far as it has them.
    pub(super) fn told(&self, otherwise: &str) -> String {
        match (self.reason, self.message) {
            ("", "") => otherwise.to_owned(),
            ("", message) => message.to_owned(),
            (reason, "") => reason.to_owned(),
            (reason, message) => format!("{message} ({reason})"),
        }
    }
}

/// The condition of a type.
pub(super) fn get<'a>(object: &'a Value, kind: &str) -> Option<Condition<'a>> {
    let condition = read::list(object, "/status/conditions")
        .iter()
        .find(|c| read::text(c, "/type") == Some(kind))?;
    let text = |pointer| read::text(condition, pointer).unwrap_or_default();
    Some(Condition {
        status: text("/status"),
        reason: text("/reason"),
        message: text("/message"),
    })
}

/// The condition of a type, if it has that status.
pub(super) fn is<'a>(object: &'a Value, kind: &str, status: &str) -> Option<Condition<'a>> {
    get(object, kind).filter(|condition| condition.status == status)
}
