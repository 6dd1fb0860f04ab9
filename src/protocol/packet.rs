//! The control packets as values. Every `'a` borrows the buffer that was decoded.

use super::{PacketId, Properties, QoS, ReasonCode, TopicFilter, TopicName, Version};

/// Any control packet (MQTT 5.0 section 3).
#[derive(Clone, Debug, PartialEq)]
pub enum Packet<'a> {
    /// Section 3.1.
    Connect(Connect<'a>),
    /// Section 3.2.
    ConnAck(ConnAck<'a>),
    /// Section 3.3.
    Publish(Publish<'a>),
    /// Section 3.4.
    PubAck(Ack<'a>),
    /// Section 3.5.
    PubRec(Ack<'a>),
    /// Section 3.6.
    PubRel(Ack<'a>),
    /// Section 3.7.
    PubComp(Ack<'a>),
    /// Section 3.8.
    Subscribe(Subscribe<'a>),
    /// Section 3.9.
    SubAck(SubAck<'a>),
    /// Section 3.10.
    Unsubscribe(Unsubscribe<'a>),
    /// Section 3.11.
    UnsubAck(UnsubAck<'a>),
    /// Section 3.12.
    PingReq,
    /// Section 3.13.
    PingResp,
    /// Section 3.14.
    Disconnect(Disconnect<'a>),
    /// Section 3.15, MQTT 5.0 only.
    Auth(Auth<'a>),
}

/// The type of a control packet: the high half of its first byte (section 2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the standard's own words")]
pub enum PacketType {
    Connect = 1,
    ConnAck = 2,
    Publish = 3,
    PubAck = 4,
    PubRec = 5,
    PubRel = 6,
    PubComp = 7,
    Subscribe = 8,
    SubAck = 9,
    Unsubscribe = 10,
    UnsubAck = 11,
    PingReq = 12,
    PingResp = 13,
    Disconnect = 14,
    Auth = 15,
}

/// CONNECT. `properties` is empty before 5.0, as in every packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Connect<'a> {
    /// From protocol name and level.
    pub version: Version,
    /// Clean start (5.0) or clean session (3.x).
    pub clean_start: bool,
    /// Seconds; 0 turns keep alive off.
    pub keep_alive: u16,
    /// May be empty: then the server assigns one.
    pub client_id: &'a str,
    /// The will, where the will flag is set.
    pub will: Option<Will<'a>>,
    /// Never an identity here: the certificate is.
    pub username: Option<&'a str>,
    /// Never an identity here.
    pub password: Option<&'a [u8]>,
    /// CONNECT properties.
    pub properties: Properties<'a>,
}

/// The will of a CONNECT (section 3.1.3.2 and following).
#[derive(Clone, Debug, PartialEq)]
pub struct Will<'a> {
    /// Where it will be published.
    pub topic: TopicName<'a>,
    /// What will be published.
    pub payload: &'a [u8],
    /// With which QoS.
    pub qos: QoS,
    /// Whether it will be retained.
    pub retain: bool,
    /// Will properties.
    pub properties: Properties<'a>,
}

/// CONNACK.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnAck<'a> {
    /// Whether the server kept a session of this client.
    pub session_present: bool,
    /// On a 3.x wire the nearest of its six return codes.
    pub reason: ReasonCode,
    /// CONNACK properties.
    pub properties: Properties<'a>,
}

/// PUBLISH.
#[derive(Clone, Debug, PartialEq)]
pub struct Publish<'a> {
    /// Set on a retransmission; never with QoS 0 `[MQTT-3.3.1-2]`.
    pub dup: bool,
    /// Quality of service.
    pub qos: QoS,
    /// Retain flag.
    pub retain: bool,
    /// `None` only in 5.0 with a topic alias property.
    pub topic: Option<TopicName<'a>>,
    /// `Some` exactly when `qos` is above 0.
    pub packet_id: Option<PacketId>,
    /// PUBLISH properties.
    pub properties: Properties<'a>,
    /// The application message.
    pub payload: &'a [u8],
}

/// The shape of PUBACK, PUBREC, PUBREL and PUBCOMP. Before 5.0 the reason is always `Success`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ack<'a> {
    /// Which message.
    pub packet_id: PacketId,
    /// What became of it.
    pub reason: ReasonCode,
    /// Properties of the acknowledgement.
    pub properties: Properties<'a>,
}

/// SUBSCRIBE.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscribe<'a> {
    /// Answered in SUBACK.
    pub packet_id: PacketId,
    /// SUBSCRIBE properties.
    pub properties: Properties<'a>,
    /// At least one, in the order of the packet.
    pub requests: Vec<SubscribeRequest>,
}

/// One filter of a SUBSCRIBE with its options.
#[derive(Clone, Debug, PartialEq)]
pub struct SubscribeRequest {
    /// Parsed, `$share` taken apart.
    pub filter: TopicFilter,
    /// Before 5.0 only `qos` varies.
    pub options: SubscriptionOptions,
}

/// Subscription options (section 3.8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// Highest QoS the subscriber wants.
    pub qos: QoS,
    /// Do not return my own publications.
    pub no_local: bool,
    /// Forward the retain flag as it was published.
    pub retain_as_published: bool,
    /// Which retained messages to send at subscribe.
    pub retain_handling: RetainHandling,
}

/// Retain handling (section 3.8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RetainHandling {
    /// Send retained messages at every subscribe.
    OnSubscribe = 0,
    /// Only where the subscription did not exist.
    OnNewSubscription = 1,
    /// Never.
    Never = 2,
}

/// SUBACK.
#[derive(Clone, Debug, PartialEq)]
pub struct SubAck<'a> {
    /// From the SUBSCRIBE.
    pub packet_id: PacketId,
    /// SUBACK properties.
    pub properties: Properties<'a>,
    /// One per requested filter, in its order. On a 3.x wire every refusal is 0x80.
    pub reasons: Vec<ReasonCode>,
}

/// UNSUBSCRIBE.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsubscribe<'a> {
    /// Answered in UNSUBACK.
    pub packet_id: PacketId,
    /// UNSUBSCRIBE properties.
    pub properties: Properties<'a>,
    /// At least one, in the order of the packet.
    pub filters: Vec<TopicFilter>,
}

/// UNSUBACK. Before 5.0 it carries no reasons.
#[derive(Clone, Debug, PartialEq)]
pub struct UnsubAck<'a> {
    /// From the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// UNSUBACK properties.
    pub properties: Properties<'a>,
    /// One per filter, in its order.
    pub reasons: Vec<ReasonCode>,
}

/// DISCONNECT. Before 5.0 the reason is always `Success` (a normal disconnection).
#[derive(Clone, Debug, PartialEq)]
pub struct Disconnect<'a> {
    /// Why.
    pub reason: ReasonCode,
    /// DISCONNECT properties.
    pub properties: Properties<'a>,
}

