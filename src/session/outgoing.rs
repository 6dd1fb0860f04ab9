//! Messages on their way to the client: the queue of those that wait, the window of those in flight.

mod shared;

pub use shared::{Handover, Share};

use super::{Message, Moment};
use crate::policy::Epoch;
use crate::protocol::{PacketId, QoS};
use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::sync::Arc;

/// What bounds the queue and the window of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Messages in the queue.
    pub queued_messages: usize,
    /// Bytes in the queue.
    pub queued_bytes: usize,
    /// Messages in flight, whatever the client would take.
    pub inflight: usize,
    /// What gives way at the bound.
    pub when_full: QueueFullPolicy,
}

/// What gives way when a queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueFullPolicy {
    /// The oldest of the queue.
    DropOldest,
    /// The new message; its publisher is not told.
    DropNewest,
    /// The new message; its publisher is told.
    Refuse,
}

/// A message chosen for this session.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) message: Arc<Message>,
    /// QoS 1 or 2.
    pub(super) qos: QoS,
    /// The RETAIN flag it will carry.
    pub(super) retain: bool,
    pub(super) identifiers: Box<[u32]>,
    /// The policy that last let it through.
    pub(super) epoch: Epoch,
    /// Where it came through a shared subscription.
    pub(super) share: Option<Arc<Share>>,
}

/// A message with a packet id, until its last acknowledgement.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) id: PacketId,
    /// Its place among all that the session ever put in flight.
    number: u64,
    pub(super) stage: Stage,
}

/// Where the exchange of an in-flight message stands (section 4.3).
#[derive(Debug)]
pub(super) enum Stage {
    /// PUBLISH not acknowledged yet.
    Published(Waiting),
    /// PUBREC received, PUBREL due or sent, PUBCOMP awaited. The message itself is done.
    Released,
}

/// What an acknowledgement from the client meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// It was the one that the exchange waited for.
    InTurn,
    /// No exchange has its packet id on this connection; common after one was lost, and harmless.
    Unknown,
    /// Another one was due: a protocol error (section 4.3).
    OutOfTurn,
}

/// What a full queue did with a new message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queued {
    Kept,
    /// Kept, and this many older ones gave way.
    Displaced(usize),
    Dropped,
    Refused,
}

/// How much a session holds for its client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Messages in the queue.
    pub queued: usize,
    /// Their bytes.
    pub queued_bytes: usize,
    /// Messages out of the queue because a right is gone: they come back with it.
    pub withheld: usize,
    /// Their bytes.
    pub withheld_bytes: usize,
    /// Messages in flight.
    pub inflight: usize,
    /// Their bytes, as far as they are not done but for their last acknowledgements.
    pub inflight_bytes: usize,
    /// Messages in flight since an earlier connection and not repeated because a right is gone.
    pub held: usize,
}

#[derive(Debug, Default)]
pub(super) struct Outgoing {
    queue: VecDeque<Waiting>,
    queued_bytes: usize,
    /// None of the queue expires earlier; `None`: none of it expires.
    first_expiry: Option<Moment>,
    /// Withheld because a right is gone; looked at again when the policy changes. Gives way to whatever may pass.
    withheld: VecDeque<Waiting>,
    withheld_bytes: usize,
    /// In the order of their packet ids' assignment.
    inflight: VecDeque<InFlight>,
    /// How many of `inflight`, from the front, went out on the present connection.
    sent: usize,
    /// Of the messages in `inflight`.
    inflight_bytes: usize,
    /// In flight since an earlier connection and not repeated, because a right is gone. They keep their packet ids:
    /// the client may have seen them.
    held: Vec<InFlight>,
    held_bytes: usize,
    launched: u64,
    last_id: u16,
    /// The highest number of a shared message that was ever queued.
    newest_shared: u64,
    /// Shared messages that the session lost the right to read and another member may have.
    strayed: Vec<Handover>,
}

impl InFlight {
    fn bytes(&self) -> usize {
        match &self.stage {
            Stage::Published(waiting) => waiting.message.size(),
            Stage::Released => 0,
        }
    }

    /// The epoch in which its message was last let through; `None` when the message itself is done.
    fn epoch(&self) -> Option<Epoch> {
        match &self.stage {
            Stage::Published(waiting) => Some(waiting.epoch),
            Stage::Released => None,
        }
    }
}

/// The earlier of two ends, where there is one.
fn earlier(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    one.into_iter().chain(other).min()
}

impl Outgoing {
    /// Nothing that was judged counts any more.
    pub(super) fn doubt(&mut self) {
        let inflight = self.inflight.iter_mut().chain(&mut self.held).filter_map(|entry| match &mut entry.stage {
            Stage::Published(waiting) => Some(waiting),
            Stage::Released => None,
        });
        for waiting in self.queue.iter_mut().chain(&mut self.withheld).chain(inflight) {
            waiting.epoch = Epoch::NEVER;
        }
    }

