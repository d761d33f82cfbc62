//! The registry and the library on a real Postgres.

use semver::Version;
use slipway_domain::{
    Digest, Name,
    component::{
        ComponentKind, VersionState,
        bundle::{Bundle, Limits},
    },
    identity::{Grant, PrincipalKind, Role, Scope, Visible},
    ids::{
        ClusterId, ComponentVersionId, DeploymentId, EnvironmentId, PrincipalId, ReleaseId, ServiceTag,
        TeamId, TokenId,
    },
    registry::{
        Cluster, ClusterGrants, Criticality, Environment, Inventory, Labels, Service, TargetNow,
        environment::{Settings, Tier},
    },
};
use slipway_store::{
    Error, Ref, Tx, clusters, components, environments, principals, role_bindings, services, targets, teams,
    tokens,
};
use slipway_testkit::TestDb;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn labels(all: &[(&str, &str)]) -> Labels {
    all.iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

async fn cluster(tx: &mut Tx, called: &str, given: &[(&str, &str)]) -> Cluster {
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

async fn environment(tx: &mut Tx, called: &str, clusters: &[ClusterId]) -> Environment {
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

async fn service(tx: &mut Tx, called: &str, team: TeamId) -> Service {
    let new = services::New {
        name: &name(called),
        team,
        criticality: Criticality::High,
        description: "",
    };
    let id = services::insert(tx, &new).await.unwrap();
    services::get(tx, id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_list_is_newest_first_and_goes_on_where_it_ended() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let mut made = Vec::new();
    for i in 0..5 {
        made.push(
            teams::insert(&mut tx, &name(&format!("team-{i}")))
                .await
                .unwrap()
                .id,
        );
    }
    made.sort();
    made.reverse();
    let first = teams::list(&mut tx, None, 3).await.unwrap();
    let rest = teams::list(&mut tx, Some(first[2].id.uuid()), 3).await.unwrap();
    let seen: Vec<_> = first.iter().chain(&rest).map(|team| team.id).collect();
    assert_eq!(seen, made);
}

#[tokio::test]
async fn services_are_found_by_name_or_id_and_listed_where_they_may_be_seen() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let bank = teams::insert(&mut tx, &name("bank")).await.unwrap().id;
    let front = service(&mut tx, "storefront", shop).await;
    service(&mut tx, "ledger", bank).await;
    for reference in ["storefront", &front.id.to_string()] {
        let found = services::find(&mut tx, &Ref::parse::<ServiceTag>(reference))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((found.id, found.team_name.as_str()), (front.id, "shop"));
        let revision = services::revision(&mut tx, &Ref::parse::<ServiceTag>(reference))
            .await
            .unwrap();
        assert_eq!(revision, Some((1, shop)));
    }
    let elsewhere = TeamId::from_uuid(front.id.uuid()).to_string();
    assert!(
        services::find(&mut tx, &Ref::parse::<ServiceTag>(&elsewhere))
            .await
            .unwrap()
            .is_none()
    );
    let mine = Visible {
        teams: vec![shop],
        ..Visible::default()
    };
    let all = Visible {
        everything: true,
        ..Visible::default()
    };
    let filter = services::Filter::default();
    assert_eq!(
        services::list(&mut tx, filter, &mine, None, 10)
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        services::list(&mut tx, filter, &all, None, 10)
            .await
            .unwrap()
            .len(),
        2
    );
    assert!(
        services::list(&mut tx, filter, &Visible::default(), None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    let of_bank = services::Filter { team: Some(bank) };
    assert!(
        services::list(&mut tx, of_bank, &mine, None, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_change_of_what_was_changed_in_between_touches_nothing() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let front = service(&mut tx, "storefront", shop).await;
    let mut first = front.clone();
    first.description = "first".to_owned();
    services::update(&mut tx, &first).await.unwrap();
    let mut second = front;
    second.description = "second".to_owned();
    assert!(matches!(
        services::update(&mut tx, &second).await,
        Err(Error::Guard { rows: 0, .. })
    ));
    let now = services::get(&mut tx, second.id).await.unwrap().unwrap();
    assert_eq!((now.description.as_str(), now.revision), ("first", 2));
}

#[tokio::test]
async fn a_name_that_is_taken_is_told_by_the_index_that_refused() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    teams::insert(&mut tx, &name("shop")).await.unwrap();
    let refused = teams::insert(&mut tx, &name("shop")).await.unwrap_err();
    assert!(refused.is_duplicate("teams_name_key"), "{refused}");
}

#[tokio::test]
async fn a_row_that_cannot_be_is_named() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let eu = cluster(&mut tx, "eu", &[]).await;
    let staging = environment(&mut tx, "staging", &[eu.id]).await;
    sqlx::query("UPDATE environments SET settings = '{\"waves\": 7}'")
        .execute(tx.conn())
        .await
        .unwrap();
    let impossible = environments::get(&mut tx, staging.id).await.unwrap_err();
    let Error::ImpossibleRow {
        table, column, row, ..
    } = impossible
    else {
        panic!("{impossible:?}")
    };
    assert_eq!(
        (table, column.as_str(), row),
        ("environments", "settings", staging.id.uuid().to_string())
    );
}

#[tokio::test]
async fn an_environment_keeps_its_clusters_in_order() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let (eu, us) = (
        cluster(&mut tx, "eu", &[]).await,
        cluster(&mut tx, "us", &[]).await,
    );
    let asia = cluster(&mut tx, "asia", &[]).await;
    let mut staging = environment(&mut tx, "staging", &[us.id, eu.id]).await;
    let names = |all: &[Name]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&staging.clusters), ["us", "eu"]);
    staging.settings.automatic_rollback = false;
    environments::update(&mut tx, &staging, Some(&[asia.id, us.id]))
        .await
        .unwrap();
    let changed = environments::get(&mut tx, staging.id).await.unwrap().unwrap();
    assert_eq!(
        (names(&changed.clusters), changed.revision),
        (vec!["asia".to_owned(), "us".to_owned()], 2)
    );
    assert!(!changed.settings.automatic_rollback);
    let of: Vec<_> = clusters::of_environment(&mut tx, staging.id)
        .await
        .unwrap()
        .into_iter()
        .map(|c| c.id)
        .collect();
    assert_eq!(of, [asia.id, us.id]);
}

#[tokio::test]
async fn a_service_lands_on_every_cluster_until_somebody_says_otherwise() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let front = service(&mut tx, "storefront", shop).await;
    let eu = cluster(&mut tx, "eu", &[("region", "eu"), ("tier", "1")]).await;
    let us = cluster(&mut tx, "us", &[("region", "us")]).await;
    let staging = environment(&mut tx, "staging", &[us.id, eu.id]).await;
    assert!(
        targets::of(&mut tx, front.id, staging.id)
            .await
            .unwrap()
            .is_empty()
    );

    let default = targets::ensure_default(&mut tx, &front, &staging, &eu)
        .await
        .unwrap();
    let again = targets::ensure_default(&mut tx, &front, &staging, &eu)
        .await
        .unwrap();
    assert_eq!((default.id, default.namespace.as_str()), (again.id, "storefront"));
    targets::ensure_default(&mut tx, &front, &staging, &us)
        .await
        .unwrap();
    let of = targets::of(&mut tx, front.id, staging.id).await.unwrap();
    let on: Vec<_> = of.iter().map(|row| (row.target.cluster, row.declared)).collect();
    assert_eq!(
        on,
        [(us.id, false), (eu.id, false)],
        "in the order of the environment's clusters"
    );

    let (namespace, own) = (name("front"), labels(&[("tier", "2")]));
    let declared = targets::Declared {
        service: front.id,
        environment: staging.id,
        cluster: eu.id,
        namespace: &namespace,
        labels: &own,
    };
    assert!(
        !targets::any_declared(&mut tx, front.id, staging.id)
            .await
            .unwrap()
    );
    let id = targets::declare(&mut tx, &declared).await.unwrap().unwrap();
    assert!(
        targets::declare(&mut tx, &declared).await.unwrap().is_none(),
        "it is declared already"
    );
    let of = targets::of(&mut tx, front.id, staging.id).await.unwrap();
    assert_eq!(of.iter().map(|row| row.target.id).collect::<Vec<_>>(), [id]);
    assert_eq!(of[0].target.labels, labels(&[("region", "eu"), ("tier", "2")]));

    targets::retire(&mut tx, id).await.unwrap();
    assert!(matches!(
        targets::retire(&mut tx, id).await,
        Err(Error::Guard { .. })
    ));
    assert_eq!(
        targets::of(&mut tx, front.id, staging.id).await.unwrap().len(),
        2,
        "the default counts again"
    );
    assert_eq!(
        targets::declare(&mut tx, &declared).await.unwrap(),
        Some(id),
        "the same target, with its history"
    );
}

#[tokio::test]
async fn a_default_target_is_declared_in_its_place_and_falls_back() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let front = service(&mut tx, "storefront", shop).await;
    let eu = cluster(&mut tx, "eu", &[]).await;
    let staging = environment(&mut tx, "staging", &[eu.id]).await;
    let default = targets::ensure_default(&mut tx, &front, &staging, &eu)
        .await
        .unwrap();
    let own = labels(&[("wave", "1")]);
    let declared = targets::Declared {
        service: front.id,
        environment: staging.id,
        cluster: eu.id,
        namespace: &front.name,
        labels: &own,
    };
    assert_eq!(
        targets::declare(&mut tx, &declared).await.unwrap(),
        Some(default.id)
    );
    targets::retire(&mut tx, default.id).await.unwrap();
    let back = targets::ensure_default(&mut tx, &front, &staging, &eu)
        .await
        .unwrap();
    assert_eq!(back.id, default.id);
    let row = targets::get(&mut tx, back.id).await.unwrap().unwrap();
    assert_eq!(
        (row.declared, row.retired, row.target.labels.len()),
        (false, false, 0)
    );
    // A cluster that has left the environment is no place to land.
    let us = cluster(&mut tx, "us", &[]).await;
    environments::update(&mut tx, &staging, Some(&[us.id]))
        .await
        .unwrap();
    assert!(
        targets::of(&mut tx, front.id, staging.id)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn what_a_target_runs_and_holds_is_kept() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let front = service(&mut tx, "storefront", shop).await;
    let eu = cluster(&mut tx, "eu", &[]).await;
    let staging = environment(&mut tx, "staging", &[eu.id]).await;
    let id = targets::ensure_default(&mut tx, &front, &staging, &eu)
        .await
        .unwrap()
        .id;
    let bundle = Bundle::parse(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}",
        &Limits::default(),
    )
    .unwrap();
    let inventory = Inventory::default().union(&bundle.refs());
    targets::set_inventory(&mut tx, id, &inventory).await.unwrap();
    let now = TargetNow {
        release: ReleaseId::new(),
        deployment: DeploymentId::new(),
        rendering: Digest::of_bytes(b"rendering"),
    };
    targets::set_now(&mut tx, id, Some(&now)).await.unwrap();
    let row = targets::get(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((row.inventory, row.target.now), (inventory, Some(now)));
    targets::set_now(&mut tx, id, None).await.unwrap();
    assert_eq!(targets::get(&mut tx, id).await.unwrap().unwrap().target.now, None);
    assert_eq!(targets::busy(&mut tx, id).await.unwrap(), None);
    sqlx::query("UPDATE targets SET now_release_id = gen_random_uuid()")
        .execute(tx.conn())
        .await
        .unwrap();
    assert!(
        matches!(targets::get(&mut tx, id).await, Err(Error::ImpossibleRow { column, .. }) if column == "now_release_id")
    );
}

#[tokio::test]
async fn targets_are_listed_for_the_team_and_for_the_environment() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let front = service(&mut tx, "storefront", shop).await;
    let eu = cluster(&mut tx, "eu", &[]).await;
    let staging = environment(&mut tx, "staging", &[eu.id]).await;
    targets::ensure_default(&mut tx, &front, &staging, &eu)
        .await
        .unwrap();
    let filter = targets::Filter {
        service: Some(front.id),
        ..targets::Filter::default()
    };
    for (visible, seen) in [
        (
            Visible {
                teams: vec![shop],
                ..Visible::default()
            },
            1,
        ),
        (
            Visible {
                environments: vec![staging.id],
                ..Visible::default()
            },
            1,
        ),
        (
            Visible {
                environments: vec![EnvironmentId::new()],
                teams: vec![TeamId::new()],
                ..Visible::default()
            },
            0,
        ),
    ] {
        assert_eq!(
            targets::list(&mut tx, filter, &visible, None, 10)
                .await
                .unwrap()
                .len(),
            seen,
            "{visible:?}"
        );
    }
}

