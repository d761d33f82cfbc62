//! Going on without a gate: only where policies let it, by whoever is entitled, loudly, and answered for afterwards.

use crate::{
    policies::in_force,
    shop::{Shop, code, words},
};
use slipway_app::{
    Error,
    approvals::Decide,
    deployments::{self, DeploymentView, Emergency},
    reviews, timers,
};
use slipway_domain::{
    approval::{Answer, ApprovalState},
    deployment::StateName,
    gates::GateName,
    identity::{Actor, PrincipalKind, Role},
    ids::DeploymentId,
    policy::Document,
};
use std::sync::Arc;

fn emergency() -> Emergency {
    Emergency {
        justification: "the shop is down".to_owned(),
        incident: "INC-7".to_owned(),
    }
}

/// Asks for a report that nobody has, and lets these gates go.
fn proofs(gates: &[GateName]) -> Document {
    serde_json::from_value(serde_json::json!({
        "description": "", "scope": {"tiers": ["production"]}, "examples": [], "break_glass": {"gates": gates},
        "rules": [{"name": "proven", "expression": "false", "message": {"text": "it is proven"},
            "effect": {"require_evidence": {"kind": "test_report", "of": "release", "signed": false}}}],
    }))
    .unwrap()
}

async fn overrides(shop: &Shop, who: &Actor, id: DeploymentId, gate: &str) -> Result<DeploymentView, Error> {
    shop.act(async |tx| deployments::override_gate(tx, who, &id.to_string(), gate, emergency()).await)
        .await
}

async fn number(shop: &Shop, sql: &str) -> i64 {
    shop.number(sql).await
}

#[tokio::test]
async fn one_gate_goes_where_a_policy_lets_it_and_somebody_answers_for_it_afterwards() {
    let shop = Shop::open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    in_force(&shop, "proofs", proofs(&[GateName::Evidence])).await;
    let id = shop.ask(&release, "production").await.unwrap();
    shop.approve(id).await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Pending);
    let (ada, otto) = (shop.who("ada").await, shop.who("otto").await);
    assert_eq!(code(overrides(&shop, &otto, id, "evidence").await), "lacking");
    let mut machine = ada.clone();
    Arc::make_mut(&mut machine.principal).kind = PrincipalKind::Machine;
    assert_eq!(
        code(overrides(&shop, &machine, id, "evidence").await),
        "not-a-person"
    );
    for other in ["approval", "concurrency", "release", "policy"] {
        assert_eq!(
            code(overrides(&shop, &ada, id, other).await),
            "not-overridable",
            "{other}"
        );
    }
    assert_eq!(code(overrides(&shop, &ada, id, "luck").await), "invalid");
    let view = overrides(&shop, &ada, id, "evidence").await.unwrap();
    assert_eq!(
        code(overrides(&shop, &ada, id, "evidence").await),
        "already-overridden"
    );
    let gate = view
        .row
        .gates
        .iter()
        .find(|gate| gate.name == GateName::Evidence)
        .unwrap();
    assert!(
        gate.verdict
            .reason()
            .starts_with("OVERRIDDEN by ada for INC-7: the shop is down")
    );
    // What was approved was approved without that: it is decided on anew, and not by whoever took that on herself.
    assert_eq!(shop.state(id).await, StateName::Pending);
    assert!(words(shop.approve(id).await).contains("you may not decide on what you overrode"));
    let abe = shop.who("abe").await;
    shop.decide(&abe, id, Answer::Approve, None).await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    assert_eq!(
        number(
            &shop,
            "SELECT count(*) FROM audit_entries WHERE action = 'deployment.override'"
        )
        .await,
        1
    );
    // Whoever overrode it may not answer for it. Nobody else did yet: that is late after a day, and told once.
    let answer = shop
        .text("SELECT 'apr_' || id::text FROM approvals WHERE asked = 'afterwards'")
        .await;
    assert!(answer.starts_with("apr_"));
    shop.sql("UPDATE approvals SET created_at = created_at - interval '25 hours', look_at = now() WHERE asked = 'afterwards'")
        .await
        .unwrap();
    for _ in 0..2 {
        timers::tell(&shop.app).await.unwrap();
        shop.sql("UPDATE approvals SET look_at = now() WHERE asked = 'afterwards'")
            .await
            .unwrap();
    }
    assert_eq!(
        number(
            &shop,
            "SELECT count(*) FROM audit_entries WHERE action = 'approval.overdue'"
        )
        .await,
        1
    );
    assert_eq!(
        number(
            &shop,
            "SELECT count(*) FROM approvals WHERE asked = 'afterwards' AND state = 'pending'"
        )
        .await,
        1
    );
    shop.check().await;
}

