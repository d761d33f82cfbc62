//! `slipway delegation`.

use super::filters;
use crate::client::{
    Context,
    exit::Failure,
    http::Paging,
    output::{Show, time},
};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use slipway_api_types::people::{CreateDelegation, Delegation, DelegationScope, PersonRef};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Have somebody else decide on approvals in your place
    Create(Box<Create>),
    /// List delegations from or to you, or all that you may see
    List {
        /// Only those from or to you
        #[arg(long)]
        mine: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Take a delegation back; what was decided by it stays decided
    Revoke {
        /// The delegation's id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Who decides: the subject (sub) that the issuer calls them by; they have signed in before
    #[arg(long, value_name = "SUBJECT")]
    to: String,
    /// Who vouches for them (iss); not needed when the server trusts one issuer
    #[arg(long)]
    issuer: Option<String>,
    /// From when on: 2026-12-24T08:00:00Z; now when not given
    #[arg(long, value_name = "TIME")]
    starts: Option<Timestamp>,
    /// Until when: 90 days later at most
    #[arg(long, value_name = "TIME")]
    ends: Timestamp,
    #[command(flatten)]
    scope: Scope,
    /// Why, for those who read the record later
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// What for; everything when nothing is given.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Scope {
    /// Only what is of this team
    #[arg(long)]
    team: Option<String>,
    /// Only what goes to this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only this approval
    #[arg(long, value_name = "ID")]
    approval: Option<String>,
}

impl Create {
    fn body(self) -> CreateDelegation {
        let Scope {
            team,
            environment,
            approval,
        } = self.scope;
        let scope = DelegationScope {
            team,
            environment,
            approval,
        };
        CreateDelegation {
            to: PersonRef {
                issuer: self.issuer,
                subject: self.to,
            },
            starts: self.starts,
            ends: self.ends,
            scope: (scope != DelegationScope::default()).then_some(scope),
            reason: self.reason,
        }
    }
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        const PATH: &[&str] = &["v1", "delegations"];
        match self {
            Self::Create(create) => cx
                .out
                .one::<Delegation>(&cx.api.post(PATH, &create.body()).await?),
            Self::List { mine, paging } => {
                let query = filters([("mine", mine.then(|| "true".to_owned()))]);
                cx.out
                    .list::<Delegation>(&cx.api.list(PATH, query, paging).await?)
            }
            Self::Revoke { id } => {
                cx.api.delete(&["v1", "delegations", &id]).await?;
                cx.out.note(&format!("{id} is taken back"));
                Ok(())
            }
        }
    }
}

/// What it is for, in a word or two.
fn scope(scope: Option<&DelegationScope>) -> String {
    let Some(scope) = scope else {
        return "everything".to_owned();
    };
    let named = [
        ("team", &scope.team),
        ("environment", &scope.environment),
        ("approval", &scope.approval),
    ];
    let mut named = named
        .iter()
        .filter_map(|(kind, name)| name.as_ref().map(|name| format!("{kind} {name}")));
    named.next().unwrap_or_default()
}

impl Show for Delegation {
    const COLUMNS: &'static [&'static str] = &["ID", "FROM", "TO", "FOR", "STARTS", "ENDS", "STATE"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.from.subject.clone(),
            self.to.subject.clone(),
            scope(self.scope.as_ref()),
            time(self.starts),
            time(self.ends),
            self.state.clone(),
        ]
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields: Vec<_> = Self::COLUMNS.iter().copied().zip(self.cells()).collect();
        fields.push(("REASON", self.reason.clone()));
        fields
    }
}
