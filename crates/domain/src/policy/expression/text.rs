//! An expression as text: to name the part that decided, and to have it parsed again by itself.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, operators as op};

/// Binds as strongly as nothing that needs brackets.
const TIGHT: u8 = 8;

/// As it would be written.
pub(super) fn of(expr: &IdedExpr) -> String {
    written(expr).0
}

/// In brackets where it binds less strongly than that.
fn within(expr: &IdedExpr, least: u8) -> String {
    match written(expr) {
        (text, strength) if strength >= least => text,
        (text, _) => format!("({text})"),
    }
}

/// The text, and how strongly it binds.
fn written(expr: &IdedExpr) -> (String, u8) {
    let text = match &expr.expr {
        Expr::Ident(name) => name.clone(),
        Expr::Select(select) => format!("{}.{}", within(&select.operand, TIGHT), select.field),
        Expr::Literal(value) => return literal(value),
        Expr::List(list) => format!("[{}]", all(&list.elements)),
        Expr::Map(map) => {
            let entries: Vec<_> = map
                .entries
                .iter()
                .map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => format!("{}: {}", of(&entry.key), of(&entry.value)),
                    EntryExpr::StructField(field) => format!("{}: {}", field.field, of(&field.value)),
                })
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Expr::Call(call) => {
            let args = &call.args;
            match (call.func_name.as_str(), args.len(), &call.target) {
                (op::CONDITIONAL, 3, None) => {
                    let text = format!(
                        "{} ? {} : {}",
                        within(&args[0], 2),
                        within(&args[1], 2),
                        of(&args[2])
                    );
                    return (text, 1);
                }
                // Two signs in a row are none to the parser.
                (op::LOGICAL_NOT, 1, None) => return (format!("!{}", within(&args[0], TIGHT)), 7),
                // A sign right before a number is part of the number.
                (op::NEGATE, 1, None) => {
                    let text = within(&args[0], TIGHT);
                    let number = text.starts_with(|c: char| c.is_ascii_digit());
                    return (
                        if number {
                            format!("-({text})")
                        } else {
                            format!("-{text}")
                        },
                        7,
                    );
                }
                (op::INDEX, 2, None) => format!("{}[{}]", within(&args[0], TIGHT), of(&args[1])),
                (name, 2, None) => match binary(name) {
                    Some((sign, strength)) => {
                        // All of them bind to the left; the parser balances `&&` and `||`, whose order is no matter.
                        let left = within(&args[0], strength);
                        let right = within(&args[1], if strength <= 3 { strength } else { strength + 1 });
                        return (format!("{left} {sign} {right}"), strength);
                    }
                    None => format!("{name}({})", all(args)),
                },
                (name, _, None) => format!("{name}({})", all(args)),
                (name, _, Some(target)) => format!("{}.{name}({})", within(target, TIGHT), all(args)),
            }
        }
        // None of these comes of a source without macros.
        Expr::Comprehension(_) | Expr::Struct(_) | Expr::Unspecified => "?".to_owned(),
    };
    (text, TIGHT)
}

fn all(exprs: &[IdedExpr]) -> String {
    exprs.iter().map(of).collect::<Vec<_>>().join(", ")
}

/// How an operator between two things is written, and how strongly it binds.
pub(super) fn binary(name: &str) -> Option<(&'static str, u8)> {
    Some(match name {
        op::LOGICAL_OR => ("||", 2),
        op::LOGICAL_AND => ("&&", 3),
        op::EQUALS => ("==", 4),
        op::NOT_EQUALS => ("!=", 4),
        op::LESS => ("<", 4),
        op::LESS_EQUALS => ("<=", 4),
        op::GREATER => (">", 4),
        op::GREATER_EQUALS => (">=", 4),
        op::IN => ("in", 4),
        op::ADD => ("+", 5),
        op::SUBSTRACT => ("-", 5),
        op::MULTIPLY => ("*", 6),
        op::DIVIDE => ("/", 6),
        op::MODULO => ("%", 6),
        _ => return None,
    })
}

fn literal(value: &LiteralValue) -> (String, u8) {
    let number = |text: String| {
        let strength = if text.starts_with('-') { 7 } else { TIGHT };
        (text, strength)
    };
    match value {
        LiteralValue::Boolean(value) => (value.inner().to_string(), TIGHT),
        LiteralValue::Int(value) => number(value.inner().to_string()),
        LiteralValue::UInt(value) => (format!("{}u", value.inner()), TIGHT),
        LiteralValue::Double(value) => number(format!("{:?}", value.inner())),
        LiteralValue::String(value) => (quoted(value.inner()), TIGHT),
        LiteralValue::Bytes(_) => ("b\"\"".to_owned(), TIGHT),
        LiteralValue::Null => ("null".to_owned(), TIGHT),
    }
}

/// A string as CEL writes it.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                use std::fmt::Write as _;
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
