//! What can be known about an expression before any fact is: that it reads facts there are, calls functions there are, and
//! compares like with like.

use super::{
    text,
    tree::{ALIKE, MACROS},
};
use crate::policy::facts::Shape;
use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators as op};
use std::collections::HashSet;

/// Functions that are called by themselves.
const GLOBAL: [&str; 5] = ["size", "int", "double", "string", "has"];
/// Functions of a value.
const MEMBER: [&str; 4] = ["size", "contains", "startsWith", "endsWith"];
const LOGICAL: [&str; 3] = [op::LOGICAL_AND, op::LOGICAL_OR, op::LOGICAL_NOT];

/// The comparisons in it, by their ids, of what may be lists and objects on both sides; or everything that is wrong with it,
/// and that it comes out as what is wanted, as far as that is known.
pub(super) fn checked(
    expr: &IdedExpr,
    roots: &'static Shape,
    wanted: Shape,
) -> Result<HashSet<u64>, Vec<String>> {
    let mut checker = Checker {
        roots,
        variables: Vec::new(),
        faults: Vec::new(),
        deep: HashSet::new(),
    };
    let shape = checker.shape_of(expr);
    checker.must_be(wanted, shape, expr);
    if checker.faults.is_empty() {
        Ok(checker.deep)
    } else {
        Err(checker.faults)
    }
}

struct Checker {
    roots: &'static Shape,
    /// Of the loops around, the innermost last.
    variables: Vec<(String, Shape)>,
    faults: Vec<String>,
    deep: HashSet<u64>,
}

impl Checker {
    fn fault(&mut self, fault: String) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// What comes out of it, as far as that is known.
    fn shape_of(&mut self, expr: &IdedExpr) -> Shape {
        match &expr.expr {
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => {
                let of = self.shape_of(&select.operand);
                self.selected(of, &select.field, &text::of(&select.operand))
            }
            Expr::Literal(value) => self.literal(value),
            Expr::List(list) => {
                list.elements.iter().for_each(|entry| {
                    self.shape_of(entry);
                });
                Shape::Any
            }
            Expr::Call(call) => match &call.target {
                Some(target) if MACROS.contains(&call.func_name.as_str()) => {
                    self.looped(&call.func_name, target, &call.args)
                }
                target => {
                    let target_shape = target.as_deref().map(|target| self.shape_of(target));
                    let shapes: Vec<_> = call.args.iter().map(|arg| self.shape_of(arg)).collect();
                    match target_shape {
                        Some(_) => self.member(&call.func_name),
                        None => self.called(&call.func_name, &call.args, &shapes, expr),
                    }
                }
            },
            Expr::Map(_) | Expr::Struct(_) | Expr::Comprehension(_) | Expr::Unspecified => {
                self.fault("objects cannot be made here: compare with facts, lists and literals".to_owned());
                Shape::Any
            }
        }
    }

    fn variable(&mut self, name: &str) -> Shape {
        if let Some((_, shape)) = self.variables.iter().rev().find(|(known, _)| known == name) {
            return *shape;
        }
        if let Some(field) = self.roots.field(name) {
            return field.shape;
        }
        let there_are = self.names();
        self.fault(format!("there is no fact `{name}`; there are {there_are}"));
        Shape::Any
    }

