//! Application messages: borrowed while they are being routed, shared once somebody must keep them.

use super::{Moment, SessionId};
use crate::policy::{Epoch, Permit, Policy, Principal};
use crate::protocol::topic::TopicNameBuf;
use crate::protocol::{Properties, PropertiesBuf, QoS, TopicName};
use bytes::Bytes;
use std::cell::OnceCell;
use std::sync::Arc;

/// Who wrote a message: kept with every message that waits, so that its writer's right can be judged again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WriterId {
    /// certmq itself.
    Broker,
    /// A client. All messages of one session share the allocation.
    Client(Arc<Principal>),
}

/// A message that outlives the packet that brought it: queued, in flight, retained or willed.
#[derive(Debug)]
pub struct Message {
    /// Where it was published.
    pub topic: TopicNameBuf,
    /// The application's bytes.
    pub payload: Bytes,
    /// The properties that travel with it unchanged, in their order.
    pub properties: PropertiesBuf,
    /// As published.
    pub qos: QoS,
    /// As published.
    pub retain: bool,
    /// Who wrote it.
    pub writer: WriterId,
    /// The session that published it, for no local.
    pub from: Option<SessionId>,
    /// When it is worthless (Message Expiry Interval).
    pub expires: Option<Moment>,
}

/// A permitted message on its way through the hub. Borrows the packet; [`Publication::message`] makes the shared
/// form once, for as many readers as need it.
#[derive(Debug)]
pub struct Publication<'a> {
    permit: Permit<'a>,
    payload: &'a [u8],
    properties: Properties<'a>,
    writer: &'a WriterId,
    from: Option<SessionId>,
    expires: Option<Moment>,
    shared: OnceCell<Arc<Message>>,
}

impl Message {
    /// Whether its writer may publish it, by `policy`.
    pub fn may_be_published(&self, policy: &Policy) -> bool {
        match &self.writer {
            WriterId::Broker => true,
            WriterId::Client(writer) => {
                policy.authorize_publish(writer, self.topic.as_name(), self.qos, self.retain).is_ok()
            }
        }
    }

    /// Seconds left until it expires, at least 1; `None` without an expiry.
    pub fn remaining_seconds(&self, now: Moment) -> Option<u32> {
        self.expires.map(|expires| remaining_seconds(expires, now))
    }

    /// Whether it has expired.
    pub fn is_expired(&self, now: Moment) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Bytes it counts against the bounds of queues and the retained store.
    pub fn size(&self) -> usize {
        self.topic.as_str().len() + self.payload.len() + self.properties.raw().len()
    }
}

impl<'a> Publication<'a> {
    /// A publication straight from its packet. `expires` comes from the Message Expiry Interval.
    pub fn new(
        permit: Permit<'a>,
        payload: &'a [u8],
        properties: Properties<'a>,
        writer: &'a WriterId,
        from: Option<SessionId>,
        expires: Option<Moment>,
    ) -> Self {
        Self { permit, payload, properties, writer, from, expires, shared: OnceCell::new() }
    }

    /// A stored message on its way again, under a fresh permit: a will that fires.
    pub fn of_message(permit: Permit<'a>, message: &'a Arc<Message>) -> Self {
        Self {
            permit,
            payload: &message.payload,
            properties: message.properties.as_properties(),
            writer: &message.writer,
            from: message.from,
            expires: message.expires,
            shared: OnceCell::from(Arc::clone(message)),
        }
    }

    /// The judged topic.
    pub fn topic(&self) -> TopicName<'a> {
        self.permit.topic()
    }

    /// The judged QoS.
    pub fn qos(&self) -> QoS {
        self.permit.qos()
    }

    /// The judged retain flag.
    pub fn retain(&self) -> bool {
        self.permit.retain()
    }

    /// The epoch in which its writer was judged. The policy in force may be a later one by now.
    pub fn epoch(&self) -> Epoch {
        self.permit.epoch()
    }

    /// The application's bytes.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The publisher's properties as they came.
    pub fn properties(&self) -> Properties<'a> {
        self.properties
    }

    /// The session that published it.
    pub fn from(&self) -> Option<SessionId> {
        self.from
    }

    /// Seconds left until it expires.
    pub fn remaining_seconds(&self, now: Moment) -> Option<u32> {
        self.expires.map(|expires| remaining_seconds(expires, now))
    }

    /// The shared form.
    pub fn message(&self) -> &Arc<Message> {
        self.shared.get_or_init(|| {
            Arc::new(Message {
                topic: self.topic().to_buf(),
                payload: Bytes::copy_from_slice(self.payload),
                properties: PropertiesBuf::forwarded(self.properties),
                qos: self.qos(),
                retain: self.retain(),
                writer: self.writer.clone(),
                from: self.from,
                expires: self.expires,
            })
        })
    }
}

/// Rounded up, so that a message never leaves with an expiry that its sender did not give it time for.
fn remaining_seconds(expires: Moment, now: Moment) -> u32 {
    let left = expires.since(now).as_millis().div_ceil(1000);
    u32::try_from(left).unwrap_or(u32::MAX).max(1)
}
