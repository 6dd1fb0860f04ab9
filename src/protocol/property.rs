//! The 27 properties of MQTT 5.0 (section 2.2.2.2) and the sections that carry them.

use super::QoS;

/// One property.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Property<'a> {
    /// 0x01: 1 means that the payload is UTF-8.
    PayloadFormatIndicator(u8),
    /// 0x02, seconds.
    MessageExpiryInterval(u32),
    /// 0x03.
    ContentType(&'a str),
    /// 0x08.
    ResponseTopic(&'a str),
    /// 0x09.
    CorrelationData(&'a [u8]),
    /// 0x0B, 1 to 268 435 455.
    SubscriptionIdentifier(u32),
    /// 0x11, seconds; `u32::MAX` never expires.
    SessionExpiryInterval(u32),
    /// 0x12.
    AssignedClientIdentifier(&'a str),
    /// 0x13, seconds.
    ServerKeepAlive(u16),
    /// 0x15.
    AuthenticationMethod(&'a str),
    /// 0x16.
    AuthenticationData(&'a [u8]),
    /// 0x17.
    RequestProblemInformation(bool),
    /// 0x18, seconds.
    WillDelayInterval(u32),
    /// 0x19.
    RequestResponseInformation(bool),
    /// 0x1A.
    ResponseInformation(&'a str),
    /// 0x1C.
    ServerReference(&'a str),
    /// 0x1F.
    ReasonString(&'a str),
    /// 0x21, never 0.
    ReceiveMaximum(u16),
    /// 0x22.
    TopicAliasMaximum(u16),
    /// 0x23, never 0.
    TopicAlias(u16),
    /// 0x24, 0 or 1.
    MaximumQoS(QoS),
    /// 0x25.
    RetainAvailable(bool),
    /// 0x26, name and value; the only one that may repeat everywhere.
    UserProperty(&'a str, &'a str),
    /// 0x27, bytes, never 0.
    MaximumPacketSize(u32),
    /// 0x28.
    WildcardSubscriptionAvailable(bool),
    /// 0x29.
    SubscriptionIdentifierAvailable(bool),
    /// 0x2A.
    SharedSubscriptionAvailable(bool),
}

/// A property section that was validated for its packet. Reading it again cannot fail and allocates nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Properties<'a> {
    raw: &'a [u8],
}

/// A property section under construction, for packets that are sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PropertiesBuf {
    raw: Vec<u8>,
}
