//! What must and what may arrive, told without any of the broker's own code for routing, rights and sessions.
//!
//! The world tells the model everything that it tells the hub, and shows it everything that comes back. A broken
//! promise is a panic that names the client and the message.

pub(crate) mod groups;
pub(crate) mod message;
pub(crate) mod retained;
pub(crate) mod rights;
pub(crate) mod session;
pub(crate) mod topics;
pub(crate) mod wills;

use super::client::Due;
use certmq::protocol::{QoS, ReasonCode, RetainHandling, Version};
use groups::Groups;
use message::{History, Message, Stamp};
use retained::{Held, Reading};
use rights::Rights;
use session::{Kind, Owed, Seen, Session, Subscription};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use topics::{Filter, Topic, Topics};
use wills::Wills;

/// The bounds of a session's queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueBounds {
    pub(crate) messages: usize,
    /// Exchanges that may be open, and as many again that are held.
    pub(crate) inflight: usize,
    /// Publishers are told of a full queue.
    pub(crate) refuses: bool,
}

pub(crate) struct Model {
    pub(crate) topics: Topics,
    pub(crate) history: History,
    pub(crate) now: u64,
    pub(crate) sessions: Vec<Option<Session>>,
    pub(crate) groups: Groups,
    subscribers: Vec<BTreeSet<usize>>,
    retained: BTreeMap<Topic, Rc<Message>>,
    wills: Wills,
    bounds: QueueBounds,
    /// Whose queues grew since the drops were last counted.
    touched: BTreeSet<usize>,
    /// Sessions that ended since then, perhaps in the same moment as their queues overflowed.
    ended_full: usize,
    numbers: u64,
    readings: u64,
    pub(crate) tally: Tally,
}

/// What happened, for the report.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) published: u64,
    pub(crate) owed: u64,
    pub(crate) arrived: u64,
    pub(crate) wills: u64,
    pub(crate) missed: u64,
    pub(crate) dropped_once: u64,
}

/// What a publisher hands over, besides its identity.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) topic: Topic,
    pub(crate) text: String,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Seconds.
    pub(crate) expiry: Option<u32>,
    pub(crate) properties: Vec<String>,
    pub(crate) large: bool,
}

/// A connection as CONNECT asks for it.
pub(crate) struct Terms {
    pub(crate) version: Version,
    pub(crate) receive_maximum: usize,
    pub(crate) small_packets: bool,
    pub(crate) expiry: Option<u64>,
    pub(crate) clean: bool,
}

impl Model {
    pub(crate) fn new(topics: Topics, rights: Rights, clients: usize, bounds: QueueBounds) -> Self {
        Self {
            subscribers: topics.filters.iter().map(|_| BTreeSet::new()).collect(),
            topics,
            history: History::new(rights),
            now: 0,
            sessions: (0..clients).map(|_| None).collect(),
            groups: Groups::default(),
            retained: BTreeMap::new(),
            wills: Wills::default(),
            bounds,
            touched: BTreeSet::new(),
            ended_full: 0,
            numbers: 0,
            readings: 0,
            tally: Tally::default(),
        }
    }

    pub(crate) fn stamp(&self) -> Stamp {
        Stamp { time: self.now, policy: self.history.number() }
    }

    pub(crate) fn session(&mut self, client: usize) -> &mut Session {
        self.sessions[client].as_mut().expect("a session")
    }

    /// A message is published; returns the reasons with which a 5.0 publisher may hear of it. `from` is its session;
    /// a will has one too, but for order it is a publisher of its own.
    pub(crate) fn publish(
        &mut self,
        draft: &Draft,
        device: usize,
        from: (usize, u64),
        publisher: u64,
    ) -> Vec<ReasonCode> {
        let name = Rc::clone(&self.topics.topics[draft.topic]);
        if !self.history.present().may_publish(device, &name, draft.qos, draft.retain) {
            return vec![ReasonCode::NotAuthorized];
        }
        self.numbers += 1;
        self.tally.published += 1;
        let message = Rc::new(Message {
            number: self.numbers,
            publisher,
            device,
            topic: draft.topic,
            name,
            text: draft.text.clone(),
            qos: draft.qos,
            retain: draft.retain,
            published: self.now,
            expires: draft.expiry.map(|seconds| self.now + u64::from(seconds) * 1000),
            properties: draft.properties.clone(),
            large: draft.large,
        });
        self.retain(&message);
        self.owe(&message, from)
    }

