//! Private mirrors of the policy's types, so that renaming something there cannot change the schema unseen. An
//! unknown field is refused: to skip one could mean to skip a deny.

use super::state::Hex32;
use crate::policy::RecordLimits;
use crate::policy::record::{Attribute, DeviceStatus, QoSBound, RetainBound};
use crate::policy::{
    Action, Certificate, Change, DeniedCertificate, DenyEntry, DenyId, DenyTarget, DeviceKey, DeviceRecord, Effect,
    GroupRecord, Rule,
};
use crate::protocol::QoS;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One record's change in the form of the text backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum StoredChange {
    PutDevice { trust: Arc<str>, name: Arc<str>, record: StoredDevice },
    RemoveDevice { trust: Arc<str>, name: Arc<str> },
    PutGroup { name: Arc<str>, record: StoredGroup },
    RemoveGroup { name: Arc<str> },
    PutDenial { id: u64, record: StoredDenial },
    RemoveDenial { id: u64 },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StoredDevice {
    #[serde(skip_serializing_if = "is_default")]
    status: StoredStatus,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) groups: Vec<Arc<str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<StoredRule>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pins: Vec<Hex32>,
    #[serde(skip_serializing_if = "RecordLimits::is_unlimited")]
    limits: RecordLimits,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StoredGroup {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    matches: BTreeMap<StoredAttribute, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<StoredRule>,
    #[serde(skip_serializing_if = "RecordLimits::is_unlimited")]
    limits: RecordLimits,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredDenial {
    target: StoredTarget,
    since: i64,
    author: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StoredTarget {
    Device {
        trust: Arc<str>,
        name: Arc<str>,
    },
    Certificate {
        /// Hexadecimal, as all three.
        issuer_digest: String,
        serial: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<Hex32>,
        issuer: Arc<str>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRule {
    effect: StoredEffect,
    action: StoredAction,
    filter: Arc<str>,
    /// 2 where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_qos: Option<u8>,
    /// `true` where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retain: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredStatus {
    #[default]
    Enabled,
    Disabled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredEffect {
    Allow,
    Deny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredAction {
    Publish,
    Subscribe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredAttribute {
    Cn,
    O,
    Ou,
    SanUri,
    SanDns,
    SanEmail,
}

impl From<&Change> for StoredChange {
    fn from(change: &Change) -> Self {
        match change {
            Change::PutDevice(record) => Self::PutDevice {
                trust: record.key.trust.clone(),
                name: record.key.name.clone(),
                record: StoredDevice::of(record),
            },
            Change::RemoveDevice(key) => Self::RemoveDevice { trust: key.trust.clone(), name: key.name.clone() },
            Change::PutGroup(record) => Self::PutGroup { name: record.name.clone(), record: StoredGroup::of(record) },
            Change::RemoveGroup(name) => Self::RemoveGroup { name: name.clone() },
            Change::PutDenial(entry) => Self::PutDenial { id: entry.id.0, record: StoredDenial::of(entry) },
            Change::RemoveDenial(id) => Self::RemoveDenial { id: id.0 },
        }
    }
}

impl StoredDevice {
    fn of(record: &DeviceRecord) -> Self {
        Self {
            status: match record.status {
                DeviceStatus::Enabled => StoredStatus::Enabled,
                DeviceStatus::Disabled => StoredStatus::Disabled,
            },
            groups: record.groups.clone(),
            rules: record.rules.iter().map(StoredRule::of).collect(),
            pins: record.pins.iter().copied().map(Hex32).collect(),
            limits: record.limits,
        }
    }

    pub(super) fn into_record(self, key: DeviceKey) -> DeviceRecord {
        DeviceRecord {
            key,
            status: match self.status {
                StoredStatus::Enabled => DeviceStatus::Enabled,
                StoredStatus::Disabled => DeviceStatus::Disabled,
            },
            groups: self.groups,
            rules: self.rules.into_iter().map(StoredRule::into_rule).collect(),
            pins: self.pins.into_iter().map(|pin| pin.0).collect(),
            limits: self.limits,
        }
    }
}

impl StoredGroup {
    fn of(record: &GroupRecord) -> Self {
        Self {
            matches: record.matches.iter().map(|(key, value)| (StoredAttribute::of(*key), value.clone())).collect(),
            rules: record.rules.iter().map(StoredRule::of).collect(),
            limits: record.limits,
        }
    }

    pub(super) fn into_record(self, name: Arc<str>) -> GroupRecord {
        GroupRecord {
            name,
            matches: self.matches.into_iter().map(|(key, value)| (key.into_attribute(), value)).collect(),
            rules: self.rules.into_iter().map(StoredRule::into_rule).collect(),
            limits: self.limits,
        }
    }
}

impl StoredDenial {
    fn of(entry: &DenyEntry) -> Self {
        let target = match &entry.target {
            DenyTarget::Device(key) => StoredTarget::Device { trust: key.trust.clone(), name: key.name.clone() },
            DenyTarget::Certificate(denied) => StoredTarget::Certificate {
                issuer_digest: hex(&denied.certificate.issuer),
                serial: hex(&denied.certificate.serial),
                sha256: denied.sha256.map(Hex32),
                issuer: denied.issuer.clone(),
            },
        };
        Self { target, since: entry.since, author: entry.author.clone() }
    }

    /// An entry whose digits are none must refuse the store: to skip it could let the revoked in.
    pub(super) fn into_entry(self, id: DenyId) -> Result<DenyEntry, String> {
        let target = match self.target {
            StoredTarget::Device { trust, name } => DenyTarget::Device(DeviceKey { trust, name }),
            StoredTarget::Certificate { issuer_digest, serial, sha256, issuer } => {
                let octets = |text: &str| {
                    unhex(text).ok_or_else(|| format!("deny list entry {id}: {text:?} is not hexadecimal"))
                };
                let digest: [u8; 16] = octets(&issuer_digest)?
                    .try_into()
                    .map_err(|_| format!("deny list entry {id}: the digest of the issuer has not 16 octets"))?;
                DenyTarget::Certificate(DeniedCertificate {
                    certificate: Certificate { issuer: digest, serial: octets(&serial)?.into() },
                    sha256: sha256.map(|digest| digest.0),
                    issuer,
                })
            }
        };
        Ok(DenyEntry { id, target, since: self.since, author: self.author })
    }
}

impl StoredRule {
    fn of(rule: &Rule) -> Self {
        Self {
            effect: match rule.effect {
                Effect::Allow => StoredEffect::Allow,
                Effect::Deny => StoredEffect::Deny,
            },
            action: match rule.action {
                Action::Publish => StoredAction::Publish,
                Action::Subscribe => StoredAction::Subscribe,
            },
            filter: rule.filter.clone(),
            max_qos: match rule.max_qos.0 {
                QoS::AtMostOnce => Some(0),
                QoS::AtLeastOnce => Some(1),
                QoS::ExactlyOnce => None,
            },
            retain: match rule.retain {
                RetainBound::Retained => None,
                RetainBound::NotRetained => Some(false),
            },
            until: rule.until,
        }
    }

    /// A bound that no version has written counts as the narrowest: whatever it means, it does not widen.
    fn into_rule(self) -> Rule {
        Rule {
            effect: match self.effect {
                StoredEffect::Allow => Effect::Allow,
                StoredEffect::Deny => Effect::Deny,
            },
            action: match self.action {
                StoredAction::Publish => Action::Publish,
                StoredAction::Subscribe => Action::Subscribe,
            },
            filter: self.filter,
            max_qos: QoSBound(match self.max_qos {
                None | Some(2) => QoS::ExactlyOnce,
                Some(1) => QoS::AtLeastOnce,
                Some(_) => QoS::AtMostOnce,
            }),
            retain: match self.retain {
                None | Some(true) => RetainBound::Retained,
                Some(false) => RetainBound::NotRetained,
            },
            until: self.until,
        }
    }
}

impl StoredAttribute {
    fn of(attribute: Attribute) -> Self {
        match attribute {
            Attribute::Cn => Self::Cn,
            Attribute::O => Self::O,
            Attribute::Ou => Self::Ou,
            Attribute::SanUri => Self::SanUri,
            Attribute::SanDns => Self::SanDns,
            Attribute::SanEmail => Self::SanEmail,
        }
    }

    fn into_attribute(self) -> Attribute {
        match self {
            Self::Cn => Attribute::Cn,
            Self::O => Attribute::O,
            Self::Ou => Attribute::Ou,
            Self::SanUri => Attribute::SanUri,
            Self::SanDns => Attribute::SanDns,
            Self::SanEmail => Attribute::SanEmail,
        }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect())
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
