//! Processes: which way releases go, who says so, and that a sealed one keeps its way.

use crate::shop::{Setup, Shop, code, words};
use serde_json::json;
use slipway_app::{
    Error,
    environments::SettingsInput,
    evidence::{self, About, State},
    processes::{self, Create, ProcessView},
    timers,
};
use slipway_domain::{
    Faults,
    deployment::StateName,
    gates::{GateName, Verdict},
    ids::DeploymentId,
    process::Document,
};

fn document(stages: &serde_json::Value) -> Document {
    serde_json::from_value(json!({"description": "", "stages": stages})).unwrap()
}

/// Staging, then production.
fn two(production: &serde_json::Value) -> Document {
    let mut last = json!({"name": "live", "place": {"environment": "production"}});
    let more = production.as_object().unwrap().clone();
    last.as_object_mut().unwrap().extend(more);
    document(&json!([{"name": "rehearsal", "place": {"tier": "staging"}}, last]))
}

async fn create(
    shop: &Shop,
    name: &str,
    service: Option<&str>,
    document: Document,
) -> Result<ProcessView, Error> {
    let eve = shop.who("eve").await;
    let input = Create {
        name: name.to_owned(),
        service: service.map(str::to_owned),
        team: None,
        document,
    };
    shop.act(async |tx| processes::create(tx, &eve, input, Faults::new()).await)
        .await
}

async fn activate(shop: &Shop, by: &str, name: &str, version: i64) -> Result<ProcessView, Error> {
    let actor = shop.who(by).await;
    shop.act(async |tx| processes::activate(tx, &actor, name, version).await)
        .await
}

/// For the storefront: written by `eve`, put in force by `ada`.
async fn in_force(shop: &Shop, document: Document) {
    create(shop, "way", Some("storefront"), document).await.unwrap();
    activate(shop, "ada", "way", 1).await.unwrap();
}

async fn tick(shop: &Shop, who: &str, release: &str, name: &str) -> Result<(), Error> {
    let actor = shop.who(who).await;
    let about = About::Release(release.to_owned());
    let input = State {
        kind: "manual_check".to_owned(),
        name: Some(name.to_owned()),
        document: json!({"who": who, "what": "looked", "result": "passed"}).to_string(),
        ..State::default()
    };
    shop.act(async |tx| evidence::state(tx, &actor, &about, input).await)
        .await
        .map(drop)
}

async fn gate(shop: &Shop, id: DeploymentId, name: GateName) -> Verdict {
    let gates = shop.view(id).await.row.gates;
    let gate = gates.into_iter().find(|gate| gate.name == name);
    gate.expect("the gate").verdict
}

/// Production that neither asks for approvals nor promotes from staging: whatever keeps it is the process.
async fn free() -> Shop {
    let shop = Shop::with(Setup {
        production: SettingsInput::default(),
        ..Setup::default()
    })
    .await;
    shop.sql("UPDATE environments SET promotes_from = NULL")
        .await
        .unwrap();
    shop
}

#[tokio::test]
async fn without_a_process_of_its_own_a_release_goes_by_the_one_that_slipway_comes_with() {
    let shop = free().await;
    let release = shop.release("1.0.0").await;
    let id = shop.ask(&release, "production").await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    assert_eq!(
        gate(&shop, id, GateName::Process).await,
        Verdict::satisfied("stage anywhere of process default, version 1, which begins there")
    );
    let pinned = shop
        .text("SELECT p.name || ' ' || r.process_version FROM releases r JOIN processes p ON p.id = r.process_id")
        .await;
    assert_eq!(pinned, "default 1");
    shop.check().await;
}

#[tokio::test]
async fn nothing_goes_outside_of_its_process_nor_before_the_stage_before_was_passed() {
    let shop = free().await;
    in_force(&shop, two(&json!({}))).await;
    let release = shop.release("1.0.0").await;
    let early = shop.ask(&release, "production").await;
    let said = words(early);
    assert!(
        said.contains("has not passed the stage rehearsal yet") && said.contains("to staging that succeeds"),
        "{said}"
    );
    shop.staged(&release).await;
    let id = shop.ask(&release, "production").await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    // A process that goes nowhere near production.
    let eve = shop.who("eve").await;
    let only = document(&json!([{"name": "rehearsal", "place": {"tier": "staging"}}]));
    shop.act(async |tx| processes::write_version(tx, &eve, "way", only, Faults::new()).await)
        .await
        .unwrap();
    activate(&shop, "ada", "way", 2).await.unwrap();
    let next = shop.release("2.0.0").await;
    shop.staged(&next).await;
    assert_eq!(code(shop.ask(&next, "production").await), "not-in-process");
    // The one that was sealed before keeps its way.
    let again = shop.ask(&release, "production").await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(again).await, StateName::Succeeded);
    let mut tx = shop.app.begin().await.unwrap();
    let old = processes::releases(&mut tx, &eve, "way", true, None, 10)
        .await
        .unwrap();
    let old: Vec<_> = old
        .into_iter()
        .map(|one| (one.pinned.name, one.pinned.version))
        .collect();
    assert_eq!(old, [("storefront@1.0.0".to_owned(), 1)]);
    drop(tx);
    let refused = shop
        .sql("UPDATE releases SET process_version = 2 WHERE version = '1.0.0'")
        .await;
    assert!(
        refused.is_err(),
        "what a sealed release pinned is not changed by anybody"
    );
    shop.check().await;
}

