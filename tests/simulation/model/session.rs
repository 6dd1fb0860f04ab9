//! What one session was promised, and what its client has seen of it.

use super::groups::Groups;
use super::message::{History, Message, Stamp};
use super::retained::{Copies, Reading, Slot, judge_whole};
use super::topics::Filter;
use certmq::protocol::{QoS, Version};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

/// What a client asked for with one filter.
#[derive(Clone)]
pub(crate) struct Subscription {
    pub(crate) qos: QoS,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) identifier: Option<u32>,
}

/// A message that is due to one session, and how it must look.
#[derive(Clone)]
pub(crate) struct Owed {
    pub(crate) message: Rc<Message>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Ascending.
    pub(crate) identifiers: Vec<u32>,
    /// When it became due.
    pub(crate) since: Stamp,
    pub(crate) kind: Kind,
    /// It may fail to come: its publisher was told that it was not taken.
    pub(crate) optional: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Live,
    Retained,
    /// One copy for the group of this filter.
    Shared(Filter),
}

/// A PUBLISH as its reader saw it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) topic: String,
    pub(crate) text: String,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    pub(crate) id: u16,
    pub(crate) identifiers: Vec<u32>,
    pub(crate) properties: Vec<String>,
    /// Seconds.
    pub(crate) expiry: Option<u32>,
    /// Bytes of the whole packet.
    pub(crate) length: usize,
}

/// An outgoing QoS 1 or 2 exchange, from its PUBLISH to its last acknowledgement.
struct Exchange {
    owed: Owed,
    /// The client has answered PUBREC.
    released: bool,
    /// On which connection it was last seen.
    connection: u64,
    /// The order of first transmission.
    order: u64,
    /// The broker may have given it up: too large for a later connection.
    given_up: bool,
}

/// The living connection of a session.
pub(crate) struct Connection {
    pub(crate) number: u64,
    pub(crate) version: Version,
    pub(crate) receive_maximum: usize,
    pub(crate) small_packets: bool,
    /// When the client last had everything that was there.
    pub(crate) drained: Stamp,
    /// QoS 1 and 2 that this connection brought and that are not acknowledged to the end.
    open: BTreeSet<u16>,
    /// The last repeated exchange.
    repeated: u64,
    /// QoS 0 since `drained`.
    pub(crate) passing: VecDeque<Owed>,
}

/// What a session is owed.
pub(crate) struct Session {
    pub(crate) client: usize,
    pub(crate) device: usize,
    /// Distinguishes it from earlier sessions of the same client.
    pub(crate) number: u64,
    /// Milliseconds it outlives its connection; `None`: it does not.
    pub(crate) expiry: Option<u64>,
    pub(crate) subscriptions: BTreeMap<Filter, Subscription>,
    pub(crate) connection: Option<Connection>,
    /// QoS 1 and 2, not seen yet.
    pub(crate) waiting: VecDeque<Owed>,
    pub(crate) readings: Vec<Reading>,
    /// What they brought.
    copies: Copies,
    /// QoS 2 packet ids from the client that wait for PUBREL.
    pub(crate) incoming: BTreeSet<u16>,
    exchanges: BTreeMap<u16, Exchange>,
    /// (publisher, topic, QoS 0 or not) -> the last number that was seen.
    last: HashMap<(u64, usize, bool), u64>,
    /// Topic -> the newest live message with the retain flag that was seen.
    newest: HashMap<usize, u64>,
    /// A connection ended with packets that nobody looked at.
    pub(crate) lost_unseen: bool,
    transmissions: u64,
    /// How many messages a full queue may have cost it.
    pub(crate) may_miss: u64,
}

/// What became of the promises when a session had all it could get.
#[derive(Default)]
pub(crate) struct Calm {
    pub(crate) missed: u64,
}

impl Session {
    /// A connection ends with something in its outbound that nobody looked at: a retained copy may be lost there, too.
    pub(crate) fn lose_unseen(&mut self) {
        self.lost_unseen = true;
        self.readings.iter_mut().for_each(Reading::lose_unseen);
    }

    /// Exchanges that are open, or held.
    pub(crate) fn unfinished(&self) -> usize {
        self.exchanges.len()
    }

    pub(crate) fn new(client: usize, device: usize, number: u64) -> Self {
        Self {
            client,
            device,
            number,
            expiry: None,
            subscriptions: BTreeMap::new(),
            connection: None,
            waiting: VecDeque::new(),
            readings: Vec::new(),
            copies: Copies::default(),
            incoming: BTreeSet::new(),
            exchanges: BTreeMap::new(),
            last: HashMap::new(),
            newest: HashMap::new(),
            lost_unseen: false,
            transmissions: 0,
            may_miss: 0,
        }
    }

