//! Groups, delegations and absences: who is asked, and who says so.

mod absences;
mod delegations;
mod groups;

use jiff::SignedDuration;
use slipway_testkit::{Person, TestApp, Value, World, json};

/// So many hours from now, as bodies have it.
fn hence(hours: i64) -> String {
    (slipway_domain::clock::process_now() + SignedDuration::from_hours(hours)).to_string()
}

fn people(subjects: &[&str]) -> Value {
    subjects
        .iter()
        .map(|subject| json!({"subject": subject}))
        .collect()
}

/// What was recorded of an action, newest first.
async fn recorded(app: &TestApp, world: &World, action: &str) -> Vec<Value> {
    app.settle().await;
    let path = format!("/v1/audit/entries?action={action}");
    let entries = world.auditor.get(&path).await.expect(200);
    entries["items"].as_array().unwrap().clone()
}

/// An API token of somebody.
async fn token(person: &Person, role: &str) -> Person {
    let body = json!({"name": "nightly", "roles": [role], "expires_in": "PT10M"});
    let made = person.post("/v1/tokens", body).await.expect(201);
    person.with_token(made["secret"].as_str().unwrap())
}

/// A machine that has been here.
async fn machine(app: &TestApp) -> Person {
    let mut claims = slipway_testkit::Issuer::claims("robot", 3600);
    claims["kind"] = json!("machine");
    let machine = app.nobody().with_token(app.issuer.sign(&claims));
    machine.get("/v1/me").await.expect(200);
    machine
}