    fn retain(&mut self, message: &Rc<Message>) {
        if !message.retain {
            return;
        }
        let topic = message.topic;
        let before = self.retained.remove(&topic);
        let matching = self.topics.matching(topic);
        let readings = self.sessions.iter_mut().flatten().flat_map(|session| &mut session.readings);
        let readings = readings.filter(|reading| matching.contains(&reading.filter));
        if message.text.is_empty() {
            readings.for_each(|reading| reading.clear(topic));
            return;
        }
        let continuous = before.is_some_and(|before| !before.is_expired(message.published));
        readings.for_each(|reading| reading.replace(message, continuous));
        self.retained.insert(topic, Rc::clone(message));
    }

    /// Enters a message into the books of everyone it is for.
    fn owe(&mut self, message: &Rc<Message>, from: (usize, u64)) -> Vec<ReasonCode> {
        let mut readers: BTreeMap<usize, Owed> = BTreeMap::new();
        let mut shared: BTreeMap<Filter, Vec<(usize, Owed)>> = BTreeMap::new();
        let since = self.stamp();
        let mut is_kept_from_its_writer = false;
        for &filter in self.topics.matching(message.topic) {
            let is_shared = self.topics.shared.contains(&filter);
            for &client in &self.subscribers[filter] {
                let session = self.sessions[client].as_ref().expect("a subscriber has a session");
                let subscription = &session.subscriptions[&filter];
                let own = from == (client, session.number);
                let rights = self.history.present();
                let granted = rights.grant(session.device, &self.topics.filters[filter], subscription.qos);
                if subscription.no_local && own {
                    is_kept_from_its_writer = true;
                    continue;
                }
                let Some(granted) = granted else { continue };
                if !rights.may_read(session.device, &message.name) {
                    continue;
                }
                let owed = Owed {
                    message: Rc::clone(message),
                    qos: granted.min(message.qos),
                    retain: message.retain && subscription.retain_as_published,
                    identifiers: subscription.identifier.into_iter().collect(),
                    since,
                    kind: if is_shared { Kind::Shared(filter) } else { Kind::Live },
                    optional: false,
                };
                if is_shared {
                    shared.entry(filter).or_default().push((client, owed));
                    continue;
                }
                match readers.get_mut(&client) {
                    Some(one) => one.join(owed),
                    None => _ = readers.insert(client, owed),
                }
            }
        }
        let is_kept_from_its_writer = is_kept_from_its_writer && !readers.contains_key(&from.0);
        let mut reasons = self.enter(message, readers, shared);
        if is_kept_from_its_writer && message.qos == QoS::AtLeastOnce {
            // Its subscription matches all the same.
            reasons.retain(|reason| !matches!(reason, ReasonCode::NoMatchingSubscribers | ReasonCode::Success));
            reasons.push(ReasonCode::Success);
        }
        reasons
    }

