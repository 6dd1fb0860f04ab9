//! Retained messages: one per topic, read by cursor so that a new subscriber never makes the broker collect them.

#[cfg(test)]
mod tests;
mod walk;

use crate::policy::{Epoch, Policy};
use crate::protocol::topic::TopicNameBuf;
use crate::protocol::{TopicFilter, TopicName};
use crate::session::{Message, Moment, SubscriptionId};
use parking_lot::{RwLock, RwLockWriteGuard};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use walk::Look;

/// How many topics one step of a cursor looks at, so that the lock is never held long. A publisher that waits for it
/// goes first: nobody begins to read while somebody waits to write.
const STEP: usize = 32;

/// How many messages [`RetainedMessages::for_each`] takes at a time.
const SLICE: usize = 1_024;

/// All retained messages, in the order of their topics.
#[derive(Debug)]
pub(super) struct RetainedMessages {
    topics: RwLock<Topics>,
    maximum_messages: usize,
    maximum_bytes: usize,
}

#[derive(Debug, Default)]
struct Topics {
    by_name: BTreeMap<TopicNameBuf, Retained>,
    /// Those that expire, the first to do so in front.
    expiring: BTreeSet<(Moment, TopicNameBuf)>,
    bytes: usize,
}

#[derive(Debug)]
struct Retained {
    message: Arc<Message>,
    /// The epoch in which its writer's right was last found good.
    judged: AtomicU64,
}

/// Where one new subscription stands in reading the retained messages.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) subscription: SubscriptionId,
    pub(super) filter: TopicFilter,
    place: Place,
}

/// Where a walk goes on.
#[derive(Clone, Debug)]
enum Place {
    After(TopicNameBuf),
    From(String),
}

/// What of a step could be delivered: there is no use in finding more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// What one step of a cursor found.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) found: Vec<Arc<Message>>,
    /// Where to go on when `found` has been delivered; `None`: the end.
    next: Option<Place>,
}

/// A bound of the retained store was reached.
#[derive(Debug)]
pub(super) struct RetainedFull;

impl RetainedMessages {
    pub(super) fn new(maximum_messages: usize, maximum_bytes: usize) -> Self {
        Self { topics: RwLock::default(), maximum_messages, maximum_bytes }
    }

    /// Number of retained messages.
    pub(super) fn len(&self) -> usize {
        self.topics.read().by_name.len()
    }

