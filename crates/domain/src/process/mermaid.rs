//! A process as a picture, in the language of Mermaid (<https://mermaid.js.org/syntax/flowchart.html>).
//!
//! Names, roles, kinds, numbers and durations are of letters, digits, spaces, `-` and `_`, and mean nothing in a quoted label.
//! What an author wrote freely is made of letters, digits, spaces and [entity codes] alone: it can neither end its label nor
//! begin anything, in Mermaid's language, in the page around, or in HTML. A `:` is a code even where it is ours: Mermaid takes
//! a line with `style`, `:` and codes for a definition of styles, wherever in the line they are, and cuts a code.
//!
//! Mermaid looks at labels again after it has undone the codes, for icons (`fa:fa-bomb`), formulas (`$$x$$`), breaks of lines
//! (`\n`), and its own marks for codes (`ﬂ°`, `¶ß`). Each of these is kept apart by a space of no width. Which they are was found
//! by rendering such texts with Mermaid 10.9 and 11.17, `loose` and `strict`, with labels in HTML and in SVG.
//!
//! [entity codes]: https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters

use super::{Check, Document, Stage, stage::ALL_TARGETS};
use crate::{Name, policy::document::RequiredEvidence};

/// Most characters of what a check says that the picture has room for.
const ROOM: usize = 80;
/// What means something to Mermaid together with what follows, even when it was written as a code.
const BEGINS_SOMETHING: [char; 5] = [':', '$', '\\', 'ﬂ', '¶'];
/// A space of no width.
const APART: &str = "#8203;";
/// A `:`.
const COLON: &str = "#58;";

impl Document {
    /// The picture of this version of a process: its stages, what each asks for, and how a release goes from one to the next.
    #[must_use]
    pub fn mermaid(&self, name: &Name, version: i64) -> String {
        let mut lines = vec![
            "flowchart LR".to_owned(),
            format!("    accTitle: process {name}, version {version}"),
        ];
        for (i, stage) in self.stages.iter().enumerate() {
            lines.push(format!("    s{i}[\"{}\"]", label(stage).join("<br/>")));
        }
        for (i, (from, to)) in self.stages.iter().zip(self.stages.iter().skip(1)).enumerate() {
            let soak = soak(from).map_or_else(String::new, |soak| format!(", {soak}"));
            lines.push(format!("    s{i} -->|\"{}{soak}\"| s{}", to.promotion, i + 1));
        }
        lines.join("\n") + "\n"
    }
}

/// The lines of a stage's label.
fn label(stage: &Stage) -> Vec<String> {
    let mut lines = vec![stage.name.to_string(), stage.place.to_string()];
    lines.extend(soak(stage));
    if stage.success_share != ALL_TARGETS {
        lines.push(format!("{} percent of its targets", stage.success_share));
    }
    lines.extend(stage.evidence.iter().map(evidence));
    if let Some(required) = &stage.approvals {
        lines.push(format!("approvals {}, {}", required.count, required.role));
    }
    lines.extend(stage.checklist.iter().map(check));
    if stage.handover {
        lines.push("handover to operations".to_owned());
    }
    lines
}

fn soak(stage: &Stage) -> Option<String> {
    (!stage.soak.is_zero()).then(|| format!("soak {}", escaped(&format!("{:#}", stage.soak))))
}

fn evidence(required: &RequiredEvidence) -> String {
    let mut line = format!("evidence {}", required.kind);
    if let Some(name) = &required.name {
        line = format!("{line}{COLON}{name}");
    }
    if required.signed {
        line += ", signed";
    }
    if let Some(max_age) = required.max_age {
        line = format!("{line}, max age {}", escaped(&format!("{max_age:#}")));
    }
    line
}

fn check(check: &Check) -> String {
    let what = check.what.split(|c: char| c.is_whitespace() || c.is_control());
    let what: Vec<_> = what.filter(|word| !word.is_empty()).collect();
    let what = what.join(" ");
    let mut shown: String = what.chars().take(ROOM).collect();
    if shown.len() < what.len() {
        shown.push('…');
    }
    format!("check {}, {}{COLON} {}", check.name, check.role, escaped(&shown))
}

/// The text, of letters, digits, spaces and entity codes.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        if c.is_ascii_alphanumeric() || c == ' ' {
            escaped.push(c);
        } else {
            escaped.extend(["#", &u32::from(c).to_string(), ";"]);
            if BEGINS_SOMETHING.contains(&c) {
                escaped.push_str(APART);
            }
        }
        escaped
    })
}
