//! Retained messages: the last of each topic, and what a new subscription is to get of them.

use super::message::{History, Message, Stamp};
use super::session::Seen;
use super::topics::{Filter, Topic};
use certmq::protocol::QoS;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// One topic of one reading, by the reading's number. It brings one copy at most.
pub(crate) type Slot = (u64, Topic);

/// What one SUBSCRIBE is to get.
pub(crate) struct Reading {
    pub(crate) number: u64,
    pub(crate) filter: Filter,
    pub(crate) name: Rc<str>,
    /// As requested, by this SUBSCRIBE and by later ones that did not want to read anew; granted is what the policy
    /// says at the time.
    pub(crate) asked: Vec<(QoS, Option<u32>)>,
    pub(crate) since: Stamp,
    /// Unsubscribed, or subscribed anew: what was on its way may still come.
    pub(crate) ended: bool,
    /// Topic -> what it has held since.
    pub(crate) topics: BTreeMap<Topic, Held>,
}

/// What one topic has held since the subscription.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) values: Vec<Rc<Message>>,
    /// It held one all the time, so that one must come.
    pub(crate) due: bool,
}

/// Copies that came, each with the slots that it may be of: overlapping subscriptions bring copies that look alike, and
/// which is whose shows only when all have come.
#[derive(Default)]
pub(crate) struct Copies(Vec<RetainedCopy>);

struct RetainedCopy {
    candidates: Vec<Slot>,
    slot: Option<Slot>,
}

impl Copies {
    /// Another copy, with the slots it may be of, the likeliest first. Says whether there is one left for it.
    pub(crate) fn add(&mut self, candidates: Vec<Slot>) -> bool {
        self.0.push(RetainedCopy { candidates, slot: None });
        let placed = self.place(self.0.len() - 1, &mut BTreeSet::new());
        if !placed {
            self.0.pop();
        }
        placed
    }

    /// A copy that may as well have been a live one: it fills a slot where one is wanted.
    pub(crate) fn add_doubtful(&mut self, candidates: Vec<Slot>) {
        if !candidates.is_empty() {
            self.0.push(RetainedCopy { candidates, slot: None });
        }
    }

    /// Finds a slot for a copy, and others for those that have to give way.
    fn place(&mut self, copy: usize, visited: &mut BTreeSet<Slot>) -> bool {
        let candidates = self.0[copy].candidates.clone();
        let free = candidates.iter().copied().find(|slot| self.copy_of(*slot).is_none());
        let slot = free.or_else(|| {
            candidates.into_iter().find(|slot| {
                let owner = self.copy_of(*slot).expect("none is free");
                visited.insert(*slot) && self.place(owner, visited)
            })
        });
        if slot.is_some() {
            self.0[copy].slot = slot;
        }
        slot.is_some()
    }

    /// Whether a copy came that may be of `slot` and is not needed where something is `due` as well.
    fn fill(&mut self, slot: Slot, due: &BTreeSet<Slot>, visited: &mut BTreeSet<Slot>) -> bool {
        if self.copy_of(slot).is_some() {
            return true;
        }
        for copy in 0..self.0.len() {
            if !self.0[copy].candidates.contains(&slot) {
                continue;
            }
            let Some(from) = self.0[copy].slot else {
                self.0[copy].slot = Some(slot);
                return true;
            };
            if !visited.insert(from) {
                continue;
            }
            self.0[copy].slot = Some(slot);
            if !due.contains(&from) || self.fill(from, due, visited) {
                return true;
            }
            self.0[copy].slot = Some(from);
        }
        false
    }

    fn copy_of(&self, slot: Slot) -> Option<usize> {
        self.0.iter().position(|copy| copy.slot == Some(slot))
    }
}

impl Reading {
    /// What a copy that came is of, if it may be of this reading; and whether one must come.
    pub(crate) fn fits(
        &self,
        seen: &Seen,
        device: usize,
        history: &History,
        now: u64,
    ) -> Option<(bool, Slot, Rc<Message>)> {
        let mut granted = Vec::new();
        for (qos, _) in self.asked.iter().filter(|(_, identifier)| identifier.as_slice() == seen.identifiers) {
            granted.extend(history.grants(self.since.policy, device, &self.name, *qos).flatten());
        }
        self.topics.iter().find_map(|(topic, held)| {
            let value = held.values.iter().find(|value| {
                value.text == seen.text
                    && *value.name == *seen.topic
                    && granted.iter().any(|&granted| value.qos.min(granted) == seen.qos)
            })?;
            let due = held.due && self.is_sure(held, device, history, now);
            Some((due, (self.number, *topic), Rc::clone(value)))
        })
    }

    /// Another message is retained now; `continuous`: one was before.
    pub(crate) fn replace(&mut self, message: &Rc<Message>, continuous: bool) {
        let held = self.topics.entry(message.topic).or_default();
        held.due &= continuous;
        held.values.push(Rc::clone(message));
    }

    /// What was on its way with QoS 0 may be lost.
    pub(crate) fn lose_unseen(&mut self) {
        for held in self.topics.values_mut() {
            let at_most_once = |message: &Rc<Message>| message.qos == QoS::AtMostOnce;
            held.due &=
                !held.values.iter().any(at_most_once) && self.asked.iter().all(|(qos, _)| *qos > QoS::AtMostOnce);
        }
    }

    /// The topic is empty now. What it held may be on its way.
    pub(crate) fn clear(&mut self, topic: Topic) {
        if let Some(held) = self.topics.get_mut(&topic) {
            held.due = false;
        }
    }

    /// The slots for which one must have come.
    fn due(&self, device: usize, history: &History, now: u64) -> impl Iterator<Item = Slot> {
        let due = move |held: &Held| held.due && !self.ended && self.is_sure(held, device, history, now);
        self.topics.iter().filter(move |(_, held)| due(held)).map(|(topic, _)| (self.number, *topic))
    }

    /// Whether nothing that happened since may have kept it back.
    fn is_sure(&self, held: &Held, device: usize, history: &History, now: u64) -> bool {
        let mut grants = history.grants(self.since.policy, device, &self.name, QoS::AtMostOnce);
        let may_pass = |message: &Rc<Message>| {
            !message.is_expired(now) && !message.large && history.always(self.since.policy, message, device)
        };
        grants.all(|grant| grant.is_some()) && held.values.iter().all(may_pass)
    }
}

/// Nothing more comes: did all that had to?
pub(crate) fn judge_whole(
    readings: &[Reading],
    copies: &mut Copies,
    client: usize,
    device: usize,
    history: &History,
    now: u64,
) {
    let due: BTreeSet<Slot> = readings.iter().flat_map(|reading| reading.due(device, history, now)).collect();
    for reading in readings {
        for slot in reading.due(device, history, now) {
            let value = &reading.topics[&slot.1].values[0];
            assert!(
                copies.fill(slot, &due, &mut BTreeSet::new()),
                "client {client} never got the retained {:?} of {:?} for {} since {:?}",
                value.text,
                value.name,
                reading.name,
                reading.since
            );
        }
    }
}
