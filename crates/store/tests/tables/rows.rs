//! Teams, services, environments, clusters, grants and tokens: rows in and out.

use crate::setup::{author, cluster, environment, name, service};
use slipway_domain::{
    Name,
    identity::{Grant, Role, Scope, Visible},
    ids::{ServiceTag, TeamId, TokenId},
};
use slipway_store::{Error, Ref, clusters, environments, principals, role_bindings, services, teams, tokens};
use slipway_testkit::TestDb;

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
