//! What these tests set up.

use slipway_domain::{
    Name,
    identity::PrincipalKind,
    ids::{ClusterId, PrincipalId, TeamId},
    registry::{
        Cluster, ClusterGrants, Criticality, Environment, Labels, Service,
        environment::{Settings, Tier},
    },
};
use slipway_store::{Tx, clusters, environments, principals, services};

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn labels(all: &[(&str, &str)]) -> Labels {
    all.iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

pub(crate) async fn cluster(tx: &mut Tx, called: &str, given: &[(&str, &str)]) -> Cluster {
    let id = ClusterId::new();
    let saved = clusters::Saved {
        id,
        name: &name(called),
        server: "https://k.example",
        certificate_authority: None,
        tls_server_name: None,
        labels: &labels(given),
        grants: &ClusterGrants::default(),
    };
    let sealed = clusters::Sealed {
        credential: vec![1, 2, 3],
        key: "k1".to_owned(),
    };
    clusters::insert(tx, &saved, &sealed).await.unwrap();
    clusters::get(tx, id).await.unwrap().unwrap()
}

pub(crate) async fn environment(tx: &mut Tx, called: &str, clusters: &[ClusterId]) -> Environment {
    let new = environments::New {
        name: &name(called),
        tier: Tier::Staging,
        promotes_from: None,
        clusters,
        settings: &Settings::default(),
    };
    let id = environments::insert(tx, &new).await.unwrap();
    environments::get(tx, id).await.unwrap().unwrap()
}

pub(crate) async fn service(tx: &mut Tx, called: &str, team: TeamId) -> Service {
    let new = services::New {
        name: &name(called),
        team,
        criticality: Criticality::High,
        description: "",
        escalation_group: None,
    };
    let id = services::insert(tx, &new).await.unwrap();
    services::get(tx, id).await.unwrap().unwrap()
}

pub(crate) async fn author(tx: &mut Tx) -> PrincipalId {
    principals::ensure(tx, "https://i", "eve", PrincipalKind::Human, "Eve")
        .await
        .unwrap()
        .0
        .id
}
