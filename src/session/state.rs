//! The session itself: chooses what a client gets, and when.

use super::allowance::Allowance;
use super::outgoing::{Acknowledged, Outgoing, Queued, Share, Stage, Waiting};
use super::sending::{self, Written};
use super::{
    Bounds, Drops, Expiry, Incoming, Load, Message, Moment, Outbox, Publication, SubscriptionId, Subscriptions,
};
use crate::policy::{Policy, Principal};
use crate::protocol::{PacketId, QoS, ReasonCode, TopicFilter, Version};
use std::sync::Arc;

/// Names a session within the broker, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// What the connected client announced in its CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Its protocol version.
    pub version: Version,
    /// How many QoS 1 and 2 publications it takes unacknowledged.
    pub receive_maximum: u16,
    /// Bytes of the largest packet it takes.
    pub maximum_packet_size: u32,
    /// How many topic aliases it is told, never more than it takes.
    pub topic_aliases: u16,
    /// Whether it wants to read why something failed.
    pub problem_information: ProblemInformation,
}

/// Request Problem Information (section 3.1.2.11.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemInformation {
    /// The client asked for reason strings.
    Wanted,
    /// A 5.0 client that does not say: reason strings may be sent.
    Allowed,
    /// Reason codes alone `[MQTT-3.1.2-29]`. Before 5.0 there is nothing else.
    Unwanted,
}

/// One client's session.
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    /// Whose rights it reads with.
    pub principal: Arc<Principal>,
    /// What it reads.
    pub subscriptions: Subscriptions,
    /// QoS 2 from the client.
    pub incoming: Incoming,
    /// How long it outlives its connection.
    pub expiry: Expiry,
    /// What it did not get.
    pub drops: Drops,
    /// Expired in a full queue, and not reported yet.
    shed: usize,
    pub(super) outgoing: Outgoing,
    pub(super) terms: Option<Terms>,
    pub(super) allowance: Allowance,
}

/// Through which of a session's subscriptions a publication came.
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    /// Those that match: any number of ordinary ones, or one shared.
    pub ids: &'a [SubscriptionId],
    /// The message's place in the shared subscription, where it could come to wait.
    pub share: Option<&'a Arc<Share>>,
}

/// What became of a publication for one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// In the outbox.
    Sent,
    /// In the queue; so many older messages gave way.
    Queued {
        /// How many.
        displaced: usize,
    },
    /// Not for this session after all.
    Withheld(Withheld),
    /// The reader has no room and the message is QoS 0, or no connection.
    DroppedSlowReader,
    /// The queue is full and the message gave way.
    DroppedQueueFull,
    /// The queue is full and its publisher is to be told.
    Refused,
}

/// Why a session does not get a message that its route promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// The subscription has ended.
    NotSubscribed,
    /// No local: the reader wrote it itself.
    OwnMessage,
    /// The reader's right is gone, or the topic lies in a hole.
    NoRight,
    /// Larger than the client takes; dropped as if delivered `[MQTT-3.1.2-25]`.
    TooLarge,
}

/// How one message leaves for one client.
struct Fit {
    qos: QoS,
    retain: bool,
    identifiers: Vec<u32>,
}

impl Session {
    /// A new session, not connected.
    pub fn new(id: SessionId, principal: Arc<Principal>, expiry: Expiry) -> Self {
        Self {
            id,
            principal,
            subscriptions: Subscriptions::default(),
            incoming: Incoming::default(),
            expiry,
            drops: Drops::default(),
            shed: 0,
            outgoing: Outgoing::default(),
            terms: None,
            allowance: Allowance::default(),
        }
    }

    /// Its id.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// What the connected client announced; `None` while it is away.
    pub fn terms(&self) -> Option<Terms> {
        self.terms
    }

    /// Messages waiting in its queue.
    pub fn queued(&self) -> usize {
        self.outgoing.queued()
    }

    /// Messages in flight.
    pub fn inflight(&self) -> usize {
        self.outgoing.inflight()
    }

    /// Everything that waits or is in flight, counted.
    pub fn load(&self) -> Load {
        self.outgoing.load()
    }

    /// Whether [`Session::pump`] could have something to send.
    pub fn has_waiting(&self) -> bool {
        self.outgoing.has_waiting()
    }

    /// Whether a publication that has to wait would find room.
    pub fn queue_has_room(&mut self, publication: &Publication<'_>, bounds: &Bounds, now: Moment) -> bool {
        let size = publication.message().size();
        let bounds = &self.narrowed(bounds);
        self.shed_expired(size, bounds, now);
        self.outgoing.queue_has_room(size, bounds)
    }

