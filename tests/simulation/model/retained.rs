//! Retained messages: the last of each topic, and what a new subscription is to get of them.

use super::message::{History, Message, Stamp};
use super::session::{Kind, Owed, Seen};
use super::topics::{Filter, Topic};
use certmq::protocol::QoS;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What one SUBSCRIBE is to get.
pub(crate) struct Reading {
    pub(crate) filter: Filter,
    pub(crate) name: Rc<str>,
    /// As requested, by this SUBSCRIBE and by later ones that did not want to read anew; granted is what the policy
    /// says at the time.
    pub(crate) asked: Vec<(QoS, Option<u32>)>,
    pub(crate) since: Stamp,
    /// Unsubscribed, or subscribed anew: what was on its way may still come.
    pub(crate) ended: bool,
    /// Topic -> what it has held since, until one of them came.
    pub(crate) topics: BTreeMap<Topic, Held>,
    /// Topics that have come: each comes once.
    pub(crate) passed: BTreeSet<Topic>,
}

/// What one topic has held since the subscription.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) values: Vec<Rc<Message>>,
    /// It held one all the time, so that one must come.
    pub(crate) due: bool,
}

impl Reading {
    /// The copy that came, if it may be one of this reading: of what is `due`, or of what merely may come.
    /// `is_doubtful`: it may as well be of a reading that ended, so that one more may come.
    pub(crate) fn take(
        &mut self,
        seen: &Seen,
        due: bool,
        is_doubtful: bool,
        device: usize,
        history: &History,
        now: u64,
    ) -> Option<Owed> {
        let is_due = |held: &Held| held.due && self.is_sure(held, device, history, now);
        let mut granted = Vec::new();
        for (qos, _) in self.asked.iter().filter(|(_, identifier)| identifier.as_slice() == seen.identifiers) {
            granted.extend(history.grants(self.since.policy, device, &self.name, *qos).flatten());
        }
        let (&topic, message) =
            self.topics.iter().filter(|(_, held)| is_due(held) == due).find_map(|(topic, held)| {
                let value = held.values.iter().find(|value| {
                    value.text == seen.text
                        && *value.name == *seen.topic
                        && granted.iter().any(|&granted| value.qos.min(granted) == seen.qos)
                });
                value.map(|value| (topic, Rc::clone(value)))
            })?;
        if is_doubtful && let Some(held) = self.topics.get_mut(&topic) {
            held.due = false;
        } else {
            self.topics.remove(&topic);
            self.passed.insert(topic);
        }
        let identifiers = seen.identifiers.clone();
        let (qos, since) = (seen.qos, Stamp { time: now, policy: history.number() });
        Some(Owed { message, qos, retain: true, identifiers, since, kind: Kind::Retained, optional: false })
    }

    /// Whether it might have brought this, going by the text.
    pub(crate) fn has(&self, seen: &Seen) -> bool {
        self.topics.values().flat_map(|held| &held.values).any(|value| value.text == seen.text)
    }

    /// Another message is retained now; `continuous`: one was before.
    pub(crate) fn replace(&mut self, message: &Rc<Message>, continuous: bool) {
        if self.passed.contains(&message.topic) {
            return;
        }
        let held = self.topics.entry(message.topic).or_default();
        held.due &= continuous;
        held.values.push(Rc::clone(message));
    }

    /// The topic is empty now. What it held may be on its way.
    pub(crate) fn clear(&mut self, topic: Topic) {
        if let Some(held) = self.topics.get_mut(&topic) {
            held.due = false;
        }
    }

    /// Nothing more comes: did all that had to?
    pub(crate) fn judge_whole(&self, client: usize, device: usize, history: &History, now: u64) {
        for held in self.topics.values().filter(|held| held.due && !self.ended) {
            let text = &held.values[0].text;
            let excused = !self.is_sure(held, device, history, now);
            assert!(
                excused,
                "client {client} never got the retained {text:?} of {:?} for {} since {:?}",
                held.values[0].name, self.name, self.since
            );
        }
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
