//! Messages on their way from one member of a group to another.
//!
//! Whoever finds that a session cannot keep a shared message takes it out under that session's lock and lays it into
//! the tray; whoever has given up the lock calls [`Hub::settle_strays`]. [`Hub::tick`] does as well, so that nothing
//! stays behind.

use super::SharedGroup;
use super::standing::{Class, Seat, Standing};
use crate::hub::publish::Offer;
use crate::hub::sessions::{SessionCell, State};
use crate::hub::tree::Entry;
use crate::hub::{Hub, Wakes};
use crate::policy::{Epoch, Policy};
use crate::session::{Delivery, Handover, Message, Moment, Publication, SessionId, Withheld, WriterId};
use crate::telemetry::metrics::METRICS;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// Groups on a list below which it is not worth looking for those that have gone.
const FEW: usize = 64;

/// The tray: messages that left one member and have not reached another.
#[derive(Debug, Default)]
pub(in crate::hub) struct Strays {
    waiting: AtomicBool,
    messages: Mutex<Vec<Handover>>,
    kept: Mutex<Kept>,
    /// The policy in which these were judged last.
    judged: AtomicU64,
}

impl Strays {
    pub(in crate::hub) fn add(&self, messages: Vec<Handover>) {
        if messages.is_empty() {
            return;
        }
        let mut waiting = self.messages.lock();
        waiting.extend(messages);
        self.waiting.store(true, Ordering::Release);
    }

    fn take(&self) -> Vec<Handover> {
        if !self.waiting.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut waiting = self.messages.lock();
        self.waiting.store(false, Ordering::Release);
        std::mem::take(&mut waiting)
    }

    /// A member of the group holds messages that were not sent.
    fn note_keeper(&self, group: &Arc<SharedGroup>, member: SessionId) {
        if group.note_keeper(member) {
            self.kept.lock().add(group);
        }
    }

    /// The groups to be judged under a policy that is new; they leave the list.
    fn kept_since(&self, epoch: Epoch) -> Vec<Arc<SharedGroup>> {
        match self.judged.swap(epoch.0, Ordering::AcqRel) == epoch.0 {
            true => Vec::new(),
            false => self.kept.lock().groups.drain(..).filter_map(|group| group.upgrade()).collect(),
        }
    }

    /// Puts a judged group back on the list, where it still belongs there.
    fn keep(&self, group: &Arc<SharedGroup>) {
        if group.stays_listed() {
            self.kept.lock().add(group);
        }
    }
}

/// Groups that may have messages waiting at a member, each once.
#[derive(Debug, Default)]
struct Kept {
    groups: Vec<Weak<SharedGroup>>,
    /// How many there were after those that have gone were last thrown out.
    living: usize,
}

impl Kept {
    fn add(&mut self, group: &Arc<SharedGroup>) {
        self.groups.push(Arc::downgrade(group));
        if self.groups.len() > FEW.max(2 * self.living) {
            self.groups.retain(|group| group.strong_count() > 0);
            self.living = self.groups.len();
        }
    }
}

/// The end of a handover.
enum Outcome {
    /// Taken, or counted with the member that dropped it.
    Delivered,
    /// Nobody may write or read it now.
    Withheld,
    NoGroup,
}

impl Hub {
    /// Offers every stray message to its group. Call it without a session's lock.
    pub(in crate::hub) fn settle_strays(&self, now: Moment, wakes: &mut Wakes) {
        loop {
            let strays = self.strays.take();
            if strays.is_empty() {
                return;
            }
            for stray in strays {
                // Each by the present policy: there may be thousands.
                let policy = self.policy.load();
                self.settle(&stray, &policy, now, wakes);
            }
        }
    }

    fn settle(&self, stray: &Handover, policy: &Policy, now: Moment, wakes: &mut Wakes) {
        if stray.message.is_expired(now) {
            METRICS.messages_expired.increment();
            return;
        }
        let group = self.subscriptions.group(&stray.share.filter);
        match self.hand_over(stray, group.as_ref(), policy, now, wakes) {
            Outcome::Delivered => {}
            Outcome::NoGroup => METRICS.shared_messages_lost.increment(),
            Outcome::Withheld => match group.is_some_and(|group| self.park(stray, &group, policy)) {
                // Its last member counted it.
                true => {}
                false => METRICS.shared_messages_lost.increment(),
            },
        }
    }

    fn hand_over(
        &self,
        stray: &Handover,
        group: Option<&Arc<SharedGroup>>,
        policy: &Policy,
        now: Moment,
        wakes: &mut Wakes,
    ) -> Outcome {
        let Some(group) = group else { return Outcome::NoGroup };
        let message = &stray.message;
        // What the broker says itself has QoS 0 and never waits.
        let WriterId::Client(writer) = &message.writer else { return Outcome::NoGroup };
        let judged = policy.authorize_publish(writer, message.topic.as_name(), message.qos, message.retain);
        let Ok(permit) = judged else { return Outcome::Withheld };
        let publication = Publication::of_message(permit, message);
        let offer = Offer { publication: &publication, policy, now };
        match self.offer_to_group(&offer, group, Some(&stray.share), wakes) {
            None | Some(Delivery::Withheld(Withheld::NotSubscribed)) => Outcome::NoGroup,
            Some(Delivery::Withheld(Withheld::NoRight)) => Outcome::Withheld,
            Some(_) => Outcome::Delivered,
        }
    }

