//! Plain scalars, as kubectl understands them.
//!
//! kubectl reads YAML 1.1 the way `sigs.k8s.io/yaml` does (its `goyaml.v2/resolve.go`), and so do we: whoever moves
//! manifests here from kubectl must get the same objects. That means, for text without quotes:
//!
//! * `yes`, `no`, `on`, `off`, `y`, `n`, `true`, `false` (also `Yes` and `YES`) are booleans;
//! * `0755` and `0o755` are octal, `0x1f` hexadecimal, `0b11` binary, and `_` between digits is skipped;
//! * `08` is no octal number and therefore the float 8; `1e3` is a float and, being whole, the number 1000;
//! * `1:30` and dates are text.
//!
//! One thing is stricter: a whole number beyond ±(2⁵³ − 1) is refused. Canonical JSON (RFC 8785) would round it, and
//! two different objects would have the same digest.

use granit_parser::Tag;
use serde_json::{Number, Value};

/// The largest whole number that canonical JSON keeps exact, 2⁵³ − 1.
const MAX_WHOLE: i64 = 9_007_199_254_740_991;

/// What a scalar stands for: plain or not, tagged or not.
///
/// # Errors
/// When its tag says something else or nothing we know, or when JSON cannot say it.
pub(super) fn read(text: &str, is_plain: bool, tag: Option<&Tag>) -> Result<Value, String> {
    if text.contains('\0') {
        return Err("text cannot hold a NUL character".to_owned());
    }
    let Some(tag) = tag else {
        return if is_plain {
            plain(text)
        } else {
            Ok(Value::String(text.to_owned()))
        };
    };
    match tag.core_suffix() {
        Some("str") => Ok(Value::String(text.to_owned())),
        None if tag.original() == "!" => Ok(Value::String(text.to_owned())),
        None => Err(format!("the tag {} has no meaning here", tag.original())),
        Some(core) => match (core, plain(text)?) {
            ("null", Value::Null) => Ok(Value::Null),
            ("bool", value @ Value::Bool(_)) | ("int" | "float", value @ Value::Number(_)) => Ok(value),
            // Which value it is its place says: it may be one of a Secret.
            _ => Err(format!("this value is not what its tag {} says", tag.original())),
        },
    }
}

/// What a plain scalar stands for.
///
/// # Errors
/// When JSON cannot say it: not a number, infinite, or a whole number too large.
fn plain(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Ok(Value::Bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Ok(Value::Bool(false));
        }
        ".nan" | ".NaN" | ".NAN" => return Err(format!("{text} is no number that JSON knows")),
        _ => {}
    }
    match text.as_bytes().first() {
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => number(text),
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn number(text: &str) -> Result<Value, String> {
    if matches!(
        text.strip_prefix(['+', '-']).unwrap_or(text),
        ".inf" | ".Inf" | ".INF"
    ) {
        return Err(format!("{text} is no number that JSON knows"));
    }
    let digits = text.replace('_', "");
    if let Some(whole) = integer(&digits) {
        return match whole {
            Ok(whole) if whole.abs() <= MAX_WHOLE => Ok(whole.into()),
            _ => Err(
                "this number is beyond ±9007199254740991 and would be rounded: write it in quotes".to_owned(),
            ),
        };
    }
    // A leading dot is taken as it stands: `_` is skipped only in what begins with a digit or a sign.
    let digits = if text.starts_with('.') { text } else { &digits };
    if is_float(digits)
        && let Ok(float) = digits.parse::<f64>()
        && float.is_finite()
    {
        return Ok(whole_or_float(float));
    }
    Ok(Value::String(text.to_owned()))
}

/// A whole number in any base; `None` when it is written as none, an error when it is too large for 64 bits.
fn integer(text: &str) -> Option<Result<i64, ()>> {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = unsigned.get(..2).map(str::to_ascii_lowercase);
    let (radix, digits) = match lower.as_deref() {
        Some("0x") => (16, &unsigned[2..]),
        Some("0o") => (8, &unsigned[2..]),
        Some("0b") => (2, &unsigned[2..]),
        Some(_) if unsigned.starts_with('0') => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    Some(
        i64::from_str_radix(digits, radix)
            .map(|n| if negative { -n } else { n })
            .map_err(drop),
    )
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(e) => (&unsigned[..e], Some(&unsigned[e + 1..])),
        None => (unsigned, None),
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
        None => is_digits(mantissa),
    };
    mantissa_ok && exponent.is_none_or(|e| is_digits(e.strip_prefix(['-', '+']).unwrap_or(e)))
}

/// Floats that are whole become whole numbers: Go writes 1e3 into JSON as 1000, and so Kubernetes sees it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "only whole numbers up to 2^53 are converted, which is exact both ways"
)]
fn whole_or_float(float: f64) -> Value {
    if float.fract() == 0.0 && float.abs() <= MAX_WHOLE as f64 {
        Value::from(float as i64)
    } else {
        Number::from_f64(float).map_or(Value::Null, Value::Number)
    }
}
