//! The steps of a target's work, one file each. A step reads, writes, and says what came of it; what comes next is
//! decided by `domain::plan::target`, never here.
//!
//! Every step may be run again from its beginning: by another executor after this one died, or by this one after a
//! fault. None trusts what an earlier run may have left in memory.
//!
//! * `context`: what a step may use, and what it leaves to be reported
//! * `outcome`: from faults and refusals to an outcome
//! * `standing`, `refusal`: what is there, what would come of applying, and what the API server says of it, in words
//! * `replace`: making an object anew, within the step that applies it
//! * `preflight`, `namespace`, `guard`, `hook`, `apply`, `definitions`, `health`, `prune`: the steps
//!
//! # How to extend
//! A new step is a variant of `domain::plan::target::Step`, a file with a function `act`, and an arm in [`act`].

mod apply;
mod context;
mod definitions;
pub(crate) mod guard;
mod health;
mod hook;
mod namespace;
mod outcome;
pub(crate) mod preflight;
pub(crate) mod prune;
mod refusal;
mod replace;
pub(crate) mod standing;

pub(crate) use context::{Context, Memory, Said};
pub(crate) use outcome::{Acted, Stop};

use crate::worker::RetryDelays;
use slipway_domain::{
    plan::target::Step,
    work::{Assignment, StepOutcome},
};

/// Acts on one step.
pub(crate) async fn act(context: &Context<'_>, work: &Assignment, step: Step, delays: RetryDelays) -> Acted {
    let result = async {
        // Pruning asks for it as soon as there is anything to take away.
        if matches!(step, Step::Hook(..) | Step::Apply(_)) {
            guard::hold(context, work).await?;
        }
        match step {
            Step::Preflight => preflight::act(context, work).await,
            Step::Namespace => namespace::act(context, work).await,
            Step::Guard => guard::act(context, work).await,
            Step::Hook(phase, index) => hook::act(context, work, phase, index).await,
            Step::Apply(rank) => apply::act(context, work, rank).await,
            Step::AwaitDefinitions => definitions::act(context, work).await,
            Step::AwaitHealth => health::act(context, work).await,
            Step::Prune => prune::act(context, work).await,
        }
    }
    .await;
    match result {
        Ok(output) => {
            context.nothing_to_wait_for();
            Acted::Outcome(StepOutcome::Done(output))
        }
        Err(why) => why.into_acted(work, delays),
    }
}
