//! `slipway events`.

use super::filters;
use crate::client::{
    Context,
    exit::Failure,
    http::{Paging, Query},
    output::clean,
    sse::{Signal, Subscription},
    watch::{Seen, event_line},
};
use clap::Args;
use slipway_api_types::event::Event;

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Only of this deployment
    #[arg(long, value_name = "ID", required_unless_present = "follow")]
    deployment: Option<String>,
    /// Only of this service
    #[arg(long, requires = "follow")]
    service: Option<String>,
    /// Only in this environment
    #[arg(long, requires = "follow")]
    environment: Option<String>,
    /// Only kinds that begin so, as deployment.
    #[arg(long, requires = "follow")]
    kind: Option<String>,
    /// Keep printing what happens, as it happens
    #[arg(long, short)]
    follow: bool,
    /// Begin after the event with this number
    #[arg(long, value_name = "SEQ", requires = "follow")]
    after: Option<i64>,
}

impl Events {
    /// Carries it out: JSON is one event a line, since there is no end to wait for.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        let mut seen = Seen::default();
        if let Some(id) = self.deployment.as_deref().filter(|_| self.after.is_none()) {
            let path = ["v1", "deployments", id, "activities"];
            let past = cx.api.list(&path, Query::new(), Paging::ALL).await?;
            for item in past.items.iter().rev() {
                let event: Event = serde_json::from_str(item.get())
                    .map_err(|error| Failure::unavailable(format!("an event cannot be read: {error}")))?;
                if seen.is_new(&event) {
                    print(cx, &event)?;
                }
            }
        }
        if !self.follow {
            return Ok(());
        }
        let query = filters([
            ("deployment", self.deployment),
            ("service", self.service),
            ("environment", self.environment),
            ("kind", self.kind),
        ]);
        let mut subscription = Subscription::new(cx.api.clone(), query, self.after.or(seen.last()));
        while let Some(signal) = subscription.next().await {
            match signal {
                Signal::Event(event) if seen.is_new(&event) => print(cx, &event)?,
                Signal::Open | Signal::Event(_) => {}
                Signal::Lost(why) => cx.out.note(&format!("{}; trying again", clean(&why))),
                Signal::Ended(failure) => return Err(failure),
            }
        }
        Ok(())
    }
}

fn print(cx: &Context, event: &Event) -> Result<(), Failure> {
    if cx.out.json_wanted() {
        let json = serde_json::to_string(event)
            .map_err(|error| Failure::unavailable(format!("an event cannot be written: {error}")))?;
        return cx.out.line(&json);
    }
    if cx.out.quiet {
        return cx.out.line(&event.seq.to_string());
    }
    cx.out.line(&event_line(event))
}
