//! Composing and changing drafts.

use super::{ReleaseView, load, place, view};
use crate::{
    Error, Ref, Tx,
    error::{check_revision, overtaken},
    record,
};
use semver::Version;
use serde_json::json;
use slipway_domain::{
    Faults,
    component::VersionState,
    identity::{Actor, Permission, Place},
    ids::{Fresh as _, ReleaseId, ServiceTag},
    release::{Release, ReleaseComponent, ReleaseState},
    render::Overlay,
};
use slipway_store::{components, releases, services};

/// A component version, as named by a user.
#[derive(Debug, Clone)]
pub struct ComponentChoice {
    /// The component's name.
    pub name: String,
    /// The version.
    pub version: String,
}

/// What a new release is made of.
#[derive(Debug, Clone)]
pub struct Compose {
    /// The service (name or id).
    pub service: String,
    /// Its semantic version.
    pub version: String,
    /// Component versions.
    pub components: Vec<ComponentChoice>,
    /// Notes for people.
    pub notes: String,
    /// Changes to objects of its components.
    pub config: Vec<Overlay>,
}

/// Changes to a draft; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Update {
    /// Component versions.
    pub components: Option<Vec<ComponentChoice>>,
    /// Notes for people.
    pub notes: Option<String>,
    /// Changes to objects of its components.
    pub config: Option<Vec<Overlay>>,
}

/// Composes a draft.
///
/// # Errors
/// Every fault of the input at once; `release-exists` when the service has that version; without `release.write`.
pub async fn compose(tx: &mut Tx, actor: &Actor, input: Compose) -> Result<ReleaseView, Error> {
    let mut faults = Faults::new();
    let service = services::find(tx, &Ref::parse::<ServiceTag>(&input.service)).await?;
    let service = service.filter(|s| actor.rights.allows(Permission::Read, &Place::team(s.team, "")));
    if service.is_none() {
        faults.add(
            "/service",
            format!("there is no service `{}` that you may see", input.service),
        );
    }
    let version = faults.take(
        "/version",
        Version::parse(&input.version)
            .map_err(|e| format!("`{}` is not a semantic version: {e}", input.version)),
    );
    if let Some(version) = version.as_ref().filter(|v| !v.build.is_empty()) {
        // Two versions that differ in build metadata alone have the same precedence: nobody could tell them apart.
        faults.add(
            "/version",
            format!("`{version}` has build metadata, which does not tell releases apart"),
        );
    }
    let parts = choose(tx, actor, &input.components, &mut faults).await?;
    check_config(&input.config, &mut faults);
    let (Some(service), Some(version)) = (service, version) else {
        return Err(faults.into());
    };
    actor.require(
        Permission::ReleaseWrite,
        &Place::team(service.team, format!("service {}", service.name)),
    )?;
    faults.check()?;
    let release = Release {
        id: ReleaseId::fresh(),
        service: service.id,
        service_name: service.name.clone(),
        team: service.team,
        version,
        components: parts,
        config: input.config,
        notes: input.notes,
        author: actor.principal.id,
        editors: Vec::new(),
        state: ReleaseState::Draft,
        revision: 1,
        created_at: tx.now,
    };
    let name = release.display_name();
    releases::insert(tx, &release).await.map_err(|error| {
        if error.is_duplicate("releases_service_id_version_key") {
            Error::conflict(
                "release-exists",
                format!("there is a release {name} already; choose another version"),
            )
        } else {
            error.into()
        }
    })?;
    let change = record::Change::new("release.compose", name.clone(), format!("composed {name}"))
        .team(release.team)
        .service(release.service)
        .with(contents(&release));
    record::change(tx, actor, change).await?;
    view(tx, release).await
}

/// Changes a draft.
///
/// # Errors
/// When it is no draft, was changed since `if_match`, or the input has faults; without `release.write`.
pub async fn update(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    if_match: i64,
    input: Update,
) -> Result<ReleaseView, Error> {
    let mut release = load(tx, actor, reference).await?;
    actor.require(Permission::ReleaseWrite, &place(&release))?;
    release.check_editable()?;
    check_revision(if_match, release.revision)?;
    let mut faults = Faults::new();
    if let Some(choices) = &input.components {
        release.components = choose(tx, actor, choices, &mut faults).await?;
    }
    if let Some(config) = input.config {
        check_config(&config, &mut faults);
        release.config = config;
    }
    faults.check()?;
    if let Some(notes) = input.notes {
        release.notes = notes;
    }
    if release.author != actor.principal.id && !release.editors.contains(&actor.principal.id) {
        release.editors.push(actor.principal.id);
    }
    if let Err(error) = releases::update_draft(tx, &release).await {
        let now = releases::get(tx, release.id).await;
        return Err(overtaken(error, now.map(|now| now.map(|now| now.revision))));
    }
    release.revision += 1;
    let name = release.display_name();
    let change = record::Change::new(
        "release.update",
        name.clone(),
        format!("changed the draft {name}"),
    )
    .team(release.team)
    .service(release.service)
    .with(contents(&release));
    record::change(tx, actor, change).await?;
    view(tx, release).await
}

fn contents(release: &Release) -> serde_json::Value {
    let parts: Vec<_> = release
        .components
        .iter()
        .map(|c| json!({"name": c.name, "version": c.version, "digest": c.digest}))
        .collect();
    json!({ "components": parts, "overlays": release.config.len() })
}

fn check_config(config: &[Overlay], faults: &mut Faults) {
    for (i, overlay) in config.iter().enumerate() {
        if let Err(inner) = overlay.check() {
            faults.nest(&format!("/config/{i}"), inner);
        }
    }
}

async fn choose(
    tx: &mut Tx,
    actor: &Actor,
    choices: &[ComponentChoice],
    faults: &mut Faults,
) -> Result<Vec<ReleaseComponent>, Error> {
    let mut parts: Vec<ReleaseComponent> = Vec::with_capacity(choices.len());
    if choices.is_empty() {
        faults.add("/components", "a release has at least one component");
    }
    for (i, choice) in choices.iter().enumerate() {
        let at = |field: &str| format!("/components/{i}/{field}");
        let parsed = Version::parse(&choice.version)
            .map_err(|e| format!("`{}` is not a semantic version: {e}", choice.version));
        let Some(version) = faults.take(&at("version"), parsed) else {
            continue;
        };
        let found = components::find_version(tx, &choice.name, &version).await?;
        let visible = match &found {
            Some(found) => components::get(tx, found.component)
                .await?
                .is_some_and(|component| {
                    actor
                        .rights
                        .allows(Permission::Read, &Place::team(component.team, ""))
                }),
            None => false,
        };
        let Some(found) = found.filter(|_| visible) else {
            faults.add(
                at("version"),
                format!(
                    "there is no version {version} of a component `{}` that you may see",
                    choice.name
                ),
            );
            continue;
        };
        if found.state == VersionState::Recalled {
            faults.add(
                at("version"),
                format!(
                    "{} {version} is recalled: {}",
                    choice.name,
                    found.state_reason.as_deref().unwrap_or("no reason was given")
                ),
            );
        }
        if parts.iter().any(|other| other.name == found.component_name) {
            faults.add(at("name"), format!("`{}` is in the release already", choice.name));
            continue;
        }
        parts.push(ReleaseComponent {
            id: found.id,
            name: found.component_name,
            version: found.version,
            digest: found.digest,
        });
    }
    Ok(parts)
}
