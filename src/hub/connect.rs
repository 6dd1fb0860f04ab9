//! CONNECT: from a certificate and a packet to a session with a connection, or a refusal with its reason.

use super::client::is_payload_as_said;
use super::deadlines::Deadline;
use super::gate::Gate;
use super::outbound::Outbound;
use super::sessions::{ConnectionId, Link, SessionCell, SessionKey, State};
use super::wills::Will;
use super::{Client, Hub, Wakes, words};
use crate::policy::{Action, ChainFacts, DeviceKey, Identity, Lapse, Permit, Policy, Principal, Refusal};
use crate::protocol::{ConnAck, Connect, Packet, PropertiesBuf, Property, ReasonCode, Version};
use crate::session::{Expiry, Moment, ProblemInformation, Publication, Session, Terms, WriterId};
use crate::telemetry::metrics::METRICS;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of the largest packet that a remaining length can tell (section 2.1.4), with type and length.
const LARGEST_PACKET: u32 = 268_435_460;

/// Who a connection is, as its handshake proved.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// The leaf certificate's facts.
    pub identity: &'a Identity,
    /// The device.
    pub key: &'a DeviceKey,
    /// What later judgements need. However long ago its handshake was: CONNECT judges it anew.
    pub chain: &'a ChainFacts,
}

/// A CONNECT that is answered with a CONNACK and the end of the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct ConnectRefused {
    /// For the CONNACK.
    pub reason: ReasonCode,
    /// For the log.
    pub cause: String,
    /// For the client: the cause, or less where that would tell it about others.
    told: String,
    /// What refusals are counted together as.
    pub(super) class: &'static str,
    /// For the operator: a line to paste, or what to do.
    pub(super) remedy: Option<String>,
}

/// The connection that a session is to have.
struct Line<'a> {
    connection: ConnectionId,
    outbound: &'a Arc<Outbound>,
    gate: Arc<Gate>,
    chain: &'a ChainFacts,
}

/// A CONNECT that was found good, before its session is touched.
pub(super) struct Accepted {
    pub(super) principal: Arc<Principal>,
    terms: Terms,
    expiry: Expiry,
    /// Seconds, as CONNECT asked; 0 before 5.0.
    wanted_expiry: u32,
    keep_alive: u16,
    will: Option<Will>,
    clean_start: bool,
    assigned: bool,
}

impl Hub {
    /// Admits a client, finds or makes its session and answers with CONNACK in `outbound`; packets follow through
    /// the returned [`Client`].
    ///
    /// # Errors
    /// The caller answers a refusal with [`ConnectRefused::answer`].
    pub fn connect(
        self: &Arc<Self>,
        peer: Peer<'_>,
        connect: &Connect<'_>,
        outbound: &Arc<Outbound>,
        now: Moment,
        wakes: &mut Wakes,
    ) -> Result<Client, ConnectRefused> {
        METRICS.connects_received.increment();
        METRICS.packets_received.increment();
        let policy = self.policy();
        let accepted = self.judge(peer, connect, &policy)?;
        self.judge_acknowledgement(&accepted)?;
        let connection = self.next_connection_id();
        let line = Line { connection, outbound, gate: Arc::default(), chain: peer.chain };
        let key = SessionKey { device: peer.key.clone(), client_id: Arc::clone(&accepted.principal.client_id) };
        let mut wills = Vec::new();
        self.judge_connections(&policy, &key, &accepted)?;
        let cell = loop {
            let cell = self.find_or_make(&key, &accepted)?;
            let mut state = cell.lock();
            if state.ended {
                continue;
            }
            // Not who made it: of two that connect at once, the one that comes second finds the other's session.
            let present = cell.last_connection().is_some();
            wills.extend(self.take_over(&mut state, accepted.clean_start, wakes));
            // A session without expiry ended with the connection that was just taken over.
            if present && (accepted.clean_start || state.session.expiry == Expiry::WithConnection) {
                wills.extend(self.end_session(&cell, &mut state));
                continue;
            }
            state.pending_will = None;
            self.attach(&cell, &mut state, &line, &accepted, present, now, wakes);
            drop(state);
            break cell;
        };
        self.settle_strays(now, wakes);
        self.gather(&cell, 0, now, wakes);
        self.serve(&cell, connection, now, wakes);
        for will in wills {
            self.fire(&will, now, wakes);
        }
        METRICS.clients_connected.increment();
        self.note_certificate(peer);
        self.judge_again(peer, &accepted, &policy, &line, wakes);
        if self.is_one_too_many(&policy, &key, &accepted, connection) {
            outbound.close(accepted.terms.version, ReasonCode::QuotaExceeded, wakes);
            line.gate.shut();
        }
        Ok(Client::new(
            Arc::clone(self),
            cell,
            connection,
            accepted.principal,
            accepted.terms,
            outbound,
            line.gate,
            accepted.wanted_expiry,
        ))
    }

