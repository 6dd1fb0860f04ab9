//! Shared subscriptions: each message to one member of its group, and to another one only where the first cannot have
//! had it or its session ended before it acknowledged QoS 1.

use super::message::{Message, Stamp};
use super::session::{Kind, Owed, Seen, Subscription};
use super::topics::Filter;
use certmq::protocol::QoS;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The copies that are due to groups, and who may get them.
#[derive(Default)]
pub(crate) struct Groups {
    due: Vec<Due>,
    /// Client -> its only membership.
    members: BTreeMap<usize, Membership>,
}

/// One copy.
struct Due {
    message: Rc<Message>,
    filter: Filter,
    since: Stamp,
    /// The client that has it with QoS 1 or 2; it is in flight there.
    holder: Option<(usize, QoS)>,
    /// Who gets one for an ordinary subscription too, which may look the same.
    also: BTreeSet<usize>,
    /// It may fail to come.
    optional: bool,
}

struct Membership {
    filter: Filter,
    /// In the order in which they were asked for; what was queued keeps the form of its time.
    asked: Vec<(QoS, Option<u32>)>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Standing,
    /// It ended; what was sent before may be on its way.
    Ending,
    /// Only what was sent unseen may come, as a repetition.
    Over,
}

impl Membership {
    fn may_get(&self, due: &Due, seen: &Seen) -> bool {
        (self.stage != Stage::Over || seen.dup) && self.looks_like(due, seen)
    }

    /// Whether it would have had this form for the group.
    fn looks_like(&self, due: &Due, seen: &Seen) -> bool {
        let form = |(qos, identifier): &(QoS, Option<u32>)| {
            due.message.qos.min(*qos) == seen.qos && identifier.as_slice() == seen.identifiers
        };
        self.filter == due.filter
            && due.message.text == seen.text
            && *due.message.name == *seen.topic
            && !seen.retain
            && self.asked.iter().any(form)
    }

    fn reads_once(&self) -> bool {
        self.stage == Stage::Standing && self.asked.last().is_some_and(|(qos, _)| *qos == QoS::AtMostOnce)
    }
}

impl Due {
    fn is_waiting(&self) -> bool {
        self.holder.is_none() && self.message.qos > QoS::AtMostOnce
    }

    /// Whether nobody has it. What is too large for a later connection of its holder may be given up there.
    fn is_free(&self) -> bool {
        match self.holder {
            None => true,
            Some((_, qos)) => self.message.large && qos == QoS::AtLeastOnce,
        }
    }
}

impl Groups {
    /// A message for a group of which somebody may read it.
    pub(crate) fn owe(
        &mut self,
        message: &Rc<Message>,
        filter: Filter,
        since: Stamp,
        also: BTreeSet<usize>,
        optional: bool,
    ) {
        // A member that reads with QoS 0 may be chosen and the message be lost on its way.
        let reads_once = self.members.values().any(|member| member.filter == filter && member.reads_once());
        let optional = optional || reads_once || message.qos == QoS::AtMostOnce;
        self.due.push(Due { message: Rc::clone(message), filter, since, holder: None, also, optional });
    }

    pub(crate) fn join(&mut self, client: usize, filter: Filter, subscription: &Subscription) {
        let fresh = || Membership { filter, asked: Vec::new(), stage: Stage::Standing };
        let member = self.members.entry(client).or_insert_with(fresh);
        assert_eq!(member.filter, filter, "client {client} is in one group only");
        member.stage = Stage::Standing;
        member.asked.push((subscription.qos, subscription.identifier));
        if member.reads_once() {
            self.excuse(filter);
        }
    }

    pub(crate) fn leave(&mut self, client: usize, filter: Filter) {
        let stands = |member: &&mut Membership| member.filter == filter && member.stage == Stage::Standing;
        if let Some(member) = self.members.get_mut(&client).filter(stands) {
            member.stage = Stage::Ending;
            self.excuse_without_members(filter);
        }
    }

    /// Whatever was on its way to a client has come.
    pub(crate) fn drained(&mut self, client: usize) {
        if let Some(member) = self.members.get_mut(&client).filter(|member| member.stage == Stage::Ending) {
            member.stage = Stage::Over;
        }
    }

