//! Rules as the compiled policy keeps them: 16 bytes each, the filters in one text beside them.

use super::record::{Action, Bounds, Effect, QoSBound, RetainBound, Rule, RuleId};
use crate::protocol::QoS;

/// A rule without its filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PackedRule {
    /// [`ENDLESS`] without an end.
    until: i64,
    start: u32,
    length: u16,
    bits: u8,
}

/// A rule as decisions read it, borrowed from the compiled policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RuleView<'a> {
    pub(super) effect: Effect,
    pub(super) action: Action,
    pub(super) filter: &'a str,
    pub(super) bounds: Bounds,
    pub(super) until: Option<i64>,
}

/// Offsets of 32 bits are spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

const ENDLESS: i64 = i64::MAX;
const DENY: u8 = 1;
const SUBSCRIBE: u8 = 1 << 1;
const NOT_RETAINED: u8 = 1 << 2;
const QOS_SHIFT: u8 = 4;

impl PackedRule {
    /// Appends the filter of `rule` to `text`.
    pub(super) fn pack(rule: RuleView<'_>, text: &mut String) -> Result<Self, Full> {
        let mut bits = (rule.bounds.max_qos.0 as u8) << QOS_SHIFT;
        bits |= if rule.effect == Effect::Deny { DENY } else { 0 };
        bits |= if rule.action == Action::Subscribe { SUBSCRIBE } else { 0 };
        bits |= if rule.bounds.retain == RetainBound::NotRetained { NOT_RETAINED } else { 0 };
        let start = u32::try_from(text.len()).map_err(|_| Full)?;
        let length = u16::try_from(rule.filter.len()).map_err(|_| Full)?;
        text.push_str(rule.filter);
        Ok(Self { until: rule.until.unwrap_or(ENDLESS), start, length, bits })
    }

    /// The rule, its filter taken from the text it was packed into.
    pub(super) fn view(self, text: &str) -> RuleView<'_> {
        let start = self.start as usize;
        RuleView {
            effect: if self.bits & DENY == 0 { Effect::Allow } else { Effect::Deny },
            action: if self.bits & SUBSCRIBE == 0 { Action::Publish } else { Action::Subscribe },
            filter: text.get(start..start + usize::from(self.length)).unwrap_or_default(),
            bounds: Bounds {
                max_qos: QoSBound(match self.bits >> QOS_SHIFT {
                    2 => QoS::ExactlyOnce,
                    1 => QoS::AtLeastOnce,
                    _ => QoS::AtMostOnce,
                }),
                retain: if self.bits & NOT_RETAINED == 0 { RetainBound::Retained } else { RetainBound::NotRetained },
            },
            until: self.end(),
        }
    }

    /// When it ends.
    pub(super) fn end(self) -> Option<i64> {
        Some(self.until).filter(|until| *until != ENDLESS)
    }
}

impl<'a> RuleView<'a> {
    pub(super) fn of(rule: &'a Rule) -> Self {
        let Rule { effect, action, filter, until, .. } = rule;
        Self { effect: *effect, action: *action, filter, bounds: rule.bounds(), until: *until }
    }

    pub(super) fn id(self) -> RuleId {
        RuleId::of(self.effect, self.action, self.filter, self.bounds, self.until)
    }

    /// Whether it counts at `now`, Unix seconds.
    pub(super) fn is_live(self, now: i64) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}