#[tokio::test]
async fn a_stage_asks_for_evidence_checks_and_people_and_its_strategy_holds() {
    let shop = free().await;
    let live = json!({
        "evidence": [{"kind": "test_report", "name": "unit", "of": "every_component"}],
        "checklist": [{"name": "support-told", "what": "support knows what is new", "role": "operator"}],
        "approvals": {"role": "authority", "count": 1},
        "strategy": {"automatic_rollback": false, "waves": []},
    });
    in_force(&shop, two(&live)).await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let id = shop.ask(&release, "production").await.unwrap();
    let settings = shop.view(id).await.row.settings;
    assert!(!settings.automatic_rollback && settings.waves.is_empty());
    let Verdict::Waiting {
        reason, unblocked_by, ..
    } = gate(&shop, id, GateName::Evidence).await
    else {
        panic!("it waits");
    };
    assert!(
        reason.contains("asked for by process way, version 1, stage live"),
        "{reason}"
    );
    assert!(
        unblocked_by.contains(
            "slipway evidence add --release storefront@1.0.0 --kind manual_check --name support-told"
        ),
        "{unblocked_by}"
    );
    // Whoever holds the role ticks it, and nobody else: neither whoever may state anything else.
    assert_eq!(
        code(tick(&shop, "eve", &release, "support-told").await),
        "refused"
    );
    tick(&shop, "otto", &release, "support-told").await.unwrap();
    let eve = shop.who("eve").await;
    let report = State {
        kind: "test_report".to_owned(),
        name: Some("unit".to_owned()),
        document: "<testsuite><testcase name=\"adds\"/></testsuite>".to_owned(),
        ..State::default()
    };
    let about = About::Version("web".to_owned(), "1.0.0".to_owned());
    shop.act(async |tx| evidence::state(tx, &eve, &about, report).await)
        .await
        .unwrap();
    shop.look().await;
    assert_eq!(shop.state(id).await, StateName::Pending, "nobody approved it yet");
    shop.approve(id).await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    shop.check().await;
}

#[tokio::test]
async fn a_stage_that_hands_over_is_passed_when_an_operator_who_did_not_deploy_it_accepted_it() {
    let shop = free().await;
    let stages = json!([
        {"name": "rehearsal", "place": {"tier": "staging"}, "handover": true},
        {"name": "live", "place": {"tier": "production"}},
    ]);
    in_force(&shop, document(&stages)).await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let id = shop.ask(&release, "production").await.unwrap();
    assert_eq!(shop.state(id).await, StateName::Pending);
    assert_eq!(
        code(tick(&shop, "otto", &release, "handover").await),
        "separation-of-duties"
    );
    shop.person("oda", &[slipway_domain::identity::Role::Operator])
        .await;
    tick(&shop, "oda", &release, "handover").await.unwrap();
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
}

