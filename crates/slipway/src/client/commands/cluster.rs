//! `slipway cluster`.

use crate::client::{
    Context,
    exit::{Exit, Failure},
    files,
    http::{Paging, Query},
    output::{Show, labels, some_time, time},
    parse,
};
use clap::{Args, Subcommand};
use slipway_api_types::registry::{
    Cluster, ClusterCheck, ClusterCredential, ClusterGrants, CreateCluster, UpdateCluster,
};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Register a cluster; its credential goes in and never comes out
    Add {
        /// Its name: a-z, 0-9 and '-'
        name: String,
        /// A kubeconfig (- for standard input) with its certificates and token inside, not by path
        #[arg(long, value_name = "FILE")]
        kubeconfig: PathBuf,
        /// Which context of the kubeconfig; its current one by default
        #[arg(long)]
        context: Option<String>,
        #[command(flatten)]
        about: About,
    },
    /// List clusters
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a cluster, without its credential
    Show {
        /// Its name or id
        cluster: String,
    },
    /// Test the connection and the credential's rights; exit code 1 when rights are missing
    Check {
        /// Its name or id
        cluster: String,
    },
    /// Change a cluster; what is not given stays
    Update {
        /// Its name or id
        cluster: String,
        /// A new kubeconfig (- for standard input)
        #[arg(long, value_name = "FILE")]
        kubeconfig: Option<PathBuf>,
        /// Which context of the kubeconfig; its current one by default
        #[arg(long, requires = "kubeconfig")]
        context: Option<String>,
        #[command(flatten)]
        about: About,
    },
}

/// What a cluster is, and what may go there.
#[derive(Debug, Args)]
pub(crate) struct About {
    /// A label, as region=eu; repeat for more. On update, replaces those it has
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse::label)]
    labels: Vec<(String, String)>,
    /// A cluster-scoped kind that may be applied there, as Kind.group (Kind for the core group), or *; repeat for more.
    /// On update, replaces those it has
    #[arg(long = "grant", value_name = "KIND.GROUP")]
    grants: Vec<String>,
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        const PATH: &[&str] = &["v1", "clusters"];
        match self {
            Self::Add {
                name,
                kubeconfig,
                context,
                about,
            } => {
                let body = CreateCluster {
                    name,
                    server: None,
                    certificate_authority: None,
                    credential: credential(&kubeconfig, context)?,
                    labels: about.labels.into_iter().collect(),
                    grants: ClusterGrants {
                        cluster_scoped_kinds: about.grants,
                    },
                };
                cx.out.one::<Cluster>(&cx.api.post(PATH, &body).await?)
            }
            Self::List { paging } => cx
                .out
                .list::<Cluster>(&cx.api.list(PATH, Query::new(), paging).await?),
            Self::Show { cluster } => cx
                .out
                .one::<Cluster>(&cx.api.get(&["v1", "clusters", &cluster], &Query::new()).await?),
            Self::Check { cluster } => check(cx, &cluster).await,
            Self::Update {
                cluster,
                kubeconfig,
                context,
                about,
            } => {
                let body = UpdateCluster {
                    server: None,
                    certificate_authority: None,
                    credential: kubeconfig.map(|path| credential(&path, context)).transpose()?,
                    labels: (!about.labels.is_empty()).then(|| about.labels.into_iter().collect()),
                    grants: (!about.grants.is_empty()).then_some(ClusterGrants {
                        cluster_scoped_kinds: about.grants,
                    }),
                };
                cx.out
                    .one::<Cluster>(&cx.api.patch(&["v1", "clusters", &cluster], &body).await?)
            }
        }
    }
}

fn credential(path: &std::path::Path, context: Option<String>) -> Result<ClusterCredential, Failure> {
    Ok(ClusterCredential {
        kubeconfig: Some(files::read(path)?),
        context,
        token: None,
        client_certificate: None,
        client_key: None,
    })
}

async fn check(cx: &Context, cluster: &str) -> Result<(), Failure> {
    let reply = cx
        .api
        .post(&["v1", "clusters", cluster, "check"], &serde_json::json!({}))
        .await?;
    cx.out.one::<ClusterCheck>(&reply)?;
    match reply.read::<ClusterCheck>()?.missing_rights.len() {
        0 => Ok(()),
        missing => Err(Failure::Outcome {
            exit: Exit::Refused,
            what: format!("the credential for {cluster} lacks {missing} right(s) that deployments need"),
        }),
    }
}

impl Show for Cluster {
    const COLUMNS: &'static [&'static str] = &["NAME", "SERVER", "LABELS", "GRANTS", "LAST SEEN"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.server.clone(),
            labels(&self.labels),
            self.grants.cluster_scoped_kinds.join(","),
            some_time(self.last_seen_at),
        ]
    }

    fn key(&self) -> String {
        self.name.clone()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("ID", self.id.clone())];
        fields.extend(Self::COLUMNS.iter().copied().zip(self.cells()));
        fields.push(("CREATED", time(self.created_at)));
        fields
    }
}

impl Show for ClusterCheck {
    const COLUMNS: &'static [&'static str] = &["VERSION", "ROUND TRIP", "MISSING RIGHTS"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.version.clone(),
            format!("{} ms", self.round_trip_ms),
            self.missing_rights.join("\n"),
        ]
    }

    fn key(&self) -> String {
        self.version.clone()
    }
}
