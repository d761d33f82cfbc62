//! `slipway login`, `logout` and `whoami`.

use crate::client::{
    Context,
    exit::Failure,
    files,
    http::{Api, Query},
    output::{Out, Show, some_time},
    settings::{self, Access},
};
use clap::Args;
use slipway_api_types::identity::Me;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The file that holds the token (- for standard input); else the one of --token or the environment is kept
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Login {
    /// Asks the server who the token is, and keeps both when it knows.
    pub(crate) async fn run(
        self,
        server: Option<&str>,
        token: Option<&str>,
        path: &Path,
        out: &Out,
    ) -> Result<(), Failure> {
        let server = server.ok_or_else(|| Failure::Usage("say which server: --server URL".into()))?;
        let token = match (&self.token_file, token) {
            (Some(file), _) => files::read_secret(file)?,
            (None, Some(token)) => token.trim().to_owned(),
            (None, None) => {
                return Err(Failure::Usage(
                    "give a token: --token-file FILE, or - to type it".into(),
                ));
            }
        };
        let access = || -> Result<Access, Failure> {
            Ok(Access {
                server: settings::base_url(server)?,
                token: Some(token.clone().into()),
            })
        };
        let me = Api::new(access()?)?.get(&["v1", "me"], &Query::new()).await?;
        settings::keep(path, &access()?)?;
        out.one::<Me>(&me)?;
        out.note(&format!("kept in {}", path.display()));
        Ok(())
    }
}

/// Forgets what login kept.
pub(crate) fn logout(path: &Path, out: &Out) -> Result<(), Failure> {
    let was = settings::forget(path)?;
    out.note(if was {
        "the kept server and token are forgotten"
    } else {
        "nothing was kept"
    });
    Ok(())
}

/// Shows who the token is.
pub(crate) async fn whoami(cx: &Context) -> Result<(), Failure> {
    let reply = cx.api.get(&["v1", "me"], &Query::new()).await?;
    cx.out.one::<Me>(&reply)?;
    cx.out.note(&format!("at {}", cx.api.base()));
    Ok(())
}

impl Show for Me {
    const COLUMNS: &'static [&'static str] =
        &["NAME", "SUBJECT", "KIND", "ISSUER", "PROOF", "UNTIL", "ROLES"];

    fn cells(&self) -> Vec<String> {
        let roles = self.roles.iter().map(|held| {
            let team = held
                .team
                .as_ref()
                .map(|team| format!(" on team {team}"))
                .unwrap_or_default();
            let environment = held
                .environment
                .as_ref()
                .map(|name| format!(" in {name}"))
                .unwrap_or_default();
            let by = held.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            format!("{}{team}{environment}{by}", held.role)
        });
        vec![
            self.principal.name.clone(),
            self.principal.subject.clone(),
            self.principal.kind.clone(),
            self.principal.issuer.clone(),
            self.proof.clone(),
            some_time(self.until),
            roles.collect::<Vec<_>>().join("\n"),
        ]
    }

    fn key(&self) -> String {
        self.principal.subject.clone()
    }
}
