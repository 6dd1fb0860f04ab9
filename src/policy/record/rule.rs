//! One rule: what it may say, and its id.

use crate::policy::template::{self, Template};
use crate::protocol::QoS;
use crate::protocol::topic::{TopicError, TopicFilter};
use sha2::{Digest, Sha256};
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

/// How far an allow reaches beyond its filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bounds {
    /// The highest QoS.
    pub max_qos: QoSBound,
    /// Whether it covers retained publications.
    pub retain: RetainBound,
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

/// Why a rule cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Its filter does not parse.
    #[error("filter {filter:?}: {fault}")]
    Filter {
        /// As written.
        filter: String,
        /// What is wrong.
        fault: TopicError,
    },
    /// A level with a brace that is no template.
    #[error("{level:?} is no template; a whole level may be one of {}", template::NAMES.join(" "))]
    Template {
        /// As written.
        level: String,
    },
    /// `$share/GROUP/FILTER`.
    #[error("filter {0:?}: rights are about the filter behind $share/GROUP/; leave that out")]
    Share(String),
    /// An allow to publish where nobody may.
    #[error("filter {0:?}: no device may publish to $SYS")]
    SystemTopic(String),
    /// A deny with `max_qos` or `retain`.
    #[error("a deny holds for every QoS and retain flag; leave max_qos and retain out")]
    BoundedDeny,
    /// A subscribe with `retain`.
    #[error("retain is about publishing; leave it out of a subscribe rule")]
    RetainOfSubscribe,
    /// Outside the years 1970 to 9999.
    #[error("the end {0} lies outside the years 1970 to 9999")]
    Until(i64),
}

/// The last second of the year 9999: what RFC 3339 can write.
const LAST_SECOND: i64 = 253_402_300_799;

impl Rule {
    /// A valid rule. The end `until` is in Unix seconds.
    ///
    /// # Errors
    /// A filter that does not parse, an unknown or misplaced template, a bound that means nothing.
    pub fn new(
        effect: Effect,
        action: Action,
        filter: &str,
        bounds: Bounds,
        until: Option<i64>,
    ) -> Result<Self, RuleError> {
        let Bounds { max_qos, retain } = bounds;
        let rule = Self { effect, action, filter: Arc::from(filter), max_qos, retain, until };
        rule.validate()?;
        Ok(rule)
    }

    /// What [`Rule::new`] checks, for rules that came another way.
    ///
    /// # Errors
    /// As [`Rule::new`].
    pub fn validate(&self) -> Result<(), RuleError> {
        let filter = &*self.filter;
        if filter == "$share" || filter.starts_with("$share/") {
            return Err(RuleError::Share(filter.to_owned()));
        }
        TopicFilter::parse(filter).map_err(|fault| RuleError::Filter { filter: filter.to_owned(), fault })?;
        if let Some(level) = filter.split('/').find(|level| level.contains(['{', '}']) && Template::of(level).is_none())
        {
            return Err(RuleError::Template { level: level.to_owned() });
        }
        if let Some(until) = self.until.filter(|until| !(0..=LAST_SECOND).contains(until)) {
            return Err(RuleError::Until(until));
        }
        let publishes_to_system = self.action == Action::Publish && is_system(filter);
        match self.effect {
            Effect::Deny if self.bounds() != Bounds::default() => Err(RuleError::BoundedDeny),
            Effect::Allow if publishes_to_system => Err(RuleError::SystemTopic(filter.to_owned())),
            Effect::Allow if self.action == Action::Subscribe && self.retain != RetainBound::Retained => {
                Err(RuleError::RetainOfSubscribe)
            }
            Effect::Allow | Effect::Deny => Ok(()),
        }
    }

    /// Its bounds.
    pub fn bounds(&self) -> Bounds {
        Bounds { max_qos: self.max_qos, retain: self.retain }
    }

    /// Its id: the first bytes of SHA-256 of its content.
    pub fn id(&self) -> RuleId {
        RuleId::of(self.effect, self.action, &self.filter, self.bounds(), self.until)
    }

    /// Whether the filter uses `{client_id}`, which only `identity.client_id = "cn"` makes trustworthy.
    pub fn uses_client_id(&self) -> bool {
        self.filter.split('/').any(|level| Template::of(level) == Some(Template::ClientId))
    }
}

/// Whether a topic or filter lies where only the broker writes.
pub(in crate::policy) fn is_system(topic: &str) -> bool {
    topic.starts_with("$SYS")
}

impl RuleId {
    pub(in crate::policy) fn of(
        effect: Effect,
        action: Action,
        filter: &str,
        bounds: Bounds,
        until: Option<i64>,
    ) -> Self {
        let mut hash = Sha256::new();
        // The filter is last and everything before it has a fixed form, so that no two contents hash the same text.
        let until = until.map_or_else(|| "-".to_owned(), |until| until.to_string());
        let (effect, action) = (effect.as_str(), action.as_str());
        let (qos, retain) = (bounds.max_qos.0 as u8, bounds.retain == RetainBound::Retained);
        hash.update(format!("certmq rule 1 {effect} {action} {qos} {retain} {until} "));
        hash.update(filter);
        let digest: [u8; 32] = hash.finalize().into();
        Self(std::array::from_fn(|index| digest.get(index).copied().unwrap_or_default()))
    }
}

impl std::fmt::Display for RuleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::str::FromStr for RuleId {
    type Err = ParseRuleIdError;

    /// Twelve hexadecimal digits, as [`RuleId`] displays itself.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
        let digits = digits.filter(|digits| digits.len() == 12).ok_or(ParseRuleIdError)?;
        let (pairs, _) = digits.as_chunks::<2>();
        let mut id = Self([0; 6]);
        id.0.iter_mut().zip(pairs).for_each(|(byte, [high, low])| *byte = high << 4 | low);
        Ok(id)
    }
}

/// The text is no rule id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rule id is 12 hexadecimal digits, as `certmq acl list` shows them")]
pub struct ParseRuleIdError;

impl Effect {
    /// As commands and files write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl Action {
    /// As commands and files write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        }
    }
}

impl Default for QoSBound {
    /// No bound.
    fn default() -> Self {
        Self(QoS::ExactlyOnce)
    }
}