    fn names(&self) -> String {
        let Shape::Object(fields) = self.roots else {
            return "none".to_owned();
        };
        fields
            .iter()
            .map(|field| field.name)
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn selected(&mut self, of: Shape, name: &str, path: &str) -> Shape {
        match of {
            Shape::Any => Shape::Any,
            Shape::Map(of) => *of,
            Shape::Object(fields) => {
                if let Some(field) = fields.iter().find(|field| field.name == name) {
                    return field.shape;
                }
                let known: Vec<_> = fields.iter().map(|field| field.name).collect();
                self.fault(format!("`{path}` has no `{name}`; it has {}", known.join(", ")));
                Shape::Any
            }
            Shape::List(_) => {
                self.fault(format!(
                    "`{path}` is a list, which has no `{name}`: say `{path}.all(x, …)` or `{path}.exists(x, …)`"
                ));
                Shape::Any
            }
            other => {
                self.fault(format!("`{path}` is {}, which has no `{name}`", other.name()));
                Shape::Any
            }
        }
    }

    fn literal(&mut self, value: &LiteralValue) -> Shape {
        match value {
            LiteralValue::Boolean(_) => Shape::Bool,
            LiteralValue::Int(_) => Shape::Int,
            LiteralValue::String(_) => Shape::Text,
            LiteralValue::Double(_) | LiteralValue::Null => Shape::Any,
            LiteralValue::UInt(value) => {
                self.fault(format!(
                    "whole numbers are written without `u`: {}",
                    value.inner()
                ));
                Shape::Int
            }
            LiteralValue::Bytes(_) => {
                self.fault("no fact is made of bytes".to_owned());
                Shape::Any
            }
        }
    }

    /// `list.all(variable, …)` and its like.
    fn looped(&mut self, name: &str, over: &IdedExpr, args: &[IdedExpr]) -> Shape {
        let range = self.shape_of(over);
        let entry = match range {
            Shape::List(entry) => *entry,
            Shape::Map(_) => Shape::Text,
            Shape::Any => Shape::Any,
            other => {
                let path = text::of(over);
                self.fault(format!(
                    "`{path}` is {}, not a list: there is no `{name}` of it",
                    other.name()
                ));
                Shape::Any
            }
        };
        let [variable, rest @ ..] = args else {
            self.fault(format!("`{name}` wants a name and an expression: `{name}(x, …)`"));
            return Shape::Any;
        };
        let Expr::Ident(variable) = &variable.expr else {
            self.fault(format!(
                "`{name}` wants a name for each entry first: `{name}(x, …)`"
            ));
            return Shape::Any;
        };
        if rest.is_empty() || rest.len() > if name == op::MAP { 2 } else { 1 } {
            self.fault(format!(
                "`{name}` wants a name and an expression: `{name}({variable}, …)`"
            ));
        }
        if self.roots.field(variable).is_some() {
            self.fault(format!(
                "`{variable}` is a fact: an entry of a list needs another name"
            ));
        }
        self.variables.push((variable.clone(), entry));
        let shapes: Vec<_> = rest.iter().map(|body| self.shape_of(body)).collect();
        if name != op::MAP {
            for (shape, body) in shapes.iter().zip(rest) {
                self.must_be_bool(*shape, body);
            }
        }
        self.variables.pop();
        match name {
            // Of an object, its keys.
            op::FILTER if matches!(range, Shape::Map(_)) => Shape::List(&Shape::Text),
            op::FILTER => range,
            op::MAP => Shape::Any,
            _ => Shape::Bool,
        }
    }

    fn member(&mut self, name: &str) -> Shape {
        match name {
            "size" => Shape::Int,
            name if MEMBER.contains(&name) => Shape::Bool,
            name => {
                self.fault(format!(
                    "there is no function `{name}` of a value; there are {}, {}",
                    MACROS.join(", "),
                    MEMBER.join(", ")
                ));
                Shape::Any
            }
        }
    }

    fn called(&mut self, name: &str, args: &[IdedExpr], shapes: &[Shape], whole: &IdedExpr) -> Shape {
        let may_be_deep = |(shape, arg): (&Shape, &IdedExpr)| {
            let deep = matches!(
                shape,
                Shape::List(_) | Shape::Map(_) | Shape::Object(_) | Shape::Any
            );
            deep && !matches!(arg.expr, Expr::Literal(_))
        };
        // What something is looked for in is a list in any case.
        let compared = if name == op::IN { 1 } else { args.len() };
        if shapes.iter().zip(args).take(compared).all(may_be_deep) {
            self.deep.insert(whole.id);
        }
        if ALIKE.contains(&name) && shapes.len() == 2 {
            self.alike(shapes[0], shapes[1], args, whole);
            return Shape::Bool;
        }
        if LOGICAL.contains(&name) {
            for (shape, arg) in shapes.iter().zip(args) {
                self.must_be_bool(*shape, arg);
            }
            return Shape::Bool;
        }
        match name {
            op::IN => {
                if let (Some(Shape::List(entry)), Some(Expr::Literal(_) | Expr::Select(_) | Expr::Ident(_))) =
                    (shapes.get(1), args.first().map(|arg| &arg.expr))
                {
                    self.alike(shapes[0], **entry, args, whole);
                }
                Shape::Bool
            }
            op::CONDITIONAL => {
                self.must_be_bool(shapes[0], &args[0]);
                shapes[1]
            }
            op::INDEX => match shapes.first() {
                Some(Shape::List(entry) | Shape::Map(entry)) => **entry,
                _ => Shape::Any,
            },
            op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO | op::NEGATE => {
                shapes.first().copied().unwrap_or(Shape::Any)
            }
            "has" => {
                if !matches!(
                    args,
                    [IdedExpr {
                        expr: Expr::Select(_),
                        ..
                    }]
                ) {
                    self.fault("`has` asks for a field: `has(release.notes)`".to_owned());
                }
                Shape::Bool
            }
            "size" | "int" => Shape::Int,
            "string" => Shape::Text,
            "double" => Shape::Any,
            name => {
                self.fault(format!(
                    "there is no function `{name}`; there are {}",
                    GLOBAL.join(", ")
                ));
                Shape::Any
            }
        }
    }

    fn must_be_bool(&mut self, shape: Shape, part: &IdedExpr) {
        self.must_be(Shape::Bool, shape, part);
    }

    fn must_be(&mut self, wanted: Shape, shape: Shape, part: &IdedExpr) {
        if shape != Shape::Any && shape.name() != wanted.name() {
            self.fault(format!(
                "`{}` is {}, not {}",
                text::of(part),
                shape.name(),
                wanted.name()
            ));
        }
    }

    fn alike(&mut self, left: Shape, right: Shape, args: &[IdedExpr], whole: &IdedExpr) {
        let (text, known) = (text::of(whole), |shape| !matches!(shape, Shape::Any));
        if known(left) && known(right) && left.name() != right.name() {
            self.fault(format!("`{text}` compares {} with {}", left.name(), right.name()));
        }
        for (shape, arg) in [(left, args.get(1)), (right, args.first())] {
            if let (Shape::OneOf(texts), Some(Expr::Literal(LiteralValue::String(value)))) =
                (shape, arg.map(|arg| &arg.expr))
                && !texts.contains(&value.inner())
            {
                self.fault(format!("`{text}` is never so: it is one of {}", texts.join(", ")));
            }
        }
    }
}
