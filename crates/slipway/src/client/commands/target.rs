//! `slipway target`.

use super::filters;
use crate::client::{
    Context,
    exit::Failure,
    http::Paging,
    output::{Show, labels},
    parse,
};
use clap::Subcommand;
use slipway_api_types::registry::{CreateTarget, Target};

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
            self.runs.clone().unwrap_or_default(),
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
        fields
    }
}
