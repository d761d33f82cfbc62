//! The compliance report of a release: brings what the record says to the domain's pure function.

use crate::{Error, Tx, deployments::create, processes, releases};
use serde_json::Value;
use slipway_domain::{
    Name,
    approval::Approval,
    compliance::{
        Acceptance, ApprovalFacts, DecisionFacts, DeploymentFacts, Facts, HandoverFacts, Report,
        RequirementSource, StageFacts, report,
    },
    evidence::{Kind, Statement, Subject, counting},
    gates::{Gate, GateName, evidence},
    identity::{Actor, Role},
    ids::PrincipalId,
    process::{Stage, Version},
    registry::Environment,
    release::{Release, ReleaseState, Seal},
};
use slipway_store::{
    Ref, approvals, deployments as stored, environments, evidence as statements, principals,
    processes as kept, services,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a release was asked to meet on its way, and what became of each requirement.
///
/// # Errors
/// When there is no such release that the actor may see; `release-state` when it was never sealed: until then it has no way.
pub async fn compliance(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<Report, Error> {
    let release = releases::load(tx, actor, reference).await?;
    let Some(seal) = release.state.seal().cloned() else {
        let detail = format!(
            "{} was never sealed: it goes by no process yet, and nothing was asked of it",
            release.display_name()
        );
        return Err(Error::conflict("release-state", detail));
    };
    let version = kept::of_release(tx, release.id)
        .await?
        .ok_or_else(|| Error::internal(format!("{} goes by no process", release.display_name())))?;
    let service = services::get(tx, release.service)
        .await?
        .ok_or_else(|| Error::internal(format!("service {} is gone", release.service)))?;
    let stated = stated(tx, &release, &seal).await?;
    let all = kept::environments(tx).await?;
    let mut stages = Vec::new();
    for (index, stage) in version.document.stages.iter().enumerate() {
        for place in &all {
            if version.document.stage_of(place).map(|(at, _)| at) != Some(index) {
                continue;
            }
            let found = environments::find(tx, &Ref::Name(place.name.to_string())).await?;
            if let Some(environment) = found {
                let about = About {
                    release: &release,
                    seal: &seal,
                    version: &version,
                    stage,
                };
                stages.push(about.at(tx, environment, &stated).await?);
            }
        }
    }
    let people = names(tx, [release.author, seal.by]).await?;
    let facts = Facts {
        release: release.display_name(),
        digest: seal.digest,
        service: service.name,
        team: service.team_name,
        criticality: service.criticality,
        author: called(&people, release.author),
        sealed_by: called(&people, seal.by),
        sealed_at: seal.at,
        withdrawn: match &release.state {
            ReleaseState::Withdrawn { reason, .. } => Some(reason.clone()),
            ReleaseState::Draft | ReleaseState::Sealed(_) => None,
        },
        recalled: create::recalled_part(tx, &release).await?,
        process: version.name,
        process_version: version.version,
        stages,
    };
    Ok(report(&facts, tx.now))
}

async fn names(
    tx: &mut Tx,
    ids: impl IntoIterator<Item = PrincipalId>,
) -> Result<BTreeMap<PrincipalId, String>, Error> {
    let ids: BTreeSet<_> = ids.into_iter().collect();
    let ids: Vec<_> = ids.into_iter().collect();
    Ok(principals::names(tx, &ids).await?)
}

fn called(people: &BTreeMap<PrincipalId, String>, id: PrincipalId) -> String {
    people.get(&id).cloned().unwrap_or_else(|| id.to_string())
}

/// Everything that was ever stated about a release and its parts: what was superseded tells since when something held.
async fn stated(tx: &mut Tx, release: &Release, seal: &Seal) -> Result<evidence::Facts, Error> {
    let mut subjects = vec![evidence::Subject {
        of: evidence::Of::Release,
        called: release.display_name(),
        digest: seal.digest,
    }];
    subjects.extend(release.components.iter().map(|part| evidence::Subject {
        of: evidence::Of::Component,
        called: format!("{}@{}", part.name, part.version),
        digest: part.digest,
    }));
    let digests: Vec<_> = subjects.iter().map(|subject| subject.digest).collect();
    Ok(evidence::Facts {
        required: Vec::new(),
        statements: statements::every(tx, &digests).await?,
        subjects,
    })
}

struct About<'a> {
    release: &'a Release,
    seal: &'a Seal,
    version: &'a Version,
    stage: &'a Stage,
}

impl About<'_> {
    async fn at(
        &self,
        tx: &mut Tx,
        environment: Environment,
        stated: &evidence::Facts,
    ) -> Result<StageFacts, Error> {
        let way = processes::way(
            tx,
            self.release,
            self.seal.digest,
            &environment,
            &crate::evidence::Stated::default(),
        )
        .await?;
        let last = stored::last_of_release(tx, self.release.id, environment.id).await?;
        let row = match last {
            Some(id) => stored::get(tx, id).await?,
            None => None,
        };
        let mut deployment = None;
        let mut requests = Vec::new();
        let mut required = way.required;
        if let Some(mut row) = row {
            crate::policies::tell(tx, &mut row.gates).await?;
            required = asked_for(required, &row.gates);
            let policies = policies(&row.gates);
            for approval in approvals::of(tx, &[row.deployment.id]).await? {
                let asked_by = self.asked_by(&environment, &row.gates);
                requests.push(approval_facts(tx, approval, asked_by).await?);
            }
            let d = row.deployment;
            let people = names(tx, [d.requested_by]).await?;
            deployment = Some(DeploymentFacts {
                id: d.id,
                state: d.state.name(),
                requested_by: called(&people, d.requested_by),
                since: d.since,
                started_at: d.state.started_at(),
                finished_at: d.state.ended().map(|ended| ended.finished_at),
                reason: d.state.reason().map(str::to_owned),
                gates: row.gates,
                policies,
            });
        }
        Ok(StageFacts {
            stage: self.stage.name.clone(),
            environment: environment.name.clone(),
            tier: environment.tier,
            promotes_from: environment.promotes_from.map(|(_, name)| name),
            evidence: evidence::Facts {
                required,
                ..stated.clone()
            },
            deployment,
            approvals: requests,
            handover: if self.stage.handover {
                Some(self.handover(tx, &stated.statements).await?)
            } else {
                None
            },
        })
    }

    /// Who asks for approvals there: the environment, the stage, rules of policies.
    fn asked_by(&self, environment: &Environment, gates: &[Gate]) -> Vec<RequirementSource> {
        let mut asked_by = Vec::new();
        if environment.settings.approvals.is_some() {
            asked_by.push(RequirementSource::Environment {
                name: environment.name.clone(),
            });
        }
        if self.stage.approvals.is_some() {
            asked_by.push(RequirementSource::Process {
                name: self.version.name.clone(),
                version: self.version.version,
                stage: self.stage.name.clone(),
            });
        }
        let rules = policy_gate(gates).and_then(|gate| gate.inputs["rules"].as_array());
        for rule in rules.into_iter().flatten() {
            let asks = rule["effect"].get("require_approval").is_some();
            let name = |field: &str| rule[field].as_str().and_then(|text| text.parse::<Name>().ok());
            if let (true, Some(name), Some(version)) = (asks, name("policy"), rule["version"].as_i64()) {
                asked_by.push(RequirementSource::Policy {
                    name,
                    version,
                    rule: rule["rule"].as_str().and_then(|text| text.parse().ok()),
                });
            }
        }
        asked_by
    }

    async fn handover(&self, tx: &mut Tx, all: &[Statement]) -> Result<HandoverFacts, Error> {
        let accepted = counting(all).find(|statement| {
            statement.subject == Subject::Release(self.release.id)
                && statement.normal.kind == Kind::ManualCheck
                && statement.normal.name.as_str() == processes::HANDOVER
                && statement.normal.passed
        });
        let Some(statement) = accepted else {
            return Ok(HandoverFacts { accepted: None });
        };
        let people = names(tx, [statement.stated_by]).await?;
        Ok(HandoverFacts {
            accepted: Some(Acceptance {
                by: called(&people, statement.stated_by),
                at: statement.stated_at,
                evidence: statement.id,
            }),
        })
    }
}

