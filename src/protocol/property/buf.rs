//! Property sections that are made here.

use super::{Properties, Property};
use crate::protocol::read::Reader;

/// A property section under construction, for packets that are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropertiesBuf {
    raw: Vec<u8>,
}

/// A section of one topic alias, without an allocation: the hot path makes one for each publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AliasProperty {
    raw: [u8; 3],
}

impl AliasProperty {
    /// The alias, never 0.
    pub fn new(alias: u16) -> Self {
        let [high, low] = alias.to_be_bytes();
        Self { raw: [Property::TopicAlias(alias).id(), high, low] }
    }

    /// The borrowed form, as packets hold it.
    pub fn as_properties(&self) -> Properties<'_> {
        Properties { raw: &self.raw }
    }
}

impl PropertiesBuf {
    /// An empty section; allocates nothing.
    pub const fn new() -> Self {
        Self { raw: Vec::new() }
    }

    /// The properties that belong to the message and reach every subscriber unchanged and in their order
    /// `[MQTT-3.3.2-4]`, `[MQTT-3.3.2-15]`, `[MQTT-3.3.2-16]`, `[MQTT-3.3.2-17]`, `[MQTT-3.3.2-18]`,
    /// `[MQTT-3.3.2-20]`, of a PUBLISH or a will. See [`Self::push_forwarded`].
    pub fn forwarded(properties: Properties<'_>) -> Self {
        let mut buf = Self::new();
        buf.push_forwarded(properties);
        buf
    }

    /// Appends the payload format indicator, content type, response topic, correlation data and user properties of
    /// a PUBLISH or a will, in their order. Topic alias and subscription identifiers belong to one connection, the
    /// expiry shrinks while the message waits, the will delay ends when the will is published: these stay behind.
    pub fn push_forwarded(&mut self, properties: Properties<'_>) {
        let mut reader = Reader::new(properties.raw());
        loop {
            let from_here = reader.rest();
            let Ok(property) = Property::read(&mut reader) else { return };
            let length = from_here.len() - reader.rest().len();
            if belongs_to_the_message(property) {
                self.raw.extend_from_slice(from_here.get(..length).unwrap_or_default());
            }
        }
    }

    /// Appends a property. Whether its packet may carry it is the caller's to know. A text or binary over 65 535
    /// bytes, which MQTT cannot express, is left out.
    pub fn push(&mut self, property: Property<'_>) {
        let written = property.write(&mut self.raw);
        debug_assert!(written.is_ok(), "a property beyond what MQTT can express: {:#04x}", property.id());
    }

    /// Takes everything out and keeps the memory.
    pub fn clear(&mut self) {
        self.raw.clear();
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The bytes of the section, without the property length before them.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The borrowed form, as packets hold it.
    pub fn as_properties(&self) -> Properties<'_> {
        Properties { raw: &self.raw }
    }
}

impl From<Properties<'_>> for PropertiesBuf {
    fn from(properties: Properties<'_>) -> Self {
        Self { raw: properties.raw().to_vec() }
    }
}

impl<'a> Extend<Property<'a>> for PropertiesBuf {
    fn extend<I: IntoIterator<Item = Property<'a>>>(&mut self, properties: I) {
        properties.into_iter().for_each(|property| self.push(property));
    }
}

impl<'a> FromIterator<Property<'a>> for PropertiesBuf {
    fn from_iter<I: IntoIterator<Item = Property<'a>>>(properties: I) -> Self {
        let mut buf = Self::new();
        buf.extend(properties);
        buf
    }
}

fn belongs_to_the_message(property: Property<'_>) -> bool {
    matches!(
        property,
        Property::PayloadFormatIndicator(_)
            | Property::ContentType(_)
            | Property::ResponseTopic(_)
            | Property::CorrelationData(_)
            | Property::UserProperty(..)
    )
}