#[tokio::test]
async fn processes_are_written_by_engineers_and_put_in_force_by_another_person_with_authority() {
    let shop = free().await;
    for who in ["otto", "ana", "ada", "aud", "root"] {
        let actor = shop.who(who).await;
        let input = Create {
            name: "way".to_owned(),
            service: Some("storefront".to_owned()),
            team: None,
            document: two(&json!({})),
        };
        let refused = shop
            .act(async |tx| processes::create(tx, &actor, input, Faults::new()).await)
            .await;
        assert_eq!(code(refused), "lacking", "{who}");
    }
    // Attack 17: a developer edits the rules of a protected environment, and puts them in force.
    create(&shop, "way", Some("storefront"), two(&json!({})))
        .await
        .unwrap();
    for who in ["eve", "otto", "ana", "aud", "root"] {
        assert_eq!(code(activate(&shop, who, "way", 1).await), "lacking", "{who}");
    }
    shop.person(
        "both",
        &[
            slipway_domain::identity::Role::Engineer,
            slipway_domain::identity::Role::Authority,
        ],
    )
    .await;
    let both = shop.who("both").await;
    shop.act(async |tx| processes::write_version(tx, &both, "way", two(&json!({})), Faults::new()).await)
        .await
        .unwrap();
    assert_eq!(
        code(activate(&shop, "both", "way", 2).await),
        "separation-of-duties"
    );
    let refused = shop
        .sql("UPDATE process_versions SET activated_by = author_id, activated_at = now() WHERE version = 2")
        .await;
    assert!(refused.is_err(), "whichever way somebody comes");
    activate(&shop, "both", "way", 1).await.unwrap();
    assert_eq!(code(activate(&shop, "ada", "way", 1).await), "process-state");
    // One at a time is in force for the same.
    create(&shop, "other", Some("storefront"), two(&json!({})))
        .await
        .unwrap();
    assert_eq!(code(activate(&shop, "ada", "other", 1).await), "process-state");
    let ada = shop.who("ada").await;
    let retire = async |name: &str, why: &str| {
        shop.act(async |tx| processes::retire(tx, &ada, name, why).await)
            .await
    };
    assert_eq!(code(retire("default", "away with it").await), "process-state");
    assert_eq!(code(retire("way", " ").await), "invalid");
    retire("way", "done with").await.unwrap();
    assert_eq!(code(retire("way", "again").await), "process-state");
    activate(&shop, "ada", "other", 1).await.unwrap();
    for damage in [
        "UPDATE process_versions SET document = '{}'",
        "DELETE FROM process_versions",
        "UPDATE processes SET service_id = NULL",
        "DELETE FROM processes",
    ] {
        assert!(shop.sql(damage).await.is_err(), "{damage}");
    }
    let nowhere = document(&json!([{"name": "moon", "place": {"environment": "moon"}}]));
    create(&shop, "far", None, nowhere).await.unwrap();
    let said = words(activate(&shop, "ada", "far", 1).await);
    assert!(said.contains("/document/stages/0/place/environment"), "{said}");
}

#[tokio::test]
async fn a_stage_with_automatic_promotion_is_asked_for_by_slipway_once_the_one_before_was_passed() {
    let shop = free().await;
    in_force(&shop, two(&json!({"promotion": "automatic"}))).await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    assert_eq!(timers::promote(&shop.app).await.unwrap(), 1);
    assert_eq!(timers::promote(&shop.app).await.unwrap(), 0, "once");
    let by = shop
        .text(
            "SELECT p.name || ' ' || d.state FROM deployments d JOIN principals p ON p.id = d.requested_by \
             JOIN environments e ON e.id = d.environment_id WHERE e.name = 'production'",
        )
        .await;
    assert_eq!(by, "slipway queued");
    shop.run_all().await;
    assert_eq!(
        timers::promote(&shop.app).await.unwrap(),
        0,
        "production is the last stage"
    );
    // What is stated to be wrong is not promoted by itself.
    let second = shop.release("2.0.0").await;
    shop.staged(&second).await;
    let eve = shop.who("eve").await;
    let failed = State {
        kind: "test_report".to_owned(),
        document: "<testsuite><testcase name=\"adds\"><failure/></testcase></testsuite>".to_owned(),
        ..State::default()
    };
    let about = About::Version("web".to_owned(), "2.0.0".to_owned());
    shop.act(async |tx| evidence::state(tx, &eve, &about, failed).await)
        .await
        .unwrap();
    assert_eq!(timers::promote(&shop.app).await.unwrap(), 0);
    let why = shop
        .text("SELECT outcome FROM promotions ORDER BY decided_at DESC LIMIT 1")
        .await;
    assert!(why.contains("which was revoked"), "{why}");
    shop.check().await;
}

#[tokio::test]
async fn a_server_that_knows_no_processes_cannot_start_what_goes_by_one() {
    let shop = free().await;
    in_force(&shop, document(&json!([{"name": "all", "place": "any"}]))).await;
    let release = shop.release("1.0.0").await;
    let id = shop.ask(&release, "production").await.unwrap();
    let uuid = id.uuid();
    // As such a server judges: without that gate.
    let started = shop
        .sql(&format!(
            "UPDATE deployments SET state = 'running', started_at = now(), gates = (SELECT jsonb_agg(g) \
             FROM jsonb_array_elements(gates) g WHERE g->>'name' <> 'process') WHERE id = '{uuid}'"
        ))
        .await;
    let said = started.map_err(|error| error.to_string()).unwrap_err();
    assert!(
        said.contains("was not judged by the process of its release"),
        "{said}"
    );
}