    /// The copy that `client` got, if it may have been one.
    pub(crate) fn take(&mut self, client: usize, seen: &Seen) -> Option<Owed> {
        self.take_if(client, seen, Membership::may_get)
    }

    /// The copy for an ordinary subscription that comes when the client has left the group, and was counted as come:
    /// what looked like it before was the group's.
    pub(crate) fn take_twin(&mut self, client: usize, seen: &Seen) -> Option<Owed> {
        self.take_if(client, seen, |member, due, seen| due.also.contains(&client) && member.looks_like(due, seen))
    }

    fn take_if(
        &mut self,
        client: usize,
        seen: &Seen,
        may_get: impl Fn(&Membership, &Due, &Seen) -> bool,
    ) -> Option<Owed> {
        let member = self.members.get(&client)?;
        let position = self.due.iter().position(|due| due.is_free() && may_get(member, due, seen))?;
        let due = &mut self.due[position];
        let owed = Owed {
            message: Rc::clone(&due.message),
            qos: seen.qos,
            retain: false,
            identifiers: seen.identifiers.clone(),
            since: due.since,
            kind: Kind::Shared(due.filter),
            optional: false,
        };
        match seen.qos {
            QoS::AtMostOnce => _ = self.due.swap_remove(position),
            qos => due.holder = Some((client, qos)),
        }
        Some(owed)
    }

    /// A member has acknowledged its copy to the end, or refused it: nobody else gets it.
    pub(crate) fn finished(&mut self, client: usize, owed: &Owed) {
        let Kind::Shared(filter) = owed.kind else { return };
        self.due.retain_mut(|due| {
            if due.filter != filter || !Rc::ptr_eq(&due.message, &owed.message) {
                return true;
            }
            // It may have been the one for the ordinary subscription, and this one is still in flight.
            let is_doubtful = due.also.contains(&client) && owed.qos == QoS::AtLeastOnce;
            due.optional = true;
            due.holder = None;
            is_doubtful
        });
    }

    /// A member's session ended. What it had not acknowledged goes to another one with QoS 1, and is lost with QoS 2.
    /// `lost_unseen`: it may have had more than it saw.
    pub(crate) fn session_ended(&mut self, client: usize, lost_unseen: bool) {
        let Some(member) = self.members.remove(&client) else { return };
        self.due.retain(|due| due.holder != Some((client, QoS::ExactlyOnce)));
        for due in self.due.iter_mut().filter(|due| due.filter == member.filter) {
            if due.holder.is_some_and(|(holder, _)| holder == client) {
                due.holder = None;
            }
            // Of its two copies the one that came may have been the group's, and the other one ended with its queue.
            let may_have_had = due.also.contains(&client) || lost_unseen && due.message.qos == QoS::ExactlyOnce;
            due.optional |= may_have_had && due.holder.is_none();
        }
        self.excuse_without_members(member.filter);
    }

    /// What a group without members holds is dropped, unless it is on its way already.
    fn excuse_without_members(&mut self, filter: Filter) {
        let stands = |member: &Membership| member.filter == filter && member.stage == Stage::Standing;
        if !self.members.values().any(stands) {
            self.excuse(filter);
        }
    }

    fn excuse(&mut self, filter: Filter) {
        self.due.iter_mut().filter(|due| due.filter == filter).for_each(|due| due.optional = true);
    }

    /// Everyone has all there is, and every right.
    pub(crate) fn judge_whole(&mut self, now: u64) {
        for due in self.due.drain(..).filter(|due| due.holder.is_none()) {
            let excused = due.optional || due.message.is_expired(now);
            assert!(excused, "no member of group filter {} got {:?}", due.filter, due.message.text);
        }
    }

    /// How many copies one member may have in its queue.
    pub(crate) fn of_member(&self, client: usize) -> usize {
        let Some(member) = self.members.get(&client) else { return 0 };
        self.due.iter().filter(|due| due.filter == member.filter && due.is_waiting()).count()
    }

    /// Everyone whose queue may grow by what moves from one member to another.
    pub(crate) fn members(&self) -> impl Iterator<Item = usize> {
        self.members.keys().copied()
    }
}
