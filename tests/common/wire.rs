//! Just enough MQTT to talk to a broker, written from the standard and not with certmq's codec: an error that
//! encoder and decoder share would otherwise hide.

/// The protocol version that a test speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V3_1_1 = 4,
    V5 = 5,
}

/// The versions that every test of rights runs with.
pub(crate) const BOTH: [Version; 2] = [Version::V3_1_1, Version::V5];

impl Version {
    /// What `mosquitto_pub -V` calls it.
    pub(crate) fn mosquitto(self) -> &'static str {
        if self == Self::V5 { "mqttv5" } else { "mqttv311" }
    }

    /// "Not authorised" in a CONNACK.
    pub(crate) fn refused(self) -> u8 {
        if self == Self::V5 { 0x87 } else { 5 }
    }

    /// "Not authorised" in a SUBACK.
    pub(crate) fn filter_refused(self) -> u8 {
        if self == Self::V5 { 0x87 } else { 0x80 }
    }
}

pub(crate) const CONNECT: u8 = 1;
pub(crate) const CONNACK: u8 = 2;
pub(crate) const PUBLISH: u8 = 3;
pub(crate) const PUBACK: u8 = 4;
pub(crate) const PUBREC: u8 = 5;
pub(crate) const PUBREL: u8 = 6;
pub(crate) const PUBCOMP: u8 = 7;
pub(crate) const SUBSCRIBE: u8 = 8;
pub(crate) const SUBACK: u8 = 9;
pub(crate) const UNSUBSCRIBE: u8 = 10;
pub(crate) const UNSUBACK: u8 = 11;
pub(crate) const PINGREQ: u8 = 12;
pub(crate) const PINGRESP: u8 = 13;
pub(crate) const DISCONNECT: u8 = 14;
pub(crate) const AUTH: u8 = 15;

/// What a test wants in its CONNECT.
#[derive(Clone, Debug)]
pub(crate) struct Connect<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) clean: bool,
    pub(crate) keep_alive: u16,
    /// Seconds; only 5.0 can say it.
    pub(crate) session_expiry: u32,
    /// Topic and payload, QoS 1.
    pub(crate) will: Option<(&'a str, &'a [u8])>,
}

impl<'a> Connect<'a> {
    /// A session that ends with its connection.
    pub(crate) fn clean(client_id: &'a str) -> Self {
        Self { client_id, clean: true, keep_alive: 60, session_expiry: 0, will: None }
    }

    /// A session that waits for an hour.
    pub(crate) fn lasting(client_id: &'a str) -> Self {
        Self { clean: false, session_expiry: 3600, ..Self::clean(client_id) }
    }

    pub(crate) fn encode(&self, version: Version) -> Vec<u8> {
        let will = self.will.map_or(0, |_| 0b0000_1100);
        let mut body = text("MQTT");
        body.extend([version as u8, will | u8::from(self.clean) << 1]);
        body.extend(self.keep_alive.to_be_bytes());
        if version == Version::V5 {
            body.extend([5, 0x11]);
            body.extend(self.session_expiry.to_be_bytes());
        }
        body.extend(text(self.client_id));
        if let Some((topic, payload)) = self.will {
            body.extend(no_properties(version));
            body.extend(text(topic));
            body.extend(binary(payload));
        }
        packet(0x10, &body)
    }
}

/// PUBLISH; `id` counts above QoS 0.
pub(crate) fn publish(version: Version, topic: &str, payload: &[u8], qos: u8, retain: bool, id: u16) -> Vec<u8> {
    let mut body = text(topic);
    if qos > 0 {
        body.extend(id.to_be_bytes());
    }
    body.extend(no_properties(version));
    body.extend(payload);
    packet(0x30 | qos << 1 | u8::from(retain), &body)
}

pub(crate) fn subscribe(version: Version, id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend(no_properties(version));
    for (filter, qos) in filters {
        body.extend(text(filter));
        body.push(*qos);
    }
    packet(0x82, &body)
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP without a reason.
pub(crate) fn acknowledge(kind: u8, id: u16) -> Vec<u8> {
    let flags = if kind == PUBREL { 2 } else { 0 };
    packet(kind << 4 | flags, &id.to_be_bytes())
}

pub(crate) fn ping() -> Vec<u8> {
    packet(0xC0, &[])
}

pub(crate) fn disconnect() -> Vec<u8> {
    packet(0xE0, &[])
}

pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = body.len();
    loop {
        let digit = (length % 128) as u8;
        length /= 128;
        packet.push(if length > 0 { digit | 0x80 } else { digit });
        if length == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    binary(text.as_bytes())
}

pub(crate) fn binary(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("at most 65 535 bytes");
    [&length.to_be_bytes(), bytes].concat()
}

fn no_properties(version: Version) -> &'static [u8] {
    if version == Version::V5 { &[0] } else { &[] }
}

/// A packet as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) first: u8,
    pub(crate) body: Vec<u8>,
}

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) id: u16,
}

impl Packet {
    /// The packet at the front of `bytes` and its length, once it is whole.
    pub(crate) fn split(bytes: &[u8]) -> Option<(Self, usize)> {
        let first = *bytes.first()?;
        let mut length = 0;
        for (index, digit) in bytes.iter().skip(1).take(4).enumerate() {
            length |= usize::from(digit & 0x7F) << (7 * index);
            if digit & 0x80 == 0 {
                let begin = index + 2;
                let body = bytes.get(begin..begin + length)?.to_vec();
                return Some((Self { first, body }, begin + length));
            }
        }
        None
    }

    pub(crate) fn kind(&self) -> u8 {
        self.first >> 4
    }

    /// The reason (or return) code of a CONNACK, an acknowledgement or a DISCONNECT; absent means success.
    pub(crate) fn code(&self) -> u8 {
        let at = match self.kind() {
            CONNACK => 1,
            DISCONNECT => 0,
            _ => 2,
        };
        self.body.get(at).copied().unwrap_or(0)
    }

    pub(crate) fn session_present(&self) -> bool {
        self.kind() == CONNACK && self.body[0] & 1 == 1
    }

    /// The packet identifier of anything but a PUBLISH.
    pub(crate) fn id(&self) -> u16 {
        u16::from_be_bytes([self.body[0], self.body[1]])
    }

    /// The codes of a SUBACK.
    pub(crate) fn codes(&self, version: Version) -> Vec<u8> {
        let properties = if version == Version::V5 { 1 + usize::from(self.body[2]) } else { 0 };
        self.body[2 + properties..].to_vec()
    }

    /// A PUBLISH taken apart. Its properties must be shorter than 128 bytes.
    pub(crate) fn message(&self, version: Version) -> Message {
        assert_eq!(self.kind(), PUBLISH, "not a PUBLISH: {self:?}");
        let qos = self.first >> 1 & 3;
        let topic_end = 2 + usize::from(self.id());
        let id_end = topic_end + if qos > 0 { 2 } else { 0 };
        let properties = if version == Version::V5 { 1 + usize::from(self.body[id_end]) } else { 0 };
        Message {
            topic: String::from_utf8(self.body[2..topic_end].to_vec()).expect("a topic in UTF-8"),
            payload: self.body[id_end + properties..].to_vec(),
            qos,
            retain: self.first & 1 == 1,
            id: if qos > 0 { u16::from_be_bytes([self.body[topic_end], self.body[topic_end + 1]]) } else { 0 },
        }
    }
}
