//! What is to be compared, and when. An object that changes is left for a moment to come to rest; one that never does is
//! looked at less and less often.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    time::Duration,
};
use tokio::time::Instant;

/// How long a changed object is left to come to rest.
const REST: Duration = Duration::from_secs(1);
/// An object that was not compared for this long counts as quiet again.
const QUIET: Duration = Duration::from_mins(2);
/// The rest doubles at most this often: to 32 s.
const DOUBLINGS: u32 = 5;

/// A queue without duplicates, by time.
#[derive(Debug)]
pub(super) struct Due<K> {
    by_time: BTreeSet<(Instant, K)>,
    entries: HashMap<K, Entry>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    due: Option<Instant>,
    /// When it was compared last, and how often in a row because it had changed.
    compared: Option<Instant>,
    in_a_row: u32,
    changed: bool,
}

impl<K> Default for Due<K> {
    fn default() -> Self {
        Self {
            by_time: BTreeSet::new(),
            entries: HashMap::new(),
        }
    }
}

impl<K: Clone + Ord + Hash> Due<K> {
    /// It changed.
    pub(super) fn changed(&mut self, key: &K, now: Instant) {
        let entry = self.entries.entry(key.clone()).or_default();
        entry.changed = true;
        let rest = REST * (1 << entry.in_a_row.min(DOUBLINGS));
        let at = entry
            .compared
            .map_or(now + REST, |last| (now + REST).max(last + rest));
        self.at(key, at);
    }

    /// It is to be compared then, or earlier if it is due earlier already.
    pub(super) fn at(&mut self, key: &K, at: Instant) {
        let entry = self.entries.entry(key.clone()).or_default();
        match entry.due {
            Some(due) if due <= at => return,
            Some(due) => drop(self.by_time.remove(&(due, key.clone()))),
            None => {}
        }
        entry.due = Some(at);
        self.by_time.insert((at, key.clone()));
    }

    /// When the next is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes up to `most` that are due.
    pub(super) fn take(&mut self, now: Instant, most: usize) -> Vec<K> {
        let mut taken = Vec::new();
        while taken.len() < most && self.next().is_some_and(|at| at <= now) {
            let Some((_, key)) = self.by_time.pop_first() else {
                break;
            };
            if let Some(entry) = self.entries.get_mut(&key) {
                let noisy = entry.changed && entry.compared.is_some_and(|last| now - last < QUIET);
                entry.in_a_row = if noisy {
                    entry.in_a_row.saturating_add(1)
                } else {
                    0
                };
                entry.due = None;
                entry.changed = false;
                entry.compared = Some(now);
            }
            taken.push(key);
        }
        taken
    }

    /// It is not watched any more.
    pub(super) fn forget(&mut self, key: &K) {
        if let Some(due) = self.entries.remove(key).and_then(|entry| entry.due) {
            self.by_time.remove(&(due, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_changed_object_is_compared_once_after_it_came_to_rest() {
        let mut due = Due::default();
        due.changed(&"a", Instant::now());
        advance(SECOND / 2).await;
        due.changed(&"a", Instant::now());
        assert!(due.take(Instant::now(), 10).is_empty());
        advance(SECOND / 2).await;
        assert_eq!(due.take(Instant::now(), 10), ["a"]);
        assert_eq!(due.next(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_never_rests_is_compared_less_and_less_often_and_as_before_when_it_was_quiet() {
        let mut due = Due::default();
        let begun = Instant::now();
        let mut compared = Vec::new();
        for _ in 0..1200 {
            due.changed(&"a", Instant::now());
            if !due.take(Instant::now(), 10).is_empty() {
                compared.push(begun.elapsed().as_secs());
            }
            advance(SECOND / 10).await;
        }
        let pauses: Vec<u64> = compared.windows(2).map(|w| w[1] - w[0]).collect();
        assert_eq!(pauses[..5], [1, 2, 4, 8, 16], "{compared:?}");
        assert!(pauses[5..].iter().all(|pause| *pause >= 32), "{pauses:?}");
        due.take(Instant::now() + QUIET, 10);
        advance(QUIET * 2).await;
        due.changed(&"a", Instant::now());
        advance(SECOND).await;
        assert_eq!(due.take(Instant::now(), 10), ["a"]);
        due.changed(&"a", Instant::now());
        advance(SECOND).await;
        assert_eq!(due.take(Instant::now(), 10), ["a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_earlier_time_counts_and_what_is_forgotten_does_not_come() {
        let mut due = Due::default();
        let now = Instant::now();
        due.at(&"a", now + SECOND * 60);
        due.changed(&"a", now);
        due.at(&"b", now + SECOND);
        due.at(&"b", now + SECOND * 9);
        assert_eq!(due.take(now + SECOND, 1), ["a"]);
        due.forget(&"b");
        assert!(due.take(now + SECOND * 100, 10).is_empty());
    }
}
