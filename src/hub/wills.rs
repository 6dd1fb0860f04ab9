//! Wills: judged at CONNECT, kept while the client lives, judged again when they fire (section 3.1.2.5).

use super::{Hub, Wakes};
use crate::policy::Policy;
use crate::session::{Message, Moment, Publication, SessionId, WriterId};
use std::sync::Arc;
use std::time::Duration;

/// The will of one connection.
#[derive(Clone, Debug)]
pub(super) struct Will {
    pub(super) message: Arc<Message>,
    /// The session it speaks for, once it has one: its own subscriptions without local get none of it.
    pub(super) from: Option<SessionId>,
    /// Will Delay Interval.
    pub(super) delay: Duration,
    /// Message Expiry Interval, counted from when it fires.
    pub(super) expiry: Option<Duration>,
}

impl Hub {
    /// Publishes a will, if its writer still may.
    pub(super) fn fire(&self, will: &Will, now: Moment, wakes: &mut Wakes) {
        let policy: Arc<Policy> = self.policy();
        let message = &will.message;
        let WriterId::Client(writer) = &message.writer else { return };
        let judged = policy.authorize_publish(writer, message.topic.as_name(), message.qos, message.retain);
        match judged {
            Ok(permit) => {
                let expires = will.expiry.map(|expiry| now.after(expiry));
                let publication = Publication::new(
                    permit,
                    &message.payload,
                    message.properties.as_properties(),
                    &message.writer,
                    will.from,
                    expires,
                );
                self.publish(&publication, None, now, wakes);
            }
            Err(_) => tracing::warn!(
                device = %writer.key.name.escape_debug(),
                topic = %message.topic.as_str().escape_debug(),
                "will withheld: its writer may no longer publish it"
            ),
        }
    }
}
