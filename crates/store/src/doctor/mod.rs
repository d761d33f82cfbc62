//! Reading a database for whether it holds what must hold at any time. Reads only, in one state of the database, and a
//! row at a time where there are many: safe on an installation that is at work.
//!
//! Rules that a query can judge are rows of [`checks`], one file an invariant; each selects the id of what is wrong and a
//! detail for people. What takes more than a query is read by [`content`], [`texts`] and [`targets`], and judged by the
//! application.
//!
//! # How to extend
//! A new rule is a [`Check`] in its invariant's file. Its test damages a database and finds it by the check's name:
//! `crates/app/tests/doctor` asserts that every check has one.

pub mod content;
mod ends;
mod fenced;
mod gated;
mod recorded;
mod rollback;
mod sealed;
pub mod targets;
pub mod texts;
mod time;

use crate::{Cols, Database, Error, Tx};
use jiff::SignedDuration;
use slipway_domain::{
    doctor::Invariant,
    ids::{
        ApprovalId, AuditEntryId, ComponentVersionId, DecisionId, DeploymentId, DeploymentTargetId,
        EvidenceId, ReleaseId, TargetId, WorkId,
    },
};
use uuid::Uuid;

/// One rule that a query can judge.
#[derive(Debug)]
pub struct Check {
    /// Whose rule it is.
    pub invariant: Invariant,
    /// Its name: the same kind of damage always has the same.
    pub name: &'static str,
    /// What is wrong, as the beginning of a sentence that the detail goes on with.
    pub found: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    of: Of,
    grace: Option<Grace>,
    /// Selects `id` and `detail`; `$1` is the grace in seconds, where there is one.
    sql: &'static str,
}

/// What an id is the id of.
#[derive(Debug, Clone, Copy)]
enum Of {
    Deployment,
    DeploymentTarget,
    Target,
    Release,
    ComponentVersion,
    Approval,
    Decision,
    Evidence,
    Work,
    AuditEntry,
}

impl Of {
    fn subject(self, id: Uuid) -> String {
        match self {
            Self::Deployment => format!("deployment {}", DeploymentId::from_uuid(id)),
            Self::DeploymentTarget => format!("deployment target {}", DeploymentTargetId::from_uuid(id)),
            Self::Target => format!("target {}", TargetId::from_uuid(id)),
            Self::Release => format!("release {}", ReleaseId::from_uuid(id)),
            Self::ComponentVersion => format!("component version {}", ComponentVersionId::from_uuid(id)),
            Self::Approval => format!("approval {}", ApprovalId::from_uuid(id)),
            Self::Decision => format!("decision {}", DecisionId::from_uuid(id)),
            Self::Evidence => format!("evidence {}", EvidenceId::from_uuid(id)),
            Self::Work => format!("work {}", WorkId::from_uuid(id)),
            Self::AuditEntry => format!("audit entry {}", AuditEntryId::from_uuid(id)),
        }
    }
}

/// Which time has to pass before something counts as wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grace {
    Chain,
    Look,
    Lease,
    Work,
    Overlap,
}

/// What a living installation is allowed, before something counts as wrong.
#[derive(Debug, Clone, Copy)]
pub struct Graces {
    /// An entry may wait so long to be chained. The sequencer comes round five times a second; a minute is what it takes
    /// to restart a server.
    pub chain: SignedDuration,
    /// A deployment may wait so long after the time to look at it. As for the sequencer; what could not be judged is put
    /// off by half a minute, which moves the time itself.
    pub look: SignedDuration,
    /// A lease may be over for so long before it is taken back: twice a second that is looked for.
    pub lease: SignedDuration,
    /// Work of a running deployment may wait so long for an executor: others come first, and clusters take turns.
    pub work: SignedDuration,
    /// A transaction's time is that of its beginning, and it may wait for another (ten seconds, the lock timeout) and run
    /// on (thirty, the statement timeout): two that follow each other may be dated the other way round by so much.
    pub overlap: SignedDuration,
}

impl Default for Graces {
    fn default() -> Self {
        Self {
            chain: SignedDuration::from_mins(1),
            look: SignedDuration::from_mins(2),
            lease: SignedDuration::from_mins(1),
            work: SignedDuration::from_mins(15),
            overlap: SignedDuration::from_mins(1),
        }
    }
}

