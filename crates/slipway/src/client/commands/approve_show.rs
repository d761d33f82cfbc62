//! How a request for approval is shown: who is asked, who is missing, what they decide on.

use super::deploy_show::preview;
use crate::client::{
    Context,
    exit::Failure,
    http::Query,
    output::{Show, short, time},
};
use serde_json::Value;
use slipway_api_types::approval::{Approval, ApprovalRequirement, Decision};

/// Shows what would change on each target, as it would be at this moment. Whoever cannot be asked keeps nobody from deciding:
/// what is decided on is shown above.
pub(super) async fn changes(cx: &Context, deployment: &str) -> Result<(), Failure> {
    match cx
        .api
        .get(&["v1", "deployments", deployment, "preview"], &Query::new())
        .await
    {
        Ok(reply) => preview(&cx.out, &reply),
        Err(failure) => cx.out.print(&super::diff::line(&format!(
            "what would change cannot be shown: {failure}"
        ))),
    }
}

impl Show for Approval {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "RELEASE",
        "ENVIRONMENT",
        "STATE",
        "DECISIONS",
        "DIGEST",
        "REQUESTED BY",
        "SINCE",
    ];

    fn cells(&self) -> Vec<String> {
        let approving = self
            .decisions
            .iter()
            .filter(|decision| decision.decision == "approve" && decision.withdrawn_because.is_none())
            .count();
        vec![
            self.id.clone(),
            self.release.clone(),
            self.environment.clone(),
            self.state.clone(),
            format!("{approving} of {}", self.people),
            short(&self.digest),
            self.requested_by.clone(),
            time(self.created_at),
        ]
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let excluded = self.excluded.iter().map(|excluded| {
            let through = if excluded.through_delegate {
                ", through a delegate"
            } else {
                ""
            };
            format!("{} ({}{through})", excluded.who, excluded.because)
        });
        let document = self.document.as_ref();
        vec![
            ("ID", self.id.clone()),
            ("STATE", self.state.clone()),
            ("RELEASE", self.release.clone()),
            ("SERVICE", self.service.clone()),
            ("ENVIRONMENT", self.environment.clone()),
            ("DEPLOYMENT", self.deployment.clone()),
            ("DIGEST", self.digest.clone()),
            ("CONTENT", self.release_digest.clone()),
            ("PLAN", self.plan_digest.clone()),
            ("CHANGES", lines(document, "/about/targets", target)),
            ("EVIDENCE", lines(document, "/about/evidence", proof)),
            ("POLICIES", lines(document, "/about/policies", policy)),
            ("OVERRIDDEN", lines(document, "/about/overridden", overridden)),
            ("RISK", risk(document)),
            ("WINDOW", window(document)),
            (
                "REQUIRED",
                self.requirements
                    .iter()
                    .map(required)
                    .collect::<Vec<_>>()
                    .join("\n"),
            ),
            ("MISSING", self.missing.join("\n")),
            ("DUE", self.due_at.map(time).unwrap_or_default()),
            (
                "REQUESTED",
                format!("{} by {}", time(self.created_at), self.requested_by),
            ),
            ("BECAUSE", self.reason.clone().unwrap_or_default()),
            ("MAY NOT DECIDE", excluded.collect::<Vec<_>>().join("\n")),
            (
                "DECIDED",
                self.decisions.iter().map(decided).collect::<Vec<_>>().join("\n"),
            ),
            ("YOU", self.you()),
        ]
    }
}

trait You {
    fn you(&self) -> String;
}

impl You for Approval {
    fn you(&self) -> String {
        match (self.mine, self.mine_for.as_slice()) {
            (true, []) => "may decide".to_owned(),
            (false, []) => "may not decide".to_owned(),
            (true, others) => format!("may decide, also in the place of {}", others.join(", ")),
            (false, others) => format!("may decide in the place of {}", others.join(", ")),
        }
    }
}

fn decided(decision: &Decision) -> String {
    let quoted = |text: &String| format!(": {text}");
    let comment = decision.comment.as_ref().map(quoted).unwrap_or_default();
    let whom = decision.on_behalf_of.as_ref();
    let whom = whom
        .map(|whom| format!(" in the place of {whom}"))
        .unwrap_or_default();
    let withdrawn = decision.withdrawn_because.as_ref();
    let withdrawn = withdrawn
        .map(|because| format!(" (withdrawn: {because})"))
        .unwrap_or_default();
    format!(
        "{} {} by {}{whom}{comment}{withdrawn}",
        time(decision.at),
        decision.decision,
        decision.by
    )
}

