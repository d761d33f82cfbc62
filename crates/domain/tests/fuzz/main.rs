//! Fuzzing of everything that reads what somebody else wrote: each format of evidence, what an organisation registers for it
//! (schemas, keys), the expressions and documents of policies, the facts that they are judged on, processes, and what auditors read.
//!
//! A target is one test. It makes inputs until its time is used up: `SLIPWAY_FUZZ_SECONDS`, 2 if that is not set, 60 in
//! `tests/run fuzz`. What went wrong is shrunk and printed with the seed that makes it again at once:
//! `SLIPWAY_FUZZ_SEED=N cargo test -p slipway-domain --test fuzz TARGET`.
//!
//! * `runner`: seeds, time, what takes too long, and that enough was tried for a pass to mean something
//! * `choices`: inputs as rows of numbers, which is what shrinks; `bytes`, `json`: changing what is valid
//! * `documents`, `keys`: valid documents, and signed ones; `facts`, `cel`: facts by their shape, expressions by a grammar
//! * `normal`: what must hold of whatever evidence is accepted, and of every refusal
//! * `formats`, `signed`, `registered`, `expressions`, `policies`, `processes`, `records`: the targets
//!
//! To extend: a new format is a document in `documents`, a target in `formats`, and what must hold of it in `normal`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bytes;
mod cel;
mod choices;
mod documents;
mod expressions;
mod facts;
mod formats;
mod json;
mod keys;
mod normal;
mod policies;
mod processes;
mod records;
mod registered;
mod runner;
mod signed;
