//! The certificate of a release: what became of it, signed, for whoever has no server to ask.

use super::load;
use crate::{App, Error, Tx, audit, deployments::advance, policies as judged};
use serde::de::DeserializeOwned;
use slipway_domain::{
    Digest, Faults, Name,
    certificate::{
        Approval, Component, Decision, Deployment, Evidence, Outcome, Person, Policy, PolicyVerdict,
        Predicate, Process, Release, Sealed, Target, issue,
    },
    dsse::Envelope,
    evidence::counting,
    gates::{Gate, GateName},
    identity::{Actor, Role, Visible},
    ids::{DeploymentId, PrincipalId},
    policy::{RuleVerdict, judged_by::JudgedBy},
    release::{Release as Composed, Seal},
};
use slipway_store::{
    approvals, audit_tree, deployment_targets,
    deployments::{self, Filter, Row},
    evidence, policies, principals, processes,
};
use std::collections::{BTreeMap, BTreeSet};

/// Deployments that are read at once.
const PAGE: i64 = 200;

/// Certifies a sealed release as it stands, whatever became of it. `tx` reads; it ends before what it read is signed.
///
/// # Errors
/// When there is no such release that the actor may see; `release-state` when it was never sealed; `not-signed` while this
/// installation has signed nothing yet.
pub async fn certificate(app: &App, tx: Tx, actor: &Actor, reference: &str) -> Result<Envelope, Error> {
    let mut told_in = tx;
    let tx = &mut told_in;
    let release = load(tx, actor, reference).await?;
    let Some(seal) = release.state.seal().cloned() else {
        let detail = format!(
            "{} was never sealed: there is nothing to certify",
            release.display_name()
        );
        return Err(Error::conflict("release-state", detail));
    };
    let predicate = Telling::new(tx, &release, &seal).await?.tell(tx).await?;
    let known = audit::known_keys(tx).await?;
    // What was read is of a moment that has passed; the key has to be the one that signs now. One connection at a time.
    told_in.rollback().await?;
    let mut signed_in = app.begin().await?;
    let key = audit::signing_key(app, &mut signed_in).await?;
    // A certificate that contradicts itself is a true one of what is in the database: whoever verifies it is told.
    let keys: Vec<_> = known.into_iter().map(|known| known.key).collect();
    let faults: Faults = predicate.check(&keys);
    if !faults.is_empty() {
        tracing::error!(release = %release.display_name(), %faults, "what is certified does not fit together");
    }
    let envelope = issue(predicate, &key)?;
    signed_in.rollback().await?;
    Ok(envelope)
}

struct Telling<'a> {
    release: &'a Composed,
    seal: &'a Seal,
    rows: Vec<Row>,
    approvals: BTreeMap<DeploymentId, Vec<slipway_domain::approval::Approval>>,
    people: BTreeMap<PrincipalId, String>,
}

impl<'a> Telling<'a> {
    async fn new(tx: &mut Tx, release: &'a Composed, seal: &'a Seal) -> Result<Self, Error> {
        let of_it = Filter {
            release: Some(release.id),
            ..Filter::default()
        };
        // Whoever may read a release may know where it went.
        let everywhere = Visible {
            everything: true,
            ..Visible::default()
        };
        let mut rows = Vec::new();
        loop {
            let before = rows.last().map(|row: &Row| row.deployment.id.uuid());
            let page = deployments::list(tx, &of_it, &everywhere, before, PAGE).await?;
            if page.is_empty() {
                break;
            }
            rows.extend(page);
        }
        rows.reverse();
        for row in &mut rows {
            judged::tell(tx, &mut row.gates).await?;
        }
        let ids: Vec<_> = rows.iter().map(|row| row.deployment.id).collect();
        let mut asked: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for approval in approvals::of(tx, &ids).await? {
            asked.entry(approval.deployment).or_default().push(approval);
        }
        let mut people: BTreeSet<_> = [release.author, seal.by].into();
        people.extend(&release.editors);
        people.extend(rows.iter().map(|row| row.deployment.requested_by));
        let decisions = asked.values().flatten().flat_map(|approval| &approval.decisions);
        people.extend(decisions.flat_map(|decision| [decision.by, decision.of]));
        let people = principals::names(tx, &Vec::from_iter(people)).await?;
        Ok(Self {
            release,
            seal,
            rows,
            approvals: asked,
            people,
        })
    }

    fn person(&self, id: PrincipalId) -> Person {
        let name = self.people.get(&id).cloned();
        Person {
            id,
            name: name.unwrap_or_else(|| id.to_string()),
        }
    }

