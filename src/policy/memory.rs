//! A device publishes to the same few topics all its life: its last decisions are kept at its connection.

use super::decision::{Denied, Epoch, Permit};
use super::{Policy, Principal};
use crate::protocol::QoS;
use crate::protocol::topic::TopicName;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// The last few publish decisions of one connection. Empty it holds no heap; full at most a few KiB.
#[derive(Debug, Default)]
pub struct DecisionMemory {
    epoch: Epoch,
    /// Whose decisions these are. Held, so that none of its addresses can be given to another.
    principal: Option<Principal>,
    remembered: Vec<Remembered>,
    /// Where the next decision goes.
    oldest: usize,
}

#[derive(Debug)]
struct Remembered {
    topic: String,
    qos: QoS,
    retain: bool,
    outcome: Result<(), Denied>,
}

/// How many decisions are kept.
const DECISIONS: usize = 8;

/// Longer topics are judged anew each time: what a peer chooses must not grow the connection.
const LONGEST_TOPIC: usize = 256;

impl DecisionMemory {
    /// [`Policy::authorize_publish`], remembered by topic, QoS and retain flag within one epoch and one principal.
    ///
    /// # Errors
    /// As [`Policy::authorize_publish`].
    pub fn authorize_publish<'a>(
        &mut self,
        policy: &Policy,
        principal: &Principal,
        topic: TopicName<'a>,
        qos: QoS,
        retain: bool,
    ) -> Result<Permit<'a>, Denied> {
        if self.epoch != policy.epoch() || !self.principal.as_ref().is_some_and(|known| is_same(known, principal)) {
            self.forget();
        }
        let known = self
            .remembered
            .iter()
            .find(|decision| decision.topic == topic.as_str() && decision.qos == qos && decision.retain == retain);
        let outcome = match known {
            Some(decision) => decision.outcome,
            None => {
                let outcome = policy.judge_publish(principal, topic, qos, retain);
                self.remember(
                    policy.epoch(),
                    principal,
                    Remembered { topic: String::new(), qos, retain, outcome },
                    topic,
                );
                outcome
            }
        };
        outcome.map(|()| Permit { topic, qos, retain, epoch: policy.epoch() })
    }

    /// Drops every decision and the memory they took.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    fn remember(&mut self, epoch: Epoch, principal: &Principal, mut decision: Remembered, topic: TopicName<'_>) {
        if topic.as_str().len() > LONGEST_TOPIC {
            return;
        }
        self.epoch = epoch;
        self.principal.get_or_insert_with(|| principal.clone());
        match self.remembered.get_mut(self.oldest) {
            Some(oldest) => {
                decision.topic = std::mem::take(&mut oldest.topic);
                decision.topic.clear();
                decision.topic.push_str(topic.as_str());
                *oldest = decision;
            }
            None => {
                decision.topic.push_str(topic.as_str());
                self.remembered.push(decision);
            }
        }
        self.oldest = (self.oldest + 1) % DECISIONS;
    }
}

/// By address: a connection keeps one principal, and comparing all of it would cost more than judging.
fn is_same(known: &Principal, asked: &Principal) -> bool {
    Arc::ptr_eq(&known.attributes, &asked.attributes)
        && Arc::ptr_eq(&known.client_id, &asked.client_id)
        && Arc::ptr_eq(&known.key.name, &asked.key.name)
        && Arc::ptr_eq(&known.key.trust, &asked.key.trust)
}
