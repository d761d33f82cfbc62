//! The other side: the same expressions, compiled once, and run by the `cel` crate over a context that is built for each
//! decision. No scope, no limits, no effects, no messages.

use anyhow::{Result, anyhow};
use cel::{Context, Env, Program, Value as Cel, objects::Key};
use serde_json::Value;
use slipway_domain::policy::Document;
use std::{collections::HashMap, sync::Arc};

pub(super) struct Rules {
    env: Arc<Env>,
    /// Each with what must be so, and where.
    compiled: Vec<(Option<Program>, Option<Program>)>,
}

impl Rules {
    pub(super) fn new<'d>(documents: impl Iterator<Item = &'d Document>) -> Result<Self> {
        let env = Arc::new(Env::stdlib());
        let compile = |source: &Option<String>| {
            let program = source.as_ref().map(|source| env.compile(source));
            program.transpose().map_err(|error| anyhow!("{error}"))
        };
        let rules = documents.flat_map(|document| &document.rules);
        let compiled = rules.map(|rule| Ok((compile(&rule.when)?, compile(&rule.expression)?)));
        let compiled = compiled.collect::<Result<_>>()?;
        Ok(Self { env, compiled })
    }

    /// Whether every rule that applies is kept.
    pub(super) fn decide(&self, facts: &Value) -> Result<bool> {
        let mut context = Context::with_env(Arc::clone(&self.env));
        for (name, value) in facts.as_object().into_iter().flatten() {
            context.add_variable_from_value(name.clone(), of_json(value));
        }
        let holds =
            |program: &Option<Program>, absent: bool| match program.as_ref().map(|one| one.execute(&context))
            {
                None => Ok(absent),
                Some(Ok(Cel::Bool(so))) => Ok(so),
                Some(other) => Err(anyhow!("{other:?}")),
            };
        let mut all = true;
        for (when, expression) in &self.compiled {
            all &= !holds(when, true)? || holds(expression, false)?;
        }
        Ok(all)
    }
}

/// Whole numbers are `int`, as expressions write them.
fn of_json(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(so) => Cel::Bool(*so),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cel::Int(whole),
            None => number.as_f64().map_or(Cel::Null, Cel::Float),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(entries) => Cel::List(Arc::new(entries.iter().map(of_json).collect())),
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields: HashMap<Key, Cel> = fields
                .map(|(name, value)| (Key::String(Arc::new(name.clone())), of_json(value)))
                .collect();
            Cel::Map(fields.into())
        }
    }
}