/// AUTH (5.0).
#[derive(Clone, Debug, PartialEq)]
pub struct Auth<'a> {
    /// Success, continue or re-authenticate.
    pub reason: ReasonCode,
    /// AUTH properties.
    pub properties: Properties<'a>,
}

impl PacketType {
    /// Every type, in the order of its number.
    pub const ALL: [Self; 15] = [
        Self::Connect,
        Self::ConnAck,
        Self::Publish,
        Self::PubAck,
        Self::PubRec,
        Self::PubRel,
        Self::PubComp,
        Self::Subscribe,
        Self::SubAck,
        Self::Unsubscribe,
        Self::UnsubAck,
        Self::PingReq,
        Self::PingResp,
        Self::Disconnect,
        Self::Auth,
    ];

    /// The type that the first byte of a packet tells; `None` for the reserved type 0.
    pub fn of_first_byte(byte: u8) -> Option<Self> {
        let number = usize::from(byte >> 4);
        Self::ALL.get(number.checked_sub(1)?).copied()
    }
}

impl Packet<'_> {
    /// Which of the fifteen it is.
    pub fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::SubAck(_) => PacketType::SubAck,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::UnsubAck(_) => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }
}

impl Ack<'_> {
    /// An acknowledgement without properties.
    pub fn new(packet_id: PacketId, reason: ReasonCode) -> Self {
        Self { packet_id, reason, properties: Properties::default() }
    }
}

impl ConnAck<'_> {
    /// A refusal without properties; never with a session `[MQTT-3.2.2-6]`.
    pub fn refusal(reason: ReasonCode) -> Self {
        Self { session_present: false, reason, properties: Properties::default() }
    }
}

impl Disconnect<'_> {
    /// A DISCONNECT without properties.
    pub fn new(reason: ReasonCode) -> Self {
        Self { reason, properties: Properties::default() }
    }
}

impl SubscriptionOptions {
    /// What a 3.x client asks for, and a 5.0 client with all options 0: only a QoS.
    pub fn new(qos: QoS) -> Self {
        Self { qos, no_local: false, retain_as_published: false, retain_handling: RetainHandling::OnSubscribe }
    }
}

impl RetainHandling {
    /// The handling that two bits of the subscription options stand for; there are three.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::OnSubscribe),
            1 => Some(Self::OnNewSubscription),
            2 => Some(Self::Never),
            _ => None,
        }
    }
}
