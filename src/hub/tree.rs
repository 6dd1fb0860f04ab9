//! The subscription tree: which sessions a topic reaches. Costs by levels and matches, not by subscriptions.
//!
//! It is cut into partitions, each with a lock and a version of its own, so that one client's SUBSCRIBE neither
//! blocks everyone's publishing nor empties everyone's route memory. A filter lives in exactly one partition:
//!
//! | the filter begins with | partition |
//! |---|---|
//! | two literal levels, `a/b/…` | deep, by hash of `a/b` |
//! | one literal level, `a`, `a/+/…`, `a/#` | shallow, by hash of `a` |
//! | a wildcard | one for all |
//!
//! So a topic is looked up in at most three.

mod children;

use super::sessions::SessionCell;
use super::shared::SharedGroup;
use crate::protocol::topic::Level;
use crate::protocol::{TopicFilter, TopicName};
use crate::session::SubscriptionId;
use children::Children;
use parking_lot::RwLock;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const PARTITIONS: usize = 64;

/// The versions of the partitions a topic was looked up in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Versions([u64; 3]);

/// A subscription as the tree knows it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) cell: Arc<SessionCell>,
    pub(super) id: SubscriptionId,
}

/// Everything a topic matched.
#[derive(Debug, Default)]
pub(super) struct Matches {
    pub(super) entries: Vec<Entry>,
    pub(super) groups: Vec<Arc<SharedGroup>>,
}

/// All subscriptions of the broker.
#[derive(Debug)]
pub(super) struct SubscriptionTree {
    hasher: ahash::RandomState,
    deep: Box<[Partition]>,
    shallow: Box<[Partition]>,
    wild: Partition,
    plain: AtomicUsize,
    shared: AtomicUsize,
}

#[derive(Debug, Default)]
struct Partition {
    version: AtomicU64,
    root: RwLock<Node>,
}

#[derive(Debug, Default)]
struct Node {
    children: Children,
    one: Option<Box<Node>>,
    /// Subscriptions that end at this node.
    here: Option<Box<Subscribers>>,
    /// Subscriptions that end in `#` below this node; they match this node too.
    rest: Option<Box<Subscribers>>,
}

#[derive(Debug, Default)]
struct Subscribers {
    entries: Vec<Entry>,
    groups: Vec<Arc<SharedGroup>>,
}

impl SubscriptionTree {
    pub(super) fn new() -> Self {
        let partitions = || (0..PARTITIONS).map(|_| Partition::default()).collect();
        Self {
            hasher: ahash::RandomState::new(),
            deep: partitions(),
            shallow: partitions(),
            wild: Partition::default(),
            plain: AtomicUsize::new(0),
            shared: AtomicUsize::new(0),
        }
    }

    /// Adds a subscription, which is not there yet; a shared one joins its group.
    pub(super) fn insert(&self, filter: &TopicFilter, entry: Entry) {
        self.count_of(filter).fetch_add(1, Ordering::Relaxed);
        self.partition(filter).change(|root| {
            let subscribers = root.subscribers(filter.levels());
            match filter.share() {
                None => subscribers.entries.push(entry),
                Some(share) => subscribers.join(share, entry),
            }
        });
    }

    /// Removes a subscription, which is there.
    pub(super) fn remove(&self, filter: &TopicFilter, entry: &Entry) {
        self.count_of(filter).fetch_sub(1, Ordering::Relaxed);
        self.partition(filter).change(|root| root.remove(filter.levels(), filter.share(), entry));
    }

    /// The present versions of what `topic` would be looked up in.
    pub(super) fn versions(&self, topic: TopicName<'_>) -> Versions {
        Versions(self.partitions(topic).map(|partition| partition.map_or(0, Partition::version)))
    }

    /// Every subscription that matches `topic`.
    pub(super) fn lookup(&self, topic: TopicName<'_>) -> Matches {
        let mut matches = Matches::default();
        let levels: Vec<&str> = topic.levels().collect();
        let wildcards = Wildcards::at_front_of(topic);
        for partition in self.partitions(topic).into_iter().flatten() {
            partition.root.read().collect(&levels, wildcards, &mut matches);
        }
        matches
    }

    /// Number of subscriptions, a shared group's members each counted.
    pub(super) fn len(&self) -> usize {
        self.plain.load(Ordering::Relaxed) + self.shared_len()
    }

    /// Number of shared subscriptions, each member of a group counted.
    pub(super) fn shared_len(&self) -> usize {
        self.shared.load(Ordering::Relaxed)
    }

    /// Whether not even an empty node is left.
    #[cfg(test)]
    pub(super) fn is_bare(&self) -> bool {
        let mut partitions = self.deep.iter().chain(self.shallow.iter()).chain([&self.wild]);
        partitions.all(|partition| partition.root.read().is_empty())
    }
}

impl SubscriptionTree {
    fn count_of(&self, filter: &TopicFilter) -> &AtomicUsize {
        if filter.share().is_some() { &self.shared } else { &self.plain }
    }

