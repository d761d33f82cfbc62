//! Environments: where releases go. Seen by whoever may read anything; changed by admins.

mod settings;

pub use settings::{SettingsInput, WaveInput};

use crate::{
    Before, Error, Ref, Tx, approvals,
    error::{check_revision, overtaken},
    input, record,
    teams::require_reader,
};
use serde_json::json;
use slipway_domain::{
    Faults, Name,
    identity::{Actor, Permission, Place},
    ids::{ClusterId, ClusterTag, EnvironmentTag},
    registry::environment::{Environment, Settings, Tier},
};
use slipway_store::{clusters, environments, targets};

/// An environment, as shown.
pub type EnvironmentView = Environment;

/// What a new environment is made of.
#[derive(Debug, Clone, Default)]
pub struct Create {
    /// Its unique name.
    pub name: String,
    /// What kind it is.
    pub tier: String,
    /// The stage before (name or id).
    pub promotes_from: Option<String>,
    /// Its clusters (names or ids), in order.
    pub clusters: Vec<String>,
    /// How deployments are done here.
    pub settings: SettingsInput,
}

/// Changes to an environment; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Update {
    /// Its clusters (names or ids), in order.
    pub clusters: Option<Vec<String>>,
    /// How deployments are done here.
    pub settings: SettingsInput,
}

/// Most clusters of one environment.
const MAX_CLUSTERS: usize = 1000;

/// The environment that a user names in a field of the input, or a fault there.
pub(crate) async fn named(
    tx: &mut Tx,
    faults: &mut Faults,
    pointer: &str,
    reference: &str,
) -> Result<Option<Environment>, Error> {
    let found = environments::find(tx, &Ref::parse::<EnvironmentTag>(reference)).await?;
    if found.is_none() {
        faults.add(
            pointer,
            format!("there is no environment `{}`", input::excerpt(reference)),
        );
    }
    Ok(found)
}

/// Makes an environment.
///
/// An environment can only name an older one as its stage before, and never changes it: stages form no cycle.
///
/// # Errors
/// Every fault of the input at once; `exists` when the name is taken; without `environment.write` on everything.
pub async fn create(tx: &mut Tx, actor: &Actor, input: Create) -> Result<EnvironmentView, Error> {
    actor.require(Permission::EnvironmentWrite, &Place::everywhere())?;
    let mut faults = Faults::new();
    let name = faults.take("/name", input.name.parse::<Name>());
    let tier = faults.take("/tier", input.tier.parse::<Tier>());
    let promotes_from = match &input.promotes_from {
        Some(reference) if *reference == input.name => {
            faults.add("/promotes_from", "an environment is not its own stage before");
            None
        }
        Some(reference) => named(tx, &mut faults, "/promotes_from", reference).await?,
        None => None,
    };
    let clusters = resolve(tx, &input.clusters, &mut faults).await?;
    let settings = input.settings.over(Settings::default(), &mut faults);
    known_groups(tx, &settings, &mut faults).await?;
    faults.check()?;
    let (Some(name), Some(tier)) = (name, tier) else {
        return Err(Error::internal("a field without fault is missing"));
    };
    let new = environments::New {
        name: &name,
        tier,
        promotes_from: promotes_from.map(|before| before.id),
        clusters: &clusters,
        settings: &settings,
    };
    let id = environments::insert(tx, &new).await.map_err(|error| {
        if error.is_duplicate("environments_name_key") {
            Error::conflict("exists", format!("there is an environment `{name}` already"))
        } else {
            error.into()
        }
    })?;
    let made = environments::get(tx, id).await?;
    let made = made.ok_or_else(|| Error::internal("an environment is gone right after it was made"))?;
    let message = format!("made the {tier} environment {name}");
    let change = record::Change::new("environment.create", name.as_str(), message)
        .environment(id)
        .with(described(&made));
    record::change(tx, actor, change).await?;
    Ok(made)
}

