//! `slipway target`.

use super::{deploy::Follow, filters};
use crate::client::{
    Context,
    exit::Failure,
    http::Paging,
    output::{Show, labels},
    parse,
};
use clap::Subcommand;
use slipway_api_types::{
    Reason,
    registry::{CreateTarget, Target},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List targets, and what runs on each
    List {
        /// Only of this service
        #[arg(long)]
        service: Option<String>,
        /// Only in this environment
        #[arg(long)]
        environment: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Say where a service lands, instead of the default (every cluster of the environment, in a namespace named after
    /// the service)
    Set {
        /// The service
        service: String,
        /// The environment
        environment: String,
        /// The cluster; one of the environment's
        cluster: String,
        /// The namespace
        #[arg(long)]
        namespace: String,
        /// A label over those of the cluster, as wave=first; repeat for more
        #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse::label)]
        labels: Vec<(String, String)>,
    },
    /// Take a declared target back: nothing more lands there, and what runs there stays until it is cleaned
    Remove {
        /// The target's id
        #[arg(value_name = "TARGET")]
        id: String,
    },
    /// Take away what a service left where it no longer lands, as a deployment of its own
    Clean {
        /// The target's id
        #[arg(value_name = "TARGET")]
        id: String,
        /// Why, for those who read the record later
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        follow: Follow,
    },
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        const PATH: &[&str] = &["v1", "targets"];
        match self {
            Self::List {
                service,
                environment,
                paging,
            } => {
                let query = filters([("service", service), ("environment", environment)]);
                cx.out.list::<Target>(&cx.api.list(PATH, query, paging).await?)
            }
            Self::Set {
                service,
                environment,
                cluster,
                namespace,
                labels,
            } => {
                let labels = labels.into_iter().collect();
                let body = CreateTarget {
                    service,
                    environment,
                    cluster,
                    namespace,
                    labels,
                };
                cx.out.one::<Target>(&cx.api.post(PATH, &body).await?)
            }
            Self::Remove { id } => {
                cx.api.delete(&["v1", "targets", &id]).await?;
                cx.out
                    .note(&format!("target {id} is taken back; what runs there stays"));
                Ok(())
            }
            Self::Clean { id, reason, follow } => {
                let path = ["v1", "targets", &id, "clean"];
                follow
                    .run(cx, &cx.api.post(&path, &Reason { reason }).await?)
                    .await
            }
        }
    }
}

impl Show for Target {
    const COLUMNS: &'static [&'static str] = &[
        "SERVICE",
        "ENVIRONMENT",
        "CLUSTER",
        "NAMESPACE",
        "RUNS",
        "GENERATION",
        "LABELS",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.service.clone(),
            self.environment.clone(),
            self.cluster.clone(),
            self.namespace.clone(),
            match (&self.runs, self.current) {
                (runs, true) => runs.clone().unwrap_or_default(),
                (Some(runs), false) => format!("{runs} (former)"),
                (None, false) => "(former)".to_owned(),
            },
            self.generation.to_string(),
            labels(&self.labels),
        ]
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("ID", self.id.clone())];
        fields.extend(Self::COLUMNS.iter().copied().zip(self.cells()));
        fields.push(("DECLARED", self.declared.to_string()));
        fields.push(("DEPLOYMENT", self.deployment.clone().unwrap_or_default()));
        fields.push(("NOTE", self.message.clone().unwrap_or_default()));
        fields
    }
}
