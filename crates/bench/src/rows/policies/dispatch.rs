//! What policies add to judging a deployment: the same one in two databases, one of which has many policies in force.
//!
//! Judging is what a claim does before it lets a deployment start, and what the timers do while it waits. The timers are
//! measured: a deployment that waits for an approval is looked at again and again, and stays as it is.

use super::shipped;
use crate::{places::Places, stats::percentile};
use anyhow::{Context as _, Result, ensure};
use jiff::SignedDuration;
use serde_json::json;
use slipway_app::{App, Config, Database, Ref, SecretKey, timers};
use slipway_domain::{
    Digest,
    ids::{DeploymentId, PolicyTag, PrincipalId},
    policy::{Document, Rule, Scope},
};
use slipway_store::{deployments, policies};
use slipway_testkit::{
    Clusters,
    live::{ServerOptions, World, manifests},
};
use sqlx::types::Uuid;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const POLICIES: usize = 1_000;
const LOOKS: usize = 400;
const CLUSTERS: [&str; 4] = ["c1", "c2", "c3", "c4"];
/// Named by its digest, as the rules want it.
const IMAGE: &str =
    "registry.example/shop/web@sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752";

/// What it came to, in milliseconds: p50 and p99 of a look.
pub(super) struct Added {
    pub(super) with: (f64, f64),
    pub(super) without: (f64, f64),
    /// How long the first look at many policies took, in seconds.
    pub(super) first: f64,
    pub(super) policies: usize,
    pub(super) targets: usize,
    pub(super) looks: usize,
}

/// A deployment that waits, and what looks at it.
struct Waiting {
    world: World,
    app: App,
    deployment: DeploymentId,
}

/// Measures it.
pub(super) async fn measure(places: &mut Places) -> Result<Added> {
    let without = Waiting::with(places).await?;
    let with = Waiting::with(places).await?;
    with.put_in_force().await?;
    let first = with.look().await?.as_secs_f64();
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for round in 0..LOOKS {
        if round % 2 == 0 {
            ours.push(with.look().await?);
            others.push(without.look().await?);
        } else {
            others.push(without.look().await?);
            ours.push(with.look().await?);
        }
    }
    with.are_judged().await?;
    let of = |looks: &[Duration]| {
        let looks: Vec<f64> = looks.iter().map(|took| took.as_secs_f64() * 1000.0).collect();
        percentile(&looks, 0.5)
            .zip(percentile(&looks, 0.99))
            .context("no looks")
    };
    let added = Added {
        with: of(&ours)?,
        without: of(&others)?,
        first,
        policies: POLICIES,
        targets: CLUSTERS.len(),
        looks: LOOKS,
    };
    with.world.close().await;
    without.world.close().await;
    Ok(added)
}

/// The rule, with a condition that is always so and in no other policy.
fn of_its_own(rule: &Rule, n: usize) -> Rule {
    let expression = rule.expression.as_deref().unwrap_or("true");
    Rule {
        expression: Some(format!("({expression}) && service.name != \"none-{n}\"")),
        ..rule.clone()
    }
}

impl Waiting {
    async fn with(places: &mut Places) -> Result<Self> {
        let database = places.database().await?;
        let mut world = World::empty_with("bench", database, &[ServerOptions::roles("api")]).await;
        for name in CLUSTERS {
            let cluster = json!({
                "name": name, "server": format!("https://{name}.kube.example:6443"), "credential": {"token": "nobody"},
            });
            world.admin.post("/v1/clusters", cluster).await.expect(201);
        }
        let settings = json!({"approvals": {"count": 1, "role": "authority"}});
        world.environment("staging", &CLUSTERS, settings).await;
        let objects = manifests::config("web", "blue") + &manifests::deployment("web", IMAGE);
        world.sealed("1.0.0", &objects).await;
        let deployment = world.deploy("1.0.0", "staging").await.parse()?;
        let key = std::fs::read_to_string(world.dir.join("secret-key"))?;
        let store = Database::connect(&world.database.url, 2).await?;
        let config = Config::new(Vec::new(), SecretKey::parse("secret_key", key.trim())?);
        let app = App::new(store, config, Arc::new(Clusters::default()))?;
        Ok(Self {
            world,
            app,
            deployment,
        })
    }

    /// Writes the policies and puts them in force, as two people do.
    async fn put_in_force(&self) -> Result<()> {
        let mut shipped = shipped()?.into_iter();
        let rules = shipped.next().context("no policy")?.1.rules;
        let mut rules = rules.iter().take(3).cycle();
        let mut tx = self.app.begin().await?;
        let people: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM principals ORDER BY id LIMIT 2")
            .fetch_all(tx.conn())
            .await?;
        let [author, other] = people.try_into().ok().context("there are no two people")?;
        for n in 0..POLICIES {
            let document = Document {
                description: format!("policy {n} of the bench"),
                scope: Scope::default(),
                // No two ask the same: what one says helps to judge no other.
                rules: rules.next().map(|rule| of_its_own(rule, n)).into_iter().collect(),
                examples: Vec::new(),
                break_glass: None,
            };
            let name = format!("policy-{n}").parse()?;
            let digest = Digest::of_canonical(&document)?;
            policies::insert(&mut tx, &name, &document, digest, PrincipalId::from_uuid(author)).await?;
            let reference = Ref::parse::<PolicyTag>(name.as_str());
            let head = policies::find_for_update(&mut tx, &reference)
                .await?
                .context("a policy is gone")?;
            policies::activate(&mut tx, &head, 1, PrincipalId::from_uuid(other)).await?;
        }
        tx.commit().await?;
        sqlx::raw_sql("VACUUM ANALYZE")
            .execute(self.app.database().pool())
            .await?;
        Ok(())
    }

    /// Has the timers look at the deployment; how long that takes.
    async fn look(&self) -> Result<Duration> {
        let mut tx = self.app.begin().await?;
        let due = tx.now.checked_sub(SignedDuration::from_secs(1))?;
        deployments::set_look_at(&mut tx, self.deployment, Some(due)).await?;
        tx.commit().await?;
        let begun = Instant::now();
        let looked = timers::look(&self.app).await?;
        let took = begun.elapsed();
        ensure!(looked == 1, "{looked} deployments were looked at");
        Ok(took)
    }

    /// That all policies were asked, and none stands in the way.
    async fn are_judged(&self) -> Result<()> {
        let deployment = self.world.deployment(&self.deployment.to_string()).await;
        let gates = deployment["gates"].as_array().context("no gates")?;
        let gate = gates
            .iter()
            .find(|gate| gate["name"] == "policy")
            .context("no gate of policies")?;
        let said = format!("kept, as {POLICIES} policies in force say");
        ensure!(gate.to_string().contains(&said), "{gate}");
        Ok(())
    }
}
