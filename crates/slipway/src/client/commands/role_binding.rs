//! `slipway role-binding`.

use super::filters;
use crate::client::{
    Context,
    exit::Failure,
    http::Paging,
    output::{Show, time},
};
use clap::Subcommand;
use slipway_api_types::identity::{CreateRoleBinding, PrincipalRef, RoleBinding};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Grant a role, on everything or on a team or an environment
    Create {
        /// Who gets it: the subject (sub) that the issuer calls them by; they need not have been seen yet
        #[arg(long)]
        subject: String,
        /// Who vouches for them (iss); not needed when the server trusts one issuer
        #[arg(long)]
        issuer: Option<String>,
        /// It is a machine, not a person
        #[arg(long)]
        machine: bool,
        /// The role: viewer, operator, engineer, manager, authority, auditor or admin
        #[arg(long)]
        role: String,
        /// Only on what this team owns
        #[arg(long)]
        team: Option<String>,
        /// Only in this environment
        #[arg(long)]
        environment: Option<String>,
    },
    /// List who holds which role
    List {
        /// Only of this subject
        #[arg(long)]
        subject: Option<String>,
        /// Only this role
        #[arg(long)]
        role: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Take a role away
    Delete {
        /// The role binding's id
        id: String,
    },
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        const PATH: &[&str] = &["v1", "role-bindings"];
        match self {
            Self::Create {
                subject,
                issuer,
                machine,
                role,
                team,
                environment,
            } => {
                let principal = PrincipalRef {
                    issuer,
                    subject,
                    kind: machine.then(|| "machine".to_owned()),
                };
                let body = CreateRoleBinding {
                    principal,
                    role,
                    team,
                    environment,
                };
                cx.out.one::<RoleBinding>(&cx.api.post(PATH, &body).await?)
            }
            Self::List {
                subject,
                role,
                paging,
            } => {
                let query = filters([("subject", subject), ("role", role)]);
                cx.out
                    .list::<RoleBinding>(&cx.api.list(PATH, query, paging).await?)
            }
            Self::Delete { id } => {
                cx.api.delete(&["v1", "role-bindings", &id]).await?;
                cx.out.note(&format!("{id} is taken away"));
                Ok(())
            }
        }
    }
}

impl Show for RoleBinding {
    const COLUMNS: &'static [&'static str] = &["ID", "WHO", "KIND", "ROLE", "TEAM", "ENVIRONMENT", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.principal.subject.clone(),
            self.principal.kind.clone(),
            self.role.clone(),
            self.team.clone().unwrap_or_default(),
            self.environment.clone().unwrap_or_default(),
            time(self.created_at),
        ]
    }

    fn key(&self) -> String {
        self.id.clone()
    }
}
