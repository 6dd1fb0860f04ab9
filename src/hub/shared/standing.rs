//! How soon a session could send a message: what the members of a shared group are ordered by.

use super::SharedGroup;
use crate::hub::outbound::Room;
use crate::hub::sessions::State;
use crate::protocol::TopicFilter;
use crate::session::{Bounds, SessionId, SubscriptionId};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

/// The lower, the sooner: first by [`Class`], then by the messages that are in flight or wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::hub) struct Standing(u32);

/// What a member could do with a message, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::hub) enum Class {
    /// Connected, with room and window: send it at once.
    Ready,
    /// Connected: queue it.
    Waiting,
    /// Away: queue it.
    Away,
    /// Connected, and the queue is full.
    Full,
    /// Away, and the queue is full.
    AwayFull,
}

/// A [`Standing`] that is read without the session's lock.
#[derive(Debug)]
pub(in crate::hub) struct SharedStanding(AtomicU32);

/// A session's memberships.
#[derive(Debug)]
pub(in crate::hub) struct Seats {
    bounds: Bounds,
    seats: Vec<Seat>,
}

/// One membership.
#[derive(Clone, Debug)]
pub(in crate::hub) struct Seat {
    pub(in crate::hub) id: SubscriptionId,
    pub(in crate::hub) filter: TopicFilter,
    /// The group owns its members, not they it.
    group: Weak<SharedGroup>,
}

/// The bits below the class.
const LOAD_BITS: u32 = 28;

impl Standing {
    const AWAY: Self = Self::new(Class::Away, 0);

    const fn new(class: Class, load: usize) -> Self {
        const MOST: u32 = (1 << LOAD_BITS) - 1;
        let load = if load < MOST as usize { load as u32 } else { MOST };
        Self((class as u32) << LOAD_BITS | load)
    }

    /// The present standing of a session.
    fn of(state: &State, bounds: &Bounds) -> Self {
        let session = &state.session;
        let room = state.link.as_ref().map_or(Room::Closing, |link| link.outbound.room());
        match (room, session.queue_is_full(bounds)) {
            (Room::Open, _) if session.can_send(bounds) => Self::new(Class::Ready, session.inflight()),
            (Room::Open | Room::Full, false) => Self::new(Class::Waiting, session.queued()),
            (Room::Open | Room::Full, true) => Self::new(Class::Full, 0),
            // No load: the one that keeps messages already goes on keeping, so that they stay together.
            (Room::Closing, false) => Self::AWAY,
            (Room::Closing, true) => Self::new(Class::AwayFull, 0),
        }
    }

    pub(in crate::hub) fn class(self) -> Class {
        match self.0 >> LOAD_BITS {
            0 => Class::Ready,
            1 => Class::Waiting,
            2 => Class::Away,
            3 => Class::Full,
            _ => Class::AwayFull,
        }
    }

    pub(in crate::hub) fn is_connected(self) -> bool {
        matches!(self.class(), Class::Ready | Class::Waiting | Class::Full)
    }
}

impl SharedStanding {
    pub(in crate::hub) fn new() -> Self {
        Self(AtomicU32::new(Standing::AWAY.0))
    }

    pub(in crate::hub) fn read(&self) -> Standing {
        Standing(self.0.load(Ordering::Acquire))
    }

    fn replace(&self, standing: Standing) -> Standing {
        Standing(self.0.swap(standing.0, Ordering::AcqRel))
    }
}

impl Seats {
    pub(in crate::hub) fn new(bounds: Bounds) -> Self {
        Self { bounds, seats: Vec::new() }
    }

    pub(in crate::hub) fn take(&mut self, id: SubscriptionId, filter: &TopicFilter, group: &Arc<SharedGroup>) {
        self.seats.push(Seat { id, filter: filter.clone(), group: Arc::downgrade(group) });
    }

    pub(in crate::hub) fn leave(&mut self, id: SubscriptionId) {
        self.seats.retain(|seat| seat.id != id);
    }

    pub(in crate::hub) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(in crate::hub) fn iter(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter()
    }

    /// Tells the groups how the session stands, where that makes it come sooner or changes its class. That it comes
    /// later they find when they choose it, so that a delivery costs no search.
    pub(in crate::hub) fn announce(&self, session: SessionId, state: &State, shared: &SharedStanding) {
        let standing = Standing::of(state, &self.bounds);
        let before = shared.replace(standing);
        if standing < before || standing.class() != before.class() {
            self.seats.iter().filter_map(Seat::group).for_each(|group| group.rank(session, standing));
        }
    }
}

impl Seat {
    /// The group, unless it has gone.
    pub(in crate::hub) fn group(&self) -> Option<Arc<SharedGroup>> {
        self.group.upgrade()
    }
}
