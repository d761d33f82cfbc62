//! Runs one target until its time is used up: in slices, each with a seed of its own, so that the seed of the slice that
//! failed makes its input again at once.

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};
use std::{
    cell::Cell,
    fmt::Debug,
    hash::{BuildHasher as _, RandomState},
    io::Write as _,
    sync::{Arc, Condvar, LazyLock, Mutex},
    time::{Duration, Instant},
};

/// How long one input may take, of a processor: all targets share the machine, which may have other things to do, and what
/// waits for its turn takes no longer by that. Generous, because the build is not optimised.
const LIMIT: Duration = Duration::from_secs(30);
/// After this, by the clock on the wall, an input is taken never to end: no machine is as busy as that.
const HANGS: Duration = Duration::from_mins(10);
/// Inputs of one slice.
const SLICE: u32 = 16;
/// What is asked of a run of a minute or more: one that tries less, or has nothing accepted or nothing refused, says nothing.
/// On a machine that is busy it goes on until it has, for a while.
const A_MINUTE: Duration = Duration::from_mins(1);
const LEAST_CASES: u64 = 100;
const A_WHILE: u32 = 10;

/// The seed of the first slice of every target.
static SEED: LazyLock<u64> = LazyLock::new(|| {
    let given = number("SLIPWAY_FUZZ_SEED");
    // Differs from process to process, and is short enough to be typed.
    given.unwrap_or_else(|| RandomState::new().hash_one(()) % 1_000_000_000)
});

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is a whole number, not `{text}`")),
    )
}

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    Accepted,
    Refused,
}

/// What a target says of an input: what became of it, or what does not hold.
pub(crate) type Checked = Result<Came, TestCaseError>;

/// Makes inputs and checks each.
pub(crate) fn run<T: Debug + Send + Sync + 'static>(
    target: &'static str,
    inputs: &impl Strategy<Value = T>,
    check: impl Fn(&T) -> Checked,
) {
    let time = Duration::from_secs(number("SLIPWAY_FUZZ_SECONDS").unwrap_or(2));
    println!("fuzz {target}: seed {}, {} s", *SEED, time.as_secs());
    let watch = Watch::begin(target);
    let (cases, accepted) = (Cell::new(0_u64), Cell::new(0_u64));
    let begun = Instant::now();
    let mut seed = *SEED;
    let says_something = || {
        let (cases, accepted) = (cases.get(), accepted.get());
        cases > 0 && (time < A_MINUTE || (cases >= LEAST_CASES && 0 < accepted && accepted < cases))
    };
    while begun.elapsed() < time || (!says_something() && begun.elapsed() < time * A_WHILE) {
        watch.seed(seed);
        let mut runner = TestRunner::new_with_rng(config(), rng(seed));
        let tried = runner.run(inputs, |input| {
            let input = Arc::new(input);
            let _watched = watch.over(&input);
            let came = in_time(|| check(&input))?;
            cases.set(cases.get() + 1);
            accepted.set(accepted.get() + u64::from(came == Came::Accepted));
            Ok(())
        });
        match tried {
            Ok(()) => {}
            Err(TestError::Fail(why, input)) => {
                panic!("{target}, {}: {why}\nof {input:?}", again(target, seed))
            }
            Err(TestError::Abort(why)) => panic!("{target}, {}: {why}", again(target, seed)),
        }
        seed = seed.wrapping_add(1);
    }
    let (cases, accepted) = (cases.get(), accepted.get());
    println!(
        "fuzz {target}: {cases} cases in {} s, {accepted} of them accepted",
        begun.elapsed().as_secs()
    );
    if time >= A_MINUTE {
        assert!(
            cases >= LEAST_CASES,
            "{target}: {cases} cases are too few to say anything"
        );
        assert!(
            0 < accepted && accepted < cases,
            "{target}: {accepted} of {cases} cases were accepted"
        );
    }
}

/// What makes the inputs of a slice again.
fn again(target: &str, seed: u64) -> String {
    format!("SLIPWAY_FUZZ_SEED={seed} cargo test -p slipway-domain --test fuzz {target}")
}

fn config() -> Config {
    Config {
        cases: SLICE,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        max_shrink_time: 60_000,
        ..Config::default()
    }
}

fn rng(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// What a check says, if it says so in time.
fn in_time(check: impl Fn() -> Checked) -> Checked {
    let begun = processor_time();
    let came = check()?;
    let took = processor_time().saturating_sub(begun);
    if took > LIMIT {
        return Err(TestCaseError::fail(format!("it takes {took:?} of a processor")));
    }
    Ok(came)
}

/// How long a processor has worked for this thread.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

/// Ends the process when an input hangs: nothing else ends a thread that does.
struct Watch(Arc<Shared>);

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    ended: Condvar,
}

#[derive(Default)]
struct Seen {
    seed: u64,
    input: Option<(Instant, Arc<dyn Debug + Send + Sync>)>,
    has_ended: bool,
}

impl Watch {
    fn begin(target: &'static str) -> Self {
        let shared = Arc::new(Shared::default());
        let watched = Arc::clone(&shared);
        std::thread::spawn(move || watched.until_it_ends(target));
        Self(shared)
    }

    fn seed(&self, seed: u64) {
        self.0.seen.lock().unwrap().seed = seed;
    }

    fn over<T: Debug + Send + Sync + 'static>(&self, input: &Arc<T>) -> Watched<'_> {
        let input: Arc<dyn Debug + Send + Sync> = Arc::<T>::clone(input);
        self.0.seen.lock().unwrap().input = Some((Instant::now(), input));
        Watched(&self.0)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.seen.lock().unwrap().has_ended = true;
        self.0.ended.notify_all();
    }
}

/// That an input is being checked.
struct Watched<'w>(&'w Shared);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.seen.lock().unwrap().input = None;
    }
}

impl Shared {
    fn until_it_ends(&self, target: &str) {
        let mut seen = self.seen.lock().unwrap();
        while !seen.has_ended {
            if let Some((since, input)) = &seen.input
                && since.elapsed() > HANGS
            {
                let said = format!("{target}, {}: it hangs\nof {input:?}\n", again(target, seen.seed));
                // Not what a test prints, which is shown when the test has ended: it never does.
                let _ = std::io::stderr().write_all(said.as_bytes());
                std::process::exit(101);
            }
            seen = self.ended.wait_timeout(seen, Duration::from_secs(1)).unwrap().0;
        }
    }
}
