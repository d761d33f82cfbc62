//! `slipway policy`.

use crate::client::{
    Context,
    exit::{Exit, Failure},
    files,
    http::{Paging, Query},
    output::{Show, clean, time},
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use slipway_api_types::policy::{Policy, PolicyJudgement, PolicyReport, PolicyRuleVerdict, PolicyVersion};
use slipway_domain::counted;
use std::{fmt::Write as _, path::PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a policy, as a draft
    Create {
        /// Its name: a-z, 0-9 and '-'
        name: String,
        /// What it says: a JSON or YAML file (- for standard input)
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Write a further version of a policy, as a draft
    Write {
        /// Its name or id
        policy: String,
        /// What it says: a JSON or YAML file (- for standard input)
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// List policies, with the version that counts of each
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a policy, or one of its versions
    Show {
        /// Its name or id
        policy: String,
        /// Which version; else the one in force, else the newest
        #[arg(long, value_name = "N")]
        version: Option<i64>,
    },
    /// List the versions of a policy
    Versions {
        /// Its name or id
        policy: String,
        #[command(flatten)]
        paging: Paging,
    },
    /// Put a version in force; takes another authority than the one who wrote it
    Activate {
        /// Its name or id
        policy: String,
        /// Which version
        version: i64,
    },
    /// Take a policy out of force
    Retire {
        /// Its name or id
        policy: String,
        /// Why, for those who read the record later
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Try a draft, or all that is in force, on a deployment or on facts; changes nothing
    ///
    /// Without either, a draft's own examples are tried. Exits with 1 when it refuses or an example fails.
    Test(Test),
    /// Say what a draft would have done to the last days; changes nothing
    Report {
        /// The draft: a JSON or YAML file (- for standard input)
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// How many days back
        #[arg(long, default_value_t = 90, value_name = "N")]
        days: u32,
    },
    /// Print the JSON Schema of what policies are judged on
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The draft: a JSON or YAML file (- for standard input); else every policy in force
    #[arg(long, value_name = "FILE", required_unless_present_any = ["deployment", "facts"])]
    file: Option<PathBuf>,
    /// A deployment, as it was judged last
    #[arg(long, value_name = "ID", conflicts_with = "facts")]
    deployment: Option<String>,
    /// Facts that are made up: a JSON or YAML file
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
}

impl Command {
    /// Carries it out.
    pub(crate) async fn run(self, cx: &Context) -> Result<(), Failure> {
        const PATH: &[&str] = &["v1", "policies"];
        match self {
            Self::Create { name, file } => {
                let body = json!({"name": name, "document": files::document::<Value>(&file)?});
                cx.out.one::<Policy>(&cx.api.post(PATH, &body).await?)
            }
            Self::Write { policy, file } => {
                let body = json!({"document": files::document::<Value>(&file)?});
                let path = ["v1", "policies", &policy, "versions"];
                cx.out.one::<PolicyVersion>(&cx.api.post(&path, &body).await?)
            }
            Self::List { paging } => cx
                .out
                .list::<Policy>(&cx.api.list(PATH, Query::new(), paging).await?),
            Self::Show {
                policy,
                version: None,
            } => {
                let reply = cx.api.get(&["v1", "policies", &policy], &Query::new()).await?;
                cx.out.one::<Policy>(&reply)
            }
            Self::Show {
                policy,
                version: Some(version),
            } => {
                let path = ["v1", "policies", &policy, "versions", &version.to_string()];
                cx.out
                    .one::<PolicyVersion>(&cx.api.get(&path, &Query::new()).await?)
            }
            Self::Versions { policy, paging } => {
                let path = ["v1", "policies", &policy, "versions"];
                cx.out
                    .list::<PolicyVersion>(&cx.api.list(&path, Query::new(), paging).await?)
            }
            Self::Activate { policy, version } => {
                let path = [
                    "v1",
                    "policies",
                    &policy,
                    "versions",
                    &version.to_string(),
                    "activate",
                ];
                cx.out.one::<Policy>(&cx.api.post(&path, &json!({})).await?)
            }
            Self::Retire { policy, reason } => {
                let path = ["v1", "policies", &policy, "retire"];
                cx.out
                    .one::<Policy>(&cx.api.post(&path, &json!({"reason": reason})).await?)
            }
            Self::Test(test) => test.run(cx).await,
            Self::Report { file, days } => report(cx, &file, days).await,
            Self::Schema => {
                let reply = cx
                    .api
                    .get(&["v1", "schemas", "policy-facts"], &Query::new())
                    .await?;
                cx.out.json(&reply.body)
            }
        }
    }
}

impl Test {
    async fn run(self, cx: &Context) -> Result<(), Failure> {
        let mut body = json!({});
        if let Some(file) = &self.file {
            body["document"] = files::document(file)?;
        }
        if let Some(deployment) = self.deployment {
            body["deployment"] = deployment.into();
        }
        if let Some(facts) = &self.facts {
            body["facts"] = files::document(facts)?;
        }
        let asks = body.get("deployment").or_else(|| body.get("facts")).is_some();
        let reply = cx.api.post(&["v1", "policies", "evaluate"], &body).await?;
        let judged: PolicyJudgement = reply.read()?;
        if cx.out.json_wanted() {
            cx.out.json(&reply.body)?;
        } else if cx.out.quiet {
            cx.out.line(&clean(&judged.verdict))?;
        } else {
            cx.out.print(&told(&judged, asks))?;
        }
        let failed = judged.failed_examples.len();
        let what = match (judged.verdict.as_str(), failed) {
            ("refuse", _) => "it refuses".to_owned(),
            (_, 1..) => format!("{failed} of its examples are not as they expect"),
            _ => return Ok(()),
        };
        Err(Failure::Outcome {
            exit: Exit::Refused,
            what,
        })
    }
}

/// What came of it: the verdict, then each rule that is not kept with what decided, then the examples that fail.
fn told(judged: &PolicyJudgement, asks: bool) -> String {
    let mut text = String::new();
    if asks {
        let _ = writeln!(text, "{}", clean(&judged.verdict));
        for rule in &judged.rules {
            rule_told(&mut text, rule);
        }
    }
    for failed in &judged.failed_examples {
        let _ = writeln!(
            text,
            "example `{}` expects {}, and the draft says {}",
            clean(&failed.name),
            clean(&failed.expected),
            clean(&failed.verdict)
        );
    }
    if text.is_empty() {
        text.push_str("every example is as it expects\n");
    }
    text
}

fn rule_told(text: &mut String, rule: &PolicyRuleVerdict) {
    let _ = writeln!(
        text,
        "  {} of {} version {}: {} ({})",
        clean(&rule.rule),
        clean(&rule.policy),
        rule.version,
        clean(&rule.kept.replace('_', " ")),
        clean(&rule.effect.replace('_', " ")),
    );
    if let Some(message) = &rule.message {
        let _ = writeln!(text, "    {}", clean(message));
    }
    for because in &rule.because {
        let _ = writeln!(text, "    because {}", clean(&because.detail));
        for saw in &because.saw {
            let _ = writeln!(text, "      saw {}: {}", clean(&saw.fact), shown(&saw.value));
        }
        if let Some(change) = &because.would_change {
            let _ = writeln!(text, "      would change with {}", clean(change));
        }
    }
}

/// A value, in as much of a line as a person reads.
fn shown(value: &Value) -> String {
    const MOST: usize = 120;
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut line: String = text.chars().take(MOST).collect();
    if text.chars().nth(MOST).is_some() {
        line.push('…');
    }
    clean(&line)
}

async fn report(cx: &Context, file: &std::path::Path, days: u32) -> Result<(), Failure> {
    let body = json!({"document": files::document::<Value>(file)?, "days": days});
    let reply = cx.api.post(&["v1", "policies", "report"], &body).await?;
    if cx.out.json_wanted() {
        return cx.out.json(&reply.body);
    }
    let report: PolicyReport = reply.read()?;
    if cx.out.quiet {
        return report
            .deployments
            .iter()
            .try_for_each(|entry| cx.out.line(&clean(&entry.deployment)));
    }
    let mut text = format!(
        "{} that policies were asked about since {}",
        counted(report.looked_at, "deployment", "deployments"),
        time(report.since)
    );
    for (verdict, count) in &report.verdicts {
        let _ = write!(text, "; {}: {count}", clean(&verdict.replace('_', " ")));
    }
    text.push('\n');
    for entry in &report.deployments {
        let _ = writeln!(
            text,
            "  {} {} to {}, {}: {}",
            clean(&entry.deployment),
            clean(&entry.release),
            clean(&entry.environment),
            time(entry.judged_at),
            clean(&entry.verdict.replace('_', " "))
        );
        for reason in &entry.reasons {
            let _ = writeln!(text, "    {}", clean(reason));
        }
    }
    if report.cut_off {
        text.push_str("there were more: these are the newest\n");
    }
    cx.out.print(&text)
}

impl Show for Policy {
    const COLUMNS: &'static [&'static str] = &["NAME", "VERSION", "STATE", "RULES", "LATEST", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.version.version.to_string(),
            self.version.state.clone(),
            self.version.document.rules.len().to_string(),
            self.latest.to_string(),
            time(self.created_at),
        ]
    }

    fn key(&self) -> String {
        self.name.clone()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("ID", self.id.clone())];
        fields.extend(Self::COLUMNS.iter().copied().zip(self.cells()));
        fields.extend(said(&self.version));
        fields
    }
}

impl Show for PolicyVersion {
    const COLUMNS: &'static [&'static str] = &[
        "VERSION",
        "STATE",
        "AUTHOR",
        "CREATED",
        "ACTIVATED BY",
        "RETIRED BY",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.version.to_string(),
            self.state.clone(),
            self.author.clone(),
            time(self.created_at),
            self.activated_by.clone().unwrap_or_default(),
            self.retired_by.clone().unwrap_or_default(),
        ]
    }

    fn key(&self) -> String {
        self.version.to_string()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("POLICY", self.policy.clone())];
        fields.extend(Self::COLUMNS.iter().copied().zip(self.cells()));
        fields.extend(said(self));
        fields
    }
}