#[tokio::test]
async fn a_credential_is_replaced_only_when_a_new_one_is_given() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let eu = cluster(&mut tx, "eu", &[]).await;
    let saved = |server| clusters::Saved {
        id: eu.id,
        name: &eu.name,
        server,
        certificate_authority: None,
        tls_server_name: None,
        labels: &eu.labels,
        grants: &eu.grants,
    };
    clusters::update(&mut tx, 1, &saved("https://one"), None)
        .await
        .unwrap();
    assert_eq!(
        clusters::connection(&mut tx, eu.id)
            .await
            .unwrap()
            .unwrap()
            .sealed
            .credential,
        [1, 2, 3]
    );
    let sealed = clusters::Sealed {
        credential: vec![4],
        key: "k2".to_owned(),
    };
    clusters::update(&mut tx, 2, &saved("https://two"), Some(&sealed))
        .await
        .unwrap();
    let stored = clusters::connection(&mut tx, eu.id).await.unwrap().unwrap();
    assert_eq!(
        (
            stored.sealed.credential,
            stored.sealed.key.as_str(),
            stored.revision
        ),
        (vec![4], "k2", 3)
    );
    assert!(matches!(
        clusters::update(&mut tx, 2, &saved("https://x"), None).await,
        Err(Error::Guard { .. })
    ));
}

