//! Whether the eight invariants hold: one examination of the database, the record and the clusters, for people who ask
//! `slipway doctor`, and for every test that breaks something on purpose.
//!
//! It changes nothing. What a query can judge is judged in `slipway_store::doctor`; here digests are computed, histories
//! followed, credentials decrypted and texts searched; [`clusters`] asks clusters, after the database was read, and judges
//! with the domain's pure functions.
//!
//! * `digests`: 1, that each digest is its content's
//! * `record`: 4, the chain, and what it tells of every deployment and approval
//! * `secrets`: 7, that credentials can be read by us, and stand nowhere else
//! * `clusters`: 1 and 3, what clusters hold

mod clusters;
mod digests;
mod record;
mod secrets;

use crate::{App, Error, Tx};
use slipway_domain::doctor::{Finding, Invariant, Report, needles::Needles};
use slipway_store::doctor as stored;

pub use slipway_store::doctor::Graces;

/// Names of the checks that take more than a query, beside those of [`slipway_store::doctor::checks`]. What clusters are
/// asked has its names in [`slipway_domain::doctor::cluster`].
pub const COMPUTED: &[&str] = &[
    "bundle_altered",
    "component_version_altered",
    "release_altered",
    "rendering_altered",
    "rendering_of_another_release",
    "plan_altered",
    "digest_is_not_as_recorded",
    "admission_not_recorded_once",
    "chain_broken",
    "head_contradicts_chain",
    "head_not_signed",
    "head_beyond_chain",
    "deployment_untold",
    "deployment_not_asked_for_once",
    "recorded_deployment_is_gone",
    "approval_untold",
    "recorded_approval_is_gone",
    "rendering_to_go_back_to_altered",
    "secret_in_the_open",
    "credential_unreadable",
];

/// How many findings a check lists by default.
const LISTED: usize = 20;
/// How many texts are looked for at most: secrets in all their forms.
const MOST_NEEDLES: usize = 200_000;

/// How to examine.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Whether to ask clusters too.
    pub clusters: bool,
    /// How many findings a check lists; the rest is counted.
    pub limit: usize,
    /// What a living installation is allowed, before something counts as wrong.
    pub graces: Graces,
    /// Is told what was examined, and how much of it so far.
    pub progress: &'a (dyn Fn(&str, u64) + Send + Sync),
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("clusters", &self.clusters)
            .field("limit", &self.limit)
            .field("graces", &self.graces)
            .finish_non_exhaustive()
    }
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            clusters: true,
            limit: LISTED,
            graces: Graces::default(),
            progress: &|_, _| {},
        }
    }
}

/// Examines everything: one state of the database, then the clusters.
///
/// # Errors
/// When the database is unavailable. A cluster that is not is no error: the report says so.
pub async fn examine(app: &App, options: &Options<'_>) -> Result<Report, Error> {
    let mut tx = stored::begin(app.database()).await?;
    let (mut report, connections) = database(&mut tx, app, options).await?;
    // Never held while clusters are talked to.
    tx.rollback().await?;
    if options.clusters {
        clusters::examine(app, options, &connections, &mut report).await?;
    } else {
        report.notes.push("clusters were not asked".to_owned());
    }
    report.sort();
    Ok(report)
}

/// Examines the database, as a transaction sees it.
///
/// # Errors
/// When the database is unavailable.
pub async fn examine_in(tx: &mut Tx, app: &App, options: &Options<'_>) -> Result<Report, Error> {
    let (mut report, _) = database(tx, app, options).await?;
    report.sort();
    Ok(report)
}

async fn database(
    tx: &mut Tx,
    app: &App,
    options: &Options<'_>,
) -> Result<(Report, secrets::Connections), Error> {
    let mut report = Report::new(tx.now, options.limit);
    queries(tx, options, &mut report).await?;
    let mut needles = Needles::new(MOST_NEEDLES);
    let connections = secrets::credentials(tx, app, &mut needles, &mut report).await?;
    digests::bundles(tx, options, &mut needles, &mut report).await?;
    digests::versions(tx, options, &mut report).await?;
    digests::releases(tx, options, &mut report).await?;
    digests::renderings(tx, options, &mut report).await?;
    digests::plans(tx, options, &mut report).await?;
    record::examine(tx, options, &needles, &mut report).await?;
    secrets::texts(tx, options, &needles, &mut report).await?;
    hide(&needles, &mut report);
    Ok((report, connections))
}