    pub(crate) fn connect(&mut self, number: u64, version: Version, receive_maximum: usize, small: bool, now: Stamp) {
        for exchange in self.exchanges.values_mut() {
            exchange.given_up |= small && exchange.owed.message.large && !exchange.released;
        }
        for owed in self.waiting.iter_mut().filter(|owed| small && owed.message.large) {
            owed.optional = true;
        }
        self.connection = Some(Connection {
            number,
            version,
            receive_maximum,
            small_packets: small,
            drained: now,
            open: BTreeSet::new(),
            repeated: 0,
            passing: VecDeque::new(),
        });
    }

    /// The connection is over, or the broker has said its last word on it.
    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
        self.readings.retain(|reading| !reading.ended);
    }

    /// A subscription ended or began anew: what was read for it may still be on its way.
    pub(crate) fn end_reading(&mut self, filter: Filter) {
        self.readings.iter_mut().filter(|reading| reading.filter == filter).for_each(|reading| reading.ended = true);
    }

    /// Judges a PUBLISH that came, or that was on its way when the connection broke.
    pub(crate) fn arrive(&mut self, seen: &Seen, groups: &mut Groups, history: &History, now: u64) {
        if seen.qos == QoS::AtMostOnce {
            return self.arrive_once(seen, groups, history, now);
        }
        if let Some(exchange) = self.exchanges.get(&seen.id) {
            if exchange.given_up && !seen.dup {
                self.exchanges.remove(&seen.id);
            } else {
                return self.repeat(seen, history);
            }
        }
        assert!(
            !seen.dup || self.lost_unseen,
            "client {} got {seen:?} as a repetition and never saw the first",
            self.client
        );
        let moved = self.is_behind(&self.waiting, seen, history).then(|| groups.take(self.client, seen)).flatten();
        let owed = moved
            .or_else(|| self.take_waiting(seen, history))
            .or_else(|| groups.take(self.client, seen))
            .or_else(|| self.take_retained(seen, history, now))
            .or_else(|| groups.take_twin(self.client, seen));
        let Some(owed) = owed else { self.unexpected(seen) };
        self.judge_form(seen, &owed, history, now);
        self.judge_order(&owed, seen, history);
        self.transmissions += 1;
        let connection = self.connection.as_mut().expect("connected");
        let exchange = Exchange {
            owed,
            released: false,
            connection: connection.number,
            order: self.transmissions,
            given_up: false,
        };
        if seen.dup {
            // Sent unseen: its place among the others is not known.
            self.transmissions += 1;
        }
        self.exchanges.insert(seen.id, exchange);
        self.open(seen);
    }

    fn open(&mut self, seen: &Seen) {
        let connection = self.connection.as_mut().expect("connected");
        connection.open.insert(seen.id);
        assert!(
            connection.open.len() <= connection.receive_maximum,
            "client {} got {seen:?} beyond its receive maximum {}",
            self.client,
            connection.receive_maximum
        );
    }

    /// The same packet id again: only on another connection, with DUP, in the order of the first time.
    fn repeat(&mut self, seen: &Seen, history: &History) {
        let client = self.client;
        let connection = self.connection.as_mut().expect("connected");
        let exchange = self.exchanges.get_mut(&seen.id).expect("just found");
        let owed = &exchange.owed;
        assert!(seen.dup, "client {client} got {seen:?}: its packet id is in flight with {:?}", owed.message.text);
        assert_ne!(exchange.connection, connection.number, "client {client} got {seen:?} twice on one connection");
        assert!(!exchange.released, "client {client} got {seen:?} after its PUBREC");
        assert_eq!((&owed.message.text, owed.qos), (&seen.text, seen.qos), "client {client} got {seen:?} repeated");
        assert!(
            history.ever(connection.drained.policy, &owed.message, self.device),
            "client {client} got {seen:?} again without a right to it"
        );
        let held = !history.always(owed.since.policy, &owed.message, self.device);
        assert!(
            connection.repeated < exchange.order || held || self.lost_unseen,
            "client {client} got {seen:?} repeated out of order"
        );
        connection.repeated = connection.repeated.max(exchange.order);
        exchange.connection = connection.number;
        exchange.given_up = false;
        self.open(seen);
    }

    /// QoS 0: on the connection that was there, in order, or not at all.
    fn arrive_once(&mut self, seen: &Seen, groups: &mut Groups, history: &History, now: u64) {
        let passing = &self.connection.as_ref().expect("connected").passing;
        let moved = self.is_behind(passing, seen, history).then(|| groups.take(self.client, seen)).flatten();
        let live = moved.or_else(|| self.take_passing(seen)).or_else(|| groups.take(self.client, seen));
        if live.is_some() && seen.retain {
            // The live one may have been lost, and this is what was retained.
            let slots = self.slots_of(seen, history, now).into_iter().map(|(slot, _)| slot).collect();
            self.copies.add_doubtful(slots);
        }
        let Some(owed) = live.or_else(|| self.take_retained(seen, history, now)) else { self.unexpected(seen) };
        self.judge_form(seen, &owed, history, now);
        self.judge_order(&owed, seen, history);
    }

    fn take_passing(&mut self, seen: &Seen) -> Option<Owed> {
        let passing = &mut self.connection.as_mut()?.passing;
        let position = passing.iter().position(|owed| owed.looks_like(seen))?;
        passing.remove(position)
    }

    /// Whether a newer one came before what is due and looks so: then it is rather what moved from another member of a
    /// group, and this one was lost to a full queue.
    fn is_behind(&self, due: &VecDeque<Owed>, seen: &Seen, history: &History) -> bool {
        due.iter().find(|owed| owed.looks_like(seen)).is_some_and(|owed| {
            let message = &owed.message;
            let key = (message.publisher, message.topic, seen.qos == QoS::AtMostOnce);
            self.last.get(&key).is_some_and(|last| *last > message.number)
                // Else it may well come late.
                && history.always(owed.since.policy, message, self.device)
        })
    }

    /// Messages without a payload look alike: rather one that may pass than one that may not.
    fn take_waiting(&mut self, seen: &Seen, history: &History) -> Option<Owed> {
        let since = self.connection.as_ref().map_or(0, |connection| connection.drained.policy);
        let may_pass = |owed: &Owed| history.ever(since, &owed.message, self.device);
        let position = (self.waiting.iter().position(|owed| owed.looks_like(seen) && may_pass(owed)))
            .or_else(|| self.waiting.iter().position(|owed| owed.looks_like(seen)))?;
        self.waiting.remove(position)
    }

    fn take_retained(&mut self, seen: &Seen, history: &History, now: u64) -> Option<Owed> {
        if !seen.retain {
            return None;
        }
        let slots = self.slots_of(seen, history, now);
        let message = Rc::clone(&slots.first()?.1);
        if !self.copies.add(slots.into_iter().map(|(slot, _)| slot).collect()) {
            return None;
        }
        let identifiers = seen.identifiers.clone();
        let since = Stamp { time: now, policy: history.number() };
        Some(Owed { message, qos: seen.qos, retain: true, identifiers, since, kind: Kind::Retained, optional: false })
    }

    /// The slots that a retained copy may be of, the likeliest first, with their messages.
    fn slots_of(&self, seen: &Seen, history: &History, now: u64) -> Vec<(Slot, Rc<Message>)> {
        let device = self.device;
        let fitting = |reading: &Reading| {
            let (due, slot, message) = reading.fits(seen, device, history, now)?;
            // Rather for a present reading than for one that was replaced, and rather what must come than what may.
            Some(((reading.ended, !due), slot, message))
        };
        let mut fitting: Vec<_> = self.readings.iter().filter_map(fitting).collect();
        fitting.sort_by_key(|(likelihood, ..)| *likelihood);
        fitting.into_iter().map(|(_, slot, message)| (slot, message)).collect()
    }

    fn unexpected(&self, seen: &Seen) -> ! {
        let like: Vec<_> = self.waiting.iter().filter(|owed| owed.message.text == seen.text).collect();
        let like: Vec<_> = like.iter().map(|owed| (owed.qos, owed.retain, &owed.identifiers)).collect();
        panic!("client {} got {seen:?}, which was never for it; due with that text: {like:?}", self.client)
    }

    /// Right, size, time and properties.
    fn judge_form(&self, seen: &Seen, owed: &Owed, history: &History, now: u64) {
        let client = self.client;
        let connection = self.connection.as_ref().expect("connected");
        let message = &owed.message;
        let earliest = connection.drained.max(owed.since);
        let earliest = if owed.kind == Kind::Retained { connection.drained } else { earliest };
        assert!(
            history.ever(earliest.policy.min(history.number()), message, self.device),
            "client {client} got {seen:?} without a right to it (its own or that of its writer, device {})",
            message.device
        );
        let time = earliest.time.max(message.published);
        assert!(seen.dup || !message.is_expired(time), "client {client} got {seen:?}, which had expired");
        if connection.version != Version::V5 {
            return;
        }
        assert_eq!(seen.properties, message.properties, "client {client} got {seen:?} with changed properties");
        let seconds = |at: u64| message.expires.map(|expires| expires.saturating_sub(at).div_ceil(1000).max(1));
        let got = seen.expiry.map(u64::from);
        assert!(
            seconds(now) <= got && got <= seconds(time) && got.is_some() == message.expires.is_some(),
            "client {client} got {seen:?}: it should expire in {:?} to {:?} s",
            seconds(now),
            seconds(time)
        );
    }

    /// Per publisher and topic, within QoS 0 and within the others. Whose right was gone for a while comes late.
    fn judge_order(&mut self, owed: &Owed, seen: &Seen, history: &History) {
        let message = &owed.message;
        match owed.kind {
            Kind::Shared(_) => {}
            Kind::Live => {
                let key = (message.publisher, message.topic, seen.qos == QoS::AtMostOnce);
                let last = self.last.entry(key).or_default();
                let late = !history.always(owed.since.policy, message, self.device);
                assert!(
                    *last < message.number || late || message.text.is_empty() || seen.dup && self.lost_unseen,
                    "client {} got {seen:?} (number {}) after number {last} of the same publisher and topic",
                    self.client,
                    message.number
                );
                *last = message.number.max(*last);
                if message.retain {
                    let newest = self.newest.entry(message.topic).or_default();
                    *newest = message.number.max(*newest);
                }
            }
            Kind::Retained => assert!(
                seen.dup || self.newest.get(&message.topic).is_none_or(|newest| *newest <= message.number),
                "client {} got the retained {seen:?} after a newer one",
                self.client
            ),
        }
    }

    /// PUBREL came: only for what the client has received.
    pub(crate) fn release(&self, id: u16) {
        let released = self.exchanges.get(&id).is_some_and(|exchange| exchange.released);
        assert!(released, "client {} got PUBREL {id} for nothing that waits for it", self.client);
    }

    /// PUBREC with success was sent.
    pub(crate) fn received(&mut self, id: u16) {
        self.exchanges.get_mut(&id).expect("seen before").released = true;
    }

    /// The last acknowledgement was sent. Returns what the exchange was about.
    pub(crate) fn finished(&mut self, id: u16) -> Option<Owed> {
        if let Some(connection) = &mut self.connection {
            connection.open.remove(&id);
        }
        self.exchanges.remove(&id).map(|exchange| exchange.owed)
    }

    /// The client has everything that was in its outbound, `bytes` of it. Returns how many QoS 0 were dropped.
    pub(crate) fn drained(&mut self, bytes: usize, limit: usize, now: Stamp) -> u64 {
        self.readings.retain(|reading| !reading.ended);
        let Some(connection) = &mut self.connection else { return 0 };
        connection.drained = now;
        let mut dropped = 0;
        for owed in std::mem::take(&mut connection.passing) {
            if owed.optional {
                continue;
            }
            dropped += 1;
            // No message of ours is longer.
            assert!(
                bytes + 700 > limit,
                "client {} missed {:?} with QoS 0, though its outbound held only {bytes} bytes",
                self.client,
                owed.message.text
            );
        }
        dropped
    }

    /// The client has acknowledged all it got, and nothing more comes: whatever is still due must have a reason.
    pub(crate) fn calm(&mut self, history: &History, now: u64) -> Calm {
        let mut calm = Calm::default();
        let connection = self.connection.as_ref().expect("connected");
        let small = connection.small_packets;
        let device = self.device;
        let client = self.client;
        let mut left = VecDeque::new();
        for owed in self.waiting.drain(..) {
            let message = &owed.message;
            if message.is_expired(now) {
                continue;
            }
            if !history.now(message, device) {
                left.push_back(owed);
                continue;
            }
            if small && message.large || owed.optional {
                continue;
            }
            assert!(
                self.may_miss > 0,
                "client {client} never got {:?} on {:?} (number {}, QoS {:?})",
                message.text,
                message.name,
                message.number,
                owed.qos
            );
            self.may_miss -= 1;
            calm.missed += 1;
        }
        self.waiting = left;
        for (id, exchange) in std::mem::take(&mut self.exchanges) {
            if exchange.given_up && history.now(&exchange.owed.message, device) {
                continue;
            }
            let due = exchange.released || history.now(&exchange.owed.message, device);
            if due && !exchange.released && self.may_miss > 0 {
                self.may_miss -= 1;
                calm.missed += 1;
                continue;
            }
            assert!(
                !due,
                "client {client}: {id} with {:?} is in flight and was not repeated",
                exchange.owed.message.text
            );
            self.exchanges.insert(id, exchange);
        }
        judge_whole(&self.readings, &mut self.copies, client, device, history, now);
        self.readings.clear();
        self.copies = Copies::default();
        calm
    }
}

impl Owed {
    pub(crate) fn looks_like(&self, seen: &Seen) -> bool {
        self.message.text == seen.text
            && *self.message.name == *seen.topic
            && self.qos == seen.qos
            && self.retain == seen.retain
            && self.identifiers == seen.identifiers
    }
}
