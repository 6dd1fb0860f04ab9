//! The records as they grow, and the account.

use super::{Carried, Names, Note, Translation};
use crate::policy::record::DeviceStatus;
use crate::policy::{
    Action, Bounds, ClientIdRule, DeviceKey, DeviceRecord, Effect, GroupRecord, RecordError, RecordLimits, Records,
    Rule,
};
use crate::protocol::TopicFilter;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What stands for a part of the certificate in a topic of the other broker, and what it means.
pub(super) type Placeholders = &'static [(&'static str, Placeholder)];

/// What a placeholder is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placeholder {
    ClientId,
    UserName,
    CommonName,
    Subject,
}

/// One line of the other broker's rules, with its place in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) place: &'a str,
    pub(super) effect: Effect,
    pub(super) action: Action,
    pub(super) bounds: Bounds,
    pub(super) topic: &'a str,
    /// What stands for something else in the topic.
    pub(super) placeholders: Placeholders,
}

/// Whose a rule is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Device(DeviceKey),
    Group(Arc<str>),
}

pub(super) struct Draft<'a> {
    names: &'a Names,
    groups: BTreeMap<Arc<str>, Vec<Rule>>,
    /// By their names there.
    called: BTreeMap<String, Arc<str>>,
    devices: BTreeMap<DeviceKey, DeviceDraft>,
    notes: Vec<Note>,
}

#[derive(Default)]
struct DeviceDraft {
    status: DeviceStatus,
    groups: Vec<Arc<str>>,
    rules: Vec<Rule>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(names: &'a Names) -> Self {
        Self { names, groups: BTreeMap::new(), called: BTreeMap::new(), devices: BTreeMap::new(), notes: Vec::new() }
    }

    pub(super) fn note(&mut self, outcome: Carried, place: &str, text: impl Into<String>) {
        self.notes.push(Note { outcome, place: place.to_owned(), text: text.into() });
    }

    /// The device of a user name; noted where there can be none.
    pub(super) fn user(&mut self, place: &str, user: &str) -> Option<DeviceKey> {
        match self.names.device(user) {
            Ok(key) => {
                self.devices.entry(key.clone()).or_default();
                Some(key)
            }
            Err(fault) => {
                self.note(Carried::LeftOut, place, format!("user {user:?} names no device: {fault}"));
                None
            }
        }
    }

    /// The device whose client id this must be; noted where it says nothing.
    pub(super) fn client(&mut self, place: &str, client_id: &str) -> Option<DeviceKey> {
        match self.names.device_of_client(client_id) {
            Ok(key) => {
                self.devices.entry(key.clone()).or_default();
                Some(key)
            }
            Err(fault) => {
                self.note(Carried::LeftOut, place, format!("client id {client_id:?}: {fault}"));
                None
            }
        }
    }

    pub(super) fn disable(&mut self, key: &DeviceKey) {
        self.devices.entry(key.clone()).or_default().status = DeviceStatus::Disabled;
    }

    /// The group for what is called `name` there. Two of them never become one here, or rights would spread.
    pub(super) fn group(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.existing_group(name) {
            return known;
        }
        let usable = usable_group_name(name);
        let numbered = (2..).map(|number| format!("{usable}-{number}"));
        let mut candidates = std::iter::once(usable.clone()).chain(numbered).map(Arc::<str>::from);
        let free = candidates.find(|candidate| !self.groups.contains_key(candidate));
        let group = free.unwrap_or_else(|| Arc::from(usable));
        if *group != *name {
            self.note(Carried::Differs, &format!("{name:?}"), format!("it is called {group} here"));
        }
        self.groups.insert(Arc::clone(&group), Vec::new());
        self.called.insert(name.to_owned(), Arc::clone(&group));
        group
    }

    /// The group that [`Self::group`] made of this name.
    pub(super) fn existing_group(&self, name: &str) -> Option<Arc<str>> {
        self.called.get(name).map(Arc::clone)
    }

    pub(super) fn join(&mut self, key: &DeviceKey, group: &Arc<str>) {
        self.devices.entry(key.clone()).or_default().groups.push(Arc::clone(group));
    }

    /// Every device there is so far.
    pub(super) fn devices(&self) -> Vec<DeviceKey> {
        self.devices.keys().cloned().collect()
    }