#[tokio::test]
async fn whoever_broke_the_glass_does_not_answer_for_it_nor_review_it() {
    let shop = Shop::open().await;
    let dual = shop
        .person("dual", &[Role::Authority, Role::Operator, Role::Manager])
        .await;
    let release = shop.release("1.0.0").await;
    in_force(
        &shop,
        "proofs",
        proofs(&[
            GateName::Evidence,
            GateName::Approval,
            GateName::Promotion,
            GateName::Process,
        ]),
    )
    .await;
    let ask = deployments::Create {
        release: release.clone(),
        environment: "production".to_owned(),
        break_glass: Some(emergency()),
        ..Default::default()
    };
    // Not even staging was seen: in an emergency, policies say what that is worth.
    let id = shop
        .act(async |tx| deployments::create(&shop.app, tx, &dual, ask).await)
        .await
        .unwrap()
        .row
        .deployment
        .id;
    assert_eq!(shop.state(id).await, StateName::Queued);
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    let approval = shop
        .view(id)
        .await
        .approval_afterwards
        .expect("whom it is answered by")
        .to_string();
    let decide = |who: Actor| {
        let (shop, approval) = (&shop, approval.clone());
        async move {
            let input = Decide {
                answer: Answer::Approve,
                digest: shop.shown(&approval).await,
                comment: None,
                on_behalf_of: None,
            };
            shop.decide_as(&who, &approval, input).await
        }
    };
    assert_eq!(code(decide(dual.clone()).await), "separation-of-duties");
    let decided = decide(shop.who("ada").await).await.unwrap();
    assert_eq!(decided.approval.state, ApprovalState::Approved);
    let open = shop
        .act(async |tx| reviews::list(tx, &dual, Some(true), None, 10).await)
        .await
        .unwrap();
    let review = open[0].review.id.to_string();
    let close = async |who: &Actor, findings: &str| {
        shop.act(async |tx| reviews::close(tx, who, &review, findings).await)
            .await
    };
    assert_eq!(code(close(&dual, "all well").await), "separation-of-duties");
    assert_eq!(code(close(&shop.who("ada").await, "all well").await), "lacking");
    let ana = shop.who("ana").await;
    assert_eq!(code(close(&ana, " ").await), "invalid");
    close(&ana, "the scanner has a second one now").await.unwrap();
    assert_eq!(code(close(&ana, "again").await), "review-closed");
    shop.check().await;
}

#[tokio::test]
async fn without_a_policy_that_lets_it_nothing_is_asked_for_and_nothing_changes() {
    let shop = Shop::open().await;
    let dual = shop.person("dual", &[Role::Authority, Role::Operator]).await;
    let release = shop.release("1.0.0").await;
    let ask = || deployments::Create {
        release: release.clone(),
        environment: "production".to_owned(),
        break_glass: Some(emergency()),
        ..Default::default()
    };
    let refused = shop
        .act(async |tx| deployments::create(&shop.app, tx, &dual, ask()).await)
        .await;
    assert!(words(refused).contains("no policy in force lets storefront go without any gate in production"));
    in_force(&shop, "proofs", proofs(&[GateName::Evidence])).await;
    // The stage before is not among what may go.
    let refused = shop
        .act(async |tx| deployments::create(&shop.app, tx, &dual, ask()).await)
        .await;
    assert_eq!(code(refused), "not-promoted");
    // Nor may an operator alone.
    let otto = shop.who("otto").await;
    let refused = shop
        .act(async |tx| deployments::create(&shop.app, tx, &otto, ask()).await)
        .await;
    assert_eq!(code(refused), "lacking");
    for table in ["deployments", "overrides", "reviews", "approvals"] {
        assert_eq!(
            number(&shop, &format!("SELECT count(*) FROM {table}")).await,
            0,
            "{table}"
        );
    }
    shop.check().await;
}

#[tokio::test]
async fn a_policy_that_lets_nothing_go_any_more_holds_what_was_let_go() {
    let shop = Shop::open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    in_force(&shop, "proofs", proofs(&[GateName::Evidence, GateName::Approval])).await;
    let id = shop.ask(&release, "production").await.unwrap();
    let ada = shop.who("ada").await;
    overrides(&shop, &ada, id, "evidence").await.unwrap();
    overrides(&shop, &ada, id, "approval").await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Queued);
    // Those who were asked before are asked afterwards, once.
    assert_eq!(
        number(
            &shop,
            "SELECT count(*) FROM approvals WHERE asked = 'afterwards' AND state = 'pending'"
        )
        .await,
        1
    );
    in_force(&shop, "strict", proofs(&[GateName::Schedule])).await;
    assert!(shop.claim().await.is_empty());
    assert_eq!(shop.state(id).await, StateName::Pending);
    shop.check().await;
}
