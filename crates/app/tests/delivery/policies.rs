//! Policies: who may put them in force, and what they do to deployments.

use crate::shop::{Setup, Shop, code, words};
use slipway_app::{
    Error,
    environments::SettingsInput,
    policies::{self, Evaluate, PolicyView},
};
use slipway_domain::{
    Faults,
    deployment::StateName,
    gates::{GateName, Verdict},
    ids::DeploymentId,
    policy::{Document, Kept, Overall, judged_by::LISTED},
};

/// A document of one rule, for production.
fn document(rule: &str, expression: &str, effect: &serde_json::Value) -> Document {
    serde_json::from_value(serde_json::json!({
        "description": "", "scope": {"tiers": ["production"]}, "examples": [],
        "rules": [{"name": rule, "expression": expression, "message": {"text": format!("{rule} must be so")}, "effect": effect}],
    }))
    .unwrap()
}

fn refuses(expression: &str) -> Document {
    document("calm", expression, &serde_json::json!("refuse"))
}

fn people(count: u32) -> Document {
    let effect = serde_json::json!({"require_approval": {"role": "authority", "count": count}});
    document("people", "false", &effect)
}

async fn write(shop: &Shop, name: &str, document: Document) -> Result<PolicyView, Error> {
    let ada = shop.who("ada").await;
    shop.act(async |tx| policies::create(tx, &ada, name, document, Faults::new()).await)
        .await
}

async fn activate(shop: &Shop, by: &str, name: &str, version: i64) -> Result<PolicyView, Error> {
    let actor = shop.who(by).await;
    shop.act(async |tx| policies::activate(tx, &actor, name, version).await)
        .await
}

/// Written by `ada`, put in force by `abe`.
pub(crate) async fn in_force(shop: &Shop, name: &str, document: Document) {
    write(shop, name, document).await.unwrap();
    activate(shop, "abe", name, 1).await.unwrap();
}

async fn retire(shop: &Shop, name: &str) {
    let ada = shop.who("ada").await;
    shop.act(async |tx| policies::retire(tx, &ada, name, "done with").await)
        .await
        .unwrap();
}

async fn gate(shop: &Shop, id: DeploymentId, name: GateName) -> (Verdict, serde_json::Value) {
    let gates = shop.view(id).await.row.gates;
    let gate = gates
        .into_iter()
        .find(|gate| gate.name == name)
        .expect("the gate");
    (gate.verdict, gate.inputs)
}

/// Production without approvals of its own.
async fn open() -> Shop {
    Shop::with(Setup {
        production: SettingsInput::default(),
        ..Setup::default()
    })
    .await
}

#[tokio::test]
async fn a_rule_that_refuses_rejects_the_deployment_and_says_why() {
    let shop = open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    in_force(
        &shop,
        "careful",
        refuses("size(plan.targets) == 1 && risk.score < 100"),
    )
    .await;
    let id = shop.ask(&release, "production").await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Rejected);
    let reason = shop.reason(id).await;
    assert_eq!(reason, "policy: calm (careful version 1): calm must be so");
    let (_, inputs) = gate(&shop, id, GateName::Policy).await;
    assert_eq!(inputs["policies"][0]["version"], 1, "{inputs:#}");
    let because = &inputs["rules"][0]["because"][0];
    assert!(
        because["expression"]
            .as_str()
            .unwrap()
            .contains("size(plan.targets)"),
        "{inputs:#}"
    );
    // Mended: another version, and what is asked for again passes.
    let ada = shop.who("ada").await;
    let better = refuses("size(plan.targets) == 2");
    shop.act(async |tx| policies::write_version(tx, &ada, "careful", better, Faults::new()).await)
        .await
        .unwrap();
    activate(&shop, "abe", "careful", 2).await.unwrap();
    let id = shop.ask(&release, "production").await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    let (verdict, inputs) = gate(&shop, id, GateName::Policy).await;
    assert_eq!(verdict, Verdict::satisfied("kept, as 1 policy in force says"));
    assert_eq!(inputs["policies"][0]["version"], 2);
    shop.check().await;
}