    /// Whoever disabled the device since `policy` was asked, or put another judge in force, may have looked for its
    /// connections before this one was attached. Now that it is, either they find it or what is loaded here is theirs.
    fn judge_again(&self, peer: Peer<'_>, accepted: &Accepted, policy: &Policy, line: &Line<'_>, wakes: &mut Wakes) {
        let present = self.policy();
        let admitted =
            present.epoch() == policy.epoch() || present.admit(&accepted.principal, &peer.chain.leaf_sha256).is_ok();
        let judged = match admitted {
            true => self.judge_chain(peer.key, peer.chain, self.unix()),
            false => Err(Lapse::NotAdmitted),
        };
        if let Err(lapse) = judged {
            line.outbound.close(accepted.terms.version, lapse.reason(), wakes);
            line.gate.shut();
        }
    }

    fn find_or_make(&self, key: &SessionKey, accepted: &Accepted) -> Result<Arc<SessionCell>, ConnectRefused> {
        if let Some(cell) = self.sessions.find(key) {
            return Ok(cell);
        }
        let session = Session::new(self.next_session_id(), Arc::clone(&accepted.principal), accepted.expiry);
        let cell = SessionCell::new(key.clone(), session);
        match self.sessions.insert(&cell, self.limits.sessions_per_device) {
            Ok(existing) => Ok(existing.unwrap_or(cell)),
            Err(_) => Err(ConnectRefused::new(
                ReasonCode::QuotaExceeded,
                format!(
                    "the device has {} sessions, the most it may have (limits.sessions_per_device)",
                    self.limits.sessions_per_device
                ),
            )),
        }
    }

    /// Ends the session's present connection, if it has one `[MQTT-3.1.4-3]`. Its will is due at once, unless it
    /// has a delay that the new connection interrupts by going on with the session.
    fn take_over(&self, state: &mut State, clean_start: bool, wakes: &mut Wakes) -> Option<Will> {
        let link = state.link.take()?;
        link.outbound.close(link.version, ReasonCode::SessionTakenOver, wakes);
        state.session.disconnect();
        METRICS.clients_connected.decrement();
        let goes_on = !clean_start && state.session.expiry != Expiry::WithConnection;
        link.will.filter(|will| will.delay.is_zero() || !goes_on)
    }

    /// CONNACK first; [`Hub::serve`] brings whatever the session holds.
    #[allow(clippy::too_many_arguments, reason = "the facts of one CONNECT, each once")]
    fn attach(
        &self,
        cell: &Arc<SessionCell>,
        state: &mut State,
        line: &Line<'_>,
        accepted: &Accepted,
        present: bool,
        now: Moment,
        wakes: &mut Wakes,
    ) {
        let &Line { connection, outbound, .. } = line;
        let mut properties = PropertiesBuf::default();
        self.announce(accepted, &mut properties);
        let acknowledgement =
            ConnAck { session_present: present, reason: ReasonCode::Success, properties: properties.as_properties() };
        outbound.push(wakes, |outbox| {
            outbox.append(&Packet::ConnAck(acknowledgement), accepted.terms.version);
        });
        let silence = self.silence(accepted);
        state.session.connect(Arc::clone(&accepted.principal), accepted.terms);
        state.session.expiry = accepted.expiry;
        cell.connected_by(connection);
        let registration = self.connections.enter(cell, connection, line.chain);
        state.link = Some(Link {
            connection,
            outbound: Arc::clone(outbound),
            gate: Arc::clone(&line.gate),
            registration,
            version: accepted.terms.version,
            will: accepted.will.clone().map(|will| Will { from: Some(cell.id), ..will }),
            since: now,
            silence,
        });
        if let Some(silence) = silence {
            outbound.touch(now);
            self.deadlines.add(now.after(silence), Deadline::KeepAlive, cell, connection);
        }
    }

