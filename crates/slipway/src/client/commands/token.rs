//! `slipway token`.

use super::filters;
use crate::client::{
    Context,
    exit::Failure,
    http::Paging,
    output::{Show, some_time, time},
    parse,
};
use clap::Subcommand;
use slipway_api_types::identity::{CreateToken, NewToken, Token};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a token for scripts; its secret is shown this once. It never may more than you, and never approves
    Create {
        /// What it is for
        name: String,
        /// A role it carries, one of your own; repeat for more
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<String>,
        /// How long it lives: PT12H, or 12h
        #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
        expires_in: String,
    },
    /// List your tokens
    List {
        /// Everybody's, if you may see them
        #[arg(long)]
        everyone: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Revoke a token
    Revoke {
        /// Its id
        id: String,
    },
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        const PATH: &[&str] = &["v1", "tokens"];
        match self {
            Self::Create {
                name,
                roles,
                expires_in,
            } => {
                let reply = cx
                    .api
                    .post(
                        PATH,
                        &CreateToken {
                            name,
                            roles,
                            expires_in,
                        },
                    )
                    .await?;
                cx.out.one::<NewToken>(&reply)?;
                if !cx.out.json_wanted() {
                    cx.out.note("keep the secret now: it is never shown again");
                }
                Ok(())
            }
            Self::List { everyone, paging } => {
                let query = filters([("all", everyone.then(|| "true".to_owned()))]);
                cx.out.list::<Token>(&cx.api.list(PATH, query, paging).await?)
            }
            Self::Revoke { id } => {
                cx.api.delete(&["v1", "tokens", &id]).await?;
                cx.out.note(&format!("{id} is revoked"));
                Ok(())
            }
        }
    }
}

impl Show for Token {
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "ROLES", "EXPIRES", "REVOKED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.name.clone(),
            self.roles.join(","),
            time(self.expires_at),
            some_time(self.revoked_at),
        ]
    }

    fn key(&self) -> String {
        self.id.clone()
    }
}

impl Show for NewToken {
    const COLUMNS: &'static [&'static str] = Token::COLUMNS;

    fn cells(&self) -> Vec<String> {
        self.token.cells()
    }

    /// The secret: what `$(slipway token create -q …)` is for.
    fn key(&self) -> String {
        self.secret.clone()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = self.token.fields();
        fields.push(("SECRET", self.secret.clone()));
        fields
    }
}
