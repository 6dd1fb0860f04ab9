//! One message for many readers.

use bytes::Bytes;

use super::publish::{Head, packet_len};
use crate::protocol::{Inexpressible, PacketId, Properties, QoS, TopicName, Version};

/// A message in the form in which copies for its readers are cheap: topic, forwarded properties and payload lie in
/// one shared piece of memory, and a delivery adds what is the reader's own (version, flags, packet identifier,
/// properties of its subscription) while it copies. Cloning shares.
///
/// ```text
/// frame:     topic | forwarded properties | payload
/// delivery:  fixed header | topic | packet id | property length | own properties | forwarded properties | payload
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishFrame {
    bytes: Bytes,
    /// Where the forwarded properties start.
    properties_at: u32,
    /// Where the payload starts.
    payload_at: u32,
}

/// What one reader gets of a [`PublishFrame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// Of the reader's connection.
    pub version: Version,
    /// Set on a retransmission; left off with QoS 0.
    pub dup: bool,
    /// The lower of the message's and the subscription's.
    pub qos: QoS,
    /// Retain flag.
    pub retain: bool,
    /// Needed above QoS 0, ignored with it.
    pub packet_id: Option<PacketId>,
    /// Whether the topic is spelled out.
    pub topic: DeliveredTopic,
    /// The reader's own: topic alias, remaining expiry, subscription identifiers. They go before the forwarded ones.
    pub properties: Properties<'a>,
}

/// How a delivery names its topic (section 3.3.2.3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveredTopic {
    /// In full.
    #[default]
    Written,
    /// Only by the topic alias among the reader's own properties; 5.0.
    ByAlias,
}

impl PublishFrame {
    /// Lays the message out. `forwarded` is what reaches every reader unchanged, see
    /// [`PropertiesBuf::forwarded`](crate::protocol::PropertiesBuf::forwarded). `None` for 4 GiB and more, which no
    /// decoded packet comes near.
    pub fn new(topic: TopicName<'_>, forwarded: Properties<'_>, payload: &[u8]) -> Option<Self> {
        let topic = topic.as_str().as_bytes();
        let properties_at = u32::try_from(topic.len()).ok()?;
        let payload_at = u32::try_from(topic.len() + forwarded.raw().len()).ok()?;
        let bytes = Bytes::from([topic, forwarded.raw(), payload].concat());
        Some(Self { bytes, properties_at, payload_at })
    }

    /// Appends a PUBLISH for one reader to `out`, or nothing where that is [`Inexpressible`].
    #[inline]
    pub fn append(&self, delivery: &Delivery<'_>, out: &mut Vec<u8>) {
        if self.append_head(delivery, out).is_ok() {
            out.extend_from_slice(self.payload_slice());
        }
    }

    /// Appends a PUBLISH for one reader but for its payload, which the caller sends from [`Self::payload`] without
    /// copying it.
    ///
    /// # Errors
    /// Nothing is appended where MQTT cannot express the packet.
    #[inline]
    pub fn append_head(&self, delivery: &Delivery<'_>, out: &mut Vec<u8>) -> Result<(), Inexpressible> {
        let topic = match (delivery.topic, delivery.version) {
            (DeliveredTopic::Written, _) => self.topic(),
            (DeliveredTopic::ByAlias, Version::V5) => &[],
            (DeliveredTopic::ByAlias, Version::V3_1 | Version::V3_1_1) => return Err(Inexpressible),
        };
        let head = Head {
            version: delivery.version,
            dup: delivery.dup,
            qos: delivery.qos,
            retain: delivery.retain,
            topic,
            packet_id: delivery.packet_id,
            properties: [delivery.properties.raw(), self.forwarded()],
            payload_len: self.payload_slice().len(),
        };
        head.append(out)
    }

    /// Bytes of the whole PUBLISH for one reader: what its maximum packet size bounds `[MQTT-3.1.2-24]`.
    pub fn encoded_len(&self, delivery: &Delivery<'_>) -> usize {
        let topic = match delivery.topic {
            DeliveredTopic::Written => self.properties_at as usize,
            DeliveredTopic::ByAlias => 0,
        };
        let properties = delivery.properties.raw().len() + self.forwarded().len();
        packet_len(delivery.version, delivery.qos, topic, properties, self.payload_slice().len())
    }

    /// The application message, sharing this memory.
    pub fn payload(&self) -> Bytes {
        self.bytes.slice(self.payload_at as usize..)
    }

    /// Bytes held in memory.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    fn topic(&self) -> &[u8] {
        self.bytes.get(..self.properties_at as usize).unwrap_or_default()
    }

    fn forwarded(&self) -> &[u8] {
        self.bytes.get(self.properties_at as usize..self.payload_at as usize).unwrap_or_default()
    }

    fn payload_slice(&self) -> &[u8] {
        self.bytes.get(self.payload_at as usize..).unwrap_or_default()
    }
}
