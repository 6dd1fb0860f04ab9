//! The judgement itself: who is known, and which rule decides.

use super::decision::{Admission, Denied, Grant, Holes, Permit, Refusal};
use super::devices::DeviceView;
use super::fill::Filling;
use super::groups::Group;
use super::packed::RuleView;
use super::record::{Action, DeviceStatus, Effect, RetainBound, is_system};
use super::{ClientIdRule, Lapse, Policy, Principal, RecordRequirement, Writings};
use crate::protocol::QoS;
use crate::protocol::topic::{Level, TopicFilter, TopicName, covers, matches, overlaps};
use std::ops::ControlFlow;

#[cfg(test)]
mod tests;

/// What makes a principal known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standing<'a> {
    /// A record.
    Recorded(DeviceView<'a>),
    /// A group that its certificate matches.
    Matched,
}

/// Why a principal has no rights at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    Unknown,
    Disabled,
    /// By the deny list, as a device.
    Revoked,
    /// By its certificate chain.
    Lapsed(Lapse),
    ClientId,
}

/// Where a rule comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// The device's own record.
    Own,
    /// A group that the record lists.
    Listed(&'a Group),
    /// A group that the certificate matches.
    Matched(&'a Group),
}

impl Policy {
    /// Whether the device is known, enabled and presents the right certificate and client id.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, principal: &Principal, certificate_sha256: &[u8; 32]) -> Result<Admission, Refusal> {
        let device = || principal.key.to_string();
        let standing = self.standing(principal).map_err(|stranger| match stranger {
            Stranger::Unknown => Refusal::Unknown(device()),
            Stranger::Disabled => Refusal::Disabled(device()),
            Stranger::Revoked => Refusal::Revoked(device()),
            Stranger::Lapsed(lapse) => Refusal::Lapsed { device: device(), lapse },
            Stranger::ClientId => Refusal::ClientId { client_id: principal.client_id.to_string(), device: device() },
        })?;
        match standing {
            Standing::Recorded(record) if !record.pins().is_empty() && !record.pins().contains(certificate_sha256) => {
                Err(Refusal::NotPinned(device()))
            }
            Standing::Recorded(_) | Standing::Matched => Ok(Admission { epoch: self.epoch() }),
        }
    }

    /// Judges a publication. Never rewrites it.
    ///
    /// # Errors
    /// The deny that matches, or none where no allow does.
    pub fn authorize_publish<'a>(
        &self,
        principal: &Principal,
        topic: TopicName<'a>,
        qos: QoS,
        retain: bool,
    ) -> Result<Permit<'a>, Denied> {
        self.judge_publish(principal, topic, qos, retain)?;
        Ok(Permit { topic, qos, retain, epoch: self.epoch() })
    }

    /// The right of certmq itself to say, retained and with QoS 0, how it is: below `$SYS`, where nobody else writes.
    pub fn permit_system<'a>(&self, topic: TopicName<'a>) -> Option<Permit<'a>> {
        let below = topic.as_str().starts_with("$SYS/");
        below.then(|| Permit { topic, qos: QoS::AtMostOnce, retain: true, epoch: self.epoch() })
    }

    /// Judges a subscription on its inner filter.
    ///
    /// # Errors
    /// The deny that covers the filter, or none where no allow does.
    pub fn authorize_subscribe(&self, principal: &Principal, filter: &TopicFilter, qos: QoS) -> Result<Grant, Denied> {
        let standing = self.standing(principal).map_err(|_| Denied { rule: None })?;
        let filling = Filling::new(principal, self.settings().client_id, filter.levels().next());
        let mut highest: Option<QoS> = None;
        let mut holes = Vec::new();
        let denied = self.visit(principal, standing, Action::Subscribe, |_, rule| {
            let Some(filled) = filling.fill(rule) else { return ControlFlow::Continue(()) };
            let whole = covers(filled.levels(), filter.levels());
            match rule.effect {
                Effect::Deny if whole => return ControlFlow::Break(rule.id()),
                Effect::Deny if overlaps(filled.levels(), filter.levels()) => holes.push(filled.to_hole()),
                Effect::Allow if whole => highest = highest.max(Some(rule.bounds.max_qos.0)),
                Effect::Allow | Effect::Deny => {}
            }
            ControlFlow::Continue(())
        });
        match (denied, highest) {
            (ControlFlow::Break(rule), _) => Err(Denied { rule: Some(rule) }),
            (ControlFlow::Continue(()), None) => Err(Denied { rule: None }),
            (ControlFlow::Continue(()), Some(highest)) => {
                Ok(Grant { qos: qos.min(highest), holes: Holes::of(holes), epoch: self.epoch() })
            }
        }
    }

    /// Whether a known principal is a member of `group`: listed in its record, or matched by its certificate.
    pub fn is_member(&self, principal: &Principal, group: &str) -> bool {
        let Ok(standing) = self.standing(principal) else { return false };
        let listed = match standing {
            Standing::Recorded(record) => {
                let mut groups = record.groups().iter().filter_map(|number| self.groups.group(*number));
                groups.any(|listed| &*listed.name == group)
            }
            Standing::Matched => false,
        };
        listed || self.groups.matched(principal).any(|matched| &*matched.name == group)
    }

    pub(super) fn judge_publish(
        &self,
        principal: &Principal,
        topic: TopicName<'_>,
        qos: QoS,
        retain: bool,
    ) -> Result<(), Denied> {
        if is_system(topic.as_str()) {
            return Err(Denied { rule: None });
        }
        let standing = self.standing(principal).map_err(|_| Denied { rule: None })?;
        let filling = Filling::new(principal, self.settings().client_id, topic.levels().next().map(Level::Literal));
        let mut allowed = false;
        let denied = self.visit(principal, standing, Action::Publish, |_, rule| {
            let wanted = match rule.effect {
                Effect::Deny => true,
                Effect::Allow => !allowed && is_within(rule, qos, retain),
            };
            if wanted && filling.fill(rule).is_some_and(|filled| matches(filled.levels(), topic)) {
                match rule.effect {
                    Effect::Deny => return ControlFlow::Break(rule.id()),
                    Effect::Allow => allowed = true,
                }
            }
            ControlFlow::Continue(())
        });
        match denied {
            ControlFlow::Break(rule) => Err(Denied { rule: Some(rule) }),
            ControlFlow::Continue(()) if allowed => Ok(()),
            ControlFlow::Continue(()) => Err(Denied { rule: None }),
        }
    }

    pub(super) fn standing(&self, principal: &Principal) -> Result<Standing<'_>, Stranger> {
        if self.denied.device(&principal.key).is_some() {
            return Err(Stranger::Revoked);
        }
        if let Some(lapse) = self.lost_right(principal) {
            return Err(Stranger::Lapsed(lapse));
        }
        let standing = match self.device(&principal.key) {
            Some(record) if record.status() == DeviceStatus::Disabled => return Err(Stranger::Disabled),
            Some(record) => Standing::Recorded(record),
            None => match self.settings().require_record {
                RecordRequirement::RecordOrMatch if self.groups.matched(principal).next().is_some() => {
                    Standing::Matched
                }
                RecordRequirement::RecordOrMatch | RecordRequirement::Record => return Err(Stranger::Unknown),
            },
        };
        match (self.settings().client_id, &principal.attributes.common_names[..]) {
            (ClientIdRule::CommonName, [name]) if **name == *principal.client_id => Ok(standing),
            (ClientIdRule::CommonName, _) => Err(Stranger::ClientId),
            (ClientIdRule::Free, _) => Ok(standing),
        }
    }

    /// Whether the chain of the principal took its rights with it. One that merely ended did not: what was written under
    /// it stays good.
    fn lost_right(&self, principal: &Principal) -> Option<Lapse> {
        let chain = principal.chain.as_ref()?;
        let lapse = self.judge_chain(&principal.key, chain, self.now).err()?;
        (lapse.writings() == Writings::Withheld).then_some(lapse)
    }

    /// Shows `look` every live rule about `action` that the principal has, until it breaks.
    pub(super) fn visit<'a, B>(
        &'a self,
        principal: &'a Principal,
        standing: Standing<'a>,
        action: Action,
        mut look: impl FnMut(Source<'a>, RuleView<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let counts = |rule: &RuleView<'_>| rule.action == action && rule.is_live(self.now);
        if let Standing::Recorded(record) = standing {
            record.rules().filter(counts).try_for_each(|rule| look(Source::Own, rule))?;
            for group in record.groups().iter().filter_map(|number| self.groups.group(*number)) {
                group.rules().filter(counts).try_for_each(|rule| look(Source::Listed(group), rule))?;
            }
        }
        for group in self.groups.matched(principal) {
            group.rules().filter(counts).try_for_each(|rule| look(Source::Matched(group), rule))?;
        }
        ControlFlow::Continue(())
    }
}

/// Whether an allow reaches as far as the publication.
pub(super) fn is_within(rule: RuleView<'_>, qos: QoS, retain: bool) -> bool {
    qos <= rule.bounds.max_qos.0 && (!retain || rule.bounds.retain == RetainBound::Retained)
}
