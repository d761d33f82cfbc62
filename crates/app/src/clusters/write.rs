//! Registering and changing clusters.

use super::{
    ClusterView, CredentialInput,
    credential::{self, Given},
    server,
};
use crate::{
    App, Error, Ref, Tx,
    error::{check_revision, overtaken},
    input, record,
    teams::require_reader,
};
use serde_json::{Value, json};
use slipway_domain::{
    Faults, Name,
    identity::{Actor, Permission, Place},
    ids::{ClusterId, ClusterTag, Fresh as _},
    registry::{ClusterGrants, Credential, Labels},
};
use slipway_store::{
    clusters::{self, Saved},
    work,
};

/// What a new cluster is made of.
#[derive(Debug, Clone, Default)]
pub struct Create {
    /// Its unique name.
    pub name: String,
    /// Base URL of its API; from the kubeconfig when absent.
    pub server: Option<String>,
    /// The certificate authority to trust, PEM; from the kubeconfig when absent.
    pub certificate_authority: Option<String>,
    /// The credential.
    pub credential: CredentialInput,
    /// Region, wave and so on.
    pub labels: Labels,
    /// What may be applied there beyond the target's namespace.
    pub grants: ClusterGrants,
}

/// Changes to a cluster; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Update {
    /// Base URL of its API.
    pub server: Option<String>,
    /// The certificate authority to trust, PEM.
    pub certificate_authority: Option<String>,
    /// A new credential.
    pub credential: Option<CredentialInput>,
    /// Region, wave and so on.
    pub labels: Option<Labels>,
    /// What may be applied there beyond the target's namespace.
    pub grants: Option<ClusterGrants>,
}

/// Where a cluster is and how it is known: what is given, else what its kubeconfig says.
#[derive(Default)]
struct Address {
    server: Option<String>,
    authority: Option<String>,
    tls_server_name: Option<String>,
    credential: Option<Credential>,
}

fn address(
    server: Option<&str>,
    authority: Option<&str>,
    credential: Option<&CredentialInput>,
    faults: &mut Faults,
) -> Address {
    let mut address = Address::default();
    match credential.and_then(|given| credential::read(given, faults)) {
        Some(Given::Kubeconfig(details)) => {
            if server.is_none() {
                address.server = faults.take(
                    "/credential/kubeconfig/clusters/server",
                    server::read(&details.server),
                );
            }
            if let Some(name) = &details.tls_server_name {
                input::line(
                    faults,
                    "/credential/kubeconfig/clusters/tls-server-name",
                    name,
                    253,
                );
            }
            address.authority = details.certificate_authority;
            address.tls_server_name = details.tls_server_name;
            address.credential = Some(details.credential);
        }
        Some(Given::Alone(credential)) => address.credential = Some(credential),
        None => {}
    }
    if let Some(text) = server {
        address.server = faults.take("/server", server::read(text));
    }
    if let Some(pem) = authority {
        credential::certificates(faults, "/certificate_authority", pem);
        address.authority = Some(pem.to_owned());
    }
    address
}

fn check_grants(grants: &ClusterGrants, faults: &mut Faults) {
    const MOST: usize = 200;
    let at = "/grants/cluster_scoped_kinds";
    if grants.cluster_scoped_kinds.len() > MOST {
        faults.add(at, format!("are {MOST} at most"));
    }
    for (i, kind) in grants.cluster_scoped_kinds.iter().take(MOST).enumerate() {
        let (name, group) = kind.split_once('.').unwrap_or((kind, "core"));
        let is_kind = name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.chars().all(|c| c.is_ascii_alphanumeric());
        let is_group = group.split('.').all(|label| label.parse::<Name>().is_ok());
        if kind != "*" && !(kind.len() <= 253 && is_kind && is_group) {
            faults.add(
                format!("{at}/{i}"),
                "is `Kind.group`, `Kind` for the core group, or `*`",
            );
        }
    }
}

