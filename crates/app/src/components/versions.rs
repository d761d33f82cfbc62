//! Versions of components: registered once, never changed.

use super::{load, place};
use crate::{App, Before, Error, Tx, input, record};
use semver::{Version, VersionReq};
use serde_json::json;
use slipway_domain::{
    Digest, Faults, Name,
    component::{
        Component, ComponentVersion, ImagePin, Requirement, Source, VersionContent,
        bundle::{Bundle, Limits, warnings},
    },
    identity::{Actor, Permission},
    ids::{ComponentVersionId, PrincipalId},
};
use slipway_store::{components, principals};

/// What a new version is made of.
#[derive(Debug, Clone, Default)]
pub struct CreateVersion {
    /// Its semantic version.
    pub version: String,
    /// Where it was built from.
    pub source: Option<Source>,
    /// What it needs to run.
    pub requires: Vec<RequirementInput>,
    /// Images pinned to digests.
    pub images: Vec<ImagePinInput>,
    /// Kubernetes objects: a multi-document YAML text.
    pub manifests: String,
}

/// What a version needs, as given.
#[derive(Debug, Clone)]
pub struct RequirementInput {
    /// Name of the component.
    pub component: String,
    /// A range of versions, in Cargo's syntax.
    pub version: String,
}

/// An image pin, as given.
#[derive(Debug, Clone)]
pub struct ImagePinInput {
    /// Name of the image, without tag.
    pub image: String,
    /// The digest that runs.
    pub digest: String,
    /// The tag to show.
    pub tag: Option<String>,
}

/// A version, with the name of who registered it.
#[derive(Debug, Clone)]
pub struct VersionView {
    /// The version.
    pub version: ComponentVersion,
    /// Who registered it.
    pub created_by: String,
    /// Whether it was there already, with the same content, when it was to be registered.
    pub existed: bool,
}

/// Most requirements and most pins of one version.
const MOST: usize = 200;

/// Registers a version. The same again answers with what is there; other content under its number is refused.
///
/// # Errors
/// Every fault of the input at once; `version-exists` for other content; without `component.write` on the component.
pub async fn create_version(
    tx: &mut Tx,
    app: &App,
    actor: &Actor,
    component: &str,
    input: CreateVersion,
) -> Result<VersionView, Error> {
    let component = load(tx, actor, component).await?;
    actor.require(Permission::ComponentWrite, &place(&component))?;
    let mut faults = Faults::new();
    let version = version(&input.version, &mut faults);
    if let Some(source) = &input.source {
        input::line(&mut faults, "/source/repository", &source.repository, 500);
        input::line(&mut faults, "/source/commit", &source.commit, 100);
    }
    let requires = requires(&component, &input.requires, &mut faults);
    let images = images(&input.images, &mut faults);
    let bundle = match parse(input.manifests, app.config().limits).await? {
        Ok(bundle) => Some(bundle),
        Err(inner) => {
            faults.nest("", inner);
            None
        }
    };
    faults.check()?;
    let (Some(version), Some((bundle, bundle_digest))) = (version, bundle) else {
        return Err(Error::internal("a field without fault is missing"));
    };
    let digest = Digest::of_canonical(&VersionContent {
        component: &component.name,
        version: &version,
        bundle: bundle_digest,
        source: input.source.as_ref(),
        requires: &requires,
        images: &images,
    })?;
    let objects = bundle.refs();
    let warnings = warnings(&bundle.objects);
    let new = components::NewVersion {
        component: component.id,
        version: &version,
        digest,
        bundle: &bundle,
        bundle_digest,
        source: input.source.as_ref(),
        requires: &requires,
        images: &images,
        objects: &objects,
        warnings: &warnings,
        created_by: actor.principal.id,
    };
    match components::insert_version(tx, &new).await? {
        Some(id) => registered(tx, actor, &component, id).await,
        None => existing(tx, &component, &version, digest).await,
    }
}

/// Parsing megabytes takes its time, and must not hold up others on this thread.
async fn parse(manifests: String, limits: Limits) -> Result<Result<(Bundle, Digest), Faults>, Error> {
    let parsed = tokio::task::spawn_blocking(move || {
        Bundle::parse(&manifests, &limits).map(|bundle| {
            let digest = bundle.digest();
            (bundle, digest)
        })
    });
    parsed.await.map_err(Error::internal)
}

fn version(text: &str, faults: &mut Faults) -> Option<Version> {
    let parsed = Version::parse(text)
        .map_err(|e| format!("`{}` is not a semantic version: {e}", input::excerpt(text)));
    let version = faults.take("/version", parsed)?;
    if text.len() > 100 {
        faults.add("/version", "is longer than 100 characters");
    }
    if !version.build.is_empty() {
        // Two versions that differ in it alone have the same precedence: no range could tell them apart.
        faults.add(
            "/version",
            format!("`{version}` has build metadata, which does not tell versions apart"),
        );
    }
    Some(version)
}

fn requires(component: &Component, given: &[RequirementInput], faults: &mut Faults) -> Vec<Requirement> {
    if given.len() > MOST {
        faults.add("/requires", format!("are {MOST} at most"));
    }
    let mut requires: Vec<Requirement> = Vec::with_capacity(given.len().min(MOST));
    for (i, given) in given.iter().take(MOST).enumerate() {
        let at = |field: &str| format!("/requires/{i}/{field}");
        let name = faults.take(&at("component"), given.component.parse::<Name>());
        let range = VersionReq::parse(&given.version).map_err(|e| {
            format!(
                "`{}` is not a range of versions: {e}",
                input::excerpt(&given.version)
            )
        });
        let range = faults.take(&at("version"), range);
        let Some(name) = name else { continue };
        if name == component.name {
            faults.add(at("component"), "a component does not require itself");
        } else if requires.iter().any(|other| other.component == name) {
            faults.add(at("component"), format!("`{name}` is required already"));
        } else if let Some(version) = range {
            requires.push(Requirement {
                component: name,
                version,
            });
        }
    }
    // Their order means nothing, and must not make another digest.
    requires.sort_by(|a, b| a.component.cmp(&b.component));
    requires
}

