//! No rule of the policies in force refuses; a rule that cannot be judged refuses.
//!
//! What policies ask of people is the approval gate's, and of evidence the evidence gate's: this one only says so.

use super::Verdict;
use crate::policy::{Judgement, Kept, RuleVerdict, judged_by::Versions};
use serde_json::{Value, json};

/// Judges it.
#[must_use]
pub fn judge(judgement: &Judgement) -> (Verdict, Value) {
    let told: Vec<_> = judgement
        .rules
        .iter()
        .filter(|rule| matches!(rule.kept, Kept::NotKept | Kept::Unknown))
        .collect();
    let inputs = json!({"policies": Versions::of(&judgement.policies), "rules": told});
    let refusals: Vec<_> = judgement.refusals().map(said).collect();
    if !refusals.is_empty() {
        return (Verdict::refused(refusals.join("; ")), inputs);
    }
    let mut reason = match judgement.policies.len() {
        0 => "no policy in force covers it".to_owned(),
        1 => "kept, as 1 policy in force says".to_owned(),
        n => format!("kept, as {n} policies in force say"),
    };
    let warnings: Vec<_> = judgement.warnings().map(said).collect();
    if !warnings.is_empty() {
        reason = format!("{reason}; to be noted: {}", warnings.join("; "));
    }
    (Verdict::satisfied(reason), inputs)
}

fn said(rule: &RuleVerdict) -> String {
    let message = rule.message.as_deref().unwrap_or("it is not kept");
    format!(
        "{} ({} version {}): {message}",
        rule.rule, rule.policy, rule.version
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{approval::Requirement, policy::Effect};

    fn rule(called: &str, kept: Kept, effect: Effect) -> RuleVerdict {
        RuleVerdict {
            policy: "careful".parse().unwrap(),
            version: 3,
            rule: called.parse().unwrap(),
            kept,
            effect,
            message: Some(format!("{called}!")),
            because: Vec::new(),
        }
    }

    fn judged(rules: Vec<RuleVerdict>) -> Verdict {
        let policies = vec![("careful".parse().unwrap(), 3)];
        judge(&Judgement {
            rules,
            policies,
            break_glass: Vec::new(),
        })
        .0
    }

    #[test]
    fn every_refusal_is_named_with_the_version_that_says_so() {
        let verdict = judged(vec![
            rule("pinned", Kept::NotKept, Effect::Refuse),
            rule("calm", Kept::Kept, Effect::Refuse),
            rule("unjudged", Kept::Unknown, Effect::Warn),
        ]);
        let said = "pinned (careful version 3): pinned!; unjudged (careful version 3): unjudged!";
        assert_eq!(verdict, Verdict::refused(said));
    }

    #[test]
    fn what_only_warns_or_asks_lets_it_pass_and_warnings_are_told() {
        let two = Effect::RequireApproval(Requirement::new(crate::identity::Role::Authority, 2));
        let verdict = judged(vec![
            rule("late", Kept::NotKept, Effect::Warn),
            rule("two", Kept::NotKept, two),
        ]);
        let said = "kept, as 1 policy in force says; to be noted: late (careful version 3): late!";
        assert_eq!(verdict, Verdict::satisfied(said));
        let (verdict, inputs) = judge(&Judgement::default());
        assert_eq!(verdict, Verdict::satisfied("no policy in force covers it"));
        assert_eq!(inputs["policies"], json!([]));
    }
}
