//! `slipway evidence`.

use super::filters;
use crate::client::{
    Context,
    exit::Failure,
    files,
    http::{Paging, Query},
    output::{Show, short, time},
};
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use serde_json::{Value, json};
use slipway_api_types::{
    Reason,
    evidence::{CreateEvidence, CreateEvidenceKey, Evidence, EvidenceKey, EvidenceSchema},
};
use slipway_domain::evidence::{Format, Kind};
use std::path::PathBuf;

fn kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(Kind::ALL.map(Kind::as_str))
}

fn formats() -> PossibleValuesParser {
    PossibleValuesParser::new(Format::ALL.map(Format::as_str))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// State something about a component version or a release: a test report, a scan, an SBOM, …
    Add(Add),
    /// List what was stated about a component version or a release, newest first
    List {
        #[command(flatten)]
        about: About,
        /// Only of this kind
        #[arg(long, value_parser = kinds())]
        kind: Option<String>,
        /// Only what no other took the place of
        #[arg(long)]
        newest: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a statement
    Show {
        /// Its id
        evidence: String,
    },
    /// Print the document of a statement, byte for byte as it came
    Document {
        /// Its id
        evidence: String,
    },
    /// Take a statement back; nothing counts in its place until it is stated again
    Withdraw {
        /// Its id
        evidence: String,
        /// Why, for those who relied on it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Keys that signatures are verified with
    #[command(subcommand)]
    Key(Key),
    /// Schemas that generic evidence conforms to
    #[command(subcommand)]
    Schema(Schema),
}

/// What evidence is about.
#[derive(Debug, Args)]
pub(crate) struct About {
    /// The component version: component@version
    #[arg(value_name = "COMPONENT@VERSION", required_unless_present = "release")]
    version: Option<String>,
    /// The release instead: service@version, or its id
    #[arg(long, value_name = "SERVICE@VERSION", conflicts_with = "version")]
    release: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    #[command(flatten)]
    about: About,
    /// What kind of evidence it is
    #[arg(long, value_parser = kinds())]
    kind: String,
    /// What it is called among its kind; else after its tool or its format
    #[arg(long)]
    name: Option<String>,
    /// How it is written; else that is told from the document
    #[arg(long, value_parser = formats())]
    format: Option<String>,
    /// The document as the tool wrote it (- for standard input)
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Register a public key: what comes signed with it from now on is verified
    Add {
        /// Its name: a-z, 0-9 and '-'
        name: String,
        /// An Ed25519 or ECDSA P-256 public key in PEM (- for standard input)
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// List keys
    List,
    /// Show a key
    Show {
        /// Its name or id
        key: String,
    },
    /// Revoke a key: nothing that was verified with it counts any more
    Revoke {
        /// Its name or id
        key: String,
        /// Why, for those who relied on it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Schema {
    /// Register what generic evidence of a name conforms to
    Add {
        /// Its name, which is that of the evidence
        name: String,
        /// A JSON Schema (2020-12) in JSON or YAML (- for standard input)
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// List schemas
    List,
    /// Show a schema
    Show {
        /// Its name or id
        schema: String,
    },
}

impl About {
    /// The path of what was stated about it.
    fn path(&self) -> Result<Vec<&str>, Failure> {
        if let Some(release) = &self.release {
            return Ok(vec!["v1", "releases", release, "evidence"]);
        }
        let about = self.version.as_deref().unwrap_or_default();
        let Some((component, version)) = about.split_once('@') else {
            let what =
                format!("`{about}` is not a component version, as `web@1.2.0`; --release names a release");
            return Err(Failure::Usage(what));
        };
        Ok(vec![
            "v1",
            "components",
            component,
            "versions",
            version,
            "evidence",
        ])
    }
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        match self {
            Self::Add(add) => {
                let body = CreateEvidence {
                    kind: add.kind,
                    name: add.name,
                    format: add.format,
                    document: files::read(&add.file)?,
                };
                cx.out
                    .one::<Evidence>(&cx.api.post(&add.about.path()?, &body).await?)
            }
            Self::List {
                about,
                kind,
                newest,
                paging,
            } => {
                let newest = newest.then(|| "true".to_owned());
                let query = filters([("kind", kind), ("newest", newest)]);
                cx.out
                    .list::<Evidence>(&cx.api.list(&about.path()?, query, paging).await?)
            }
            Self::Show { evidence } => {
                let reply = cx.api.get(&["v1", "evidence", &evidence], &Query::new()).await?;
                cx.out.one::<Evidence>(&reply)
            }
            Self::Document { evidence } => {
                let path = ["v1", "evidence", &evidence, "document"];
                let reply = cx.api.get(&path, &Query::new()).await?;
                cx.out.print(&reply.body)
            }
            Self::Withdraw { evidence, reason } => {
                let path = ["v1", "evidence", &evidence, "withdraw"];
                let reason = Reason { reason: Some(reason) };
                cx.out.one::<Evidence>(&cx.api.post(&path, &reason).await?)
            }
            Self::Key(key) => key.run(cx).await,
            Self::Schema(schema) => schema.run(cx).await,
        }
    }
}

impl Key {
    async fn run(self, cx: &Context) -> Result<(), Failure> {
        const PATH: &[&str] = &["v1", "evidence-keys"];
        match self {
            Self::Add { name, file } => {
                let pem = files::read(&file)?;
                let body = CreateEvidenceKey { name, pem };
                cx.out.one::<EvidenceKey>(&cx.api.post(PATH, &body).await?)
            }
            Self::List => {
                let all = cx.api.list(PATH, Query::new(), Paging::ALL).await?;
                cx.out.list::<EvidenceKey>(&all)
            }
            Self::Show { key } => {
                let reply = cx.api.get(&["v1", "evidence-keys", &key], &Query::new()).await?;
                cx.out.one::<EvidenceKey>(&reply)
            }
            Self::Revoke { key, reason } => {
                let path = ["v1", "evidence-keys", &key, "revoke"];
                let reason = Reason { reason: Some(reason) };
                cx.out.one::<EvidenceKey>(&cx.api.post(&path, &reason).await?)
            }
        }
    }
}

impl Schema {
    async fn run(self, cx: &Context) -> Result<(), Failure> {
        const PATH: &[&str] = &["v1", "evidence-schemas"];
        match self {
            Self::Add { name, file } => {
                let body = json!({"name": name, "schema": files::document::<Value>(&file)?});
                cx.out.one::<EvidenceSchema>(&cx.api.post(PATH, &body).await?)
            }
            Self::List => {
                let all = cx.api.list(PATH, Query::new(), Paging::ALL).await?;
                cx.out.list::<EvidenceSchema>(&all)
            }
            Self::Show { schema } => {
                let reply = cx
                    .api
                    .get(&["v1", "evidence-schemas", &schema], &Query::new())
                    .await?;
                cx.out.one::<EvidenceSchema>(&reply)
            }
        }
    }
}

/// `failed 2, passed 40`, leaving out what is nothing.
fn counts(evidence: &Evidence) -> String {
    let some = evidence.counts.iter().filter(|(_, count)| **count != 0);
    let told: Vec<_> = some.map(|(name, count)| format!("{name} {count}")).collect();
    told.join(", ")
}

impl Show for Evidence {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "ABOUT",
        "KIND",
        "NAME",
        "PASSED",
        "STANDING",
        "COUNTS",
        "SIGNED BY",
        "STATED",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.about.clone(),
            self.kind.clone(),
            self.name.clone(),
            if self.passed { "yes" } else { "no" }.to_owned(),
            self.standing.clone(),
            counts(self),
            self.verified_by.clone().unwrap_or_default(),
            time(self.stated_at),
        ]
    }

    fn key(&self) -> String {
        self.id.clone()
    }
}

impl Show for EvidenceKey {
    const COLUMNS: &'static [&'static str] = &["NAME", "STATE", "REGISTERED BY", "REGISTERED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.state.clone(),
            self.created_by.clone(),
            time(self.created_at),
        ]
    }

    fn key(&self) -> String {
        self.name.clone()
    }
}

impl Show for EvidenceSchema {
    const COLUMNS: &'static [&'static str] = &["NAME", "DIGEST", "REGISTERED BY", "REGISTERED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            short(&self.digest),
            self.created_by.clone(),
            time(self.created_at),
        ]
    }

    fn key(&self) -> String {
        self.name.clone()
    }
}
