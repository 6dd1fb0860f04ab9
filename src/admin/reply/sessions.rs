//! What an operator is told about sessions.

use super::time_text;
use crate::admin::authority::Running;
use crate::hub::{Page, Presence, SessionCursor, SessionFacts, SubscriptionFacts, Summary, WillFacts};
use crate::protocol::{RetainHandling, Version};
use crate::session::{Drops, Expiry};
use serde::{Deserialize, Serialize};

/// Some sessions of a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionsView {
    /// The sessions, in no order that means anything across pages.
    pub sessions: Vec<SessionView>,
    /// Where to go on; none: that was all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<SessionCursor>,
}

/// One session of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionView {
    /// The device.
    pub device: String,
    /// Its trust block.
    pub trust: String,
    /// Which of the device's sessions.
    pub client_id: String,
    /// Whether the client is there.
    pub state: SessionState,
    /// Since when it is so, RFC 3339.
    pub since: String,
    /// Where the client is.
    pub address: Option<String>,
    /// The version of MQTT it speaks: `3.1`, `3.1.1` or `5.0`.
    pub version: Option<String>,
    /// Number of subscriptions.
    pub subscriptions: usize,
    /// Messages that wait for it, those included that wait for a right to come back.
    pub queued: usize,
    /// Messages in flight to it.
    pub inflight: usize,
    /// Messages it did not get, for whatever reason.
    pub dropped: u64,
}

/// Whether a client is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// It is.
    Connected,
    /// Its session waits for it.
    Away,
}

/// Everything about one session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionDetailView {
    /// As in a list.
    pub session: SessionView,
    /// The certificate of its last connection.
    pub certificate: CertificateView,
    /// Seconds that the session outlives its connection.
    pub expiry_seconds: u64,
    /// When a session whose client is away ends, RFC 3339.
    pub expires: Option<String>,
    /// When the connected client last sent a packet, RFC 3339.
    pub last_received: Option<String>,
    /// Seconds that the connected client may be silent; none: as long as it likes.
    pub silence_seconds: Option<f64>,
    /// QoS 1 and 2 messages the connected client takes unacknowledged.
    pub receive_maximum: Option<u16>,
    /// Bytes of the largest packet it takes.
    pub maximum_packet_size: Option<u32>,
    /// Its will.
    pub will: Option<WillView>,
    /// What waits for it.
    pub queue: QueueView,
    /// What it did not get.
    pub dropped: DropsView,
    /// QoS 2 packet ids of the client that wait for their PUBREL.
    pub unreleased_ids: usize,
    /// Subscriptions whose retained messages have not all been sent.
    pub retained_pending: usize,
    /// Oldest first.
    pub subscriptions: Vec<SubscriptionView>,
}

/// What rules use of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateView {
    /// Its subject, RFC 4514.
    pub subject: String,
    /// Its serial number, hexadecimal.
    pub serial: String,
}

/// A will, without its payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WillView {
    /// Where it would be published.
    pub topic: String,
    /// Will Delay Interval.
    pub delay_seconds: u64,
    /// Whether the client is gone and only the delay holds it back.
    pub pending: bool,
}

/// What waits for a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueView {
    /// Messages in the queue.
    pub queued: usize,
    /// Their bytes.
    pub queued_bytes: usize,
    /// Messages withheld because a right is gone.
    pub withheld: usize,
    /// Their bytes.
    pub withheld_bytes: usize,
    /// Messages in flight.
    pub inflight: usize,
    /// Their bytes.
    pub inflight_bytes: usize,
    /// Messages in flight since an earlier connection and not repeated because a right is gone.
    pub held: usize,
}

/// Messages that a session did not get, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropsView {
    /// The queue was full.
    pub queue_full: u64,
    /// QoS 0, and the client did not read fast enough.
    pub slow_reader: u64,
    /// Expired while they waited.
    pub expired: u64,
    /// The reader has no right to them.
    pub withheld: u64,
    /// Larger than the client takes.
    pub too_large: u64,
}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionView {
    /// With its share name.
    pub filter: String,
    /// The QoS that was asked for.
    pub qos: u8,
    /// Whether the client's own messages are not returned.
    pub no_local: bool,
    /// Whether the retain flag is kept.
    pub retain_as_published: bool,
    /// When retained messages are sent: `on_subscribe`, `on_new_subscription` or `never`.
    pub retain_handling: String,
    /// Subscription Identifier.
    pub identifier: Option<u32>,
}

