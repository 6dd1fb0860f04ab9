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
    /// A bound was reached and the publisher is to be told (0x97). Nobody got it, unless the bound was reached while
    /// it was on its way: then those that have it get it again when the publisher repeats it, and nobody misses it.
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
        let policy = self.policy.load();
        if !self.has_room(publication, &route, &policy) {
            return Published::OverQuota;
        }
        self.retain(publication);
        let mut tally = Tally::default();
        for receiver in &route.receivers {
            tally.add(self.deliver(publication, receiver, &policy, now, wakes));
        }
        for group in &route.groups {
            if let Some(delivery) = self.deliver_shared(publication, &group.turn(), &policy, now, wakes) {
                tally.add(delivery);
            }
        }
        tally.result()
    }

    /// Refused whole before anyone has it: a retained message beyond the bounds, and under
    /// `queue_full = "refuse"` a reader whose queue is full.
    fn has_room(&self, publication: &Publication<'_>, route: &Route, policy: &Policy) -> bool {
        if publication.retain()
            && !publication.payload().is_empty()
            && self
                .retained_of(publication.topic().as_str())
                .has_room(publication.topic(), publication.message().size())
                .is_err()
        {
            METRICS.retained_over_limit.increment();
            return false;
        }
        let told =
            self.bounds.when_full == QueueFullPolicy::Refuse && publication.qos() > crate::protocol::QoS::AtMostOnce;
        !told
            || route.receivers.iter().all(|receiver| {
                let mut state = receiver.cell.lock();
                let State { session, link, .. } = &mut *state;
                let connection_has_room = link.as_ref().is_some_and(|link| !link.outbound.is_full());
                !session.must_keep(publication, &receiver.subscriptions, policy)
                    || connection_has_room && session.can_send(&self.bounds)
                    || session.queue_has_room(publication, &self.bounds)
            })
    }

    /// An empty payload clears, and only with the RETAIN flag `[MQTT-3.3.1-6]`.
    fn retain(&self, publication: &Publication<'_>) {
        let retained = self.retained_of(publication.topic().as_str());
        match (publication.retain(), publication.payload().is_empty()) {
            (false, _) => {}
            (true, true) => retained.clear(publication.topic()),
            (true, false) => retained.set(publication.message(), publication.epoch()),
        }
    }

    fn deliver(
        &self,
        publication: &Publication<'_>,
        receiver: &Receiver,
        policy: &Policy,
        now: Moment,
        wakes: &mut Wakes,
    ) -> Delivery {
        let mut state = receiver.cell.lock();
        let delivery = self.offer(publication, &mut state, &receiver.subscriptions, policy, now, wakes);
        state.note(delivery);
        delivery
    }

    /// To the first member that takes it: connected ones before those that are away. Where none does, the last
    /// one's reason; `None` without members.
    fn deliver_shared(
        &self,
        publication: &Publication<'_>,
        members: &[super::tree::Entry],
        policy: &Policy,
        now: Moment,
        wakes: &mut Wakes,
    ) -> Option<Delivery> {
        let mut last = None;
        for presence in [Presence::Connected, Presence::Away] {
            for member in members {
                let mut state = member.cell.lock();
                if Presence::of(&state) != presence {
                    continue;
                }
                let delivery = self.offer(publication, &mut state, &[member.id], policy, now, wakes);
                last = Some((delivery, member));
                if matches!(delivery, Delivery::Sent | Delivery::Queued { .. }) {
                    state.note(delivery);
                    return Some(delivery);
                }
            }
        }
        // What nobody took counts once, with the member that was asked last.
        last.map(|(delivery, member)| {
            member.cell.lock().note(delivery);
            delivery
        })
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

/// What became of one publication at all its receivers.
#[derive(Default)]
struct Tally {
    receivers: usize,
    refused: usize,
}

impl Tally {
    fn add(&mut self, delivery: Delivery) {
        match delivery {
            // Too large for its reader counts as delivered to it [MQTT-3.1.2-25].
            Delivery::Sent | Delivery::Queued { .. } | Delivery::Withheld(Withheld::TooLarge) => self.receivers += 1,
            Delivery::Refused => self.refused += 1,
            Delivery::Withheld(Withheld::NotSubscribed | Withheld::NoRight)
            | Delivery::DroppedSlowReader
            | Delivery::DroppedQueueFull => {}
        }
    }

    fn result(&self) -> Published {
        match self.refused {
            0 => Published::Taken { receivers: self.receivers },
            _ => Published::OverQuota,
        }
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
