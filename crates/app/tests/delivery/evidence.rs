//! Evidence: what is stated, what it is bound to, and what it does to deployments.

use crate::shop::{Setup, Shop, code, words};
use jiff::SignedDuration;
use serde_json::json;
use slipway_app::{
    Error,
    environments::SettingsInput,
    evidence::{self, About, EvidenceView, Filter, State},
    policies,
};
use slipway_domain::{
    Faults,
    deployment::StateName,
    gates::{GateName, Verdict},
    ids::DeploymentId,
    policy::Document,
};

const PASSED: &str = r#"<testsuites><testsuite name="cart"><testcase name="adds"/></testsuite></testsuites>"#;
const FAILED: &str = r#"<testsuites><testsuite name="cart"><testcase name="adds"><failure message="no"/></testcase></testsuite></testsuites>"#;
const SKIPPED: &str = r#"<testsuites><testsuite name="cart"><testcase name="adds"><skipped/></testcase></testsuite></testsuites>"#;

fn web(version: &str) -> About {
    About::Version("web".to_owned(), version.to_owned())
}

fn report(document: &str) -> State {
    State {
        kind: "test_report".to_owned(),
        name: Some("unit".to_owned()),
        document: document.to_owned(),
        ..State::default()
    }
}

async fn state_as(shop: &Shop, who: &str, about: &About, input: State) -> Result<EvidenceView, Error> {
    let actor = shop.who(who).await;
    shop.act(async |tx| evidence::state(tx, &actor, about, input).await)
        .await
}

async fn state(shop: &Shop, about: &About, document: &str) -> EvidenceView {
    state_as(shop, "eve", about, report(document)).await.unwrap()
}

async fn withdraw(shop: &Shop, view: &EvidenceView) -> Result<EvidenceView, Error> {
    let eve = shop.who("eve").await;
    let id = view.statement.id.to_string();
    shop.act(async |tx| evidence::withdraw(tx, &eve, &id, "of another build").await)
        .await
}

/// A policy that asks for evidence in production, in force.
async fn asks_for(shop: &Shop, effect: serde_json::Value) {
    let document: Document = serde_json::from_value(json!({
        "description": "", "scope": {"tiers": ["production"]}, "examples": [],
        "rules": [{"name": "tested", "message": {"text": "its tests must have passed"},
            "effect": {"require_evidence": effect}}],
    }))
    .unwrap();
    let ada = shop.who("ada").await;
    shop.act(async |tx| policies::create(tx, &ada, "proven", document, Faults::new()).await)
        .await
        .unwrap();
    let abe = shop.who("abe").await;
    shop.act(async |tx| policies::activate(tx, &abe, "proven", 1).await)
        .await
        .unwrap();
}

fn unit() -> serde_json::Value {
    json!({"kind": "test_report", "name": "unit", "of": "every_component"})
}

async fn gate(shop: &Shop, id: DeploymentId, name: GateName) -> Verdict {
    let gates = shop.view(id).await.row.gates;
    let gate = gates.into_iter().find(|gate| gate.name == name);
    gate.expect("the gate").verdict
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
async fn what_is_required_and_not_stated_is_waited_for_and_the_gate_says_how_to_state_it() {
    let shop = open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    asks_for(&shop, unit()).await;
    let id = shop.ask(&release, "production").await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Pending);
    let Verdict::Waiting {
        reason, unblocked_by, ..
    } = gate(&shop, id, GateName::Evidence).await
    else {
        panic!("it waits");
    };
    let missing =
        "the test report `unit` of web@1.0.0 is missing (asked for by policy proven, version 1, rule tested)";
    assert_eq!(reason, missing);
    assert_eq!(
        unblocked_by,
        "slipway evidence add web@1.0.0 --kind test_report --name unit --file FILE"
    );
    // Skipped is not passed (attack 15), nor is it passed to have no test at all.
    let skipped = state(&shop, &web("1.0.0"), SKIPPED).await;
    assert!(!skipped.statement.normal.passed);
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Pending);
    state(&shop, &web("1.0.0"), PASSED).await;
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    let satisfied = Verdict::satisfied("all evidence that is required is there: 1 of 1");
    assert_eq!(gate(&shop, id, GateName::Evidence).await, satisfied);
    shop.check().await;
}

