//! What is known of one cluster: the targets that are watched, their objects, what watches said of them, and what is to
//! be compared when.

use super::{
    due::Due,
    follow::{Collection, Named, News},
};
use crate::{api::Resource, object};
use serde_json::Value;
use slipway_domain::{
    component::bundle::ObjectRef,
    drift::{Drift, WatchedTarget},
    ids::TargetId,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};
use tokio::time::Instant;

/// Between two objects that are compared although nobody said that they changed: 20 a second, two requests each, are far
/// below what a deployment may send at the same time.
const PACE: Duration = Duration::from_millis(50);
/// Watches on one cluster, where they must be one a namespace. What is beyond is found by comparing everything.
const MOST_WATCHES: usize = 100;

/// An object, as it is known by here: its kind, its namespace (empty for what has none) and its name.
pub(super) type Key = (Resource, Named);

/// How the kinds of a rendering are served, by `apiVersion` and kind; those that are not are not in it.
pub(super) type Served = HashMap<(String, String), Resource>;

/// A target that is watched.
struct Target {
    generation: i64,
    namespace: String,
    objects: Vec<Key>,
    /// When all of it is compared next.
    next: Instant,
}

/// An object that is watched.
pub(super) struct Object {
    pub(super) target: TargetId,
    pub(super) reference: ObjectRef,
    /// As applied; as text, which takes a fraction of the memory.
    applied: Box<str>,
    /// Its drift, as it was reported last.
    pub(super) known: Option<Drift>,
    /// Whether it was compared since it is watched.
    compared: bool,
}

/// What is to be compared.
pub(super) struct Question {
    pub(super) key: Key,
    pub(super) namespace: String,
    pub(super) applied: Box<str>,
}

/// What is known of a cluster.
pub(super) struct Known {
    compare_every: Duration,
    targets: HashMap<TargetId, Target>,
    objects: HashMap<Key, Object>,
    /// What watches said last, also of objects that are not watched (yet): a change is a mark that differs.
    marks: HashMap<Key, u64>,
    /// Kinds that may not be watched everywhere at once.
    confined: HashSet<Resource>,
    /// What changed.
    changed: Due<Key>,
    /// What nobody said had changed.
    calm: Due<Key>,
    slot: Instant,
    /// Since when deployments are at work on the cluster.
    busy_since: Option<Instant>,
}

impl Known {
    pub(super) fn new(compare_every: Duration) -> Self {
        Self {
            compare_every,
            targets: HashMap::new(),
            objects: HashMap::new(),
            marks: HashMap::new(),
            confined: HashSet::new(),
            changed: Due::default(),
            calm: Due::default(),
            slot: Instant::now(),
            busy_since: None,
        }
    }

    /// Deployments are at work there, or not (any more).
    pub(super) fn set_busy(&mut self, busy: bool) {
        self.busy_since = busy.then(|| self.busy_since.unwrap_or_else(Instant::now));
    }

    /// What nobody said had changed waits for deployments, but not for ever.
    fn waits(&self) -> bool {
        self.busy_since
            .is_some_and(|since| since.elapsed() < self.compare_every)
    }

    /// The watches are begun anew, with other rights.
    pub(super) fn reconnected(&mut self) {
        self.marks.clear();
        self.confined.clear();
    }

    /// Targets of which what is known is not true any more.
    pub(super) fn over(&self, now: &BTreeMap<TargetId, i64>) -> Vec<TargetId> {
        let over = self
            .targets
            .iter()
            .filter(|(id, target)| now.get(*id) != Some(&target.generation));
        over.map(|(id, _)| *id).collect()
    }

    pub(super) fn has(&self, target: TargetId) -> bool {
        self.targets.contains_key(&target)
    }

    pub(super) fn generation(&self, target: TargetId) -> Option<i64> {
        self.targets.get(&target).map(|target| target.generation)
    }

    pub(super) fn add(&mut self, target: &WatchedTarget, served: &Served) {
        let mut objects = Vec::new();
        for applied in &target.rendering.objects {
            let Some(reference) = ObjectRef::of(applied) else {
                continue;
            };
            let kind = (reference.api_version.clone(), reference.kind.clone());
            // A kind that is not served (any more) is compared all the same: all of it is gone.
            let resource = served
                .get(&kind)
                .cloned()
                .unwrap_or_else(|| Resource::built_in(&kind.0, &kind.1, "", true));
            let namespace = if resource.namespaced {
                target.namespace.as_str()
            } else {
                ""
            };
            let key = (resource, (namespace.to_owned(), object::name(applied).to_owned()));
            let known = target
                .open
                .iter()
                .find(|(open, _)| open.identity() == reference.identity());
            let watched = Object {
                target: target.target,
                reference,
                applied: applied.to_string().into_boxed_str(),
                known: known.map(|(_, drift)| drift.clone()),
                compared: false,
            };
            self.objects.insert(key.clone(), watched);
            self.in_its_turn(&key);
            objects.push(key);
        }
        let watched = Target {
            generation: target.generation,
            namespace: target.namespace.to_string(),
            objects,
            next: Instant::now() + self.until_next(target.target),
        };
        self.targets.insert(target.target, watched);
    }

    pub(super) fn forget(&mut self, target: TargetId) {
        let Some(gone) = self.targets.remove(&target) else {
            return;
        };
        for key in gone.objects {
            if self
                .objects
                .get(&key)
                .is_some_and(|object| object.target == target)
            {
                self.objects.remove(&key);
                self.changed.forget(&key);
                self.calm.forget(&key);
            }
        }
    }

