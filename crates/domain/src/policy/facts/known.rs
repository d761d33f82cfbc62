//! From what is known of a deployment to the facts that policies are judged on.

use crate::{
    Digest, Name,
    component::VersionState,
    deployment::Kind,
    identity::{Principal, PrincipalKind},
    policy::risk::{self, Risk},
    registry::{Criticality, Labels, Tier},
    render::Changes,
};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What is known of a deployment.
#[derive(Debug, Clone)]
pub struct Known {
    /// The release.
    pub release: Release,
    /// What it is made of.
    pub components: Vec<Component>,
    /// Where it goes.
    pub environment: Environment,
    /// The service.
    pub service: Service,
    /// Who asked for it.
    pub requester: Principal,
    /// What it does.
    pub kind: Kind,
    /// Why, as they said.
    pub reason: Option<String>,
    /// Where it lands.
    pub targets: Vec<Target>,
    /// Whether what runs now can be brought back everywhere.
    pub can_roll_back: bool,
    /// What happened before.
    pub history: History,
}

/// The release.
#[derive(Debug, Clone)]
pub struct Release {
    /// `service@version`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: Digest,
    /// Who composed it.
    pub author: Principal,
    /// Who sealed it.
    pub sealed_by: Principal,
    /// When.
    pub sealed_at: Timestamp,
    /// Its notes.
    pub notes: String,
}

/// One component of it.
#[derive(Debug, Clone)]
pub struct Component {
    /// Its name.
    pub name: Name,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: Digest,
    /// Who owns it.
    pub team: Name,
    /// Whether it may still be used.
    pub state: VersionState,
    /// Where it was built from.
    pub source: Option<Value>,
    /// The images that its objects run, as they would be applied.
    pub images: BTreeSet<String>,
    /// The kinds of its objects.
    pub kinds: BTreeSet<String>,
    /// How many objects it has.
    pub objects: usize,
}

/// The environment.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Its name.
    pub name: Name,
    /// Its tier.
    pub tier: Tier,
    /// The stage before.
    pub promotes_from: Option<Name>,
    /// Its clusters.
    pub clusters: Vec<Name>,
}

/// The service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name.
    pub name: Name,
    /// Its team.
    pub team: Name,
    /// How much depends on it.
    pub criticality: Criticality,
}

/// One target.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its cluster.
    pub cluster: Name,
    /// Its namespace.
    pub namespace: Name,
    /// Its labels.
    pub labels: Labels,
    /// In which wave it is.
    pub wave: u32,
    /// The release that runs there.
    pub replaces: Option<String>,
    /// What changes there.
    pub changes: Changes,
}

/// What happened before.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Deployments of the service to this environment, in the last 30 days.
    pub deployments: i64,
    /// How many of those failed, erred or were rolled back.
    pub failures: i64,
    /// How the last one ended.
    pub last: Option<String>,
    /// When the last one succeeded.
    pub last_success: Option<Timestamp>,
}

impl Known {
    /// As policies are asked about it at this time. Evidence is stated by the caller, in the same shape.
    #[must_use]
    pub fn facts(&self, evidence: &[Value], now: Timestamp) -> Value {
        let seconds = |since: Timestamp| now.duration_since(since).as_secs().max(0);
        let release = &self.release;
        let mut deployment = json!({"kind": kind(self.kind), "first": self.is_first()});
        put(&mut deployment, "reason", self.reason.as_ref());
        let mut environment = json!({
            "name": self.environment.name, "tier": self.environment.tier, "clusters": self.environment.clusters,
        });
        put(
            &mut environment,
            "promotes_from",
            self.environment.promotes_from.as_ref(),
        );
        let history = &self.history;
        let mut before = json!({"deployments": history.deployments, "failures": history.failures});
        put(&mut before, "last", history.last.as_ref());
        put(&mut before, "last_success", history.last_success.map(seconds));
        let risk = self.risk();
        json!({
            "release": {
                "name": release.name, "version": release.version, "digest": release.digest,
                "author": person(&release.author), "sealed_by": person(&release.sealed_by),
                "age": seconds(release.sealed_at), "notes": release.notes,
            },
            "components": self.components.iter().map(component).collect::<Vec<_>>(),
            "evidence": evidence,
            "environment": environment,
            "service": {
                "name": self.service.name, "team": self.service.team, "criticality": self.service.criticality.as_str(),
            },
            "requester": person(&self.requester),
            "deployment": deployment,
            "plan": {
                "targets": self.targets.iter().map(target).collect::<Vec<_>>(),
                "waves": self.targets.iter().map(|target| target.wave).collect::<BTreeSet<_>>().len(),
                "can_roll_back": self.can_roll_back,
            },
            "risk": {"score": risk.score, "factors": risk.factors},
            "calendar": calendar(now),
            "history": before,
        })
    }

    fn is_first(&self) -> bool {
        self.targets.iter().all(|target| target.replaces.is_none())
    }

