//! Following a deployment live.
//!
//! Events are hints and lines to print; what is true is read again from the deployment itself, so that a stream that
//! breaks, or never opens, costs latency and nothing else.

mod changes;
mod view;

use super::{
    Context,
    commands::deploy_blocker as blocker,
    exit::{Exit, Failure},
    http::{Paging, Query},
    output::{clean, time},
    sse::{Signal, Subscription},
};
use changes::Changes;
use jiff::Timestamp;
use slipway_api_types::{deployment::Deployment, event::Event};
use std::{
    collections::{BTreeSet, HashSet},
    str::FromStr,
    time::Duration,
};
use tokio::time::Instant;
use view::View;

/// How often the deployment is read while the stream of events is open: for what events do not tell.
const WITH_EVENTS: Duration = Duration::from_secs(5);
/// How often it is read without one.
const WITHOUT_EVENTS: Duration = Duration::from_secs(2);
/// How long the server may be away before following is given up.
const AWAY: Duration = Duration::from_mins(5);

/// A state to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Until(String);

const STATES: &[&str] = &[
    "pending",
    "pending_approval",
    "queued",
    "running",
    "paused",
    "rolling_back",
    "succeeded",
    "rolled_back",
    "failed",
    "errored",
    "cancelled",
    "rejected",
    "expired",
    "superseded",
];

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let state = text.replace('-', "_");
        if STATES.contains(&state.as_str()) {
            Ok(Self(state))
        } else {
            Err(format!(
                "a state is one of {}",
                STATES.join(", ").replace('_', "-")
            ))
        }
    }
}

impl Until {
    fn holds(&self, deployment: &Deployment) -> bool {
        match self.0.as_str() {
            "pending_approval" => {
                deployment.state == "pending"
                    && deployment
                        .blockers
                        .iter()
                        .any(|blocker| blocker.kind == "approval")
            }
            state => deployment.state == state,
        }
    }
}

/// How a deployment ended, if it did.
pub(crate) fn outcome(deployment: &Deployment) -> Option<Result<(), Failure>> {
    let exit = match deployment.state.as_str() {
        "succeeded" => return Some(Ok(())),
        "errored" => Exit::Unavailable,
        "failed" | "rolled_back" | "rejected" | "expired" | "superseded" | "cancelled" => Exit::Refused,
        _ => return None,
    };
    let reason = deployment
        .reason
        .as_ref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    let undone = deployment
        .rolled_back_by
        .as_ref()
        .map(|id| format!("; rolled back by {id}"))
        .unwrap_or_default();
    let what = format!("{} {}{reason}{undone}", named(deployment), deployment.state);
    Some(Err(Failure::Outcome { exit, what }))
}

fn named(deployment: &Deployment) -> String {
    let what = deployment.release.as_deref().unwrap_or(&deployment.service);
    format!("{what} to {} ({})", deployment.environment, deployment.id)
}

/// Which events were told: the stream and the record overlap, and the record holds some that have no number yet (0).
#[derive(Debug, Default)]
pub(crate) struct Seen {
    numbered: BTreeSet<i64>,
    unnumbered: HashSet<(Timestamp, String, String, Option<String>)>,
}

impl Seen {
    /// Whether it was not told yet; it counts as told from now on.
    pub(crate) fn is_new(&mut self, event: &Event) -> bool {
        let content = (
            event.at,
            event.kind.clone(),
            event.message.clone(),
            event.cluster.clone(),
        );
        if event.seq == 0 {
            return self.unnumbered.insert(content);
        }
        let told_before_it_was_numbered = self.unnumbered.contains(&content);
        self.numbered.insert(event.seq) && !told_before_it_was_numbered
    }

    /// The highest number so far: where the stream begins.
    pub(crate) fn last(&self) -> Option<i64> {
        self.numbered.last().copied()
    }
}

/// One event in a line: when, who, what.
pub(crate) fn event_line(event: &Event) -> String {
    let cluster = event
        .cluster
        .as_ref()
        .map(|cluster| format!("[{cluster}] "))
        .unwrap_or_default();
    clean(&format!(
        "{}  {}  {cluster}{}",
        time(event.at),
        event.actor,
        event.message
    ))
}

