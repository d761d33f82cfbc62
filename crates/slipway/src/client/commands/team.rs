//! `slipway team`.

use crate::client::{
    Context,
    exit::Failure,
    http::{Paging, Query},
    output::{Show, time},
};
use clap::Subcommand;
use slipway_api_types::registry::{CreateTeam, Team};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a team
    Create {
        /// Its name: a-z, 0-9 and '-'
        name: String,
    },
    /// List teams
    List {
        #[command(flatten)]
        paging: Paging,
    },
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        const PATH: &[&str] = &["v1", "teams"];
        match self {
            Self::Create { name } => cx
                .out
                .one::<Team>(&cx.api.post(PATH, &CreateTeam { name }).await?),
            Self::List { paging } => cx
                .out
                .list::<Team>(&cx.api.list(PATH, Query::new(), paging).await?),
        }
    }
}

impl Show for Team {
    const COLUMNS: &'static [&'static str] = &["NAME", "ID", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![self.name.clone(), self.id.clone(), time(self.created_at)]
    }

    fn key(&self) -> String {
        self.name.clone()
    }
}