    fn enter(
        &mut self,
        message: &Rc<Message>,
        mut readers: BTreeMap<usize, Owed>,
        shared: BTreeMap<Filter, Vec<(usize, Owed)>>,
    ) -> Vec<ReasonCode> {
        let kept = |owed: &Owed| owed.qos > QoS::AtMostOnce;
        // Who reads it alone and in groups gets several copies, and has perhaps no room for all of them.
        let mut copies = BTreeMap::<usize, usize>::new();
        for &client in readers.keys().chain(shared.values().flatten().map(|(client, _)| client)) {
            *copies.entry(client).or_default() += 1;
        }
        let full = copies.iter().any(|(&client, &copies)| self.may_be_full(client, copies));
        let refusable = full && self.bounds.refuses && message.qos > QoS::AtMostOnce;
        let mut reasons = Vec::new();
        if refusable {
            reasons.push(ReasonCode::QuotaExceeded);
            readers.values_mut().for_each(|owed| owed.optional = true);
        }
        // What is too large for its reader counts as delivered, and a PUBREC never says that nobody reads.
        let sure = readers.values().any(kept);
        let is_told = message.qos == QoS::AtLeastOnce;
        if is_told && (full || !sure) {
            reasons.push(ReasonCode::NoMatchingSubscribers);
        }
        if !is_told || !readers.is_empty() || !shared.is_empty() {
            reasons.push(ReasonCode::Success);
        }
        let also: BTreeSet<usize> = readers.keys().copied().collect();
        for (client, owed) in readers {
            self.tally.owed += 1;
            let session = self.sessions[client].as_mut().expect("a reader has a session");
            match (owed.qos, &mut session.connection) {
                (QoS::AtMostOnce, Some(connection)) if !(message.large && connection.small_packets) => {
                    connection.passing.push_back(owed);
                }
                (QoS::AtMostOnce, _) => {}
                (_, connection) => {
                    let may_not_fit = message.large && connection.as_ref().is_some_and(|one| one.small_packets);
                    let owed = Owed { optional: owed.optional || may_not_fit, ..owed };
                    session.waiting.push_back(owed);
                    self.touched.insert(client);
                }
            }
        }
        for (filter, forms) in shared {
            self.touched.extend(forms.iter().map(|(client, _)| client));
            let optional = self.bounds.messages < usize::MAX || message.large;
            self.groups.owe(message, filter, forms[0].1.since, also.clone(), optional);
        }
        reasons
    }

    /// The broker says that full queues cost `count` messages since the last time.
    pub(crate) fn queues_dropped(&mut self, count: u64) {
        let mut touched = std::mem::take(&mut self.touched);
        let mut suspects = std::mem::take(&mut self.ended_full);
        if count == 0 {
            return;
        }
        touched.extend(self.groups.members());
        touched.extend((0..self.sessions.len()).filter(|client| self.may_hold_too_many(*client)));
        for client in touched {
            if self.may_be_full(client, 1) || self.may_hold_too_many(client) {
                self.session(client).may_miss += count;
                suspects += 1;
            }
        }
        let held = |session: &Session| (session.client, session.unfinished(), session.waiting.len());
        let sessions: Vec<_> = self.sessions.iter().flatten().map(held).collect();
        assert!(
            suspects > 0,
            "{count} messages were dropped, and no queue can have been full (client, in flight, waiting): {sessions:?}, {:?}",
            self.bounds
        );
    }

    /// What was in flight when a right went is held; what was in flight on the connections after it may join it, and
    /// more than a window of it is not kept. Whatever the client has not seen may have been in flight.
    fn may_hold_too_many(&self, client: usize) -> bool {
        let Some(session) = &self.sessions[client] else { return false };
        session.unfinished() + session.waiting.len() + self.groups.of_member(client) > self.bounds.inflight
    }

    /// Whether there may be no room for so many more: whatever the client has not seen may be in its queue.
    fn may_be_full(&self, client: usize, more: usize) -> bool {
        let Some(session) = &self.sessions[client] else { return false };
        self.bounds.messages < usize::MAX
            && session.waiting.len() + self.groups.of_member(client) + more > self.bounds.messages
    }

    /// Returns the reason that a SUBACK must carry.
    pub(crate) fn subscribe(
        &mut self,
        client: usize,
        filter: Filter,
        subscription: Subscription,
        handling: RetainHandling,
    ) -> ReasonCode {
        let name = Rc::clone(&self.topics.filters[filter]);
        let (now, since) = (self.now, self.stamp());
        let session = self.sessions[client].as_mut().expect("a session");
        let Some(granted) = self.history.present().grant(session.device, &name, subscription.qos) else {
            return ReasonCode::NotAuthorized;
        };
        self.readings += 1;
        let reading = Reading {
            number: self.readings,
            filter,
            name: Rc::clone(&name),
            asked: vec![(subscription.qos, subscription.identifier)],
            since,
            ended: false,
            topics: BTreeMap::new(),
        };
        if self.topics.shared.contains(&filter) {
            self.groups.join(client, filter, &subscription);
        }
        let is_new = session.subscriptions.insert(filter, subscription).is_none();
        self.subscribers[filter].insert(client);
        let reads = match handling {
            RetainHandling::OnSubscribe => true,
            RetainHandling::OnNewSubscription => is_new,
            RetainHandling::Never => false,
        };
        if reads && !self.topics.shared.contains(&filter) {
            session.end_reading(filter);
            let held = self.retained.values().filter(|message| self.topics.matching(message.topic).contains(&filter));
            let held = held.map(|message| {
                (message.topic, Held { due: !message.is_expired(now), values: vec![Rc::clone(message)] })
            });
            session.readings.push(Reading { topics: held.collect(), ..reading });
        } else {
            for living in session.readings.iter_mut().filter(|living| living.filter == filter) {
                living.asked.extend(&reading.asked);
            }
        }
        match granted {
            QoS::AtMostOnce => ReasonCode::Success,
            QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
            QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
        }
    }

