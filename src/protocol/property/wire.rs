//! One property as bytes: its identifier and its value.

use super::Property;
use crate::protocol::read::Reader;
use crate::protocol::write::VariableByteInteger;
use crate::protocol::{DecodeError, Inexpressible, QoS, TopicName};

impl<'a> Property<'a> {
    /// Reads one property and judges its value.
    #[inline]
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        // The identifier is a variable byte integer, but none in use has a second byte.
        Ok(match reader.u8()? {
            0x01 => Self::PayloadFormatIndicator(u8::from(bit(reader)?)),
            0x02 => Self::MessageExpiryInterval(reader.u32()?),
            0x03 => Self::ContentType(reader.string()?),
            0x08 => Self::ResponseTopic(response_topic(reader)?),
            0x09 => Self::CorrelationData(reader.binary()?),
            0x0B => Self::SubscriptionIdentifier(above_zero(
                reader.variable_byte_integer()?,
                "a subscription identifier of 0 (section 3.8.2.1.2)",
            )?),
            0x11 => Self::SessionExpiryInterval(reader.u32()?),
            0x12 => Self::AssignedClientIdentifier(reader.string()?),
            0x13 => Self::ServerKeepAlive(reader.u16()?),
            0x15 => Self::AuthenticationMethod(reader.string()?),
            0x16 => Self::AuthenticationData(reader.binary()?),
            0x17 => Self::RequestProblemInformation(bit(reader)?),
            0x18 => Self::WillDelayInterval(reader.u32()?),
            0x19 => Self::RequestResponseInformation(bit(reader)?),
            0x1A => Self::ResponseInformation(reader.string()?),
            0x1C => Self::ServerReference(reader.string()?),
            0x1F => Self::ReasonString(reader.string()?),
            0x21 => Self::ReceiveMaximum(above_zero(reader.u16()?, "a receive maximum of 0 (section 3.1.2.11.3)")?),
            0x22 => Self::TopicAliasMaximum(reader.u16()?),
            0x23 => Self::TopicAlias(topic_alias(reader)?),
            0x24 => Self::MaximumQoS(if bit(reader)? { QoS::AtLeastOnce } else { QoS::AtMostOnce }),
            0x25 => Self::RetainAvailable(bit(reader)?),
            0x26 => Self::UserProperty(reader.string()?, reader.string()?),
            0x27 => {
                Self::MaximumPacketSize(above_zero(reader.u32()?, "a maximum packet size of 0 (section 3.1.2.11.4)")?)
            }
            0x28 => Self::WildcardSubscriptionAvailable(bit(reader)?),
            0x29 => Self::SubscriptionIdentifierAvailable(bit(reader)?),
            0x2A => Self::SharedSubscriptionAvailable(bit(reader)?),
            _ => return Err(DecodeError::Malformed("an unknown property identifier")),
        })
    }

    /// The identifier of section 2.2.2.2.
    pub fn id(self) -> u8 {
        match self {
            Self::PayloadFormatIndicator(_) => 0x01,
            Self::MessageExpiryInterval(_) => 0x02,
            Self::ContentType(_) => 0x03,
            Self::ResponseTopic(_) => 0x08,
            Self::CorrelationData(_) => 0x09,
            Self::SubscriptionIdentifier(_) => 0x0B,
            Self::SessionExpiryInterval(_) => 0x11,
            Self::AssignedClientIdentifier(_) => 0x12,
            Self::ServerKeepAlive(_) => 0x13,
            Self::AuthenticationMethod(_) => 0x15,
            Self::AuthenticationData(_) => 0x16,
            Self::RequestProblemInformation(_) => 0x17,
            Self::WillDelayInterval(_) => 0x18,
            Self::RequestResponseInformation(_) => 0x19,
            Self::ResponseInformation(_) => 0x1A,
            Self::ServerReference(_) => 0x1C,
            Self::ReasonString(_) => 0x1F,
            Self::ReceiveMaximum(_) => 0x21,
            Self::TopicAliasMaximum(_) => 0x22,
            Self::TopicAlias(_) => 0x23,
            Self::MaximumQoS(_) => 0x24,
            Self::RetainAvailable(_) => 0x25,
            Self::UserProperty(..) => 0x26,
            Self::MaximumPacketSize(_) => 0x27,
            Self::WildcardSubscriptionAvailable(_) => 0x28,
            Self::SubscriptionIdentifierAvailable(_) => 0x29,
            Self::SharedSubscriptionAvailable(_) => 0x2A,
        }
    }

    /// Appends identifier and value, or nothing: for a text or binary over 65 535 bytes and for a subscription
    /// identifier over 268 435 455.
    pub(super) fn write(self, out: &mut Vec<u8>) -> Result<(), Inexpressible> {
        let start = out.len();
        out.push(self.id());
        let written = self.write_value(out);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn write_value(self, out: &mut Vec<u8>) -> Result<(), Inexpressible> {
        match self {
            Self::PayloadFormatIndicator(value) => out.push(value),
            Self::MaximumQoS(value) => out.push(value as u8),
            Self::RequestProblemInformation(value)
            | Self::RequestResponseInformation(value)
            | Self::RetainAvailable(value)
            | Self::WildcardSubscriptionAvailable(value)
            | Self::SubscriptionIdentifierAvailable(value)
            | Self::SharedSubscriptionAvailable(value) => out.push(u8::from(value)),
            Self::ServerKeepAlive(value)
            | Self::ReceiveMaximum(value)
            | Self::TopicAliasMaximum(value)
            | Self::TopicAlias(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::MessageExpiryInterval(value)
            | Self::SessionExpiryInterval(value)
            | Self::WillDelayInterval(value)
            | Self::MaximumPacketSize(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::SubscriptionIdentifier(value) => out.extend_from_slice(VariableByteInteger::new(value)?.as_slice()),
            Self::ContentType(text)
            | Self::ResponseTopic(text)
            | Self::AssignedClientIdentifier(text)
            | Self::AuthenticationMethod(text)
            | Self::ResponseInformation(text)
            | Self::ServerReference(text)
            | Self::ReasonString(text) => write_binary(out, text.as_bytes())?,
            Self::CorrelationData(bytes) | Self::AuthenticationData(bytes) => write_binary(out, bytes)?,
            Self::UserProperty(name, value) => {
                write_binary(out, name.as_bytes())?;
                write_binary(out, value.as_bytes())?;
            }
        }
        Ok(())
    }
}

fn write_binary(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Inexpressible> {
    out.extend_from_slice(&u16::try_from(bytes.len()).map_err(|_| Inexpressible)?.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

fn bit(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Protocol("a property of 0 or 1 has another value")),
    }
}

fn above_zero<T: Default + PartialEq>(value: T, fault: &'static str) -> Result<T, DecodeError> {
    match value == T::default() {
        true => Err(DecodeError::Protocol(fault)),
        false => Ok(value),
    }
}

fn topic_alias(reader: &mut Reader<'_>) -> Result<u16, DecodeError> {
    match reader.u16()? {
        0 => Err(DecodeError::TopicAlias),
        alias => Ok(alias),
    }
}

fn response_topic<'a>(reader: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    TopicName::parse(reader.string()?)
        .map(TopicName::as_str)
        .map_err(|_| DecodeError::Protocol("the response topic is no topic name [MQTT-3.3.2-14]"))
}
