//! One publication to everyone who reads its topic.

use super::route::{Receiver, Route, RouteMemory};
use super::sessions::State;
use super::{Hub, Wakes};
use crate::policy::Policy;
use crate::session::{Delivery, Moment, Publication, QueueFullPolicy, SubscriptionId, Withheld};
use crate::telemetry::metrics::METRICS;
use std::sync::Arc;

/// What became of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// Taken; so many sessions got it, or will.
    Taken {
        /// Sessions it was sent to or queued for.
        receivers: usize,
    },
    /// Not taken, nobody got it: a bound was reached and the publisher is to be told (0x97).
    OverQuota,
}

impl Hub {
    /// Retains `publication` where its flag says so and delivers it to every session that reads its topic.
    /// `memory` is the publishing connection's.
    pub fn publish(
        &self,
        publication: &Publication<'_>,
        memory: Option<&mut RouteMemory>,
        now: Moment,
        wakes: &mut Wakes,
    ) -> Published {
        let topic = publication.topic();
        let route = match memory {
            Some(memory) => memory.route(&self.subscriptions, topic),
            None => Arc::new(Route::look_up(&self.subscriptions, topic)),
        };
        if !self.has_room(publication, &route) {
            return Published::OverQuota;
        }
        let policy = self.policy.load();
        self.retain(publication);
        let mut receivers = 0;
        for receiver in &route.receivers {
            receivers += usize::from(self.deliver(publication, receiver, &policy, now, wakes));
        }
        for group in &route.groups {
            receivers += usize::from(self.deliver_shared(publication, &group.turn(), &policy, now, wakes));
        }
        Published::Taken { receivers }
    }

    /// Refused whole before anyone has it: a retained message beyond the bounds, and under
    /// `queue_full = "refuse"` a reader whose queue is full.
    fn has_room(&self, publication: &Publication<'_>, route: &Route) -> bool {
        if publication.retain()
            && !publication.payload().is_empty()
            && self.retained.has_room(publication.topic(), publication.message().size()).is_err()
        {
            METRICS.retained_over_limit.increment();
            return false;
        }
        let told =
            self.bounds.when_full == QueueFullPolicy::Refuse && publication.qos() > crate::protocol::QoS::AtMostOnce;
        !told
            || route.receivers.iter().all(|receiver| {
                let state = receiver.cell.lock();
                state.session.queue_has_room(publication, &self.bounds)
            })
    }

    /// An empty payload clears, and only with the RETAIN flag `[MQTT-3.3.1-6]`.
    fn retain(&self, publication: &Publication<'_>) {
        match (publication.retain(), publication.payload().is_empty()) {
            (false, _) => {}
            (true, true) => self.retained.clear(publication.topic()),
            (true, false) => self.retained.set(publication.message(), publication.epoch()),
        }
    }

    fn deliver(
        &self,
        publication: &Publication<'_>,
        receiver: &Receiver,
        policy: &Policy,
        now: Moment,
        wakes: &mut Wakes,
    ) -> bool {
        let mut state = receiver.cell.lock();
        let delivery = self.offer(publication, &mut state, &receiver.subscriptions, policy, now, wakes);
        count(delivery);
        matches!(delivery, Delivery::Sent | Delivery::Queued { .. })
    }

    /// To the first member that takes it: connected ones before those that are away.
    fn deliver_shared(
        &self,
        publication: &Publication<'_>,
        members: &[super::tree::Entry],
        policy: &Policy,
        now: Moment,
        wakes: &mut Wakes,
    ) -> bool {
        for presence in [Presence::Connected, Presence::Away] {
            for member in members {
                let mut state = member.cell.lock();
                if Presence::of(&state) != presence {
                    continue;
                }
                let delivery = self.offer(publication, &mut state, &[member.id], policy, now, wakes);
                if matches!(delivery, Delivery::Sent | Delivery::Queued { .. }) {
                    count(delivery);
                    return true;
                }
            }
        }
        false
    }

    fn offer(
        &self,
        publication: &Publication<'_>,
        state: &mut State,
        subscriptions: &[SubscriptionId],
        policy: &Policy,
        now: Moment,
        wakes: &mut Wakes,
    ) -> Delivery {
        if state.ended {
            // Its route was looked up before it went: a message queued here would be lost, to a group as well.
            return Delivery::Withheld(Withheld::NotSubscribed);
        }
        let State { session, link, .. } = state;
        match link {
            Some(link) => link.outbound.push(wakes, |outbox| {
                session.deliver(publication, subscriptions, policy, Some(outbox), &self.bounds, now)
            }),
            None => session.deliver(publication, subscriptions, policy, None, &self.bounds, now),
        }
    }

    /// Fills the outbox of a session's connection with what waits: queue first, then retained messages.
    pub(super) fn pump(&self, state: &mut State, now: Moment, wakes: &mut Wakes) {
        let State { session, link, cursors, .. } = state;
        let Some(link) = link else { return };
        if !session.has_waiting() && cursors.is_empty() {
            return;
        }
        let policy = self.policy.load();
        link.outbound.push(wakes, |outbox| {
            let expired = session.pump(&policy, outbox, &self.bounds, now);
            METRICS.messages_expired.add(expired as u64);
            self.read_retained(session, cursors, &policy, outbox, now);
        });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Connected,
    Away,
}

impl Presence {
    fn of(state: &State) -> Self {
        match state.link {
            Some(_) => Self::Connected,
            None => Self::Away,
        }
    }
}

fn count(delivery: Delivery) {
    match delivery {
        Delivery::Sent | Delivery::Queued { displaced: 0 } => {}
        Delivery::Queued { displaced } => METRICS.messages_dropped_queue_full.add(displaced as u64),
        Delivery::Withheld(Withheld::NoRight) => METRICS.deliveries_withheld.increment(),
        Delivery::Withheld(Withheld::NotSubscribed | Withheld::TooLarge) => {}
        Delivery::DroppedSlowReader => METRICS.messages_dropped_slow_reader.increment(),
        Delivery::DroppedQueueFull | Delivery::Refused => METRICS.messages_dropped_queue_full.increment(),
    }
}
