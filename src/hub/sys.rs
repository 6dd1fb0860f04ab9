//! `$SYS`: what the broker says of itself. Only it writes there; wildcards in the first level never reach it, neither
//! of a subscription nor of a rule `[MQTT-4.7.2-1]`.

use super::retained::RetainedMessages;
use super::{Hub, Wakes};
use crate::protocol::{Properties, TopicName};
use crate::session::{Moment, Publication, WriterId};
use crate::telemetry::sys::Holdings;

const ROOT: &str = "$SYS";

impl Hub {
    /// Publishes a value of the broker itself, retained, with QoS 0. Nothing happens for a topic outside `$SYS`.
    pub fn publish_system(&self, topic: &str, value: &str, now: Moment, wakes: &mut Wakes) {
        let Ok(topic) = TopicName::parse(topic) else { return };
        let Some(permit) = self.policy().permit_system(topic) else { return };
        let writer = WriterId::Broker;
        let publication = Publication::new(permit, value.as_bytes(), Properties::default(), &writer, None, None);
        self.publish(&publication, None, now, wakes);
    }

    /// How much there is; costs nothing to ask for.
    pub fn holdings(&self) -> Holdings {
        let (retained, retained_bytes) = self.retained.size();
        Holdings {
            sessions: self.sessions.len() as u64,
            subscriptions: self.subscriptions.len() as u64,
            shared_subscriptions: self.subscriptions.shared_len() as u64,
            retained: retained as u64,
            retained_bytes: retained_bytes as u64,
        }
    }

    /// Where the retained messages of a topic, or of all that a filter matches, lie. A filter that begins with a
    /// wildcard matches nothing of `$SYS`.
    pub(super) fn retained_of(&self, topic: &str) -> &RetainedMessages {
        if topic.split('/').next() == Some(ROOT) { &self.system } else { &self.retained }
    }
}