#[tokio::test]
async fn a_later_failing_statement_holds_what_is_queued_revokes_promotability_and_is_told() {
    let shop = open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    state(&shop, &web("1.0.0"), PASSED).await;
    let id = shop.ask(&release, "production").await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Queued);
    let failing = state(&shop, &web("1.0.0"), FAILED).await;
    shop.look().await;
    assert_eq!(shop.state(id).await, StateName::Pending);
    let Verdict::Waiting {
        reason, unblocked_by, ..
    } = gate(&shop, id, GateName::Promotion).await
    else {
        panic!("it waits");
    };
    let revoked = "storefront@1.0.0 succeeded in staging, which was revoked: the test report `unit` of web@1.0.0 did not \
         pass (failed: 1, passed: 0, tests: 1, errors: 0, skipped: 0)";
    let words = |text: &str| {
        let mut words: Vec<_> = text.split([' ', ',', '(', ')']).map(str::to_owned).collect();
        words.sort();
        words
    };
    assert_eq!(words(&reason), words(revoked), "{reason}");
    assert_eq!(
        unblocked_by,
        "slipway evidence add web@1.0.0 --kind test_report --name unit --file FILE"
    );
    let told = shop
        .text("SELECT string_agg(message, '|') FROM events WHERE kind = 'release.not_promotable'")
        .await;
    assert!(
        told.starts_with("storefront@1.0.0 cannot be promoted: the test report"),
        "{told}"
    );
    // Nothing is asked for either, and taking the statement back brings nothing back.
    let again = shop.ask(&release, "production").await;
    assert_eq!(code(again), "not-promoted");
    withdraw(&shop, &failing).await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Pending);
    state(&shop, &web("1.0.0"), PASSED).await;
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    shop.check().await;
}

#[tokio::test]
async fn a_statement_that_comes_between_queue_and_claim_stops_the_claim_itself() {
    let shop = open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    asks_for(&shop, unit()).await;
    state(&shop, &web("1.0.0"), PASSED).await;
    let id = shop.ask(&release, "production").await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Queued);
    state(&shop, &web("1.0.0"), FAILED).await;
    // Nobody has looked yet.
    assert_eq!(shop.state(id).await, StateName::Queued);
    assert!(shop.claim().await.is_empty());
    assert_eq!(shop.state(id).await, StateName::Pending);
}

#[tokio::test]
async fn what_gets_too_old_while_it_waits_is_looked_at_when_it_does() {
    let shop = open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let mut effect = unit();
    effect["max_age"] = json!("PT3S");
    asks_for(&shop, effect).await;
    state(&shop, &web("1.0.0"), PASSED).await;
    let id = shop.ask(&release, "production").await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Queued);
    let due = shop
        .number("SELECT count(*) FROM deployments WHERE state = 'queued' AND look_at <= now() + interval '3 seconds'")
        .await;
    assert_eq!(due, 1, "it is looked at when the report gets too old");
    tokio::time::sleep(SignedDuration::from_millis(3_100).unsigned_abs()).await;
    shop.look().await;
    assert_eq!(shop.state(id).await, StateName::Pending);
    let Verdict::Waiting { reason, .. } = gate(&shop, id, GateName::Evidence).await else {
        panic!("it waits");
    };
    assert!(reason.contains("3s"), "{reason}");
}

