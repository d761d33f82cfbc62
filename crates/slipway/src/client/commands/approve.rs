//! `slipway approve`: the approver's inbox, and one decision at a time, on a digest that was looked at.
//!
//! Without anything, at a terminal, it goes through the inbox: it shows each request with what would change, and asks.

use super::{approve_show::changes, filters};
use crate::client::{
    Context,
    exit::Failure,
    http::{Paging, Query},
    output::clean,
    parse,
};
use clap::{Args, Subcommand};
use slipway_api_types::{
    Page,
    approval::{Approval, CreateDecision},
};
use std::io::IsTerminal as _;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Approve {
    #[command(subcommand)]
    command: Option<Command>,
    /// The request for approval to decide on: its id. Without it, at a terminal, you are asked about each that waits for you
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// The digest you looked at and decide on, in full. Without it you are shown what would be approved
    #[arg(long, value_parser = parse::digest)]
    digest: Option<String>,
    /// Say no
    #[arg(long)]
    reject: bool,
    /// In the place of whoever delegated that to you: their subject
    #[arg(long = "for", value_name = "WHO")]
    on_behalf_of: Option<String>,
    /// In your own words
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List requests for approval: by default those that wait for you
    List {
        /// Everybody's, not only those that wait for you
        #[arg(long)]
        everyone: bool,
        /// Everybody's in this state: pending, approved, rejected, withdrawn or expired
        #[arg(long)]
        state: Option<String>,
        /// Everybody's of this deployment
        #[arg(long, value_name = "ID")]
        deployment: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a request for approval: who is asked, who is missing, and what they decide on
    Show {
        /// Its id
        id: String,
    },
}

impl Approve {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        match self.command {
            Some(Command::List {
                everyone,
                state,
                deployment,
                paging,
            }) => {
                let mine = !everyone && state.is_none() && deployment.is_none();
                let mine = mine.then(|| "pending".to_owned());
                let query = filters([("mine", mine), ("state", state), ("deployment", deployment)]);
                cx.out
                    .list::<Approval>(&cx.api.list(&["v1", "approvals"], query, paging).await?)
            }
            Some(Command::Show { id }) => cx
                .out
                .one::<Approval>(&cx.api.get(&["v1", "approvals", &id], &Query::new()).await?),
            None => self.decide(cx).await,
        }
    }

    async fn decide(self, cx: &Context) -> Result<(), Failure> {
        let Some(id) = &self.id else {
            return self.inbox(cx).await;
        };
        let digest = match &self.digest {
            Some(digest) => digest.clone(),
            None => looked_at(cx, id, self.reject).await?,
        };
        self.send(cx, id, digest, self.reject, self.on_behalf_of.clone())
            .await
    }

    async fn send(
        &self,
        cx: &Context,
        id: &str,
        digest: String,
        reject: bool,
        on_behalf_of: Option<String>,
    ) -> Result<(), Failure> {
        let body = CreateDecision {
            decision: if reject { "reject" } else { "approve" }.to_owned(),
            digest,
            on_behalf_of,
            comment: self.comment.clone(),
        };
        cx.out
            .one::<Approval>(&cx.api.post(&["v1", "approvals", id, "decisions"], &body).await?)
    }

    /// Asks about each that waits for whoever is at the terminal.
    async fn inbox(&self, cx: &Context) -> Result<(), Failure> {
        if !at_a_terminal(cx) {
            return Err(Failure::Usage(
                "say which request for approval, by its id: `slipway approve list` lists those that wait for you".into(),
            ));
        }
        let query = filters([("mine", Some("pending".to_owned()))]);
        let page: Page<Approval> = cx.api.get(&["v1", "approvals"], &query).await?.read()?;
        if page.items.is_empty() {
            return cx.out.print("Nothing waits for you.\n");
        }
        for waiting in page.items {
            let reply = cx
                .api
                .get(&["v1", "approvals", &waiting.id], &Query::new())
                .await?;
            let approval: Approval = reply.read()?;
            cx.out.one::<Approval>(&reply)?;
            changes(cx, &approval.deployment).await?;
            // Their own voice, if they have one; else that of the one whom they stand in for.
            let whom = if approval.mine {
                None
            } else {
                approval.mine_for.first().cloned()
            };
            let place = whom
                .as_ref()
                .map(|whom| format!(" in the place of {whom}"))
                .unwrap_or_default();
            let question = format!(
                "{} to {}{place}: approve, reject, or skip? ",
                approval.release, approval.environment
            );
            match asked(cx, &question)?.as_str() {
                "approve" => self.send(cx, &approval.id, approval.digest, false, whom).await?,
                "reject" => self.send(cx, &approval.id, approval.digest, true, whom).await?,
                _ => cx.out.print("Skipped; it still waits for you.\n")?,
            }
        }
        Ok(())
    }
}

fn at_a_terminal(cx: &Context) -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !cx.out.json_wanted()
}

/// Shows what would be decided on, and its digest once a person at a terminal says yes to it.
///
/// Saying no needs no second look: it lets nothing happen.
async fn looked_at(cx: &Context, id: &str, reject: bool) -> Result<String, Failure> {
    let reply = cx.api.get(&["v1", "approvals", id], &Query::new()).await?;
    let approval: Approval = reply.read()?;
    if reject {
        return Ok(approval.digest);
    }
    cx.out.one::<Approval>(&reply)?;
    if at_a_terminal(cx) {
        changes(cx, &approval.deployment).await?;
        let question = format!(
            "Approve {} to {}? Type yes: ",
            approval.release, approval.environment
        );
        if asked(cx, &question)? == "yes" {
            return Ok(approval.digest);
        }
    }
    Err(Failure::Usage(format!(
        "nothing is approved. Look at it (`slipway deploy preview {}`), then approve exactly that: \
         slipway approve {id} --digest {}",
        approval.deployment, approval.digest
    )))
}

fn asked(cx: &Context, question: &str) -> Result<String, Failure> {
    cx.out.print(&clean(question))?;
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::Usage(format!("the answer cannot be read: {error}")))?;
    Ok(answer.trim().to_owned())
}
