//! Authorisation beyond a number of people: groups, escalation, absences, delegation, sign-in, and what withdraws decisions.

use crate::shop::{Setup, Shop, code, words};
use jiff::{SignedDuration, Timestamp};
use slipway_app::{
    Error,
    approvals::{ApprovalView, Decide, RequirementInput},
    environments::SettingsInput,
    timers,
};
use slipway_domain::{
    approval::{
        Answer, ApprovalState, SignedIn,
        delegation::{Delegation, Scope},
        escalation::Away,
    },
    deployment::StateName,
    identity::{Actor, Proof, Role},
    ids::DeploymentId,
};
use slipway_store::{Ref, absences, delegations, groups};

/// One cluster, and nobody asked until [`wants`] says so.
async fn open() -> Shop {
    let approvals = RequirementInput {
        count: 1,
        role: "authority".to_owned(),
        ..RequirementInput::default()
    };
    Shop::with(Setup {
        clusters: &["eu"],
        production: SettingsInput {
            approvals: Some(Some(approvals)),
            ..SettingsInput::default()
        },
        ..Setup::default()
    })
    .await
}

/// What production asks for, below the application.
async fn wants(shop: &Shop, requirement: &str) {
    let sql = format!(
        "UPDATE environments SET settings = jsonb_set(settings, '{{approvals}}', '{requirement}') WHERE name = 'production'"
    );
    assert_eq!(shop.sql(&sql).await.unwrap(), 1);
}

/// Somebody with authority, in a group.
async fn member(shop: &Shop, name: &str, group: &str) -> Actor {
    let actor = shop.person(name, &[Role::Authority]).await;
    let mut tx = shop.app.begin().await.unwrap();
    let group: slipway_domain::Name = group.parse().unwrap();
    let found = match groups::find(&mut tx, &Ref::Name(group.to_string()))
        .await
        .unwrap()
    {
        Some(found) => found,
        None => groups::insert(&mut tx, &group, "").await.unwrap(),
    };
    groups::add_member(&mut tx, &found, actor.principal.id)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    actor
}

async fn asked(shop: &Shop) -> DeploymentId {
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let id = shop.ask(&release, "production").await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Pending);
    id
}

/// Lets people have been asked longer ago.
async fn ago(shop: &Shop, minutes: u32) {
    let sql = format!(
        "UPDATE approvals SET created_at = created_at - interval '{minutes} minutes', look_at = now()"
    );
    shop.sql(&sql).await.unwrap();
}

async fn told(shop: &Shop, action: &str) -> i64 {
    shop.number(&format!(
        "SELECT count(*) FROM audit_entries WHERE action = '{action}'"
    ))
    .await
}

/// Decides in the place of another.
async fn stands_in(shop: &Shop, actor: &Actor, of: &str, id: DeploymentId) -> Result<ApprovalView, Error> {
    let approval = shop.view(id).await.approval.expect("a request").to_string();
    let input = Decide {
        answer: Answer::Approve,
        digest: shop.shown(&approval).await,
        comment: None,
        on_behalf_of: Some(of.to_owned()),
    };
    shop.decide_as(actor, &approval, input).await
}