    /// One and a half times the keep alive in force.
    fn silence(&self, accepted: &Accepted) -> Option<Duration> {
        let seconds = self.server_keep_alive(accepted).unwrap_or(accepted.keep_alive);
        (seconds > 0).then(|| Duration::from_millis(u64::from(seconds) * 1500))
    }

    /// The keep alive that takes the place of the client's, where that is none or longer than it may be. 3.x has no
    /// way to tell a client of it `[MQTT-3.2.2-21]`.
    fn server_keep_alive(&self, accepted: &Accepted) -> Option<u16> {
        let longest = self.mqtt.server_keep_alive.filter(|_| accepted.terms.version == Version::V5)?;
        (accepted.keep_alive == 0 || accepted.keep_alive > longest).then_some(longest)
    }

    /// What a 5.0 client must know of the server, where it is not what it would assume anyway (section 3.2.2.3).
    fn announce(&self, accepted: &Accepted, properties: &mut PropertiesBuf) {
        if accepted.terms.version != Version::V5 {
            return;
        }
        if accepted.expiry.seconds() != accepted.wanted_expiry {
            properties.push(Property::SessionExpiryInterval(accepted.expiry.seconds()));
        }
        if self.mqtt.topic_alias_maximum > 0 {
            properties.push(Property::TopicAliasMaximum(self.mqtt.topic_alias_maximum));
        }
        if accepted.assigned {
            properties.push(Property::AssignedClientIdentifier(&accepted.principal.client_id));
        }
        if let Some(seconds) = self.server_keep_alive(accepted) {
            properties.push(Property::ServerKeepAlive(seconds));
        }
        if self.mqtt.maximum_packet_size < LARGEST_PACKET {
            properties.push(Property::MaximumPacketSize(self.mqtt.maximum_packet_size));
        }
        if self.receive_maximum() < u16::MAX {
            properties.push(Property::ReceiveMaximum(self.receive_maximum()));
        }
    }

    /// QoS 2 exchanges that a 5.0 client may have open: QoS 1 is acknowledged before the next packet is read.
    pub(super) fn receive_maximum(&self) -> u16 {
        self.mqtt.receive_maximum.min(u16::try_from(self.limits.unreleased_ids).unwrap_or(u16::MAX))
    }

    /// Everything that can refuse a CONNECT, before any session is touched.
    fn judge(&self, peer: Peer<'_>, connect: &Connect<'_>, policy: &Policy) -> Result<Accepted, ConnectRefused> {
        if connect.properties.authentication_method().is_some() {
            return Err(ConnectRefused::new(
                ReasonCode::BadAuthenticationMethod,
                "enhanced authentication is not offered: the certificate is the authentication",
            ));
        }
        let (client_id, assigned) = self.client_id(connect)?;
        self.judge_chain(peer.key, peer.chain, self.unix()).map_err(ConnectRefused::lapsed)?;
        let chain = Arc::new(peer.chain.clone());
        let principal = Arc::new(Principal::of(peer.identity, peer.key.clone(), client_id).under(chain));
        policy
            .admit(&principal, &peer.chain.leaf_sha256)
            .map_err(|refusal| ConnectRefused::not_admitted(&refusal, peer.key, policy))?;
        Ok(Accepted {
            terms: terms(connect, self.mqtt.outgoing_topic_aliases),
            expiry: self.expiry(connect),
            wanted_expiry: connect.properties.session_expiry_interval().unwrap_or(0),
            keep_alive: connect.keep_alive,
            will: self.judge_will(connect, &principal, policy)?,
            clean_start: connect.clean_start,
            principal,
            assigned,
        })
    }