    /// Messages that expired in a full queue since this was last asked.
    pub fn take_shed(&mut self) -> usize {
        std::mem::take(&mut self.shed)
    }

    fn shed_expired(&mut self, size: usize, bounds: &Bounds, now: Moment) {
        let shed = self.outgoing.shed_expired(size, bounds, now);
        self.drops.expired += shed as u64;
        self.shed += shed;
    }

    /// Whether a publication need not wait for acknowledgements or for others before it.
    pub fn can_send(&self, bounds: &Bounds) -> bool {
        let bounds = &self.narrowed(bounds);
        self.outgoing.is_clear()
            && self.terms.is_some_and(|terms| self.outgoing.may_launch(window(terms, bounds), bounds))
    }

    /// Whether the session reads `publication` with QoS 1 or 2, so that it must be sent or queued.
    pub fn must_keep(&mut self, publication: &Publication<'_>, ids: &[SubscriptionId], policy: &Policy) -> bool {
        self.fit(publication, ids, policy).is_ok_and(|fit| fit.qos > QoS::AtMostOnce)
    }

    /// A client connected: everything in flight is due again, DUP set `[MQTT-4.4.0-1]`. Follow with
    /// [`Session::pump`]. Another certificate of the device may bring other rights: then everything is judged anew.
    pub fn connect(&mut self, principal: Arc<Principal>, terms: Terms) {
        if self.principal != principal {
            self.subscriptions.doubt();
            self.outgoing.doubt();
            self.allowance = Allowance::default();
        }
        self.principal = principal;
        self.terms = Some(terms);
        self.outgoing.rewind();
    }

    /// The client left.
    pub fn disconnect(&mut self) {
        self.terms = None;
        self.outgoing.rewind();
    }

    /// Offers a publication that came `via` its subscriptions. `outbox` is the connected client's.
    pub fn deliver(
        &mut self,
        publication: &Publication<'_>,
        via: Via<'_>,
        policy: &Policy,
        outbox: Option<&mut Outbox>,
        bounds: &Bounds,
        now: Moment,
    ) -> Delivery {
        let fit = match self.fit(publication, via.ids, policy) {
            Ok(fit) => fit,
            Err(withheld) => return Delivery::Withheld(withheld),
        };
        match fit.qos {
            QoS::AtMostOnce => self.deliver_once(publication, &fit, outbox, now),
            QoS::AtLeastOnce | QoS::ExactlyOnce => {
                let waiting = Waiting {
                    message: Arc::clone(publication.message()),
                    qos: fit.qos,
                    retain: fit.retain,
                    identifiers: fit.identifiers.into_boxed_slice(),
                    // Not that of `policy`: it may be later than the one that judged the writer.
                    epoch: publication.epoch(),
                    share: via.share.cloned(),
                };
                let bounds = &self.bounds_under(policy, bounds);
                let came_back = self.outgoing.reconsider(policy.epoch());
                match outbox {
                    // What came back goes first, and somebody must see to it.
                    Some(outbox) if came_back => {
                        outbox.starve();
                        self.deliver_surely(waiting, Some(outbox), bounds, now)
                    }
                    outbox => self.deliver_surely(waiting, outbox, bounds, now),
                }
            }
        }
    }

    /// How many retained messages it is worth offering to a subscription at once; 1 at least, so that what can be
    /// sent without an exchange is.
    pub fn room_for_retained(&mut self, id: SubscriptionId, bounds: &Bounds) -> usize {
        let sure = self.subscriptions.find(id).is_some_and(|found| found.options.qos > QoS::AtMostOnce);
        match (sure, self.terms) {
            (true, Some(terms)) => self.outgoing.window_left(window(terms, bounds)).max(1),
            _ => usize::MAX,
        }
    }