#[tokio::test]
async fn many_versions_that_judged_are_kept_once_and_told_with_each_deployment() {
    let shop = open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let many = LISTED + 1;
    for n in 0..many {
        in_force(
            &shop,
            &format!("policy-{n:02}"),
            refuses("size(plan.targets) == 2"),
        )
        .await;
    }
    for _ in 0..2 {
        let id = shop.ask(&release, "production").await.unwrap();
        shop.run_all().await;
        assert_eq!(shop.state(id).await, StateName::Succeeded);
        let (_, inputs) = gate(&shop, id, GateName::Policy).await;
        let told = inputs["policies"].as_array().unwrap();
        assert_eq!(told.len(), many, "{inputs:#}");
        assert_eq!(told[1], serde_json::json!({"policy": "policy-01", "version": 1}));
    }
    let sql = "SELECT count(*) FROM policy_sets";
    assert_eq!(shop.number(sql).await, 1);
    retire(&shop, "policy-00").await;
    let id = shop.ask(&release, "production").await.unwrap();
    let (_, inputs) = gate(&shop, id, GateName::Policy).await;
    assert_eq!(inputs["policies"].as_array().unwrap().len(), LISTED);
    assert_eq!(shop.number(sql).await, 1);
    shop.check().await;
}

#[tokio::test]
async fn a_policy_holds_nothing_that_it_does_not_cover_nor_what_undoes() {
    let shop = open().await;
    let first = shop.release("1.0.0").await;
    shop.staged(&first).await;
    let id = shop.ask(&first, "production").await.unwrap();
    shop.run_all().await;
    in_force(&shop, "never", refuses("false")).await;
    let second = shop.release("2.0.0").await;
    shop.staged(&second).await;
    let undo = shop.roll_back(id).await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(undo).await, StateName::Succeeded);
    let refused = shop.ask(&second, "production").await.unwrap();
    assert_eq!(shop.state(refused).await, StateName::Rejected);
}

#[tokio::test]
async fn a_policy_that_comes_into_force_is_asked_of_what_waits_and_of_what_is_queued() {
    let shop = Shop::open().await;
    let release = shop.release("2.0.0").await;
    shop.staged(&release).await;
    let waiting = shop.ask(&release, "production").await.unwrap();
    assert_eq!(shop.state(waiting).await, StateName::Pending);
    let queued = shop.ready("1.0.0").await;
    in_force(&shop, "never", refuses("false")).await;
    // Whoever claims before anything has looked again is not let through.
    assert!(shop.claim().await.is_empty());
    assert_eq!(shop.state(queued).await, StateName::Rejected);
    assert_eq!(shop.state(waiting).await, StateName::Pending);
    shop.look().await;
    assert_eq!(shop.state(waiting).await, StateName::Rejected);
    shop.check().await;
}

#[tokio::test]
async fn what_waits_is_judged_anew_when_policies_change_though_nothing_else_happens() {
    let shop = Shop::open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let id = shop.ask(&release, "production").await.unwrap();
    shop.look().await;
    in_force(&shop, "two", people(2)).await;
    shop.look().await;
    assert_eq!(shop.number("SELECT required::bigint FROM approvals").await, 2);
    in_force(&shop, "never", refuses("false")).await;
    shop.look().await;
    assert_eq!(shop.state(id).await, StateName::Rejected);
}

#[tokio::test]
async fn a_policy_that_asks_for_people_asks_them_and_for_more_of_what_was_approved() {
    let shop = open().await;
    in_force(&shop, "two", people(2)).await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let id = shop.ask(&release, "production").await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Pending);
    shop.approve(id).await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Pending);
    let (ada, abe) = (shop.who("ada").await, shop.who("abe").await);
    assert_eq!(
        code(
            shop.decide(&ada, id, slipway_domain::approval::Answer::Approve, None)
                .await
        ),
        "already-decided"
    );
    shop.decide(&abe, id, slipway_domain::approval::Answer::Approve, None)
        .await
        .unwrap();
    assert_eq!(shop.state(id).await, StateName::Queued);
    // One more is asked for while it is queued: it does not start, and who approved approved something else.
    retire(&shop, "two").await;
    in_force(&shop, "three", people(3)).await;
    assert!(shop.claim().await.is_empty());
    shop.look().await;
    assert_eq!(shop.state(id).await, StateName::Pending);
    let withdrawn = shop
        .text("SELECT string_agg(DISTINCT withdrawn_because, '|') FROM decisions WHERE withdrawn_at IS NOT NULL")
        .await;
    assert!(
        withdrawn.starts_with("policies: no more two version 1"),
        "{withdrawn}"
    );
    for again in [&ada, &abe] {
        shop.decide(again, id, slipway_domain::approval::Answer::Approve, None)
            .await
            .unwrap();
        assert_eq!(shop.state(id).await, StateName::Pending);
    }
    let cat = shop
        .person("cat", &[slipway_domain::identity::Role::Authority])
        .await;
    shop.decide(&cat, id, slipway_domain::approval::Answer::Approve, None)
        .await
        .unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    assert_eq!(
        shop.number("SELECT count(*) FROM audit_entries WHERE action = 'approval.raise'")
            .await,
        1
    );
    shop.check().await;
}

