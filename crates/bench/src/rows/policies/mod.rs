//! Row 8: policies judged as the product judges them, beside the language they are written in by itself; and what many of
//! them in force add to judging a deployment in its transaction.

mod dispatch;
mod raw;

use crate::{
    places::Places,
    stats::{count, median, paired_ratio, sides},
    table::{Goal, Line, Measured},
};
use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};
use slipway_domain::policy::{Document, Explained, Facts, Kept, Overall, Place, Policy, judge, judge::place};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// The policies that come with Slipway.
const SHIPPED: [(&str, &str); 2] = [
    (
        "production-basics",
        include_str!("../../../../../deploy/policies/production-basics.yaml"),
    ),
    (
        "deprecated-parts",
        include_str!("../../../../../deploy/policies/deprecated-parts.yaml"),
    ),
];
/// A deployment that keeps all of them.
const FACTS: &str = include_str!("facts.json");
const ROUNDS: usize = 9;
/// How long a round of one side takes, about.
const EACH: Duration = Duration::from_secs(1);
/// Decisions between two looks at the clock: their facts are copied before, which is nobody's work.
const BATCH: usize = 250;

/// Documents as their authors write them.
fn shipped() -> Result<Vec<(&'static str, Document)>> {
    let read = |(name, text): (&'static str, &str)| {
        let mut document: Value = serde_saphyr::from_str(text)?;
        for (field, absent) in [("scope", json!({})), ("examples", json!([]))] {
            if document.get(field).is_none() {
                document[field] = absent;
            }
        }
        Ok((name, serde_json::from_value(document)?))
    };
    SHIPPED.into_iter().map(read).collect()
}

/// Measures the row.
pub(crate) async fn measure(places: &mut Places) -> Result<Measured> {
    let documents = shipped()?;
    let rules: usize = documents.iter().map(|(_, document)| document.rules.len()).sum();
    let raw = raw::Rules::new(documents.iter().map(|(_, document)| document))?;
    let ours = Ours::new(documents)?;
    let facts: Value = serde_json::from_str(FACTS)?;
    ensure!(
        ours.decide(facts.clone())? && raw.decide(&facts)?,
        "the facts keep not every rule"
    );
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let sides = || -> Result<_> {
            let (mine, other);
            if round % 2 == 0 {
                mine = rate(&facts, |facts| ours.decide(facts))?;
                other = rate(&facts, |facts| raw.decide(&facts))?;
            } else {
                other = rate(&facts, |facts| raw.decide(&facts))?;
                mine = rate(&facts, |facts| ours.decide(facts))?;
            }
            Ok((mine, other))
        };
        let measured = tokio::task::block_in_place(sides)?;
        // The first of either finds nothing in any cache.
        if round > 0 {
            eprintln!("  {measured:?}");
            rounds.push(measured);
        }
    }
    let added = dispatch::measure(places).await?;
    let (mine, other) = sides(&rounds);
    let shown = |values: &[f64]| median(values).map(|rate| format!("{:.1}k/s", rate / 1000.0));
    let line =
        |what: String, ours: String, baseline: String, value: f64, unit: &'static str, goal: Goal| Line {
            row: 8,
            what,
            ours,
            baseline,
            value,
            unit,
            goal,
        };
    let ms = |value: f64| format!("{value:.2} ms");
    let of_policies = |which: &str| {
        format!(
            "what {} policies in force add to judging a deployment, {which}",
            added.policies
        )
    };
    Ok(Measured {
        lines: vec![
            line(
                "policy decisions over raw CEL, each with its context built".to_owned(),
                shown(&mine).context("no rounds")?,
                shown(&other).context("no rounds")?,
                paired_ratio(&rounds).context("no rounds")?,
                "",
                Goal::AtLeast(0.7),
            ),
            line(
                of_policies("p50"),
                ms(added.with.0),
                ms(added.without.0),
                added.with.0 - added.without.0,
                "ms",
                Goal::AtMost(5.0),
            ),
            line(
                of_policies("p99"),
                ms(added.with.1),
                ms(added.without.1),
                added.with.1 - added.without.1,
                "ms",
                Goal::None,
            ),
        ],
        notes: vec![
            format!(
                "decisions: the {} policies of `deploy/policies` ({rules} rules), all of which are kept, on facts of {} bytes; either \
                 side checks nothing twice, builds a context of the facts and asks every rule; {ROUNDS} rounds of {} s in turns",
                SHIPPED.len(),
                facts.to_string().len(),
                EACH.as_secs()
            ),
            format!(
                "judging: all policies cover the deployment, each by a rule of its own (images named by digest, no part recalled, a way back), \
                 and each is kept; a look of the timers at one deployment to {} targets that waits for an approval, {} looks on either side \
                 in turns, one Postgres; the difference is what is added, the commit counts on both sides; the first look of a \
                 process, which reads and compiles all of them, took {:.1} s",
                added.targets, added.looks, added.first
            ),
        ],
    })
}

/// Our side.
struct Ours {
    policies: Vec<Policy>,
}

impl Ours {
    fn new(documents: Vec<(&str, Document)>) -> Result<Self> {
        let ready = documents.into_iter().map(|(name, document)| {
            Policy::new(name.parse()?, 1, document).map_err(|faults| anyhow!("{name}: {faults}"))
        });
        Ok(Self {
            policies: ready.collect::<Result<_>>()?,
        })
    }

    /// Whether a deployment with these facts may start, as it is judged at the claim.
    fn decide(&self, facts: Value) -> Result<bool> {
        let place: Place = place(&facts).context("no place")?;
        let facts = Facts::new(facts)?;
        let judgement = judge(&self.policies, &place, &facts, Explained::NotKept);
        let kept = |kept| matches!(kept, Kept::Kept | Kept::DoesNotApply);
        ensure!(
            judgement.rules.iter().all(|rule| kept(rule.kept)),
            "{judgement:?}"
        );
        Ok(judgement.overall() == Overall::Allow)
    }
}

/// Decisions a second.
fn rate(facts: &Value, decide: impl Fn(Value) -> Result<bool>) -> Result<f64> {
    let (mut decided, mut took) = (0, Duration::ZERO);
    while took < EACH {
        let copies: Vec<_> = std::iter::repeat_n(facts, BATCH).cloned().collect();
        let begun = Instant::now();
        for facts in copies {
            ensure!(black_box(decide(facts)?), "a rule is not kept");
        }
        took += begun.elapsed();
        decided += BATCH;
    }
    Ok(count(decided) / took.as_secs_f64())
}