/// An hour of somebody deciding for another.
async fn delegates(shop: &Shop, from: &Actor, to: &Actor) {
    let mut tx = shop.app.begin().await.unwrap();
    let new = Delegation {
        from: from.principal.id,
        to: to.principal.id,
        starts: tx.now,
        ends: tx.now + SignedDuration::from_hours(1),
        scope: Scope::Everything,
        reason: "away".to_owned(),
        revoked_at: None,
    };
    delegations::insert(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn only_those_of_a_group_that_is_asked_decide_for_it() {
    let shop = open().await;
    let olga = member(&shop, "olga", "on-call").await;
    wants(&shop, r#"{"count": 2, "role": "authority", "any_of": ["on-call"], "named": [{"issuer": "https://issuer.test", "subject": "abe"}]}"#).await;
    let id = asked(&shop).await;
    assert_eq!(code(shop.approve(id).await), "not-asked", "ada is in no group");
    let abe = shop.who("abe").await;
    let view = shop.decide(&abe, id, Answer::Approve, None).await.unwrap();
    let missing: Vec<_> = view.quorum.missing.iter().map(ToString::to_string).collect();
    assert_eq!(missing, ["1 more of group on-call"]);
    shop.decide(&olga, id, Answer::Approve, None).await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Queued);
    // Whoever is taken out of the group does not count any more when it is claimed.
    shop.sql("DELETE FROM group_members").await.unwrap();
    assert!(shop.claim().await.is_empty());
    assert_eq!(shop.state(id).await, StateName::Pending);
    shop.check().await;
}

#[tokio::test]
async fn when_nobody_answers_the_next_group_is_asked_once_and_may_answer() {
    let shop = open().await;
    member(&shop, "olga", "on-call").await;
    let dirk = member(&shop, "dirk", "directors").await;
    wants(&shop, r#"{"count": 1, "role": "authority", "any_of": ["on-call"], "remind_every": "PT5M", "escalate": [{"after": "PT10M", "to": "directors"}]}"#).await;
    let id = asked(&shop).await;
    timers::tell(&shop.app).await.unwrap();
    assert_eq!(
        code(shop.decide(&dirk, id, Answer::Approve, None).await),
        "not-asked"
    );
    ago(&shop, 6).await;
    timers::tell(&shop.app).await.unwrap();
    assert_eq!(
        (
            told(&shop, "approval.remind").await,
            told(&shop, "approval.escalate").await
        ),
        (1, 0)
    );
    ago(&shop, 6).await;
    // However often, and by however many servers it is looked at: once.
    let (a, b) = tokio::join!(timers::tell(&shop.app), timers::tell(&shop.app));
    a.unwrap();
    b.unwrap();
    shop.sql("UPDATE approvals SET look_at = now()").await.unwrap();
    timers::tell(&shop.app).await.unwrap();
    assert_eq!(
        (
            told(&shop, "approval.remind").await,
            told(&shop, "approval.escalate").await
        ),
        (2, 1)
    );
    let to = shop
        .text("SELECT data->'data'->>'to' FROM audit_entries WHERE action = 'approval.escalate'")
        .await;
    assert_eq!(to, "group directors");
    let view = shop.decide(&dirk, id, Answer::Approve, None).await.unwrap();
    assert_eq!(view.approval.state, ApprovalState::Approved);
    assert_eq!(shop.state(id).await, StateName::Queued);
    shop.check().await;
}

#[tokio::test]
async fn when_everybody_is_away_the_next_are_asked_at_once() {
    let shop = open().await;
    let olga = member(&shop, "olga", "on-call").await;
    let dirk = member(&shop, "dirk", "directors").await;
    wants(&shop, r#"{"count": 1, "role": "authority", "any_of": ["on-call"], "escalate": [{"after": "PT10H", "to": "directors"}]}"#).await;
    let mut tx = shop.app.begin().await.unwrap();
    let away = Away {
        who: olga.principal.id,
        from: tx.now,
        until: tx.now + SignedDuration::from_hours(8),
    };
    absences::insert(&mut tx, &away).await.unwrap();
    tx.commit().await.unwrap();
    let id = asked(&shop).await;
    timers::tell(&shop.app).await.unwrap();
    assert_eq!(told(&shop, "approval.escalate").await, 1);
    shop.decide(&dirk, id, Answer::Approve, None).await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    shop.check().await;
}

#[tokio::test]
async fn what_nobody_answers_in_time_expires_and_a_late_yes_is_refused_and_recorded() {
    let shop = open().await;
    wants(
        &shop,
        r#"{"count": 1, "role": "authority", "expires_after": "PT1H"}"#,
    )
    .await;
    let id = asked(&shop).await;
    timers::tell(&shop.app).await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Pending);
    ago(&shop, 61).await;
    // Too late, even before any timer has noticed.
    let late = shop.approve(id).await;
    assert_eq!(code(shop.approve(id).await), "approval-state");
    assert!(words(late).contains("expired at"));
    timers::tell(&shop.app).await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Expired);
    assert_eq!(code(shop.approve(id).await), "approval-state");
    assert_eq!(told(&shop, "approval.refuse").await, 3);
    assert_eq!(shop.number("SELECT count(*) FROM decisions").await, 0);
    shop.look().await;
    assert!(shop.claim().await.is_empty());
    shop.check().await;
}

#[tokio::test]
async fn a_delegate_decides_by_what_the_other_may_and_counts_as_them() {
    let shop = open().await;
    let ada = shop.who("ada").await;
    let dora = shop.person("dora", &[]).await;
    let id = asked(&shop).await;
    assert_eq!(
        code(stands_in(&shop, &dora, "ada", id).await),
        "not-found",
        "she may not even see it"
    );
    let abe = shop.who("abe").await;
    assert_eq!(code(stands_in(&shop, &abe, "ada", id).await), "no-delegation");
    delegates(&shop, &ada, &dora).await;
    assert_eq!(
        code(shop.decide(&dora, id, Answer::Approve, None).await),
        "lacking",
        "not on her own"
    );
    let view = stands_in(&shop, &dora, "ada", id).await.unwrap();
    let decision = view.approval.decisions.first().unwrap();
    assert_eq!((decision.by, decision.of), (dora.principal.id, ada.principal.id));
    assert!(decision.delegation.is_some());
    assert_eq!(code(shop.approve(id).await), "approval-state");
    assert_eq!(shop.state(id).await, StateName::Queued);
    // It counts by what ada is entitled to when it is claimed.
    shop.sql("DELETE FROM role_bindings WHERE role = 'authority'")
        .await
        .unwrap();
    assert!(shop.claim().await.is_empty());
    assert_eq!(shop.state(id).await, StateName::Pending);
    shop.check().await;
}

#[tokio::test]
async fn nobody_decides_for_the_one_who_sealed_it_nor_on_what_their_own_delegate_sealed() {
    let shop = open().await;
    let (ada, ana) = (shop.who("ada").await, shop.who("ana").await);
    let dora = shop.person("dora", &[]).await;
    delegates(&shop, &ana, &dora).await;
    // ana acts for ada as well: what she seals, ada may not approve.
    delegates(&shop, &ada, &ana).await;
    let id = asked(&shop).await;
    assert_eq!(
        code(stands_in(&shop, &dora, "ana", id).await),
        "separation-of-duties"
    );
    let refused = shop.approve(id).await;
    assert!(words(refused).contains("a delegate of yours"));
    assert_eq!(shop.state(id).await, StateName::Pending);
    let abe = shop.who("abe").await;
    shop.decide(&abe, id, Answer::Approve, None).await.unwrap();
    shop.check().await;
}

#[tokio::test]
async fn what_is_critical_takes_a_sign_in_that_is_recent_and_strong() {
    let shop = open().await;
    wants(
        &shop,
        r#"{"count": 1, "role": "authority", "sign_in": {"max_age": "PT15M", "methods": ["hwk"]}}"#,
    )
    .await;
    let id = asked(&shop).await;
    let now = shop.app.begin().await.unwrap().now;
    let signed_in = |minutes: i64, methods: &[&str]| {
        let at: Timestamp = now - SignedDuration::from_mins(minutes);
        SignedIn {
            at: Some(at),
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        }
    };
    let ada = shop.who("ada").await;
    let until = ada.until().unwrap();
    for weak in [
        SignedIn::default(),
        signed_in(16, &["pwd", "hwk"]),
        signed_in(1, &["pwd"]),
    ] {
        let actor = Actor {
            proof: Proof::SignedIn {
                until,
                signed_in: weak,
            },
            ..ada.clone()
        };
        let refused = shop.decide(&actor, id, Answer::Approve, None).await;
        assert!(matches!(refused, Err(Error::SignInAgain(_))), "{refused:?}");
    }
    let strong = Actor {
        proof: Proof::SignedIn {
            until,
            signed_in: signed_in(1, &["pwd", "hwk"]),
        },
        ..ada
    };
    shop.decide(&strong, id, Answer::Approve, None).await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    shop.check().await;
}

#[tokio::test]
async fn whatever_changes_of_what_approvers_saw_withdraws_what_they_decided_and_says_so() {
    let shop = open().await;
    let id = asked(&shop).await;
    shop.approve(id).await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Queued);
    let approval = shop.view(id).await.approval.unwrap().to_string();
    let before = shop.shown(&approval).await;
    // Behind the back of whoever approved, and of every timer: the claim notices.
    shop.sql("UPDATE deployments SET force_conflicts = true WHERE state = 'queued'")
        .await
        .unwrap();
    assert!(shop.claim().await.is_empty());
    assert_eq!(shop.state(id).await, StateName::Pending);
    shop.look().await;
    assert_ne!(shop.shown(&approval).await, before);
    let because = shop.text("SELECT withdrawn_because FROM decisions").await;
    assert_eq!(because, "force_conflicts was false and is true");
    assert_eq!(told(&shop, "approval.change").await, 1);
    let ada = shop.who("ada").await;
    assert_eq!(
        code(shop.decide(&ada, id, Answer::Approve, Some(before)).await),
        "approval-digest"
    );
    shop.look().await;
    assert!(shop.claim().await.is_empty());
    // The same person decides again, on what it is now.
    shop.approve(id).await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    shop.check().await;
}

#[tokio::test]
async fn a_change_that_no_look_has_seen_yet_is_shown_to_whoever_decides_on_what_it_was() {
    let shop = open().await;
    let id = asked(&shop).await;
    let approval = shop.view(id).await.approval.unwrap().to_string();
    let before = shop.shown(&approval).await;
    shop.sql("UPDATE deployments SET force_conflicts = true WHERE state = 'pending'")
        .await
        .unwrap();
    let ada = shop.who("ada").await;
    assert_eq!(
        code(shop.decide(&ada, id, Answer::Approve, Some(before)).await),
        "approval-digest"
    );
    assert_ne!(
        shop.shown(&approval).await,
        before,
        "and they see it from then on"
    );
    shop.approve(id).await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Queued);
    shop.check().await;
}