#[tokio::test]
async fn what_is_not_known_refuses() {
    let shop = open().await;
    in_force(&shop, "reasons", refuses("deployment.reason.startsWith('CHG-')")).await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let id = shop.ask(&release, "production").await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Rejected);
    let reason = shop.reason(id).await;
    assert!(reason.contains("it cannot be judged, which refuses"), "{reason}");
}

#[tokio::test]
async fn only_another_authority_puts_a_policy_in_force_and_only_once() {
    let shop = open().await;
    for (who, expected) in [
        ("eve", "lacking"),
        ("ana", "lacking"),
        ("root", "lacking"),
        ("aud", "lacking"),
    ] {
        let actor = shop.who(who).await;
        let created = shop
            .act(async |tx| policies::create(tx, &actor, "mine", refuses("true"), Faults::new()).await)
            .await;
        assert_eq!(code(created), expected, "{who}");
    }
    write(&shop, "careful", refuses("true")).await.unwrap();
    assert_eq!(code(write(&shop, "careful", refuses("true")).await), "exists");
    assert_eq!(
        code(activate(&shop, "ada", "careful", 1).await),
        "separation-of-duties"
    );
    assert_eq!(code(activate(&shop, "eve", "careful", 1).await), "lacking");
    assert_eq!(code(activate(&shop, "abe", "careful", 2).await), "not-found");
    let mut robot = shop.who("abe").await;
    robot.proof = slipway_domain::identity::Proof::ApiToken {
        token: slipway_domain::ids::TokenId::new(),
        until: jiff::Timestamp::MAX,
    };
    let by_token = shop
        .act(async |tx| policies::activate(tx, &robot, "careful", 1).await)
        .await;
    assert_eq!(code(by_token), "not-a-person");
    activate(&shop, "abe", "careful", 1).await.unwrap();
    let again = activate(&shop, "abe", "careful", 1).await;
    assert!(words(again).contains("is in_force"));
    retire(&shop, "careful").await;
    assert_eq!(code(activate(&shop, "abe", "careful", 1).await), "policy-state");
    // Below the application, too.
    for damage in [
        "UPDATE policy_versions SET document = '{}'",
        "DELETE FROM policy_versions",
        "UPDATE policy_versions SET activated_at = now()",
        "INSERT INTO policy_versions (policy_id, version, document, digest, author_id, activated_by, activated_at) \
         SELECT policy_id, 2, document, digest, author_id, author_id, now() FROM policy_versions",
    ] {
        assert!(shop.sql(damage).await.is_err(), "{damage}");
    }
    shop.check().await;
}

#[tokio::test]
async fn a_draft_that_fails_its_own_examples_is_not_put_in_force() {
    let shop = open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    in_force(&shop, "open", refuses("true")).await;
    let id = shop.ask(&release, "production").await.unwrap();
    let facts: serde_json::Value = serde_json::from_str(
        &shop
            .text(&format!(
                "SELECT facts::text FROM deployment_facts WHERE deployment_id = '{}'",
                id.uuid()
            ))
            .await,
    )
    .unwrap();
    let mut strict = refuses("risk.score < 5");
    strict.examples = serde_json::from_value(serde_json::json!([
        {"name": "this one passes", "facts": facts, "expect": {"verdict": "allow"}},
    ]))
    .unwrap();
    write(&shop, "strict", strict).await.unwrap();
    let refused = activate(&shop, "abe", "strict", 1).await;
    let said = words(refused);
    assert!(
        said.contains("`this one passes` expects allow, and the policy says refuse (calm: calm must be so)"),
        "{said}"
    );
    assert_eq!(
        shop.number("SELECT count(*) FROM policies WHERE in_force IS NOT NULL")
            .await,
        1
    );
}

