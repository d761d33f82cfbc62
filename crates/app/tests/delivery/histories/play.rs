//! Plays operations: what is not allowed is refused, and changes nothing.

use super::ops::{Op, Says};
use crate::shop::{Shop, report};
use jiff::SignedDuration;
use serde_json::Value;
use slipway_app::{Error, releases, timers};
use slipway_domain::{
    approval::Answer,
    ids::DeploymentId,
    plan::target::{Step, StepKey},
    ports::WorkQueue as _,
    work::{Ack, Assignment, Report, StepOutcome},
};
use std::sync::Arc;

/// The releases there are.
pub(super) const RELEASES: [&str; 3] = ["storefront@1.0.0", "storefront@2.0.0", "storefront@3.0.0"];
/// How many workers there are.
const WORKERS: usize = 3;

pub(super) struct Play {
    pub(super) shop: Arc<Shop>,
    all: Vec<DeploymentId>,
    /// What each worker believes to hold.
    workers: Vec<Vec<Assignment>>,
    /// What was held once.
    past: Vec<Assignment>,
    /// The last report that was taken.
    last: Option<(Assignment, Report)>,
    /// What the last claim brought.
    pub(super) claimed: Vec<Assignment>,
}

/// Refused is well; a fault of ours is not.
fn sound<T>(result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::Internal(source)) => panic!("an internal fault: {source:?}"),
        Err(_) => None,
    }
}

fn outcome(says: Says) -> StepOutcome {
    let retry = |free| StepOutcome::Retry {
        error: "timeout".to_owned(),
        after: SignedDuration::ZERO,
        free,
    };
    match says {
        Says::Begun => StepOutcome::Begun,
        Says::Done => StepOutcome::Done(Value::Null),
        Says::NotYet => StepOutcome::NotYet(SignedDuration::ZERO),
        Says::Retry => retry(false),
        Says::AskedToWait => retry(true),
        Says::Failed => StepOutcome::Failed {
            reason: "web: 0 of 1 pods ready".to_owned(),
        },
        Says::Errored => StepOutcome::Errored {
            reason: "the API server is odd".to_owned(),
        },
        Says::Succeeded => StepOutcome::Succeeded,
    }
}

impl Play {
    /// Three releases, all of which have succeeded in staging.
    pub(super) async fn begin(shop: Arc<Shop>) -> Self {
        let mut all = Vec::new();
        for release in RELEASES {
            let version = release.rsplit('@').next().unwrap();
            let release = shop.release(version).await;
            all.push(shop.staged(&release).await);
        }
        Self {
            shop,
            all,
            workers: vec![Vec::new(); WORKERS],
            past: Vec::new(),
            last: None,
            claimed: Vec::new(),
        }
    }

    pub(super) async fn act(&mut self, op: Op) {
        self.claimed.clear();
        let shop = self.shop.clone();
        // What was asked for lately is talked about most.
        let one = |n: usize| self.all[self.all.len() - 1 - n % self.all.len().min(5)];
        match op {
            Op::Ask(release, environment) => {
                let environment = ["production", "staging", "production"][environment % 3];
                let made = sound(shop.ask(RELEASES[release % 3], environment).await);
                self.all.extend(made);
            }
            Op::Decide(of, who, yes) => {
                let id = one(of);
                if shop.view(id).await.approval.is_some() {
                    let who = shop.who(["ada", "abe", "ana", "otto"][who % 4]).await;
                    let answer = if yes { Answer::Approve } else { Answer::Reject };
                    sound(shop.decide(&who, id, answer, None).await);
                }
            }
            Op::Pause(of) => drop(sound(shop.pause(one(of)).await)),
            Op::Resume(of) => drop(sound(shop.resume(one(of)).await)),
            Op::Cancel(of) => drop(sound(shop.cancel(one(of)).await)),
            Op::RollBack(of) => {
                let made = sound(shop.roll_back(one(of)).await);
                self.all.extend(made);
            }
            Op::Retry(of) => {
                let made = sound(shop.retry(one(of)).await);
                self.all.extend(made);
            }
            Op::Withdraw(release) => {
                let ana = shop.who("ana").await;
                let why = Some("unsound".to_owned());
                let release = RELEASES[release % 3];
                sound(
                    shop.act(async |tx| releases::withdraw(tx, &ana, release, why).await)
                        .await,
                );
            }
            Op::Claim(worker, most) => {
                let claimed = shop.claim_as(&name(worker), most).await;
                self.workers[worker % WORKERS].extend(claimed.iter().cloned());
                self.claimed = claimed;
            }
            Op::Report(worker, which, says) => self.report(worker % WORKERS, which, says).await,
            Op::Finish(worker) => {
                while !self.workers[worker % WORKERS].is_empty() {
                    self.report(worker % WORKERS, 0, Says::Succeeded).await;
                }
            }
            Op::Again(_) => {
                if let Some((a, report)) = self.last.clone() {
                    shop.queue.report(&a, report).await.unwrap();
                }
            }
            Op::Stale(which, says) => self.stale(which, says).await,
            Op::Heartbeat(worker) => self.heartbeat(worker % WORKERS).await,
            Op::Kill(worker) => {
                let lost = std::mem::take(&mut self.workers[worker % WORKERS]);
                self.past.extend(lost);
            }
            Op::EndLease(n) => {
                let sql = format!(
                    "UPDATE work SET lease_until = now() - interval '1 s' WHERE id = (SELECT id FROM work \
                     WHERE state = 'leased' ORDER BY id OFFSET {} LIMIT 1)",
                    n % 3
                );
                shop.sql(&sql).await.unwrap();
            }
            Op::Rescue => drop(timers::rescue(&shop.app).await.unwrap()),
            Op::Look => shop.look().await,
            Op::Later => {
                let sql = "UPDATE work SET run_at = now(); UPDATE deployments SET look_at = now() WHERE look_at IS NOT NULL";
                shop.sql(sql).await.unwrap();
            }
            Op::Expire(of) => {
                let sql = format!(
                    "UPDATE deployments SET expires_at = now(), look_at = now() WHERE id = '{}' AND state IN ('pending', 'queued')",
                    one(of).uuid()
                );
                shop.sql(&sql).await.unwrap();
            }
            Op::Chain => {
                timers::chain(&shop.app).await.unwrap();
                timers::number(&shop.app).await.unwrap();
            }
            Op::Wake(worker) => {
                let all: Vec<_> = self.workers[worker % WORKERS]
                    .iter()
                    .map(|a| a.deployment_target)
                    .collect();
                shop.queue.wake(&all).await.unwrap();
            }
        }
    }