    pub(super) fn load(&self) -> Load {
        Load {
            queued: self.queue.len(),
            queued_bytes: self.queued_bytes,
            withheld: self.withheld.len(),
            withheld_bytes: self.withheld_bytes,
            inflight: self.inflight.len(),
            inflight_bytes: self.inflight_bytes,
            held: self.held.len(),
        }
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len() + self.withheld.len()
    }

    pub(super) fn inflight(&self) -> usize {
        self.inflight.len() + self.held.len()
    }

    /// Whether nothing stands before a new message: it may go out at once.
    pub(super) fn is_clear(&self) -> bool {
        self.queue.is_empty() && self.sent == self.inflight.len()
    }

    /// Whether anything waits for window, room or a new connection.
    pub(super) fn has_waiting(&self) -> bool {
        !self.is_clear() || !self.withheld.is_empty() || !self.held.is_empty()
    }

    pub(super) fn queue_has_room(&self, size: usize, bounds: &Bounds) -> bool {
        self.queue.len() < bounds.queued_messages && self.queued_bytes.saturating_add(size) <= bounds.queued_bytes
    }

    pub(super) fn has_window(&self, receive_maximum: usize) -> bool {
        self.sent < receive_maximum
    }

    /// How many more exchanges may be begun.
    pub(super) fn window_left(&self, receive_maximum: usize) -> usize {
        receive_maximum.saturating_sub(self.sent)
    }

    /// Whether a new message may go in flight: a reader that never acknowledges holds so many messages, and no more
    /// bytes than its queue and one message.
    pub(super) fn may_launch(&self, receive_maximum: usize, bounds: &Bounds) -> bool {
        self.has_window(receive_maximum) && self.inflight_bytes <= bounds.queued_bytes
    }

    /// Lets go what has expired, where a message of `size` bytes finds no room: it must not keep out what somebody still
    /// wants. Says how many messages went. Looks through the queue only when something in it may have expired.
    pub(super) fn shed_expired(&mut self, size: usize, bounds: &Bounds, now: Moment) -> usize {
        let due = self.first_expiry.is_some_and(|first| first <= now);
        if !due || self.queue_has_room(size, bounds) {
            return 0;
        }
        let before = self.queue.len();
        self.queue.retain(|waiting| !waiting.message.is_expired(now));
        self.queued_bytes = self.queue.iter().map(|waiting| waiting.message.size()).sum();
        self.first_expiry = self.queue.iter().filter_map(|waiting| waiting.message.expires).min();
        before - self.queue.len()
    }

    pub(super) fn enqueue(&mut self, waiting: Waiting, bounds: &Bounds) -> Queued {
        let size = waiting.message.size();
        let mut displaced = 0;
        while !self.queue_has_room(size, bounds) {
            match bounds.when_full {
                QueueFullPolicy::DropNewest => return Queued::Dropped,
                QueueFullPolicy::Refuse => return Queued::Refused,
                // One that alone exceeds the bound, or a bound of nothing, finds nothing to displace.
                QueueFullPolicy::DropOldest if self.pop().is_none() => return Queued::Dropped,
                QueueFullPolicy::DropOldest => displaced += 1,
            }
        }
        self.queued_bytes += size;
        self.first_expiry = earlier(self.first_expiry, waiting.message.expires);
        let place = self.place_of(&waiting);
        self.queue.insert(place, waiting);
        displaced += self.trim_withheld(bounds);
        if displaced == 0 { Queued::Kept } else { Queued::Displaced(displaced) }
    }

    /// Keeps both together within the bounds; says how many messages gave way.
    fn trim_withheld(&mut self, bounds: &Bounds) -> usize {
        let before = self.withheld.len();
        while self.queued() > bounds.queued_messages
            || self.queued_bytes.saturating_add(self.withheld_bytes) > bounds.queued_bytes
        {
            let Some(waiting) = self.withheld.pop_front() else { break };
            self.withheld_bytes = self.withheld_bytes.saturating_sub(waiting.message.size());
        }
        before - self.withheld.len()
    }

