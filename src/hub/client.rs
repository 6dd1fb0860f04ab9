//! A connected client: every packet after CONNECT, and the answers.

use super::detach::WillFate;
use super::outbound::Outbound;
use super::route::RouteMemory;
use super::sessions::{ConnectionId, Locked, SessionCell};
use super::{Hub, Published, Wakes};
use crate::config::mqtt::RefusedPublish;
use crate::policy::{DecisionMemory, Denied, Permit, Principal};
use crate::protocol::topic::TopicNameBuf;
use crate::protocol::{
    Ack, Disconnect, Packet, PacketId, Properties, Publish, QoS, ReasonCode, SubAck, Subscribe, TopicName, UnsubAck,
    Unsubscribe, Version,
};
use crate::session::{
    Acknowledged, Arrival, Expiry, Moment, Outbox, Publication, SessionId, Terms, TooManyUnreleased, WriterId,
};
use crate::telemetry::metrics::METRICS;
use crate::telemetry::sampled::Sampled;
use std::sync::Arc;
use std::time::Duration;

/// One client's side of the hub, owned by its connection task. Dropping it without [`Client::end`] counts as a
/// lost connection with the will deferred: a bug costs one connection, and no false will.
#[derive(Debug)]
pub struct Client {
    hub: Arc<Hub>,
    cell: Arc<SessionCell>,
    connection: ConnectionId,
    writer: WriterId,
    principal: Arc<Principal>,
    terms: Terms,
    outbound: Arc<Outbound>,
    expiry: Expiry,
    decisions: DecisionMemory,
    routes: RouteMemory,
    /// Topic aliases of the client, by number less one.
    aliases: Vec<Option<TopicNameBuf>>,
    goodbye: Goodbye,
}

/// How the client left, as far as it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goodbye {
    Silent,
    /// DISCONNECT 0x00: no will.
    Normal,
    /// DISCONNECT with another code: the will stands.
    WithWill,
    Ended,
}

/// The connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The client said goodbye.
    ByClient,
    /// The client did something it must not; a 5.0 client gets DISCONNECT with this code.
    Fault(ReasonCode, &'static str),
}

impl Client {
    #[allow(clippy::too_many_arguments, reason = "the facts of one CONNECT, each once")]
    pub(super) fn new(
        hub: Arc<Hub>,
        cell: Arc<SessionCell>,
        connection: ConnectionId,
        principal: Arc<Principal>,
        terms: Terms,
        outbound: &Arc<Outbound>,
        expiry: Expiry,
    ) -> Self {
        Self {
            hub,
            cell,
            connection,
            writer: WriterId::Client(Arc::clone(&principal)),
            principal,
            terms,
            outbound: Arc::clone(outbound),
            expiry,
            decisions: DecisionMemory::default(),
            routes: RouteMemory::default(),
            aliases: Vec::new(),
            goodbye: Goodbye::Silent,
        }
    }

    /// The version the client speaks.
    pub fn version(&self) -> Version {
        self.terms.version
    }

