//! `slipway verify`: a release's certificate, without a server.

use super::audit::trusted;
use crate::client::{
    exit::{Exit, Failure},
    files,
    output::{Out, time},
};
use clap::Args;
use slipway_domain::{
    Faults,
    certificate::{self, Deployment, Statement},
    counted,
};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The certificate, as `slipway release certificate` writes it (- for standard input)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A key that is trusted to have signed it (`slipway audit keys`), or a file with such keys
    #[arg(long, value_name = "KEY", required = true)]
    key: Vec<String>,
}

impl Verify {
    /// Carries it out: no server is asked.
    pub(crate) fn run(&self, out: &Out) -> Result<(), Failure> {
        let keys = trusted(&self.key)?;
        let text = files::read(&self.file)?;
        let verified = certificate::read(text.as_bytes(), &keys).map_err(|faults| refused(&faults))?;
        let signed_by: Vec<_> = verified.signed_by.iter().map(ToString::to_string).collect();
        let statement = &verified.statement;
        if out.json_wanted() {
            let json = serde_json::json!({"verified": true, "signed_by": signed_by, "statement": statement});
            return out.json(&json.to_string());
        }
        out.line(&told(statement, &signed_by.join(", ")))
    }
}

fn refused(faults: &Faults) -> Failure {
    let faults = faults.as_slice().iter();
    let lines: Vec<_> = faults
        .map(|fault| match fault.pointer.as_str() {
            "" => format!("  it {}", fault.detail),
            pointer => format!("  {pointer} {}", fault.detail),
        })
        .collect();
    Failure::Outcome {
        exit: Exit::Refused,
        what: format!("the certificate does not hold:\n{}", lines.join("\n")),
    }
}

fn told(statement: &Statement, signed_by: &str) -> String {
    let said = &statement.predicate;
    let mut lines = vec![
        format!("the certificate holds, signed by {signed_by}"),
        format!(
            "{}, {}: {}",
            said.release.display_name(),
            said.release.digest,
            said.outcome.as_str()
        ),
        format!(
            "sealed by {} at {}",
            said.release.sealed.by.name,
            time(said.release.sealed.at)
        ),
        format!(
            "{}, {}",
            counted(said.components.len(), "component", "components"),
            counted(said.evidence.len(), "piece of evidence", "pieces of evidence")
        ),
    ];
    lines.extend(said.deployments.iter().map(deployment));
    lines.join("\n")
}

fn deployment(one: &Deployment) -> String {
    let approved = one.approvals.iter().flat_map(|approval| &approval.decisions);
    let approved: Vec<_> = approved
        .map(|decision| format!("{} by {}", decision.answer.as_str(), decision.by.name))
        .collect();
    let approved = if approved.is_empty() {
        "nobody was asked".to_owned()
    } else {
        approved.join(", ")
    };
    format!(
        "{} to {}: {}, {}, {}; {approved}",
        one.id,
        one.environment,
        one.state,
        counted(one.targets.len(), "target", "targets"),
        counted(one.policies.len(), "policy", "policies")
    )
}
