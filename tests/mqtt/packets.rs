//! Packets with everything a test may want to vary, and what comes back with its properties. Written from the
//! standard, like `common::wire`.

use crate::common::client::RawClient;
use crate::common::wire::{self, Packet, Version, binary, packet, text};

/// A PUBLISH, field by field.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Publish<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: u8,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
    /// Counts above QoS 0.
    pub(crate) id: u16,
    /// 5.0 only.
    pub(crate) properties: &'a [u8],
}

impl Publish<'_> {
    pub(crate) fn encode(&self, version: Version) -> Vec<u8> {
        let mut body = text(self.topic);
        if self.qos > 0 {
            body.extend(self.id.to_be_bytes());
        }
        body.extend(section(version, self.properties));
        body.extend(self.payload);
        packet(0x30 | u8::from(self.dup) << 3 | self.qos << 1 | u8::from(self.retain), &body)
    }
}

/// The bits of the connect flags.
pub(crate) mod flags {
    pub(crate) const CLEAN: u8 = 1 << 1;
    pub(crate) const WILL: u8 = 1 << 2;
    pub(crate) const WILL_QOS_1: u8 = 1 << 3;
    pub(crate) const WILL_QOS_2: u8 = 2 << 3;
    pub(crate) const WILL_RETAIN: u8 = 1 << 5;
    pub(crate) const PASSWORD: u8 = 1 << 6;
    pub(crate) const USER_NAME: u8 = 1 << 7;
}

/// A CONNECT, byte by byte; keep alive is 60 s.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawConnect<'a> {
    pub(crate) name: &'a str,
    pub(crate) level: u8,
    pub(crate) flags: u8,
    pub(crate) properties: &'a [u8],
    /// Client id and what follows, each with its length.
    pub(crate) payload: &'a [u8],
}

impl<'a> RawConnect<'a> {
    pub(crate) fn new(version: Version, flags: u8, payload: &'a [u8]) -> Self {
        Self { name: "MQTT", level: version as u8, flags, properties: &[], payload }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = text(self.name);
        body.extend([self.level, self.flags, 0, 60]);
        if self.level == Version::V5 as u8 {
            body.extend(section(Version::V5, self.properties));
        }
        body.extend(self.payload);
        packet(wire::CONNECT << 4, &body)
    }
}

/// SUBSCRIBE with properties.
pub(crate) fn subscribe(version: Version, id: u16, properties: &[u8], filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend(section(version, properties));
    for (filter, options) in filters {
        body.extend(text(filter));
        body.push(*options);
    }
    packet(0x82, &body)
}

pub(crate) fn unsubscribe(version: Version, id: u16, filters: &[&str]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend(section(version, &[]));
    for filter in filters {
        body.extend(text(filter));
    }
    packet(0xA2, &body)
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP with a reason code (5.0).
pub(crate) fn acknowledge_with(kind: u8, id: u16, reason: u8) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    packet(kind << 4 | if kind == wire::PUBREL { 2 } else { 0 }, &[high, low, reason])
}

/// DISCONNECT with a reason code and properties (5.0).
pub(crate) fn disconnect_with(reason: u8, properties: &[u8]) -> Vec<u8> {
    packet(wire::DISCONNECT << 4, &[&[reason], &section(Version::V5, properties)[..]].concat())
}

/// A property section with its length; nothing before 5.0.
pub(crate) fn section(version: Version, properties: &[u8]) -> Vec<u8> {
    let length = u8::try_from(properties.len()).expect("a short section");
    match (version, length) {
        (Version::V3_1_1, _) => Vec::new(),
        (Version::V5, 0..128) => [&[length], properties].concat(),
        (Version::V5, _) => [&[length, 1], properties].concat(),
    }
}

/// Properties by their identifiers.
pub(crate) mod property {
    use super::{binary, text};

    pub(crate) const PAYLOAD_FORMAT: u8 = 0x01;
    pub(crate) const MESSAGE_EXPIRY: u8 = 0x02;
    pub(crate) const CONTENT_TYPE: u8 = 0x03;
    pub(crate) const RESPONSE_TOPIC: u8 = 0x08;
    pub(crate) const CORRELATION_DATA: u8 = 0x09;
    pub(crate) const SUBSCRIPTION_IDENTIFIER: u8 = 0x0B;
    pub(crate) const SESSION_EXPIRY: u8 = 0x11;
    pub(crate) const ASSIGNED_CLIENT_ID: u8 = 0x12;
    pub(crate) const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub(crate) const AUTHENTICATION_METHOD: u8 = 0x15;
    pub(crate) const PROBLEM_INFORMATION: u8 = 0x17;
    pub(crate) const WILL_DELAY: u8 = 0x18;
    pub(crate) const RESPONSE_INFORMATION: u8 = 0x19;
    pub(crate) const RESPONSE_INFORMATION_ANSWER: u8 = 0x1A;
    pub(crate) const REASON_STRING: u8 = 0x1F;
    pub(crate) const RECEIVE_MAXIMUM: u8 = 0x21;
    pub(crate) const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
    pub(crate) const TOPIC_ALIAS: u8 = 0x23;
    pub(crate) const MAXIMUM_QOS: u8 = 0x24;
    pub(crate) const RETAIN_AVAILABLE: u8 = 0x25;
    pub(crate) const USER_PROPERTY: u8 = 0x26;
    pub(crate) const MAXIMUM_PACKET_SIZE: u8 = 0x27;

