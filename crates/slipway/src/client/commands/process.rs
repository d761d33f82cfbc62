//! `slipway process`.

use super::filters;
use crate::client::{
    Context,
    exit::Failure,
    files,
    http::{Paging, Query},
    output::{Show, time},
};
use clap::Subcommand;
use serde_json::{Value, json};
use slipway_api_types::{
    Reason,
    process::{Process, ProcessPlace, ProcessRelease, ProcessStage, ProcessVersion},
};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a process, as a draft: for a service, for a team, or for everything that has no other
    Create {
        /// Its name: a-z, 0-9 and '-'
        name: String,
        /// What it says: a JSON or YAML file (- for standard input)
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// The service whose releases go by it
        #[arg(long, conflicts_with = "team")]
        service: Option<String>,
        /// The team whose services have none of their own
        #[arg(long)]
        team: Option<String>,
    },
    /// Write a further version of a process, as a draft
    Write {
        /// Its name or id
        process: String,
        /// What it says: a JSON or YAML file (- for standard input)
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// List processes, with the version that counts of each
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a process, or one of its versions
    Show {
        /// Its name or id
        process: String,
        /// Which version; else the one in force, else the newest
        #[arg(long, value_name = "N")]
        version: Option<i64>,
    },
    /// List the versions of a process
    Versions {
        /// Its name or id
        process: String,
        #[command(flatten)]
        paging: Paging,
    },
    /// Print a version as a Mermaid flowchart
    Diagram {
        /// Its name or id
        process: String,
        /// Which version; else the one in force, else the newest
        #[arg(long, value_name = "N")]
        version: Option<i64>,
    },
    /// Put a version in force; takes an authority other than the one who wrote it
    Activate {
        /// Its name or id
        process: String,
        /// Which version
        version: i64,
    },
    /// Take a process out of force: what is sealed from now on goes by the next wider one
    Retire {
        /// Its name or id
        process: String,
        /// Why, for those who read the record later
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// List the sealed releases that go by a process, with the version that each pinned
    Releases {
        /// Its name or id
        process: String,
        /// Only those that do not go by the version in force
        #[arg(long)]
        old: bool,
        #[command(flatten)]
        paging: Paging,
    },
}

const PATH: &[&str] = &["v1", "processes"];

async fn shown(cx: &Context, process: &str) -> Result<Process, Failure> {
    let reply = cx.api.get(&["v1", "processes", process], &Query::new()).await?;
    reply.read()
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        match self {
            Self::Create {
                name,
                file,
                service,
                team,
            } => {
                let mut body = json!({"name": name, "document": files::document::<Value>(&file)?});
                if let Some(service) = service {
                    body["service"] = service.into();
                }
                if let Some(team) = team {
                    body["team"] = team.into();
                }
                cx.out.one::<Process>(&cx.api.post(PATH, &body).await?)
            }
            Self::Write { process, file } => {
                let body = json!({"document": files::document::<Value>(&file)?});
                let path = ["v1", "processes", &process, "versions"];
                cx.out.one::<ProcessVersion>(&cx.api.post(&path, &body).await?)
            }
            Self::List { paging } => cx
                .out
                .list::<Process>(&cx.api.list(PATH, Query::new(), paging).await?),
            Self::Show {
                process,
                version: None,
            } => {
                let reply = cx.api.get(&["v1", "processes", &process], &Query::new()).await?;
                cx.out.one::<Process>(&reply)
            }
            Self::Show {
                process,
                version: Some(version),
            } => {
                let path = ["v1", "processes", &process, "versions", &version.to_string()];
                cx.out
                    .one::<ProcessVersion>(&cx.api.get(&path, &Query::new()).await?)
            }
            Self::Versions { process, paging } => {
                let path = ["v1", "processes", &process, "versions"];
                cx.out
                    .list::<ProcessVersion>(&cx.api.list(&path, Query::new(), paging).await?)
            }
            Self::Diagram { process, version } => {
                let version = match version {
                    Some(version) => version,
                    None => shown(cx, &process).await?.version.version,
                };
                let path = [
                    "v1",
                    "processes",
                    &process,
                    "versions",
                    &version.to_string(),
                    "diagram",
                ];
                let reply = cx.api.get(&path, &Query::new()).await?;
                cx.out.print(&reply.body)
            }
            Self::Activate { process, version } => {
                let path = [
                    "v1",
                    "processes",
                    &process,
                    "versions",
                    &version.to_string(),
                    "activate",
                ];
                cx.out.one::<Process>(&cx.api.post(&path, &json!({})).await?)?;
                self::old_ones(cx, &process).await
            }
            Self::Retire { process, reason } => {
                let path = ["v1", "processes", &process, "retire"];
                let reason = Reason { reason: Some(reason) };
                cx.out.one::<Process>(&cx.api.post(&path, &reason).await?)
            }
            Self::Releases { process, old, paging } => {
                let path = ["v1", "processes", &process, "releases"];
                let query = filters([("old", old.then(|| "true".to_owned()))]);
                cx.out
                    .list::<ProcessRelease>(&cx.api.list(&path, query, paging).await?)
            }
        }
    }
}

