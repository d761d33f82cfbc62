//! `slipway component`.

use super::{filters, version};
use crate::client::{
    Context,
    exit::Failure,
    http::{Paging, Query},
    output::{Show, time},
};
use clap::Subcommand;
use slipway_api_types::component::{Component, CreateComponent};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Register a component
    Create {
        /// Its name: a-z, 0-9 and '-'
        name: String,
        /// The team that owns it
        #[arg(long)]
        team: String,
        /// What it is made of; manifests: Kubernetes objects
        #[arg(long)]
        kind: Option<String>,
        /// What it is, for people
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// List components
    List {
        /// Only of this team
        #[arg(long)]
        team: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a component
    Show {
        /// Its name or id
        component: String,
    },
    /// Versions of components; immutable
    #[command(subcommand)]
    Version(version::Command),
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        const PATH: &[&str] = &["v1", "components"];
        match self {
            Self::Create {
                name,
                team,
                kind,
                description,
            } => {
                let body = CreateComponent {
                    name,
                    kind,
                    team,
                    description,
                };
                cx.out.one::<Component>(&cx.api.post(PATH, &body).await?)
            }
            Self::List { team, paging } => cx
                .out
                .list::<Component>(&cx.api.list(PATH, filters([("team", team)]), paging).await?),
            Self::Show { component } => cx.out.one::<Component>(
                &cx.api
                    .get(&["v1", "components", &component], &Query::new())
                    .await?,
            ),
            Self::Version(command) => command.run(cx).await,
        }
    }
}

impl Show for Component {
    const COLUMNS: &'static [&'static str] = &["NAME", "KIND", "TEAM", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.kind.clone(),
            self.team.clone(),
            time(self.created_at),
        ]
    }

    fn key(&self) -> String {
        self.name.clone()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("ID", self.id.clone())];
        fields.extend(Self::COLUMNS.iter().copied().zip(self.cells()));
        fields.push(("DESCRIPTION", self.description.clone()));
        fields
    }
}
