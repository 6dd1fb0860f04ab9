//! Every metric of the broker, in one place.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Parts of a counter. Threads beyond this many share parts.
const PARTS: usize = 8;

/// A number that only grows. In parts, so that threads which count every message do not wait for one cache line.
#[derive(Debug, Default)]
pub struct Counter([Part; PARTS]);

/// Wider than a cache line and the one that is fetched with it.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part(AtomicU64);

/// The part of this thread.
fn part() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PART: usize = THREADS.fetch_add(1, Ordering::Relaxed) % PARTS;
    }
    PART.try_with(|part| *part).unwrap_or_default()
}

/// A number that goes up and down; in parts, like a counter.
#[derive(Debug, Default)]
pub struct Gauge(Counter);

/// A number that is looked up now and then, and set.
#[derive(Debug, Default)]
pub struct Level(AtomicU64);

impl Level {
    /// What it is now.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// What it was when it was last set.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// `count` more.
    pub fn add(&self, count: u64) {
        if let Some(Part(value)) = self.0.get(part()) {
            value.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// The present value.
    pub fn value(&self) -> u64 {
        self.0.iter().fold(0, |sum, Part(value)| sum.wrapping_add(value.load(Ordering::Relaxed)))
    }
}

impl Gauge {
    /// One more.
    pub fn increment(&self) {
        self.0.add(1);
    }

    /// One less.
    pub fn decrement(&self) {
        self.change(1, 0);
    }

    /// What was `before` is `after`.
    pub fn change(&self, before: usize, after: usize) {
        // Parts wrap around: only their sum means something.
        self.0.add((after as u64).wrapping_sub(before as u64));
    }

    /// The present value.
    pub fn value(&self) -> u64 {
        // While its parts are read others change: for a moment the sum may lie below zero.
        u64::try_from(self.0.value().cast_signed()).unwrap_or_default()
    }
}

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:ident,)+) => {
        /// The registry.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $($(#[doc = $doc])+ pub $name: $kind,)+
        }

        impl Metrics {
            /// Every metric by name, in the order of this file.
            pub fn snapshot(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.value()),)+]
            }
        }
    };
}

metrics! {
    /// TCP connections accepted.
    connections_accepted: Counter,
    /// TCP connections refused because `limits.connections` or `limits.handshakes` was reached.
    connections_over_limit: Counter,
    /// Clients connected now (CONNACK with success sent).
    clients_connected: Gauge,
    /// TLS handshakes that failed, client certificates refused included.
    handshakes_failed: Counter,
    /// TLS sessions that were resumed, and whose certificate was judged again.
    handshakes_resumed: Counter,
    /// Resumed TLS sessions whose certificate is no longer good: closed before a byte was decoded.
    resumptions_refused: Counter,
    /// TLS handshakes, WebSocket requests or CONNECTs that missed their deadline.
    deadlines_missed: Counter,
    /// WebSocket requests refused because of their Origin.
    origins_refused: Counter,
    /// CONNECTs refused by policy.
    connects_refused: Counter,
    /// Connections closed because the peer broke the protocol.
    protocol_errors: Counter,
    /// CONNECT packets received.
    connects_received: Counter,
    /// Bytes of MQTT received.
    bytes_received: Counter,
    /// Bytes of MQTT handed to TLS.
    bytes_sent: Counter,
    /// Packets of every kind received.
    packets_received: Counter,
    /// Packets of every kind handed to TLS.
    packets_sent: Counter,
    /// PUBLISH packets received.
    messages_received: Counter,
    /// PUBLISH packets handed to TLS.
    messages_sent: Counter,
    /// Bytes of the payloads of PUBLISH packets received.
    payload_bytes_received: Counter,
    /// Bytes of the payloads of PUBLISH packets handed to TLS.
    payload_bytes_sent: Counter,
    /// Messages that wait in sessions, each session's own copy counted.
    messages_queued: Gauge,
    /// Their bytes: topic, payload and properties.
    messages_queued_bytes: Gauge,
    /// Messages in flight to clients, connected or away.
    messages_inflight: Gauge,
    /// Sessions that ended because their expiry had passed.
    sessions_expired: Counter,
    /// Publications after which reading rested, because the device sent more than its record allows.
    publishes_paced: Counter,
    /// Publications denied by policy.
    publishes_denied: Counter,
    /// Subscription requests denied by policy.
    subscribes_denied: Counter,
    /// Deliveries withheld because the reader's right ended or the topic lies in a hole.
    deliveries_withheld: Counter,
    /// QoS 0 messages dropped because a reader's outbound buffer was full.
    messages_dropped_slow_reader: Counter,
    /// QoS 1 and 2 messages dropped because a session's queue was full.
    messages_dropped_queue_full: Counter,
    /// Messages of shared subscriptions dropped because no member was left who could take them.
    shared_messages_lost: Counter,
    /// Messages larger than their reader takes.
    messages_too_large: Counter,
    /// Messages that expired before delivery.
    messages_expired: Counter,
    /// Lines written to the audit trail.
    audit_events: Counter,
    /// Events that the audit trail lost: the disk took nothing, or they came too fast.
    audit_events_lost: Counter,
    /// Denials that the ring left out: one device was denied too often in a second.
    denials_left_out: Counter,
    /// Retained messages refused because a limit was reached.
    retained_over_limit: Counter,
    /// Reloads that changed something.
    reloads: Counter,
    /// Reloads that failed: everything stayed as it was.
    reloads_failed: Counter,
    /// The epoch of roots and server key; session tickets of an earlier one are worthless.
    trust_epoch: Level,
    /// Revocation lists in force, one for each issuer.
    crl_lists: Level,
    /// Those of them past their nextUpdate.
    crl_lists_stale: Level,
    /// Serials that they revoke.
    crl_revoked_serials: Level,
    /// Seconds since the oldest of them was issued (thisUpdate).
    crl_oldest_age_seconds: Level,
    /// Seconds until the first of them goes stale (nextUpdate); 0: one is, or there is none.
    crl_next_update_seconds: Level,
    /// Live connections closed because their certificate or device was revoked, expired or lost its CA.
    connections_lapsed: Counter,
    /// When the first certificate of the server's chain ends, Unix seconds.
    server_certificate_expires: Level,
    /// When the first trusted CA ends, Unix seconds.
    ca_certificate_expires: Level,
    /// Live connections whose chain ends within 30 days; looked up every minute.
    connections_expiring_30_days: Level,
    /// Those that end within 7 days.
    connections_expiring_7_days: Level,
    /// Those that end within a day.
    connections_expiring_1_day: Level,
}

/// The registry of this process.
pub static METRICS: std::sync::LazyLock<Metrics> = std::sync::LazyLock::new(Metrics::default);