/// What the process asks for, and what policies did when the deployment was judged.
fn asked_for(process: Vec<evidence::Required>, gates: &[Gate]) -> Vec<evidence::Required> {
    let gate = gates.iter().find(|gate| gate.name == GateName::Evidence);
    let recorded = gate
        .map(|gate| evidence::recorded(&gate.inputs))
        .unwrap_or_default();
    let beside = process.into_iter().filter(|one| !recorded.asks_for(one));
    let beside: Vec<_> = beside.collect();
    recorded.required.into_iter().chain(beside).collect()
}

fn policy_gate(gates: &[Gate]) -> Option<&Gate> {
    gates.iter().find(|gate| gate.name == GateName::Policy)
}

/// The versions of policies that a deployment was judged by, as its gate wrote them down.
fn policies(gates: &[Gate]) -> Vec<(Name, i64)> {
    let versions = policy_gate(gates).and_then(|gate| gate.inputs["policies"].as_array());
    let read = |one: &Value| Some((one["policy"].as_str()?.parse().ok()?, one["version"].as_i64()?));
    versions.into_iter().flatten().filter_map(read).collect()
}

async fn approval_facts(
    tx: &mut Tx,
    approval: Approval,
    otherwise: Vec<RequirementSource>,
) -> Result<ApprovalFacts, Error> {
    let sources = approval.requirements.iter().flat_map(|one| &one.sources);
    let sources: Vec<_> = sources.cloned().map(RequirementSource::from).collect();
    // Requests from before did not say who asked.
    let asked_by = if sources.is_empty() { otherwise } else { sources };
    let people = names(tx, approval.decisions.iter().map(|decision| decision.by)).await?;
    Ok(ApprovalFacts {
        digest: approval.to_decide_on(),
        id: approval.id,
        state: approval.state,
        required: approval.people(),
        role: approval
            .requirements
            .first()
            .map_or(Role::Authority, |one| one.requirement.role),
        asked_by,
        decisions: approval
            .decisions
            .into_iter()
            .filter(|decision| decision.withdrawn.is_none())
            .map(|decision| DecisionFacts {
                by: called(&people, decision.by),
                answer: decision.answer,
                at: decision.at,
                comment: decision.comment,
            })
            .collect(),
    })
}
