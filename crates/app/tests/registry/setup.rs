//! What these tests set up.

use crate::support::{actor, authenticate};
use secrecy::SecretString;
use slipway_app::{
    Tx,
    clusters::{self, CredentialInput},
    environments::{self},
    services, teams,
};
use slipway_domain::{
    identity::{Actor, Grant, PrincipalKind, Role, Scope},
    registry::Labels,
};
use slipway_testkit::{ISSUER, TestApp};

pub(crate) const SECRET: &str = "cluster-s3cret-token";

/// Somebody with roles on one team only.
pub(crate) async fn member(app: &TestApp, subject: &str, role: Role, scope: Scope) -> Actor {
    let mut tx = app.app.begin().await.unwrap();
    let (principal, _) =
        slipway_store::principals::ensure(&mut tx, ISSUER, subject, PrincipalKind::Human, subject)
            .await
            .unwrap();
    slipway_store::role_bindings::insert(&mut tx, principal.id, Grant { role, scope })
        .await
        .unwrap();
    tx.commit().await.unwrap();
    authenticate(&app.app, &app.issuer.token(subject)).await.unwrap()
}

pub(crate) async fn admin(app: &TestApp) -> Actor {
    app.person("root", &["admin"]).await;
    actor(app, "root").await
}

pub(crate) async fn engineer(app: &TestApp) -> Actor {
    app.person("eve", &["engineer"]).await;
    actor(app, "eve").await
}

pub(crate) async fn team(tx: &mut Tx, admin: &Actor, name: &str) -> teams::TeamView {
    teams::create(
        tx,
        admin,
        teams::Create {
            name: name.to_owned(),
        },
    )
    .await
    .unwrap()
}

pub(crate) fn cluster(name: &str) -> clusters::Create {
    clusters::Create {
        name: name.to_owned(),
        server: Some(format!("https://{name}.kube.example:6443")),
        credential: CredentialInput {
            token: Some(SecretString::from(SECRET)),
            ..CredentialInput::default()
        },
        labels: Labels::from([("region".to_owned(), name.to_owned())]),
        ..clusters::Create::default()
    }
}

pub(crate) fn environment(name: &str, clusters: &[&str]) -> environments::Create {
    environments::Create {
        name: name.to_owned(),
        tier: "staging".to_owned(),
        clusters: clusters.iter().map(|name| (*name).to_owned()).collect(),
        ..environments::Create::default()
    }
}

pub(crate) fn service(name: &str, team: &str) -> services::Create {
    services::Create {
        name: name.to_owned(),
        team: team.to_owned(),
        criticality: None,
        description: None,
        escalation: None,
    }
}