fn images(given: &[ImagePinInput], faults: &mut Faults) -> Vec<ImagePin> {
    if given.len() > MOST {
        faults.add("/images", format!("are {MOST} at most"));
    }
    let mut images: Vec<ImagePin> = Vec::with_capacity(given.len().min(MOST));
    for (i, given) in given.iter().take(MOST).enumerate() {
        let at = |field: &str| format!("/images/{i}/{field}");
        let Some(digest) = faults.take(&at("digest"), given.digest.parse::<Digest>()) else {
            continue;
        };
        let pin = ImagePin {
            image: given.image.clone(),
            digest,
            tag: given.tag.clone(),
        };
        if let Err(refused) = pin.check() {
            let field = if matches!(refused, slipway_domain::component::bundle::NoImagePin::Tag) {
                "tag"
            } else {
                "image"
            };
            faults.add(at(field), refused.to_string());
        } else if images.iter().any(|other| other.image == pin.image) {
            faults.add(at("image"), format!("`{}` is pinned already", pin.image));
        } else {
            images.push(pin);
        }
    }
    images.sort_by(|a, b| a.image.cmp(&b.image));
    images
}

async fn registered(
    tx: &mut Tx,
    actor: &Actor,
    component: &Component,
    id: ComponentVersionId,
) -> Result<VersionView, Error> {
    let made = components::version(tx, id).await?;
    let made = made.ok_or_else(|| Error::internal("a version is gone right after it was registered"))?;
    let subject = format!("{}@{}", component.name, made.version);
    let change = record::Change::new(
        "component_version.create",
        subject.clone(),
        format!("registered {subject}"),
    )
    .team(component.team)
    .with(json!({"digest": made.digest, "source": made.source, "objects": made.objects.len()}));
    record::change(tx, actor, change).await?;
    view(tx, made, false).await
}

async fn existing(
    tx: &mut Tx,
    component: &Component,
    version: &Version,
    digest: Digest,
) -> Result<VersionView, Error> {
    let there = components::find_version(tx, component.name.as_str(), version).await?;
    let there = there.ok_or_else(|| Error::internal("a version is gone right after it was found"))?;
    if there.digest != digest {
        let detail = format!(
            "{} {version} is there already, with the digest {}; this content has the digest {digest} and needs another version",
            component.name, there.digest
        );
        return Err(Error::conflict("version-exists", detail));
    }
    view(tx, there, true).await
}

pub(super) async fn view(
    tx: &mut Tx,
    version: ComponentVersion,
    existed: bool,
) -> Result<VersionView, Error> {
    let mut all = views(tx, vec![version]).await?;
    let mut view = all
        .pop()
        .ok_or_else(|| Error::internal("one version has one view"))?;
    view.existed = existed;
    Ok(view)
}

async fn views(tx: &mut Tx, all: Vec<ComponentVersion>) -> Result<Vec<VersionView>, Error> {
    let mut people: Vec<PrincipalId> = all.iter().map(|version| version.created_by).collect();
    people.sort();
    people.dedup();
    let names = principals::names(tx, &people).await?;
    let view = |version: ComponentVersion| VersionView {
        created_by: names
            .get(&version.created_by)
            .cloned()
            .unwrap_or_else(|| version.created_by.to_string()),
        version,
        existed: false,
    };
    Ok(all.into_iter().map(view).collect())
}

/// A version of a component that the actor may see, and that component.
pub(crate) async fn load_version(
    tx: &mut Tx,
    actor: &Actor,
    component: &str,
    version: &str,
) -> Result<(Component, ComponentVersion), Error> {
    let component = load(tx, actor, component).await?;
    let missing = || {
        Error::not_found(
            "component version",
            format!("{}@{}", component.name, input::excerpt(version)),
        )
    };
    let found = if let Ok(id) = version.parse::<ComponentVersionId>() {
        components::version(tx, id)
            .await?
            .filter(|found| found.component == component.id)
    } else {
        let parsed = Version::parse(version).map_err(|_| missing())?;
        components::find_version(tx, component.name.as_str(), &parsed).await?
    };
    let found = found.ok_or_else(missing)?;
    Ok((component, found))
}

/// One version.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn get_version(
    tx: &mut Tx,
    actor: &Actor,
    component: &str,
    version: &str,
) -> Result<VersionView, Error> {
    let (_, version) = load_version(tx, actor, component, version).await?;
    view(tx, version, false).await
}

/// A component's versions, newest first.
///
/// # Errors
/// When there is no such component that the actor may see.
pub async fn list_versions(
    tx: &mut Tx,
    actor: &Actor,
    component: &str,
    before: Before,
    limit: i64,
) -> Result<Vec<VersionView>, Error> {
    let component = load(tx, actor, component).await?;
    let all = components::versions(tx, component.id, before, limit).await?;
    views(tx, all).await
}

/// The revision of a version.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn version_revision(
    tx: &mut Tx,
    actor: &Actor,
    component: &str,
    version: &str,
) -> Result<i64, Error> {
    Ok(load_version(tx, actor, component, version).await?.1.revision)
}
