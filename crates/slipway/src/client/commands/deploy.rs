//! `slipway deploy`.

use super::{deploy_show as show, filters};
use crate::client::{
    Context,
    exit::Failure,
    http::{Paging, Query},
    parse,
    watch::{self, Until},
};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use slipway_api_types::{
    Reason,
    deployment::{
        CreateDeployment, CreateOverride, Deployment, DeploymentTarget, Emergency, Explanation, Gate,
    },
    event::Event,
};
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask for a release to go to an environment
    Create {
        /// The release: service@version, or its id
        release: String,
        /// Where to
        environment: String,
        /// Not to be started before this time: 2026-11-23T02:00:00Z
        #[arg(long, value_name = "TIME")]
        not_before: Option<Timestamp>,
        /// Why, for those who read the record later
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Take over fields that other field managers own
        #[arg(long)]
        force_conflicts: bool,
        /// EMERGENCY: go on without every gate that policies let go. It is told loudly, answered for afterwards, and reviewed
        #[arg(long, requires_all = ["incident", "justification"])]
        break_glass: bool,
        /// What the emergency is about: a reference to an incident
        #[arg(long, value_name = "REF", requires = "break_glass")]
        incident: Option<String>,
        /// Why it cannot wait
        #[arg(long, value_name = "TEXT", requires = "break_glass")]
        justification: Option<String>,
        #[command(flatten)]
        follow: Follow,
    },
    /// EMERGENCY: go on without one gate that policies let go. It is told loudly, answered for afterwards, and reviewed
    Override {
        #[command(flatten)]
        id: Id,
        /// Which gate, as evidence
        gate: String,
        /// What the emergency is about: a reference to an incident
        #[arg(long, value_name = "REF")]
        incident: String,
        /// Why it cannot wait
        #[arg(long, value_name = "TEXT")]
        justification: String,
    },
    /// List deployments
    List {
        /// Only of this service
        #[arg(long)]
        service: Option<String>,
        /// Only to this environment
        #[arg(long)]
        environment: Option<String>,
        /// Only in this state, as running
        #[arg(long)]
        state: Option<String>,
        /// Only of this release
        #[arg(long)]
        release: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a deployment
    Show(Id),
    /// Show its gates, each with its verdict
    Gates(Id),
    /// Say why it is not moving, who can move it, and when it will move by itself
    Explain(Id),
    /// Show what it would change on each target
    Preview(Id),
    /// Show how far it is on each target
    Targets(Id),
    /// Show everything that happened in it
    Activities {
        #[command(flatten)]
        id: Id,
        #[command(flatten)]
        paging: Paging,
    },
    /// Print the exact objects it applies, as YAML, secrets redacted
    Manifests {
        #[command(flatten)]
        id: Id,
        /// Only on this cluster
        #[arg(long)]
        cluster: Option<String>,
    },
    /// Stop between steps, to go on later
    Pause(Act),
    /// Go on after a pause
    Resume(Id),
    /// Give it up
    Cancel(Act),
    /// Try the same again, as a new deployment
    Retry {
        #[command(flatten)]
        act: Act,
        #[command(flatten)]
        follow: Follow,
    },
    /// Go back to what ran before, as a new deployment
    Rollback {
        #[command(flatten)]
        act: Act,
        #[command(flatten)]
        follow: Follow,
    },
    /// Follow it live, until it ends. The exit code says how it ended
    Watch {
        #[command(flatten)]
        id: Id,
        #[command(flatten)]
        patience: Patience,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Id {
    /// The deployment's id
    #[arg(value_name = "DEPLOYMENT")]
    id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Act {
    #[command(flatten)]
    id: Id,
    /// Why, for those who read the record later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Whether to follow what was asked for.
#[derive(Debug, Args)]
pub(crate) struct Follow {
    /// Follow it live, until it ends
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    patience: Patience,
}

/// How long to follow.
#[derive(Debug, Args)]
pub(crate) struct Patience {
    /// End with success once it is in this state: pending-approval, queued, running and so on; repeat for more
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    until: Vec<Until>,
    /// Stop following after this long, with exit code 7: PT10M, or 10m
    #[arg(long, value_name = "DURATION", value_parser = parse::timeout)]
    timeout: Option<Duration>,
}

impl Follow {
    /// Shows what was asked for, or follows it.
    pub(super) async fn run(self, cx: &Context, reply: &crate::client::http::Reply) -> Result<(), Failure> {
        // Waiting for a state is following.
        if !self.watch && self.patience.until.is_empty() {
            return cx.out.one::<Deployment>(reply);
        }
        let deployment: Deployment = reply.read()?;
        watch::run(cx, &deployment.id, &self.patience.until, self.patience.timeout).await
    }
}

impl Id {
    fn path<'a>(&'a self, part: &'a str) -> [&'a str; 4] {
        ["v1", "deployments", &self.id, part]
    }
}

impl Act {
    async fn run(self, verb: &str, cx: &Context) -> Result<crate::client::http::Reply, Failure> {
        cx.api
            .post(&self.id.path(verb), &Reason { reason: self.reason })
            .await
    }
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        const PATH: &[&str] = &["v1", "deployments"];
        let Context { api, out } = cx;
        let none = Query::new();
        match self {
            Self::Create {
                release,
                environment,
                not_before,
                reason,
                force_conflicts,
                break_glass: _,
                incident,
                justification,
                follow,
            } => {
                let emergency = incident.zip(justification);
                let body = CreateDeployment {
                    release,
                    environment,
                    not_before,
                    reason,
                    force_conflicts,
                    break_glass: emergency.map(|(incident, justification)| Emergency {
                        justification,
                        incident,
                    }),
                };
                follow.run(cx, &api.post(PATH, &body).await?).await
            }
            Self::List {
                service,
                environment,
                state,
                release,
                paging,
            } => {
                let query = filters([
                    ("service", service),
                    ("environment", environment),
                    ("state", state),
                    ("release", release),
                ]);
                out.list::<Deployment>(&api.list(PATH, query, paging).await?)
            }
            Self::Show(id) => out.one::<Deployment>(&api.get(&["v1", "deployments", &id.id], &none).await?),
            Self::Gates(id) => show::several::<Gate>(out, &api.get(&id.path("gates"), &none).await?),
            Self::Targets(id) => {
                show::several::<DeploymentTarget>(out, &api.get(&id.path("targets"), &none).await?)
            }
            Self::Explain(id) => out.one::<Explanation>(&api.get(&id.path("explain"), &none).await?),
            Self::Preview(id) => show::preview(out, &api.get(&id.path("preview"), &none).await?),
            Self::Activities { id, paging } => {
                let mut listing = api.list(&id.path("activities"), none, paging).await?;
                if !out.json_wanted() {
                    // People read a story from its beginning; machines get it as the API orders it.
                    listing.items.reverse();
                }
                out.list::<Event>(&listing)
            }
            Self::Manifests { id, cluster } => show::manifests(
                out,
                &api.get(&id.path("manifests"), &none).await?,
                cluster.as_deref(),
            ),
            Self::Override {
                id,
                gate,
                incident,
                justification,
            } => {
                let body = CreateOverride {
                    gate,
                    justification,
                    incident,
                };
                out.one::<Deployment>(&api.post(&id.path("overrides"), &body).await?)
            }
            Self::Pause(act) => out.one::<Deployment>(&act.run("pause", cx).await?),
            Self::Resume(id) => {
                out.one::<Deployment>(&api.post(&id.path("resume"), &serde_json::json!({})).await?)
            }
            Self::Cancel(act) => out.one::<Deployment>(&act.run("cancel", cx).await?),
            Self::Retry { act, follow } => follow.run(cx, &act.run("retry", cx).await?).await,
            Self::Rollback { act, follow } => follow.run(cx, &act.run("rollback", cx).await?).await,
            Self::Watch { id, patience } => watch::run(cx, &id.id, &patience.until, patience.timeout).await,
        }
    }
}
