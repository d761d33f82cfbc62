//! `slipway review`: of what went on without a gate, in an emergency.

use super::filters;
use crate::client::{
    Context,
    exit::Failure,
    http::{Paging, Query},
    output::{Show, some_time, time},
};
use clap::Subcommand;
use slipway_api_types::review::{CloseReview, Review};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List reviews: those that are open
    List {
        /// Those that are closed, instead
        #[arg(long)]
        closed: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a review
    Show {
        /// Its id
        id: String,
    },
    /// Close a review with what was found
    Close {
        /// Its id
        id: String,
        /// What was found, and what is done about it
        #[arg(long, value_name = "TEXT")]
        findings: String,
    },
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        match self {
            Self::List { closed, paging } => {
                let state = if closed { "closed" } else { "open" };
                let query = filters([("state", Some(state.to_owned()))]);
                cx.out
                    .list::<Review>(&cx.api.list(&["v1", "reviews"], query, paging).await?)
            }
            Self::Show { id } => cx
                .out
                .one::<Review>(&cx.api.get(&["v1", "reviews", &id], &Query::new()).await?),
            Self::Close { id, findings } => {
                let body = CloseReview { findings };
                cx.out
                    .one::<Review>(&cx.api.post(&["v1", "reviews", &id, "close"], &body).await?)
            }
        }
    }
}

impl Show for Review {
    const COLUMNS: &'static [&'static str] = &["ID", "RELEASE", "ENVIRONMENT", "STATE", "SINCE", "BECAUSE"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.release.clone(),
            self.environment.clone(),
            self.state.clone(),
            time(self.opened_at),
            self.because.clone(),
        ]
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ID", self.id.clone()),
            ("STATE", self.state.clone()),
            ("DEPLOYMENT", self.deployment.clone()),
            ("RELEASE", self.release.clone()),
            ("ENVIRONMENT", self.environment.clone()),
            ("OPENED", time(self.opened_at)),
            ("BECAUSE", self.because.clone()),
            ("FINDINGS", self.findings.clone().unwrap_or_default()),
            ("CLOSED BY", self.closed_by.clone().unwrap_or_default()),
            ("CLOSED", some_time(self.closed_at)),
        ]
    }
}
