//! The policy as operators write it and the store keeps it: devices, groups, rules.

use super::name::value_fault;
use super::{DeviceKey, Principal};
use std::collections::BTreeMap;
use std::sync::Arc;

mod limits;
mod rule;

pub use limits::RecordLimits;
pub(super) use rule::is_system;
pub use rule::{Action, Bounds, Effect, ParseRuleIdError, QoSBound, RetainBound, Rule, RuleError, RuleId};

#[cfg(test)]
mod tests;

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
    /// What it may use up; they go before those of its groups.
    pub limits: RecordLimits,
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
    /// What each member may use up; of several groups the lowest counts.
    pub limits: RecordLimits,
}

/// Why a record cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not a group's name.
    #[error("group name {0:?}: use 1 to 64 letters, digits, '-', '_' and '.'")]
    GroupName(String),
    /// A match on nothing.
    #[error("match {attribute}: an empty value matches no certificate")]
    EmptyMatch {
        /// The attribute's name in files.
        attribute: &'static str,
    },
    /// A device that no certificate can be.
    #[error("the {part} of a device {fault}")]
    Key {
        /// Name or trust block.
        part: &'static str,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A limit of nothing at all.
    #[error("limits: {0} = 0 would serve nobody; disable the device, or leave the limit out")]
    Limit(&'static str),
    /// Over two pins.
    #[error("{0} pinned certificates; one or two (the present and the next) are possible")]
    Pins(usize),
    /// One of its rules.
    #[error(transparent)]
    Rule(#[from] RuleError),
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

impl DeviceRecord {
    /// A record in canonical form: groups, rules and pins sorted, without repeats.
    ///
    /// # Errors
    /// A group name that can name no group, an invalid rule, more than two pins.
    pub fn new(
        key: DeviceKey,
        status: DeviceStatus,
        groups: Vec<Arc<str>>,
        rules: Vec<Rule>,
        pins: Vec<[u8; 32]>,
        limits: RecordLimits,
    ) -> Result<Self, RecordError> {
        let (groups, rules, pins) = (canonical(groups), canonical(rules), canonical(pins));
        let record = Self { key, status, groups, rules, pins, limits };
        record.validate()?;
        Ok(record)
    }

    /// What [`DeviceRecord::new`] checks, for records that came another way.
    ///
    /// # Errors
    /// As [`DeviceRecord::new`].
    pub fn validate(&self) -> Result<(), RecordError> {
        for (part, text) in [("name", &self.key.name), ("trust block", &self.key.trust)] {
            if let Some(fault) = value_fault(text) {
                return Err(RecordError::Key { part, fault });
            }
        }
        self.groups.iter().try_for_each(|group| validate_group_name(group))?;
        self.rules.iter().try_for_each(Rule::validate)?;
        self.limits.validate()?;
        if self.pins.len() > 2 { Err(RecordError::Pins(self.pins.len())) } else { Ok(()) }
    }
}

impl GroupRecord {
    /// A record in canonical form: rules sorted, without repeats.
    ///
    /// # Errors
    /// A bad name, an empty value to match, an invalid rule.
    pub fn new(
        name: &str,
        matches: BTreeMap<Attribute, String>,
        rules: Vec<Rule>,
        limits: RecordLimits,
    ) -> Result<Self, RecordError> {
        let record = Self { name: Arc::from(name), matches, rules: canonical(rules), limits };
        record.validate()?;
        Ok(record)
    }

    /// What [`GroupRecord::new`] checks, for records that came another way.
    ///
    /// # Errors
    /// As [`GroupRecord::new`].
    pub fn validate(&self) -> Result<(), RecordError> {
        validate_group_name(&self.name)?;
        if let Some((attribute, _)) = self.matches.iter().find(|(_, value)| value.is_empty()) {
            return Err(RecordError::EmptyMatch { attribute: attribute.as_str() });
        }
        self.limits.validate()?;
        Ok(self.rules.iter().try_for_each(Rule::validate)?)
    }
}

impl Records {
    /// What is allowed but seldom meant, a sentence each: rights that end at renewal, denies that a device sheds with
    /// an attribute of its certificate.
    pub fn warnings(&self) -> Vec<String> {
        let of_devices = self.devices.values().map(|device| (format!("device {}", device.key), &device.rules, false));
        let of_groups = self
            .groups
            .values()
            .map(|group| (format!("group {}", group.name), &group.rules, !group.matches.is_empty()));
        let mut warnings = Vec::new();
        for (who, rules, is_matched) in of_groups.chain(of_devices) {
            for rule in rules {
                let what = format!(
                    "{who}: rule {} ({} {} {:?})",
                    rule.id(),
                    rule.effect.as_str(),
                    rule.action.as_str(),
                    rule.filter
                );
                if rule.filter.split('/').any(|level| level == "{serial}") {
                    warnings.push(format!("{what} ends when the certificate is renewed, because {{serial}} changes"));
                }
                if is_matched && rule.effect == Effect::Deny {
                    warnings.push(format!("{what} no longer holds for a certificate without the matched attribute"));
                }
            }
        }
        warnings
    }
}

fn canonical<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort_unstable();
    list.dedup();
    list
}

fn validate_group_name(name: &str) -> Result<(), RecordError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
        Ok(())
    } else {
        Err(RecordError::GroupName(name.to_owned()))
    }
}

impl Attribute {
    /// Every attribute that a group may match.
    pub const ALL: [Self; 6] = [Self::Cn, Self::O, Self::Ou, Self::SanUri, Self::SanDns, Self::SanEmail];

    /// As files and commands write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cn => "cn",
            Self::O => "o",
            Self::Ou => "ou",
            Self::SanUri => "san_uri",
            Self::SanDns => "san_dns",
            Self::SanEmail => "san_email",
        }
    }

    /// The attribute with that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attribute| attribute.as_str() == name)
    }

    /// Its values in a certificate.
    pub(super) fn values(self, principal: &Principal) -> &[String] {
        let attributes = &*principal.attributes;
        match self {
            Self::Cn => &attributes.common_names,
            Self::O => &attributes.organisations,
            Self::Ou => &attributes.units,
            Self::SanUri => &attributes.san_uris,
            Self::SanDns => &attributes.san_dns,
            Self::SanEmail => &attributes.san_emails,
        }
    }
}
