//! 4: the chain is whole, and tells how every deployment and approval came to be what it is. Read once, entry by entry;
//! what is kept meanwhile is a few bytes a deployment.

mod heads;
mod story;

use super::{Counted, Options, impossible, secrets};
use crate::{Error, Tx};
use slipway_domain::{
    approval::ApprovalState,
    audit::{Broken, Entry, Verifier},
    deployment::StateName,
    doctor::{
        Finding, Invariant, Report,
        history::{self, Move},
        needles::Needles,
    },
    ids::DeploymentId,
};
use slipway_store::{
    audit::{self, Filter},
    doctor::content::{self, ApprovalRow, DeploymentRow},
};
use std::collections::BTreeSet;
use story::{Story, Told, fingerprint};

/// Entries a page.
const PAGE: i64 = 1000;

pub(super) const TAMPERED: &str = "somebody changed the record below Slipway: compare it with an export that was kept (`slipway audit verify \
     --file`) and with backups, restore what it was, and treat everything from there on as unproven";
const UNTOLD: &str = "the row was changed without Slipway, or the record was: compare with a backup and with the database's own \
     log, find out who did it, and treat what rests on it as unproven";
const UNADMITTED: &str = "it ran without having been admitted by the claim, the one place that judges every gate: find out how, \
     and roll it back unless those who decide agree to it now";

fn finding(invariant: Invariant, check: &'static str, subject: String, found: String) -> Finding {
    Finding {
        invariant,
        check,
        subject,
        found,
        remedy: match invariant {
            Invariant::Gated => UNADMITTED,
            _ => UNTOLD,
        },
    }
}

/// Verifies the chain, looks through it for secrets, and compares what it tells with what is there.
pub(super) async fn examine(
    tx: &mut Tx,
    options: &Options<'_>,
    needles: &Needles,
    report: &mut Report,
) -> Result<(), Error> {
    let mut story = Story::default();
    let mut counted = Counted::new("audit entries", options);
    chain(tx, &mut counted, needles, &mut story, report).await?;
    content::unchained(tx, |entry| {
        counted.one();
        read(&entry, needles, &mut story, report);
    })
    .await?;
    report.examined(Invariant::Recorded, counted.what, counted.count);
    report.examined(Invariant::Secret, counted.what, counted.count);
    deployments(tx, options, &mut story, report).await?;
    approvals(tx, options, &mut story, report).await
}

fn read(entry: &Entry, needles: &Needles, story: &mut Story, report: &mut Report) {
    story.read(entry, report);
    let text = format!(
        "{}\n{}\n{}\n{}",
        entry.actor, entry.action, entry.subject, entry.data
    );
    secrets::look(needles, &text, || format!("audit entry {}", entry.id), report);
}

async fn chain(
    tx: &mut Tx,
    counted: &mut Counted<'_>,
    needles: &Needles,
    story: &mut Story,
    report: &mut Report,
) -> Result<(), Error> {
    let mut verifier = Verifier::default();
    let mut heads = heads::Heads::load(tx).await?;
    let broken = |broken: Broken, entry: &Entry| Finding {
        invariant: Invariant::Recorded,
        check: "chain_broken",
        subject: format!("audit entry {} ({})", entry.seq, entry.id),
        found: broken.to_string(),
        remedy: TAMPERED,
    };
    loop {
        let after = verifier.head().0;
        let page = match audit::after(tx, after, &Filter::default(), PAGE).await {
            Ok(page) => page,
            Err(error) => {
                let found = impossible(error)?;
                report.add(Finding {
                    invariant: Invariant::Recorded,
                    check: "chain_broken",
                    subject: format!("audit entries after {after}"),
                    found,
                    remedy: TAMPERED,
                });
                report.not_examined(
                    format!("audit entries after {after}"),
                    "one of them cannot be read",
                );
                return Ok(());
            }
        };
        if page.is_empty() {
            report.examined(Invariant::Recorded, "signed heads", heads.examined());
            heads.end(report);
            return Ok(());
        }
        for (entry, digest) in page {
            counted.one();
            if let Err(why) = verifier.check(&entry, digest) {
                report.add(broken(why, &entry));
                verifier = Verifier::after(entry.seq, digest);
            }
            heads.entry(tx, digest, report).await?;
            read(&entry, needles, story, report);
        }
    }
}

