//! `slipway component version`.

use crate::client::{
    Context,
    exit::Failure,
    files,
    http::{Paging, Query},
    output::{Show, short, time},
    parse,
};
use clap::{Args, Subcommand};
use slipway_api_types::{
    Reason,
    component::{CreateVersion, ImagePin, ObjectRef, Requirement, Source, Version},
};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Register a version; the same content again answers with what is there
    Create(Create),
    /// List the versions of a component
    List {
        /// The component
        component: String,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a version and the objects it holds
    Show {
        /// The component
        component: String,
        /// The version
        version: String,
    },
    /// Mark a version as one to move away from
    Deprecate(Judge),
    /// Take a version back: nothing that holds it can be deployed any more
    Recall(Judge),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The component
    component: String,
    /// The version: semantic, as 1.0.0
    #[arg(value_parser = parse::version)]
    version: String,
    /// A file of Kubernetes objects in YAML or JSON, a folder of them (its .yaml, .yml and .json files, by path), or -
    /// for standard input; repeat for more
    #[arg(short = 'f', long = "file", value_name = "PATH", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// An image pinned to a digest, named as in the manifests, with or without a tag to show; repeat for more
    #[arg(long = "image", value_name = "IMAGE[:TAG]=DIGEST", value_parser = parse::image)]
    images: Vec<ImagePin>,
    /// Another component it needs, and in which versions: 'api@^1.2'; repeat for more
    #[arg(long, value_name = "COMPONENT@RANGE", value_parser = parse::requirement)]
    requires: Vec<Requirement>,
    /// The repository it was built from
    #[arg(long, value_name = "URL", requires = "commit")]
    repository: Option<String>,
    /// The commit it was built from
    #[arg(long, requires = "repository")]
    commit: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Judge {
    /// The component
    component: String,
    /// The version
    version: String,
    /// Why, for those who read the record later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Command {
    /// Carries it out.
    pub(super) async fn run(self, cx: &Context) -> Result<(), Failure> {
        match self {
            Self::Create(create) => {
                let path = ["v1", "components", &create.component, "versions"];
                let source = create.repository.zip(create.commit);
                let body = CreateVersion {
                    version: create.version,
                    source: source.map(|(repository, commit)| Source { repository, commit }),
                    requires: create.requires,
                    images: create.images,
                    manifests: files::manifests(&create.files)?,
                };
                cx.out.one::<Version>(&cx.api.post(&path, &body).await?)
            }
            Self::List { component, paging } => {
                let path = ["v1", "components", &component, "versions"];
                cx.out
                    .list::<Version>(&cx.api.list(&path, Query::new(), paging).await?)
            }
            Self::Show { component, version } => {
                let path = ["v1", "components", &component, "versions", &version];
                cx.out.one::<Version>(&cx.api.get(&path, &Query::new()).await?)
            }
            Self::Deprecate(judge) => judge.run("deprecate", cx).await,
            Self::Recall(judge) => judge.run("recall", cx).await,
        }
    }
}

impl Judge {
    async fn run(self, verb: &str, cx: &Context) -> Result<(), Failure> {
        let path = [
            "v1",
            "components",
            &self.component,
            "versions",
            &self.version,
            verb,
        ];
        cx.out
            .one::<Version>(&cx.api.post(&path, &Reason { reason: self.reason }).await?)
    }
}

impl Show for Version {
    const COLUMNS: &'static [&'static str] =
        &["COMPONENT", "VERSION", "STATE", "DIGEST", "OBJECTS", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.component.clone(),
            self.version.clone(),
            self.state.clone(),
            short(&self.digest),
            self.objects.len().to_string(),
            time(self.created_at),
        ]
    }

    fn key(&self) -> String {
        format!("{}@{}", self.component, self.version)
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let lines = |texts: Vec<String>| texts.join("\n");
        let image = |pin: &ImagePin| {
            let tag = pin.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
            format!("{}{tag}={}", pin.image, pin.digest)
        };
        vec![
            ("ID", self.id.clone()),
            ("COMPONENT", self.component.clone()),
            ("VERSION", self.version.clone()),
            ("STATE", self.state.clone()),
            ("REASON", self.state_reason.clone().unwrap_or_default()),
            ("DIGEST", self.digest.clone()),
            (
                "SOURCE",
                self.source
                    .as_ref()
                    .map(|s| format!("{} at {}", s.repository, s.commit))
                    .unwrap_or_default(),
            ),
            (
                "REQUIRES",
                lines(
                    self.requires
                        .iter()
                        .map(|r| format!("{}@{}", r.component, r.version))
                        .collect(),
                ),
            ),
            ("IMAGES", lines(self.images.iter().map(image).collect())),
            ("OBJECTS", lines(self.objects.iter().map(object).collect())),
            (
                "WARNINGS",
                lines(self.warnings.iter().map(|w| w.detail.clone()).collect()),
            ),
            (
                "CREATED",
                format!("{} by {}", time(self.created_at), self.created_by),
            ),
        ]
    }
}

/// `Kind/name`, with its namespace and API version.
pub(super) fn object(object: &ObjectRef) -> String {
    let namespace = object
        .namespace
        .as_ref()
        .map(|namespace| format!("{namespace}/"))
        .unwrap_or_default();
    format!(
        "{} {namespace}{} ({})",
        object.kind, object.name, object.api_version
    )
}
