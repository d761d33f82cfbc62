//! `slipway env`.

use crate::client::{
    Context,
    exit::Failure,
    files,
    http::{Paging, Query},
    output::{Show, time},
    parse,
};
use clap::{Args, Subcommand};
use serde_json::Value;
use slipway_api_types::{
    approval::ApprovalRule,
    registry::{CreateEnvironment, Environment, EnvironmentSettings, UpdateEnvironment, Wave},
};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an environment, from flags or from a file
    Create(Box<Create>),
    /// List environments
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Show an environment, with every default filled in
    Show {
        /// Its name or id
        environment: String,
    },
    /// Change an environment; what is not given stays
    Update(Box<Update>),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its name: a-z, 0-9 and '-'
    #[arg(required_unless_present = "file")]
    name: Option<String>,
    /// Its tier
    #[arg(long, required_unless_present = "file", value_parser = ["development", "test", "staging", "production"])]
    tier: Option<String>,
    /// The stage before: only what succeeded there comes here
    #[arg(long, value_name = "ENV")]
    promotes_from: Option<String>,
    /// A cluster of it; repeat for more, in order
    #[arg(long = "cluster", value_name = "CLUSTER", required_unless_present = "file")]
    clusters: Vec<String>,
    #[command(flatten)]
    settings: Settings,
    /// All of it from a JSON or YAML file (- for standard input), as the API takes it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "tier", "promotes_from", "clusters", "Settings"])]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Its name or id
    environment: String,
    /// A cluster of it; repeat for more, in order. Replaces those it has
    #[arg(long = "cluster", value_name = "CLUSTER")]
    clusters: Vec<String>,
    #[command(flatten)]
    settings: Settings,
    /// The change from a JSON or YAML file (- for standard input), as the API takes it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["clusters", "Settings"])]
    file: Option<PathBuf>,
}

/// How deployments are done in an environment.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// How many people must approve, and the role each must hold: 1:authority; or a file with the whole rule as JSON: @rule.json
    #[arg(long, value_name = "COUNT:ROLE|@FILE", value_parser = parse::approvals)]
    approvals: Option<ApprovalRule>,
    /// A wave of targets, chosen by label; repeat in order. eu=region=eu[,max-parallel=1][,max-failures=0][,soak=PT5M]
    #[arg(long = "wave", value_name = "WAVE", value_parser = parse::wave)]
    waves: Vec<Wave>,
    /// How long workloads may take to become healthy: PT10M, or 10m
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    progress_deadline: Option<String>,
    /// How long a release must have been in the stage before: PT1H, or 1h
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    soak: Option<String>,
    /// Roll back by itself when a deployment fails
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    automatic_rollback: Option<bool>,
    /// How long a request may wait before it expires: PT168H, or 168h
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    expires_after: Option<String>,
    /// What is done about drift: it is recorded and shown, or also taken back
    #[arg(long, value_parser = ["report", "heal"])]
    drift: Option<String>,
    /// Changes to objects of every release that comes here: a JSON or YAML list of {target, merge|patch}
    #[arg(long, value_name = "FILE")]
    config_file: Option<PathBuf>,
}

impl Settings {
    fn read(self) -> Result<EnvironmentSettings, Failure> {
        Ok(EnvironmentSettings {
            approvals: self.approvals,
            waves: (!self.waves.is_empty()).then_some(self.waves),
            progress_deadline: self.progress_deadline,
            promotion_soak: self.soak,
            automatic_rollback: self.automatic_rollback,
            expires_after: self.expires_after,
            config: self.config_file.map(|path| files::document(&path)).transpose()?,
            drift: self.drift,
        })
    }
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        const PATH: &[&str] = &["v1", "environments"];
        match self {
            Self::Create(create) => {
                // A file goes to the server as it is, so that every fault in it is told at once.
                let reply = match create.file {
                    Some(file) => cx.api.post(PATH, &files::document::<Value>(&file)?).await?,
                    None => cx.api.post(PATH, &create.body()?).await?,
                };
                cx.out.one::<Environment>(&reply)
            }
            Self::List { paging } => cx
                .out
                .list::<Environment>(&cx.api.list(PATH, Query::new(), paging).await?),
            Self::Show { environment } => {
                let reply = cx
                    .api
                    .get(&["v1", "environments", &environment], &Query::new())
                    .await?;
                cx.out.one::<Environment>(&reply)
            }
            Self::Update(update) => {
                let Update {
                    environment,
                    clusters,
                    settings,
                    file,
                } = *update;
                let path = ["v1", "environments", &environment];
                let reply = if let Some(file) = file {
                    cx.api.patch(&path, &files::document::<Value>(&file)?).await?
                } else {
                    let clusters = (!clusters.is_empty()).then_some(clusters);
                    cx.api
                        .patch(
                            &path,
                            &UpdateEnvironment {
                                clusters,
                                settings: settings.read()?,
                            },
                        )
                        .await?
                };
                cx.out.one::<Environment>(&reply)
            }
        }
    }
}

