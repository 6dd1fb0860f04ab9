//! Every bound of the broker: default, whom it protects, what happens at the limit, its metric.
//!
//! What one session holds, and what bounds it in count and in bytes:
//!
//! | table | count | bytes |
//! |---|---|---|
//! | subscriptions and their place in the tree | `subscriptions_per_session` | times `topic_bytes`, and about 70 bytes for each of `topic_levels` |
//! | cursors of retained messages | one for each subscription | times `topic_bytes` |
//! | queue, and what is withheld with a right that went | `queued_messages`, together | `queued_bytes`, together |
//! | in flight | `inflight_messages` and the client's receive maximum | `queued_bytes` and one message |
//! | in flight before, held with a right that went | `inflight_messages` | `queued_bytes`, or one message |
//! | QoS 2 ids that wait for PUBREL | `unreleased_ids` and `mqtt.receive_maximum` | two for each |
//! | will | one | the largest CONNECT, 24 KiB |
//! | topic aliases of the client, and towards it | `mqtt.topic_alias_maximum`, `mqtt.outgoing_topic_aliases` | times `topic_bytes` |
//! | outbound | | `outbound_bytes`, or one larger packet alone |
//! | remembered decisions and routes of a connection | a few; a route of up to 64 receivers | a topic for each |

use super::units;
use std::time::Duration;

/// Section `[limits]`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Client connections in all. Protects the broker's memory and files; a connection above it is closed at
    /// once. Metric `connections_over_limit`.
    pub connections: usize,
    /// Connections that have not finished CONNECT. Protects served clients from a storm; a connection above it
    /// is closed at once. Metric `connections_over_limit`.
    pub unauthenticated_connections: usize,
    /// From accept to the end of the TLS handshake. Protects against silent peers; closed. Metric `deadlines_missed`.
    #[serde(with = "units::span")]
    pub handshake_timeout: Duration,
    /// From the end of the handshake to a whole CONNECT; closed. Metric `deadlines_missed`.
    #[serde(with = "units::span")]
    pub connect_timeout: Duration,
    /// How long one write may make no progress; closed, the will fires.
    #[serde(with = "units::span")]
    pub write_timeout: Duration,
    /// Plaintext waiting for one connection, bytes. Protects memory from slow readers: above it QoS 0 is
    /// dropped (`messages_dropped_slow_reader`), QoS 1 and 2 wait in the session.
    #[serde(with = "units::bytes")]
    pub outbound_bytes: usize,
    /// Bytes of a client id; CONNACK 0x85 above.
    #[serde(with = "units::bytes")]
    pub client_id_bytes: usize,
    /// Bytes of a topic name or filter; refused as malformed use (0x90, 0x8F).
    #[serde(with = "units::bytes")]
    pub topic_bytes: usize,
    /// Levels of a topic name or filter; refused as above.
    pub topic_levels: usize,
    /// Subscriptions of one session; SUBACK 0x97 above.
    pub subscriptions_per_session: usize,
    /// Sessions of one device, connected or not; CONNACK 0x97 above.
    pub sessions_per_device: usize,
    /// QoS 1 and 2 messages waiting in one session. At the limit `mqtt.queue_full` decides. Metric
    /// `messages_dropped_queue_full`.
    pub queued_messages: usize,
    /// Bytes of those messages.
    #[serde(with = "units::bytes")]
    pub queued_bytes: usize,
    /// QoS 1 and 2 messages in flight to one client, whatever receive maximum it announces; more wait in the queue.
    pub inflight_messages: usize,
    /// QoS 2 packet ids of one publisher waiting for PUBREL; DISCONNECT 0x93 above, 3.x: closed. A 5.0 client is
    /// announced the lower of this and `mqtt.receive_maximum`.
    pub unreleased_ids: usize,
    /// Retained messages in all; PUBACK 0x97 above. Metric `retained_over_limit`.
    pub retained_messages: usize,
    /// Bytes of retained messages in all; as above.
    #[serde(with = "units::bytes")]
    pub retained_bytes: usize,
    /// Unknown devices kept for `certmq device list --pending`; the one that tried longest ago goes.
    pub pending_devices: usize,
    /// Devices whose certificates are remembered for `certmq device show`; the one that connected longest ago goes.
    pub certificates_seen: usize,
    /// Refusals kept for `certmq denials`, of each kind (handshake, CONNECT, PUBLISH, SUBSCRIBE); the oldest goes. Also
    /// the devices and causes of each kind that the audit trail tells apart in a minute; the others are one number.
    /// Metric `denials_left_out`.
    pub denials: usize,
    /// Bytes of them, of each kind.
    #[serde(with = "units::bytes")]
    pub denials_bytes: usize,
    /// Bytes of one file of the audit trail; then the next is begun.
    #[serde(with = "units::bytes")]
    pub audit_file_bytes: usize,
    /// Files of the audit trail; the oldest is removed, and the trail says so.
    pub audit_files: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 100_000,
            unauthenticated_connections: 1_000,
            handshake_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            outbound_bytes: 64 * 1024,
            client_id_bytes: 1024,
            topic_bytes: 1024,
            topic_levels: 64,
            subscriptions_per_session: 1_000,
            sessions_per_device: 1_000,
            queued_messages: 10_000,
            queued_bytes: 16 * 1024 * 1024,
            inflight_messages: 1_000,
            unreleased_ids: 1_000,
            retained_messages: 1_000_000,
            retained_bytes: 1024 * 1024 * 1024,
            pending_devices: 1_000,
            certificates_seen: 100_000,
            denials: 1024,
            denials_bytes: 1024 * 1024,
            audit_file_bytes: 16 * 1024 * 1024,
            audit_files: 16,
        }
    }
}
