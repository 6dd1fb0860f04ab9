//! The packets that a client may send, field by field, each in its plainest legal form.

use super::outcome::{Outcome, PROTOCOL, connack};
use super::properties::Carrier;
use super::script::{Begin, Version};
use super::wire::{Words, binary, hex, join, length, packet, text, variable, words};

/// What a field holds, which decides its faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Before it is read, nobody knows which version to answer in.
    Version,
    Number,
    PacketId,
    Name(Role),
    /// Will payload.
    Bytes,
    Password,
    Reason,
    Properties(Carrier),
    /// The payload of PUBLISH: all the rest.
    Rest,
}

/// What a string names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Topic,
    Filter,
    WillTopic,
    ClientId,
    UserName,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) words: Words,
    /// Whether the packet may end before it.
    pub(crate) optional: bool,
}

/// A packet in one version.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) version: Version,
    pub(crate) begin: Begin,
    pub(crate) first: u8,
    pub(crate) fields: Vec<Field>,
    /// What follows the legal form.
    pub(crate) outcome: Outcome,
}

impl Shape {
    /// Its body.
    pub(crate) fn body(&self) -> Words {
        self.fields.iter().flat_map(|field| field.words.clone()).collect()
    }

    /// Its body with another value in a field.
    pub(crate) fn with(&self, index: usize, value: &[String]) -> Words {
        let others = self.fields.iter().enumerate();
        others.flat_map(|(at, field)| if at == index { value.to_vec() } else { field.words.clone() }).collect()
    }

    pub(crate) fn type_number(&self) -> u8 {
        self.first >> 4
    }
}

fn field(name: &'static str, kind: Kind, words: Words) -> Field {
    Field { name, kind, words, optional: false }
}

fn optional(name: &'static str, kind: Kind, words: Words) -> Field {
    Field { name, kind, words, optional: true }
}

/// Every packet that a client may send in `version`.
pub(crate) fn shapes(version: Version) -> Vec<Shape> {
    let mut shapes = vec![plain_connect(version), full_connect(version)];
    shapes.extend([0, 1, 2].map(|qos| publish(version, qos)));
    shapes.extend(acks(version));
    shapes.extend([subscribe(version), unsubscribe(version)]);
    shapes.push(connected(version, "PINGREQ", 0xC0, Vec::new(), Outcome::Answer(words("D0 00"))));
    shapes.push(connected(version, "DISCONNECT", 0xE0, goodbye(version), Outcome::Silence));
    if version.is_v5() {
        let fields = vec![
            field("reason code", Kind::Reason, words("18")),
            field("properties", Kind::Properties(Carrier::Auth), words("04 15 0001 'm")),
        ];
        shapes.push(connected(version, "AUTH", 0xF0, fields, Outcome::Refused(PROTOCOL)));
    }
    shapes
}

fn connected(version: Version, name: &'static str, first: u8, fields: Vec<Field>, outcome: Outcome) -> Shape {
    Shape { name, version, begin: Begin::Connected, first, fields, outcome }
}

/// Protocol name, level.
pub(crate) fn protocol(version: Version) -> (Words, Words) {
    match version {
        Version::V3_1 => (text("MQIsdp"), words("03")),
        Version::V3_1_1 => (text("MQTT"), words("04")),
        Version::V5 => (text("MQTT"), words("05")),
    }
}

fn connect_head(version: Version, flags: &str) -> Vec<Field> {
    let (name, level) = protocol(version);
    let mut fields = vec![
        field("protocol name", Kind::Version, name),
        field("protocol level", Kind::Version, level),
        field("connect flags", Kind::Number, words(flags)),
        field("keep alive", Kind::Number, words("003C")),
    ];
    if version.is_v5() {
        fields.push(field("properties", Kind::Properties(Carrier::Connect), words("00")));
    }
    fields.push(field("client identifier", Kind::Name(Role::ClientId), text("{id}")));
    fields
}

/// CONNECT with a client identifier alone.
pub(crate) fn plain_connect(version: Version) -> Shape {
    Shape {
        name: "CONNECT",
        version,
        begin: Begin::Handshake,
        first: 0x10,
        fields: connect_head(version, "02"),
        outcome: Outcome::Answer(connack(version)),
    }
}

fn full_connect(version: Version) -> Shape {
    let mut fields = connect_head(version, "C6");
    if version.is_v5() {
        fields.push(field("will properties", Kind::Properties(Carrier::Will), words("00")));
    }
    // MQTT 3.1 lets credentials be left out whatever the flags say.
    let credentials = |name, kind, words| Field { name, kind, words, optional: version == Version::V3_1 };
    fields.push(field("will topic", Kind::Name(Role::WillTopic), text("{topic}/will")));
    fields.push(field("will payload", Kind::Bytes, binary("é".as_bytes())));
    fields.push(credentials("user name", Kind::Name(Role::UserName), text("user")));
    fields.push(credentials("password", Kind::Password, binary(&[0, 0xFF])));
    Shape { name: "CONNECT with all", fields, ..plain_connect(version) }
}