impl Create {
    fn body(self) -> Result<CreateEnvironment, Failure> {
        let missing = || Failure::Usage("a name and --tier are needed, or --file".into());
        Ok(CreateEnvironment {
            name: self.name.ok_or_else(missing)?,
            tier: self.tier.ok_or_else(missing)?,
            promotes_from: self.promotes_from,
            clusters: self.clusters,
            settings: self.settings.read()?,
        })
    }
}

impl Show for Environment {
    const COLUMNS: &'static [&'static str] = &["NAME", "TIER", "PROMOTES FROM", "CLUSTERS", "APPROVALS"];

    fn cells(&self) -> Vec<String> {
        let approvals = self.settings.approvals.as_ref();
        vec![
            self.name.clone(),
            self.tier.clone(),
            self.promotes_from.clone().unwrap_or_default(),
            self.clusters.join(","),
            approvals
                .map(|rule| format!("{}:{}", rule.count, rule.role))
                .unwrap_or_default(),
        ]
    }

    fn key(&self) -> String {
        self.name.clone()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let settings = &self.settings;
        let waves = settings
            .waves
            .iter()
            .flatten()
            .map(wave)
            .collect::<Vec<_>>()
            .join("\n");
        let mut fields = vec![("ID", self.id.clone())];
        fields.extend(Self::COLUMNS.iter().copied().zip(self.cells()));
        fields.extend([
            ("WAVES", waves),
            (
                "PROGRESS DEADLINE",
                settings.progress_deadline.clone().unwrap_or_default(),
            ),
            ("SOAK", settings.promotion_soak.clone().unwrap_or_default()),
            (
                "AUTOMATIC ROLLBACK",
                settings
                    .automatic_rollback
                    .map(|on| on.to_string())
                    .unwrap_or_default(),
            ),
            (
                "EXPIRES AFTER",
                settings.expires_after.clone().unwrap_or_default(),
            ),
            (
                "CONFIG",
                settings
                    .config
                    .iter()
                    .flatten()
                    .map(overlay)
                    .collect::<Vec<_>>()
                    .join("\n"),
            ),
            ("DRIFT", settings.drift.clone().unwrap_or_default()),
            ("CREATED", time(self.created_at)),
        ]);
        fields
    }
}

fn wave(wave: &Wave) -> String {
    let mut parts: Vec<_> = wave
        .match_labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    parts.extend(wave.max_parallel.map(|n| format!("max-parallel={n}")));
    parts.push(format!("max-failures={}", wave.max_failures));
    parts.extend(wave.soak.as_ref().map(|soak| format!("soak={soak}")));
    format!("{}={}", wave.name, parts.join(","))
}

/// Which object a configuration changes, and with what kind of patch.
pub(super) fn overlay(overlay: &slipway_api_types::registry::Overlay) -> String {
    let target = &overlay.target;
    let component = target
        .component
        .as_ref()
        .map(|name| format!(" of {name}"))
        .unwrap_or_default();
    let merge = overlay
        .merge
        .as_ref()
        .map(|merge| format!(" merge {merge}"))
        .unwrap_or_default();
    let patch = overlay
        .patch
        .as_ref()
        .map(|patch| format!(" patch {}", Value::from(patch.clone())))
        .unwrap_or_default();
    format!("{}/{}{component}:{merge}{patch}", target.kind, target.name)
}
