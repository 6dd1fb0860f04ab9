//! A connected client: every packet after CONNECT, and the answers.

mod publishing;

pub(super) use publishing::is_payload_as_said;

use super::detach::WillFate;
use super::gate::Gate;
use super::limits::Paced;
use super::outbound::Outbound;
use super::route::RouteMemory;
use super::sessions::{ConnectionId, Locked, SessionCell};
use super::{Hub, Wakes, words};
use crate::policy::{DecisionMemory, Epoch, Principal};
use crate::protocol::topic::TopicNameBuf;
use crate::protocol::{
    Ack, Disconnect, Packet, PacketId, Properties, PropertiesBuf, QoS, ReasonCode, SubAck, Subscribe, UnsubAck,
    Unsubscribe, Version,
};
use crate::session::{Acknowledged, Expiry, Moment, Outbox, Place, SessionId, Terms, WriterId};
use crate::telemetry::metrics::METRICS;
use std::sync::Arc;

/// One client's side of the hub, owned by its connection task. Dropping it without [`Client::end`] counts as a
/// lost connection with the will deferred: a bug costs one connection, and no false will.
#[derive(Debug)]
pub struct Client {
    pub(super) hub: Arc<Hub>,
    cell: Arc<SessionCell>,
    connection: ConnectionId,
    writer: WriterId,
    pub(super) principal: Arc<Principal>,
    terms: Terms,
    outbound: Arc<Outbound>,
    /// Away while a packet passes.
    gate: Option<Arc<Gate>>,
    /// Session expiry in seconds, as CONNECT asked.
    wanted_expiry: u32,
    decisions: DecisionMemory,
    routes: RouteMemory,
    /// Topic aliases of the client, by number less one.
    aliases: Vec<Option<TopicNameBuf>>,
    /// The policy when it last looked for what lies with absent members of its shared groups.
    gathered: Epoch,
    /// How fast its device may send.
    pub(super) paced: Paced,
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
    /// The broker: what the client has sent and nobody has looked at counts no more.
    ByBroker,
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
        gate: Arc<Gate>,
        wanted_expiry: u32,
    ) -> Self {
        Self {
            hub,
            cell,
            connection,
            writer: WriterId::Client(Arc::clone(&principal)),
            principal,
            terms,
            outbound: Arc::clone(outbound),
            gate: Some(gate),
            wanted_expiry,
            decisions: DecisionMemory::default(),
            routes: RouteMemory::default(),
            aliases: Vec::new(),
            gathered: Epoch::NEVER,
            paced: Paced::default(),
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

    /// Serves one packet; answers go to the client's outbound. Once a sweep or an operator has closed the connection,
    /// nothing of it is served.
    ///
    /// # Errors
    /// [`Closed`] ends the connection: send what it says, then [`Client::end`].
    pub fn handle(&mut self, packet: Packet<'_>, now: Moment, wakes: &mut Wakes) -> Result<(), Closed> {
        // Taken out and put back, which costs less than another reference; a panic in between leaves none.
        let Some(gate) = self.gate.take() else { return Err(Closed::ByBroker) };
        let served = match gate.pass() {
            Some(_passing) => self.serve(packet, now, wakes),
            None => Err(Closed::ByBroker),
        };
        self.gate = Some(gate);
        served
    }

    fn serve(&mut self, packet: Packet<'_>, now: Moment, wakes: &mut Wakes) -> Result<(), Closed> {
        METRICS.packets_received.increment();
        match packet {
            Packet::Publish(publish) => {
                self.keep_pace(now);
                self.publish(&publish, now, wakes)
            }
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
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(&unsubscribe, now, wakes),
            Packet::PingReq => {
                self.outbound.push(wakes, Outbox::forget_idle_aliases);
                self.answer(&Packet::PingResp, wakes);
                // A right may have come back since, and with it messages that were withheld.
                self.pull(now, wakes);
                if self.is_policy_new() {
                    self.hub.gather(&self.cell, 0, now, wakes);
                }
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
        self.hub.serve(&self.cell, self.connection, now, wakes);
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

    /// The session, while it is this connection's: what an older connection still brings must not touch the
    /// exchanges of the one that took the session over.
    fn own_state(&self) -> Result<Locked<'_>, Closed> {
        let mut state = self.cell.lock();
        match state.link_of(self.connection) {
            Some(_) => Ok(state),
            None => Err(Closed::Fault(ReasonCode::SessionTakenOver, "the session was taken over")),
        }
    }

    fn acknowledge(&self, qos: QoS, packet_id: PacketId, reason: ReasonCode, wakes: &mut Wakes) {
        self.answer_publish(qos, Ack::new(packet_id, reason), wakes);
    }

    /// Acknowledges with an error, and says why where the client wants to know.
    fn refuse(&self, qos: QoS, packet_id: PacketId, reason: ReasonCode, text: &str, wakes: &mut Wakes) {
        let properties = words::reason_string(reason, text, &self.terms);
        self.answer_publish(qos, Ack { packet_id, reason, properties: properties.as_properties() }, wakes);
    }

    fn answer_publish(&self, qos: QoS, ack: Ack<'_>, wakes: &mut Wakes) {
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.answer(&Packet::PubAck(ack), wakes),
            // Nobody has it, but the exchange goes on: PUBREL and PUBCOMP follow.
            QoS::ExactlyOnce if ack.reason == ReasonCode::NoMatchingSubscribers => {
                self.answer(&Packet::PubRec(success(ack.packet_id)), wakes);
            }
            QoS::ExactlyOnce => self.answer(&Packet::PubRec(ack), wakes),
        }
    }

    /// PUBREC before what the message itself may have brought its publisher: the exchange of a client with itself goes
    /// step by step, as a client sees it.
    fn receive_at(&self, place: Place, packet_id: PacketId, wakes: &mut Wakes) {
        self.outbound.push(wakes, |outbox| {
            outbox.insert(place, |outbox| {
                // Without properties it fits wherever a PUBLISH did.
                let _ = words::append(&Packet::PubRec(success(packet_id)), &self.terms, outbox);
            });
        });
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

    fn subscribe(&mut self, subscribe: &Subscribe<'_>, now: Moment, wakes: &mut Wakes) -> Result<(), Closed> {
        let is_policy_new = self.is_policy_new();
        let mut state = self.own_state()?;
        let known_seats = if is_policy_new { 0 } else { state.seats.as_ref().map_or(0, |seats| seats.len()) };
        let reasons = self.hub.subscribe(&self.cell, &mut state, subscribe);
        let properties = match words::refused_filters(subscribe, &reasons) {
            Some((reason, text)) => words::reason_string(reason, &text, &self.terms),
            None => PropertiesBuf::new(),
        };
        let answer = SubAck { packet_id: subscribe.packet_id, properties: properties.as_properties(), reasons };
        self.must_answer(&Packet::SubAck(answer), wakes)?;
        self.hub.pump(&mut state, now, wakes);
        drop(state);
        self.hub.gather(&self.cell, known_seats, now, wakes);
        Ok(())
    }

    /// Whether the policy has changed since this was last asked. What is dear is done once for each policy, not for
    /// each packet: a PINGREQ has two bytes, and absent members may hold ten thousand messages.
    fn is_policy_new(&mut self) -> bool {
        let epoch = self.hub.policy.load().epoch();
        std::mem::replace(&mut self.gathered, epoch) != epoch
    }

    fn unsubscribe(&self, unsubscribe: &Unsubscribe<'_>, now: Moment, wakes: &mut Wakes) -> Result<(), Closed> {
        let mut state = self.own_state()?;
        let reasons = self.hub.unsubscribe(&self.cell, &mut state, &unsubscribe.filters);
        let answer = UnsubAck { packet_id: unsubscribe.packet_id, properties: Properties::default(), reasons };
        let answered = self.must_answer(&Packet::UnsubAck(answer), wakes);
        drop(state);
        self.hub.settle_strays(now, wakes);
        answered
    }

    fn disconnected(&mut self, disconnect: &Disconnect<'_>) -> Closed {
        if let Some(seconds) = disconnect.properties.session_expiry_interval() {
            if self.wanted_expiry == 0 && seconds > 0 {
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
        self.outbound.push(wakes, |outbox| {
            // Without its properties such an answer has six bytes at most: a client that takes less wants none.
            let _ = words::append(packet, &self.terms, outbox);
        });
    }

    /// An answer that grows with the request and without which the client would wait for ever `[MQTT-3.8.4-1]`,
    /// `[MQTT-3.10.4-4]`.
    fn must_answer(&self, packet: &Packet<'_>, wakes: &mut Wakes) -> Result<(), Closed> {
        let mut appended = Ok(());
        self.outbound.push(wakes, |outbox| appended = words::append(packet, &self.terms, outbox));
        appended.map_err(|_| {
            Closed::Fault(ReasonCode::PacketTooLarge, "the acknowledgement is larger than the client takes")
        })
    }

    /// Ends the connection for a fault of the client, which is told which where it wants to know.
    pub fn close(&self, reason: ReasonCode, fault: &str, wakes: &mut Wakes) {
        let properties = words::reason_string(reason, fault, &self.terms);
        let goodbye = words::goodbye(Disconnect { reason, properties: properties.as_properties() }, &self.terms);
        self.outbound.close_with(goodbye.as_ref(), self.terms.version, reason, wakes);
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
    Ack::new(packet_id, ReasonCode::Success)
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
