//! The compliance report over the API: in every format, of every kind of release, to whom may see it.

use slipway_api_types::compliance::ComplianceReport;
use slipway_testkit::{TestApp, World, json};

const REPORT: &str = "/v1/reports/compliance?release=storefront@1.0.0";

#[tokio::test]
async fn a_release_is_reported_on_with_each_requirement_its_source_its_evidence_and_its_verdict() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.draft("1.0.0").await;
    assert_eq!(world.auditor.get(REPORT).await.problem(409), "release-state");
    world
        .manager
        .act("/v1/releases/storefront@1.0.0/seal")
        .await
        .expect(200);
    let effect =
        json!({"require_evidence": {"kind": "test_report", "name": "unit", "of": "every_component"}});
    let rules = json!([{"name": "tested", "message": {"text": "tested"}, "effect": effect}]);
    let policy = json!({"name": "proven", "document": {"scope": {"tiers": ["staging"]}, "rules": rules}});
    world.authority.post("/v1/policies", policy).await.expect(201);
    let other = app.person("abe", &["authority"]).await;
    other
        .act("/v1/policies/proven/versions/1/activate")
        .await
        .expect(200);
    world.deploy("storefront@1.0.0", "staging").await;
    let reply = world.auditor.get(REPORT).await;
    let body = reply.expect(200);
    // What is documented is what is sent.
    let report: ComplianceReport = serde_json::from_value(body.clone()).unwrap();
    assert_eq!(serde_json::to_value(&report).unwrap(), body);
    assert_eq!(
        (report.release.release.as_str(), report.verdict.as_str()),
        ("storefront@1.0.0", "open")
    );
    assert_eq!(
        (report.process.name.as_str(), report.process.version),
        ("default", 1)
    );
    let staging = report
        .environments
        .iter()
        .find(|one| one.environment == "staging")
        .unwrap();
    let asked = staging
        .requirements
        .iter()
        .find(|one| one.source.rule.as_deref() == Some("tested") && one.about == "web@1.0.0");
    let asked = asked.unwrap_or_else(|| panic!("{body:#}"));
    assert_eq!(
        (
            asked.verdict.as_str(),
            asked.source.kind.as_str(),
            asked.source.version
        ),
        ("open", "policy", Some(1))
    );
    assert_eq!(
        asked.unblocked_by.as_deref(),
        Some("slipway evidence add web@1.0.0 --kind test_report --name unit --file FILE")
    );
    let production = report
        .environments
        .iter()
        .find(|one| one.environment == "production")
        .unwrap();
    assert!(production.requirements.iter().all(|one| one.verdict == "open"));
    let passed = "<testsuite><testcase name=\"a\"/></testsuite>";
    let stated = json!({"kind": "test_report", "name": "unit", "document": passed});
    let stated = world
        .engineer
        .post("/v1/components/web/versions/1.0.0/evidence", stated)
        .await
        .expect(201);
    app.look().await;
    let body = world.auditor.get(REPORT).await.expect(200);
    let met = body.to_string();
    assert!(met.contains(stated["id"].as_str().unwrap()), "{body:#}");
    for (format, kind, begins) in [
        ("markdown", "text/markdown; charset=utf-8", "#"),
        ("html", "text/html; charset=utf-8", "<!"),
    ] {
        let reply = world.auditor.get(&format!("{REPORT}&format={format}")).await;
        assert_eq!(reply.header("content-type"), kind);
        assert_eq!(
            reply.header("content-security-policy"),
            "default-src 'none'; style-src 'unsafe-inline'"
        );
        let text = reply.body.as_str().unwrap().to_lowercase();
        assert!(
            text.starts_with(begins) && text.contains("storefront@1.0.0"),
            "{text}"
        );
    }
    let odd = world.auditor.get(&format!("{REPORT}&format=pdf")).await;
    assert_eq!(odd.problem(400), "malformed");
    for who in [&world.stranger, &world.auditor] {
        let missing = who.get("/v1/reports/compliance?release=storefront@9.9.9").await;
        assert_eq!(missing.problem(404), "not-found");
    }
    assert_eq!(world.stranger.get(REPORT).await.problem(404), "not-found");
}
