//! Whether an object has drifted, and in which of the fields that were applied.

use super::{
    Drift, DriftKind, DriftedField, Hand, MAX_FIELDS,
    fields::{self, Element, ITSELF},
    hand, shown,
};
use crate::component::bundle::{OUR_DOMAIN, push_token};
use serde_json::{Map, Value};

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    /// The object as it is.
    pub live: &'a Value,
    /// What it would be if what was applied were applied again, with force: the answer of a server-side dry run.
    pub after: &'a Value,
    /// Our field manager.
    pub manager: &'a str,
}

/// Where the walk is: in the server's record, and in both objects.
#[derive(Default)]
struct Place {
    path: Vec<String>,
    live: String,
    after: String,
}

/// One difference, before anybody is shown it.
struct Found<'a> {
    path: Vec<String>,
    live: (String, Option<&'a Value>),
    after: (String, Option<&'a Value>),
}

/// Compares the fields that were applied. `None`: every one of them is as it was applied.
#[must_use]
pub fn judge(comparison: Comparison<'_>) -> Option<Drift> {
    let Comparison { live, after, manager } = comparison;
    let set = with_secret_data(fields::applied_by(after, manager)?, after);
    let mut all = Vec::new();
    walk(&set, &mut Place::default(), Some(live), Some(after), &mut all);
    drift_of(&all, live, after, manager, None)
}

/// What to think of an object that the API server refuses to take as it was applied: it may have been made anew with
/// something in it that cannot be changed. What was applied is then compared field by field as written, which says
/// nothing of fields that the server writes in another way; so it only counts together with the refusal.
#[must_use]
pub fn judge_refused(live: &Value, applied: &Value, problem: &str, manager: &str) -> Option<Drift> {
    let mut all = Vec::new();
    as_written(applied, Some(live), &mut Place::default(), &mut all);
    drift_of(&all, live, applied, manager, Some(problem.to_owned()))
}

/// Whether an object goes away by itself when it has done its work: then its absence is no drift.
#[must_use]
pub fn expires_by_itself(applied: &Value) -> bool {
    applied["kind"] == "Job" && applied["spec"]["ttlSecondsAfterFinished"].is_number()
}

fn drift_of(
    all: &[Found<'_>],
    live: &Value,
    after: &Value,
    manager: &str,
    problem: Option<String>,
) -> Option<Drift> {
    if all.is_empty() {
        return None;
    }
    let hands: Vec<Option<Hand>> = all
        .iter()
        .map(|found| found.live.1.and_then(|_| hand::of(live, &found.path, manager)))
        .collect();
    let shown_fields = all.iter().zip(&hands).take(MAX_FIELDS).map(|(one, hand)| {
        let (applied, found) = shown::pair(
            (after, one.after.0.as_str(), one.after.1),
            (live, one.live.0.as_str(), one.live.1),
        );
        let pointer = if one.live.1.is_some() {
            &one.live.0
        } else {
            &one.after.0
        };
        DriftedField {
            pointer: pointer.clone(),
            applied,
            found,
            manager: hand.as_ref().map(|hand| hand.manager.clone()),
        }
    });
    Some(Drift {
        kind: DriftKind::Changed,
        fields: shown_fields.collect(),
        omitted: u32::try_from(all.len().saturating_sub(MAX_FIELDS)).unwrap_or(u32::MAX),
        hand: hands.into_iter().flatten().max_by_key(|hand| hand.at),
        problem,
    })
}

/// Whether a field counts: marks of ours change with every deployment, and the status is written by controllers.
fn is_ours(path: &[String], key: &str) -> bool {
    let ours = |name: &str| name.starts_with(OUR_DOMAIN);
    match path {
        [] => key == "f:status",
        [metadata, within]
            if metadata == "f:metadata" && (within == "f:annotations" || within == "f:labels") =>
        {
            key.strip_prefix("f:").is_some_and(ours)
        }
        _ => false,
    }
}

/// What is written as `stringData` of a Secret is kept as its `data`.
fn with_secret_data(set: &Map<String, Value>, object: &Value) -> Map<String, Value> {
    let mut set = set.clone();
    if object["kind"] != "Secret" {
        return set;
    }
    if let Some(Value::Object(written)) = set.remove("f:stringData") {
        let data = set.entry("f:data").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(data) = data {
            data.extend(written);
        }
    }
    set
}

fn walk<'a>(
    set: &Map<String, Value>,
    place: &mut Place,
    live: Option<&'a Value>,
    after: Option<&'a Value>,
    all: &mut Vec<Found<'a>>,
) {
    for (key, inside) in set {
        let Some(element) = Element::read(key).filter(|_| !is_ours(&place.path, key)) else {
            continue;
        };
        // What would not be there is not asked for: the server drops fields that it does not know.
        let Some((token, wanted)) = after.and_then(|value| element.find(value)) else {
            continue;
        };
        let found = live.and_then(|value| element.find(value));
        let lengths = (place.live.len(), place.after.len());
        place.path.push(key.clone());
        push_token(&mut place.after, &token);
        push_token(&mut place.live, found.as_ref().map_or(&token, |(token, _)| token));
        let found = found.map(|(_, value)| value);
        let deeper = inside
            .as_object()
            .filter(|set| set.keys().any(|key| key != ITSELF));
        // A mapping that is gone may have held nothing but marks of ours; an item of a list is missed as a whole.
        let may_descend = match found {
            Some(found) => same_shape(found, wanted),
            None => wanted.is_object() && matches!(element, Element::Field(_)),
        };
        match (found, deeper.filter(|_| may_descend)) {
            (Some(found), _) if found == wanted => {}
            (found, Some(deeper)) => walk(deeper, place, found, Some(wanted), all),
            (found, None) => all.push(Found {
                path: place.path.clone(),
                live: (place.live.clone(), found),
                after: (place.after.clone(), Some(wanted)),
            }),
        }
        place.path.pop();
        place.live.truncate(lengths.0);
        place.after.truncate(lengths.1);
    }
}

const fn same_shape(a: &Value, b: &Value) -> bool {
    matches!(
        (a, b),
        (Value::Object(_), Value::Object(_)) | (Value::Array(_), Value::Array(_))
    )
}

/// Every value that was written, where it is not what was found; lists item by item.
fn as_written<'a>(applied: &'a Value, live: Option<&'a Value>, place: &mut Place, all: &mut Vec<Found<'a>>) {
    let mut step = |place: &mut Place, key: String, token: &str, wanted, found| {
        let lengths = (place.live.len(), place.after.len());
        place.path.push(key);
        push_token(&mut place.live, token);
        push_token(&mut place.after, token);
        as_written(wanted, found, place, all);
        place.path.pop();
        place.live.truncate(lengths.0);
        place.after.truncate(lengths.1);
    };
    match (applied, live) {
        (Value::Object(wanted), None | Some(Value::Object(_))) => {
            for (key, value) in wanted {
                let element = format!("f:{key}");
                if !is_ours(&place.path, &element) {
                    step(place, element, key, value, live.and_then(|live| live.get(key)));
                }
            }
        }
        (Value::Array(wanted), Some(Value::Array(found))) => {
            for (i, value) in wanted.iter().enumerate() {
                step(place, format!("i:{i}"), &i.to_string(), value, found.get(i));
            }
        }
        (wanted, Some(found)) if wanted == found => {}
        (wanted, found) => all.push(Found {
            path: place.path.clone(),
            live: (place.live.clone(), found),
            after: (place.after.clone(), Some(wanted)),
        }),
    }
}
