//! The ways in which a step fails before its effect, fails after it, or is done again.

use crate::queue;
use slipway_domain::{
    plan::target::{Intent, Step, StepKey},
    work::StepOutcome,
};
use slipway_executor::Moment;
use slipway_testkit::live::{Answer, Asked, Fate};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// How a step is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    // Before its effect.
    Refused,
    NeverSent,
    GivesUp,
    PanicsBefore,
    // After its effect.
    AnswerReplaced,
    AnswerLost,
    ReportLost,
    Dies,
    PanicsAfter,
    // Once more.
    Twice,
}

/// The ways in which a step fails before its effect, after it, and is done again.
pub(crate) const WAYS: [&[Fault]; 3] = [
    &[
        Fault::Refused,
        Fault::NeverSent,
        Fault::GivesUp,
        Fault::PanicsBefore,
    ],
    &[
        Fault::AnswerReplaced,
        Fault::AnswerLost,
        Fault::ReportLost,
        Fault::Dies,
        Fault::PanicsAfter,
    ],
    &[Fault::Twice],
];

impl Fault {
    /// Whether it befalls a request, and not the worker or the queue.
    const fn is_of_requests(self) -> bool {
        matches!(
            self,
            Self::Refused | Self::NeverSent | Self::AnswerReplaced | Self::AnswerLost
        )
    }

    /// Whether it can befall a step: before its first a worker has done nothing, and where there is nothing to apply
    /// nothing is asked.
    fn can_befall(self, step: Step, intent: Intent) -> bool {
        let is_first = step == Step::Preflight;
        !(self == Self::GivesUp && is_first || self.is_of_requests() && is_first && intent == Intent::Clean)
    }
}

/// The first of these ways that a step can take, from the one whose turn it is.
pub(crate) fn whose_turn(ways: &[Fault], turn: usize, step: Step, intent: Intent) -> Option<Fault> {
    (0..ways.len())
        .map(|next| ways[(turn + next) % ways.len()])
        .find(|fault| fault.can_befall(step, intent))
}

/// Whether a request is what a step is for; of a step that only reads, any is.
fn effect(step: Step, asked: &Asked<'_>) -> bool {
    match step {
        Step::Preflight | Step::AwaitDefinitions | Step::AwaitHealth => {
            asked.method == "GET" && !asked.is_watch()
        }
        Step::Namespace => asked.method == "POST" && asked.path.ends_with("/namespaces"),
        Step::Guard => asked.is_write() && asked.path.contains("/configmaps"),
        Step::Hook(..) => asked.method == "POST" && asked.path.ends_with("/jobs"),
        Step::Apply(_) => asked.method == "PATCH",
        Step::Prune => asked.method == "DELETE",
    }
}

/// A fault at a step, once.
pub(crate) struct Injected {
    pub(crate) fault: Fault,
    pub(crate) step: Step,
    /// The step before it, after which a worker may give up.
    pub(crate) previous: Option<StepKey>,
    pub(crate) fired: AtomicBool,
}

impl Injected {
    fn fires(&self) -> bool {
        !self.fired.swap(true, SeqCst)
    }

    pub(crate) fn of_request(&self, asked: &Asked<'_>) -> Option<Fate> {
        let fate = match self.fault {
            Fault::Refused => Fate::Answer(Answer::status(500, "something broke")),
            Fault::NeverSent => Fate::Break,
            Fault::AnswerReplaced => Fate::PassThenAnswer(Answer::status(500, "something broke")),
            Fault::AnswerLost => Fate::PassThenBreak,
            _ => return None,
        };
        (effect(self.step, asked) && self.fires()).then_some(fate)
    }

    pub(crate) fn of_report(&self, report: &slipway_domain::work::Report) -> queue::Fate {
        let done = matches!(report.outcome, StepOutcome::Done(_) | StepOutcome::Succeeded);
        let here = done && report.step == StepKey::from(self.step);
        let before = done && self.previous.as_ref() == Some(&report.step);
        let fate = match self.fault {
            Fault::GivesUp if before => queue::Fate::TakenAndLost,
            Fault::ReportLost if here => queue::Fate::Dropped,
            Fault::Dies if here => queue::Fate::Unanswered,
            Fault::Twice if here => queue::Fate::Undone,
            _ => return queue::Fate::Taken,
        };
        if self.fires() { fate } else { queue::Fate::Taken }
    }

    pub(crate) fn of_step(&self, step: &StepKey, moment: Moment) {
        let wanted = match self.fault {
            Fault::PanicsBefore => Moment::Before,
            Fault::PanicsAfter => Moment::After,
            _ => return,
        };
        // A step that waits is acted on more than once; the effect is in the first.
        let strikes = *step == StepKey::from(self.step) && moment == wanted && self.fires();
        assert!(!strikes, "a step panics on purpose");
    }
}
