//! Shared subscriptions: each message to one member of the group (MQTT 5.0 section 4.8.2).
//!
//! # Who gets a message
//!
//! The members stand in an order; the first that takes the message has it:
//!
//! 1. connected, with room in the outbound and window: the one with the fewest messages in flight, ties by turn;
//! 2. connected, but slow: into the queue of the one where the fewest wait;
//! 3. away: into the queue of one of them, always the same one while it has room.
//!
//! A member that may not read the message (its right is gone, or the topic lies in a hole) is passed over, like one
//! that would have to drop something for it; only when every queue is full does `mqtt.queue_full` decide, at the first
//! in the order. QoS 0 goes to a connected member with room or to nobody. QoS, flags and subscription identifier are
//! those of the chosen member's subscription.
//!
//! # When it goes on to another
//!
//! | what happens | what moves |
//! |---|---|
//! | a member's connection ends, another one is connected | what was not sent |
//! | a member connects or subscribes | what lies unsent with members that are away |
//! | a member unsubscribes | what was not sent |
//! | a member may no longer read a message that waits | that message |
//! | a member's session ends | what was not sent, and QoS 1 without its PUBACK |
//!
//! A message with QoS 2 that was sent is completed to its client or nobody `[MQTT-4.8.2-4]`, `[MQTT-4.8.2-5]`; one that
//! was refused with PUBACK or PUBREC is done `[MQTT-4.8.2-6]`. What moves keeps its place: it goes before newer
//! messages that wait, its expiry goes on counting, and it has no DUP flag, for this client has not seen it. A
//! message that nobody may read is withheld at one of the members; one that finds no group any more is dropped and
//! counted (`shared_messages_lost`).
//!
//! A connected member keeps what lies in its queue, even when another one has less to do: otherwise the messages of
//! one publisher would overtake each other.
//!
//! # How it is done
//!
//! A group knows its members by [`Standing`], which a session announces when its lock is given up. Whatever moves is
//! taken out under one session's lock and laid into the hub's [`handover`] tray; without any lock it is offered again.

mod delivery;
mod handover;
mod standing;

pub(super) use handover::Strays;
pub(super) use standing::{Seats, SharedStanding, Standing};

use super::tree::Entry;
use crate::protocol::TopicFilter;
use crate::session::SessionId;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The members of one `$share/<group>/<filter>`.
#[derive(Debug)]
pub(super) struct SharedGroup {
    filter: TopicFilter,
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    order: BTreeMap<Rank, Entry>,
    ranks: HashMap<SessionId, Rank, ahash::RandomState>,
    /// Members that may hold messages which were not sent.
    keepers: HashSet<SessionId, ahash::RandomState>,
    /// On the hub's list of groups with keepers.
    is_listed: bool,
    last_turn: u64,
}

/// A member's place. Its standing may have got worse since: choosing looks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    standing: Standing,
    /// When it last was chosen; no two members have the same.
    turn: u64,
}

impl SharedGroup {
    pub(super) fn new(filter: &TopicFilter) -> Self {
        Self { filter: filter.clone(), members: Mutex::default() }
    }

    /// The share name.
    pub(super) fn name(&self) -> &str {
        self.filter.share().unwrap_or_default()
    }

    pub(super) fn join(&self, entry: Entry) {
        let mut members = self.members.lock();
        let rank = Rank { standing: entry.cell.standing(), turn: members.next_turn() };
        members.ranks.insert(entry.cell.id, rank);
        members.order.insert(rank, entry);
    }

    /// Removes a member; says whether others remain.
    pub(super) fn leave(&self, entry: &Entry) -> bool {
        let members = &mut *self.members.lock();
        members.keepers.remove(&entry.cell.id);
        if let Some(rank) = members.ranks.remove(&entry.cell.id) {
            members.order.remove(&rank);
        }
        !members.ranks.is_empty()
    }

    /// Every member, in order.
    pub(super) fn members(&self) -> Vec<Entry> {
        self.members.lock().order.values().cloned().collect()
    }

    /// The first member that is `eligible` and not among `passed`. A connected one goes to the end of those that stand
    /// like it. No lock is held while it is offered a message: its own comes before.
    fn choose(&self, passed: impl Fn(SessionId) -> bool, eligible: impl Fn(Standing) -> bool) -> Option<Entry> {
        let members = &mut *self.members.lock();
        let rank = members.first(passed, eligible)?;
        let entry = members.order.get(&rank).cloned();
        if rank.standing.is_connected() {
            let turn = members.next_turn();
            members.put(rank, Rank { turn, ..rank });
        }
        entry
    }

    /// Whether some member is `eligible` and not among `passed`.
    fn has(&self, passed: impl Fn(SessionId) -> bool, eligible: impl Fn(Standing) -> bool) -> bool {
        self.members.lock().first(passed, eligible).is_some()
    }

    /// A member stands otherwise than before.
    fn rank(&self, session: SessionId, standing: Standing) {
        let members = &mut *self.members.lock();
        if let Some(rank) = members.ranks.get(&session).copied() {
            members.put(rank, Rank { standing, ..rank });
        }
    }

    /// Notes that a member holds messages of the group which were not sent. Says whether the group has to be put on the
    /// list of those that have such members.
    fn note_keeper(&self, session: SessionId) -> bool {
        let members = &mut *self.members.lock();
        members.ranks.contains_key(&session)
            && members.keepers.insert(session)
            && !std::mem::replace(&mut members.is_listed, true)
    }

    /// Whether the group still belongs on that list.
    fn stays_listed(&self) -> bool {
        let members = &mut *self.members.lock();
        members.is_listed = !members.keepers.is_empty();
        members.is_listed
    }

    fn forget_keeper(&self, session: SessionId) {
        self.members.lock().keepers.remove(&session);
    }

    /// The members that may hold messages which were not sent.
    fn keepers(&self) -> Vec<Entry> {
        let members = &*self.members.lock();
        let ranks = members.keepers.iter().filter_map(|session| members.ranks.get(session));
        ranks.filter_map(|rank| members.order.get(rank)).cloned().collect()
    }

    /// Those of them that are away.
    fn absent_keepers(&self) -> Vec<Entry> {
        let mut keepers = self.keepers();
        keepers.retain(|keeper| !keeper.cell.standing().is_connected());
        keepers
    }
}

impl Members {
    fn first(&mut self, passed: impl Fn(SessionId) -> bool, eligible: impl Fn(Standing) -> bool) -> Option<Rank> {
        loop {
            let mut candidates = self.order.iter();
            let (rank, entry) = candidates.find(|(rank, entry)| eligible(rank.standing) && !passed(entry.cell.id))?;
            let (rank, standing) = (*rank, entry.cell.standing());
            if standing == rank.standing {
                return Some(rank);
            }
            self.put(rank, Rank { standing, ..rank });
        }
    }

    fn put(&mut self, from: Rank, to: Rank) {
        if let Some(entry) = self.order.remove(&from) {
            self.ranks.insert(entry.cell.id, to);
            self.order.insert(to, entry);
        }
    }

    fn next_turn(&mut self) -> u64 {
        self.last_turn += 1;
        self.last_turn
    }
}
