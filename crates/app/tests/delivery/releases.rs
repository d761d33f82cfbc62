//! Drafts, seals and withdrawals.

use crate::shop::{Shop, code, compose, manifests, words};
use slipway_app::{Error, components, releases};
use slipway_domain::{approval::ApprovalState, deployment::StateName};

fn notes(text: &str) -> releases::Update {
    releases::Update {
        notes: Some(text.to_owned()),
        ..Default::default()
    }
}

async fn update(shop: &Shop, if_match: i64, text: &str) -> Result<i64, Error> {
    let ana = shop.who("ana").await;
    let view = shop
        .act(async |tx| releases::update(tx, &ana, "storefront@1.0.0", if_match, notes(text)).await)
        .await?;
    Ok(view.release.revision)
}

async fn seal(shop: &Shop, name: &str) -> Result<releases::ReleaseView, Error> {
    let ana = shop.who("ana").await;
    shop.act(async |tx| releases::seal(tx, &ana, name).await).await
}

async fn withdraw(shop: &Shop, name: &str) -> Result<releases::ReleaseView, Error> {
    let ana = shop.who("ana").await;
    shop.act(async |tx| releases::withdraw(tx, &ana, name, Some("unsound".to_owned())).await)
        .await
}

#[tokio::test]
async fn a_draft_is_changed_only_by_whoever_saw_it_as_it_is() {
    let shop = Shop::open().await;
    shop.draft("1.0.0").await;
    assert_eq!(update(&shop, 1, "a").await.unwrap(), 2);
    assert_eq!(code(update(&shop, 1, "b").await), "stale");
    let (x, y) = tokio::join!(update(&shop, 2, "x"), update(&shop, 2, "y"));
    let lost = match (x, y) {
        (Ok(_), lost) | (lost, Ok(_)) => code(lost),
        (x, y) => panic!("{x:?} {y:?}"),
    };
    assert_eq!(lost, "stale");
    for (who, why) in [("otto", "lacking"), ("eve", "lacking"), ("ada", "lacking")] {
        let actor = shop.who(who).await;
        let refused = shop
            .act(async |tx| releases::update(tx, &actor, "storefront@1.0.0", 3, notes("z")).await)
            .await;
        assert_eq!(code(refused), why, "{who}");
    }
    shop.check().await;
}