impl Graces {
    const fn of(&self, grace: Grace) -> SignedDuration {
        match grace {
            Grace::Chain => self.chain,
            Grace::Look => self.look,
            Grace::Lease => self.lease,
            Grace::Work => self.work,
            Grace::Overlap => self.overlap,
        }
    }
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Hits {
    /// Subject and detail, so many at most.
    pub listed: Vec<(String, String)>,
    /// How many there are in all.
    pub total: u64,
}

/// Every rule that a query can judge.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    [
        sealed::CHECKS,
        gated::CHECKS,
        fenced::CHECKS,
        recorded::CHECKS,
        ends::CHECKS,
        rollback::CHECKS,
        time::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// Begins to examine: one state of the database throughout, for as long as it takes.
///
/// # Errors
/// When the database does not answer.
pub async fn begin(database: &Database) -> Result<Tx, Error> {
    let mut tx = database.read().await?;
    // The pool's limits are for requests; a large table takes longer to read. Digests are computed in between.
    sqlx::raw_sql("SET LOCAL statement_timeout = '1h'; SET LOCAL idle_in_transaction_session_timeout = '1h'")
        .execute(tx.conn())
        .await?;
    Ok(tx)
}

impl Check {
    /// Runs it; lists at most `limit`. When it cannot be carried out, as a row is nothing that it can read, the
    /// transaction goes on.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn run(&self, tx: &mut Tx, graces: &Graces, limit: usize) -> Result<Hits, Error> {
        sqlx::raw_sql("SAVEPOINT check_begins").execute(tx.conn()).await?;
        let hits = self.hits(tx, graces, limit).await;
        let then = match &hits {
            Ok(_) => "RELEASE SAVEPOINT check_begins",
            Err(_) => "ROLLBACK TO SAVEPOINT check_begins",
        };
        sqlx::raw_sql(then).execute(tx.conn()).await?;
        hits
    }

    async fn hits(&self, tx: &mut Tx, graces: &Graces, limit: usize) -> Result<Hits, Error> {
        let sql = format!(
            "SELECT x.id, x.detail, count(*) OVER () AS total FROM ({}) x ORDER BY x.id LIMIT {limit}",
            self.sql
        );
        // Made of constants and a number.
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        if let Some(grace) = self.grace {
            query = query.bind(graces.of(grace).as_secs_f64());
        }
        let mut hits = Hits::default();
        for row in &query.fetch_all(tx.conn()).await? {
            let cols = Cols::new("(doctor)", row);
            let detail: Option<String> = cols.get("detail")?;
            hits.listed
                .push((self.of.subject(cols.get("id")?), detail.unwrap_or_default()));
            hits.total = u64::try_from(cols.get::<i64>("total")?).unwrap_or_default();
        }
        Ok(hits)
    }
}

/// Work that waits for a person to do something, and what it says.
///
/// # Errors
/// When the database refuses.
pub async fn waiting_for_people(tx: &mut Tx, limit: i64) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar(
        "SELECT 'work on ' || s.name || ' in ' || e.name || ' on ' || c.name || ' waits for a person: ' || w.last_error \
         FROM work w JOIN deployments d ON d.id = w.deployment_id JOIN services s ON s.id = d.service_id \
         JOIN environments e ON e.id = d.environment_id JOIN clusters c ON c.id = w.cluster_id \
         WHERE w.state = 'parked' AND d.state = 'running' AND w.last_error IS NOT NULL ORDER BY w.id LIMIT $1",
    )
    .bind(limit)
    .fetch_all(tx.conn())
    .await?)
}

/// How many rows a table has.
///
/// # Errors
/// When the database refuses.
pub async fn count(tx: &mut Tx, table: Table) -> Result<u64, Error> {
    let sql = format!("SELECT count(*) FROM {}", table.name());
    let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_one(tx.conn())
        .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// A table whose rows are counted for a report.
#[derive(Debug, Clone, Copy)]
pub enum Table {
    /// Deployments.
    Deployments,
    /// Deployments' targets.
    DeploymentTargets,
    /// Approvals.
    Approvals,
    /// Decisions.
    Decisions,
    /// Work in the queue.
    Work,
    /// Targets.
    Targets,
}

impl Table {
    const fn name(self) -> &'static str {
        match self {
            Self::Deployments => "deployments",
            Self::DeploymentTargets => "deployment_targets",
            Self::Approvals => "approvals",
            Self::Decisions => "decisions",
            Self::Work => "work",
            Self::Targets => "targets",
        }
    }
}