    fn partition(&self, filter: &TopicFilter) -> &Partition {
        let mut levels = filter.levels();
        match (levels.next(), levels.next()) {
            (Some(Level::Literal(first)), Some(Level::Literal(second))) => self.pick(&self.deep, (first, second)),
            (Some(Level::Literal(first)), _) => self.pick(&self.shallow, first),
            (_, _) => &self.wild,
        }
    }

    fn partitions(&self, topic: TopicName<'_>) -> [Option<&Partition>; 3] {
        let mut levels = topic.levels();
        let first = levels.next().unwrap_or_default();
        let deep = levels.next().map(|second| self.pick(&self.deep, (first, second)));
        [deep, Some(self.pick(&self.shallow, first)), Some(&self.wild)]
    }

    fn pick<'p>(&'p self, partitions: &'p [Partition], key: impl Hash) -> &'p Partition {
        let index = usize::try_from(self.hasher.hash_one(key)).unwrap_or_default() % PARTITIONS;
        partitions.get(index).unwrap_or(&self.wild)
    }
}

impl Partition {
    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The version rises while the lock is held: who reads the new version finds the new tree.
    fn change<T>(&self, change: impl FnOnce(&mut Node) -> T) -> T {
        let mut root = self.root.write();
        let result = change(&mut root);
        self.version.fetch_add(1, Ordering::AcqRel);
        result
    }
}

/// Whether wildcards count at a level: never in the first of a `$` topic `[MQTT-4.7.2-1]`.
#[derive(Clone, Copy)]
enum Wildcards {
    Count,
    DoNotCount,
}

impl Wildcards {
    fn at_front_of(topic: TopicName<'_>) -> Self {
        match topic.as_str().starts_with('$') {
            true => Self::DoNotCount,
            false => Self::Count,
        }
    }
}

impl Node {
    /// The subscribers of a filter, their node made where it is missing.
    fn subscribers<'l>(&mut self, levels: impl Iterator<Item = Level<'l>>) -> &mut Subscribers {
        let mut node = self;
        for level in levels {
            node = match level {
                Level::Literal(text) => node.children.get_or_insert(text),
                Level::One => node.one.get_or_insert_default(),
                Level::Rest => return node.rest.get_or_insert_default(),
            };
        }
        node.here.get_or_insert_default()
    }

    /// Removes a subscription and every node that it leaves empty.
    fn remove<'l>(&mut self, mut levels: impl Iterator<Item = Level<'l>>, share: Option<&str>, entry: &Entry) {
        match levels.next() {
            None => leave(&mut self.here, share, entry),
            Some(Level::Rest) => leave(&mut self.rest, share, entry),
            Some(Level::One) => {
                if let Some(child) = &mut self.one {
                    child.remove(levels, share, entry);
                    if child.is_empty() {
                        self.one = None;
                    }
                }
            }
            Some(Level::Literal(text)) => {
                if let Some(child) = self.children.get_mut(text) {
                    child.remove(levels, share, entry);
                    if child.is_empty() {
                        self.children.remove(text);
                    }
                }
            }
        }
    }

    /// Depth is bounded by the levels that a filter may have.
    fn collect(&self, levels: &[&str], wildcards: Wildcards, into: &mut Matches) {
        if let Wildcards::Count = wildcards {
            append(self.rest.as_deref(), into);
        }
        let Some((level, below)) = levels.split_first() else {
            return append(self.here.as_deref(), into);
        };
        if let Some(child) = self.children.get(level) {
            child.collect(below, Wildcards::Count, into);
        }
        if let (Some(child), Wildcards::Count) = (&self.one, wildcards) {
            child.collect(below, Wildcards::Count, into);
        }
    }

    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.one.is_none() && self.here.is_none() && self.rest.is_none()
    }
}

/// Takes a subscription out of `subscribers`, and gives the memory of the last one back.
fn leave(subscribers: &mut Option<Box<Subscribers>>, share: Option<&str>, entry: &Entry) {
    if let Some(present) = subscribers {
        present.remove(share, entry);
        if present.is_empty() {
            *subscribers = None;
        }
    }
}

fn append(subscribers: Option<&Subscribers>, into: &mut Matches) {
    if let Some(subscribers) = subscribers {
        subscribers.append_to(into);
    }
}

impl Subscribers {
    fn join(&mut self, share: &str, entry: Entry) {
        if let Some(group) = self.groups.iter().find(|group| group.name() == share) {
            return group.join(entry);
        }
        let group = SharedGroup::new(share);
        group.join(entry);
        self.groups.push(Arc::new(group));
    }

    fn remove(&mut self, share: Option<&str>, entry: &Entry) {
        let Some(share) = share else {
            return self.entries.retain(|other| !other.is(entry));
        };
        self.groups.retain(|group| group.name() != share || group.leave(entry));
    }

    fn append_to(&self, into: &mut Matches) {
        into.entries.extend_from_slice(&self.entries);
        into.groups.extend_from_slice(&self.groups);
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.groups.is_empty()
    }
}

impl Entry {
    pub(super) fn is(&self, other: &Self) -> bool {
        self.id == other.id && Arc::ptr_eq(&self.cell, &other.cell)
    }
}
