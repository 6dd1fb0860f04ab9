//! Two policies compared for one principal: what a change would take from it and give to it.

use super::fill::{Filled, Filling};
use super::record::{Action, Bounds, Effect, RetainBound};
use super::{Policy, Principal};
use crate::protocol::topic::{Level, covers, overlaps};
use crate::protocol::{QoS, TopicFilter};
use std::ops::ControlFlow;

/// What a principal may publish, by its rules.
struct Reach<'a> {
    allows: Vec<(Filled<'a>, Bounds)>,
    denies: Vec<Filled<'a>>,
}

/// What a change does to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It delivers what it did, or more.
    Kept,
    /// It stays with less: a lower QoS, or other holes.
    Narrowed,
    /// It delivers nothing any more.
    Cut,
}

impl Policy {
    /// Whether `next` may refuse a publication of the principal that this policy lets through. Compares rule by rule: an
    /// allow that is split into several counts as lost.
    pub fn loses_publish(&self, next: &Self, principal: &Principal) -> bool {
        let (before, after) = (self.reach(principal), next.reach(principal));
        let lost_allow = before.allows.iter().any(|allow| !after.allows.iter().any(|other| reaches(other, allow)));
        lost_allow || after.denies.iter().any(|deny| before.is_cut_by(*deny))
    }

    /// Whether the principal may, of one action, do everything: subscribe to `#` or publish to it.
    pub fn reaches_everything(&self, principal: &Principal) -> bool {
        let everything = || std::iter::once(Level::Rest);
        [Action::Publish, Action::Subscribe].into_iter().any(|action| {
            let reach = self.reach_of(principal, action);
            reach.allows.iter().any(|(allow, _)| covers(allow.levels(), everything()))
                && !reach.denies.iter().any(|deny| covers(deny.levels(), everything()))
        })
    }

    /// Whether `next` gives the principal less of a subscription than this policy: nothing, a lower QoS, or with more
    /// holes.
    pub fn loses_subscription(&self, next: &Self, principal: &Principal, filter: &TopicFilter, qos: QoS) -> bool {
        self.fate_of(next, principal, filter, qos) != Fate::Kept
    }

    /// What becomes of a subscription under `next`.
    pub fn fate_of(&self, next: &Self, principal: &Principal, filter: &TopicFilter, qos: QoS) -> Fate {
        let judged = |policy: &Self| policy.authorize_subscribe(principal, filter, qos);
        match (judged(self), judged(next)) {
            (Ok(_), Err(_)) => Fate::Cut,
            (Ok(before), Ok(after)) if after.qos < before.qos || !after.holes.are_among(&before.holes) => {
                Fate::Narrowed
            }
            (Ok(_) | Err(_), _) => Fate::Kept,
        }
    }

    fn reach<'a>(&'a self, principal: &'a Principal) -> Reach<'a> {
        self.reach_of(principal, Action::Publish)
    }

    fn reach_of<'a>(&'a self, principal: &'a Principal, action: Action) -> Reach<'a> {
        let mut reach = Reach { allows: Vec::new(), denies: Vec::new() };
        let Ok(standing) = self.standing(principal) else { return reach };
        let filling = Filling::new(principal, self.settings().client_id, None);
        let _ = self.visit(principal, standing, action, |_, rule| {
            match (filling.fill(rule), rule.effect) {
                (Some(filled), Effect::Allow) => reach.allows.push((filled, rule.bounds)),
                (Some(filled), Effect::Deny) => reach.denies.push(filled),
                (None, _) => {}
            }
            ControlFlow::<()>::Continue(())
        });
        reach
    }
}

impl Reach<'_> {
    /// Whether a deny takes something that was allowed and not denied before.
    fn is_cut_by(&self, deny: Filled<'_>) -> bool {
        let known = self.denies.iter().any(|known| covers(known.levels(), deny.levels()));
        !known && self.allows.iter().any(|(allow, _)| overlaps(deny.levels(), allow.levels()))
    }
}

fn reaches((filled, bounds): &(Filled<'_>, Bounds), (other, wanted): &(Filled<'_>, Bounds)) -> bool {
    bounds.max_qos.0 >= wanted.max_qos.0
        && (bounds.retain == RetainBound::Retained || wanted.retain == RetainBound::NotRetained)
        && covers(filled.levels(), other.levels())
}