#[tokio::test]
async fn a_release_is_composed_of_what_is_there_and_says_every_fault() {
    let shop = Shop::open().await;
    shop.draft("1.0.0").await;
    let ana = shop.who("ana").await;
    let again = shop
        .act(async |tx| releases::compose(tx, &ana, compose("storefront", "1.0.0")).await)
        .await;
    assert_eq!(code(again), "release-exists");
    let mut bad = compose("nobody", "one");
    bad.components.push(releases::ComponentChoice {
        name: "web".to_owned(),
        version: "1.0.0".to_owned(),
    });
    bad.components.push(releases::ComponentChoice {
        name: "web".to_owned(),
        version: "1.0.0".to_owned(),
    });
    match shop.act(async |tx| releases::compose(tx, &ana, bad).await).await {
        Err(Error::Invalid(faults)) => {
            let mut at: Vec<_> = faults.as_slice().iter().map(|f| f.pointer.clone()).collect();
            at.sort();
            assert_eq!(
                at,
                [
                    "/components/0/version",
                    "/components/2/name",
                    "/service",
                    "/version"
                ]
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_digest_is_the_one_of_the_content_and_the_same_whoever_computes_it_and_when() {
    let shop = Shop::open().await;
    shop.draft("1.0.0").await;
    update(&shop, 1, "notes").await.unwrap();
    let sealed = seal(&shop, "storefront@1.0.0").await.unwrap().release;
    let digest = sealed.state.seal().unwrap().digest;
    assert_eq!(digest, sealed.content_digest().unwrap());
    let ana = shop.who("ana").await;
    let mut tx = shop.app.begin().await.unwrap();
    let read = releases::get(&mut tx, &ana, "storefront@1.0.0")
        .await
        .unwrap()
        .release;
    assert_eq!(
        (read.content_digest().unwrap(), read.state.seal().unwrap().digest),
        (digest, digest)
    );
    let mut other = read.clone();
    other.notes.push('!');
    assert_ne!(other.content_digest().unwrap(), digest);
    other = read;
    other.components.clear();
    assert_ne!(other.content_digest().unwrap(), digest);
}

#[tokio::test]
async fn what_is_sealed_is_sealed_once_and_never_changes_not_even_below_the_application() {
    let shop = Shop::open().await;
    shop.draft("1.0.0").await;
    let (x, y) = tokio::join!(seal(&shop, "storefront@1.0.0"), seal(&shop, "storefront@1.0.0"));
    assert!(x.is_ok() != y.is_ok(), "sealed once: {x:?} {y:?}");
    assert_eq!(code(seal(&shop, "storefront@1.0.0").await), "release-state");
    assert_eq!(code(update(&shop, 2, "later").await), "release-state");
    shop.version_of("2.0.0", &manifests("2.0.0")).await.unwrap();
    let other = "(SELECT id FROM component_versions WHERE version = '2.0.0')";
    for sql in [
        "UPDATE releases SET notes = 'x'".to_owned(),
        "UPDATE releases SET config = '[{}]'".to_owned(),
        "UPDATE releases SET version = '9.0.0'".to_owned(),
        format!("UPDATE releases SET digest = 'sha256:{}'", "0".repeat(64)),
        "UPDATE releases SET sealed_by = author_id, author_id = (SELECT id FROM principals WHERE subject = 'ada')".to_owned(),
        "UPDATE releases SET state = 'draft', digest = NULL".to_owned(),
        "UPDATE releases SET editors = ARRAY[author_id]".to_owned(),
        format!("UPDATE release_components SET version_id = {other}"),
        format!("INSERT INTO release_components SELECT id, {other}, 2 FROM releases"),
        "DELETE FROM release_components".to_owned(),
    ] {
        assert!(shop.sql(&sql).await.is_err(), "{sql}");
    }
    withdraw(&shop, "storefront@1.0.0").await.unwrap();
    assert!(shop.sql("UPDATE releases SET notes = 'x'").await.is_err());
    let revive = "UPDATE releases SET state = 'sealed', withdrawn_at = NULL, withdrawn_reason = NULL";
    assert!(shop.sql(revive).await.is_err());
    assert_eq!(code(withdraw(&shop, "storefront@1.0.0").await), "release-state");
    shop.check().await;
}

#[tokio::test]
async fn a_recalled_component_or_an_unmet_requirement_cannot_be_sealed() {
    let shop = Shop::open().await;
    let eve = shop.who("eve").await;
    shop.draft("1.0.0").await;
    shop.act(async |tx| components::recall(tx, &eve, "web", "1.0.0", "CVE-1").await)
        .await
        .unwrap();
    let refused = seal(&shop, "storefront@1.0.0").await;
    assert!(words(refused).contains("CVE-1"));
    let ana = shop.who("ana").await;
    let again = shop
        .act(async |tx| releases::compose(tx, &ana, compose("storefront", "1.0.1")).await)
        .await;
    assert_eq!(code(again), "invalid");
    let mut recalled = compose("storefront", "1.0.1");
    "1.0.0".clone_into(&mut recalled.components[0].version);
    assert!(
        words(
            shop.act(async |tx| releases::compose(tx, &ana, recalled).await)
                .await
        )
        .contains("CVE-1")
    );

    let base = components::Create {
        name: "base".to_owned(),
        team: "shop".to_owned(),
        ..Default::default()
    };
    shop.act(async |tx| components::create(tx, &eve, base).await)
        .await
        .unwrap();
    for (component, version, requires) in [
        ("base", "1.0.0", None),
        ("base", "2.0.0", None),
        ("web", "2.0.0", Some("^2")),
    ] {
        let input = components::CreateVersion {
            version: version.to_owned(),
            manifests: manifests(version).replace("name: web", &format!("name: {component}")),
            requires: requires
                .map(|range| components::RequirementInput {
                    component: "base".to_owned(),
                    version: range.to_owned(),
                })
                .into_iter()
                .collect(),
            ..Default::default()
        };
        shop.act(async |tx| components::create_version(tx, &shop.app, &eve, component, input).await)
            .await
            .unwrap();
    }
    for (n, (base, fits)) in [("1.0.0", false), ("2.0.0", true)].into_iter().enumerate() {
        let mut input = compose("storefront", "2.0.0");
        input.version = format!("2.0.{n}");
        input.components.push(releases::ComponentChoice {
            name: "base".to_owned(),
            version: base.to_owned(),
        });
        shop.act(async |tx| releases::compose(tx, &ana, input).await)
            .await
            .unwrap();
        let result = seal(&shop, &format!("storefront@2.0.{n}")).await;
        assert_eq!(result.is_ok(), fits, "{result:?}");
        if !fits {
            assert!(words(result).contains("requires base ^2"));
        }
    }
    shop.check().await;
}

#[tokio::test]
async fn withdrawing_rejects_what_waits_and_leaves_what_runs() {
    let shop = Shop::open().await;
    let release = shop.release("1.0.0").await;
    let staging = shop.staged(&release).await;
    let pending = shop.ask(&release, "production").await.unwrap();
    let running = shop.ask(&release, "staging").await.unwrap();
    let a = shop.claim_one().await;
    assert_eq!(a.deployment, running);
    let without = shop.who("ana").await;
    let silent = shop
        .act(async |tx| releases::withdraw(tx, &without, "storefront@1.0.0", None).await)
        .await;
    assert_eq!(code(silent), "invalid");
    withdraw(&shop, &release).await.unwrap();
    assert_eq!(shop.state(pending).await, StateName::Rejected);
    assert!(shop.reason(pending).await.contains("unsound"));
    assert_eq!(
        shop.number("SELECT count(*) FROM approvals WHERE state = 'withdrawn'")
            .await,
        1
    );
    assert_eq!(code(shop.approve(pending).await), "approval-state");
    assert_eq!(ApprovalState::Withdrawn.as_str(), "withdrawn");
    shop.succeed(&a).await;
    assert_eq!(
        (shop.state(running).await, shop.state(staging).await),
        (StateName::Succeeded, StateName::Succeeded)
    );
    shop.check().await;
}
