//! What will happen, when: a pure function of the seed.

use std::{fmt, time::Duration};

/// How many services there are.
pub(crate) const SERVICES: usize = 4;
/// The clusters: the first is staging's, the others are production's, each a wave.
pub(crate) const CLUSTERS: [&str; 3] = ["staging", "eu", "us"];
/// How many servers there are all the time.
pub(crate) const SERVERS: usize = 2;

/// A small generator: the same seed, the same numbers.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64, lane: u64) -> Self {
        let mixed = (seed ^ (lane << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut dice = Self((mixed ^ (mixed >> 29)) | 1);
        for _ in 0..8 {
            dice.roll(2);
        }
        dice
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        let n = self.roll(of.len() as u64);
        of[usize::try_from(n).unwrap_or_default()]
    }
}

/// What is in a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Bundle {
    Good,
    /// With a hook before.
    Hooked,
    /// With fewer objects than the others: some are pruned.
    Lean,
    /// Its pods are ready late.
    Slow,
    /// Its hook fails.
    BrokenHook,
    /// Its image is never pulled.
    BrokenImage,
}

impl Bundle {
    pub(crate) const fn is_good(self) -> bool {
        !matches!(self, Self::BrokenHook | Self::BrokenImage)
    }
}

/// What people do to a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Steer {
    Nothing,
    PauseAndResume,
    Cancel,
    RollBack,
    /// Tries again what failed.
    Retry,
    /// Asks twice, for two deployments.
    AskTwice,
    Reject,
}

/// One release and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Story {
    pub(crate) bundle: Bundle,
    /// Whether it goes to production when it succeeded in staging.
    pub(crate) production: bool,
    pub(crate) steer: Steer,
    /// Whether the request is sent twice, under one key.
    pub(crate) duplicate: bool,
    /// A rest before it.
    pub(crate) rest: Duration,
}

/// What goes wrong. Numbers are places: of a server, of a cluster, of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// SIGKILL, and started again after so long.
    Kill(usize, Duration),
    /// SIGSTOP for so long, which is longer than a lease.
    HoldStill(usize, Duration),
    /// SIGTERM, and started again.
    Terminate(usize),
    /// A third server joins, and leaves after so long.
    Join(Duration),
    /// A server's connections to the database are reset.
    CutDatabase(usize),
    BlackHoleDatabase(usize, Duration),
    DelayDatabase(usize, Duration, Duration),
    RefuseDatabase(usize, Duration),
    /// Postgres dies at once, and comes back.
    KillPostgres,
    /// Whoever listens loses the connection that it listens on.
    KillListeners,
    /// The API server asks to wait.
    TooManyRequests(usize, Duration),
    /// The API server fails before it does anything.
    Fails(usize, Duration),
    /// The API server does what it is told, and its answers are lost.
    LosesAnswers(usize, Duration),
    /// Half of the connections break before anything is done.
    Breaks(usize, Duration),
    /// The API server is slow.
    Slow(usize, Duration),
    /// Watches fall silent.
    SilentWatches(usize),
    /// Watches end with 410.
    ExpiredWatches(usize),
    /// Somebody scales a Deployment by hand.
    ScaledByHand(usize, usize),
    /// Somebody deletes an object by hand.
    DeletedByHand(usize, usize),
}

impl Fault {
    /// Its kind, for the figures.
    pub(crate) fn kind(self) -> String {
        let text = format!("{self:?}");
        text.split('(').next().unwrap_or_default().to_owned()
    }
}

/// A time from the start, and what happens then.
pub(crate) type Timeline = Vec<(Duration, Fault)>;

/// Everything that will happen.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) length: Duration,
    /// The stories of each service, more than there is time for.
    pub(crate) stories: Vec<Vec<Story>>,
    /// What happens to servers, to the database, and to clusters: one after the other in each.
    pub(crate) servers: Timeline,
    pub(crate) database: Timeline,
    pub(crate) clusters: Timeline,
}