#[tokio::test]
async fn a_document_about_something_else_or_that_cannot_be_read_changes_nothing_and_says_all_that_is_wrong() {
    let shop = open().await;
    shop.release("1.0.0").await;
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
        "subject": [{"name": "other", "digest": {"sha256": "ab".repeat(32)}}],
        "predicate": {"buildDefinition": {"buildType": "https://ci.example/build", "externalParameters": {}},
            "runDetails": {"builder": {"id": "https://ci.example"}}},
    });
    let provenance = |document: String| State {
        kind: "provenance".to_owned(),
        document,
        ..State::default()
    };
    let other = state_as(&shop, "eve", &web("1.0.0"), provenance(statement.to_string())).await;
    assert!(words(other).contains("/document"), "it is about something else");
    let mut signed = json!({"payloadType": "application/vnd.in-toto+json", "signatures": [{"sig": "AAAA"}]});
    signed["payload"] = json!("e30=");
    let unverified = words(state_as(&shop, "eve", &web("1.0.0"), provenance(signed.to_string())).await);
    assert!(unverified.contains("no key is configured"), "{unverified}");
    for (input, wrong) in [
        (report("<testsuites>"), "/document"),
        (report(""), "/document"),
        (
            State {
                kind: "rumour".to_owned(),
                name: Some("No Name".to_owned()),
                format: Some("prose".to_owned()),
                document: String::new(),
            },
            "/kind",
        ),
        (
            State {
                kind: "generic".to_owned(),
                document: "{}".to_owned(),
                ..State::default()
            },
            "/name",
        ),
    ] {
        let said = words(state_as(&shop, "eve", &web("1.0.0"), input).await);
        assert!(said.contains(wrong), "{said}");
    }
    let all_at_once = State {
        kind: "rumour".to_owned(),
        name: Some("No Name".to_owned()),
        format: Some("prose".to_owned()),
        document: String::new(),
    };
    let said = words(state_as(&shop, "eve", &web("1.0.0"), all_at_once).await);
    for pointer in ["/kind", "/name", "/format"] {
        assert!(said.contains(pointer), "{said}");
    }
    assert_eq!(shop.number("SELECT count(*) FROM evidence").await, 0);
    assert_eq!(shop.number("SELECT count(*) FROM evidence_documents").await, 0);
}

#[tokio::test]
async fn who_may_not_state_about_it_is_refused_and_a_release_that_is_not_sealed_has_nothing_to_bind_to() {
    let shop = open().await;
    let draft = shop.draft("1.0.0").await;
    for who in ["otto", "ana", "ada", "aud", "root"] {
        let refused = state_as(&shop, who, &web("1.0.0"), report(PASSED)).await;
        assert_eq!(code(refused), "lacking", "{who}");
    }
    let about = About::Release(draft.clone());
    assert_eq!(
        code(state_as(&shop, "eve", &about, report(PASSED)).await),
        "release-state"
    );
    shop.seal(&draft).await;
    let view = state_as(&shop, "eve", &about, report(PASSED)).await.unwrap();
    assert_eq!(view.about, "storefront@1.0.0");
    // A machine states what tools found, never what a person is to have looked at.
    let mut machine = shop.who("eve").await;
    let until = machine.until().unwrap();
    machine.proof = slipway_domain::identity::Proof::ApiToken {
        token: slipway_domain::ids::TokenId::new(),
        until,
    };
    let looked = State {
        kind: "manual_check".to_owned(),
        document: json!({"who": "eve", "what": "looked", "result": "passed"}).to_string(),
        ..State::default()
    };
    let refused = shop
        .act(async |tx| evidence::state(tx, &machine, &about, looked.clone()).await)
        .await;
    assert_eq!(code(refused), "not-a-person");
    state_as(&shop, "eve", &about, looked).await.unwrap();
    let reported = shop
        .act(async |tx| evidence::state(tx, &machine, &about, report(PASSED)).await)
        .await;
    assert!(reported.is_ok());
}

