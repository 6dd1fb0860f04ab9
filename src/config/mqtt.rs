//! Section `[mqtt]`: what the server announces and how it behaves where the standard leaves a choice.

use super::units;
use std::time::Duration;

/// Section `[mqtt]`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MqttSettings {
    /// QoS 1 and 2 publications in flight per client towards the broker (CONNACK property).
    pub receive_maximum: u16,
    /// Topic aliases a client may use towards the broker (CONNACK property).
    pub topic_alias_maximum: u16,
    /// Topic aliases the broker uses towards a client that takes any, never more than it takes.
    pub outgoing_topic_aliases: u16,
    /// Bytes of the largest packet (CONNACK property; 3.x: closed).
    #[serde(with = "units::bytes")]
    pub maximum_packet_size: u32,
    /// The longest keep alive of a client when set, seconds: takes the place of a longer one and of none (CONNACK
    /// property; 3.x clients keep their own).
    #[serde(with = "units::optional_seconds", skip_serializing_if = "Option::is_none")]
    pub server_keep_alive: Option<u16>,
    /// Longest session expiry granted; also how long sessions of 3.x clients with clean session 0 are kept.
    #[serde(with = "units::span")]
    pub maximum_session_expiry: Duration,
    /// How often `$SYS` says how the broker is; zero: never.
    #[serde(with = "units::span")]
    pub sys_interval: Duration,
    /// What happens when a session's queue is full.
    pub queue_full: QueueFull,
    /// What a 3.x client sees of a denied publish.
    pub refused_publish: RefusedPublish,
}

/// `mqtt.queue_full`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueFull {
    /// The oldest message that is not in flight goes.
    #[default]
    DropOldest,
    /// The new message goes.
    DropNewest,
    /// The publisher is told (5.0: 0x97; 3.x: closed).
    Refuse,
}

/// `mqtt.refused_publish`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusedPublish {
    /// Acknowledged and dropped.
    #[default]
    Acknowledge,
    /// The connection is closed.
    Close,
}

impl Default for MqttSettings {
    fn default() -> Self {
        Self {
            receive_maximum: 100,
            topic_alias_maximum: 16,
            outgoing_topic_aliases: 8,
            maximum_packet_size: 1024 * 1024,
            server_keep_alive: None,
            maximum_session_expiry: Duration::from_secs(7 * 24 * 3600),
            sys_interval: Duration::from_secs(10),
            queue_full: QueueFull::default(),
            refused_publish: RefusedPublish::default(),
        }
    }
}
