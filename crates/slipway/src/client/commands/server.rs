//! `slipway server`.

use crate::client::{
    Context,
    exit::Failure,
    http::Query,
    output::{Show, time},
};
use clap::Subcommand;
use slipway_api_types::server::{Server, Servers};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the processes seen within the last day, the living first
    List,
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        match self {
            Self::List => {
                let reply = cx.api.get(&["v1", "servers"], &Query::new()).await?;
                if cx.out.json_wanted() {
                    return cx.out.json(&reply.body);
                }
                let servers: Servers = reply.read()?;
                cx.out.rows(&servers.items)
            }
        }
    }
}

impl Show for Server {
    const COLUMNS: &'static [&'static str] =
        &["NAME", "ROLES", "VERSION", "LIMITED TO", "STATE", "SEEN", "SINCE"];

    fn cells(&self) -> Vec<String> {
        let labels = self.cluster_labels.iter();
        let limits: Vec<String> = labels.map(|(name, value)| format!("{name}={value}")).collect();
        let state = match (self.alive, self.stopped_at) {
            (true, _) => "alive",
            (false, Some(_)) => "stopped",
            (false, None) => "gone",
        };
        vec![
            self.name.clone(),
            self.roles.join(","),
            self.version.clone(),
            limits.join(","),
            state.to_owned(),
            time(self.seen_at),
            time(self.started_at),
        ]
    }

    fn key(&self) -> String {
        self.name.clone()
    }
}