/// Every rule that a query can judge.
async fn queries(tx: &mut Tx, options: &Options<'_>, report: &mut Report) -> Result<(), Error> {
    use Invariant as I;
    for (done, check) in stored::checks().enumerate() {
        (options.progress)("rules", done as u64);
        match check.run(tx, &options.graces, options.limit).await {
            Ok(hits) => {
                let listed = hits.listed.len() as u64;
                for (subject, detail) in hits.listed {
                    report.add(Finding {
                        invariant: check.invariant,
                        check: check.name,
                        subject,
                        found: format!("{}: {detail}", check.found),
                        remedy: check.remedy,
                    });
                }
                report.more_of(check.invariant, check.name, hits.total.saturating_sub(listed));
                report.examined(check.invariant, "rules", 1);
            }
            Err(error @ slipway_store::Error::Unavailable(_)) => return Err(error.into()),
            Err(error) => report.not_examined(format!("rule {}", check.name), error.to_string()),
        }
    }
    let limit = i64::try_from(options.limit).unwrap_or(i64::MAX);
    report.notes.extend(stored::waiting_for_people(tx, limit).await?);
    for (invariant, what, table) in [
        (I::Sealed, "deployments", stored::Table::Deployments),
        (I::Sealed, "approvals", stored::Table::Approvals),
        (I::Gated, "deployments", stored::Table::Deployments),
        (I::Gated, "decisions", stored::Table::Decisions),
        (I::OneExecutor, "targets", stored::Table::Targets),
        (I::OneExecutor, "units of work", stored::Table::Work),
        (I::Ends, "deployments", stored::Table::Deployments),
        (I::Ends, "units of work", stored::Table::Work),
        (
            I::Rollback,
            "targets of deployments",
            stored::Table::DeploymentTargets,
        ),
        (I::Time, "deployments", stored::Table::Deployments),
        (
            I::Time,
            "targets of deployments",
            stored::Table::DeploymentTargets,
        ),
    ] {
        report.examined(invariant, what, stored::count(tx, table).await?);
    }
    Ok(())
}

/// What a finding quotes of the database may hold what must not be shown.
fn hide(needles: &Needles, report: &mut Report) {
    for finding in &mut report.findings {
        if let Some(origin) = needles.find(&finding.found).or(needles.find(&finding.subject)) {
            finding.found = format!("what was found is not shown, for it holds {origin}");
            if needles.find(&finding.subject).is_some() {
                "(not shown)".clone_into(&mut finding.subject);
            }
        }
    }
    for note in &mut report.notes {
        if let Some(origin) = needles.find(note) {
            *note = format!("a note is not shown, for it holds {origin}");
        }
    }
    for unexamined in &mut report.unexamined {
        if needles.find(&unexamined.why).is_some() {
            "the reason is not shown, for it holds a secret".clone_into(&mut unexamined.why);
        }
    }
}

/// Tells of progress every so often: not of every row.
struct Counted<'a> {
    what: &'static str,
    count: u64,
    progress: &'a (dyn Fn(&str, u64) + Send + Sync),
}

impl<'a> Counted<'a> {
    fn new(what: &'static str, options: &Options<'a>) -> Self {
        (options.progress)(what, 0);
        Self {
            what,
            count: 0,
            progress: options.progress,
        }
    }

    fn one(&mut self) {
        self.count += 1;
        if self.count.is_multiple_of(1000) {
            (self.progress)(self.what, self.count);
        }
    }
}

/// A row that cannot be is a finding, not the end of the examination; anything else is.
fn impossible(error: slipway_store::Error) -> Result<String, Error> {
    match error {
        slipway_store::Error::ImpossibleRow { .. } => Ok(error.to_string()),
        other => Err(other.into()),
    }
}