/// Changes an environment. Deployments that were asked for before keep to what it said then.
///
/// # Errors
/// When there is none, or it was changed since `if_match`; every fault of the input at once; without
/// `environment.write` on it, and on everything to give it other clusters.
pub async fn update(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    if_match: i64,
    input: Update,
) -> Result<EnvironmentView, Error> {
    require_reader(actor)?;
    let missing = || Error::not_found("environment", reference);
    let found = environments::find_for_update(tx, &Ref::parse::<EnvironmentTag>(reference)).await?;
    let mut environment = found.ok_or_else(missing)?;
    let place = Place::environment(environment.id, format!("environment {}", environment.name));
    actor.require(Permission::EnvironmentWrite, &place)?;
    check_revision(if_match, environment.revision)?;
    let mut faults = Faults::new();
    let clusters = match &input.clusters {
        Some(references) => {
            // A cluster is everybody's: a grant on one environment must not reach into those of the others.
            actor.require(Permission::EnvironmentWrite, &Place::everywhere())?;
            Some(resolve(tx, references, &mut faults).await?)
        }
        None => None,
    };
    if let Some(clusters) = clusters.as_deref().filter(|_| faults.is_empty()) {
        for (service, cluster) in targets::declared_elsewhere(tx, environment.id, clusters).await? {
            let visible = actor.rights.visible().everything;
            let whose = if visible {
                format!("{service} has")
            } else {
                "a service has".to_owned()
            };
            faults.add(
                "/clusters",
                format!("{whose} a declared target here on cluster {cluster}; delete that first"),
            );
        }
    }
    environment.settings = input.settings.over(environment.settings, &mut faults);
    known_groups(tx, &environment.settings, &mut faults).await?;
    faults.check()?;
    if let Err(error) = environments::update(tx, &environment, clusters.as_deref()).await {
        let now = environments::get(tx, environment.id).await;
        return Err(overtaken(error, now.map(|now| now.map(|now| now.revision))));
    }
    let changed = environments::get(tx, environment.id).await?.ok_or_else(missing)?;
    let message = format!("changed environment {}", changed.name);
    let change = record::Change::new("environment.update", changed.name.as_str(), message)
        .environment(changed.id)
        .with(described(&changed));
    record::change(tx, actor, change).await?;
    Ok(changed)
}

async fn resolve(tx: &mut Tx, references: &[String], faults: &mut Faults) -> Result<Vec<ClusterId>, Error> {
    if references.is_empty() {
        faults.add("/clusters", "an environment has at least one cluster");
    }
    if references.len() > MAX_CLUSTERS {
        faults.add("/clusters", format!("are {MAX_CLUSTERS} at most"));
    }
    let mut ids = Vec::with_capacity(references.len().min(MAX_CLUSTERS));
    for (i, reference) in references.iter().take(MAX_CLUSTERS).enumerate() {
        match clusters::find(tx, &Ref::parse::<ClusterTag>(reference)).await? {
            None => {
                faults.add(
                    format!("/clusters/{i}"),
                    format!("there is no cluster `{}`", input::excerpt(reference)),
                );
            }
            Some(cluster) if ids.contains(&cluster.id) => {
                faults.add(
                    format!("/clusters/{i}"),
                    format!("cluster `{}` is there already", cluster.name),
                );
            }
            Some(cluster) => ids.push(cluster.id),
        }
    }
    Ok(ids)
}

/// For the record; what an overlay says of objects is not in it.
fn described(environment: &Environment) -> serde_json::Value {
    let settings = &environment.settings;
    json!({
        "tier": environment.tier,
        "promotes_from": environment.promotes_from.as_ref().map(|(_, name)| name),
        "clusters": environment.clusters,
        "settings": {
            "approvals": settings.approvals,
            "waves": settings.waves,
            "progress_deadline": settings.progress_deadline,
            "promotion_soak": settings.promotion_soak,
            "automatic_rollback": settings.automatic_rollback,
            "expires_after": settings.expires_after,
            "overlays": settings.config.len(),
            "drift": settings.drift,
        },
    })
}

/// One environment, by id or name.
///
/// # Errors
/// When there is none, or the actor may read nothing.
pub async fn get(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<EnvironmentView, Error> {
    require_reader(actor)?;
    let found = environments::find(tx, &Ref::parse::<EnvironmentTag>(reference)).await?;
    found.ok_or_else(|| Error::not_found("environment", reference))
}

/// Environments, newest first.
///
/// # Errors
/// When the actor may read nothing.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    before: Before,
    limit: i64,
) -> Result<Vec<EnvironmentView>, Error> {
    require_reader(actor)?;
    Ok(environments::list(tx, before, limit).await?)
}

/// The revision of an environment, by one index.
///
/// # Errors
/// When there is none, or the actor may read nothing.
pub async fn revision(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<i64, Error> {
    require_reader(actor)?;
    let found = environments::revision(tx, &Ref::parse::<EnvironmentTag>(reference)).await?;
    found.ok_or_else(|| Error::not_found("environment", reference))
}

/// Groups that its approvals ask must be there.
async fn known_groups(tx: &mut Tx, settings: &Settings, faults: &mut Faults) -> Result<(), Error> {
    match &settings.approvals {
        Some(asked) => approvals::known_groups(tx, "/settings/approvals", asked, faults).await,
        None => Ok(()),
    }
}