    /// Leaves a message that nobody may read with some member, until the policy changes. If it has changed meanwhile,
    /// the next tick judges again.
    fn park(&self, stray: &Handover, group: &Arc<SharedGroup>, policy: &Policy) -> bool {
        let parked = self.park_somewhere(stray, group, policy);
        if self.policy.load().epoch() != policy.epoch() {
            self.strays.judged.store(policy.epoch().0, Ordering::Release);
        }
        parked
    }

    fn park_somewhere(&self, stray: &Handover, group: &Arc<SharedGroup>, policy: &Policy) -> bool {
        group.members().iter().any(|member| {
            let mut state = member.cell.lock();
            let parked = !state.ended && state.session.park(stray, member.id, policy, &self.bounds);
            if parked {
                self.strays.note_keeper(group, member.cell.id);
            }
            parked
        })
    }

    /// A message was queued at `member`. If that one is away and by now somebody has connected who was not asked, the
    /// message goes there: of the two, one sees the other.
    pub(super) fn keep_at(&self, group: &Arc<SharedGroup>, member: &Entry, asked: impl Fn(SessionId) -> bool) {
        self.strays.note_keeper(group, member.cell.id);
        let could_have_it = |standing: Standing| standing.class() < Class::Away;
        if !member.cell.standing().is_connected() && group.has(asked, could_have_it) {
            self.relieve(&member.cell, group);
        }
    }

    /// Takes what was not sent from a member that is away.
    fn relieve(&self, cell: &SessionCell, group: &SharedGroup) {
        let mut state = cell.lock();
        if state.link.is_none() {
            self.strays.add(state.session.hand_over_unsent(&group.filter, usize::MAX, |_| true));
            group.forget_keeper(cell.id);
        }
    }

    /// A client has gone and its session stays: what was not sent goes to members that are connected.
    pub(in crate::hub) fn disperse(&self, cell: &SessionCell, now: Moment, wakes: &mut Wakes) {
        let seats = seats(&cell.lock());
        for seat in seats {
            if let Some(group) = seat.group()
                && group.has(|session| session == cell.id, Standing::is_connected)
            {
                self.relieve(cell, &group);
            }
        }
        self.settle_strays(now, wakes);
    }

    /// A member can take messages: those come that lie unsent with members that are away, as many as it has room for.
    /// Its first `known` memberships are left out.
    pub(in crate::hub) fn gather(&self, cell: &SessionCell, known: usize, now: Moment, wakes: &mut Wakes) {
        let seats = seats(&cell.lock());
        for seat in seats.into_iter().skip(known) {
            let Some(group) = seat.group() else { continue };
            let keepers = group.absent_keepers();
            if !keepers.is_empty() {
                self.gather_from(&keepers, &group, cell, &seat);
            }
        }
        self.settle_strays(now, wakes);
    }

    fn gather_from(&self, keepers: &[Entry], group: &SharedGroup, cell: &SessionCell, seat: &Seat) {
        let (mut capacity, holes) = {
            let mut state = cell.lock();
            let holes = state.session.holes(seat.id, &self.policy.load());
            match (&state.link, holes) {
                (Some(_), Some(holes)) => (state.session.capacity(&self.bounds), holes),
                (_, _) => return,
            }
        };
        let mut gathered = Vec::new();
        for keeper in keepers.iter().filter(|keeper| keeper.cell.id != cell.id) {
            let mut state = keeper.cell.lock();
            if state.link.is_some() {
                continue;
            }
            let readable = |message: &Message| !holes.contain(message.topic.as_name());
            let taken = state.session.hand_over_unsent(&seat.filter, capacity, readable);
            if !state.session.holds_unsent(&seat.filter) {
                group.forget_keeper(keeper.cell.id);
            }
            capacity = capacity.saturating_sub(taken.len());
            gathered.extend(taken);
        }
        if !gathered.is_empty() {
            // What it keeps itself may be the newer.
            gathered.extend(cell.lock().session.hand_over_unsent(&seat.filter, usize::MAX, |_| true));
            gathered.sort_by_key(|handover| handover.share.number);
            self.strays.add(gathered);
        }
    }

    /// The session is about to end: what another member may get leaves it.
    pub(in crate::hub) fn release_shared(&self, state: &mut State) {
        if state.seats.take().is_some() {
            self.strays.add(state.session.hand_over_all());
        }
    }

    /// After the policy has changed: what its holder may no longer read goes to another member.
    pub(in crate::hub) fn judge_kept(&self, now: Moment, wakes: &mut Wakes) {
        let policy = self.policy.load();
        for group in self.strays.kept_since(policy.epoch()) {
            for keeper in group.keepers() {
                let mut state = keeper.cell.lock();
                state.session.sift(&policy);
                self.pump(&mut state, now, wakes);
                self.strays.add(state.session.take_strayed());
            }
            self.strays.keep(&group);
        }
        self.settle_strays(now, wakes);
    }
}

/// The memberships, so that their groups can be visited without the session's lock.
fn seats(state: &State) -> Vec<Seat> {
    state.seats.iter().flat_map(|seats| seats.iter()).cloned().collect()
}