    /// A client that cannot be told the terms cannot be served on them `[MQTT-3.1.2-24]`.
    fn judge_acknowledgement(&self, accepted: &Accepted) -> Result<(), ConnectRefused> {
        let mut properties = PropertiesBuf::default();
        self.announce(accepted, &mut properties);
        let mut frame = Vec::new();
        ConnAck { session_present: false, reason: ReasonCode::Success, properties: properties.as_properties() }
            .encode(accepted.terms.version, &mut frame);
        match frame.len() > accepted.terms.maximum_packet_size as usize {
            true => Err(ConnectRefused::new(
                ReasonCode::PacketTooLarge,
                "CONNACK is larger than the client's maximum packet size",
            )),
            false => Ok(()),
        }
    }

    fn client_id(&self, connect: &Connect<'_>) -> Result<(Arc<str>, bool), ConnectRefused> {
        let refuse = |cause: &str| ConnectRefused::new(ReasonCode::ClientIdentifierNotValid, cause);
        match (connect.client_id.is_empty(), connect.version) {
            (false, _) if connect.client_id.len() > self.limits.client_id_bytes => {
                Err(refuse("the client id is longer than limits.client_id_bytes"))
            }
            (false, _) => Ok((Arc::from(connect.client_id), false)),
            (true, Version::V3_1) => Err(refuse("MQTT 3.1 wants a client id")),
            (true, Version::V3_1_1) if !connect.clean_start => Err(refuse("an empty client id wants a clean session")),
            (true, Version::V3_1_1 | Version::V5) => Ok((self.assign_client_id(), true)),
        }
    }

    /// In the form of a UUID, as mosquitto's are. Unguessable, though a session key holds the device as well: nobody else
    /// could use it.
    fn assign_client_id(&self) -> Arc<str> {
        let [high, low] = [self.random(), self.random()];
        let [time, version] = [high >> 32, high & 0xFFFF];
        let [variant, node] = [low >> 48, low & 0xFFFF_FFFF_FFFF];
        Arc::from(format!("auto-{time:08x}-{:04x}-{version:04x}-{variant:04x}-{node:012x}", high >> 16 & 0xFFFF))
    }

    fn random(&self) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
        hasher.write_u64(self.next_id());
        hasher.finish()
    }

    fn expiry(&self, connect: &Connect<'_>) -> Expiry {
        match (connect.version, connect.clean_start) {
            (Version::V5, _) => Expiry::from_interval(
                connect.properties.session_expiry_interval().unwrap_or(0),
                self.mqtt.maximum_session_expiry,
            ),
            (Version::V3_1 | Version::V3_1_1, true) => Expiry::WithConnection,
            (Version::V3_1 | Version::V3_1_1, false) => {
                Expiry::lasting(Duration::MAX, self.mqtt.maximum_session_expiry)
            }
        }
    }

    /// A will is a publication: judged now, so that nobody leaves one behind that may never be published.
    fn judge_will(
        &self,
        connect: &Connect<'_>,
        principal: &Arc<Principal>,
        policy: &Policy,
    ) -> Result<Option<Will>, ConnectRefused> {
        let Some(will) = &connect.will else { return Ok(None) };
        if self.is_out_of_bounds(will.topic.as_str()) {
            return Err(ConnectRefused::new(
                ReasonCode::TopicNameInvalid,
                "the will's topic is beyond limits.topic_bytes or limits.topic_levels",
            ));
        }
        if !is_payload_as_said(will.properties, will.payload) {
            return Err(ConnectRefused::new(
                ReasonCode::PayloadFormatInvalid,
                "the will's payload is not UTF-8, as its payload format indicator says",
            ));
        }
        let permit: Permit<'_> =
            policy.authorize_publish(principal, will.topic, will.qos, will.retain).map_err(|denied| {
                ConnectRefused {
                    reason: ReasonCode::NotAuthorized,
                    cause: format!("the will may not be published to {}: {denied}", will.topic.as_str().escape_debug()),
                    told: words::denied_will(will.topic),
                    class: "the will may not be published",
                    remedy: policy.remedy(principal, Action::Publish, will.topic.as_str(), denied),
                }
            })?;
        let writer = WriterId::Client(Arc::clone(principal));
        let publication = Publication::new(permit, will.payload, will.properties, &writer, None, None);
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        Ok(Some(Will {
            message: Arc::clone(publication.message()),
            from: None,
            delay: will.properties.will_delay_interval().map(seconds).unwrap_or_default(),
            expiry: will.properties.message_expiry_interval().map(seconds),
        }))
    }
}