fn required(requirement: &ApprovalRequirement) -> String {
    let rule = &requirement.rule;
    let mut text = format!("{} with the role {}", rule.count, rule.role);
    if !rule.any_of.is_empty() {
        text = format!("{text}, of {}", rule.any_of.join(" or "));
    }
    if !rule.all_of.is_empty() {
        text = format!("{text}, one each of {}", rule.all_of.join(" and "));
    }
    for person in &rule.named {
        text = format!("{text}, {} among them", person.subject);
    }
    if !requirement.asked_by.is_empty() {
        text = format!("{text}: {}", requirement.asked_by.join("; "));
    }
    let asked = requirement
        .asked
        .iter()
        .map(|asked| format!("{} since {}", asked.who, time(asked.since)));
    let asked: Vec<_> = asked.skip(1).collect();
    if !asked.is_empty() {
        text = format!("{text} (asked: {})", asked.join(", "));
    }
    match requirement.next {
        Some(next) => format!("{text} (next at {})", time(next)),
        None => text,
    }
}

/// One line for each entry of a list in what approvers see.
fn lines(document: Option<&Value>, pointer: &str, line: impl Fn(&Value) -> String) -> String {
    let list = document
        .and_then(|document| document.pointer(pointer))
        .and_then(Value::as_array);
    let lines: Vec<_> = list.into_iter().flatten().map(line).collect();
    lines.join("\n")
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn target(change: &Value) -> String {
    let from = change["runs"].as_str().map_or_else(
        || "nothing runs there yet".to_owned(),
        |runs| format!("replaces {runs}, which a rollback brings back"),
    );
    format!(
        "{}: {from} ({})",
        text(change, "target"),
        short(text(change, "brings"))
    )
}

fn proof(proof: &Value) -> String {
    let met = if proof["met"] == true { "met" } else { "NOT MET" };
    format!("{met}: {}", text(proof, "required"))
}

fn policy(policy: &Value) -> String {
    // A rule that asks for something is there to ask: what became of that is told with the evidence, and with who is missing.
    let effects = [
        ("refuse", "refuses"),
        ("warn", "warns"),
        ("require_evidence", "asks for evidence"),
        ("require_approval", "asks for approval"),
    ];
    let not_kept = policy["not_kept"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let said = effects.iter().filter_map(|(effect, says)| {
        let of_effect = not_kept.iter().filter(|rule| rule[1] == *effect);
        let rules: Vec<_> = of_effect.filter_map(|rule| rule[0].as_str()).collect();
        (!rules.is_empty()).then(|| format!("{says}: {}", rules.join(", ")))
    });
    // A newer server may know more effects: what is not understood is shown, and never taken for consent.
    let others = not_kept
        .iter()
        .filter(|rule| !effects.iter().any(|(effect, _)| rule[1] == *effect))
        .map(|rule| {
            let word = |i: usize| rule[i].as_str().unwrap_or("?");
            format!("does not hold: {} ({})", word(0), word(1))
        });
    let said: Vec<_> = said.chain(others).collect();
    let said = if said.is_empty() {
        "says nothing against it".to_owned()
    } else {
        said.join("; ")
    };
    format!("{} version {} {said}", text(policy, "policy"), policy["version"])
}

fn overridden(one: &Value) -> String {
    format!(
        "{} by {} for {}: {}",
        text(one, "gate"),
        text(one, "by"),
        text(one, "incident"),
        text(one, "justification")
    )
}

fn risk(document: Option<&Value>) -> String {
    let Some(risk) = document.map(|document| &document["risk"]) else {
        return String::new();
    };
    let factors = lines(document, "/risk/factors", |factor| {
        factor.as_str().unwrap_or_default().to_owned()
    });
    format!("{} of 100\n{factors}", risk["score"])
        .trim_end()
        .to_owned()
}

fn window(document: Option<&Value>) -> String {
    let Some(window) = document.and_then(|document| document.pointer("/about/window")) else {
        return String::new();
    };
    let from = window["not_before"]
        .as_str()
        .map_or_else(|| "at once".to_owned(), |at| format!("not before {at}"));
    format!("{from}, until {}", text(window, "expires_at"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_policy_says_is_told_by_what_comes_of_it() {
        let of = |not_kept: Value| policy(&json!({"policy": "proofs", "version": 2, "not_kept": not_kept}));
        assert_eq!(of(json!([])), "proofs version 2 says nothing against it");
        assert_eq!(
            policy(&json!({"policy": "proofs", "version": 2})),
            "proofs version 2 says nothing against it"
        );
        let all = json!([
            ["tested", "require_evidence"],
            ["late", "warn"],
            ["scanned", "require_evidence"],
            ["calm", "refuse"]
        ]);
        assert_eq!(
            of(all),
            "proofs version 2 refuses: calm; warns: late; asks for evidence: tested, scanned"
        );
        assert_eq!(
            of(json!([["odd", "of_tomorrow"]])),
            "proofs version 2 does not hold: odd (of_tomorrow)"
        );
    }
}