/// Registers a cluster.
///
/// # Errors
/// Every fault of the input at once; `exists` when the name is taken; without `cluster.write` on everything.
pub async fn create(tx: &mut Tx, app: &App, actor: &Actor, input: Create) -> Result<ClusterView, Error> {
    actor.require(Permission::ClusterWrite, &Place::everywhere())?;
    let mut faults = Faults::new();
    let name = faults.take("/name", input.name.parse::<Name>());
    let address = address(
        input.server.as_deref(),
        input.certificate_authority.as_deref(),
        Some(&input.credential),
        &mut faults,
    );
    if input.server.is_none() && input.credential.kubeconfig.is_none() {
        faults.add("/server", "is missing: give it, or a kubeconfig that names it");
    }
    input::labels(&mut faults, "/labels", &input.labels);
    check_grants(&input.grants, &mut faults);
    faults.check()?;
    let (Some(name), Some(server), Some(credential)) = (name, &address.server, &address.credential) else {
        return Err(Error::internal("a field without fault is missing"));
    };
    let id = ClusterId::fresh();
    let sealed = credential::seal(app, id, credential)?;
    let saved = Saved {
        id,
        name: &name,
        server,
        certificate_authority: address.authority.as_deref(),
        tls_server_name: address.tls_server_name.as_deref(),
        labels: &input.labels,
        grants: &input.grants,
    };
    clusters::insert(tx, &saved, &sealed).await.map_err(|error| {
        if error.is_duplicate("clusters_name_key") {
            Error::conflict("exists", format!("there is a cluster `{name}` already"))
        } else {
            error.into()
        }
    })?;
    let data =
        json!({"server": server, "labels": input.labels, "grants": input.grants, "credential": "given"});
    let mut change = record::Change::new(
        "cluster.create",
        name.as_str(),
        format!("registered cluster {name}"),
    )
    .with(data);
    change.cluster = Some(name.to_string());
    record::change(tx, actor, change).await?;
    clusters::get(tx, id)
        .await?
        .ok_or_else(|| Error::internal("a cluster is gone right after it was registered"))
}

/// Changes a cluster. Its server changes only together with its credential: a credential is never sent where it was
/// not given for.
///
/// # Errors
/// When there is none, or it was changed since `if_match`; every fault of the input at once; without `cluster.write`
/// on everything.
pub async fn update(
    tx: &mut Tx,
    app: &App,
    actor: &Actor,
    reference: &str,
    if_match: i64,
    input: Update,
) -> Result<ClusterView, Error> {
    require_reader(actor)?;
    actor.require(Permission::ClusterWrite, &Place::everywhere())?;
    let missing = || Error::not_found("cluster", reference);
    let found = clusters::find_for_update(tx, &Ref::parse::<ClusterTag>(reference)).await?;
    let cluster = found.ok_or_else(missing)?;
    check_revision(if_match, cluster.revision)?;
    let stored = clusters::connection(tx, cluster.id).await?.ok_or_else(missing)?;
    let mut faults = Faults::new();
    let address = address(
        input.server.as_deref(),
        input.certificate_authority.as_deref(),
        input.credential.as_ref(),
        &mut faults,
    );
    let moves = address
        .server
        .as_ref()
        .is_some_and(|server| *server != cluster.server);
    if moves && input.credential.is_none() {
        faults.add(
            "/credential",
            "a new server needs the credential again: it is not sent where it was not given for",
        );
    }
    if let Some(labels) = &input.labels {
        input::labels(&mut faults, "/labels", labels);
    }
    if let Some(grants) = &input.grants {
        check_grants(grants, &mut faults);
    }
    faults.check()?;
    let sealed = match &address.credential {
        Some(credential) => Some(credential::seal(app, cluster.id, credential)?),
        None => None,
    };
    let is_kubeconfig = input
        .credential
        .as_ref()
        .is_some_and(|given| given.kubeconfig.is_some());
    // A name to expect belongs to the address it came with.
    let tls_server_name = if is_kubeconfig {
        address.tls_server_name
    } else {
        stored.tls_server_name.filter(|_| !moves)
    };
    let authority = if is_kubeconfig {
        address.authority
    } else {
        address.authority.or(stored.certificate_authority)
    };
    let (labels, grants) = (input.labels.as_ref(), input.grants.as_ref());
    let saved = Saved {
        id: cluster.id,
        name: &cluster.name,
        server: address.server.as_deref().unwrap_or(&cluster.server),
        certificate_authority: authority.as_deref(),
        tls_server_name: tls_server_name.as_deref(),
        labels: labels.unwrap_or(&cluster.labels),
        grants: grants.unwrap_or(&cluster.grants),
    };
    if let Err(error) = clusters::update(tx, cluster.revision, &saved, sealed.as_ref()).await {
        let now = clusters::get(tx, cluster.id).await;
        return Err(overtaken(error, now.map(|now| now.map(|now| now.revision))));
    }
    if sealed.is_some() || input.certificate_authority.is_some() {
        work::reconnect(tx, cluster.id).await?;
    }
    let mut data = serde_json::Map::new();
    let mut note =
        |key: &str, value: Option<Value>| value.and_then(|value| data.insert(key.to_owned(), value));
    note("server", moves.then(|| json!(saved.server)));
    note(
        "certificate_authority",
        (is_kubeconfig || input.certificate_authority.is_some()).then(|| json!("replaced")),
    );
    note("credential", sealed.is_some().then(|| json!("replaced")));
    note("labels", labels.map(|labels| json!(labels)));
    note("grants", grants.map(|grants| json!(grants)));
    let mut change = record::Change::new(
        "cluster.update",
        cluster.name.as_str(),
        format!("changed cluster {}", cluster.name),
    )
    .with(data.into());
    change.cluster = Some(cluster.name.to_string());
    record::change(tx, actor, change).await?;
    clusters::get(tx, cluster.id).await?.ok_or_else(missing)
}
