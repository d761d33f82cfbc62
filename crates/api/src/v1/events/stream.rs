//! One watcher: first what it missed, from the database; then what comes, from the hub; never what it may not see, and
//! not beyond its token.

use super::{hub::BATCH, recheck::Rechecks};
use crate::{ApiConfig, middleware::authenticate::Bearer, v1::deployments::wire_event};
use axum::response::sse;
use slipway_app::{
    App, RequestInfo,
    events::{self, Event, Filter},
};
use slipway_domain::{
    clock,
    identity::{Actor, Visible},
};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    sync::{broadcast, mpsc},
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

/// However often rights change, a stream asks no more often than this whether its own still hold.
const BETWEEN_RECHECKS: Duration = Duration::from_millis(500);

/// What is sent to a client.
type Sender = mpsc::Sender<Result<sse::Event, Infallible>>;

/// Somebody who watches.
pub(super) struct Watcher {
    pub(super) app: App,
    pub(super) config: Arc<ApiConfig>,
    pub(super) shutdown: CancellationToken,
    pub(super) rechecks: Rechecks,
    pub(super) bearer: Bearer,
    pub(super) request: RequestInfo,
    pub(super) actor: Arc<Actor>,
    pub(super) filter: Filter,
    pub(super) seen: i64,
}

/// The stream is over.
struct Over;

impl Watcher {
    /// Sends until the client goes, the token ends, or the server does.
    pub(super) async fn run(mut self, mut live: broadcast::Receiver<Arc<Event>>, sender: Sender) {
        let hello = sse::Event::default()
            .comment("watching")
            .retry(Duration::from_secs(1));
        if sender.send(Ok(hello)).await.is_err() || self.catch_up(&sender).await.is_err() {
            return;
        }
        let mut recheck = tokio::time::interval_at(
            Instant::now() + self.config.stream_recheck,
            self.config.stream_recheck,
        );
        recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // From before its rights are asked for again: what changes in between is not missed.
        let mut rights = self.app.database().changes().identity_moves();
        rights.mark_changed();
        let mut checked = None::<Instant>;
        let shutdown = self.shutdown.clone();
        let end = tokio::time::sleep(self.remaining());
        tokio::pin!(end);
        loop {
            let step = tokio::select! {
                biased;
                () = shutdown.cancelled() => Err(Over),
                () = sender.closed() => Err(Over),
                () = &mut end => Err(Over),
                _ = recheck.tick() => {
                    checked = Some(Instant::now());
                    self.recheck().await
                }
                moved = rights.changed() => {
                    let next = checked.map(|at| at + BETWEEN_RECHECKS);
                    recheck.reset_at(next.unwrap_or_else(Instant::now));
                    moved.map_err(|_| Over)
                }
                event = live.recv() => match event {
                    Ok(event) => self.pass_on(&event, &sender).await,
                    Err(broadcast::error::RecvError::Lagged(_)) => self.catch_up(&sender).await,
                    Err(broadcast::error::RecvError::Closed) => Err(Over),
                },
            };
            if step.is_err() {
                return;
            }
        }
    }

    /// How long the proof still holds.
    fn remaining(&self) -> Duration {
        const FOR_EVER: Duration = Duration::from_hours(30 * 24);
        self.actor.until().map_or(FOR_EVER, |until| {
            Duration::try_from(until.duration_since(clock::database_now())).unwrap_or(Duration::ZERO)
        })
    }

    /// Whether the token still holds, and with which rights: someone who lost them sees nothing more.
    async fn recheck(&mut self) -> Result<(), Over> {
        // Half, so that an answer which others asked for adds little to the time until the end is noticed.
        let max_age = self.config.stream_recheck / 2;
        let actor = self
            .rechecks
            .check(&self.app, &self.bearer, &self.request, max_age)
            .await;
        self.actor = actor.ok_or(Over)?;
        events::may_watch(&self.actor).map_err(|_| Over)
    }

