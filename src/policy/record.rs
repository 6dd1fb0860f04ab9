//! The policy as operators write it and the store keeps it: devices, groups, rules.

use super::DeviceKey;
use crate::protocol::QoS;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Gives access.
    Allow,
    /// Takes it, whatever else allows it.
    Deny,
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// PUBLISH and wills.
    Publish,
    /// SUBSCRIBE.
    Subscribe,
}

/// One rule. Validated when built by [`Rule::new`]: its filter parses, its templates are known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rule {
    /// Allow or deny.
    pub effect: Effect,
    /// Publish or subscribe.
    pub action: Action,
    /// A topic filter, perhaps with templates, as written.
    pub filter: Arc<str>,
    /// The highest QoS an allow gives; always `ExactlyOnce` for a deny.
    pub max_qos: QoSBound,
    /// Whether an allow covers retained publications; always `Retained` for a deny.
    pub retain: RetainBound,
    /// Unix seconds after which the rule does not count.
    pub until: Option<i64>,
}

/// The highest QoS that an allow gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QoSBound(pub QoS);

/// Whether an allow covers publications with the retain flag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RetainBound {
    /// With and without the flag.
    #[default]
    Retained,
    /// Only without it (`retain = false`).
    NotRetained,
}

/// A short hash of a rule's content: stable across export, apply and rollback. Shown as 12 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub [u8; 6]);

/// Whether a device may connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceStatus {
    /// It may.
    #[default]
    Enabled,
    /// It gets CONNACK 0x87.
    Disabled,
}

/// The record of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRecord {
    /// Which device.
    pub key: DeviceKey,
    /// Whether it may connect.
    pub status: DeviceStatus,
    /// Names of its listed groups, sorted, without repeats.
    pub groups: Vec<Arc<str>>,
    /// Its own rules, sorted, without repeats.
    pub rules: Vec<Rule>,
    /// SHA-256 of the one or two certificates it may use; none: any that the trust block vouches for.
    pub pins: Vec<[u8; 32]>,
}

/// A certificate attribute that a group may match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are X.509's own words")]
pub enum Attribute {
    Cn,
    O,
    Ou,
    SanUri,
    SanDns,
    SanEmail,
}

/// The record of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRecord {
    /// Its name: letters, digits, `-`, `_` and `.`, at most 64 of them.
    pub name: Arc<str>,
    /// All must hold for a certificate to be a member unlisted; empty: listed members only.
    pub matches: BTreeMap<Attribute, String>,
    /// Its rules, sorted, without repeats.
    pub rules: Vec<Rule>,
}

/// Every record of a policy, as the store holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Raised by one with every change set.
    pub generation: u64,
    /// By key.
    pub devices: BTreeMap<DeviceKey, DeviceRecord>,
    /// By name.
    pub groups: BTreeMap<Arc<str>, GroupRecord>,
}