    /// Sends a retained message for a subscription just made; `None`: no room now, offer it again later.
    pub fn deliver_retained(
        &mut self,
        message: &Arc<Message>,
        id: SubscriptionId,
        policy: &Policy,
        outbox: &mut Outbox,
        bounds: &Bounds,
        now: Moment,
    ) -> Option<Delivery> {
        let terms = self.terms?;
        let bounds = &self.bounds_under(policy, bounds);
        let principal = Arc::clone(&self.principal);
        let Some(subscription) = self.subscriptions.find(id) else {
            return Some(Delivery::Withheld(Withheld::NotSubscribed));
        };
        let identifiers: Vec<u32> = subscription.identifier.into_iter().collect();
        let qos = match subscription.grant(policy, &principal) {
            Some(grant) if !grant.holes.contain(message.topic.as_name()) => grant.qos.min(message.qos),
            Some(_) | None => return Some(Delivery::Withheld(Withheld::NoRight)),
        };
        let waiting = Waiting {
            message: Arc::clone(message),
            qos,
            retain: true,
            identifiers: identifiers.into_boxed_slice(),
            epoch: policy.epoch(),
            share: None,
        };
        let written = match qos {
            QoS::AtMostOnce => sending::write_stored(&waiting, None, terms, outbox, now),
            _ if !self.outgoing.is_clear() || !self.outgoing.may_launch(window(terms, bounds), bounds) => return None,
            _ => sending::launch(&mut self.outgoing, &waiting, terms, outbox, now),
        };
        match written {
            Written::Yes => Some(Delivery::Sent),
            Written::TooLarge => Some(Delivery::Withheld(Withheld::TooLarge)),
            Written::NoRoom => {
                outbox.starve();
                None
            }
        }
    }

    /// PUBACK from the client: ends a QoS 1 exchange, whatever its reason code.
    pub fn acknowledge(&mut self, id: PacketId) -> Acknowledged {
        self.outgoing.finish(id, |stage| matches!(stage, Stage::Published(waiting) if waiting.qos == QoS::AtLeastOnce))
    }

    /// PUBREC from the client. One with an error ends the exchange `[MQTT-4.3.3-4]`; any other asks for PUBREL.
    pub fn receive(&mut self, id: PacketId, reason: ReasonCode) -> Acknowledged {
        match reason.is_error() {
            true => self
                .outgoing
                .finish(id, |stage| matches!(stage, Stage::Published(waiting) if waiting.qos == QoS::ExactlyOnce)),
            false => self.outgoing.release(id),
        }
    }

    /// PUBCOMP from the client: ends a QoS 2 exchange.
    pub fn complete(&mut self, id: PacketId) -> Acknowledged {
        self.outgoing.finish(id, |stage| matches!(stage, Stage::Released))
    }

    /// Sends what is due: first what was in flight before this connection, then the queue, as far as window and
    /// outbox have room. Says how many queued messages had expired.
    pub fn pump(&mut self, policy: &Policy, outbox: &mut Outbox, bounds: &Bounds, now: Moment) -> usize {
        let Some(terms) = self.terms else { return 0 };
        let bounds = &self.bounds_under(policy, bounds);
        self.outgoing.reconsider(policy.epoch());
        if !self.resend(terms, policy, outbox, bounds, now) {
            return 0;
        }
        self.drain_queue(terms, policy, outbox, bounds, now)
    }

    /// One delivery per client, whatever number of its subscriptions match: the highest QoS, all identifiers
    /// (section 3.3.4).
    fn fit(&mut self, publication: &Publication<'_>, ids: &[SubscriptionId], policy: &Policy) -> Result<Fit, Withheld> {
        let mut fit: Option<Fit> = None;
        let mut why = Withheld::NotSubscribed;
        let mut is_own = false;
        for &id in ids {
            let Some(subscription) = self.subscriptions.find(id) else { continue };
            if subscription.options.no_local && publication.from() == Some(self.id) {
                is_own = true;
                continue;
            }
            let retain = subscription.options.retain_as_published && publication.retain();
            let identifier = subscription.identifier;
            let Some(grant) = subscription.grant(policy, &self.principal) else {
                why = Withheld::NoRight;
                continue;
            };
            if grant.holes.contain(publication.topic()) {
                why = Withheld::NoRight;
                continue;
            }
            let qos = grant.qos.min(publication.qos());
            let fit = fit.get_or_insert(Fit { qos, retain, identifiers: Vec::new() });
            fit.qos = fit.qos.max(qos);
            fit.retain |= retain;
            fit.identifiers.extend(identifier);
        }
        fit.ok_or(if is_own { Withheld::OwnMessage } else { why })
    }

    /// QoS 0: now or never.
    fn deliver_once(
        &self,
        publication: &Publication<'_>,
        fit: &Fit,
        outbox: Option<&mut Outbox>,
        now: Moment,
    ) -> Delivery {
        let (Some(outbox), Some(terms)) = (outbox, self.terms) else { return Delivery::DroppedSlowReader };
        match sending::write_once(publication, fit.retain, &fit.identifiers, terms, outbox, now) {
            Written::Yes => Delivery::Sent,
            Written::NoRoom => Delivery::DroppedSlowReader,
            Written::TooLarge => Delivery::Withheld(Withheld::TooLarge),
        }
    }