/// What a version says, for people.
fn said(version: &PolicyVersion) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("DIGEST", version.digest.clone()),
        ("DESCRIPTION", version.document.description.clone()),
    ];
    fields.extend(version.document.rules.iter().map(|rule| {
        let when = rule.when.as_ref().map(|when| format!("where {when}: "));
        let expression = rule.expression.as_deref().unwrap_or("always");
        (
            "RULE",
            format!("{}: {}{expression}", rule.name, when.unwrap_or_default()),
        )
    }));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_says_which_rule_why_and_what_it_saw() {
        let judged: PolicyJudgement = serde_json::from_value(json!({
            "verdict": "refuse",
            "rules": [{
                "policy": "careful", "version": 3, "rule": "images-pinned", "kept": "not_kept", "effect": "refuse",
                "message": "every image is named by its digest", "because": [{
                    "expression": "i.pinned", "is": false, "detail": "it is false", "would_change": "`i.pinned`",
                    "saw": [{"fact": "i", "value": {"reference": "web:1\u{1b}[31m"}}],
                }],
            }],
            "failed_examples": [{"name": "e", "expected": "allow", "verdict": "refuse"}],
        }))
        .unwrap();
        insta::assert_snapshot!(told(&judged, true), @r#"
        refuse
          images-pinned of careful version 3: not kept (refuse)
            every image is named by its digest
            because it is false
              saw i: {"reference":"web:1\u001b[31m"}
              would change with `i.pinned`
        example `e` expects allow, and the draft says refuse
        "#);
        let fine: PolicyJudgement =
            serde_json::from_value(json!({"verdict": "not_covered", "rules": []})).unwrap();
        assert_eq!(told(&fine, false), "every example is as it expects\n");
    }

    #[test]
    fn a_long_value_is_cut_off() {
        assert_eq!(shown(&json!("x".repeat(500))).chars().count(), 121);
        assert_eq!(shown(&json!(7)), "7");
    }
}
