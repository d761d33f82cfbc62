//! `slipway release`.

use super::{diff, environment::overlay, filters};
use crate::client::{
    Context,
    exit::Failure,
    files,
    http::{Paging, Query},
    output::{Show, short, some_time, time},
    parse,
};
use clap::{Args, Subcommand};
use slipway_api_types::{
    Reason,
    release::{ComponentRef, CreateRelease, Release, ReleaseDiff, UpdateRelease},
};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compose a release, as a draft
    Create {
        /// The service
        service: String,
        /// The version: semantic, as 1.0.0
        #[arg(value_parser = parse::version)]
        version: String,
        /// A component version it is made of: web@1.0.0; repeat for more
        #[arg(long = "component", value_name = "NAME@VERSION", value_parser = parse::component, required = true,
              num_args = 1..)]
        components: Vec<ComponentRef>,
        #[command(flatten)]
        content: Content,
    },
    /// List releases
    List {
        /// Only of this service
        #[arg(long)]
        service: Option<String>,
        /// Only in this state: draft, sealed or withdrawn
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a release
    Show {
        /// The release: service@version, or its id
        release: String,
    },
    /// Report on everything that is asked of a release on its way, and what became of it
    Compliance {
        /// The release: service@version, or its id
        release: String,
        /// How it is written; markdown unless given
        #[arg(long, value_enum)]
        format: Option<Format>,
    },
    /// Certify what became of a release, signed; to be verified without a server (slipway verify)
    Certificate {
        /// The release: service@version, or its id
        release: String,
        /// Where to; standard output by default
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Change a draft; what is not given stays
    Update {
        /// The release: service@version, or its id
        release: String,
        /// A component version it is made of; repeat for all of them, they replace those it has
        #[arg(long = "component", value_name = "NAME@VERSION", value_parser = parse::component, num_args = 1..)]
        components: Vec<ComponentRef>,
        #[command(flatten)]
        content: Content,
    },
    /// Seal a release: fix its content and its digest for good
    Seal {
        /// The release: service@version, or its id
        release: String,
    },
    /// Withdraw a release: it cannot be deployed any more
    Withdraw {
        /// The release: service@version, or its id
        release: String,
        /// Why, for those who read the record later
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Show what differs from another release
    Diff {
        /// The release: service@version, or its id
        release: String,
        /// The release to compare with
        #[arg(long, value_name = "RELEASE")]
        against: String,
    },
}

/// What is in a release beside its components.
#[derive(Debug, Args)]
pub(crate) struct Content {
    /// Notes for people
    #[arg(long, value_name = "TEXT", conflicts_with = "notes_file")]
    notes: Option<String>,
    /// Notes for people, from a file (- for standard input)
    #[arg(long, value_name = "FILE")]
    notes_file: Option<PathBuf>,
    /// Changes to objects of its components, in every environment: a JSON or YAML list of {target, merge|patch}
    #[arg(long, value_name = "FILE")]
    config_file: Option<PathBuf>,
}

impl Content {
    fn read(self) -> Result<(Option<String>, Option<Vec<slipway_api_types::registry::Overlay>>), Failure> {
        let notes = self
            .notes_file
            .map(|path| files::read(&path))
            .transpose()?
            .or(self.notes);
        let config = self.config_file.map(|path| files::document(&path)).transpose()?;
        Ok((notes, config))
    }
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people, and for a page of text
    Markdown,
    /// A page fit to print
    Html,
    /// For machines
    Json,
}

impl Format {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Json => "json",
        }
    }
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        const PATH: &[&str] = &["v1", "releases"];
        match self {
            Self::Create {
                service,
                version,
                components,
                content,
            } => {
                let (notes, config) = content.read()?;
                let body = CreateRelease {
                    service,
                    version,
                    components,
                    notes,
                    config,
                };
                cx.out.one::<Release>(&cx.api.post(PATH, &body).await?)
            }
            Self::List {
                service,
                state,
                paging,
            } => {
                let query = filters([("service", service), ("state", state)]);
                cx.out.list::<Release>(&cx.api.list(PATH, query, paging).await?)
            }
            Self::Show { release } => cx
                .out
                .one::<Release>(&cx.api.get(&["v1", "releases", &release], &Query::new()).await?),
            Self::Update {
                release,
                components,
                content,
            } => {
                let (notes, config) = content.read()?;
                let components = (!components.is_empty()).then_some(components);
                let body = UpdateRelease {
                    components,
                    notes,
                    config,
                };
                cx.out
                    .one::<Release>(&cx.api.patch(&["v1", "releases", &release], &body).await?)
            }
            Self::Seal { release } => {
                let reply = cx
                    .api
                    .post(&["v1", "releases", &release, "seal"], &serde_json::json!({}))
                    .await?;
                cx.out.one::<Release>(&reply)
            }
            Self::Withdraw { release, reason } => {
                let reply = cx
                    .api
                    .post(&["v1", "releases", &release, "withdraw"], &Reason { reason })
                    .await?;
                cx.out.one::<Release>(&reply)
            }
            Self::Certificate { release, file } => {
                let path = ["v1", "releases", &release, "certificate"];
                let reply = cx.api.get(&path, &Query::new()).await?;
                match file {
                    Some(path) => files::create(&path)?.write(reply.body.as_bytes()),
                    None => cx.out.print(&reply.body),
                }
            }
            Self::Compliance { release, format } => {
                let format = match format {
                    Some(format) => format,
                    None if cx.out.json_wanted() => Format::Json,
                    None => Format::Markdown,
                };
                let query = vec![("release", release), ("format", format.as_str().to_owned())];
                let reply = cx.api.get(&["v1", "reports", "compliance"], &query).await?;
                if format == Format::Json {
                    cx.out.json(&reply.body)
                } else {
                    cx.out.print(&reply.body)
                }
            }
            Self::Diff { release, against } => {
                let query = vec![("against", against)];
                let reply = cx.api.get(&["v1", "releases", &release, "diff"], &query).await?;
                if cx.out.json_wanted() {
                    return cx.out.json(&reply.body);
                }
                cx.out.print(&render(&reply.read()?, cx.out.colour))
            }
        }
    }
}

