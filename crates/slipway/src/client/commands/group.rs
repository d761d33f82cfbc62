//! `slipway group`.

use crate::client::{
    Context,
    exit::Failure,
    http::{Paging, Query},
    output::{Show, time},
};
use clap::{Args, Subcommand};
use slipway_api_types::people::{CreateGroup, Group, PersonRef, UpdateGroup};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a group, with nobody in it
    Create {
        /// Its name: a-z, 0-9 and '-'
        name: String,
        /// Who that is, for people
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// List groups
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a group, and who is in it
    Show {
        /// Its name or id
        group: String,
    },
    /// Put people into a group; never yourself
    Add(Members),
    /// Take people out of a group; never yourself
    Remove(Members),
}

/// Who comes, or goes.
#[derive(Debug, Args)]
pub(crate) struct Members {
    /// The group's name or id
    group: String,
    /// Who: the subjects (sub) that the issuer calls them by
    #[arg(required = true, value_name = "SUBJECT")]
    people: Vec<String>,
    /// Who vouches for them (iss); not needed when the server trusts one issuer
    #[arg(long)]
    issuer: Option<String>,
}

impl Members {
    fn people(&self) -> Vec<PersonRef> {
        let person = |subject: &String| PersonRef {
            issuer: self.issuer.clone(),
            subject: subject.clone(),
        };
        self.people.iter().map(person).collect()
    }
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        const PATH: &[&str] = &["v1", "groups"];
        let (group, body) = match self {
            Self::Create { name, description } => {
                let body = CreateGroup { name, description };
                return cx.out.one::<Group>(&cx.api.post(PATH, &body).await?);
            }
            Self::List { paging } => {
                let listing = cx.api.list(PATH, Query::new(), paging).await?;
                return cx.out.list::<Group>(&listing);
            }
            Self::Show { group } => {
                let reply = cx.api.get(&["v1", "groups", &group], &Query::new()).await?;
                return cx.out.one::<Group>(&reply);
            }
            Self::Add(members) => {
                let add = members.people();
                let body = UpdateGroup {
                    add,
                    ..UpdateGroup::default()
                };
                (members.group, body)
            }
            Self::Remove(members) => {
                let remove = members.people();
                let body = UpdateGroup {
                    remove,
                    ..UpdateGroup::default()
                };
                (members.group, body)
            }
        };
        let reply = cx.api.patch(&["v1", "groups", &group], &body).await?;
        cx.out.one::<Group>(&reply)
    }
}

impl Show for Group {
    const COLUMNS: &'static [&'static str] = &["NAME", "PEOPLE", "DESCRIPTION", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.size.to_string(),
            self.description.clone(),
            time(self.created_at),
        ]
    }

    fn key(&self) -> String {
        self.name.clone()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("ID", self.id.clone())];
        fields.extend(Self::COLUMNS.iter().copied().zip(self.cells()));
        let members = self.members.iter().flatten();
        let members: Vec<_> = members.map(|member| member.subject.as_str()).collect();
        fields.push(("MEMBERS", members.join(", ")));
        fields
    }
}