    async fn tell(&self, tx: &mut Tx) -> Result<Predicate, Error> {
        let mut deployments = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            deployments.push(self.deployment(tx, row).await?);
        }
        Ok(Predicate {
            release: self.release(tx).await?,
            components: self.components(),
            evidence: self.evidence(tx).await?,
            outcome: Outcome::of(&deployments),
            deployments,
            checkpoint: audit_tree::last_checkpoint(tx).await?.map(|signed| signed.note),
            issued_at: tx.now,
        })
    }

    async fn release(&self, tx: &mut Tx) -> Result<Release, Error> {
        let process = processes::of_release(tx, self.release.id).await?;
        Ok(Release {
            id: self.release.id,
            service: self.release.service_name.clone(),
            version: self.release.version.clone(),
            digest: self.seal.digest,
            author: self.person(self.release.author),
            editors: self.release.editors.iter().map(|id| self.person(*id)).collect(),
            sealed: Sealed {
                by: self.person(self.seal.by),
                at: self.seal.at,
            },
            process: process.map(|version| Process {
                name: version.name,
                version: version.version,
                digest: version.digest,
            }),
        })
    }

    fn components(&self) -> Vec<Component> {
        let parts = self.release.components.iter();
        let parts = parts.map(|part| Component {
            name: part.name.clone(),
            version: part.version.clone(),
            digest: part.digest,
        });
        parts.collect()
    }

    async fn evidence(&self, tx: &mut Tx) -> Result<Vec<Evidence>, Error> {
        let mut of = vec![self.seal.digest];
        of.extend(self.release.components.iter().map(|part| part.digest));
        let every = evidence::every(tx, &of).await?;
        let counting = counting(&every).map(|statement| Evidence {
            id: statement.id,
            kind: statement.normal.kind,
            name: statement.normal.name.clone(),
            document: statement.payload,
            about: statement.digest,
            passed: statement.normal.passed,
            verified_by: statement.normal.signature.by().cloned(),
            stated_at: statement.stated_at,
        });
        Ok(counting.collect())
    }

    async fn deployment(&self, tx: &mut Tx, row: &Row) -> Result<Deployment, Error> {
        let d = &row.deployment;
        let no_digest = || Error::internal(format!("deployment {} of a release has no digest of it", d.id));
        let began = d.state.started_at();
        let asked = self.approvals.get(&d.id).into_iter().flatten();
        Ok(Deployment {
            id: d.id,
            environment: d.environment_name.clone(),
            kind: d.kind,
            release_digest: d.release_digest.ok_or_else(no_digest)?,
            plan_digest: d.plan_digest,
            requested_by: self.person(d.requested_by),
            requested_at: d.created_at,
            started_at: began,
            finished_at: d.state.ended().map(|ended| ended.finished_at),
            state: d.state.name(),
            reason: d.state.reason().map(str::to_owned),
            approvals: asked.map(|approval| self.approval(approval)).collect(),
            policies: of_policies(tx, &row.gates).await?,
            gates: row.gates.clone(),
            targets: targets(tx, d.id).await?,
        })
    }

    fn approval(&self, approval: &slipway_domain::approval::Approval) -> Approval {
        let decisions = approval.standing().map(|decision| Decision {
            by: self.person(decision.by),
            on_behalf_of: (decision.of != decision.by).then(|| self.person(decision.of)),
            answer: decision.answer,
            digest: decision.subject.digest,
            plan_digest: decision.subject.plan_digest,
            at: decision.at,
            comment: decision.comment.clone(),
        });
        let asked = approval.requirements.iter().map(|one| &one.requirement);
        Approval {
            id: approval.id,
            required: approval.people(),
            role: asked
                .clone()
                .map(|one| one.role)
                .next()
                .unwrap_or(Role::Authority),
            asked: approval.asked,
            rejections: asked.map(|one| one.rejections).max().unwrap_or(1),
            state: approval.state,
            decisions: decisions.collect(),
        }
    }
}

async fn targets(tx: &mut Tx, deployment: DeploymentId) -> Result<Vec<Target>, Error> {
    let mut targets = Vec::new();
    for row in deployment_targets::of(tx, deployment).await? {
        // What is applied is the stored rendering and nothing else: the executor compares its digest before it begins.
        let applied = advance::touched(tx, &row).await?.then_some(row.target.rendering);
        targets.push(Target {
            cluster: row.target.cluster_name,
            namespace: row.target.namespace,
            wave: row.target.wave,
            intent: row.target.intent,
            planned: row.target.rendering,
            applied,
            state: row.target.state,
        });
    }
    Ok(targets)
}

/// The policies that a gate was judged by, with what each said.
async fn of_policies(tx: &mut Tx, gates: &[Gate]) -> Result<Vec<Policy>, Error> {
    // A gate from before it wrote them down has none; one that cannot be read must not pass for one that has none.
    fn read<T: DeserializeOwned>(gate: &Gate, what: &str) -> Result<Vec<T>, Error> {
        let read = gate.inputs.get(what).cloned().map(serde_json::from_value);
        Ok(read.transpose()?.unwrap_or_default())
    }
    let Some(gate) = gates.iter().find(|gate| gate.name == GateName::Policy) else {
        return Ok(Vec::new());
    };
    let versions: Vec<JudgedBy> = read(gate, "policies")?;
    let not_kept: Vec<RuleVerdict> = read(gate, "rules")?;
    let named: Vec<(Name, i64)> = versions
        .into_iter()
        .map(|one| (one.policy, one.version))
        .collect();
    let digests: Vec<Digest> = policies::digests(tx, &named).await?;
    let told = named.into_iter().zip(digests).map(|((name, version), digest)| {
        let mut of_it = not_kept
            .iter()
            .filter(|rule| rule.policy == name && rule.version == version);
        let verdict = if of_it.any(RuleVerdict::refuses) {
            PolicyVerdict::Refused
        } else {
            PolicyVerdict::Satisfied
        };
        Policy {
            name,
            version,
            digest,
            verdict,
        }
    });
    Ok(told.collect())
}
