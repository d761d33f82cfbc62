//! Targets: where a service lands in an environment, when it is not as the default says. Seen by whoever may read what
//! the service's team owns, or what happens in the environment.

use crate::{Before, Error, Ref, Tx, drift, environments, input, record, services};
use serde_json::json;
use slipway_domain::{
    Faults, Name,
    drift::Resolution,
    identity::{Actor, Permission, Place, Visible},
    ids::{ClusterTag, EnvironmentId, EnvironmentTag, ServiceId, ServiceTag, TargetId},
    registry::Labels,
};
use slipway_store::{clusters, targets};

/// A target with the names of what it is made of.
pub type TargetView = targets::Listed;

/// A target to declare.
#[derive(Debug, Clone, Default)]
pub struct Create {
    /// The service (name or id).
    pub service: String,
    /// The environment (name or id).
    pub environment: String,
    /// The cluster (name or id); one of the environment's.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// Labels over those of the cluster.
    pub labels: Labels,
}

/// Filters of a list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this service (name or id).
    pub service: Option<String>,
    /// Only in this environment (name or id).
    pub environment: Option<String>,
}

pub(crate) fn place(view: &TargetView) -> Place {
    let named = format!("service {} in {}", view.service, view.environment);
    Place::team_in(view.team, view.target.environment, named)
}

/// Says where a service lands. From the first declared target on, the default does not count.
///
/// # Errors
/// Every fault of the input at once; `exists` when it is declared already; without `target.write` on the service in the
/// environment.
pub async fn create(tx: &mut Tx, actor: &Actor, input: Create) -> Result<TargetView, Error> {
    if !actor.rights.allows_somewhere(Permission::TargetWrite) {
        actor.require(Permission::TargetWrite, &Place::everywhere())?;
    }
    let mut faults = Faults::new();
    let service = services::named(tx, actor, &mut faults, "/service", &input.service).await?;
    let environment = environments::named(tx, &mut faults, "/environment", &input.environment).await?;
    let cluster = clusters::find(tx, &Ref::parse::<ClusterTag>(&input.cluster)).await?;
    if cluster.is_none() {
        faults.add(
            "/cluster",
            format!("there is no cluster `{}`", input::excerpt(&input.cluster)),
        );
    }
    if let (Some(cluster), Some(environment)) = (&cluster, &environment)
        && !environment.clusters.contains(&cluster.name)
    {
        let has: Vec<_> = environment.clusters.iter().map(ToString::to_string).collect();
        faults.add(
            "/cluster",
            format!("environment {} has only {}", environment.name, has.join(", ")),
        );
    }
    let namespace = faults.take("/namespace", input.namespace.parse::<Name>());
    if namespace
        .as_ref()
        .is_some_and(|name| name.as_str().starts_with("kube-"))
    {
        faults.add(
            "/namespace",
            "namespaces that begin with `kube-` are Kubernetes' own",
        );
    }
    input::labels(&mut faults, "/labels", &input.labels);
    if let (Some(service), Some(environment)) = (&service, &environment) {
        let named = format!("service {} in {}", service.name, environment.name);
        actor.require(
            Permission::TargetWrite,
            &Place::team_in(service.team, environment.id, named),
        )?;
        if let (Some(cluster), Some(namespace)) = (&cluster, &namespace)
            && targets::is_namespace_of_another_team(tx, Some(cluster.id), namespace, service.team).await?
        {
            faults.add(
                "/namespace",
                "is where another team's service lands, or would by default; choose another",
            );
        }
    }
    faults.check()?;
    let (Some(service), Some(environment), Some(cluster), Some(namespace)) =
        (service, environment, cluster, namespace)
    else {
        return Err(Error::internal("a field without fault is missing"));
    };
    let declared = targets::Declared {
        service: service.id,
        environment: environment.id,
        cluster: cluster.id,
        namespace: &namespace,
        labels: &input.labels,
    };
    if let Some(deployment) = targets::at_work(tx, &declared).await? {
        let what = format!("{deployment} works there; wait for its end, or cancel it");
        return Err(Error::conflict("in-use", what));
    }
    let id = targets::declare(tx, &declared).await?.ok_or_else(|| {
        let what = format!(
            "{} is declared in namespace {namespace} of cluster {} already",
            service.name, cluster.name
        );
        Error::conflict("exists", what)
    })?;
    let message = format!(
        "declared that {} lands in namespace {namespace} of cluster {} in {}",
        service.name, cluster.name, environment.name
    );
    let mut change = record::Change::new("target.declare", id.to_string(), message)
        .team(service.team)
        .service(service.id)
        .environment(environment.id)
        .with(json!({"cluster": cluster.name, "namespace": namespace, "labels": input.labels}));
    change.cluster = Some(cluster.name.to_string());
    record::change(tx, actor, change).await?;
    load(tx, actor, &id.to_string()).await
}

