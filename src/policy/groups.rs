//! All group records, compiled. Groups are few: a change copies the table, not the groups.

use super::Principal;
use super::packed::{Full, PackedRule, RuleView};
use super::record::{Attribute, GroupRecord, RecordLimits};
use std::collections::HashMap;
use std::sync::Arc;

/// One group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: Arc<str>,
    /// All must hold; empty: nobody is matched.
    pub(super) matches: Vec<(Attribute, String)>,
    rules: Box<[PackedRule]>,
    filters: Box<str>,
    /// Of each member.
    pub(super) limits: RecordLimits,
}

/// Numbers of groups by a value of one attribute.
type ByValue = HashMap<String, Vec<u32>, ahash::RandomState>;

/// Every group, by number (devices hold numbers) and by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    slots: Vec<Option<Arc<Group>>>,
    /// Numbers of removed groups; no device lists them, so they may be given again.
    free: Vec<u32>,
    by_name: HashMap<Arc<str>, u32, ahash::RandomState>,
    /// For each attribute the groups that one of its values makes candidates: the rarest pair of each group's
    /// matches leads to it, so that a certificate meets few groups it does not belong to.
    candidates: Vec<(Attribute, ByValue)>,
}

impl Group {
    pub(super) fn of(record: &GroupRecord) -> Result<Self, Full> {
        let mut filters = String::new();
        let rules: Result<Vec<_>, Full> =
            record.rules.iter().map(|rule| PackedRule::pack(RuleView::of(rule), &mut filters)).collect();
        Ok(Self {
            name: Arc::clone(&record.name),
            matches: record.matches.iter().map(|(attribute, value)| (*attribute, value.clone())).collect(),
            rules: rules?.into(),
            filters: filters.into(),
            limits: record.limits,
        })
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = RuleView<'_>> {
        self.rules.iter().map(|rule| rule.view(&self.filters))
    }

    /// Whether the certificate makes its bearer a member.
    pub(super) fn holds(&self, principal: &Principal) -> bool {
        let equals = |(attribute, value): &(Attribute, String)| attribute.values(principal).contains(value);
        !self.matches.is_empty() && self.matches.iter().all(equals)
    }

    fn heap_bytes(&self) -> usize {
        let matches: usize = self.matches.iter().map(|pair| size_of_val(pair) + pair.1.capacity()).sum();
        size_of::<Self>() + size_of_val(&*self.rules) + self.filters.len() + self.name.len() + matches
    }
}

impl Groups {
    /// The number of the group `name`, which may still be without a definition.
    pub(super) fn number_or_reserve(&mut self, name: &Arc<str>) -> Result<u32, Full> {
        if let Some(number) = self.by_name.get(name) {
            return Ok(*number);
        }
        let number = match self.free.pop() {
            Some(number) => number,
            None => {
                self.slots.push(None);
                u32::try_from(self.slots.len() - 1).map_err(|_| Full)?
            }
        };
        self.by_name.insert(Arc::clone(name), number);
        Ok(number)
    }

    /// The number of the defined group `name`.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied().filter(|number| self.group(*number).is_some())
    }

    pub(super) fn group(&self, number: u32) -> Option<&Group> {
        self.slots.get(number as usize)?.as_deref()
    }

    /// Defines or replaces.
    pub(super) fn put(&mut self, group: Group) -> Result<(), Full> {
        let number = self.number_or_reserve(&Arc::clone(&group.name))?;
        if let Some(slot) = self.slots.get_mut(number as usize) {
            *slot = Some(Arc::new(group));
        }
        Ok(())
    }

    /// Removes a group that no device lists.
    pub(super) fn remove(&mut self, number: u32) {
        if let Some(group) = self.slots.get_mut(number as usize).and_then(Option::take) {
            self.by_name.remove(&group.name);
            self.free.push(number);
        }
    }

    /// Names that were reserved but never defined, with their numbers.
    pub(super) fn undefined(&self) -> Option<(&str, u32)> {
        self.by_name.iter().find(|(_, number)| self.group(**number).is_none()).map(|(name, number)| (&**name, *number))
    }

    /// Call after the last change: finds for each group the pair that leads to it.
    pub(super) fn index(&mut self) {
        let pairs = || self.iter().flat_map(|(_, group)| &group.matches);
        let mut frequency: HashMap<&(Attribute, String), usize> = HashMap::new();
        pairs().for_each(|pair| *frequency.entry(pair).or_default() += 1);
        let mut candidates: Vec<(Attribute, ByValue)> = Vec::new();
        for (number, group) in self.iter() {
            let Some((attribute, value)) = group.matches.iter().min_by_key(|pair| frequency.get(pair)) else {
                continue;
            };
            let place = match candidates.iter().position(|(other, _)| other == attribute) {
                Some(place) => place,
                None => {
                    candidates.push((*attribute, HashMap::default()));
                    candidates.len() - 1
                }
            };
            if let Some((_, values)) = candidates.get_mut(place) {
                values.entry(value.clone()).or_default().push(number);
            }
        }
        self.candidates = candidates;
    }

    /// The groups of which the certificate makes its bearer a member. A value that occurs twice may repeat one.
    pub(super) fn matched<'a>(&'a self, principal: &'a Principal) -> impl Iterator<Item = &'a Group> {
        self.candidates
            .iter()
            .flat_map(move |(attribute, values)| {
                attribute.values(principal).iter().filter_map(move |value| values.get(value))
            })
            .flatten()
            .filter_map(|number| self.group(*number))
            .filter(move |group| group.holds(principal))
    }

    /// The first end of a rule after `after`, Unix seconds.
    pub(super) fn next_end(&self, after: i64) -> Option<i64> {
        self.iter().flat_map(|(_, group)| group.rules()).filter_map(|rule| rule.until).filter(|end| *end > after).min()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let slots = self.slots.capacity() * size_of::<Option<Arc<Group>>>();
        let names = self.by_name.capacity() * (size_of::<(Arc<str>, u32)>() + 1);
        slots + names + self.iter().map(|(_, group)| group.heap_bytes()).sum::<usize>()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Group> {
        self.iter().map(|(_, group)| group)
    }

    fn iter(&self) -> impl Iterator<Item = (u32, &Group)> {
        (0u32..).zip(&self.slots).filter_map(|(number, slot)| slot.as_deref().map(|group| (number, group)))
    }
}