/// What ending connections or sessions did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionsEndedView {
    /// Connections closed.
    pub disconnected: usize,
    /// Sessions removed.
    pub removed: usize,
    /// Subscriptions that went with them.
    pub subscriptions: usize,
    /// Messages, queued or in flight, that went with them.
    pub messages: usize,
    /// One sentence.
    pub summary: String,
}

impl SessionsView {
    pub(in crate::admin) fn of(page: &Page, running: Running<'_>) -> Self {
        Self {
            sessions: page.sessions.iter().map(|summary| SessionView::of(summary, running)).collect(),
            next: page.next.clone(),
        }
    }
}

impl SessionView {
    fn of(summary: &Summary, running: Running<'_>) -> Self {
        let (state, since, address, version) = match summary.presence {
            Presence::Connected { since, address, version } => (SessionState::Connected, since, address, Some(version)),
            Presence::Away { since } => (SessionState::Away, since, None, None),
        };
        Self {
            device: summary.device.name.to_string(),
            trust: summary.device.trust.to_string(),
            client_id: summary.client_id.to_string(),
            state,
            since: time_text(running.unix_time(since)),
            address: address.map(|address| address.to_string()),
            version: version.map(|version| version_text(version).to_owned()),
            subscriptions: summary.subscriptions,
            queued: summary.load.queued + summary.load.withheld,
            inflight: summary.load.inflight + summary.load.held,
            dropped: summary.drops.total(),
        }
    }
}

impl SessionDetailView {
    pub(in crate::admin) fn of(facts: &SessionFacts, running: Running<'_>) -> Self {
        let expiry = match facts.expiry {
            Expiry::WithConnection => std::time::Duration::ZERO,
            Expiry::After(span) => span,
        };
        let expires = match facts.summary.presence {
            Presence::Connected { .. } => None,
            Presence::Away { since } => Some(time_text(running.unix_time(since.after(expiry)))),
        };
        let load = facts.summary.load;
        Self {
            session: SessionView::of(&facts.summary, running),
            certificate: CertificateView {
                subject: facts.principal.attributes.subject.to_string(),
                serial: facts.principal.attributes.serial.to_string(),
            },
            expiry_seconds: expiry.as_secs(),
            expires,
            last_received: facts.last_received.map(|moment| time_text(running.unix_time(moment))),
            silence_seconds: facts.silence.map(|silence| silence.as_secs_f64()),
            receive_maximum: facts.receive_maximum,
            maximum_packet_size: facts.maximum_packet_size,
            will: facts.will.as_ref().map(WillView::from),
            queue: QueueView {
                queued: load.queued,
                queued_bytes: load.queued_bytes,
                withheld: load.withheld,
                withheld_bytes: load.withheld_bytes,
                inflight: load.inflight,
                inflight_bytes: load.inflight_bytes,
                held: load.held,
            },
            dropped: DropsView::from(facts.summary.drops),
            unreleased_ids: facts.unreleased_ids,
            retained_pending: facts.retained_pending,
            subscriptions: facts.subscriptions.iter().map(SubscriptionView::from).collect(),
        }
    }
}

impl From<&WillFacts> for WillView {
    fn from(will: &WillFacts) -> Self {
        Self { topic: will.topic.clone(), delay_seconds: will.delay.as_secs(), pending: will.pending }
    }
}

impl From<Drops> for DropsView {
    fn from(drops: Drops) -> Self {
        let Drops { queue_full, slow_reader, expired, withheld, too_large } = drops;
        Self { queue_full, slow_reader, expired, withheld, too_large }
    }
}

impl From<&SubscriptionFacts> for SubscriptionView {
    fn from(subscription: &SubscriptionFacts) -> Self {
        let options = subscription.options;
        let retain_handling = match options.retain_handling {
            RetainHandling::OnSubscribe => "on_subscribe",
            RetainHandling::OnNewSubscription => "on_new_subscription",
            RetainHandling::Never => "never",
        };
        Self {
            filter: subscription.filter.clone(),
            qos: options.qos as u8,
            no_local: options.no_local,
            retain_as_published: options.retain_as_published,
            retain_handling: retain_handling.to_owned(),
            identifier: subscription.identifier,
        }
    }
}

fn version_text(version: Version) -> &'static str {
    match version {
        Version::V3_1 => "3.1",
        Version::V3_1_1 => "3.1.1",
        Version::V5 => "5.0",
    }
}