impl ConnectRefused {
    pub(super) fn new(reason: ReasonCode, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        Self { reason, told: cause.clone(), cause, class: reason.name(), remedy: None }
    }

    /// The device does not hear who else bears its name, or what an operator would do about it.
    const UNKNOWN: &str = "unknown device";

    /// Whether nobody knows the device.
    pub(super) fn is_unknown(&self) -> bool {
        self.class == Self::UNKNOWN
    }

    fn not_admitted(refusal: &Refusal, key: &DeviceKey, policy: &Policy) -> Self {
        let told = match refusal {
            Refusal::Unknown(_) | Refusal::Disabled(_) | Refusal::Revoked(_) | Refusal::NotPinned(_) => {
                "this device is not admitted"
            }
            Refusal::Lapsed { .. } => "this certificate is no longer accepted",
            Refusal::ClientId { .. } => "the client id must be the common name of the certificate",
        };
        let class = match refusal {
            Refusal::Unknown(_) => Self::UNKNOWN,
            Refusal::Disabled(_) => "disabled device",
            Refusal::Revoked(_) => "revoked device",
            Refusal::Lapsed { .. } => "certificate lapsed",
            Refusal::NotPinned(_) => "pinned to another certificate",
            Refusal::ClientId { .. } => "the client id is not the common name",
        };
        Self {
            reason: ReasonCode::NotAuthorized,
            class,
            cause: refusal.to_string(),
            told: told.to_owned(),
            remedy: policy.remedy_of_refusal(refusal, key),
        }
    }

    /// What the handshake accepted has lapsed since.
    fn lapsed(lapse: Lapse) -> Self {
        Self {
            reason: ReasonCode::NotAuthorized,
            cause: format!("the certificate, which the handshake accepted, is no longer good: {lapse}"),
            told: "this certificate is no longer accepted".to_owned(),
            class: "a certificate that is no longer good",
            remedy: Some(lapse.remedy().to_owned()),
        }
    }

    /// Answers `connect` with this and ends its connection.
    pub fn answer(&self, connect: &Connect<'_>, outbound: &Arc<Outbound>, wakes: &mut Wakes) {
        let terms = terms(connect, 0);
        let properties = words::reason_string(self.reason, &self.told, &terms);
        let answer = words::refusal(self.reason, properties.as_properties(), &terms);
        outbound.close_with(answer.as_ref(), connect.version, self.reason, wakes);
    }
}

fn terms(connect: &Connect<'_>, outgoing_topic_aliases: u16) -> Terms {
    let properties = connect.properties;
    Terms {
        version: connect.version,
        receive_maximum: properties.receive_maximum().unwrap_or(u16::MAX),
        maximum_packet_size: properties.maximum_packet_size().unwrap_or(u32::MAX),
        topic_aliases: properties.topic_alias_maximum().unwrap_or(0).min(outgoing_topic_aliases),
        problem_information: match (connect.version, properties.request_problem_information()) {
            (Version::V5, Some(true)) => ProblemInformation::Wanted,
            (Version::V5, None) => ProblemInformation::Allowed,
            (Version::V5, Some(false)) | (Version::V3_1 | Version::V3_1_1, _) => ProblemInformation::Unwanted,
        },
    }
}
