//! The session as a member of shared subscriptions: what it can take, and what leaves it for another member.

use super::outgoing::Waiting;
use super::state::{passes_with, window};
use super::{Bounds, Handover, Message, Session, SubscriptionId};
use crate::policy::{Holes, Policy};
use crate::protocol::{QoS, TopicFilter};
use std::collections::HashSet;
use std::sync::Arc;

impl Session {
    /// How many messages it could take before its window and its queue are full.
    pub fn capacity(&self, bounds: &Bounds) -> usize {
        let window = self.terms().map_or(0, |terms| window(terms, bounds)).saturating_sub(self.inflight());
        window.saturating_add(bounds.queued_messages.saturating_sub(self.queued()))
    }

    /// Whether not even a message without a byte would find room in the queue.
    pub fn queue_is_full(&self, bounds: &Bounds) -> bool {
        !self.outgoing.queue_has_room(1, &self.narrowed(bounds))
    }

    /// What a subscription must not read, while it may read at all.
    pub fn holes(&mut self, id: SubscriptionId, policy: &Policy) -> Option<Holes> {
        let subscription = self.subscriptions.find(id)?;
        subscription.grant(policy, &self.principal).map(|grant| grant.holes.clone())
    }

    /// Takes out what came through shared subscriptions and was not sent, oldest first, at most `limit` messages that
    /// `wanted` chooses by their subscription and themselves. One walk, whatever number of subscriptions.
    pub fn hand_over_unsent(&mut self, limit: usize, wanted: impl Fn(&TopicFilter, &Message) -> bool) -> Vec<Handover> {
        self.outgoing.take_unsent(limit, wanted)
    }

    /// The shared subscriptions of which something waits here unsent.
    pub fn unsent_shares(&self) -> HashSet<&str, ahash::RandomState> {
        self.outgoing.unsent_shares()
    }

    /// The session ends: takes out all that another member may get. That is what was not sent, and what was sent with
    /// QoS 1 and not acknowledged; with QoS 2 it is lost `[MQTT-4.8.2-5]`.
    pub fn hand_over_all(&mut self) -> Vec<Handover> {
        self.outgoing.take_all_shared()
    }

    /// Looks through what waits of shared subscriptions for messages that it may no longer read, or that their writer
    /// may no longer have written: [`Session::take_strayed`] has them.
    pub fn sift(&mut self, policy: &Policy) {
        self.outgoing.reconsider(policy.epoch());
        let principal = &self.principal;
        self.outgoing
            .sift(|waiting| waiting.epoch == policy.epoch() || passes_with(principal, waiting, policy).is_some());
    }

    /// What [`Session::pump`] found that this session may no longer read, and another member perhaps may.
    pub fn take_strayed(&mut self) -> Vec<Handover> {
        self.outgoing.take_strayed()
    }

    /// Withholds a shared message that no member may read under `policy`, until the policy changes; says whether it
    /// has the subscription, and room.
    pub fn park(&mut self, handover: &Handover, id: SubscriptionId, policy: &Policy, bounds: &Bounds) -> bool {
        let Some(subscription) = self.subscriptions.find(id) else { return false };
        let qos = subscription.options.qos.min(handover.message.qos);
        if qos == QoS::AtMostOnce {
            return false;
        }
        let waiting = Waiting {
            message: Arc::clone(&handover.message),
            qos,
            retain: subscription.options.retain_as_published && handover.message.retain,
            identifiers: subscription.identifier.into_iter().collect(),
            epoch: policy.epoch(),
            share: Some(Arc::clone(&handover.share)),
        };
        let bounds = self.bounds_under(policy, bounds);
        self.outgoing.park(waiting, policy.epoch(), &bounds)
    }
}
