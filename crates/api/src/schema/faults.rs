//! Faults in words: what is wrong and what would be right, without ever repeating a value (it may be a secret).

use crate::problem::shortened;
use jsonschema::{
    ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::Value;
use slipway_api_types::ProblemFault;

/// Every fault, in the order of its place.
pub(super) fn of(validator: &Validator, value: &Value) -> Vec<ProblemFault> {
    let mut faults = Vec::new();
    for error in validator.iter_errors(value) {
        add(&error, &mut faults);
    }
    faults.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    faults.dedup();
    faults
}

fn add(error: &ValidationError<'_>, faults: &mut Vec<ProblemFault>) {
    let pointer = error.instance_path().as_str().to_owned();
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            for field in unexpected {
                faults.push(ProblemFault {
                    pointer: format!("{pointer}/{}", escape(field)),
                    detail: format!("unknown field `{}`", shortened(field)),
                });
            }
        }
        Kind::Required { property } => {
            let field = property.as_str().unwrap_or_default();
            faults.push(ProblemFault {
                pointer: format!("{pointer}/{}", escape(field)),
                detail: format!("`{field}` is missing"),
            });
        }
        // An optional part is written as "null or that": what is given is judged as "that".
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            if let Some(detail) = choices(&pointer, context) {
                faults.push(ProblemFault { pointer, detail });
                return;
            }
            let meant = context
                .iter()
                .filter(|branch| !is_null_branch(branch))
                .max_by_key(|branch| {
                    branch
                        .iter()
                        .map(|error| error.instance_path().as_str().len())
                        .max()
                        .unwrap_or(0)
                });
            match meant {
                Some(branch) => branch.iter().for_each(|error| add(error, faults)),
                None => faults.push(ProblemFault {
                    pointer,
                    detail: detail(error),
                }),
            }
        }
        _ => faults.push(ProblemFault {
            pointer,
            detail: detail(error),
        }),
    }
}

/// What it could be, when it is nothing of that: each of several, where none fits far enough to say more.
fn choices(pointer: &str, context: &[Vec<ValidationError<'_>>]) -> Option<String> {
    let mut all: Vec<String> = Vec::new();
    for branch in context.iter().filter(|branch| !is_null_branch(branch)) {
        if branch
            .iter()
            .any(|error| error.instance_path().as_str() != pointer)
        {
            return None;
        }
        let choice = branch.iter().find_map(|error| match error.kind() {
            Kind::Enum { options } => options.as_array().map(|options| {
                let options = options.iter().filter_map(Value::as_str);
                options.map(|option| format!("`{option}`")).collect::<Vec<_>>()
            }),
            _ => None,
        });
        let choice = choice.or_else(|| match branch.as_slice() {
            [error] => match error.kind() {
                Kind::Type {
                    kind: TypeKind::Single(kind),
                } => Some(vec![article(&kind.to_string())]),
                _ => None,
            },
            _ => None,
        });
        for one in choice? {
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    (all.len() > 1).then(|| format!("must be one of {}", all.join(", ")))
}

fn is_null_branch(branch: &[ValidationError<'_>]) -> bool {
    matches!(branch, [only] if matches!(only.kind(), Kind::Type { kind: TypeKind::Single(kind) } if kind.to_string() == "null"))
}

fn detail(error: &ValidationError<'_>) -> String {
    match error.kind() {
        Kind::Type {
            kind: TypeKind::Single(kind),
        } => format!("must be {}", article(&kind.to_string())),
        Kind::Type {
            kind: TypeKind::Multiple(kinds),
        } => {
            let kinds: Vec<_> = kinds.iter().map(|kind| article(&kind.to_string())).collect();
            let kinds: Vec<_> = kinds
                .iter()
                .map(String::as_str)
                .filter(|kind| *kind != "null")
                .collect();
            format!("must be {}", kinds.join(" or "))
        }
        Kind::Pattern { pattern } => format!("must match `{pattern}`"),
        Kind::Format { format } if format == "date-time" => {
            "must be a time as in RFC 3339, like `2026-01-31T09:00:00Z`".to_owned()
        }
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::Enum { options } => format!("must be one of {options}"),
        _ => error.masked().to_string(),
    }
}

fn article(kind: &str) -> String {
    match kind {
        "null" => "null".to_owned(),
        "object" | "array" | "integer" => format!("an {kind}"),
        other => format!("a {other}"),
    }
}

/// What a type says of a value, without the value.
pub(crate) fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    // `invalid value: string "hunter2", expected ..`: only what was expected is said.
    match (text.starts_with("invalid"), text.rsplit_once(", expected ")) {
        (true, Some((_, expected))) => format!("a value is not as it must be: expected {expected}"),
        (true, None) => "a value is not as it must be".to_owned(),
        (false, _) => text.to_owned(),
    }
}

fn escape(field: &str) -> String {
    shortened(field).replace('~', "~0").replace('/', "~1")
}
