//! `slipway status`.

use crate::client::{
    Context,
    exit::Failure,
    http::Query,
    output::{Show, time},
};
use slipway_api_types::status::{ServiceStatus, Status};

/// Shows what runs where, what is under way and what waits.
pub(crate) async fn run(cx: &Context) -> Result<(), Failure> {
    let reply = cx.api.get(&["v1", "status"], &Query::new()).await?;
    if cx.out.json_wanted() {
        return cx.out.json(&reply.body);
    }
    let status: Status = reply.read()?;
    cx.out.rows(&status.services)?;
    cx.out.note(&summary(&status));
    Ok(())
}

fn summary(status: &Status) -> String {
    let active = &status.active;
    let emergencies = &status.emergencies;
    let emergency = match (emergencies.unanswered, emergencies.open_reviews) {
        (0, 0) => String::new(),
        (unanswered, open) => format!(
            "EMERGENCIES: {unanswered} not answered for ({} late), {open} to be reviewed; ",
            emergencies.overdue
        ),
    };
    format!(
        "{emergency}{} pending, {} queued, {} running, {} paused, {} rolling back; {} approval(s) pending; as of {}",
        active.pending,
        active.queued,
        active.running,
        active.paused,
        active.rolling_back,
        status.pending_approvals,
        time(status.at)
    )
}

impl Show for ServiceStatus {
    const COLUMNS: &'static [&'static str] = &[
        "SERVICE",
        "ENVIRONMENT",
        "RUNS",
        "LATEST",
        "STATE",
        "SINCE",
        "REASON",
    ];

    fn cells(&self) -> Vec<String> {
        let alone = self.runs.len() == 1;
        let runs = self.runs.iter().map(|runs| {
            if alone {
                runs.release.clone()
            } else {
                format!("{} on {}", runs.release, runs.clusters.join(","))
            }
        });
        let latest = self.latest.as_ref();
        let of = |text: fn(&slipway_api_types::status::LatestDeployment) -> String| {
            latest.map(text).unwrap_or_default()
        };
        vec![
            self.service.clone(),
            self.environment.clone(),
            runs.collect::<Vec<_>>().join("\n"),
            of(|latest| latest.release.clone().unwrap_or_else(|| latest.id.clone())),
            of(|latest| latest.state.clone()),
            of(|latest| time(latest.since)),
            of(|latest| latest.reason.clone().unwrap_or_default()),
        ]
    }

    fn key(&self) -> String {
        format!("{}/{}", self.service, self.environment)
    }
}