    /// QoS 1 and 2: now, or from the queue.
    fn deliver_surely(
        &mut self,
        waiting: Waiting,
        outbox: Option<&mut Outbox>,
        bounds: &Bounds,
        now: Moment,
    ) -> Delivery {
        if let (Some(outbox), Some(terms)) = (outbox, self.terms)
            && self.outgoing.is_clear()
            && self.outgoing.may_launch(window(terms, bounds), bounds)
        {
            match sending::launch(&mut self.outgoing, &waiting, terms, outbox, now) {
                Written::Yes => return Delivery::Sent,
                Written::TooLarge => return Delivery::Withheld(Withheld::TooLarge),
                Written::NoRoom => outbox.starve(),
            }
        }
        self.shed_expired(waiting.message.size(), bounds, now);
        match self.outgoing.enqueue(waiting, bounds) {
            Queued::Kept => Delivery::Queued { displaced: 0 },
            Queued::Displaced(displaced) => Delivery::Queued { displaced },
            Queued::Dropped => Delivery::DroppedQueueFull,
            Queued::Refused => Delivery::Refused,
        }
    }

    /// What was in flight before this connection; says whether all of it went out, or may not.
    fn resend(&mut self, terms: Terms, policy: &Policy, outbox: &mut Outbox, bounds: &Bounds, now: Moment) -> bool {
        while let Some(entry) = self.outgoing.unsent() {
            if let Stage::Published(waiting) = &entry.stage
                && waiting.epoch != policy.epoch()
                && passes_with(&self.principal, waiting, policy).is_none()
            {
                self.drops.queue_full += self.outgoing.hold_unsent(policy.epoch(), bounds) as u64;
                continue;
            }
            if !self.outgoing.has_window(window(terms, bounds)) {
                return false;
            }
            match sending::repeat(entry, terms, outbox, now) {
                Written::Yes => self.outgoing.mark_sent(),
                // The client takes less than it did: done, as if delivered.
                Written::TooLarge => {
                    self.outgoing.abandon_unsent();
                    self.drops.too_large += 1;
                }
                Written::NoRoom => {
                    outbox.starve();
                    return false;
                }
            }
        }
        true
    }

    fn drain_queue(
        &mut self,
        terms: Terms,
        policy: &Policy,
        outbox: &mut Outbox,
        bounds: &Bounds,
        now: Moment,
    ) -> usize {
        let mut expired = 0;
        while let Some(waiting) = self.outgoing.peek() {
            if waiting.message.is_expired(now) {
                self.outgoing.pop();
                self.drops.expired += 1;
                expired += 1;
                continue;
            }
            let qos = match waiting.epoch == policy.epoch() {
                true => Some(waiting.qos),
                false => passes_with(&self.principal, waiting, policy),
            };
            let Some(qos) = qos else {
                // Perhaps another member of the group may read it.
                if !self.outgoing.stray() {
                    self.outgoing.withhold(policy.epoch());
                }
                continue;
            };
            if !self.outgoing.may_launch(window(terms, bounds), bounds) {
                break;
            }
            let waiting = Waiting { qos, ..waiting.clone() };
            let written = match qos {
                QoS::AtMostOnce => sending::write_stored(&waiting, None, terms, outbox, now),
                QoS::AtLeastOnce | QoS::ExactlyOnce => {
                    sending::launch(&mut self.outgoing, &waiting, terms, outbox, now)
                }
            };
            match written {
                Written::Yes => _ = self.outgoing.pop(),
                Written::TooLarge => {
                    self.outgoing.pop();
                    self.drops.too_large += 1;
                }
                Written::NoRoom => {
                    outbox.starve();
                    break;
                }
            }
        }
        expired
    }
}

/// With which QoS a message that waits goes on, under a policy that is newer than the one that let it into the queue;
/// `None` where its writer may no longer have written it or its reader no longer read it. What is in flight keeps its
/// QoS all the same: an exchange is never begun anew.
pub(super) fn passes_with(reader: &Principal, waiting: &Waiting, policy: &Policy) -> Option<QoS> {
    let message = &waiting.message;
    // One topic is also a filter, the narrowest: a right to read it is a right to subscribe to it.
    let filter = TopicFilter::parse(message.topic.as_str()).ok()?;
    let grant = policy.authorize_subscribe(reader, &filter, waiting.qos).ok()?;
    message.may_be_published(policy).then_some(grant.qos)
}

/// How many exchanges may be open at once.
pub(super) fn window(terms: Terms, bounds: &Bounds) -> usize {
    usize::from(terms.receive_maximum).min(bounds.inflight)
}
