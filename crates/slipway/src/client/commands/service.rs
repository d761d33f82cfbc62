//! `slipway service`.

use crate::client::{
    Context,
    exit::Failure,
    http::{Paging, Query},
    output::{Show, time},
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use slipway_api_types::registry::{CreateService, Service, UpdateService};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Register a service
    Create {
        /// Its name: a-z, 0-9 and '-'; also the namespace it lands in by default
        name: String,
        /// The team that owns it
        #[arg(long)]
        team: String,
        #[command(flatten)]
        about: About,
    },
    /// List services
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a service
    Show {
        /// Its name or id
        service: String,
    },
    /// Change a service; what is not given stays
    Update {
        /// Its name or id
        service: String,
        /// The team that owns it
        #[arg(long)]
        team: Option<String>,
        #[command(flatten)]
        about: About,
        /// Nobody is asked at the end any more
        #[arg(long, conflicts_with = "escalation")]
        no_escalation: bool,
    },
}

/// What a service is.
#[derive(Debug, Args)]
pub(crate) struct About {
    /// How much depends on it: low, medium, high or critical
    #[arg(long, value_parser = ["low", "medium", "high", "critical"])]
    criticality: Option<String>,
    /// What it is, for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The group that is asked for approval at the end, when nobody else answered for it
    #[arg(long, value_name = "GROUP")]
    escalation: Option<String>,
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        const PATH: &[&str] = &["v1", "services"];
        match self {
            Self::Create {
                name,
                team,
                about:
                    About {
                        criticality,
                        description,
                        escalation,
                    },
            } => {
                let body = CreateService {
                    name,
                    team,
                    criticality,
                    description,
                    escalation,
                };
                cx.out.one::<Service>(&cx.api.post(PATH, &body).await?)
            }
            Self::List { paging } => cx
                .out
                .list::<Service>(&cx.api.list(PATH, Query::new(), paging).await?),
            Self::Show { service } => cx
                .out
                .one::<Service>(&cx.api.get(&["v1", "services", &service], &Query::new()).await?),
            Self::Update {
                service,
                team,
                about:
                    About {
                        criticality,
                        description,
                        escalation,
                    },
                no_escalation,
            } => {
                let mut body = json!(UpdateService {
                    team,
                    criticality,
                    description,
                    escalation,
                });
                if no_escalation {
                    body["escalation"] = Value::Null;
                }
                cx.out
                    .one::<Service>(&cx.api.patch(&["v1", "services", &service], &body).await?)
            }
        }
    }
}

impl Show for Service {
    const COLUMNS: &'static [&'static str] = &["NAME", "TEAM", "CRITICALITY", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.team.clone(),
            self.criticality.clone(),
            time(self.created_at),
        ]
    }

    fn key(&self) -> String {
        self.name.clone()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("ID", self.id.clone())];
        fields.extend(Self::COLUMNS.iter().copied().zip(self.cells()));
        fields.push(("ESCALATION", self.escalation.clone().unwrap_or_default()));
        fields.push(("DESCRIPTION", self.description.clone()));
        fields
    }
}