    /// Reads what was missed from the database.
    async fn catch_up(&mut self, sender: &Sender) -> Result<(), Over> {
        loop {
            let batch = self.read().await.map_err(|error| {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "an event stream ends: no database"
                );
                Over
            })?;
            let count = batch.len();
            for event in batch {
                self.send(event, sender).await?;
            }
            if i64::try_from(count).unwrap_or(BATCH) < BATCH {
                return Ok(());
            }
        }
    }

    async fn read(&self) -> Result<Vec<Event>, slipway_app::Error> {
        let read = async {
            let mut tx = self.app.read().await?;
            events::read_after(&mut tx, &self.actor, &self.filter, self.seen, BATCH).await
        };
        self.app.while_the_database_answers(read).await
    }

    /// Sends an event from the hub, if it is new, wanted and may be seen.
    async fn pass_on(&mut self, event: &Event, sender: &Sender) -> Result<(), Over> {
        let Some(seq) = event.seq.filter(|seq| *seq > self.seen) else {
            return Ok(());
        };
        if wants(&self.filter, event) && sees(&self.actor.rights.visible(), event) {
            self.send(event.clone(), sender).await
        } else {
            self.seen = seq;
            Ok(())
        }
    }

    async fn send(&mut self, event: Event, sender: &Sender) -> Result<(), Over> {
        let event = wire_event(event);
        self.seen = event.seq;
        let sent = sse::Event::default()
            .id(event.seq.to_string())
            .event(&event.kind)
            .json_data(&event);
        match sent {
            Ok(sent) => sender.send(Ok(sent)).await.map_err(|_| Over),
            Err(error) => {
                tracing::error!(%error, seq = event.seq, "an event cannot be written as JSON");
                Ok(())
            }
        }
    }
}

/// Whether the filter lets an event through: the same as in the database.
fn wants(filter: &Filter, event: &Event) -> bool {
    filter.deployment.is_none_or(|id| event.deployment == Some(id))
        && filter.service.is_none_or(|id| event.service_id == Some(id))
        && filter
            .environment
            .is_none_or(|id| event.environment_id == Some(id))
        && filter
            .kind
            .as_deref()
            .is_none_or(|kind| event.kind.starts_with(kind))
}

/// Whether an event may be seen: the same as in the database.
fn sees(visible: &Visible, event: &Event) -> bool {
    visible.everything
        || event.team.is_some_and(|team| visible.teams.contains(&team))
        || event
            .environment_id
            .is_some_and(|id| visible.environments.contains(&id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipway_domain::ids::{EnvironmentId, EventId, ServiceId, TeamId};

    fn event() -> Event {
        Event {
            seq: Some(7),
            id: EventId::new(),
            at: jiff::Timestamp::UNIX_EPOCH,
            kind: "release.seal".to_owned(),
            message: "sealed".to_owned(),
            actor: "ana".to_owned(),
            subject: "storefront@1.0.0".to_owned(),
            team: Some(TeamId::new()),
            service_id: Some(ServiceId::new()),
            service: None,
            environment_id: Some(EnvironmentId::new()),
            environment: None,
            deployment: None,
            cluster: None,
            data: serde_json::Value::Null,
        }
    }

    #[test]
    fn an_event_is_seen_through_its_team_or_its_environment_only() {
        let event = event();
        let team = Visible {
            teams: event.team.into_iter().collect(),
            ..Visible::default()
        };
        let environment = Visible {
            environments: event.environment_id.into_iter().collect(),
            ..Visible::default()
        };
        let other = Visible {
            teams: vec![TeamId::new()],
            ..Visible::default()
        };
        assert!(sees(&team, &event) && sees(&environment, &event));
        assert!(!sees(&other, &event) && !sees(&Visible::default(), &event));
        let of_nobody = Event {
            team: None,
            environment_id: None,
            ..event
        };
        assert!(!sees(&other, &of_nobody));
    }

    #[test]
    fn every_part_of_a_filter_must_hold() {
        let event = event();
        let filter = Filter {
            service: event.service_id,
            environment: event.environment_id,
            kind: Some("release.".to_owned()),
            deployment: None,
        };
        assert!(wants(&Filter::default(), &event) && wants(&filter, &event));
        assert!(!wants(
            &Filter {
                kind: Some("deployment.".to_owned()),
                ..filter.clone()
            },
            &event
        ));
        assert!(!wants(
            &Filter {
                service: Some(ServiceId::new()),
                ..filter
            },
            &event
        ));
    }
}
