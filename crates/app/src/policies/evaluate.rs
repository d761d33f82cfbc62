//! Trying policies: on a deployment as it was judged last, on facts that are made up, on all that was judged lately. Nothing
//! of it changes anything.

use super::in_force;
use crate::{Error, Tx, deployments, teams::require_reader};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use slipway_domain::{
    Faults, Name,
    identity::Actor,
    policy::{
        Document, Explained, Facts, Judgement, Overall, Policy, judge,
        judge::{FailedExample, place},
    },
};
use slipway_store::deployment_facts;
use std::{collections::BTreeMap, sync::Arc};

/// What is tried, on what.
#[derive(Debug, Clone, Default)]
pub struct Evaluate {
    /// A draft; none: every policy in force.
    pub document: Option<Document>,
    /// A deployment.
    pub deployment: Option<String>,
    /// Facts that are made up.
    pub facts: Option<Value>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// What each rule says.
    pub judgement: Judgement,
    /// The examples of the draft that it does not live up to.
    pub failed_examples: Vec<FailedExample>,
}

/// What a draft is called while it is one.
const DRAFT: &str = "draft";

fn draft(document: Document, faults: &mut Faults) -> Result<Option<Policy>, Error> {
    let name: Name = DRAFT.parse().map_err(Error::internal)?;
    // What could not be read is left out of the document: its places are no longer those of the input.
    if !faults.is_empty() {
        return Ok(None);
    }
    match Policy::new(name, 0, document) {
        Ok(policy) => Ok(Some(policy)),
        Err(inner) => {
            faults.nest("/document", inner);
            Ok(None)
        }
    }
}

/// Tries policies on one deployment, or on facts. `faults` are those that were found when the draft was read.
///
/// # Errors
/// Every fault of the input at once; when there is no such deployment that the actor may see, or nothing is known of it
/// because it was judged before there were policies in force; when the actor may read nothing.
pub async fn evaluate(
    tx: &mut Tx,
    actor: &Actor,
    input: Evaluate,
    mut faults: Faults,
) -> Result<Evaluated, Error> {
    require_reader(actor)?;
    let tried = match input.document {
        Some(document) => Some(draft(document, &mut faults)?),
        None => None,
    };
    let json = match (input.deployment, input.facts) {
        (Some(reference), None) => Some(facts_of(tx, actor, &reference).await?),
        (None, Some(facts)) => Some(facts),
        // A draft's examples are worth trying by themselves.
        (None, None) if tried.is_some() => None,
        _ => {
            faults.add("", "takes either `deployment` or `facts`");
            None
        }
    };
    let about = json.and_then(|json| {
        let place = place(&json);
        let facts = match Facts::new(json) {
            Ok(facts) => Some(facts),
            Err(inner) => {
                faults.nest("/facts", inner);
                None
            }
        };
        if place.is_none() && facts.is_some() {
            faults.add(
                "/facts",
                "names an environment, a service or a team as none can be named",
            );
        }
        facts.zip(place)
    });
    faults.check()?;
    let policies = match tried {
        Some(draft) => draft.into_iter().map(Arc::new).collect(),
        None => in_force(tx).await?,
    };
    let all = || policies.iter().map(AsRef::as_ref);
    Ok(Evaluated {
        judgement: about.map_or_else(Judgement::default, |(facts, place)| {
            judge(all(), &place, &facts, Explained::All)
        }),
        failed_examples: all()
            .filter(|policy| policy.version == 0)
            .flat_map(Policy::failed_examples)
            .collect(),
    })
}

/// The facts that a deployment was judged on last.
async fn facts_of(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<Value, Error> {
    let row = deployments::load(tx, actor, reference).await?;
    let kept = deployment_facts::get(tx, row.deployment.id).await?;
    kept.and_then(|kept| kept.facts).ok_or_else(|| {
        Error::conflict(
            "no-facts",
            format!(
                "{} was not judged by any policy, so that its facts were not kept; give `facts` instead",
                row.deployment.id
            ),
        )
    })
}

/// What a draft would have said of what was judged since then.
#[derive(Debug, Clone)]
pub struct Report {
    /// Since when.
    pub since: Timestamp,
    /// How many deployments were looked at.
    pub looked_at: usize,
    /// Whether there were more than can be looked at.
    pub cut_off: bool,
    /// How many there were of each verdict.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Those that it would not have let pass as they were, newest first.
    pub stopped: Vec<Stopped>,
}

/// One that a draft would not have let pass as it was.
#[derive(Debug, Clone)]
pub struct Stopped {
    /// Which.
    pub deployment: slipway_domain::ids::DeploymentId,
    /// Of which release.
    pub release: String,
    /// Where to.
    pub environment: String,
    /// When it was judged.
    pub judged_at: Timestamp,
    /// What the draft says.
    pub verdict: Overall,
    /// Why.
    pub reasons: Vec<String>,
}

/// Most deployments that one report looks at.
const MOST: usize = 5_000;
/// Most that it names.
const MOST_NAMED: usize = 200;
/// Most days.
const MOST_DAYS: u32 = 366;

/// What would this draft have done to the last days? `faults` as in [`evaluate`].
///
/// # Errors
/// Every fault of the draft at once; when the actor may not read everything: a report over a part would mislead.
pub async fn report(
    tx: &mut Tx,
    actor: &Actor,
    document: Document,
    days: u32,
    mut faults: Faults,
) -> Result<Report, Error> {
    actor.require(
        slipway_domain::identity::Permission::Read,
        &slipway_domain::identity::Place::everywhere(),
    )?;
    if !(1..=MOST_DAYS).contains(&days) {
        faults.add("/days", format!("is 1 to {MOST_DAYS}"));
    }
    let draft = draft(document, &mut faults)?;
    faults.check()?;
    let Some(draft) = draft else {
        return Err(Error::internal("a draft without fault is missing"));
    };
    let since = tx
        .now
        .checked_sub(SignedDuration::from_hours(24 * i64::from(days)))
        .map_err(Error::internal)?;
    let most = i64::try_from(MOST).unwrap_or(i64::MAX);
    let mut judged = deployment_facts::since(tx, since, most + 1).await?;
    let cut_off = judged.len() > MOST;
    judged.truncate(MOST);
    let mut report = Report {
        since,
        looked_at: judged.len(),
        cut_off,
        verdicts: BTreeMap::new(),
        stopped: Vec::new(),
    };
    for (deployment, judged_at, json) in judged {
        let text = |pointer: &str| {
            let text = json.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let (release, environment) = (text("/release/name"), text("/environment/name"));
        let place = place(&json);
        let judgement = match Facts::new(json).ok().zip(place) {
            Some((facts, place)) => judge([&draft], &place, &facts, Explained::No),
            // Kept by a server that knew other facts.
            None => Judgement::default(),
        };
        let verdict = judgement.overall();
        *report.verdicts.entry(verdict.as_str()).or_default() += 1;
        let stops = matches!(
            verdict,
            Overall::Refuse | Overall::RequireApproval | Overall::RequireEvidence
        );
        if stops && report.stopped.len() < MOST_NAMED {
            let reasons = judgement
                .rules
                .iter()
                .filter_map(|rule| Some(format!("{}: {}", rule.rule, rule.message.as_ref()?)));
            report.stopped.push(Stopped {
                deployment,
                release,
                environment,
                judged_at,
                verdict,
                reasons: reasons.collect(),
            });
        }
    }
    Ok(report)
}
