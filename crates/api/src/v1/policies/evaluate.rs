//! Trying policies. Nothing is changed by it.

use super::document;
use crate::{
    etag::Tag,
    extract::{Change, Command},
    problem::Failure,
};
use axum::response::Response;
use slipway_api_types::policy::{
    EvaluatePolicies, FailedPolicyExample, PolicyBecause, PolicyJudgement, PolicyReport, PolicyReportEntry,
    PolicyReportRequest, PolicyRuleVerdict, PolicySaw,
};
use slipway_app::policies::{self, Evaluate, Evaluated, Report};
use slipway_domain::{
    Faults,
    policy::{Kept, RuleVerdict, expression::Because},
};

/// Days of a report when none are given.
const DAYS: u32 = 90;

/// Try policies.
///
/// A draft, or every policy in force, on a deployment as it was judged last, or on facts that are made up. Every rule says
/// why it came out as it did. Changes nothing.
#[utoipa::path(
    post, path = "/v1/policies/evaluate", operation_id = "evaluate_policies", tag = "policies",
    request_body = EvaluatePolicies,
    responses((status = 200, description = "What they say.", body = PolicyJudgement)),
    extensions(("x-slipway-permission" = json!("read")), ("x-slipway-problems" = json!(["no-facts"]))),
)]
pub(super) async fn evaluate(
    Command(body, mut change): Command<EvaluatePolicies>,
) -> Result<Response, Failure> {
    let mut faults = Faults::new();
    let document = body.document.map(|given| document::read(given, &mut faults));
    let input = Evaluate {
        document,
        deployment: body.deployment,
        facts: body.facts,
    };
    let Change { tx, actor, .. } = &mut change;
    let evaluated = policies::evaluate(tx, actor, input, faults).await?;
    change.ok(Tag::Body, &judgement(&evaluated)).await
}

/// Ask what a draft would have done.
///
/// To everything that policies were asked about in the last days, 90 unless given. Changes nothing.
#[utoipa::path(
    post, path = "/v1/policies/report", operation_id = "report_policy_effect", tag = "policies",
    request_body = PolicyReportRequest,
    responses((status = 200, description = "What it would have done.", body = PolicyReport)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn report(
    Command(body, mut change): Command<PolicyReportRequest>,
) -> Result<Response, Failure> {
    let mut faults = Faults::new();
    let document = document::read(body.document, &mut faults);
    let Change { tx, actor, .. } = &mut change;
    let report = policies::report(tx, actor, document, body.days.unwrap_or(DAYS), faults).await?;
    change.ok(Tag::Body, &wire(report)).await
}

fn judgement(evaluated: &Evaluated) -> PolicyJudgement {
    PolicyJudgement {
        verdict: evaluated.judgement.overall().as_str().to_owned(),
        rules: evaluated.judgement.rules.iter().map(verdict).collect(),
        failed_examples: evaluated
            .failed_examples
            .iter()
            .map(|failed| FailedPolicyExample {
                name: failed.name.clone(),
                expected: failed.expected.as_str().to_owned(),
                verdict: failed.verdict.as_str().to_owned(),
            })
            .collect(),
    }
}

fn verdict(rule: &RuleVerdict) -> PolicyRuleVerdict {
    PolicyRuleVerdict {
        policy: rule.policy.to_string(),
        version: rule.version,
        rule: rule.rule.to_string(),
        kept: match rule.kept {
            Kept::Kept => "kept",
            Kept::NotKept => "not_kept",
            Kept::DoesNotApply => "does_not_apply",
            Kept::Unknown => "unknown",
        }
        .to_owned(),
        effect: rule.effect.as_str().to_owned(),
        message: rule.message.clone(),
        because: rule.because.iter().map(because).collect(),
    }
}

fn because(because: &Because) -> PolicyBecause {
    PolicyBecause {
        expression: because.expression.clone(),
        is: because.is,
        detail: because.detail.clone(),
        would_change: because.would_change.clone(),
        saw: because
            .saw
            .iter()
            .map(|saw| PolicySaw {
                fact: saw.fact.clone(),
                value: saw.value.clone(),
            })
            .collect(),
    }
}

fn wire(report: Report) -> PolicyReport {
    let entry = |stopped: policies::Stopped| PolicyReportEntry {
        deployment: stopped.deployment.to_string(),
        release: stopped.release,
        environment: stopped.environment,
        judged_at: stopped.judged_at,
        verdict: stopped.verdict.as_str().to_owned(),
        reasons: stopped.reasons,
    };
    PolicyReport {
        since: report.since,
        looked_at: report.looked_at as u64,
        cut_off: report.cut_off,
        verdicts: report
            .verdicts
            .into_iter()
            .map(|(verdict, n)| (verdict.to_owned(), n))
            .collect(),
        deployments: report.stopped.into_iter().map(entry).collect(),
    }
}
