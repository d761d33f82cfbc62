//! Damage done by hand is found: every kind by its check, in a transaction that is taken back; and some of it for good, as
//! somebody with the database's password would do it.

use crate::{
    damages::{DAMAGES, Damage},
    shop::Shop,
    story::{self, SECRET, Story},
};
use base64::Engine as _;
use slipway_app::doctor::{self, COMPUTED, Options, examine_in};
use slipway_domain::{
    deployment::StateName,
    doctor::{Finding, Invariant, Report},
};
use std::collections::BTreeSet;

/// Puts ids and secrets in the place of their names.
fn told(text: &str, story: &Story, sql: bool) -> String {
    let mut text = text.to_owned();
    for state in StateName::ALL {
        if text.contains(&format!("{{{state}")) {
            let id = story.one(state);
            text = text.replace(&format!("{{{state}:id}}"), &id.to_string());
            let plain = if sql {
                id.uuid().to_string()
            } else {
                id.to_string()
            };
            text = text.replace(&format!("{{{state}}}"), &plain);
        }
    }
    let encoded = base64::engine::general_purpose::STANDARD.encode(SECRET);
    text.replace("{secret:base64}", &encoded)
        .replace("{secret}", SECRET)
}

async fn examined_after(story: &Story, damage: &Damage) -> Report {
    let mut tx = story.shop.app.begin().await.unwrap();
    let sql = format!(
        "SET LOCAL session_replication_role = replica; {}",
        told(damage.sql, story, true)
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(tx.conn())
        .await
        .unwrap_or_else(|error| panic!("{}: {error}", damage.check));
    let report = examine_in(&mut tx, &story.shop.app, &Options::default())
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    report
}

#[tokio::test]
async fn every_kind_of_damage_is_found_by_its_check_and_told_without_its_secret() {
    let story = Box::pin(story::play()).await;
    let mut missed = Vec::new();
    for damage in DAMAGES {
        let report = examined_after(&story, damage).await;
        let subject = told(damage.subject, &story, false);
        let found = report.findings.iter().any(|f| {
            f.invariant == damage.invariant && f.check == damage.check && f.subject.starts_with(&subject)
        });
        if !found {
            missed.push(format!(
                "{} of {subject}: {:#?}, not examined {:?}",
                damage.check, report.findings, report.unexamined
            ));
        }
        let text = serde_json::to_string(&report).unwrap();
        for secret in [SECRET, "cluster-token", "slp_Ab3"] {
            assert!(!text.contains(secret), "{}: {text}", damage.check);
        }
        for finding in &report.findings {
            assert!(
                !finding.remedy.is_empty() && !finding.found.is_empty(),
                "{finding:?}"
            );
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n\n"));
    let mut tx = story.shop.app.begin().await.unwrap();
    let report = examine_in(&mut tx, &story.shop.app, &Options::default())
        .await
        .unwrap();
    slipway_testkit::doctor::assert_clean(&report);
}

#[test]
fn there_is_a_kind_of_damage_for_every_check_and_every_invariant() {
    let checks: BTreeSet<&str> = slipway_store::doctor::checks()
        .map(|check| check.name)
        .chain(COMPUTED.iter().copied())
        .collect();
    let damaged: BTreeSet<&str> = DAMAGES.iter().map(|damage| damage.check).collect();
    assert_eq!(checks, damaged);
    let invariants: BTreeSet<Invariant> = DAMAGES.iter().map(|damage| damage.invariant).collect();
    assert_eq!(invariants.len(), Invariant::ALL.len());
    for check in slipway_store::doctor::checks() {
        assert!(
            DAMAGES
                .iter()
                .any(|d| d.check == check.name && d.invariant == check.invariant)
        );
    }
}

async fn examined(shop: &Shop) -> Vec<Finding> {
    slipway_testkit::doctor::examine(&shop.app, false).await.findings
}

fn named<'f>(findings: &'f [Finding], check: &str) -> &'f Finding {
    findings
        .iter()
        .find(|finding| finding.check == check)
        .unwrap_or_else(|| panic!("no finding {check}: {findings:#?}"))
}

#[tokio::test]
async fn a_sealed_release_changed_by_somebody_who_turned_its_trigger_off_is_found() {
    let shop = Shop::open().await;
    shop.released("1.0.0").await;
    let change = "UPDATE releases SET config = '[{\"target\": {\"kind\": \"ConfigMap\", \"name\": \"web\"}, \
        \"merge\": {\"data\": {\"version\": \"evil\"}}}]' WHERE version = '1.0.0'";
    assert!(shop.sql(change).await.is_err(), "the trigger keeps it");
    shop.sql(&format!(
        "ALTER TABLE releases DISABLE TRIGGER sealed_releases_are_immutable; {change}; \
         ALTER TABLE releases ENABLE TRIGGER sealed_releases_are_immutable"
    ))
    .await
    .unwrap();
    let findings = examined(&shop).await;
    let finding = named(&findings, "release_altered");
    assert_eq!(finding.invariant, Invariant::Sealed);
    assert!(finding.found.contains("storefront@1.0.0"), "{finding:?}");
    assert_eq!(findings.len(), 1, "{findings:#?}");
}

#[tokio::test]
async fn an_audit_entry_taken_out_by_somebody_who_turned_the_trigger_off_is_found_with_what_it_told() {
    let shop = Shop::open().await;
    let id = shop.released("1.0.0").await;
    slipway_testkit::doctor::assert_healthy(&shop.app).await;
    shop.sql(&format!(
        "ALTER TABLE audit_entries DISABLE TRIGGER audit_entries_are_final; \
         DELETE FROM audit_entries WHERE action = 'deployment.run' AND subject = '{id}'; \
         ALTER TABLE audit_entries ENABLE TRIGGER audit_entries_are_final"
    ))
    .await
    .unwrap();
    let findings = examined(&shop).await;
    assert_eq!(named(&findings, "chain_broken").invariant, Invariant::Recorded);
    for check in ["deployment_untold", "admission_not_recorded_once"] {
        assert_eq!(named(&findings, check).subject, format!("deployment {id}"));
    }
}

#[tokio::test]
async fn a_deployment_pushed_through_its_gates_by_hand_is_found() {
    let shop = Shop::open().await;
    let release = shop.release("1.0.0").await;
    shop.staged(&release).await;
    let id = shop.ask(&release, "production").await.unwrap();
    shop.sql(&format!(
        "UPDATE deployments SET state = 'running', started_at = now(), since = now() WHERE id = '{}'",
        id.uuid()
    ))
    .await
    .unwrap();
    let findings = examined(&shop).await;
    for check in [
        "admitted_with_open_gate",
        "admitted_without_approval",
        "admission_not_recorded_once",
    ] {
        let finding = named(&findings, check);
        assert_eq!(
            (finding.invariant, &finding.subject),
            (Invariant::Gated, &format!("deployment {id}"))
        );
    }
    assert_eq!(
        named(&findings, "deployment_untold").invariant,
        Invariant::Recorded
    );
}

#[tokio::test]
async fn only_so_many_of_a_kind_are_listed_and_the_rest_is_counted() {
    let shop = Shop::open().await;
    shop.released("1.0.0").await;
    shop.sql("UPDATE events SET message = 'cluster-token'")
        .await
        .unwrap();
    let events = shop.number("SELECT count(*) FROM events").await;
    shop.sql("UPDATE deployments SET since = since + interval '1 day'")
        .await
        .unwrap();
    let options = Options {
        limit: 1,
        clusters: false,
        ..Options::default()
    };
    let report = doctor::examine(&shop.app, &options).await.unwrap();
    let listed = |check: &str| report.findings.iter().filter(|f| f.check == check).count();
    assert_eq!(listed("secret_in_the_open"), 1);
    assert_eq!(listed("deployment_in_the_future"), 1);
    assert_eq!(
        i64::try_from(report.count(Invariant::Secret)).unwrap(),
        events,
        "{:?}",
        report.more
    );
}
