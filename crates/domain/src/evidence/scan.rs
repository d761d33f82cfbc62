//! Scans: SARIF 2.1.0, and Trivy's own JSON.

use super::{
    json::At,
    normal::{Content, Tool, counts, older},
};
use crate::Digest;
use serde_json::Value;
use std::collections::HashMap;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Critical,
    High,
    Medium,
    Low,
    Unknown,
}

#[derive(Debug, Default)]
struct Findings {
    critical: usize,
    high: usize,
    medium: usize,
    low: usize,
    unknown: usize,
    suppressed: usize,
}

impl Findings {
    const fn add(&mut self, severity: Severity) {
        match severity {
            Severity::Critical => self.critical += 1,
            Severity::High => self.high += 1,
            Severity::Medium => self.medium += 1,
            Severity::Low => self.low += 1,
            Severity::Unknown => self.unknown += 1,
        }
    }

    fn content(&self, completed: bool) -> Content {
        Content {
            passed: completed,
            counts: counts([
                ("critical", self.critical),
                ("high", self.high),
                ("medium", self.medium),
                ("low", self.low),
                ("unknown", self.unknown),
                (
                    "total",
                    self.critical + self.high + self.medium + self.low + self.unknown,
                ),
                ("suppressed", self.suppressed),
            ]),
            ..Content::default()
        }
    }
}

/// A SARIF log. It passes when it has runs, each has results (an empty list of them says that nothing was found; none at
/// all says that nothing was looked at), and no invocation of a tool failed.
pub(super) fn sarif(log: &At<'_, '_>) -> Content {
    if log.need_text("version").is_some_and(|version| version != "2.1.0") {
        log.fault("is a SARIF log of version 2.1.0");
    }
    let mut findings = Findings::default();
    let (mut completed, mut tool, mut produced_at) = (true, None, None);
    let runs = log.each("runs", |run| {
        let driver = run.need("tool");
        let driver = driver.as_ref().and_then(|tool| tool.need("driver"));
        let name = driver.as_ref().and_then(|driver| driver.need_text("name"));
        tool = tool.take().or_else(|| {
            let version = ["semanticVersion", "version"];
            Some(Tool {
                name: name?.to_owned(),
                version: version
                    .iter()
                    .find_map(|key| driver.as_ref()?.text_of(key))
                    .map(str::to_owned),
            })
        });
        run.each("invocations", |invocation| {
            let successful = invocation.need("executionSuccessful");
            completed &= successful.and_then(|flag| flag.flag()) == Some(true);
            let ended = invocation.key("endTimeUtc").and_then(|time| time.time());
            produced_at = older(produced_at, ended);
        });
        let rules = Rules::of(run.value());
        let results = run.each("results", |result| rules.judge(&result, &mut findings));
        completed &= results.is_some();
    });
    if runs.is_none() {
        log.need("runs");
    }
    Content {
        tool,
        produced_at,
        ..findings.content(completed && runs.is_some_and(|runs| runs > 0))
    }
}

/// What a run says of its rules: score and level, by id and by number.
struct Rules<'v> {
    by_id: HashMap<&'v str, &'v Value>,
    of_driver: &'v [Value],
}