async fn deployments(
    tx: &mut Tx,
    options: &Options<'_>,
    story: &mut Story,
    report: &mut Report,
) -> Result<(), Error> {
    let mut counted = Counted::new("histories of deployments", options);
    let mut unclear: BTreeSet<(DeploymentId, String)> = BTreeSet::new();
    let (mut left_out, limit) = (0, report.limit());
    content::deployments(tx, |row| {
        counted.one();
        let told = story.deployments.remove(&row.id).unwrap_or_default();
        if deployment(&row, &told, report) {
            if unclear.len() < limit {
                unclear.insert((row.id, row.state));
            } else {
                left_out += 1;
            }
        }
    })
    .await?;
    for (id, state) in unclear {
        if let Err(found) = untold(&content::moves(tx, id).await?, &state) {
            let subject = format!("deployment {id}");
            report.add(finding(Invariant::Recorded, "deployment_untold", subject, found));
        }
    }
    report.more_of(Invariant::Recorded, "deployment_untold", left_out);
    for id in story.deployments.keys() {
        report.add(finding(
            Invariant::Recorded,
            "recorded_deployment_is_gone",
            format!("deployment {id}"),
            "the record tells of it, and it is not there".to_owned(),
        ));
    }
    report.examined(Invariant::Recorded, counted.what, counted.count);
    Ok(())
}

/// Compares what a deployment's row says with what the record tells; says whether its history needs a closer look.
fn deployment(row: &DeploymentRow, told: &Told, report: &mut Report) -> bool {
    let subject = || format!("deployment {}", row.id);
    if told.asked != 1 {
        report.add(finding(
            Invariant::Recorded,
            "deployment_not_asked_for_once",
            subject(),
            format!("the record says that it was asked for {} times", told.asked),
        ));
    }
    let admitted = u8::from(row.started);
    if told.admitted != admitted {
        report.add(finding(
            Invariant::Gated,
            "admission_not_recorded_once",
            subject(),
            format!(
                "it was admitted {admitted} times, and the record has {} admissions",
                told.admitted
            ),
        ));
    }
    let names = |kept: u64, named: Option<&str>| kept == 0 || named.map_or(0, fingerprint) == kept;
    if told.torn
        || !names(told.plan, Some(&row.plan_digest))
        || !names(told.release, row.release_digest.as_deref())
    {
        let found = "the record names another digest of its release or its plan than it has now";
        let mut torn = finding(
            Invariant::Sealed,
            "digest_is_not_as_recorded",
            subject(),
            found.to_owned(),
        );
        torn.remedy = UNTOLD;
        report.add(torn);
    }
    told.odd || told.state.as_str() != row.state
}

/// Whether there is an order in which the recorded changes of state lead to this one.
fn untold(moves: &[(String, String)], state: &str) -> Result<(), String> {
    let now: StateName = state.parse()?;
    let moves = moves
        .iter()
        .map(|(from, to)| {
            Ok(Move {
                from: from.parse()?,
                to: to.parse()?,
            })
        })
        .collect::<Result<Vec<_>, String>>()?;
    history::check(&moves, now).map_err(|why| why.to_string())
}

async fn approvals(
    tx: &mut Tx,
    options: &Options<'_>,
    story: &mut Story,
    report: &mut Report,
) -> Result<(), Error> {
    let mut counted = Counted::new("histories of approvals", options);
    content::approvals(tx, |row| {
        counted.one();
        let told = story.approvals.remove(&row.id).unwrap_or_default();
        if let Some(found) = approval(&row, told) {
            let subject = format!("approval {}", row.id);
            report.add(finding(Invariant::Recorded, "approval_untold", subject, found));
        }
    })
    .await?;
    for id in story.approvals.keys() {
        report.add(finding(
            Invariant::Recorded,
            "recorded_approval_is_gone",
            format!("approval {id}"),
            "the record tells of it, and it is not there".to_owned(),
        ));
    }
    report.examined(Invariant::Recorded, counted.what, counted.count);
    Ok(())
}

fn approval(row: &ApprovalRow, (told, decided): (Option<ApprovalState>, u32)) -> Option<String> {
    let Some(told) = told else {
        return Some("the record does not tell that anybody was asked".to_owned());
    };
    if i64::from(decided) != row.decisions {
        return Some(format!(
            "it has {} decisions, and the record tells of {decided}",
            row.decisions
        ));
    }
    // A request that is pending is withdrawn by the end of its deployment, which has its own entry.
    let withdrawn = row.state == ApprovalState::Withdrawn.as_str() && told == ApprovalState::Pending;
    (told.as_str() != row.state && !withdrawn)
        .then(|| format!("it is {}, and the record tells that it is {told}", row.state))
}