    /// Adds a rule, or notes why it cannot be.
    pub(super) fn rule(&mut self, owner: &Owner, line: Line<'_>) -> Option<Rule> {
        match self.translate(line) {
            Ok(rule) => {
                let to = match owner {
                    Owner::Device(key) => format!("device {key}"),
                    Owner::Group(name) => format!("group {name}"),
                };
                self.rules_of(owner).push(rule.clone());
                let (effect, action) = (rule.effect.as_str(), rule.action.as_str());
                self.note(Carried::Over, line.place, format!("{to}: {effect} {action} {}", rule.filter));
                Some(rule)
            }
            Err(fault) => {
                let opened = match line.effect {
                    Effect::Allow => "",
                    Effect::Deny => "; look whether an allow now reaches what it closed",
                };
                let (effect, action) = (line.effect.as_str(), line.action.as_str());
                self.note(Carried::LeftOut, line.place, format!("{effect} {action} {:?}: {fault}{opened}", line.topic));
                None
            }
        }
    }

    /// The records, whole.
    pub(super) fn finish(self) -> Result<Translation, RecordError> {
        let mut records = Records::default();
        for (name, rules) in self.groups {
            records
                .groups
                .insert(Arc::clone(&name), GroupRecord::new(&name, BTreeMap::new(), rules, RecordLimits::default())?);
        }
        for (key, draft) in self.devices {
            let record = DeviceRecord::new(
                key.clone(),
                draft.status,
                draft.groups,
                draft.rules,
                Vec::new(),
                RecordLimits::default(),
            )?;
            records.devices.insert(key, record);
        }
        Ok(Translation { records, notes: self.notes })
    }

    fn rules_of(&mut self, owner: &Owner) -> &mut Vec<Rule> {
        match owner {
            Owner::Device(key) => &mut self.devices.entry(key.clone()).or_default().rules,
            Owner::Group(name) => self.groups.entry(Arc::clone(name)).or_default(),
        }
    }

    fn translate(&self, line: Line<'_>) -> Result<Rule, String> {
        let levels: Result<Vec<&str>, String> =
            line.topic.split('/').map(|level| self.level(level, line.placeholders)).collect();
        let filter = levels?.join("/");
        let rule =
            Rule::new(line.effect, line.action, &filter, line.bounds, None).map_err(|fault| fault.to_string())?;
        if rule.uses_client_id() && self.names.client_id == ClientIdRule::Free {
            return Err("devices choose their client ids; set identity.client_id = \"cn\" and import again, or use \
                        the user name"
                .to_owned());
        }
        Ok(rule)
    }

    fn level<'l>(&self, level: &'l str, placeholders: Placeholders) -> Result<&'l str, String> {
        if let Some((_, placeholder)) = placeholders.iter().find(|(text, _)| *text == level) {
            return Ok(match placeholder {
                Placeholder::ClientId => "{client_id}",
                Placeholder::UserName => self.names.user_template(),
                Placeholder::CommonName => "{cn}",
                Placeholder::Subject => "{subject}",
            });
        }
        match placeholders.iter().find(|(text, _)| level.contains(text)) {
            Some((text, _)) => Err(format!("{text} stands beside other text, and a template fills a whole level")),
            None if level.contains(['{', '}']) => Err("braces mean templates here".to_owned()),
            None => Ok(level),
        }
    }
}

/// A group's name may hold letters, digits, `-`, `_` and `.`, at most 64; some are kept for a number.
fn usable_group_name(name: &str) -> String {
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    let usable: String =
        name.chars().take(56).map(|character| if allowed(character) { character } else { '-' }).collect();
    if usable.is_empty() { "unnamed".to_owned() } else { usable }
}

/// Whether some topic could be meant by both. Templates could be anything.
pub(super) fn overlap(one: &Rule, other: &Rule) -> bool {
    let plain = |rule: &Rule| {
        let levels = rule.filter.split('/').map(|level| if level.starts_with('{') { "+" } else { level });
        TopicFilter::parse(&levels.collect::<Vec<_>>().join("/")).ok()
    };
    match (plain(one), plain(other)) {
        (Some(this), Some(that)) => one.action == other.action && this.overlaps(&that),
        _ => false,
    }
}
