//! Who may decide on what.

use crate::shop::{Setup, Shop, code, compose, manifests, words};
use slipway_app::{approvals::RequirementInput, deployments, environments::SettingsInput, releases};
use slipway_domain::{
    Digest,
    approval::{Answer, ApprovalState},
    deployment::StateName,
    identity::{PrincipalKind, Proof, Role},
    ids::{DeploymentId, TokenId},
};
use std::sync::Arc;

fn quorum(count: u32) -> Setup {
    Setup {
        clusters: &["eu"],
        production: SettingsInput {
            approvals: Some(Some(RequirementInput {
                count,
                role: "authority".to_owned(),
                ..RequirementInput::default()
            })),
            ..SettingsInput::default()
        },
        ..Setup::default()
    }
}

/// Nothing came of it: no decision, no event, no move.
async fn unchanged(shop: &Shop, id: DeploymentId, decisions: i64) {
    assert_eq!(shop.number("SELECT count(*) FROM decisions").await, decisions);
    assert_eq!(shop.state(id).await, StateName::Pending);
    assert!(shop.claim().await.is_empty());
}

#[tokio::test]
async fn whoever_authored_edited_sealed_or_requested_it_may_not_decide_whatever_their_roles() {
    let shop = Shop::with(quorum(1)).await;
    for (name, role) in [
        ("author", Role::Manager),
        ("editor", Role::Manager),
        ("sealer", Role::Manager),
        ("requester", Role::Operator),
    ] {
        shop.person(name, &[role, Role::Authority]).await;
    }
    shop.version_of("1.0.0", &manifests("1.0.0")).await.unwrap();
    let author = shop.who("author").await;
    shop.act(async |tx| releases::compose(tx, &author, compose("storefront", "1.0.0")).await)
        .await
        .unwrap();
    let editor = shop.who("editor").await;
    let notes = releases::Update {
        notes: Some("better".to_owned()),
        ..Default::default()
    };
    shop.act(async |tx| releases::update(tx, &editor, "storefront@1.0.0", 1, notes).await)
        .await
        .unwrap();
    let sealer = shop.who("sealer").await;
    shop.act(async |tx| releases::seal(tx, &sealer, "storefront@1.0.0").await)
        .await
        .unwrap();
    shop.staged("storefront@1.0.0").await;
    let requester = shop.who("requester").await;
    let input = deployments::Create {
        release: "storefront@1.0.0".to_owned(),
        environment: "production".to_owned(),
        ..Default::default()
    };
    let id = shop
        .act(async |tx| deployments::create(&shop.app, tx, &requester, input).await)
        .await
        .unwrap()
        .row
        .deployment
        .id;
    for (who, verb) in [
        ("author", "authored"),
        ("editor", "edited"),
        ("sealer", "sealed"),
        ("requester", "requested"),
    ] {
        let actor = shop.who(who).await;
        for answer in [Answer::Approve, Answer::Reject] {
            let refused = shop.decide(&actor, id, answer, None).await;
            assert_eq!(
                code(shop.decide(&actor, id, answer, None).await),
                "separation-of-duties",
                "{who}"
            );
            assert!(words(refused).contains(verb));
        }
    }
    unchanged(&shop, id, 0).await;
    shop.approve(id).await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    shop.check().await;
}

#[tokio::test]
async fn without_the_role_without_signing_in_or_on_another_digest_nothing_is_decided() {
    let shop = Shop::with(quorum(1)).await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let id = shop.ask(&release, "production").await.unwrap();
    for who in ["root", "eve", "aud"] {
        let actor = shop.who(who).await;
        assert_eq!(
            code(shop.decide(&actor, id, Answer::Approve, None).await),
            "lacking",
            "{who}"
        );
    }
    let stranger = shop.person("sam", &[]).await;
    assert_eq!(
        code(shop.decide(&stranger, id, Answer::Approve, None).await),
        "not-found"
    );
    let ada = shop.who("ada").await;
    let mut token = ada.clone();
    token.proof = Proof::ApiToken {
        token: TokenId::new(),
        until: shop.app.begin().await.unwrap().now,
    };
    let mut machine = ada.clone();
    Arc::make_mut(&mut machine.principal).kind = PrincipalKind::Machine;
    let mut system = ada.clone();
    system.proof = Proof::System;
    for actor in [token, machine, system] {
        assert_eq!(
            code(shop.decide(&actor, id, Answer::Approve, None).await),
            "not-a-person"
        );
    }
    let other = Digest::of_bytes(b"another release");
    assert_eq!(
        code(shop.decide(&ada, id, Answer::Approve, Some(other)).await),
        "approval-digest"
    );
    unchanged(&shop, id, 0).await;
    shop.check().await;
}

#[tokio::test]
async fn two_people_are_needed_where_two_are_asked_for_and_nobody_counts_twice() {
    let shop = Shop::with(quorum(2)).await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let id = shop.ask(&release, "production").await.unwrap();
    assert_eq!(
        shop.approve(id).await.unwrap().approval.state,
        ApprovalState::Pending
    );
    assert_eq!(code(shop.approve(id).await), "already-decided");
    unchanged(&shop, id, 1).await;
    let abe = shop.who("abe").await;
    let view = shop.decide(&abe, id, Answer::Approve, None).await.unwrap();
    assert_eq!(view.approval.state, ApprovalState::Approved);
    assert_eq!(shop.state(id).await, StateName::Queued);
    let third = shop.person("third", &[Role::Authority]).await;
    assert_eq!(
        code(shop.decide(&third, id, Answer::Reject, None).await),
        "approval-state"
    );
    shop.check().await;
}

#[tokio::test]
async fn of_two_decisions_at_once_both_count_once() {
    let shop = Shop::with(quorum(2)).await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let id = shop.ask(&release, "production").await.unwrap();
    let (ada, abe) = (shop.who("ada").await, shop.who("abe").await);
    let (x, y, z) = tokio::join!(
        shop.decide(&ada, id, Answer::Approve, None),
        shop.decide(&abe, id, Answer::Approve, None),
        shop.decide(&ada, id, Answer::Approve, None)
    );
    assert!(y.is_ok());
    assert!(x.is_ok() != z.is_ok(), "{x:?} {z:?}");
    assert_eq!(shop.state(id).await, StateName::Queued);
    shop.check().await;
}

#[tokio::test]
async fn one_no_ends_it_and_a_late_yes_revives_nothing() {
    let shop = Shop::with(quorum(2)).await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let id = shop.ask(&release, "production").await.unwrap();
    let abe = shop.who("abe").await;
    shop.decide(&abe, id, Answer::Reject, None).await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Rejected);
    assert!(shop.reason(id).await.contains("abe"), "{}", shop.reason(id).await);
    assert_eq!(code(shop.approve(id).await), "approval-state");
    let cancelled = shop.ask(&release, "production").await.unwrap();
    shop.cancel(cancelled).await.unwrap();
    assert_eq!(code(shop.approve(cancelled).await), "approval-state");
    assert_eq!(shop.state(cancelled).await, StateName::Cancelled);
    shop.run_all().await;
    assert_eq!(shop.now("eu").await, None);
    shop.check().await;
}
