//! Decisions and their proofs. [`Permit`] has no public constructor: only [`Policy`](super::Policy) makes one.

use super::fill::Hole;
use super::record::RuleId;
use super::{ChainFacts, DeviceKey, DistinguishedName, Identity, Lapse, SubjectSelector};
use crate::protocol::QoS;
use crate::protocol::topic::TopicName;
use std::sync::Arc;

/// Counts compiled policies. A decision is worth no more than the epoch it was made in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// Before every policy: a decision of this epoch is always made anew.
    pub const NEVER: Self = Self(0);
}

/// Everything of a client that rules can ask about: device, client id and the certificate attributes that
/// templates and group matches use. Kept for readers and writers that are away, so that their rights can be
/// judged without a certificate at hand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// Which device.
    pub key: DeviceKey,
    /// Which client of the device.
    pub client_id: Arc<str>,
    /// What its certificate said.
    pub attributes: Arc<Attributes>,
    /// The chain it came with: what it wrote, and what waits for it, stands and falls with that. `None`: no certificate
    /// was at hand.
    pub chain: Option<Arc<ChainFacts>>,
}

/// The certificate attributes that rules use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "as in Identity")]
pub struct Attributes {
    pub subject: Arc<str>,
    pub serial: Box<str>,
    pub common_names: Vec<String>,
    pub organisations: Vec<String>,
    pub units: Vec<String>,
    pub san_uris: Vec<String>,
    pub san_dns: Vec<String>,
    pub san_emails: Vec<String>,
}

/// A known device, admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The epoch it was admitted in.
    pub epoch: Epoch,
}

/// Why a device is not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No record and no group match.
    #[error("unknown device {0}: add it with `certmq device add`")]
    Unknown(String),
    /// Its record is disabled.
    #[error("device {0} is disabled: enable it with `certmq device enable`")]
    Disabled(String),
    /// The deny list names it.
    #[error("device {0} is revoked: `certmq revoke --list` shows since when, `certmq revoke --undo ID` lifts it")]
    Revoked(String),
    /// Trust or revocation took the right of its certificate away.
    #[error("device {device}: {lapse}")]
    Lapsed {
        /// Whose.
        device: String,
        /// What happened.
        lapse: Lapse,
    },
    /// Its record pins other certificates.
    #[error("device {0} is pinned to another certificate: add this one with `certmq device add --cert FILE --pin`")]
    NotPinned(String),
    /// `identity.client_id = "cn"` and the client id is not the common name.
    #[error("client id {client_id:?} is not the common name of device {device}")]
    ClientId {
        /// What CONNECT brought.
        client_id: String,
        /// Who brought it.
        device: String,
    },
}

/// The right to publish one message: owns what was judged. The hub takes no other topic.
#[derive(Clone, Copy, Debug)]
pub struct Permit<'a> {
    pub(super) topic: TopicName<'a>,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) epoch: Epoch,
}

/// A refusal by the policy: the deny that matched, or none where nothing allowed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The deny rule; `None`: no allow matched (default deny).
    pub rule: Option<RuleId>,
}

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.rule {
            Some(rule) => write!(f, "rule {rule} denies it"),
            None => f.write_str("no rule allows it"),
        }
    }
}

/// The right to subscribe to one filter.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The highest QoS the covering allows give, not above the requested.
    pub qos: QoS,
    /// What must not be delivered all the same.
    pub holes: Holes,
    /// When it was judged.
    pub epoch: Epoch,
}

/// Denies that overlap a granted filter without covering it.
#[derive(Clone, Debug, Default)]
pub struct Holes {
    filters: Option<Arc<[Hole]>>,
}

impl Principal {
    /// The principal of a connected client.
    pub fn of(identity: &Identity, key: DeviceKey, client_id: Arc<str>) -> Self {
        Self { key, client_id, attributes: Arc::new(Attributes::of(identity)), chain: None }
    }

    /// The same, under a certificate chain.
    #[must_use]
    pub fn under(self, chain: Arc<ChainFacts>) -> Self {
        Self { chain: Some(chain), ..self }
    }

    /// The principal that the name alone gives, where no certificate is at hand: attributes that the name does not
    /// show count as missing, so that allows that need them do not apply and denies that need them do. The client
    /// id is taken to be the common name.
    pub fn named(key: DeviceKey, selector: SubjectSelector) -> Self {
        let attributes = Attributes::of_name(&key.name, selector);
        let client_id = attributes.common_names.first().map(|name| Arc::from(&name[..])).unwrap_or_default();
        Self { key, client_id, attributes: Arc::new(attributes), chain: None }
    }
}

impl Attributes {
    /// The attributes of a certificate.
    pub fn of(identity: &Identity) -> Self {
        Self {
            subject: Arc::from(identity.subject.as_str()),
            serial: identity.serial_hex().into(),
            common_names: identity.common_names.clone(),
            organisations: identity.organisations.clone(),
            units: identity.units.clone(),
            san_uris: identity.san_uris.clone(),
            san_dns: identity.san_dns.clone(),
            san_emails: identity.san_emails.clone(),
        }
    }

    fn of_name(name: &Arc<str>, selector: SubjectSelector) -> Self {
        let only = || vec![name.to_string()];
        match selector {
            SubjectSelector::Dn => match DistinguishedName::parse(name) {
                Ok(subject) => Self {
                    subject: Arc::from(subject.as_str()),
                    common_names: subject.common_names(),
                    organisations: subject.organisations(),
                    units: subject.units(),
                    ..Self::default()
                },
                Err(_) => Self::default(),
            },
            SubjectSelector::Cn => Self { common_names: only(), ..Self::default() },
            SubjectSelector::SanUri => Self { san_uris: only(), ..Self::default() },
            SubjectSelector::SanDns => Self { san_dns: only(), ..Self::default() },
            SubjectSelector::SanEmail => Self { san_emails: only(), ..Self::default() },
        }
    }
}

impl<'a> Permit<'a> {
    /// The judged topic.
    pub fn topic(&self) -> TopicName<'a> {
        self.topic
    }

    /// The judged QoS.
    pub fn qos(&self) -> QoS {
        self.qos
    }

    /// The judged retain flag.
    pub fn retain(&self) -> bool {
        self.retain
    }

    /// When it was judged.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
}

impl Holes {
    /// Whether there are none, so that no delivery needs a check.
    pub fn is_empty(&self) -> bool {
        self.filters.is_none()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.filters.as_ref().map_or(0, |filters| filters.len())
    }

    /// Whether each of them is one of `others` too.
    pub fn are_among(&self, others: &Self) -> bool {
        let holes = |holes: &Self| holes.filters.iter().flat_map(|filters| filters.iter()).cloned().collect::<Vec<_>>();
        let known = holes(others);
        holes(self).iter().all(|hole| known.contains(hole))
    }

    /// Whether `topic` lies in a hole.
    pub fn contain(&self, topic: TopicName<'_>) -> bool {
        self.filters.iter().flat_map(|filters| filters.iter()).any(|hole| hole.contains(topic))
    }

    pub(super) fn of(filters: Vec<Hole>) -> Self {
        Self { filters: if filters.is_empty() { None } else { Some(filters.into()) } }
    }
}