impl Plan {
    pub(crate) fn of(seed: u64, length: Duration) -> Self {
        let stories = usize::try_from(length.as_secs() / 2 + 10).unwrap_or(1000);
        Self {
            seed,
            length,
            stories: (0..SERVICES as u64)
                .map(|service| {
                    let mut dice = Dice::new(seed, 10 + service);
                    (0..stories).map(|_| story(&mut dice)).collect()
                })
                .collect(),
            servers: timeline(seed, 1, length, (8, 9), to_servers),
            database: timeline(seed, 2, length, (9, 10), to_the_database),
            clusters: timeline(seed, 3, length, (5, 7), to_clusters),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        let mut hasher = DefaultHasher::new();
        (&self.stories, &self.servers, &self.database, &self.clusters).hash(&mut hasher);
        write!(
            f,
            "seed {}, {} s, plan {:08x}: {} services, {} faults to servers, {} to the database, {} to clusters",
            self.seed,
            self.length.as_secs(),
            hasher.finish() & 0xffff_ffff,
            self.stories.len(),
            self.servers.len(),
            self.database.len(),
            self.clusters.len()
        )
    }
}

fn story(dice: &mut Dice) -> Story {
    use Bundle as B;
    use Steer as S;
    let bundle = dice.one(&[
        B::Good,
        B::Good,
        B::Hooked,
        B::Hooked,
        B::Lean,
        B::Slow,
        B::BrokenHook,
        B::BrokenImage,
    ]);
    let steer = dice.one(&[
        S::Nothing,
        S::Nothing,
        S::Nothing,
        S::PauseAndResume,
        S::PauseAndResume,
        S::Cancel,
        S::RollBack,
        S::Retry,
        S::AskTwice,
        S::Reject,
    ]);
    Story {
        bundle,
        production: dice.roll(3) > 0,
        steer,
        duplicate: dice.roll(4) == 0,
        rest: Duration::from_millis(dice.roll(1500)),
    }
}

/// Faults with pauses between them, until a while before the end.
fn timeline(
    seed: u64,
    lane: u64,
    length: Duration,
    (least, spread): (u64, u64),
    fault: fn(&mut Dice) -> Fault,
) -> Timeline {
    let mut dice = Dice::new(seed, lane);
    let mut at = Duration::from_secs(5);
    let mut all = Vec::new();
    loop {
        at += Duration::from_millis(least * 1000 + dice.roll(spread * 1000));
        if at + Duration::from_secs(5) > length {
            return all;
        }
        all.push((at, fault(&mut dice)));
    }
}

fn seconds(dice: &mut Dice, least: u64, spread: u64) -> Duration {
    Duration::from_millis(least * 1000 + dice.roll(spread * 1000))
}

fn place(dice: &mut Dice, among: usize) -> usize {
    usize::try_from(dice.roll(among as u64)).unwrap_or_default()
}

fn to_servers(dice: &mut Dice) -> Fault {
    let server = place(dice, SERVERS);
    match dice.roll(7) {
        0..3 => Fault::Kill(server, seconds(dice, 0, 4)),
        3 | 4 => Fault::HoldStill(server, seconds(dice, 6, 5)),
        5 => Fault::Terminate(server),
        _ => Fault::Join(seconds(dice, 6, 8)),
    }
}

fn to_the_database(dice: &mut Dice) -> Fault {
    let server = place(dice, SERVERS);
    match dice.roll(8) {
        0 => Fault::KillPostgres,
        1 | 2 => Fault::CutDatabase(server),
        3 => Fault::BlackHoleDatabase(server, seconds(dice, 3, 6)),
        4 => Fault::DelayDatabase(
            server,
            Duration::from_millis(5 + dice.roll(40)),
            seconds(dice, 3, 5),
        ),
        5 => Fault::RefuseDatabase(server, seconds(dice, 2, 4)),
        _ => Fault::KillListeners,
    }
}

fn to_clusters(dice: &mut Dice) -> Fault {
    let cluster = place(dice, CLUSTERS.len());
    let service = place(dice, SERVICES);
    let long = Duration::from_millis(2000 + dice.roll(5000));
    match dice.roll(10) {
        0 => Fault::TooManyRequests(cluster, long),
        1 => Fault::Fails(cluster, long),
        2 | 3 => Fault::LosesAnswers(cluster, long),
        4 => Fault::Breaks(cluster, long),
        5 => Fault::Slow(cluster, long),
        6 => Fault::SilentWatches(cluster),
        7 => Fault::ExpiredWatches(cluster),
        8 => Fault::ScaledByHand(cluster, service),
        _ => Fault::DeletedByHand(cluster, service),
    }
}

#[test]
fn the_plan_is_a_function_of_the_seed_and_differs_with_it() {
    let minutes = Duration::from_mins(3);
    let told = |seed| format!("{:?}", Plan::of(seed, minutes));
    assert_eq!(told(7), told(7));
    assert_ne!(told(7), told(8));
    let plan = Plan::of(7, Duration::from_hours(1));
    let mut kinds: Vec<String> = [&plan.servers, &plan.database, &plan.clusters]
        .into_iter()
        .flatten()
        .map(|(_, fault)| fault.kind())
        .collect();
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds.len(), 19, "an hour has every kind of fault: {kinds:?}");
}