    /// Who it is, for logs.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Serves one packet; answers go to the client's outbound.
    ///
    /// # Errors
    /// [`Closed`] ends the connection: send what it says, then [`Client::end`].
    pub fn handle(&mut self, packet: Packet<'_>, now: Moment, wakes: &mut Wakes) -> Result<(), Closed> {
        METRICS.packets_received.increment();
        match packet {
            Packet::Publish(publish) => self.publish(&publish, now, wakes),
            Packet::PubAck(ack) => {
                in_turn(self.own_state()?.session.acknowledge(ack.packet_id))?;
                self.pull(now, wakes);
                Ok(())
            }
            Packet::PubRec(ack) => self.received(&ack, now, wakes),
            Packet::PubRel(ack) => self.released(&ack, wakes),
            Packet::PubComp(ack) => {
                in_turn(self.own_state()?.session.complete(ack.packet_id))?;
                self.pull(now, wakes);
                Ok(())
            }
            Packet::Subscribe(subscribe) => self.subscribe(&subscribe, now, wakes),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(&unsubscribe, wakes),
            Packet::PingReq => {
                self.outbound.push(wakes, Outbox::forget_idle_aliases);
                self.answer(&Packet::PingResp, wakes);
                // A right may have come back since, and with it messages that were withheld.
                self.pull(now, wakes);
                Ok(())
            }
            Packet::Disconnect(disconnect) => Err(self.disconnected(&disconnect)),
            Packet::Connect(_) => Err(Closed::Fault(ReasonCode::ProtocolError, "a second CONNECT")),
            Packet::Auth(_) => Err(Closed::Fault(ReasonCode::ProtocolError, "AUTH without an authentication method")),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                Err(Closed::Fault(ReasonCode::ProtocolError, "a packet that only servers send"))
            }
        }
    }

    /// Fills the outbound with what the session holds back: call it when the outbound has been written.
    pub fn pull(&self, now: Moment, wakes: &mut Wakes) {
        let mut state = self.cell.lock();
        if state.link_of(self.connection).is_some() {
            self.hub.pump(&mut state, now, wakes);
        }
    }

    /// The connection is over.
    pub fn end(mut self, now: Moment, wakes: &mut Wakes) {
        let fate = match self.goodbye {
            Goodbye::Normal => WillFate::Discard,
            Goodbye::Silent | Goodbye::WithWill | Goodbye::Ended => WillFate::Keep,
        };
        self.goodbye = Goodbye::Ended;
        self.hub.detach(&self.cell, self.connection, fate, now, wakes);
    }

    /// The connection ends because the broker stops: its will is neither fired nor kept.
    pub fn abandon(mut self, now: Moment, wakes: &mut Wakes) {
        self.goodbye = Goodbye::Ended;
        self.hub.detach(&self.cell, self.connection, WillFate::Defer, now, wakes);
    }

    fn publish(&mut self, publish: &Publish<'_>, now: Moment, wakes: &mut Wakes) -> Result<(), Closed> {
        METRICS.messages_received.increment();
        METRICS.payload_bytes_received.add(publish.payload.len() as u64);
        // The alias table lends the topic while the rest of the client is used.
        let mut aliases = std::mem::take(&mut self.aliases);
        let result = match resolve(&mut aliases, self.hub.mqtt().topic_alias_maximum, publish) {
            Ok(topic) if self.hub.is_out_of_bounds(topic.as_str()) => {
                Err(Closed::Fault(ReasonCode::TopicNameInvalid, "a topic beyond limits.topic_bytes or topic_levels"))
            }
            Ok(topic) => self.publish_to(topic, publish, now, wakes),
            Err(closed) => Err(closed),
        };
        self.aliases = aliases;
        result
    }

    fn publish_to(
        &mut self,
        topic: TopicName<'_>,
        publish: &Publish<'_>,
        now: Moment,
        wakes: &mut Wakes,
    ) -> Result<(), Closed> {
        if let (QoS::ExactlyOnce, Some(id)) = (publish.qos, publish.packet_id)
            && self.arrive(id)? == Arrival::Repeated
        {
            self.acknowledge(QoS::ExactlyOnce, id, ReasonCode::Success, wakes);
            return Ok(());
        }
        let policy = self.hub.policy.load();
        let judged = self.decisions.authorize_publish(&policy, &self.principal, topic, publish.qos, publish.retain);
        drop(policy);
        let reason = match judged {
            Ok(permit) => self.route(permit, publish, now, wakes),
            Err(denied) => {
                METRICS.publishes_denied.increment();
                log_denied(&self.principal, "publish", topic.as_str(), denied);
                ReasonCode::NotAuthorized
            }
        };
        self.conclude(publish, reason, wakes)
    }

    /// The session, while it is this connection's: what an older connection still brings must not touch the
    /// exchanges of the one that took the session over.
    fn own_state(&self) -> Result<Locked<'_>, Closed> {
        let mut state = self.cell.lock();
        match state.link_of(self.connection) {
            Some(_) => Ok(state),
            None => Err(Closed::Fault(ReasonCode::SessionTakenOver, "the session was taken over")),
        }
    }

    /// Registers a QoS 2 packet id.
    fn arrive(&self, id: PacketId) -> Result<Arrival, Closed> {
        let maximum = usize::from(self.hub.mqtt().receive_maximum).min(self.hub.limits().unreleased_ids);
        self.own_state()?.session.incoming.arrive(id, maximum).map_err(|TooManyUnreleased| {
            Closed::Fault(ReasonCode::ReceiveMaximumExceeded, "more QoS 2 publications than mqtt.receive_maximum")
        })
    }

    fn route(&mut self, permit: Permit<'_>, publish: &Publish<'_>, now: Moment, wakes: &mut Wakes) -> ReasonCode {
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        let expires = publish.properties.message_expiry_interval().map(|interval| now.after(seconds(interval)));
        let publication = Publication::new(
            permit,
            publish.payload,
            publish.properties,
            &self.writer,
            Some(self.session_id()),
            expires,
        );
        match self.hub.publish(&publication, Some(&mut self.routes), now, wakes) {
            Published::Taken { receivers: 0 } => ReasonCode::NoMatchingSubscribers,
            Published::Taken { .. } => ReasonCode::Success,
            Published::OverQuota => ReasonCode::QuotaExceeded,
        }
    }

    /// Tells the publisher what became of its message, as far as its version can be told.
    fn conclude(&self, publish: &Publish<'_>, reason: ReasonCode, wakes: &mut Wakes) -> Result<(), Closed> {
        let Some(id) = publish.packet_id else { return Ok(()) };
        if reason.is_error() && publish.qos == QoS::ExactlyOnce && self.terms.version == Version::V5 {
            // PUBREC with an error ends the exchange; the id is free again (section 4.3.3).
            self.own_state()?.session.incoming.release(id);
        }
        match (self.terms.version, reason) {
            (Version::V5, _) => {}
            (Version::V3_1 | Version::V3_1_1, ReasonCode::QuotaExceeded) => {
                self.own_state()?.session.incoming.release(id);
                return Err(Closed::Fault(reason, "a bound was reached: the message was not taken, send it again"));
            }
            (Version::V3_1 | Version::V3_1_1, ReasonCode::NotAuthorized)
                if self.hub.mqtt().refused_publish == RefusedPublish::Close =>
            {
                return Err(Closed::Fault(reason, "a denied publish (mqtt.refused_publish = \"close\")"));
            }
            (Version::V3_1 | Version::V3_1_1, _) => {}
        }
        self.acknowledge(publish.qos, id, reason, wakes);
        Ok(())
    }

    fn acknowledge(&self, qos: QoS, packet_id: PacketId, reason: ReasonCode, wakes: &mut Wakes) {
        let ack = Ack { packet_id, reason, properties: Properties::default() };
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.answer(&Packet::PubAck(ack), wakes),
            // Nobody has it, but the exchange goes on: PUBREL and PUBCOMP follow.
            QoS::ExactlyOnce if reason == ReasonCode::NoMatchingSubscribers => {
                self.answer(&Packet::PubRec(success(packet_id)), wakes);
            }
            QoS::ExactlyOnce => self.answer(&Packet::PubRec(ack), wakes),
        }
    }

    fn received(&self, ack: &Ack<'_>, now: Moment, wakes: &mut Wakes) -> Result<(), Closed> {
        in_turn(self.own_state()?.session.receive(ack.packet_id, ack.reason))?;
        match ack.reason.is_error() {
            false => self.answer(&Packet::PubRel(success(ack.packet_id)), wakes),
            true => self.pull(now, wakes),
        }
        Ok(())
    }

    /// PUBREL frees the id and routes nothing: the message went out with its PUBLISH. One for an id that is free
    /// already, as after a PUBCOMP that was lost, is answered alike: the client is done either way.
    fn released(&self, ack: &Ack<'_>, wakes: &mut Wakes) -> Result<(), Closed> {
        self.own_state()?.session.incoming.release(ack.packet_id);
        self.answer(&Packet::PubComp(success(ack.packet_id)), wakes);
        Ok(())
    }

    fn subscribe(&self, subscribe: &Subscribe<'_>, now: Moment, wakes: &mut Wakes) -> Result<(), Closed> {
        let mut state = self.own_state()?;
        let reasons = self.hub.subscribe(&self.cell, &mut state, subscribe);
        let answer = SubAck { packet_id: subscribe.packet_id, properties: Properties::default(), reasons };
        self.answer(&Packet::SubAck(answer), wakes);
        self.hub.pump(&mut state, now, wakes);
        Ok(())
    }

    fn unsubscribe(&self, unsubscribe: &Unsubscribe<'_>, wakes: &mut Wakes) -> Result<(), Closed> {
        let mut state = self.own_state()?;
        let reasons = self.hub.unsubscribe(&self.cell, &mut state, &unsubscribe.filters);
        let answer = UnsubAck { packet_id: unsubscribe.packet_id, properties: Properties::default(), reasons };
        self.answer(&Packet::UnsubAck(answer), wakes);
        Ok(())
    }

    fn disconnected(&mut self, disconnect: &Disconnect<'_>) -> Closed {
        if let Some(seconds) = disconnect.properties.session_expiry_interval() {
            if self.expiry == Expiry::WithConnection && seconds > 0 {
                // [MQTT-3.14.2-2] and section 3.14.2.2.2.
                return Closed::Fault(ReasonCode::ProtocolError, "a session expiry that CONNECT had set to 0");
            }
            let expiry = Expiry::from_interval(seconds, self.hub.mqtt().maximum_session_expiry);
            let mut state = self.cell.lock();
            if state.link_of(self.connection).is_some() {
                state.session.expiry = expiry;
            }
        }
        self.goodbye = match disconnect.reason {
            ReasonCode::Success => Goodbye::Normal,
            _ => Goodbye::WithWill,
        };
        Closed::ByClient
    }

    /// An answer larger than the client takes is not sent `[MQTT-3.1.2-24]`.
    fn answer(&self, packet: &Packet<'_>, wakes: &mut Wakes) {
        self.outbound
            .push(wakes, |outbox| outbox.append_within(packet, self.terms.version, self.terms.maximum_packet_size));
    }

    fn session_id(&self) -> SessionId {
        self.cell.id
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.goodbye != Goodbye::Ended {
            let now = self.outbound.last_received();
            self.hub.detach(&self.cell, self.connection, WillFate::Defer, now, &mut Wakes::default());
        }
    }
}