async fn author(tx: &mut Tx) -> PrincipalId {
    principals::ensure(tx, "https://i", "eve", PrincipalKind::Human, "Eve")
        .await
        .unwrap()
        .0
        .id
}

async fn register(
    tx: &mut Tx,
    component: slipway_domain::ids::ComponentId,
    version: &str,
    text: &str,
    by: PrincipalId,
) -> Option<ComponentVersionId> {
    let bundle = Bundle::parse(text, &Limits::default()).unwrap();
    let new = components::NewVersion {
        component,
        version: &Version::parse(version).unwrap(),
        digest: Digest::of_bytes(text.as_bytes()),
        bundle_digest: bundle.digest(),
        objects: &bundle.refs(),
        bundle: &bundle,
        source: None,
        requires: &[],
        images: &[],
        created_by: by,
    };
    components::insert_version(tx, &new).await.unwrap()
}

#[tokio::test]
async fn a_bundle_is_stored_once_and_read_back_to_the_digest() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let by = author(&mut tx).await;
    let new = components::New {
        name: &name("web"),
        kind: ComponentKind::Manifests,
        team: shop,
        description: "",
    };
    let web = components::insert(&mut tx, &new).await.unwrap();
    // Numbers, order of objects and odd characters: whatever the database does to them must not change the digest.
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: z}\nspec: {a: 1.50, b: 1e2, c: 1e-7, d: -0.0, e: 9007199254740991}\n\
                ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {emoji: \"\u{1F980}\", quote: '\"\\'}\n";
    let first = register(&mut tx, web, "1.0.0", text, by).await.unwrap();
    let second = register(&mut tx, web, "1.0.1", text, by).await.unwrap();
    assert!(
        register(&mut tx, web, "1.0.0", text, by).await.is_none(),
        "the version is there already"
    );
    let bundles: i64 = sqlx::query_scalar("SELECT count(*) FROM bundles")
        .fetch_one(tx.conn())
        .await
        .unwrap();
    assert_eq!(bundles, 1);
    let written = Bundle::parse(text, &Limits::default()).unwrap();
    for id in [first, second] {
        let read = Bundle {
            objects: components::bundle(&mut tx, id).await.unwrap(),
        };
        assert_eq!(read.digest(), written.digest());
        assert_eq!(read.refs(), written.refs());
    }
    assert!(
        components::bundle(&mut tx, ComponentVersionId::new())
            .await
            .unwrap()
            .is_empty()
    );
    let newest: Vec<_> = components::versions(&mut tx, web, None, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|v| v.version.to_string())
        .collect();
    assert_eq!(newest.len(), 2);
    let found = components::find_version(&mut tx, "web", &Version::new(1, 0, 1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.id, found.component_name.as_str()), (second, "web"));
}