    pub(crate) fn byte(id: u8, value: u8) -> Vec<u8> {
        vec![id, value]
    }

    pub(crate) fn two(id: u8, value: u16) -> Vec<u8> {
        [&[id], &value.to_be_bytes()[..]].concat()
    }

    pub(crate) fn four(id: u8, value: u32) -> Vec<u8> {
        [&[id], &value.to_be_bytes()[..]].concat()
    }

    /// A string or binary data.
    pub(crate) fn long(id: u8, value: &[u8]) -> Vec<u8> {
        [&[id], &binary(value)[..]].concat()
    }

    pub(crate) fn pair(name: &str, value: &str) -> Vec<u8> {
        [&[USER_PROPERTY], &text(name)[..], &text(value)].concat()
    }
}

/// A property that came: its identifier and the bytes of its value, lengths included.
pub(crate) type Received = (u8, Vec<u8>);

/// Takes a property section apart; returns it and how many bytes it took.
pub(crate) fn read_section(bytes: &[u8]) -> (Vec<Received>, usize) {
    let (length, start) = variable(bytes);
    let (mut rest, mut found) = (&bytes[start..start + length], Vec::new());
    while let Some((&id, value)) = rest.split_first() {
        let string = |at: usize| 2 + usize::from(u16::from_be_bytes([value[at], value[at + 1]]));
        let size = match id {
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28..=0x2A => 1,
            0x13 | 0x21..=0x23 => 2,
            0x02 | 0x11 | 0x18 | 0x27 => 4,
            property::SUBSCRIPTION_IDENTIFIER => variable(value).1,
            property::USER_PROPERTY => string(0) + string(string(0)),
            _ => string(0),
        };
        found.push((id, value[..size].to_vec()));
        rest = &value[size..];
    }
    (found, start + length)
}

/// A variable byte integer and its length.
fn variable(bytes: &[u8]) -> (usize, usize) {
    let last = bytes.iter().position(|byte| byte & 0x80 == 0).expect("an end");
    let value = bytes[..=last].iter().rev().fold(0, |value, byte| value << 7 | usize::from(byte & 0x7F));
    (value, last + 1)
}

/// The properties of a CONNACK, of an acknowledgement, SUBACK or UNSUBACK, or of a DISCONNECT.
pub(crate) fn properties(packet: &Packet) -> Vec<Received> {
    let at = match packet.kind() {
        wire::DISCONNECT => 1,
        wire::CONNACK | wire::SUBACK | wire::UNSUBACK => 2,
        _ => 3,
    };
    packet.body.get(at..).filter(|rest| !rest.is_empty()).map_or_else(Vec::new, |rest| read_section(rest).0)
}

/// The values of the properties with this identifier.
pub(crate) fn values(properties: &[Received], id: u8) -> Vec<&[u8]> {
    properties.iter().filter(|(one, _)| *one == id).map(|(_, value)| &value[..]).collect()
}

/// A message as it came, with everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
    /// 0 with QoS 0.
    pub(crate) id: u16,
    pub(crate) properties: Vec<Received>,
}

impl Delivery {
    /// The next packet of the client, which must be a message. It is not acknowledged.
    #[track_caller]
    pub(crate) fn next(client: &mut RawClient) -> Self {
        let version = client.version;
        Self::of(&client.expect(wire::PUBLISH), version)
    }

    #[track_caller]
    pub(crate) fn of(packet: &Packet, version: Version) -> Self {
        assert_eq!(packet.kind(), wire::PUBLISH, "not a PUBLISH: {packet:?}");
        let topic_end = 2 + usize::from(packet.id());
        let qos = packet.first >> 1 & 3;
        let id_end = topic_end + if qos > 0 { 2 } else { 0 };
        let (properties, length) = match version {
            Version::V5 => read_section(&packet.body[id_end..]),
            Version::V3_1_1 => (Vec::new(), 0),
        };
        Self {
            topic: String::from_utf8(packet.body[2..topic_end].to_vec()).expect("a topic in UTF-8"),
            payload: packet.body[id_end + length..].to_vec(),
            qos,
            dup: packet.first & 0b1000 != 0,
            retain: packet.first & 1 != 0,
            id: if qos > 0 { u16::from_be_bytes([packet.body[topic_end], packet.body[topic_end + 1]]) } else { 0 },
            properties,
        }
    }
}