fn success(packet_id: PacketId) -> Ack<'static> {
    Ack { packet_id, reason: ReasonCode::Success, properties: Properties::default() }
}

/// An acknowledgement of the wrong kind ends the connection; one that belongs to nothing is ignored.
fn in_turn(acknowledged: Acknowledged) -> Result<(), Closed> {
    match acknowledged {
        Acknowledged::InTurn | Acknowledged::Unknown => Ok(()),
        Acknowledged::OutOfTurn => {
            Err(Closed::Fault(ReasonCode::ProtocolError, "another acknowledgement was due (section 4.3)"))
        }
    }
}

/// The topic of a PUBLISH, its alias looked up or learned (section 3.3.2.3.4).
fn resolve<'a>(
    aliases: &'a mut Vec<Option<TopicNameBuf>>,
    maximum: u16,
    publish: &Publish<'a>,
) -> Result<TopicName<'a>, Closed> {
    let Some(alias) = publish.properties.topic_alias() else {
        return publish.topic.ok_or(Closed::Fault(ReasonCode::ProtocolError, "neither a topic nor an alias"));
    };
    if alias == 0 || alias > maximum {
        return Err(Closed::Fault(ReasonCode::TopicAliasInvalid, "a topic alias beyond the announced maximum"));
    }
    let index = usize::from(alias) - 1;
    if aliases.len() <= index {
        aliases.resize(index + 1, None);
    }
    match (publish.topic, aliases.get_mut(index)) {
        (Some(topic), Some(slot)) => {
            *slot = Some(topic.to_buf());
            Ok(topic)
        }
        (None, Some(Some(known))) => Ok(known.as_name()),
        (_, _) => Err(Closed::Fault(ReasonCode::ProtocolError, "a topic alias that was never set")),
    }
}

/// One line for a denial, with its rule; a storm of them is sampled.
pub(super) fn log_denied(principal: &Principal, action: &'static str, topic: &str, denied: Denied) {
    static SAMPLED: Sampled = Sampled::per_second(20);
    let Some(suppressed) = SAMPLED.admit() else { return };
    tracing::warn!(
        device = %principal.key.name.escape_debug(),
        client_id = %principal.client_id.escape_debug(),
        action,
        topic = %topic.escape_debug(),
        suppressed,
        "denied: {denied}"
    );
}
