//! Which executor watches which cluster: evenly, among those that may, and with as little moving about as can be.

use std::collections::{BTreeMap, BTreeSet};

/// An executor that is there to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watcher<K> {
    /// Its holder's name.
    pub holder: String,
    /// The clusters that it may watch.
    pub clusters: BTreeSet<K>,
}

/// Gives every cluster that somebody may watch to one of them. Who has one keeps it, unless another who may watch it has
/// at least two fewer.
#[must_use]
pub fn spread<K: Ord + Copy>(watchers: &[Watcher<K>], held: &BTreeMap<K, String>) -> BTreeMap<K, String> {
    let may = |holder: &str, cluster: K| {
        watchers
            .iter()
            .any(|w| w.holder == holder && w.clusters.contains(&cluster))
    };
    let mut load: BTreeMap<&str, usize> = watchers.iter().map(|w| (w.holder.as_str(), 0)).collect();
    let mut given: BTreeMap<K, &str> = BTreeMap::new();
    for (cluster, holder) in held {
        if let (true, Some((name, count))) = (may(holder, *cluster), load.get_key_value(holder.as_str())) {
            let (name, count) = (*name, *count + 1);
            given.insert(*cluster, name);
            load.insert(name, count);
        }
    }
    // Those that fewest may watch first: they have the least choice.
    let mut free: Vec<(usize, K)> = watchers
        .iter()
        .flat_map(|w| &w.clusters)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(|cluster| !given.contains_key(*cluster))
        .map(|cluster| {
            (
                watchers.iter().filter(|w| w.clusters.contains(cluster)).count(),
                *cluster,
            )
        })
        .collect();
    free.sort_unstable();
    for (_, cluster) in free {
        if let Some(least) = least(watchers, &load, &cluster) {
            given.insert(cluster, least);
            *load.entry(least).or_default() += 1;
        }
    }
    // Each move makes the sum of the squares of the loads smaller, so this ends.
    while let Some((cluster, from, to)) = given.iter().find_map(|(cluster, from)| {
        let to = least(watchers, &load, cluster)?;
        (load[to] + 1 < load[from]).then_some((*cluster, *from, to))
    }) {
        given.insert(cluster, to);
        *load.entry(from).or_default() -= 1;
        *load.entry(to).or_default() += 1;
    }
    given
        .into_iter()
        .map(|(cluster, holder)| (cluster, holder.to_owned()))
        .collect()
}

fn least<'a, K: Ord>(
    watchers: &'a [Watcher<K>],
    load: &BTreeMap<&'a str, usize>,
    cluster: &K,
) -> Option<&'a str> {
    watchers
        .iter()
        .filter(|w| w.clusters.contains(cluster))
        .map(|w| w.holder.as_str())
        .min_by_key(|holder| (load[holder], *holder))
}
