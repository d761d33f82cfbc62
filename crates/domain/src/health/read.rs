//! Reading fields of an object that may be missing or of another type.

use serde_json::Value;

/// Text at a pointer.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}

/// A whole number at a pointer.
pub(super) fn int(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// A count at a pointer: 0 where there is none, never negative.
pub(super) fn count(object: &Value, pointer: &str) -> u32 {
    count_or(object, pointer, 0)
}

/// A count at a pointer, with what its absence stands for.
pub(super) fn count_or(object: &Value, pointer: &str, default: u32) -> u32 {
    int(object, pointer).map_or(default, |n| u32::try_from(n.max(0)).unwrap_or(u32::MAX))
}

/// The items of a list at a pointer.
pub(super) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