/// Takes a declaration back: nothing more lands there, what runs there keeps running. When it was the last one, the
/// default counts again.
///
/// # Errors
/// When there is none that the actor may see; `in-use` while a deployment works on it; without `target.write`.
pub async fn delete(tx: &mut Tx, actor: &Actor, id: &str) -> Result<(), Error> {
    let view = load(tx, actor, id).await?;
    actor.require(Permission::TargetWrite, &place(&view))?;
    if view.retired {
        return Err(Error::not_found("target", id));
    }
    if !view.declared {
        let detail = "this target is the default, nobody declared it; declare another to replace it";
        return Err(Error::conflict("conflict", detail));
    }
    if let Some(deployment) = targets::busy(tx, view.target.id).await? {
        return Err(Error::conflict(
            "in-use",
            format!("{deployment} works on it; wait for its end, or cancel it"),
        ));
    }
    targets::retire(tx, view.target.id).await?;
    drift::record::resolve_all(tx, view.target.id, Resolution::Retired).await?;
    let message = format!(
        "took back that {} lands in namespace {} of cluster {} in {}",
        view.service, view.target.namespace, view.cluster, view.environment
    );
    let mut change = record::Change::new("target.retire", id, message)
        .team(view.team)
        .service(view.target.service)
        .environment(view.target.environment)
        .with(json!({"cluster": view.cluster, "namespace": view.target.namespace, "runs": view.runs}));
    change.cluster = Some(view.cluster.to_string());
    record::change(tx, actor, change).await
}

/// What there is to say of a former target that still holds something.
#[must_use]
pub fn left_behind(view: &TargetView) -> Option<String> {
    if view.current || !view.holds {
        return None;
    }
    let place = format!("{}/{}", view.cluster, view.target.namespace);
    let what = match &view.runs {
        Some(version) => format!("still runs {version}"),
        None => "still holds what a deployment that did not succeed put there".to_owned(),
    };
    Some(format!(
        "{place} {what} and is no target any more; it stays until somebody says `slipway target clean {}`",
        view.target.id
    ))
}

/// Former targets of a service in an environment that still hold something, for whoever may see the service there.
pub(crate) async fn former(
    tx: &mut Tx,
    service: ServiceId,
    environment: EnvironmentId,
) -> Result<Vec<TargetView>, Error> {
    let filter = targets::Filter {
        service: Some(service),
        environment: Some(environment),
        former: true,
        ..targets::Filter::default()
    };
    let all = Visible {
        everything: true,
        ..Visible::default()
    };
    Ok(targets::list(tx, filter, &all, None, MOST_FORMER).await?)
}

/// So many former targets are shown with a deployment.
const MOST_FORMER: i64 = 100;

pub(crate) async fn load(tx: &mut Tx, actor: &Actor, id: &str) -> Result<TargetView, Error> {
    let missing = || Error::not_found("target", id);
    let parsed = id.parse::<TargetId>().map_err(|_| missing())?;
    let filter = targets::Filter {
        id: Some(parsed),
        ..targets::Filter::default()
    };
    let visible: Visible = actor.rights.visible();
    targets::list(tx, filter, &visible, None, 1)
        .await?
        .pop()
        .ok_or_else(missing)
}

/// One target, by id.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn get(tx: &mut Tx, actor: &Actor, id: &str) -> Result<TargetView, Error> {
    load(tx, actor, id).await
}

/// Targets that the actor may see, newest first: where services land, and where they no longer do and still are.
///
/// # Errors
/// When the database is unavailable.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    filter: &Filter,
    before: Before,
    limit: i64,
) -> Result<Vec<TargetView>, Error> {
    let mut wanted = targets::Filter::default();
    if let Some(reference) = &filter.service {
        let found = slipway_store::services::find(tx, &Ref::parse::<ServiceTag>(reference)).await?;
        let Some(found) = found else { return Ok(Vec::new()) };
        wanted.service = Some(found.id);
    }
    if let Some(reference) = &filter.environment {
        let found = slipway_store::environments::find(tx, &Ref::parse::<EnvironmentTag>(reference)).await?;
        let Some(found) = found else { return Ok(Vec::new()) };
        wanted.environment = Some(found.id);
    }
    Ok(targets::list(tx, wanted, &actor.rights.visible(), before, limit).await?)
}