    /// Returns the reason that a 5.0 UNSUBACK must carry.
    pub(crate) fn unsubscribe(&mut self, client: usize, filter: Filter) -> ReasonCode {
        self.subscribers[filter].remove(&client);
        let session = self.session(client);
        session.end_reading(filter);
        let removed = session.subscriptions.remove(&filter);
        self.groups.leave(client, filter);
        match removed {
            Some(_) => ReasonCode::Success,
            None => ReasonCode::NoSubscriptionExisted,
        }
    }

    pub(crate) fn refuses(&self) -> bool {
        self.bounds.refuses
    }

    pub(crate) fn arrive(&mut self, client: usize, seen: &Seen) {
        self.tally.arrived += 1;
        let session = self.sessions[client].as_mut().expect("a session");
        session.arrive(seen, &mut self.groups, &self.history, self.now);
    }

    /// The client is about to send an acknowledgement.
    pub(crate) fn acknowledged(&mut self, client: usize, due: Due, id: u16, negative: bool) {
        let session = self.session(client);
        match (due, negative) {
            (Due::Receive, false) => session.received(id),
            _ => {
                if let Some(owed) = session.finished(id) {
                    self.groups.finished(client, &owed);
                }
            }
        }
    }

    /// A client has taken all that its outbound held.
    pub(crate) fn drained(&mut self, client: usize, bytes: usize, limit: usize) {
        let stamp = self.stamp();
        self.groups.drained(client);
        self.tally.dropped_once += self.session(client).drained(bytes, limit, stamp);
    }

    /// A client has all it can get.
    pub(crate) fn calm(&mut self, client: usize) {
        let session = self.sessions[client].as_mut().expect("a session");
        self.tally.missed += session.calm(&self.history, self.now).missed;
    }

    /// Everyone has all there is.
    pub(crate) fn settle(&mut self) {
        self.groups.judge_whole(self.now);
    }

    /// For the test of the test.
    pub(crate) fn expect_the_impossible(&mut self) {
        let session = self.sessions.iter_mut().flatten().next().expect("a session");
        let message = Message {
            number: u64::MAX,
            publisher: u64::MAX,
            device: session.device,
            topic: 0,
            name: Rc::clone(&self.topics.topics[0]),
            text: "never".to_owned(),
            qos: QoS::AtLeastOnce,
            retain: false,
            published: self.now,
            expires: None,
            properties: Vec::new(),
            large: false,
        };
        session.waiting.push_back(Owed {
            message: Rc::new(message),
            qos: QoS::AtLeastOnce,
            retain: false,
            identifiers: Vec::new(),
            since: Stamp::default(),
            kind: Kind::Live,
            optional: false,
        });
    }

    pub(crate) fn change_policy(&mut self, rights: Rights) {
        self.history.change(rights);
    }

    /// The session of a client is gone, and with it what it was owed.
    fn end_session(&mut self, client: usize) {
        let wills_of_the_moment = self.sessions.len();
        if self.may_be_full(client, wills_of_the_moment) || self.may_hold_too_many(client) {
            self.ended_full += 1;
        }
        let Some(session) = self.sessions[client].take() else { return };
        for filter in session.subscriptions.keys() {
            self.subscribers[*filter].remove(&client);
        }
        self.groups.session_ended(client, session.lost_unseen);
        self.wills.session_ended(client);
    }
}

impl Owed {
    /// Another subscription of the same client: one copy, the highest QoS, all identifiers.
    fn join(&mut self, other: Self) {
        self.qos = self.qos.max(other.qos);
        self.retain |= other.retain;
        self.identifiers.extend(other.identifiers);
        self.identifiers.sort_unstable();
    }
}