    async fn report(&mut self, worker: usize, which: usize, says: Says) {
        let held = &self.workers[worker];
        if held.is_empty() {
            return;
        }
        let which = which % held.len();
        let a = held[which].clone();
        let report = report(Step::Guard, outcome(says));
        let leased = self.leased(&a).await;
        let before = if leased { None } else { Some(self.rows().await) };
        let ack = self.shop.queue.report(&a, report.clone()).await.unwrap();
        if let Some(before) = before {
            assert_eq!(ack, Ack::Lost, "invariant 3: a stale report is taken");
            assert_eq!(
                before,
                self.rows().await,
                "invariant 3: a stale report changed something"
            );
        } else {
            assert_ne!(
                ack,
                Ack::Lost,
                "invariant 3: a report under a lease that holds is not taken"
            );
        }
        if ack != Ack::Continue {
            self.past.push(self.workers[worker].remove(which));
        }
        self.last = Some((a, report));
    }

    /// Invariant 3: a report under a lease that is gone changes no row of any table.
    async fn stale(&self, which: usize, says: Says) {
        let mut gone = Vec::new();
        for a in self.past.iter().chain(self.workers.iter().flatten()) {
            if !self.leased(a).await {
                gone.push(a);
            }
        }
        let Some(a) = gone.get(which % gone.len().max(1)) else {
            return;
        };
        let before = self.rows().await;
        let mut report = report(Step::Prune, outcome(says));
        report.step = StepKey("apply:3".to_owned());
        report.inventory = Some(slipway_domain::registry::Inventory::default());
        assert_eq!(
            self.shop.queue.report(a, report).await.unwrap(),
            Ack::Lost,
            "invariant 3: a stale report is taken"
        );
        assert_eq!(
            before,
            self.rows().await,
            "invariant 3: a stale report changed something"
        );
    }

    async fn heartbeat(&mut self, worker: usize) {
        let held = std::mem::take(&mut self.workers[worker]);
        let leases: Vec<_> = held.iter().chain(&self.past).map(|a| a.lease.clone()).collect();
        let extend_by = SignedDuration::from_secs(30);
        let still = self
            .shop
            .queue
            .heartbeat(&name(worker), &leases, extend_by)
            .await
            .unwrap()
            .extended;
        for lease in &still {
            let of_past = self.past.iter().any(|a| a.lease == *lease);
            let is = self.fence_of(lease.work.uuid().to_string()).await;
            assert_eq!(
                is,
                Some(lease.fence),
                "invariant 3: a heartbeat extends another's lease ({of_past})"
            );
        }
        let (kept, lost): (Vec<_>, Vec<_>) = held.into_iter().partition(|a| still.contains(&a.lease));
        self.workers[worker] = kept;
        self.past.extend(lost);
    }

    async fn fence_of(&self, work: String) -> Option<i64> {
        sqlx::query_scalar("SELECT fence FROM work WHERE id = $1::uuid AND state = 'leased'")
            .bind(work)
            .fetch_optional(self.shop.app.database().pool())
            .await
            .unwrap()
    }

    /// Whether the database says that this lease is held.
    async fn leased(&self, a: &Assignment) -> bool {
        self.fence_of(a.lease.work.uuid().to_string()).await == Some(a.lease.fence)
    }

    /// A digest of every row of every table.
    async fn rows(&self) -> String {
        let pool = self.shop.app.database().pool();
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' \
             AND table_type = 'BASE TABLE' ORDER BY 1",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        let all: Vec<String> = tables
            .iter()
            .map(|t| format!("SELECT '{t} ' || count(*) || ' ' || md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) AS x FROM {t} t"))
            .collect();
        let sql = format!(
            "SELECT string_agg(x, E'\\n') FROM ({}) y",
            all.join(" UNION ALL ")
        );
        self.shop.text(&sql).await
    }
}

fn name(worker: usize) -> String {
    format!("worker-{}", worker % WORKERS)
}