    /// What could go wrong.
    #[must_use]
    pub fn risk(&self) -> Risk {
        let of_wave = |wave| self.targets.iter().filter(|target| target.wave == wave).count();
        risk::risk(&risk::Input {
            criticality: self.service.criticality,
            tier: self.environment.tier,
            first: self.is_first(),
            touched: self.targets.iter().map(|target| target.changes.touched()).sum(),
            at_once: self
                .targets
                .iter()
                .map(|target| of_wave(target.wave))
                .max()
                .unwrap_or(0),
            can_roll_back: self.can_roll_back,
            deployments: self.history.deployments,
            failures: self.history.failures,
        })
    }
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Deploy => "deploy",
        Kind::RollBack => "roll_back",
        Kind::Heal => "heal",
    }
}

fn put<T: serde::Serialize>(object: &mut Value, field: &str, value: Option<T>) {
    if let Some(value) = value {
        object[field] = json!(value);
    }
}

fn person(principal: &Principal) -> Value {
    let kind = match principal.kind {
        PrincipalKind::Human => "human",
        PrincipalKind::Machine => "machine",
    };
    json!({"subject": principal.subject, "issuer": principal.issuer, "kind": kind})
}

fn component(component: &Component) -> Value {
    let images = component.images.iter().map(|reference| {
        json!({
            "reference": reference, "registry": registry(reference), "pinned": reference.contains("@sha256:"),
        })
    });
    let mut fact = json!({
        "name": component.name, "version": component.version, "digest": component.digest, "team": component.team,
        "state": component.state.as_str(), "images": images.collect::<Vec<_>>(), "kinds": component.kinds,
        "objects": component.objects,
    });
    put(&mut fact, "source", component.source.as_ref());
    fact
}

/// The host that an image comes from: what is before the first `/` when it looks like a host, else the one that Kubernetes
/// takes where none is written.
fn registry(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "docker.io",
    }
}

fn target(target: &Target) -> Value {
    let mut fact = json!({
        "cluster": target.cluster, "namespace": target.namespace, "labels": target.labels, "changes": target.changes,
    });
    put(&mut fact, "replaces", target.replaces.as_ref());
    fact
}

fn calendar(now: Timestamp) -> Value {
    let at = now.to_zoned(TimeZone::UTC);
    let weekday = match at.weekday() {
        jiff::civil::Weekday::Monday => "monday",
        jiff::civil::Weekday::Tuesday => "tuesday",
        jiff::civil::Weekday::Wednesday => "wednesday",
        jiff::civil::Weekday::Thursday => "thursday",
        jiff::civil::Weekday::Friday => "friday",
        jiff::civil::Weekday::Saturday => "saturday",
        jiff::civil::Weekday::Sunday => "sunday",
    };
    json!({"now": now, "weekday": weekday, "hour": at.hour(), "date": at.date().to_string()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::PrincipalId,
        policy::{Facts, judge},
    };

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn person(subject: &str) -> Principal {
        Principal {
            id: PrincipalId::new(),
            kind: PrincipalKind::Human,
            issuer: "https://id.example".to_owned(),
            subject: subject.to_owned(),
            name: subject.to_owned(),
        }
    }

    fn known() -> Known {
        let digest = Digest::of_bytes(b"release");
        Known {
            release: Release {
                name: "shop@1.1.0".to_owned(),
                version: "1.1.0".to_owned(),
                digest,
                author: person("ada"),
                sealed_by: person("sam"),
                sealed_at: "2026-11-23T09:00:00Z".parse().unwrap(),
                notes: String::new(),
            },
            components: vec![Component {
                name: name("web"),
                version: "1.1.0".to_owned(),
                digest,
                team: name("shop"),
                state: VersionState::Available,
                source: None,
                images: ["nginx:1".to_owned(), "registry.example/web@sha256:aa".to_owned()].into(),
                kinds: ["apps/v1/Deployment".to_owned()].into(),
                objects: 1,
            }],
            environment: Environment {
                name: name("production"),
                tier: Tier::Production,
                promotes_from: Some(name("staging")),
                clusters: vec![name("eu")],
            },
            service: Service {
                name: name("shop"),
                team: name("shop"),
                criticality: Criticality::High,
            },
            requester: person("rob"),
            kind: Kind::Deploy,
            reason: None,
            targets: vec![Target {
                cluster: name("eu"),
                namespace: name("shop"),
                labels: Labels::new(),
                wave: 0,
                replaces: None,
                changes: Changes {
                    created: 1,
                    ..Changes::default()
                },
            }],
            can_roll_back: true,
            history: History::default(),
        }
    }

    #[test]
    fn what_is_known_comes_out_in_the_documented_shape() {
        let now: Timestamp = "2026-11-23T10:30:00Z".parse().unwrap();
        let json = known().facts(&[], now);
        let facts = Facts::new(json.clone()).map_err(|faults| faults.to_string());
        assert!(facts.is_ok(), "{:?}", facts.err());
        assert_eq!(json["calendar"]["weekday"], "monday");
        assert_eq!(json["calendar"]["hour"], 10);
        assert_eq!(json["release"]["age"], 5400);
        assert_eq!(json["deployment"]["first"], true);
        assert_eq!(json["components"][0]["images"][0]["registry"], "docker.io");
        assert_eq!(json["components"][0]["images"][0]["pinned"], false);
        assert_eq!(json["components"][0]["images"][1]["registry"], "registry.example");
        assert_eq!(json["components"][0]["images"][1]["pinned"], true);
        assert!(judge::place(&json).is_some());
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_younger_than_new() {
        let before: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        assert_eq!(known().facts(&[], before)["release"]["age"], 0);
    }
}
