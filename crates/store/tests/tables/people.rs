//! Groups, delegations and absences: rows in and out.

use crate::setup::{environment, name, service};
use jiff::{SignedDuration, Timestamp};
use slipway_domain::{
    Name,
    approval::{
        delegation::{Delegation, Scope},
        escalation::Away,
    },
    identity::PrincipalKind,
    ids::{GroupTag, PrincipalId},
};
use slipway_store::{Error, Ref, Tx, absences, delegations, groups, principals, services, teams};
use slipway_testkit::TestDb;
use std::collections::BTreeSet;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

async fn person(tx: &mut Tx, subject: &str) -> PrincipalId {
    principals::ensure(tx, "https://i", subject, PrincipalKind::Human, subject)
        .await
        .unwrap()
        .0
        .id
}

async fn found(tx: &mut Tx, called: &str) -> groups::Group {
    let reference = Ref::parse::<GroupTag>(called);
    groups::find(tx, &reference).await.unwrap().unwrap()
}

#[tokio::test]
async fn who_is_in_a_group_is_changed_only_from_what_was_read() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let (ana, ben, cleo) = (
        person(&mut tx, "ana").await,
        person(&mut tx, "ben").await,
        person(&mut tx, "cleo").await,
    );
    let made = groups::insert(&mut tx, &name("risk"), "Says no.").await.unwrap();
    assert_eq!((made.revision, made.description.as_str()), (1, "Says no."));
    groups::insert(&mut tx, &name("empty"), "").await.unwrap();
    groups::add_member(&mut tx, &made, ana).await.unwrap();
    assert!(matches!(
        groups::add_member(&mut tx, &made, ben).await,
        Err(Error::Guard { rows: 0, .. })
    ));
    assert!(matches!(
        groups::remove_member(&mut tx, &made, ana).await,
        Err(Error::Guard { rows: 0, .. })
    ));
    assert!(matches!(
        groups::set_members(&mut tx, &made, &BTreeSet::new()).await,
        Err(Error::Guard { rows: 0, .. })
    ));
    let now = found(&mut tx, "risk").await;
    assert_eq!(now.revision, 2);
    groups::set_members(&mut tx, &now, &BTreeSet::from([ana, ben]))
        .await
        .unwrap();
    let mut now = found(&mut tx, &made.id.to_string()).await;
    now.description = "Says yes.".to_owned();
    groups::set_members(&mut tx, &now, &BTreeSet::from([ben, cleo]))
        .await
        .unwrap();
    let asked = [name("risk"), name("empty"), name("nobody")];
    let all = groups::members_of(&mut tx, &asked).await.unwrap();
    assert_eq!(all[&asked[0]], BTreeSet::from([ben, cleo]));
    assert!(all[&asked[1]].is_empty());
    assert!(!all.contains_key(&asked[2]));
    assert_eq!(groups::missing(&mut tx, &asked).await.unwrap(), [name("nobody")]);

    let now = found(&mut tx, "risk").await;
    groups::remove_member(&mut tx, &now, cleo).await.unwrap();
    let now = found(&mut tx, "risk").await;
    assert_eq!((now.revision, now.description.as_str()), (5, "Says yes."));
    let empty = found(&mut tx, "empty").await;
    let sizes = groups::sizes(&mut tx, &[now.id, empty.id]).await.unwrap();
    assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [(now.id, 1)]);
    assert!(matches!(
        groups::remove_member(&mut tx, &now, cleo).await,
        Err(Error::Guard { rows: 0, .. })
    ));
    let of = groups::of(&mut tx, &[ana, ben, cleo]).await.unwrap();
    assert_eq!(of.into_iter().collect::<Vec<_>>(), [(ben, vec![name("risk")])]);
    let names: Vec<_> = groups::list(&mut tx, None, 10).await.unwrap();
    let names: Vec<_> = names.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["empty", "risk"]);
}

#[tokio::test]
async fn a_group_is_called_so_once_and_nobody_is_in_it_twice() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    groups::insert(&mut tx, &name("risk"), "").await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.database.begin().await.unwrap();
    let taken = groups::insert(&mut tx, &name("risk"), "").await.unwrap_err();
    assert!(taken.is_duplicate("groups_name_key"), "{taken}");
    drop(tx);
    let mut tx = db.database.begin().await.unwrap();
    let ana = person(&mut tx, "ana").await;
    let risk = found(&mut tx, "risk").await;
    groups::add_member(&mut tx, &risk, ana).await.unwrap();
    let risk = found(&mut tx, "risk").await;
    let twice = groups::add_member(&mut tx, &risk, ana).await.unwrap_err();
    assert!(twice.is_duplicate("group_members_pkey"), "{twice}");
}

fn delegation(from: PrincipalId, to: PrincipalId, scope: Scope, starts: Timestamp) -> Delegation {
    Delegation {
        from,
        to,
        starts,
        ends: starts + HOUR,
        scope,
        reason: "At the sea.".to_owned(),
        revoked_at: None,
    }
}

