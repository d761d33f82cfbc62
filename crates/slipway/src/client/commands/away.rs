//! `slipway away`.

use super::filters;
use crate::client::{
    Context,
    exit::Failure,
    http::{Listing, Paging, Query},
    output::{Show, time},
};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use slipway_api_types::people::{Absence, CreateAbsence};

const PATH: &[&str] = &["v1", "absences"];

/// Says that one is away; or a subcommand.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Away {
    #[command(subcommand)]
    command: Option<Command>,
    /// From when on: 2026-12-24T08:00:00Z; now when not given
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Until when: 90 days later at most
    #[arg(long, value_name = "TIME", required = true)]
    until: Option<Timestamp>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List when you are away, or when everybody in a group is
    List {
        /// Of everybody in this group
        #[arg(long)]
        group: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Say that you are back, or call off an absence that is to come
    Back {
        /// The absence's id; those that go on now when not given
        id: Option<String>,
    },
}

impl Away {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        match self.command {
            None => {
                let ends = self
                    .until
                    .ok_or_else(|| Failure::Usage("--until is needed".into()))?;
                let body = CreateAbsence {
                    starts: self.from,
                    ends,
                };
                cx.out.one::<Absence>(&cx.api.post(PATH, &body).await?)
            }
            Some(Command::List { group, paging }) => {
                let query = filters([("group", group)]);
                cx.out.list::<Absence>(&cx.api.list(PATH, query, paging).await?)
            }
            Some(Command::Back { id: Some(id) }) => back(cx, &id).await,
            Some(Command::Back { id: None }) => {
                let mine = cx.api.list(PATH, Query::new(), Paging::ALL).await?;
                let going_on = going_on(&mine)?;
                if going_on.is_empty() {
                    cx.out.note("you are not away");
                }
                for id in going_on {
                    back(cx, &id).await?;
                }
                Ok(())
            }
        }
    }
}

/// Those that go on now, as the server says: its clock counts.
fn going_on(mine: &Listing) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::new();
    for item in &mine.items {
        let absence: Absence = serde_json::from_str(item.get()).map_err(|error| {
            Failure::unavailable(format!(
                "the server's answer is not what this command line understands: {error}"
            ))
        })?;
        if absence.state == "away" {
            ids.push(absence.id);
        }
    }
    Ok(ids)
}

async fn back(cx: &Context, id: &str) -> Result<(), Failure> {
    cx.api.delete(&["v1", "absences", id]).await?;
    cx.out.note(&format!("{id} is over"));
    Ok(())
}

impl Show for Absence {
    const COLUMNS: &'static [&'static str] = &["ID", "WHO", "STARTS", "ENDS", "STATE"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.who.subject.clone(),
            time(self.starts),
            time(self.ends),
            self.state.clone(),
        ]
    }

    fn key(&self) -> String {
        self.id.clone()
    }
}
