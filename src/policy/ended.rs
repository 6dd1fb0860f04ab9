//! Which rules ended when: for those who must be told.

use super::Policy;
use super::packed::RuleView;
use super::record::{Effect, RuleId};

/// A rule whose `until` has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub rule: RuleId,
    /// Allow or deny.
    pub effect: Effect,
    /// The device or group that has it.
    pub whose: String,
}

impl Policy {
    /// The rules whose `until` lies after `after` and not after the policy's own time. Looks at devices only where some
    /// rule ended.
    pub fn ended_since(&self, after: i64) -> Vec<Ended> {
        let mut ended = Vec::new();
        let passed = |rule: &RuleView<'_>| rule.until.is_some_and(|until| until > after && until <= self.now());
        for group in self.groups.all() {
            let of_group = group.rules().filter(passed);
            ended.extend(of_group.map(|rule| Ended::of(rule, format!("group {}", group.name))));
        }
        for device in self.devices.with_ends(after, self.now()) {
            let Some(key) = self.key_of(device) else { continue };
            ended.extend(device.rules().filter(passed).map(|rule| Ended::of(rule, format!("device {key}"))));
        }
        ended
    }
}

impl Ended {
    fn of(rule: RuleView<'_>, whose: String) -> Self {
        Self { rule: rule.id(), effect: rule.effect, whose }
    }
}
