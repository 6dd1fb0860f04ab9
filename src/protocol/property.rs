//! The 27 properties of MQTT 5.0 (section 2.2.2.2) and the sections that carry them.

mod accessors;
mod buf;
mod carrier;
#[cfg(test)]
mod tests;
mod wire;

pub use buf::{AliasProperty, PropertiesBuf};
pub use carrier::Carrier;

use super::read::Reader;
use super::{DecodeError, QoS, Sender};

/// One property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property<'a> {
    /// 0x01: 1 means that the payload is UTF-8.
    PayloadFormatIndicator(u8),
    /// 0x02, seconds.
    MessageExpiryInterval(u32),
    /// 0x03.
    ContentType(&'a str),
    /// 0x08, a topic name.
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
    /// 0x26, name and value; the only one that may repeat in every packet.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties<'a> {
    raw: &'a [u8],
}

impl<'a> Properties<'a> {
    /// Validates the bytes behind a property length: every identifier, its right to be in `carrier` when `from`
    /// sends it, its count and its value.
    ///
    /// # Errors
    /// An identifier that is unknown or has no business in `carrier`, and a value that ends early, are malformed
    /// (section 2.2.2.2); a second one where one is allowed, a value out of range or the wrong sender are protocol
    /// errors; topic alias 0 has its own code.
    pub fn parse(raw: &'a [u8], carrier: Carrier, from: Sender) -> Result<Self, DecodeError> {
        // Most packets have none.
        if !raw.is_empty() || carrier.needs_properties() {
            carrier::judge(raw, carrier, from)?;
        }
        Ok(Self { raw })
    }

    /// The properties in the order of the packet.
    pub fn iter(self) -> impl Iterator<Item = Property<'a>> + Clone {
        let mut reader = Reader::new(self.raw);
        // Only validated bytes come here, so the end is the only error.
        std::iter::from_fn(move || Property::read(&mut reader).ok())
    }

    /// The bytes of the section, without the property length before them.
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// An owned copy.
    pub fn to_buf(self) -> PropertiesBuf {
        PropertiesBuf::from(self)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    /// Reads a property length and the section behind it.
    pub(super) fn read(reader: &mut Reader<'a>, carrier: Carrier, from: Sender) -> Result<Self, DecodeError> {
        let length = reader.variable_byte_integer()?;
        let raw = reader
            .take(usize::try_from(length).unwrap_or(usize::MAX))
            .map_err(|_| DecodeError::Malformed("the properties are longer than the packet"))?;
        Self::parse(raw, carrier, from)
    }
}
