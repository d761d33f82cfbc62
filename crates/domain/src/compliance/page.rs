//! What people are shown of a report, in which order; how it is written is the language's.

use super::{DeploymentReport, EnvironmentReport, Overall, Report, Requirement, Verdict};
use jiff::Timestamp;

/// What a verdict is, for whoever reads the page alone.
pub(super) const NOTE: &str = "Met: the record shows it. Open: it is not met, and nobody said no. Refused: a gate, a person or \
     what ran said no. What a deployment was admitted with is as it was judged then, unless the detail says what changed since. \
     Times are UTC.";

/// The columns of an environment's requirements.
pub(super) const COLUMNS: [&str; 7] = [
    "Requirement",
    "About",
    "From",
    "Verdict",
    "Since",
    "Evidence",
    "Detail",
];
/// Which of them is the verdict.
pub(super) const VERDICT: usize = 3;

/// A report as it is shown. Every text in it may be somebody's: none is written in any language yet.
pub(super) struct Page {
    pub(super) title: String,
    pub(super) verdict: Overall,
    pub(super) lines: Vec<Line>,
    pub(super) sections: Vec<Section>,
}

/// A name of ours, and what is known under it.
pub(super) type Line = (&'static str, String);

/// An environment as it is shown.
pub(super) struct Section {
    pub(super) title: String,
    pub(super) verdict: Overall,
    pub(super) lines: Vec<Line>,
    pub(super) rows: Vec<(Verdict, [String; COLUMNS.len()])>,
}

impl Page {
    pub(super) fn of(report: &Report) -> Self {
        let release = &report.release;
        let mut lines = vec![
            ("As of", report.at.to_string()),
            ("Release", release.release.clone()),
            ("Digest", release.digest.to_string()),
            (
                "Service",
                format!(
                    "{} of team {}, criticality {}",
                    release.service, release.team, release.criticality
                ),
            ),
            ("Composed by", release.author.clone()),
            (
                "Sealed",
                format!("at {} by {}", release.sealed_at, release.sealed_by),
            ),
            ("Process", report.process.to_string()),
        ];
        lines.extend(release.withdrawn.clone().map(|reason| ("Withdrawn", reason)));
        lines.extend(release.recalled.clone().map(|what| ("Recalled", what)));
        Self {
            title: format!("Compliance of {}", release.release),
            verdict: report.verdict,
            lines,
            sections: report.environments.iter().map(Section::of).collect(),
        }
    }
}

impl Section {
    fn of(environment: &EnvironmentReport) -> Self {
        let lines = environment
            .deployment
            .as_ref()
            .map_or_else(|| vec![("Deployment", "none yet".to_owned())], of_deployment);
        let rows = environment.requirements.iter();
        Self {
            title: format!(
                "{} (stage {}, tier {})",
                environment.environment, environment.stage, environment.tier
            ),
            verdict: environment.verdict,
            lines,
            rows: rows.map(|row| (row.verdict, cells(row))).collect(),
        }
    }
}

fn of_deployment(deployment: &DeploymentReport) -> Vec<Line> {
    let state = format!(
        "{}, {} since {}",
        deployment.id, deployment.state, deployment.since
    );
    let mut lines = vec![
        ("Deployment", state),
        ("Asked for by", deployment.requested_by.clone()),
    ];
    let time = |at: Option<Timestamp>, name| at.map(|at| (name, at.to_string()));
    lines.extend(time(deployment.started_at, "Admitted at"));
    lines.extend(time(deployment.finished_at, "Ended at"));
    lines.extend(deployment.reason.clone().map(|reason| ("Reason", reason)));
    if !deployment.policies.is_empty() {
        let policies: Vec<_> = deployment.policies.iter().map(ToString::to_string).collect();
        lines.push(("Policies", policies.join("; ")));
    }
    lines
}

fn cells(requirement: &Requirement) -> [String; COLUMNS.len()] {
    let detail = match &requirement.unblocked_by {
        None => requirement.detail.clone(),
        Some(by) => format!("{}; unblocked by: {by}", requirement.detail),
    };
    [
        requirement.what.clone(),
        requirement.about.clone(),
        requirement.source.to_string(),
        verdict(requirement.verdict).to_owned(),
        requirement.since.map_or_else(String::new, |at| at.to_string()),
        requirement.evidence.clone().unwrap_or_default(),
        detail,
    ]
}

/// The word, with a mark that is told apart without colour.
pub(super) const fn overall(overall: Overall) -> &'static str {
    match overall {
        Overall::Compliant => "✓ compliant",
        Overall::Open => "○ open",
        Overall::NotCompliant => "✗ not compliant",
    }
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "✓ met",
        Verdict::Open => "○ open",
        Verdict::Refused => "✗ refused",
    }
}

/// A text on one line, with what nobody would see, or what would show the rest in another order, written out.
pub(super) fn shown(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        word.chars().fold(String::new(), |mut shown, c| {
            if c.is_control() || is_hidden(c) {
                shown.extend(["[U+", &format!("{:04X}", u32::from(c)), "]"]);
            } else {
                shown.push(c);
            }
            shown
        })
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Spaces of no width, marks that turn the order of what is read, and tags. Joiners are parts of words in some languages.
const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