/// Follows a deployment until it ends, or is in one of the states of `until`.
///
/// With `-o json`, progress goes beside the output and the deployment as it ended is the output.
pub(crate) async fn run(
    cx: &Context,
    id: &str,
    until: &[Until],
    timeout: Option<Duration>,
) -> Result<(), Failure> {
    let mut watch = Watch {
        cx,
        id,
        view: View::new(&cx.out),
        seen: Seen::default(),
        changes: Changes::default(),
    };
    let followed = match timeout {
        None => watch.follow(until).await,
        Some(timeout) => tokio::time::timeout(timeout, watch.follow(until))
            .await
            .unwrap_or_else(|_| {
                let timeout = jiff::SignedDuration::try_from(timeout).unwrap_or_default();
                Err(Failure::TimedOut(format!(
                    "{id} did not get there within {timeout}; it goes on by itself"
                )))
            }),
    };
    watch.view.finish();
    followed
}

struct Watch<'a> {
    cx: &'a Context,
    id: &'a str,
    view: View,
    seen: Seen,
    changes: Changes,
}

impl Watch<'_> {
    async fn follow(&mut self, until: &[Until]) -> Result<(), Failure> {
        let reply = self
            .cx
            .api
            .get(&["v1", "deployments", self.id], &Query::new())
            .await?;
        // A name or an alias may be given; events are filtered by the id.
        let id = reply.read::<Deployment>()?.id;
        self.read_record().await?;
        let mut events = Subscription::new(self.cx.api.clone(), vec![("deployment", id)], self.seen.last());
        let mut open = false;
        let mut last_read = Instant::now();
        loop {
            match self.read(until).await {
                Ok(Some(ended)) => return ended,
                Ok(None) => last_read = Instant::now(),
                Err(failure) if failure.exit() == Exit::Unavailable && last_read.elapsed() < AWAY => {
                    self.view.note(&format!("{failure}; still trying"))?;
                }
                Err(failure) => return Err(failure),
            }
            let was_open = open;
            let pause = if open { WITH_EVENTS } else { WITHOUT_EVENTS };
            match tokio::time::timeout(pause, events.next()).await {
                Ok(Some(signal)) => self.heed(signal, &mut open)?,
                // The stream cannot be had; the record can.
                Ok(None) => tokio::time::sleep(pause).await,
                Err(_) => {}
            }
            while let Some(signal) = events.ready() {
                self.heed(signal, &mut open)?;
            }
            // What happened before the stream opened is in the record alone.
            if !(open && was_open)
                && let Err(failure) = self.read_record().await
                && failure.exit() != Exit::Unavailable
            {
                return Err(failure);
            }
        }
    }

    fn heed(&mut self, signal: Signal, open: &mut bool) -> Result<(), Failure> {
        match signal {
            Signal::Open => *open = true,
            Signal::Event(event) => self.event(&event)?,
            Signal::Ended(failure) if failure.exit() == Exit::NotPermitted => return Err(failure),
            Signal::Lost(_) | Signal::Ended(_) => *open = false,
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<(), Failure> {
        if !self.seen.is_new(event) {
            return Ok(());
        }
        self.changes.heard(&event.message);
        self.view.line(&event_line(event))
    }

    /// Prints what the record holds and was not printed yet, oldest first.
    async fn read_record(&mut self) -> Result<(), Failure> {
        let path = ["v1", "deployments", self.id, "activities"];
        let listing = self.cx.api.list(&path, Query::new(), Paging::ALL).await?;
        for item in listing.items.iter().rev() {
            let event: Event = serde_json::from_str(item.get())
                .map_err(|error| Failure::unavailable(format!("an activity cannot be read: {error}")))?;
            self.event(&event)?;
        }
        Ok(())
    }

    /// Reads the deployment and shows what changed; how it ended, if it did.
    async fn read(&mut self, until: &[Until]) -> Result<Option<Result<(), Failure>>, Failure> {
        let reply = self
            .cx
            .api
            .get(&["v1", "deployments", self.id], &Query::new())
            .await?;
        let deployment: Deployment = reply.read()?;
        let ended = if until.iter().any(|until| until.holds(&deployment)) {
            Some(Ok(()))
        } else {
            outcome(&deployment)
        };
        if ended.is_some() {
            self.read_record().await?;
        }
        for change in self.changes.since_last(&deployment) {
            self.view.change(&change)?;
        }
        self.view.show(&deployment);
        if ended.is_some() {
            self.view.finish();
            if self.cx.out.json_wanted() {
                self.cx.out.json(&reply.body)?;
            } else if self.cx.out.quiet {
                self.cx.out.line(&clean(&deployment.state))?;
            } else {
                let line = format!(
                    "{}  {}: {}",
                    time(deployment.since),
                    named(&deployment),
                    deployment.state
                );
                self.cx.out.line(&clean(&line))?;
            }
        }
        Ok(ended)
    }
}