    pub(super) fn peek(&self) -> Option<&Waiting> {
        self.queue.front()
    }

    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.queue.pop_front()?;
        self.queued_bytes = self.queued_bytes.saturating_sub(waiting.message.size());
        Some(waiting)
    }

    /// Takes the front of the queue aside until the policy changes.
    pub(super) fn withhold(&mut self, epoch: Epoch) {
        if let Some(mut waiting) = self.pop() {
            waiting.epoch = epoch;
            self.withheld_bytes += waiting.message.size();
            self.withheld.push_back(waiting);
        }
    }

    /// Brings back, to the front and in their order, what was withheld under another policy; says whether there was
    /// any. All of it is judged again: the policy of `epoch` may be the earlier one, which somebody still goes by, and
    /// nothing may pass because it was withheld under the later.
    pub(super) fn reconsider(&mut self, epoch: Epoch) -> bool {
        let withheld = self.withheld.back().is_some_and(|waiting| waiting.epoch != epoch);
        if withheld {
            self.queued_bytes += std::mem::take(&mut self.withheld_bytes);
            for waiting in self.withheld.drain(..).rev() {
                self.first_expiry = earlier(self.first_expiry, waiting.message.expires);
                self.queue.push_front(Waiting { epoch: Epoch::NEVER, ..waiting });
            }
        }
        let held = self.held.last().is_some_and(|entry| entry.epoch() != Some(epoch));
        if held {
            self.held_bytes = 0;
            for mut entry in self.held.drain(..) {
                if let Stage::Published(waiting) = &mut entry.stage {
                    waiting.epoch = Epoch::NEVER;
                }
                self.inflight_bytes += entry.bytes();
                self.inflight.push_back(entry);
            }
            // Not simply to the front: what was held on an earlier connection may be the newer.
            if let Some(unsent) = self.inflight.make_contiguous().get_mut(self.sent..) {
                unsent.sort_by_key(|entry| entry.number);
            }
        }
        withheld || held
    }

    /// Puts a message in flight, as sent.
    pub(super) fn launch(&mut self, id: PacketId, waiting: Waiting) {
        self.last_id = id.0.get();
        self.launched += 1;
        let entry = InFlight { id, number: self.launched, stage: Stage::Published(waiting) };
        self.inflight_bytes += entry.bytes();
        self.inflight.push_back(entry);
        self.sent += 1;
    }

    /// The next in-flight message that the present connection has not seen yet.
    pub(super) fn unsent(&self) -> Option<&InFlight> {
        self.inflight.get(self.sent)
    }

    pub(super) fn mark_sent(&mut self) {
        self.sent += 1;
    }

    /// Ends the exchange that [`Outgoing::unsent`] showed.
    pub(super) fn abandon_unsent(&mut self) {
        self.remove(self.sent);
    }

    /// Takes what [`Outgoing::unsent`] showed aside until the policy changes. Says how many that were held before gave
    /// way: rights that go one after the other, a connection each, must not gather more than one window holds.
    pub(super) fn hold_unsent(&mut self, epoch: Epoch, bounds: &Bounds) -> usize {
        if let Some(mut entry) = self.remove(self.sent) {
            if let Stage::Published(waiting) = &mut entry.stage {
                waiting.epoch = epoch;
            }
            self.held_bytes += entry.bytes();
            self.held.push(entry);
        }
        let before = self.held.len();
        while self.held.len() > bounds.inflight || self.held_bytes > bounds.queued_bytes && self.held.len() > 1 {
            let oldest = self.held.remove(0);
            self.held_bytes = self.held_bytes.saturating_sub(oldest.bytes());
        }
        before - self.held.len()
    }

    /// A new connection has seen nothing yet.
    pub(super) fn rewind(&mut self) {
        self.sent = 0;
    }

    /// Ends the exchange of `id` when `ends` says that its stage allows it.
    pub(super) fn finish(&mut self, id: PacketId, ends: impl Fn(&Stage) -> bool) -> Acknowledged {
        let Some(position) = self.position(id) else { return Acknowledged::Unknown };
        if !self.inflight.get(position).is_some_and(|entry| ends(&entry.stage)) {
            return Acknowledged::OutOfTurn;
        }
        self.remove(position);
        if position < self.sent {
            self.sent -= 1;
        }
        Acknowledged::InTurn
    }

    fn remove(&mut self, position: usize) -> Option<InFlight> {
        let entry = self.inflight.remove(position)?;
        self.inflight_bytes = self.inflight_bytes.saturating_sub(entry.bytes());
        Some(entry)
    }

    /// Moves `id` from PUBLISH to PUBREL.
    pub(super) fn release(&mut self, id: PacketId) -> Acknowledged {
        let Some(entry) = self.position(id).and_then(|position| self.inflight.get_mut(position)) else {
            return Acknowledged::Unknown;
        };
        match &entry.stage {
            Stage::Published(waiting) if waiting.qos == QoS::ExactlyOnce => {
                self.inflight_bytes = self.inflight_bytes.saturating_sub(entry.bytes());
                entry.stage = Stage::Released;
            }
            Stage::Published(_) => return Acknowledged::OutOfTurn,
            Stage::Released => {}
        }
        Acknowledged::InTurn
    }

    /// Only what this connection has sent can be acknowledged on it.
    fn position(&self, id: PacketId) -> Option<usize> {
        self.inflight.iter().take(self.sent).position(|entry| entry.id == id)
    }

    /// A packet id that is not in flight; `None` when all are. The window is short, so a walk is cheap.
    pub(super) fn next_id(&self) -> Option<PacketId> {
        let mut candidates =
            (1..=u16::MAX).filter_map(|step| NonZeroU16::new(self.last_id.wrapping_add(step)).map(PacketId));
        candidates.find(|id| self.inflight.iter().chain(&self.held).all(|entry| entry.id != *id))
    }
}