#[tokio::test]
async fn statements_are_superseded_withdrawn_once_and_never_changed_whoever_writes() {
    let shop = open().await;
    shop.release("1.0.0").await;
    let first = state(&shop, &web("1.0.0"), PASSED).await;
    let second = state(&shop, &web("1.0.0"), FAILED).await;
    assert_eq!(code(withdraw(&shop, &first).await), "evidence-state");
    let withdrawn = withdraw(&shop, &second).await.unwrap();
    assert_eq!(withdrawn.standing(), "withdrawn");
    assert_eq!(code(withdraw(&shop, &second).await), "evidence-state");
    let eve = shop.who("eve").await;
    let mut tx = shop.app.begin().await.unwrap();
    let all = evidence::list(&mut tx, &eve, &web("1.0.0"), &Filter::default(), None, 10)
        .await
        .unwrap();
    let standings: Vec<_> = all.iter().map(EvidenceView::standing).collect();
    assert_eq!(standings, ["withdrawn", "superseded"]);
    let (_, bytes) = evidence::document(&mut tx, &eve, &first.statement.id.to_string())
        .await
        .unwrap();
    assert_eq!(bytes, PASSED.as_bytes());
    drop(tx);
    for damage in [
        "UPDATE evidence SET passed = true",
        "UPDATE evidence SET superseded_by = NULL",
        "UPDATE evidence SET withdrawn_by = NULL, withdrawn_at = NULL, withdrawn_reason = NULL",
        "DELETE FROM evidence",
        "UPDATE evidence_documents SET bytes = ''",
        "DELETE FROM evidence_documents",
    ] {
        let refused = shop.sql(damage).await.map_err(|error| error.to_string());
        let said = refused.expect_err(damage);
        assert!(
            said.contains("stays") || said.contains("cannot be changed"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn of_two_that_are_stated_at_once_one_takes_the_place_of_the_other() {
    let shop = open().await;
    shop.release("1.0.0").await;
    let about = web("1.0.0");
    let both = [PASSED, FAILED, PASSED, FAILED].map(|document| state(&shop, &about, document));
    futures::future::join_all(both).await;
    let newest = shop
        .number("SELECT count(*) FROM evidence WHERE superseded_by IS NULL")
        .await;
    assert_eq!(newest, 1);
    assert_eq!(shop.number("SELECT count(*) FROM evidence").await, 4);
}

#[tokio::test]
async fn generic_evidence_conforms_to_the_schema_of_its_name_which_an_authority_registers_once() {
    let shop = open().await;
    shop.release("1.0.0").await;
    let schema = json!({
        "type": "object", "required": ["p99_ms"], "properties": {"p99_ms": {"type": "number", "maximum": 250}},
    });
    let register = async |who: &str| {
        let actor = shop.who(who).await;
        shop.act(async |tx| evidence::register_schema(tx, &actor, "load-test", schema.clone()).await)
            .await
    };
    assert_eq!(code(register("eve").await), "lacking");
    register("ada").await.unwrap();
    assert_eq!(code(register("abe").await), "exists");
    let load = |document: serde_json::Value| State {
        kind: "generic".to_owned(),
        name: Some("load-test".to_owned()),
        document: document.to_string(),
        ..State::default()
    };
    let slow = state_as(&shop, "eve", &web("1.0.0"), load(json!({"p99_ms": 900}))).await;
    assert!(words(slow).contains("/document/p99_ms"));
    let fine = state_as(&shop, "eve", &web("1.0.0"), load(json!({"p99_ms": 90})))
        .await
        .unwrap();
    assert!(fine.statement.normal.passed);
    let refused = shop.sql("UPDATE evidence_schemas SET schema = '{}'").await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn what_was_signed_with_a_key_counts_until_the_key_is_revoked() {
    let shop = open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let mut effect = json!({"kind": "provenance", "of": "every_component", "signed": true});
    asks_for(&shop, effect.take()).await;
    let id = shop.ask(&release, "production").await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Pending);
    let signer = slipway_testkit::signer::Signer::new();
    let register = async |who: &str, name: &str| {
        let actor = shop.who(who).await;
        shop.act(async |tx| evidence::register_key(tx, &actor, name, signer.pem()).await)
            .await
    };
    assert_eq!(code(register("eve", "builder").await), "lacking");
    register("ada", "builder").await.unwrap();
    assert!(
        words(register("ada", "again").await).contains("/pem"),
        "the same key under two names"
    );
    let digest = shop
        .text("SELECT digest FROM component_versions WHERE version = '1.0.0'")
        .await;
    let envelope = signer.provenance(&digest, "https://ci.example/builder");
    let provenance = State {
        kind: "provenance".to_owned(),
        document: envelope.to_string(),
        ..State::default()
    };
    let view = state_as(&shop, "eve", &web("1.0.0"), provenance).await.unwrap();
    assert_eq!(
        view.statement.verified_by().map(ToString::to_string),
        Some("builder".to_owned())
    );
    shop.look().await;
    assert_eq!(shop.state(id).await, StateName::Queued);
    let revoke = async |who: &str| {
        let actor = shop.who(who).await;
        shop.act(async |tx| evidence::revoke_key(tx, &actor, "builder", "it leaked").await)
            .await
    };
    assert_eq!(code(revoke("eve").await), "lacking");
    revoke("abe").await.unwrap();
    assert_eq!(code(revoke("abe").await), "evidence-state");
    shop.look().await;
    assert_eq!(shop.state(id).await, StateName::Pending);
    let Verdict::Waiting { reason, .. } = gate(&shop, id, GateName::Evidence).await else {
        panic!("it waits");
    };
    assert!(reason.contains("was revoked: it leaked"), "{reason}");
    assert_eq!(
        code(register("ada", "builder").await),
        "exists",
        "a name is never used again"
    );
}
