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
    /// Never an identity here: the certificate is (security ledger T9).
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
