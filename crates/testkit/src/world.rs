//! What most tests start from: a shop, its people, its clusters and environments, made through the API.

use crate::{Person, TestApp, Value, json};

/// A shop with a service, two environments, and people with one role each.
pub struct World {
    /// Role `admin`.
    pub admin: Person,
    /// Role `engineer`.
    pub engineer: Person,
    /// Role `manager`.
    pub manager: Person,
    /// Role `operator`.
    pub operator: Person,
    /// Role `authority`.
    pub authority: Person,
    /// Role `auditor`.
    pub auditor: Person,
    /// Role `viewer`.
    pub viewer: Person,
    /// No role at all.
    pub stranger: Person,
}

/// A small bundle: a `ConfigMap` and a Deployment.
const MANIFESTS: &str = r"apiVersion: v1
kind: ConfigMap
metadata:
  name: web
data:
  colour: COLOUR
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example/shop/web:1
";

impl World {
    /// People only.
    pub async fn people(app: &TestApp) -> Self {
        Self {
            admin: app.person("root", &["admin"]).await,
            engineer: app.person("eve", &["engineer"]).await,
            manager: app.person("ana", &["manager"]).await,
            operator: app.person("otto", &["operator"]).await,
            authority: app.person("ada", &["authority"]).await,
            auditor: app.person("aud", &["auditor"]).await,
            viewer: app.person("vic", &["viewer"]).await,
            stranger: app.as_("sam"),
        }
    }

    /// People, team `shop`, clusters `eu` and `us`, environments `staging` (open) and `production` (promotes from staging,
    /// one approval by an authority), service `storefront`, component `web` in version 1.0.0.
    pub async fn shop(app: &TestApp) -> Self {
        let world = Self::people(app).await;
        let admin = &world.admin;
        admin.post("/v1/teams", json!({"name": "shop"})).await.expect(201);
        for region in ["eu", "us"] {
            let cluster = json!({
                "name": region,
                "server": format!("https://{region}.kube.example:6443"),
                "credential": {"token": "cluster-secret"},
                "labels": {"region": region},
            });
            admin.post("/v1/clusters", cluster).await.expect(201);
        }
        let staging = json!({"name": "staging", "tier": "staging", "clusters": ["eu"]});
        admin.post("/v1/environments", staging).await.expect(201);
        let production = json!({
            "name": "production", "tier": "production", "promotes_from": "staging", "clusters": ["eu", "us"],
            "settings": {"approvals": {"count": 1, "role": "authority"}},
        });
        admin.post("/v1/environments", production).await.expect(201);
        let service = json!({"name": "storefront", "team": "shop", "criticality": "high"});
        world.engineer.post("/v1/services", service).await.expect(201);
        let component = json!({"name": "web", "team": "shop"});
        world.engineer.post("/v1/components", component).await.expect(201);
        world.version("1.0.0", "blue").await;
        world
    }

    /// The bundle of component `web`, which differs by colour.
    #[must_use]
    pub fn manifests(colour: &str) -> String {
        MANIFESTS.replace("COLOUR", colour)
    }

    /// Registers a version of component `web`.
    pub async fn version(&self, version: &str, colour: &str) -> Value {
        let body = json!({"version": version, "manifests": Self::manifests(colour)});
        self.engineer
            .post("/v1/components/web/versions", body)
            .await
            .expect(201)
    }

    /// Composes a release of `storefront` from a version of `web`.
    pub async fn draft(&self, version: &str) -> Value {
        let body = json!({
            "service": "storefront", "version": version, "components": [{"name": "web", "version": version}],
        });
        self.manager.post("/v1/releases", body).await.expect(201)
    }

    /// Composes and seals a release of `storefront`.
    pub async fn sealed(&self, version: &str) -> Value {
        self.draft(version).await;
        self.manager
            .act(&format!("/v1/releases/storefront@{version}/seal"))
            .await
            .expect(200)
    }

    /// Asks for a deployment.
    pub async fn deploy(&self, release: &str, environment: &str) -> Value {
        let body = json!({"release": release, "environment": environment});
        self.operator.post("/v1/deployments", body).await.expect(201)
    }
}
