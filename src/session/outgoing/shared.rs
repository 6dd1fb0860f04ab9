//! What waits through a shared subscription: it may go on to another member of its group (section 4.8.2).
//!
//! | state | goes to another member |
//! |---|---|
//! | not sent | whenever this one cannot have it |
//! | QoS 1 sent, not acknowledged | when the session ends |
//! | QoS 2 sent, or PUBREC received | never `[MQTT-4.8.2-4]`, `[MQTT-4.8.2-5]` |

use super::{InFlight, Outgoing, Stage, Waiting};
use crate::policy::Epoch;
use crate::protocol::{QoS, TopicFilter};
use crate::session::{Bounds, Message};
use std::collections::VecDeque;
use std::sync::Arc;

/// How a message came to a member of a shared subscription.
#[derive(Debug)]
pub struct Share {
    /// The shared subscription, `$share/<group>/` included.
    pub filter: TopicFilter,
    /// The message's place among all that the broker gave to shared subscriptions: one that moves to another member
    /// goes before those with higher numbers.
    pub number: u64,
}

/// A message that leaves its member for another one.
#[derive(Clone, Debug)]
pub struct Handover {
    /// The message as published.
    pub message: Arc<Message>,
    /// Its shared subscription and its place.
    pub share: Arc<Share>,
}

impl Waiting {
    fn is_of(&self, filter: &TopicFilter) -> bool {
        self.share.as_ref().is_some_and(|share| share.filter.as_str() == filter.as_str())
    }

    fn number(&self) -> Option<u64> {
        self.share.as_ref().map(|share| share.number)
    }

    pub(in crate::session) fn handover(&self) -> Option<Handover> {
        let share = self.share.as_ref()?;
        Some(Handover { message: Arc::clone(&self.message), share: Arc::clone(share) })
    }
}

impl Outgoing {
    /// Where a message belongs in the queue: before what is newer of the shared messages, else at the end.
    pub(super) fn place_of(&mut self, waiting: &Waiting) -> usize {
        let Some(number) = waiting.number() else { return self.queue.len() };
        if number >= self.newest_shared {
            self.newest_shared = number;
            return self.queue.len();
        }
        place_among(&self.queue, number)
    }

    /// Takes the front of the queue out, for another member; says whether it may go.
    pub(in crate::session) fn stray(&mut self) -> bool {
        let Some(handover) = self.peek().and_then(Waiting::handover) else { return false };
        self.pop();
        self.strayed.push(handover);
        true
    }

    /// Takes the shared messages out that may not `stay`, for another member.
    pub(in crate::session) fn sift(&mut self, stays: impl Fn(&Waiting) -> bool) {
        let strayed = &mut self.strayed;
        self.queue.retain(|waiting| match waiting.handover() {
            Some(handover) if !stays(waiting) => {
                strayed.push(handover);
                false
            }
            Some(_) | None => true,
        });
        self.queued_bytes = bytes(&self.queue);
    }

    /// What left the queue by [`Outgoing::stray`] or [`Outgoing::sift`].
    pub(in crate::session) fn take_strayed(&mut self) -> Vec<Handover> {
        std::mem::take(&mut self.strayed)
    }

    /// Takes out what was not sent yet and came through `filter`, oldest first, at most `limit` messages that `wanted`
    /// chooses; what is withheld as well.
    pub(in crate::session) fn take_unsent(
        &mut self,
        filter: &TopicFilter,
        limit: usize,
        wanted: impl Fn(&Message) -> bool,
    ) -> Vec<Handover> {
        let mut taken = Vec::new();
        let mut stays = |waiting: &Waiting| {
            let goes = taken.len() < limit && waiting.is_of(filter) && wanted(&waiting.message);
            taken.extend(waiting.handover().filter(|_| goes));
            !goes
        };
        self.withheld.retain(&mut stays);
        self.queue.retain(&mut stays);
        taken.sort_by_key(|handover| handover.share.number);
        self.queued_bytes = bytes(&self.queue);
        self.withheld_bytes = bytes(&self.withheld);
        taken
    }

    /// Whether anything that was not sent yet came through `filter`.
    pub(in crate::session) fn has_unsent(&self, filter: &TopicFilter) -> bool {
        self.queue.iter().chain(&self.withheld).any(|waiting| waiting.is_of(filter))
    }

    /// The session ends: everything that another member may get, oldest first.
    pub(in crate::session) fn take_all_shared(&mut self) -> Vec<Handover> {
        let unsent = self.queue.drain(..).chain(self.withheld.drain(..));
        let unacknowledged = self.inflight.drain(..).chain(self.held.drain(..)).filter_map(InFlight::unacknowledged);
        let mut taken = std::mem::take(&mut self.strayed);
        taken.extend(unsent.chain(unacknowledged).filter_map(|waiting| waiting.handover()));
        taken.sort_by_key(|handover| handover.share.number);
        (self.queued_bytes, self.withheld_bytes, self.inflight_bytes, self.held_bytes, self.sent) = (0, 0, 0, 0, 0);
        taken
    }

    /// Keeps a message that nobody may read under the policy of `epoch`; says whether there was room.
    pub(in crate::session) fn park(&mut self, mut waiting: Waiting, epoch: Epoch, bounds: &Bounds) -> bool {
        // All that is withheld is so under one policy: by the last of it, one sees when to look again.
        self.reconsider(epoch);
        let size = waiting.message.size();
        let bytes = self.queued_bytes.saturating_add(self.withheld_bytes).saturating_add(size);
        if self.queued() >= bounds.queued_messages || bytes > bounds.queued_bytes {
            return false;
        }
        waiting.epoch = epoch;
        let place = waiting.number().map_or(self.withheld.len(), |number| place_among(&self.withheld, number));
        self.withheld_bytes += size;
        self.withheld.insert(place, waiting);
        true
    }
}

impl InFlight {
    /// A QoS 1 message whose PUBACK never came.
    fn unacknowledged(self) -> Option<Waiting> {
        match self.stage {
            Stage::Published(waiting) if waiting.qos == QoS::AtLeastOnce => Some(waiting),
            Stage::Published(_) | Stage::Released => None,
        }
    }
}

/// Behind the last shared message that is older.
fn place_among(queue: &VecDeque<Waiting>, number: u64) -> usize {
    let newer = |waiting: &Waiting| waiting.number().is_none_or(|other| other > number);
    let older = queue.iter().rposition(|waiting| !newer(waiting));
    let from = older.map_or(0, |position| position + 1);
    let newest = queue.iter().skip(from).position(|waiting| waiting.number().is_some());
    newest.map_or(queue.len(), |offset| from + offset)
}

fn bytes(queue: &VecDeque<Waiting>) -> usize {
    queue.iter().map(|waiting| waiting.message.size()).sum()
}
