//! Where progress is shown: as lines, or on a terminal as lines above a bar for each target.

use super::changes::Change;
use crate::client::{
    exit::Failure,
    output::{Out, clean},
};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use slipway_api_types::deployment::Deployment;
use std::{collections::BTreeMap, io::IsTerminal as _};

/// Shows progress.
pub(super) struct View {
    out: Out,
    bars: Option<Bars>,
}

struct Bars {
    all: MultiProgress,
    head: ProgressBar,
    targets: BTreeMap<String, ProgressBar>,
}

impl View {
    /// As the output and the terminal say.
    pub(super) fn new(out: &Out) -> Self {
        let live = std::io::stdout().is_terminal()
            && std::io::stderr().is_terminal()
            && !out.json_wanted()
            && !out.quiet;
        let bars = (live && !cfg!(test)).then(|| {
            let all = MultiProgress::new();
            let head = all.add(ProgressBar::new_spinner().with_style(style("{spinner} {wide_msg}")));
            head.enable_steady_tick(std::time::Duration::from_millis(200));
            Bars {
                all,
                head,
                targets: BTreeMap::new(),
            }
        });
        Self {
            out: out.clone(),
            bars,
        }
    }

    /// Prints a line of the story.
    pub(super) fn line(&self, text: &str) -> Result<(), Failure> {
        if self.out.quiet {
            return Ok(());
        }
        if self.out.json_wanted() {
            self.out.note(text);
            return Ok(());
        }
        match &self.bars {
            Some(bars) => bars.all.suspend(|| self.out.line(text)),
            None => self.out.line(text),
        }
    }

    /// Prints a change of a reading, unless a bar shows it.
    pub(super) fn change(&self, change: &Change) -> Result<(), Failure> {
        if change.on_a_bar && self.bars.is_some() {
            Ok(())
        } else {
            self.line(&clean(&change.text))
        }
    }

    /// Says something about following itself.
    pub(super) fn note(&self, text: &str) -> Result<(), Failure> {
        self.line(&clean(text))
    }

    /// Brings the bars up to date.
    pub(super) fn show(&mut self, deployment: &Deployment) {
        let bar_of = if self.out.colour {
            "{bar:20.green}"
        } else {
            "{bar:20}"
        };
        let Some(bars) = &mut self.bars else { return };
        let waiting: Vec<_> = deployment.blockers.iter().map(super::blocker).collect();
        let head = format!(
            "{}: {} {}",
            super::named(deployment),
            deployment.state,
            waiting.join("; ")
        );
        bars.head.set_message(clean(head.trim_end()));
        for target in &deployment.targets {
            let bar = bars.targets.entry(target.id.clone()).or_insert_with(|| {
                let bar = bars.all.add(ProgressBar::no_length());
                bar.set_style(style(&format!(
                    "  {{prefix:24}} [{bar_of}] {{pos}}/{{len}} {{wide_msg}}"
                )));
                bar.set_prefix(clean(&format!("{}/{}", target.cluster, target.namespace)));
                bar
            });
            bar.set_length(u64::from(target.total));
            bar.set_position(u64::from(target.ready));
            let step = target
                .step
                .as_deref()
                .filter(|_| target.state == "running")
                .unwrap_or_default();
            let reason = target.reason.as_deref().unwrap_or_default();
            bar.set_message(clean(format!("{} {step} {reason}", target.state).trim_end()));
        }
    }

    /// Leaves the bars as they are, above whatever is printed next.
    pub(super) fn finish(&mut self) {
        if let Some(bars) = self.bars.take() {
            bars.head.finish_and_clear();
            for bar in bars.targets.values() {
                bar.abandon();
            }
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