fn publish(version: Version, qos: u8) -> Shape {
    let name = ["PUBLISH QoS 0", "PUBLISH QoS 1", "PUBLISH QoS 2"][usize::from(qos)];
    let mut fields = vec![field("topic", Kind::Name(Role::Topic), text("{topic}"))];
    if qos > 0 {
        fields.push(field("packet identifier", Kind::PacketId, words("04D2")));
    }
    if version.is_v5() {
        fields.push(field("properties", Kind::Properties(Carrier::Publish), words("00")));
    }
    fields.push(Field { optional: true, ..field("payload", Kind::Rest, words("'payload")) });
    connected(version, name, 0x30 | qos << 1, fields, published(version, qos))
}

/// What a publication to nobody brings: QoS 1 is told so.
pub(crate) fn published(version: Version, qos: u8) -> Outcome {
    match (qos, version) {
        (0, _) => Outcome::Accepted,
        (1, Version::V5) => Outcome::Answer(words("40 03 04D2 10")),
        (1, _) => Outcome::Answer(words("40 02 04D2")),
        _ => Outcome::Answer(words("50 02 04D2")),
    }
}

/// Acknowledgements of what was never sent: harmless.
fn acks(version: Version) -> [Shape; 4] {
    let of = |name, first, answer: Option<&str>| {
        let mut fields = vec![field("packet identifier", Kind::PacketId, words("0001"))];
        if version.is_v5() {
            fields.push(optional("reason code", Kind::Reason, words("00")));
            fields.push(optional("properties", Kind::Properties(Carrier::Ack), words("00")));
        }
        let outcome = answer.map_or(Outcome::Accepted, |answer| Outcome::Answer(words(answer)));
        connected(version, name, first, fields, outcome)
    };
    [
        of("PUBACK", 0x40, None),
        of("PUBREC", 0x50, Some("62 02 0001")),
        of("PUBREL", 0x62, Some("70 02 0001")),
        of("PUBCOMP", 0x70, None),
    ]
}

fn request_head(version: Version, carrier: Carrier) -> Vec<Field> {
    let mut fields = vec![field("packet identifier", Kind::PacketId, words("04D2"))];
    if version.is_v5() {
        fields.push(field("properties", Kind::Properties(carrier), words("00")));
    }
    fields
}

pub(crate) fn subscribe(version: Version) -> Shape {
    let mut fields = request_head(version, Carrier::Subscribe);
    fields.push(field("filter", Kind::Name(Role::Filter), text("{topic}")));
    fields.push(field("options", Kind::Number, words("01")));
    connected(version, "SUBSCRIBE", 0x82, fields, granted(version, 1))
}

/// SUBACK for one filter.
pub(crate) fn granted(version: Version, code: u8) -> Outcome {
    Outcome::Answer(words(&match version {
        Version::V5 => format!("90 04 04D2 00 {code:02X}"),
        Version::V3_1 | Version::V3_1_1 => format!("90 03 04D2 {code:02X}"),
    }))
}

/// SUBACK for `filter`, which the client has no right to; a 5.0 client is told in words (docs/decisions/0008).
pub(crate) fn denied(version: Version, filter: &str) -> Outcome {
    if !version.is_v5() {
        return granted(version, 0x80);
    }
    const WORDS: usize = "no right to subscribe to ".len();
    let named = vec![format!("'{filter}")];
    let told = join(&[&words(&format!("1F {:04X} ?{WORDS}", WORDS + length(&named))), &named]);
    let properties = join(&[&[hex(&variable(length(&told)))], &told]);
    Outcome::Answer(packet(0x90, &join(&[&words("04D2"), &properties, &words("87")])))
}

pub(crate) fn unsubscribe(version: Version) -> Shape {
    let mut fields = request_head(version, Carrier::Unsubscribe);
    fields.push(field("filter", Kind::Name(Role::Filter), text("{topic}")));
    let answer = if version.is_v5() { "B0 04 04D2 00 11" } else { "B0 02 04D2" };
    connected(version, "UNSUBSCRIBE", 0xA2, fields, Outcome::Answer(words(answer)))
}

fn goodbye(version: Version) -> Vec<Field> {
    match version {
        Version::V3_1 | Version::V3_1_1 => Vec::new(),
        Version::V5 => vec![
            optional("reason code", Kind::Reason, words("00")),
            optional("properties", Kind::Properties(Carrier::Disconnect), words("00")),
        ],
    }
}
