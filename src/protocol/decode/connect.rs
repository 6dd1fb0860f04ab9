//! CONNECT and its answer (sections 3.1 and 3.2).

use super::header::{self, Frame};
use super::{Body, Decoded};
use crate::protocol::read::{Reader, identifier};
use crate::protocol::{
    Carrier, ConnAck, Connect, DecodeError, Packet, PacketType, Properties, QoS, ReasonCode, Sender, TopicName,
    Version, Will,
};

const BAD_CREDENTIALS: DecodeError = DecodeError::Unanswered("a user name or password that cannot be read");

pub(super) fn decode_first(input: &[u8], maximum: u32) -> Result<Decoded<'_>, DecodeError> {
    let Some(&first) = input.first() else {
        return Ok(Decoded::Incomplete { needed: header::SHORTEST_PACKET });
    };
    if PacketType::of_first_byte(first) != Some(PacketType::Connect) {
        return Err(DecodeError::Unanswered("the first packet is not CONNECT [MQTT-3.1.0-1]"));
    }
    if first & 0x0F != 0 {
        return Err(DecodeError::Malformed("reserved flags of the fixed header [MQTT-2.1.3-1]"));
    }
    header::judge_framing(input, PacketType::Connect)?;
    Ok(match header::frame(input, PacketType::Connect, Version::V5, maximum)? {
        Frame::Partial { needed } => Decoded::Incomplete { needed },
        Frame::Whole { body, length } => {
            Decoded::Packet { packet: Packet::Connect(connect(Reader::new(body))?), length }
        }
    })
}

/// The version in which a refused CONNECT can be answered, from as many bytes as there are.
pub(super) fn answer_in(input: &[u8]) -> Option<Version> {
    let mut reader = Reader::new(input);
    if PacketType::of_first_byte(reader.u8().ok()?) != Some(PacketType::Connect) {
        return None;
    }
    reader.variable_byte_integer().ok()?;
    let name = reader.binary().ok()?;
    match version(name, reader.u8().ok()?) {
        Ok(version) => Some(version),
        // Bit 7 of the level marks a bridge, which falls back to a plain 3.x client on CONNACK 1.
        Err(DecodeError::UnsupportedVersion { level }) => match (name, level & 0x7F) {
            (b"MQTT", 5..) => Some(Version::V5),
            _ => Some(Version::V3_1_1),
        },
        Err(_) => None,
    }
}

fn connect(mut reader: Reader<'_>) -> Result<Connect<'_>, DecodeError> {
    let version = version(reader.binary()?, reader.u8()?)?;
    let flags = ConnectFlags::parse(reader.u8()?, version)?;
    let keep_alive = reader.u16()?;
    let properties = properties(&mut reader, version, Carrier::Packet(PacketType::Connect))?;
    let client_id = client_id(&mut reader, version)?;
    if client_id.is_empty() && version == Version::V3_1 {
        return Err(DecodeError::ClientId("MQTT 3.1 has no empty client identifier (3.1 section 3.1)"));
    }
    let will = match flags.will {
        Some(flags) => Some(will(&mut reader, version, flags)?),
        None => None,
    };
    let username = match flags.username && !left_out(&reader, version) {
        true => Some(reader.identifier().map_err(|_| BAD_CREDENTIALS)?),
        false => None,
    };
    let password = match flags.password && !left_out(&reader, version) {
        true => Some(reader.binary().map_err(|_| BAD_CREDENTIALS)?),
        false => None,
    };
    reader.finish()?;
    Ok(Connect { version, clean_start: flags.clean_start, keep_alive, client_id, will, username, password, properties })
}

/// Only 5.0 has a way to say that it is the client identifier.
fn client_id<'a>(reader: &mut Reader<'a>, version: Version) -> Result<&'a str, DecodeError> {
    let bytes = reader.binary()?;
    identifier(bytes).map_err(|fault| match version {
        Version::V3_1 | Version::V3_1_1 => fault,
        Version::V5 => DecodeError::ClientId("not UTF-8, or with characters that are none [MQTT-3.1.3-4]"),
    })
}

