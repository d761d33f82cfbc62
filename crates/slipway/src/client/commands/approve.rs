//! `slipway approve`: the approver's inbox, and one decision at a time, on a digest that was looked at.

use super::filters;
use crate::client::{
    Context,
    exit::Failure,
    http::{Paging, Query},
    output::{Show, short, time},
    parse,
};
use clap::{Args, Subcommand};
use slipway_api_types::approval::{Approval, CreateDecision, Decision};
use std::io::IsTerminal as _;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct Approve {
    #[command(subcommand)]
    command: Option<Command>,
    /// The request for approval to decide on: its id
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// The digest you looked at and decide on, in full. Without it you are shown what would be approved
    #[arg(long, value_parser = parse::digest)]
    digest: Option<String>,
    /// Say no
    #[arg(long)]
    reject: bool,
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
        /// Everybody's in this state: pending, approved, rejected or withdrawn
        #[arg(long)]
        state: Option<String>,
        /// Everybody's of this deployment
        #[arg(long, value_name = "ID")]
        deployment: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a request for approval
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
        let id = self
            .id
            .ok_or_else(|| Failure::Usage("say which request for approval, by its id".into()))?;
        let digest = match self.digest {
            Some(digest) => digest,
            None => looked_at(cx, &id, self.reject).await?,
        };
        let decision = if self.reject { "reject" } else { "approve" }.to_owned();
        let body = CreateDecision {
            decision,
            digest,
            comment: self.comment,
        };
        cx.out
            .one::<Approval>(&cx.api.post(&["v1", "approvals", &id, "decisions"], &body).await?)
    }
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
    let interactive =
        std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !cx.out.json_wanted();
    if interactive && agreed(cx, &approval)? {
        return Ok(approval.digest);
    }
    Err(Failure::Usage(format!(
        "nothing is approved. Look at it (`slipway deploy preview {}`), then approve exactly that: \
         slipway approve {id} --digest {}",
        approval.deployment, approval.digest
    )))
}

fn agreed(cx: &Context, approval: &Approval) -> Result<bool, Failure> {
    let question = format!(
        "Approve {} to {}? Type yes: ",
        approval.release, approval.environment
    );
    cx.out.print(&crate::client::output::clean(&question))?;
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::Usage(format!("the answer cannot be read: {error}")))?;
    Ok(answer.trim() == "yes")
}

impl Show for Approval {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "RELEASE",
        "ENVIRONMENT",
        "STATE",
        "DECISIONS",
        "DIGEST",
        "REQUESTED BY",
        "SINCE",
    ];

    fn cells(&self) -> Vec<String> {
        let approving = self
            .decisions
            .iter()
            .filter(|decision| decision.decision == "approve")
            .count();
        vec![
            self.id.clone(),
            self.release.clone(),
            self.environment.clone(),
            self.state.clone(),
            format!("{approving} of {}", self.required.count),
            short(&self.digest),
            self.requested_by.clone(),
            time(self.created_at),
        ]
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let excluded = self
            .excluded
            .iter()
            .map(|excluded| format!("{} ({})", excluded.who, excluded.because));
        vec![
            ("ID", self.id.clone()),
            ("STATE", self.state.clone()),
            ("RELEASE", self.release.clone()),
            ("SERVICE", self.service.clone()),
            ("ENVIRONMENT", self.environment.clone()),
            ("DEPLOYMENT", self.deployment.clone()),
            ("DIGEST", self.digest.clone()),
            ("PLAN", self.plan_digest.clone()),
            (
                "REQUIRED",
                format!("{} with the role {}", self.required.count, self.required.role),
            ),
            (
                "REQUESTED",
                format!("{} by {}", time(self.created_at), self.requested_by),
            ),
            ("BECAUSE", self.reason.clone().unwrap_or_default()),
            ("MAY NOT DECIDE", excluded.collect::<Vec<_>>().join("\n")),
            (
                "DECIDED",
                self.decisions.iter().map(decided).collect::<Vec<_>>().join("\n"),
            ),
            (
                "YOU",
                if self.mine { "may decide" } else { "may not decide" }.to_owned(),
            ),
        ]
    }
}

fn decided(decision: &Decision) -> String {
    let comment = decision
        .comment
        .as_ref()
        .map(|comment| format!(": {comment}"))
        .unwrap_or_default();
    format!(
        "{} {} by {}{comment}",
        time(decision.at),
        decision.decision,
        decision.by
    )
}