#[tokio::test]
async fn a_delegation_is_read_as_it_was_written_and_taken_back_once() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let now = tx.now;
    let (ana, ben, cleo) = (
        person(&mut tx, "ana").await,
        person(&mut tx, "ben").await,
        person(&mut tx, "cleo").await,
    );
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let production = environment(&mut tx, "production", &[]).await.id;
    let mut made = Vec::new();
    for (from, to, scope, called) in [
        (ana, ben, Scope::Everything, (None, None)),
        (ben, cleo, Scope::Team(shop), (Some("shop"), None)),
        (
            cleo,
            ana,
            Scope::Environment(production),
            (None, Some("production")),
        ),
    ] {
        let new = delegation(from, to, scope, now);
        let id = delegations::insert(&mut tx, &new).await.unwrap();
        let stored = delegations::get(&mut tx, id).await.unwrap().unwrap();
        assert_eq!(stored.delegation, new);
        let names = (stored.team.as_ref(), stored.environment.as_ref());
        assert_eq!((names.0.map(Name::as_str), names.1.map(Name::as_str)), called);
        made.push(id);
    }
    let ids = |all: Vec<delegations::Stored>| all.into_iter().map(|d| d.id).collect::<Vec<_>>();
    let all = delegations::list(&mut tx, None, None, 10).await.unwrap();
    assert_eq!(ids(all), [made[2], made[1], made[0]]);
    let of_ben = delegations::list(&mut tx, Some(ben), None, 10).await.unwrap();
    assert_eq!(ids(of_ben), [made[1], made[0]]);
    let older = delegations::list(&mut tx, Some(ben), Some(made[1].uuid()), 10).await;
    assert_eq!(ids(older.unwrap()), [made[0]]);

    let later = now + HOUR / 2;
    delegations::revoke(&mut tx, made[0], later).await.unwrap();
    assert!(matches!(
        delegations::revoke(&mut tx, made[0], later + HOUR).await,
        Err(Error::Guard { rows: 0, .. })
    ));
    let back = delegations::get(&mut tx, made[0]).await.unwrap().unwrap();
    assert_eq!(back.delegation.revoked_at, Some(later));
    let of_ana = delegations::involving(&mut tx, &[ana]).await.unwrap();
    assert_eq!(ids(of_ana), [made[0], made[2]]);
    assert!(delegations::involving(&mut tx, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_absence_ends_early_but_is_never_gone() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let now = tx.now;
    let (ana, ben) = (person(&mut tx, "ana").await, person(&mut tx, "ben").await);
    let away = |who, from| Away {
        who,
        from,
        until: from + HOUR,
    };
    let begun = absences::insert(&mut tx, &away(ana, now)).await.unwrap();
    let to_come = absences::insert(&mut tx, &away(ana, now + HOUR * 24))
        .await
        .unwrap();
    let of_ben = absences::insert(&mut tx, &away(ben, now)).await.unwrap();
    let early = now + HOUR / 2;
    for id in [begun, to_come] {
        absences::end(&mut tx, id, early).await.unwrap();
        assert!(matches!(
            absences::end(&mut tx, id, early).await,
            Err(Error::Guard { rows: 0, .. })
        ));
    }
    // It is over by itself.
    assert!(absences::end(&mut tx, of_ben, now + HOUR).await.is_err());
    let was = absences::of(&mut tx, &[ana]).await.unwrap();
    let was: Vec<_> = was.iter().map(|away| (away.from, away.until)).collect();
    assert_eq!(
        was,
        [(now, early), (now + HOUR * 24, now + HOUR * 24)],
        "an absence that never was takes no time"
    );
    let ended = absences::get(&mut tx, begun).await.unwrap().unwrap();
    assert_eq!((ended.revision, ended.away.who), (2, ana));
    let ids = |all: Vec<absences::Absence>| all.into_iter().map(|a| a.id).collect::<Vec<_>>();
    let all = absences::list(&mut tx, None, None, 10).await.unwrap();
    assert_eq!(ids(all), [of_ben, to_come, begun]);
    let of_ana = absences::list(&mut tx, Some(&[ana]), None, 10).await.unwrap();
    assert_eq!(ids(of_ana), [to_come, begun]);
    let nobody = absences::list(&mut tx, Some(&[]), None, 10).await.unwrap();
    assert!(nobody.is_empty());
}

#[tokio::test]
async fn the_point_of_escalation_of_a_service_is_kept_and_taken_away() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let shop = teams::insert(&mut tx, &name("shop")).await.unwrap().id;
    let mut front = service(&mut tx, "storefront", shop).await;
    assert_eq!(front.escalation_group, None);
    front.escalation_group = Some(name("risk"));
    services::update(&mut tx, &front).await.unwrap();
    let mut now = services::get(&mut tx, front.id).await.unwrap().unwrap();
    assert_eq!(now.escalation_group.as_ref().map(Name::as_str), Some("risk"));
    now.escalation_group = None;
    services::update(&mut tx, &now).await.unwrap();
    let now = services::get(&mut tx, front.id).await.unwrap().unwrap();
    assert_eq!(now.escalation_group, None);
}