/// MQTT 3.1 lets the packet end where its flags promise a user name or password: the length has the last word
/// (3.1 section 3.1).
fn left_out(reader: &Reader<'_>, version: Version) -> bool {
    version == Version::V3_1 && reader.is_empty()
}

fn version(name: &[u8], level: u8) -> Result<Version, DecodeError> {
    match (name, level) {
        (b"MQIsdp", 3) => Ok(Version::V3_1),
        (b"MQTT", 4) => Ok(Version::V3_1_1),
        (b"MQTT", 5) => Ok(Version::V5),
        (b"MQTT" | b"MQIsdp", level) => Err(DecodeError::UnsupportedVersion { level }),
        _ => Err(DecodeError::ProtocolName),
    }
}

fn properties<'a>(reader: &mut Reader<'a>, version: Version, carrier: Carrier) -> Result<Properties<'a>, DecodeError> {
    match version {
        Version::V3_1 | Version::V3_1_1 => Ok(Properties::default()),
        Version::V5 => Properties::read(reader, carrier, Sender::Client),
    }
}

fn will<'a>(reader: &mut Reader<'a>, version: Version, flags: WillFlags) -> Result<Will<'a>, DecodeError> {
    let properties = properties(reader, version, Carrier::Will)?;
    let topic = TopicName::parse(reader.identifier()?).map_err(DecodeError::TopicName)?;
    let payload = reader.binary()?;
    Ok(Will { topic, payload, qos: flags.qos, retain: flags.retain, properties })
}

/// Section 3.1.2.3 and following.
struct ConnectFlags {
    clean_start: bool,
    will: Option<WillFlags>,
    username: bool,
    password: bool,
}

struct WillFlags {
    qos: QoS,
    retain: bool,
}

impl ConnectFlags {
    fn parse(byte: u8, version: Version) -> Result<Self, DecodeError> {
        let set = |bit: u8| byte & 1 << bit != 0;
        // MQTT 3.1 calls the bit unused, and the will's bits meaningless without a will.
        let strict = version > Version::V3_1;
        if set(0) && strict {
            return Err(DecodeError::Malformed("the reserved CONNECT flag [MQTT-3.1.2-3]"));
        }
        let will_bits = byte >> 3 & 0b111;
        if !set(2) && will_bits != 0 && strict {
            return Err(DecodeError::Malformed("will QoS or retain without a will [MQTT-3.1.2-11], [MQTT-3.1.2-13]"));
        }
        if set(6) && !set(7) && version < Version::V5 {
            return Err(DecodeError::Malformed("a password without a user name (3.1.1 [MQTT-3.1.2-22])"));
        }
        let will = match set(2) {
            true => Some(WillFlags {
                qos: QoS::from_bits(will_bits & 0b11).ok_or(DecodeError::Malformed("will QoS 3 [MQTT-3.1.2-12]"))?,
                retain: set(5),
            }),
            false => None,
        };
        Ok(Self { clean_start: set(1), will, username: set(7), password: set(6) })
    }
}

impl<'a> Body<'a> {
    pub(super) fn connack(mut self) -> Result<ConnAck<'a>, DecodeError> {
        let flags = self.reader.u8()?;
        let code = self.connack_reason()?;
        let properties = self.properties()?;
        // MQTT 3.1 calls the whole byte unused.
        let (reserved, session_present) = match self.version {
            Version::V3_1 => (0, false),
            Version::V3_1_1 | Version::V5 => (flags & 0xFE, flags & 1 != 0),
        };
        if reserved != 0 {
            return Err(DecodeError::Malformed("reserved CONNACK flags [MQTT-3.2.2-1]"));
        }
        if session_present && code.is_error() {
            return Err(DecodeError::Protocol("a session is present in a refusal [MQTT-3.2.2-6]"));
        }
        self.reader.finish()?;
        Ok(ConnAck { session_present, reason: code, properties })
    }

    fn connack_reason(&mut self) -> Result<ReasonCode, DecodeError> {
        match self.version {
            Version::V5 => self.reason(),
            Version::V3_1 | Version::V3_1_1 => ReasonCode::from_connack_return_code(self.reader.u8()?)
                .ok_or(DecodeError::Malformed("a reserved CONNACK return code (3.1.1 section 3.2.2.3)")),
        }
    }
}