impl<'v> Rules<'v> {
    fn of(run: &'v Value) -> Self {
        let list = |value: &'v Value, pointer: &str| {
            let list = value.pointer(pointer).and_then(Value::as_array);
            list.map(Vec::as_slice).unwrap_or_default()
        };
        let of_driver = list(run, "/tool/driver/rules");
        let extensions = list(run, "/tool/extensions");
        let of_extensions = extensions.iter().flat_map(|extension| list(extension, "/rules"));
        Self {
            by_id: of_driver
                .iter()
                .chain(of_extensions)
                .filter_map(|rule| Some((rule.get("id")?.as_str()?, rule)))
                .collect(),
            of_driver,
        }
    }

    fn judge(&self, result: &At<'_, '_>, findings: &mut Findings) {
        let said = result.value();
        let text = |key: &str| said.get(key).and_then(Value::as_str);
        let gone = text("baselineState") == Some("absent");
        let suppressions = said.get("suppressions").and_then(Value::as_array);
        let suppressed = suppressions.is_some_and(|all| {
            let accepted = |one: &Value| one.get("status").is_none_or(|status| status == "accepted");
            !all.is_empty() && all.iter().all(accepted)
        });
        match text("kind").unwrap_or("fail") {
            "pass" | "informational" | "notApplicable" => {}
            _ if gone => {}
            _ if suppressed => findings.suppressed += 1,
            "fail" => findings.add(self.severity(said)),
            "open" | "review" => findings.add(Severity::Unknown),
            _ => result.fault("has a `kind` that SARIF does not know"),
        }
    }

    /// By the score that code scanners give (CVSS, `security-severity`), or else by the level.
    fn severity(&self, result: &Value) -> Severity {
        let text = |pointer: &str| result.pointer(pointer).and_then(Value::as_str);
        let id = text("/ruleId").or_else(|| text("/rule/id"));
        let by_id = id.and_then(|id| {
            // A result may name a part of a rule, `rule/part`.
            let whole = id.rsplit_once('/').map(|(whole, _)| whole);
            let found = self.by_id.get(id);
            found.or_else(|| self.by_id.get(whole?)).copied()
        });
        let number = result.get("ruleIndex").and_then(Value::as_u64);
        let rule = by_id.or_else(|| self.of_driver.get(usize::try_from(number?).ok()?));
        let score = |of: &Value| {
            let score = of.pointer("/properties/security-severity")?;
            score.as_f64().or_else(|| score.as_str()?.parse::<f64>().ok())
        };
        match score(result).or_else(|| score(rule?)) {
            Some(score) if score >= 9.0 => return Severity::Critical,
            Some(score) if score >= 7.0 => return Severity::High,
            Some(score) if score >= 4.0 => return Severity::Medium,
            Some(score) if score > 0.0 => return Severity::Low,
            _ => {}
        }
        let by_default = || rule?.pointer("/defaultConfiguration/level")?.as_str();
        match text("/level").or_else(by_default).unwrap_or("warning") {
            "error" => Severity::High,
            "warning" => Severity::Medium,
            "note" => Severity::Low,
            _ => Severity::Unknown,
        }
    }
}

/// A report of Trivy. It passes when it names something that was looked at.
pub(super) fn trivy(report: &At<'_, '_>) -> Content {
    let version = report.need("SchemaVersion");
    if version.is_some_and(|version| version.value() != 2) {
        report.fault("is a report of Trivy with the schema version 2");
    }
    let mut findings = Findings::default();
    let results = report.each("Results", |result| {
        for list in ["Vulnerabilities", "Misconfigurations", "Secrets", "Licenses"] {
            result.each(list, |finding| {
                let status = finding.value().get("Status").and_then(Value::as_str);
                // A misconfiguration that is not there is listed, too.
                if list != "Misconfigurations" || !matches!(status, Some("PASS" | "EXCEPTION")) {
                    let severity = finding.key("Severity");
                    let severity = severity.and_then(|severity| severity.text()).unwrap_or_default();
                    findings.add(match severity {
                        "CRITICAL" => Severity::Critical,
                        "HIGH" => Severity::High,
                        "MEDIUM" => Severity::Medium,
                        "LOW" => Severity::Low,
                        _ => Severity::Unknown,
                    });
                }
            });
        }
        result.each("ExperimentalModifiedFindings", |_| findings.suppressed += 1);
    });
    let mut subjects = Vec::new();
    subjects.extend(report.key("ArtifactID").and_then(|id| id.digest()));
    if let Some(metadata) = report.key("Metadata") {
        subjects.extend(metadata.key("ImageID").and_then(|id| id.digest()));
        metadata.each("RepoDigests", |reference| {
            let digest = reference.text().and_then(|reference| reference.rsplit_once('@'));
            subjects.extend(digest.and_then(|(_, digest)| digest.parse::<Digest>().ok()));
        });
    }
    let version = report
        .key("Trivy")
        .and_then(|trivy| trivy.text_of("Version").map(str::to_owned));
    Content {
        subjects,
        tool: Some(Tool {
            name: "trivy".to_owned(),
            version,
        }),
        produced_at: report.key("CreatedAt").and_then(|time| time.time()),
        ..findings.content(results.is_some_and(|results| results > 0))
    }
}
