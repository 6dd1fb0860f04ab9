//! Requests about rules.

use super::devices::data;
use super::resolve::Unlisted;
use super::{Call, Plan, Service};
use crate::admin::reply::{AdminError, Fault, Reply, RuleView, RulesView, SourcedRule};
use crate::admin::request::{RuleText, Who};
use crate::policy::record::{Bounds, QoSBound, RetainBound};
use crate::policy::{Change, DeviceRecord, GroupRecord, Rule, RuleId};
use crate::protocol::QoS;
use crate::store::policy_store::PolicyStore;

/// A record that holds rules.
enum Holder {
    Device(DeviceRecord),
    Group(GroupRecord),
}

impl Service {
    pub(super) fn add_rule(&self, call: Call<'_>, who: &Who, text: &RuleText) -> Result<Reply, AdminError> {
        let rule = parse(text)?;
        let view = RuleView::from(&rule);
        let id = &view.id;
        self.change(call, |store| {
            let holder = self.holder(store, who)?;
            let name = holder.name();
            let mut plan = match holder.rules().contains(&rule) {
                true => Plan::nothing(format!("{name} has this rule already: {view} ({id})")),
                false => Plan::new(
                    vec![holder.with_rules(|rules| rules.push(rule.clone()))?],
                    format!("{name}: {view} ({id})"),
                ),
            };
            if rule.until.is_some_and(|until| until <= call.now) {
                plan.notes.push("its end has passed already: it counts for nothing".to_owned());
            }
            plan.rule = Some(view.clone());
            Ok(plan)
        })
    }

    pub(super) fn list_rules(&self, who: &Who) -> Result<Reply, AdminError> {
        let mut listed = RulesView { who: String::new(), rules: Vec::new() };
        let mut collect = |source: &str, rules: &[Rule]| {
            let sourced = |rule: &Rule| SourcedRule { source: source.to_owned(), rule: RuleView::from(rule) };
            listed.rules.extend(rules.iter().map(sourced));
        };
        listed.who = match who {
            Who::Group(name) => {
                let group = self.group(self.store(), name)?;
                collect("own", &group.rules);
                format!("group {name}")
            }
            Who::Device(device) => {
                let resolved = self.resolve(device, Unlisted::Accepted)?;
                let record = self.store().device(&resolved.key)?;
                let principal = self.principal(&resolved, None);
                if let Some(record) = &record {
                    collect("own", &record.rules);
                }
                for group in self.store().groups() {
                    let group = group?;
                    let listed = record.as_ref().is_some_and(|record| record.groups.contains(&group.name));
                    if listed || super::groups::matches(&group, &principal.attributes) {
                        collect(&format!("group {}", group.name), &group.rules);
                    }
                }
                resolved.key.to_string()
            }
        };
        Ok(Reply::Rules(listed))
    }

    pub(super) fn remove_rule(&self, call: Call<'_>, id: &str, who: Option<&Who>) -> Result<Reply, AdminError> {
        let id: RuleId = id.parse().map_err(|error| data(format!("{id:?}: {error}")))?;
        self.change(call, |store| {
            let mut holders = match who {
                Some(who) => vec![self.holder(store, who)?],
                None => holders(store, id)?,
            };
            holders.retain(|holder| holder.rules().iter().any(|rule| rule.id() == id));
            let holder = match holders.as_slice() {
                [holder] => holder,
                [] => return Err(AdminError::new(Fault::Missing, missing(id, who))),
                several => return Err(AdminError::new(Fault::Missing, ambiguous(id, several))),
            };
            let rule = holder.rules().iter().find(|rule| rule.id() == id).map(RuleView::from);
            let text = rule.as_ref().map(ToString::to_string).unwrap_or_default();
            let change = holder.with_rules(|rules| rules.retain(|rule| rule.id() != id))?;
            let mut plan = Plan::new(vec![change], format!("{}: removed {text} ({id})", holder.name()));
            plan.rule = rule;
            Ok(plan)
        })
    }

    /// The record that `who` names; no rule ever makes one.
    fn holder(&self, store: &PolicyStore, who: &Who) -> Result<Holder, AdminError> {
        match who {
            Who::Group(name) => self.group(store, name).map(Holder::Group),
            Who::Device(device) => self.listed(store, device).map(|(_, record)| Holder::Device(record)),
        }
    }
}

impl Holder {
    fn rules(&self) -> &[Rule] {
        match self {
            Self::Device(record) => &record.rules,
            Self::Group(record) => &record.rules,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Device(record) => format!("device {}", record.key),
            Self::Group(record) => format!("group {}", record.name),
        }
    }

    /// As an option of `certmq acl remove`.
    fn option(&self) -> String {
        match self {
            Self::Device(record) => format!("'{}' --trust {}", record.key.name, record.key.trust),
            Self::Group(record) => format!("--group {}", record.name),
        }
    }

    fn with_rules(&self, edit: impl FnOnce(&mut Vec<Rule>)) -> Result<Change, AdminError> {
        let mut rules = self.rules().to_vec();
        edit(&mut rules);
        match self {
            Self::Device(record) => {
                let (groups, pins) = (record.groups.clone(), record.pins.clone());
                DeviceRecord::new(record.key.clone(), record.status, groups, rules, pins, record.limits)
                    .map(Change::PutDevice)
            }
            Self::Group(record) => {
                GroupRecord::new(&record.name, record.matches.clone(), rules, record.limits).map(Change::PutGroup)
            }
        }
        .map_err(data)
    }
}

/// Every record that holds the rule.
fn holders(store: &PolicyStore, id: RuleId) -> Result<Vec<Holder>, AdminError> {
    let holds = |rules: &[Rule]| rules.iter().any(|rule| rule.id() == id);
    let mut found = Vec::new();
    for group in store.groups() {
        let group = group?;
        if holds(&group.rules) {
            found.push(Holder::Group(group));
        }
    }
    for device in store.devices() {
        let device = device?;
        if holds(&device.rules) {
            found.push(Holder::Device(device));
        }
    }
    Ok(found)
}

fn missing(id: RuleId, who: Option<&Who>) -> String {
    match who {
        Some(_) => format!("no rule {id} there; `certmq acl list` shows the rules with their ids"),
        None => format!("no rule {id}; `certmq acl list` shows the rules with their ids"),
    }
}

fn ambiguous(id: RuleId, holders: &[Holder]) -> String {
    let mut message = format!("{} records hold the rule {id}; say which one is meant:", holders.len());
    for holder in holders.iter().take(10) {
        message.push_str(&format!("\n  certmq acl remove {id} {}", holder.option()));
    }
    message
}

fn parse(text: &RuleText) -> Result<Rule, AdminError> {
    let max_qos = match text.max_qos {
        Some(0) => QoS::AtMostOnce,
        Some(1) => QoS::AtLeastOnce,
        Some(2) | None => QoS::ExactlyOnce,
        Some(other) => return Err(data(format!("QoS {other}: there are 0, 1 and 2"))),
    };
    let retain = match text.retain {
        Some(false) => RetainBound::NotRetained,
        Some(true) | None => RetainBound::Retained,
    };
    let bounds = Bounds { max_qos: QoSBound(max_qos), retain };
    Rule::new(text.effect, text.action, &text.filter, bounds, text.until).map_err(data)
}