/// Says which sealed releases go on by another version than the one that is now in force.
async fn old_ones(cx: &Context, process: &str) -> Result<(), Failure> {
    let path = ["v1", "processes", process, "releases"];
    let query = filters([("old", Some("true".to_owned()))]);
    let listing = cx.api.list(&path, query, Paging::ALL).await?;
    if !listing.items.is_empty() {
        cx.out.note(&format!(
            "{} sealed releases go on by the version that they pinned: slipway process releases {process} --old",
            listing.items.len()
        ));
    }
    Ok(())
}

fn place(stage: &ProcessStage) -> String {
    match &stage.place {
        ProcessPlace::Environment(name) => format!("environment {name}"),
        ProcessPlace::Tier(tier) => format!("tier {tier}"),
        ProcessPlace::Any => "any environment".to_owned(),
    }
}

/// `live (tier production): 2 authority, evidence test_report unit, checks support-told`.
fn stage(stage: &ProcessStage) -> String {
    let mut asks = Vec::new();
    if stage.promotion.as_deref() == Some("automatic") {
        asks.push("by itself".to_owned());
    }
    if let Some(soak) = stage.soak.as_deref().filter(|soak| *soak != "PT0S") {
        asks.push(format!("soaks {soak}"));
    }
    if let Some(share) = stage.success_share.filter(|share| *share != 100) {
        asks.push(format!("{share} % of targets"));
    }
    if let Some(approvals) = &stage.approvals {
        asks.push(format!("approved by {} {}", approvals.count, approvals.role));
    }
    for evidence in &stage.evidence {
        let name = evidence.name.as_ref().map(|name| format!(" {name}"));
        asks.push(format!("{}{}", evidence.kind, name.unwrap_or_default()));
    }
    for check in &stage.checklist {
        asks.push(format!("check {} by {}", check.name, check.role));
    }
    if stage.handover {
        asks.push("handed over to operations".to_owned());
    }
    let asks = if asks.is_empty() {
        String::new()
    } else {
        format!(": {}", asks.join(", "))
    };
    format!("{} ({}){asks}", stage.name, place(stage))
}

fn said(version: &ProcessVersion) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("DIGEST", version.digest.clone()),
        ("DESCRIPTION", version.document.description.clone()),
    ];
    fields.extend(version.document.stages.iter().map(|one| ("STAGE", stage(one))));
    fields
}

impl Show for Process {
    const COLUMNS: &'static [&'static str] =
        &["NAME", "FOR", "VERSION", "STATE", "STAGES", "LATEST", "CREATED"];

    fn cells(&self) -> Vec<String> {
        let whose = match (&self.service, &self.team) {
            (Some(service), _) => format!("service {service}"),
            (None, Some(team)) => format!("team {team}"),
            (None, None) => "the rest".to_owned(),
        };
        vec![
            self.name.clone(),
            whose,
            self.version.version.to_string(),
            self.version.state.clone(),
            self.version.document.stages.len().to_string(),
            self.latest.to_string(),
            time(self.created_at),
        ]
    }

    fn key(&self) -> String {
        self.name.clone()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("ID", self.id.clone())];
        fields.extend(Self::COLUMNS.iter().copied().zip(self.cells()));
        fields.extend(said(&self.version));
        fields
    }
}

impl Show for ProcessVersion {
    const COLUMNS: &'static [&'static str] = &[
        "VERSION",
        "STATE",
        "AUTHOR",
        "CREATED",
        "ACTIVATED BY",
        "RETIRED BY",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.version.to_string(),
            self.state.clone(),
            self.author.clone(),
            time(self.created_at),
            self.activated_by.clone().unwrap_or_default(),
            self.retired_by.clone().unwrap_or_default(),
        ]
    }

    fn key(&self) -> String {
        self.version.to_string()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("PROCESS", self.process.clone())];
        fields.extend(Self::COLUMNS.iter().copied().zip(self.cells()));
        fields.extend(said(self));
        fields
    }
}

impl Show for ProcessRelease {
    const COLUMNS: &'static [&'static str] = &["RELEASE", "VERSION", "IN FORCE"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.release.clone(),
            self.version.to_string(),
            if self.in_force { "yes" } else { "no" }.to_owned(),
        ]
    }

    fn key(&self) -> String {
        self.release.clone()
    }
}