fn render(found: &ReleaseDiff, colour: bool) -> String {
    let mut text = diff::line(&format!("{} against {}", found.release, found.against));
    for change in &found.components {
        let (from, to) = (
            change.from.as_deref().unwrap_or("(none)"),
            change.to.as_deref().unwrap_or("(gone)"),
        );
        text.push_str(&diff::line(&format!("component {}: {from} -> {to}", change.name)));
    }
    text.push_str(&diff::objects(
        found.objects.iter().map(|object| (object, None)),
        colour,
    ));
    text
}

impl Show for Release {
    const COLUMNS: &'static [&'static str] =
        &["RELEASE", "STATE", "DIGEST", "COMPONENTS", "AUTHOR", "CREATED"];

    fn cells(&self) -> Vec<String> {
        let components: Vec<_> = self
            .components
            .iter()
            .map(|c| format!("{}@{}", c.name, c.version))
            .collect();
        vec![
            self.name.clone(),
            self.state.clone(),
            self.digest.as_deref().map(short).unwrap_or_default(),
            components.join(","),
            self.author.clone(),
            time(self.created_at),
        ]
    }

    fn key(&self) -> String {
        self.name.clone()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let components = self
            .components
            .iter()
            .map(|c| format!("{}@{} {}", c.name, c.version, c.digest));
        let sealed = self
            .sealed_by
            .as_ref()
            .map(|by| format!("{} by {by}", some_time(self.sealed_at)));
        vec![
            ("RELEASE", self.name.clone()),
            ("ID", self.id.clone()),
            ("STATE", self.state.clone()),
            ("REASON", self.withdrawn_reason.clone().unwrap_or_default()),
            ("DIGEST", self.digest.clone().unwrap_or_default()),
            ("COMPONENTS", components.collect::<Vec<_>>().join("\n")),
            (
                "CONFIG",
                self.config.iter().map(overlay).collect::<Vec<_>>().join("\n"),
            ),
            ("CREATED", format!("{} by {}", time(self.created_at), self.author)),
            ("EDITED BY", self.editors.join(",")),
            ("SEALED", sealed.unwrap_or_default()),
            (
                "PROCESS",
                self.process
                    .as_ref()
                    .map(|process| format!("{} version {}", process.name, process.version))
                    .unwrap_or_default(),
            ),
            ("NOTES", self.notes.trim_end().to_owned()),
        ]
    }
}