    /// Compared when nothing more urgent is.
    fn in_its_turn(&mut self, key: &Key) {
        self.slot = self.slot.max(Instant::now()) + PACE;
        self.calm.at(key, self.slot);
    }

    /// Between four and six fifths of the time set, different from target to target.
    fn until_next(&self, target: TargetId) -> Duration {
        let spread = u32::try_from(target.uuid().as_u128() & 0x3ff).unwrap_or(512);
        self.compare_every.mul_f64(0.8 + f64::from(spread) / 2560.0)
    }

    /// Has everything compared on targets whose time has come: whatever watches missed is found.
    pub(super) fn compare_all(&mut self) {
        let now = Instant::now();
        let due = self.targets.iter().filter(|(_, target)| target.next <= now);
        for id in due.map(|(id, _)| *id).collect::<Vec<_>>() {
            let next = now + self.until_next(id);
            if let Some(target) = self.targets.get_mut(&id) {
                target.next = next;
                for key in target.objects.clone() {
                    self.in_its_turn(&key);
                }
            }
        }
    }

    /// What is to be watched: each kind everywhere, or in each namespace where the credential is confined to them.
    pub(super) fn collections(&self) -> HashSet<Collection> {
        let mut wanted = HashSet::new();
        let served = self
            .objects
            .keys()
            .filter(|(resource, _)| !resource.plural.is_empty());
        for (resource, (namespace, _)) in served {
            let confined = self.confined.contains(resource);
            if confined && (!resource.namespaced || wanted.len() >= MOST_WATCHES) {
                continue;
            }
            wanted.insert(Collection {
                resource: resource.clone(),
                namespace: confined.then(|| namespace.clone()),
            });
        }
        wanted
    }

    /// Takes in what a watch said. Says whether other watches are wanted from now on.
    pub(super) fn heard(&mut self, collection: &Collection, news: News) -> bool {
        let now = Instant::now();
        let resource = &collection.resource;
        match news {
            News::Forbidden => {
                return collection.namespace.is_none() && self.confined.insert(resource.clone());
            }
            News::Seen(named, mark) => self.mark(&(resource.clone(), named), Some(mark), now),
            News::Gone(named) => self.mark(&(resource.clone(), named), None, now),
            News::Listed(seen) => {
                let of = |key: &&Key| {
                    key.0 == *resource
                        && collection
                            .namespace
                            .as_ref()
                            .is_none_or(|namespace| *namespace == key.1.0)
                };
                let known = self.objects.keys().chain(self.marks.keys()).filter(of);
                let gone: HashSet<Key> = known.filter(|key| !seen.contains_key(&key.1)).cloned().collect();
                for key in gone {
                    self.mark(&key, None, now);
                }
                for (named, mark) in seen {
                    self.mark(&(resource.clone(), named), Some(mark), now);
                }
            }
        }
        false
    }

    fn mark(&mut self, key: &Key, mark: Option<u64>, now: Instant) {
        let before = match mark {
            Some(mark) => self.marks.insert(key.clone(), mark),
            None => self.marks.remove(key),
        };
        let Some(object) = self.objects.get(key) else {
            return;
        };
        // The first word of an object says that it is there. Before it was compared, that is nothing new.
        let is_new = match (before, mark) {
            (Some(before), Some(mark)) => before != mark,
            (None, Some(_)) => object.compared,
            (_, None) => true,
        };
        if is_new {
            self.changed.changed(key, now);
        }
    }

    /// When something is to be compared next.
    pub(super) fn next(&self) -> Option<Instant> {
        let calm = self.calm.next().filter(|_| !self.waits());
        self.changed.next().into_iter().chain(calm).min()
    }

    /// Takes what is to be compared now, at most so much.
    pub(super) fn take(&mut self, most: usize) -> Vec<Question> {
        let now = Instant::now();
        let mut keys = self.changed.take(now, most);
        if !self.waits() {
            keys.extend(self.calm.take(now, most - keys.len()));
        }
        let questions = keys.into_iter().filter_map(|key| {
            let object = self.objects.get(&key)?;
            let target = self.targets.get(&object.target)?;
            Some(Question {
                namespace: target.namespace.clone(),
                applied: object.applied.clone(),
                key,
            })
        });
        questions.collect()
    }

    /// Compares it again, after a while.
    pub(super) fn again(&mut self, key: &Key, after: Duration) {
        self.changed.at(key, Instant::now() + after);
    }

    /// It was compared; gives it back when its drift is another than was known.
    pub(super) fn compared(&mut self, key: &Key, drift: Option<&Drift>) -> Option<&Object> {
        let object = self.objects.get_mut(key)?;
        object.compared = true;
        let same = match (&object.known, drift) {
            (None, None) => true,
            (Some(known), Some(drift)) => known.is_same_as(drift),
            _ => false,
        };
        (!same).then_some(&*object)
    }

    /// It was reported.
    pub(super) fn reported(&mut self, key: &Key, drift: Option<Drift>) {
        if let Some(object) = self.objects.get_mut(key) {
            object.known = drift;
        }
    }
}

/// What was applied, of a question.
pub(super) fn applied(question: &Question) -> Option<Value> {
    serde_json::from_str(&question.applied).ok()
}