    /// Number of retained messages, and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        let topics = self.topics.read();
        (topics.by_name.len(), topics.bytes)
    }

    /// Whether a message of `size` bytes for `topic` would fit.
    pub(super) fn has_room(&self, topic: TopicName<'_>, size: usize) -> Result<(), RetainedFull> {
        let topics = self.topics.read();
        let replaced = topics.by_name.get(topic.as_str()).map(|retained| retained.message.size());
        let messages = topics.by_name.len() + usize::from(replaced.is_none());
        let bytes = topics.bytes - replaced.unwrap_or(0) + size;
        match messages > self.maximum_messages || bytes > self.maximum_bytes {
            true => Err(RetainedFull),
            false => Ok(()),
        }
    }

    /// Keeps `message` for its topic; its writer was judged in the epoch `judged`.
    pub(super) fn set(&self, message: &Arc<Message>, judged: Epoch) {
        let retained = Retained { message: Arc::clone(message), judged: AtomicU64::new(judged.0) };
        self.topics.write().insert(retained);
    }

    /// Forgets the message of `topic`.
    pub(super) fn clear(&self, topic: TopicName<'_>) {
        self.topics.write().remove(topic.as_str());
    }

    /// Forgets messages that have expired, [`STEP`] at most; says how many.
    pub(super) fn purge(&self, now: Moment) -> usize {
        let due = |topics: &Topics| topics.expiring.first().is_some_and(|(expires, _)| *expires <= now);
        if !due(&self.topics.read()) {
            return 0;
        }
        let mut topics = self.topics.write();
        let mut purged = 0;
        while purged < STEP && due(&topics) {
            let Some((_, topic)) = topics.expiring.pop_first() else { break };
            topics.remove(topic.as_str());
            purged += 1;
        }
        RwLockWriteGuard::unlock_fair(topics);
        purged
    }

    /// Shows `look` every message, a few at a time, so that the lock is never held long. One that comes or goes meanwhile
    /// may be missed.
    pub(super) fn for_each(&self, mut look: impl FnMut(&Arc<Message>)) {
        let mut after: Option<TopicNameBuf> = None;
        loop {
            let topics = self.topics.read();
            let from = after.as_ref().map_or(Bound::Unbounded, |after| Bound::Excluded(after.as_str()));
            let some: Vec<Arc<Message>> = topics
                .by_name
                .range::<str, _>((from, Bound::Unbounded))
                .take(SLICE)
                .map(|(_, retained)| Arc::clone(&retained.message))
                .collect();
            drop(topics);
            some.iter().for_each(&mut look);
            match some.last() {
                Some(last) => after = Some(last.topic.clone()),
                None => return,
            }
        }
    }

    /// Forgets the messages that `wanted` names; says how many.
    pub(super) fn delete_if(&self, wanted: impl Fn(&Message) -> bool) -> usize {
        let mut found = Vec::new();
        self.for_each(|message| found.extend(wanted(message).then(|| Arc::clone(message))));
        let mut deleted = 0;
        for message in found {
            let mut topics = self.topics.write();
            // Another one may have taken its place.
            if topics.by_name.get(message.topic.as_str()).is_some_and(|now| Arc::ptr_eq(&now.message, &message)) {
                topics.remove(message.topic.as_str());
                deleted += 1;
            }
        }
        deleted
    }

    /// One step of a cursor: the next messages that match, have not expired and whose writer still has the right,
    /// until `room` is used up.
    pub(super) fn step(&self, cursor: &Cursor, room: Room, policy: &Policy, now: Moment) -> Step {
        let mut found = Vec::new();
        let mut bytes = 0;
        let mut place = cursor.place.clone();
        let topics = self.topics.read();
        let mut ahead = topics.by_name.range::<str, _>((place.bound(), Bound::Unbounded));
        for _ in 0..STEP {
            let Some((topic, retained)) = ahead.next() else { return Step { found, next: None } };
            place = Place::After(topic.clone());
            match walk::look(&cursor.filter, topic.as_name()) {
                Look::Match if !retained.message.is_expired(now) && retained.may_be_read(policy) => {
                    bytes += retained.message.size();
                    found.push(Arc::clone(&retained.message));
                    if found.len() >= room.messages || bytes >= room.bytes {
                        break;
                    }
                }
                Look::Match | Look::Next => {}
                Look::From(text) => {
                    // Often the next one is there already; to look is cheaper than to seek.
                    if ahead.clone().next().is_some_and(|(next, _)| next.as_str() < text.as_str()) {
                        ahead = topics.by_name.range::<str, _>((Bound::Included(text.as_str()), Bound::Unbounded));
                    }
                    place = Place::From(text);
                }
                Look::End => return Step { found, next: None },
            }
        }
        Step { found, next: Some(place) }
    }
}

impl Topics {
    fn insert(&mut self, retained: Retained) {
        let message = Arc::clone(&retained.message);
        self.bytes += message.size();
        if let Some(replaced) = self.by_name.insert(message.topic.clone(), retained) {
            self.forget(&replaced.message);
        }
        self.expiring.extend(message.expires.map(|expires| (expires, message.topic.clone())));
    }

    fn remove(&mut self, topic: &str) {
        if let Some(removed) = self.by_name.remove(topic) {
            self.forget(&removed.message);
        }
    }

    fn forget(&mut self, message: &Message) {
        self.bytes -= message.size();
        if let Some(expires) = message.expires {
            self.expiring.remove(&(expires, message.topic.clone()));
        }
    }
}

impl Retained {
    /// Whether its writer may still publish it.
    fn may_be_read(&self, policy: &Policy) -> bool {
        let epoch = policy.epoch().0;
        if self.judged.load(Ordering::Relaxed) == epoch {
            return true;
        }
        let permitted = self.message.may_be_published(policy);
        if permitted {
            self.judged.store(epoch, Ordering::Relaxed);
        }
        permitted
    }
}

impl Cursor {
    pub(super) fn new(subscription: SubscriptionId, filter: TopicFilter) -> Self {
        Self { subscription, place: Place::From(walk::front(&filter)), filter }
    }

    /// Goes on behind `message`.
    pub(super) fn pass(&mut self, message: &Message) {
        self.place = Place::After(message.topic.clone());
    }

    /// Goes on behind a step that was delivered whole; says whether the end is reached.
    pub(super) fn advance(&mut self, step: Step) -> bool {
        match step.next {
            Some(next) => {
                self.place = next;
                false
            }
            None => true,
        }
    }
}

impl Place {
    fn bound(&self) -> Bound<&str> {
        match self {
            Self::After(topic) => Bound::Excluded(topic.as_str()),
            Self::From(text) => Bound::Included(text),
        }
    }
}