#[tokio::test]
async fn a_version_leaves_the_state_it_was_read_in_only_once() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let by = author(&mut tx).await;
    let new = components::New {
        name: &name("web"),
        kind: ComponentKind::Manifests,
        team: shop,
        description: "",
    };
    let web = components::insert(&mut tx, &new).await.unwrap();
    let id = register(
        &mut tx,
        web,
        "1.0.0",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}",
        by,
    )
    .await
    .unwrap();
    let read = components::version(&mut tx, id).await.unwrap().unwrap();
    components::set_version_state(&mut tx, &read, VersionState::Recalled, "it leaks")
        .await
        .unwrap();
    let late = components::set_version_state(&mut tx, &read, VersionState::Deprecated, "old").await;
    assert!(matches!(late, Err(Error::Guard { .. })));
    let now = components::version(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((now.state, now.revision), (VersionState::Recalled, 2));
}

#[tokio::test]
async fn grants_and_tokens_are_read_as_they_are_at_this_moment() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let eve = author(&mut tx).await;
    let grants = [
        Grant {
            role: Role::Engineer,
            scope: Scope::Team(shop),
        },
        Grant {
            role: Role::Viewer,
            scope: Scope::Everything,
        },
    ];
    let mut bindings = Vec::new();
    for grant in grants {
        bindings.push(role_bindings::insert(&mut tx, eve, grant).await.unwrap());
    }
    let new = tokens::New {
        principal: eve,
        name: "nightly",
        hash: [7; 32],
        roles: &[Role::Engineer],
        expires_at: tx.now + jiff::SignedDuration::from_mins(5),
    };
    let token = tokens::insert(&mut tx, &new).await.unwrap();
    assert_eq!(
        role_bindings::get(&mut tx, bindings[0])
            .await
            .unwrap()
            .unwrap()
            .team,
        Some(name("shop"))
    );
    tx.commit().await.unwrap();

    let signed_in = principals::signed_in(&db.database, "https://i", "eve")
        .await
        .unwrap();
    let (principal, held) = signed_in.known.unwrap();
    assert_eq!((principal.id, held.len()), (eve, 2));
    assert!(
        principals::signed_in(&db.database, "https://other", "eve")
            .await
            .unwrap()
            .known
            .is_none()
    );
    let presented = tokens::presented(&db.database, &[7; 32]).await.unwrap().unwrap();
    assert_eq!((presented.token.id, presented.grants.len()), (token, 2));
    assert!(presented.token.expires_at > presented.now);
    assert!(tokens::presented(&db.database, &[8; 32]).await.unwrap().is_none());

    let mut tx = db.database.begin().await.unwrap();
    role_bindings::delete(&mut tx, bindings[0]).await.unwrap();
    role_bindings::delete(&mut tx, bindings[1]).await.unwrap();
    assert!(matches!(
        role_bindings::delete(&mut tx, bindings[1]).await,
        Err(Error::Guard { .. })
    ));
    assert!(tokens::revoke(&mut tx, token).await.unwrap());
    assert!(!tokens::revoke(&mut tx, token).await.unwrap());
    assert!(!tokens::revoke(&mut tx, TokenId::new()).await.unwrap());
    tx.commit().await.unwrap();
    let signed_in = principals::signed_in(&db.database, "https://i", "eve")
        .await
        .unwrap();
    assert!(signed_in.known.unwrap().1.is_empty());
    assert!(
        tokens::presented(&db.database, &[7; 32])
            .await
            .unwrap()
            .unwrap()
            .token
            .revoked_at
            .is_some()
    );
}
