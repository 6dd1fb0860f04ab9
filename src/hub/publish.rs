//! One publication to everyone who reads its topic.

use super::route::{Receiver, Route, RouteMemory};
use super::sessions::{ConnectionId, SessionCell, State};
use super::{Hub, Wakes};
use crate::policy::Policy;
use crate::session::{Bounds, Delivery, Moment, Publication, QueueFullPolicy, Via, Withheld};
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

/// A publication as it is offered to its readers.
pub(super) struct Offer<'a> {
    pub(super) publication: &'a Publication<'a>,
    pub(super) policy: &'a Policy,
    pub(super) now: Moment,
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
        let offer = Offer { publication, policy: &policy, now };
        if !self.has_room(&offer, &route) {
            return Published::OverQuota;
        }
        self.retain(publication);
        let mut tally = Tally::default();
        for receiver in &route.receivers {
            tally.add(self.deliver(&offer, receiver, wakes));
        }
        for group in &route.groups {
            if let Some(delivery) = self.deliver_shared(&offer, group, wakes) {
                tally.add(delivery);
            }
        }
        if !route.groups.is_empty() {
            self.settle_strays(now, wakes);
        }
        tally.result()
    }

    /// Refused whole before anyone has it: a retained message beyond the bounds, and under
    /// `queue_full = "refuse"` a reader, or a whole group of readers, whose queue is full.
    fn has_room(&self, offer: &Offer<'_>, route: &Route) -> bool {
        let publication = offer.publication;
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
            || route.receivers.iter().all(|receiver| self.receiver_has_room(offer, receiver))
                && route.groups.iter().all(|group| self.group_has_room(offer, group))
    }

    fn receiver_has_room(&self, offer: &Offer<'_>, receiver: &Receiver) -> bool {
        let mut state = receiver.cell.lock();
        let State { session, link, .. } = &mut *state;
        let connection_has_room = link.as_ref().is_some_and(|link| !link.outbound.is_full());
        !session.must_keep(offer.publication, &receiver.subscriptions, offer.policy)
            || connection_has_room && session.can_send(&self.bounds)
            || session.queue_has_room(offer.publication, &self.bounds, offer.now)
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

    fn deliver(&self, offer: &Offer<'_>, receiver: &Receiver, wakes: &mut Wakes) -> Delivery {
        let mut state = receiver.cell.lock();
        let via = Via { ids: &receiver.subscriptions, share: None };
        let delivery = self.offer(offer, &mut state, via, &self.bounds, wakes);
        state.note(delivery);
        delivery
    }

    pub(super) fn offer(
        &self,
        offer: &Offer<'_>,
        state: &mut State,
        via: Via<'_>,
        bounds: &Bounds,
        wakes: &mut Wakes,
    ) -> Delivery {
        if state.ended {
            // Its route was looked up before it went: a message queued here would be lost, to a group as well.
            return Delivery::Withheld(Withheld::NotSubscribed);
        }
        let &Offer { publication, policy, now } = offer;
        let State { session, link, .. } = state;
        match link {
            Some(link) => {
                link.outbound.push(wakes, |outbox| session.deliver(publication, via, policy, Some(outbox), bounds, now))
            }
            None => session.deliver(publication, via, policy, None, bounds, now),
        }
    }

    /// A session's connection can take more: what waits goes out, and when nothing does any more, what lies with absent
    /// members of its shared groups comes.
    pub(super) fn serve(&self, cell: &SessionCell, connection: ConnectionId, now: Moment, wakes: &mut Wakes) {
        let mut state = cell.lock();
        if state.link_of(connection).is_none() {
            return;
        }
        let was_behind = state.session.queued() > 0;
        self.pump(&mut state, now, wakes);
        self.strays.add(state.session.take_strayed());
        let caught_up = was_behind && state.session.queued() == 0;
        drop(state);
        match caught_up {
            true => self.gather(cell, 0, now, wakes),
            false => self.settle_strays(now, wakes),
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
        let room = link.outbound.push(wakes, |outbox| {
            let displaced = session.drops.queue_full;
            let expired = session.pump(&policy, outbox, &self.bounds, now);
            METRICS.messages_expired.add(expired as u64);
            METRICS.messages_dropped_queue_full.add(session.drops.queue_full - displaced);
            outbox.room()
        });
        if !cursors.is_empty() {
            self.read_retained(session, cursors, &link.outbound, room, &policy, now, wakes);
        }
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
            Delivery::Sent | Delivery::Queued { .. } => self.receivers += 1,
            // Too large for its reader counts as delivered to it [MQTT-3.1.2-25]. Its writer's own subscription matches
            // too, so that "no matching subscribers" would not be true.
            Delivery::Withheld(Withheld::TooLarge | Withheld::OwnMessage) => self.receivers += 1,
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