#[tokio::test]
async fn a_draft_is_tried_on_a_deployment_and_on_all_that_was_judged_and_changes_nothing() {
    let shop = open().await;
    let release = shop.release("1.0.0").await;
    let staged = shop.staged(&release).await;
    in_force(&shop, "open", refuses("true")).await;
    let id = shop.ask(&release, "production").await.unwrap();
    shop.run_all().await;
    let ana = shop.who("ana").await;
    let entries = "SELECT count(*) FROM audit_entries";
    let before = shop.number(entries).await;
    let on = |deployment: DeploymentId| Evaluate {
        document: Some(refuses("history.failures > 0")),
        deployment: Some(deployment.to_string()),
        facts: None,
    };
    let tried = shop
        .act(async |tx| policies::evaluate(tx, &ana, on(id), Faults::new()).await)
        .await
        .unwrap();
    assert_eq!(tried.judgement.overall(), Overall::Refuse);
    assert_eq!(tried.judgement.rules[0].kept, Kept::NotKept);
    assert_eq!(
        tried.judgement.rules[0].because[0].expression,
        "history.failures > 0"
    );
    // Nothing covered it when it was judged.
    let unknown = shop
        .act(async |tx| policies::evaluate(tx, &ana, on(staged), Faults::new()).await)
        .await;
    assert_eq!(code(unknown), "no-facts");
    let report = shop
        .act(async |tx| policies::report(tx, &ana, people(2), 90, Faults::new()).await)
        .await
        .unwrap();
    assert_eq!((report.looked_at, report.verdicts["require_approval"]), (1, 1));
    assert_eq!(report.stopped[0].deployment, id);
    assert_eq!(report.stopped[0].release, "storefront@1.0.0");
    assert_eq!(report.stopped[0].reasons, ["people: people must be so"]);
    assert_eq!(shop.number(entries).await, before);
    let wrong = Evaluate {
        document: Some(refuses("risk.colour == 'red'")),
        ..Evaluate::default()
    };
    let wrong = shop
        .act(async |tx| policies::evaluate(tx, &ana, wrong, Faults::new()).await)
        .await;
    assert!(words(wrong).contains("/document/rules/0/expression"));
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_starts_nothing_and_is_not_asked_again_at_once() {
    let shop = Shop::open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let id = shop.ask(&release, "production").await.unwrap();
    in_force(&shop, "broken", refuses("true")).await;
    shop.sql("SET session_replication_role = replica; UPDATE policy_versions SET document = '{}'; RESET session_replication_role")
        .await
        .unwrap();
    shop.look().await;
    shop.approve(id).await.unwrap_err();
    assert_eq!(shop.state(id).await, StateName::Pending);
    let due = "SELECT count(*) FROM deployments WHERE state = 'pending' AND (look_at <= now() + interval '20 s' \
               OR policies_seen < (SELECT changes FROM policy_changes))";
    assert_eq!(shop.number(due).await, 0, "it is looked at again at once");
    // As somebody mends it who can: by hand.
    shop.sql("UPDATE policies SET in_force = NULL; UPDATE policy_changes SET changes = changes + 1")
        .await
        .unwrap();
    shop.look().await;
    shop.approve(id).await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
}

#[tokio::test]
async fn a_server_that_knows_no_policies_starts_nothing_while_one_is_in_force() {
    let shop = open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    in_force(&shop, "open", refuses("true")).await;
    let id = shop.ask(&release, "production").await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Queued);
    // As it judges and starts: without that gate.
    let started = shop
        .sql(&format!(
            "UPDATE deployments SET state = 'running', started_at = now(), gates = '[]' WHERE id = '{}'",
            id.uuid()
        ))
        .await;
    let said = started.unwrap_err().to_string();
    assert!(said.contains("was not judged by the policies in force"), "{said}");
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
}
