//! A few hundred devices, packed: no pointer per device, equal lists of groups and of rules kept once.

use crate::policy::packed::{Full, PackedRule, RuleView};
use crate::policy::record::{DeviceRecord, DeviceStatus};
use std::mem::size_of_val;

/// Immutable; sorted by tag.
#[derive(Debug, Default)]
pub(super) struct Leaf {
    tags: Box<[u32]>,
    entries: Box<[Entry]>,
    /// Names and filters.
    text: Box<str>,
    rules: Box<[PackedRule]>,
    groups: Box<[u32]>,
    pins: Box<[[u8; 32]]>,
    /// When rules end, sorted, without repeats.
    ends: Box<[i64]>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    name: Span,
    groups: Span,
    rules: Span,
    pins: Span,
    trust: u32,
    status: DeviceStatus,
}

/// A piece of one of the arrays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    start: u32,
    length: u32,
}

/// One device of a leaf.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct DeviceView<'a> {
    leaf: &'a Leaf,
    entry: &'a Entry,
}

/// Collects the devices of one leaf.
#[derive(Debug, Default)]
pub(super) struct LeafBuilder {
    entries: Vec<(u32, Entry)>,
    text: String,
    rules: Vec<PackedRule>,
    groups: Vec<u32>,
    pins: Vec<[u8; 32]>,
    rule_sets: Vec<Span>,
    group_sets: Vec<Span>,
}

/// Where lists of an old leaf went in the new one.
#[derive(Debug, Default)]
pub(super) struct Moves {
    rules: Vec<(Span, Span)>,
    groups: Vec<(Span, Span)>,
}

/// How many of the last distinct lists a new one is compared with.
const COMPARED: usize = 16;

impl Leaf {
    pub(super) fn find(&self, tag: u32, trust: u32, name: &str) -> Option<DeviceView<'_>> {
        let first = self.tags.partition_point(|other| *other < tag);
        let same = self.tags.iter().zip(&self.entries).skip(first).take_while(|(other, _)| **other == tag);
        same.map(|(_, entry)| DeviceView { leaf: self, entry })
            .find(|device| device.trust() == trust && device.name() == name)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn devices(&self) -> impl Iterator<Item = (u32, DeviceView<'_>)> {
        self.tags.iter().zip(&self.entries).map(|(tag, entry)| (*tag, DeviceView { leaf: self, entry }))
    }

    /// Whether any device may list one of `groups`.
    pub(super) fn mentions(&self, groups: &[u32]) -> bool {
        self.groups.iter().any(|group| groups.contains(group))
    }

    /// The first end of a rule after `after`.
    pub(super) fn next_end(&self, after: i64) -> Option<i64> {
        self.ends.get(self.ends.partition_point(|end| *end <= after)).copied()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.tags)
            + size_of_val(&*self.entries)
            + self.text.len()
            + size_of_val(&*self.rules)
            + size_of_val(&*self.groups)
            + size_of_val(&*self.pins)
            + size_of_val(&*self.ends)
    }
}

impl<'a> DeviceView<'a> {
    pub(in crate::policy) fn name(self) -> &'a str {
        self.leaf.text.get(self.entry.name.range()).unwrap_or_default()
    }

    pub(in crate::policy) fn trust(self) -> u32 {
        self.entry.trust
    }

    pub(in crate::policy) fn status(self) -> DeviceStatus {
        self.entry.status
    }

    pub(in crate::policy) fn groups(self) -> &'a [u32] {
        self.leaf.groups.get(self.entry.groups.range()).unwrap_or_default()
    }

    pub(in crate::policy) fn pins(self) -> &'a [[u8; 32]] {
        self.leaf.pins.get(self.entry.pins.range()).unwrap_or_default()
    }

    pub(in crate::policy) fn rules(self) -> impl Iterator<Item = RuleView<'a>> {
        self.packed_rules().iter().map(move |rule| rule.view(&self.leaf.text))
    }

    fn packed_rules(self) -> &'a [PackedRule] {
        self.leaf.rules.get(self.entry.rules.range()).unwrap_or_default()
    }
}

impl Span {
    fn new(start: usize, length: usize) -> Result<Self, Full> {
        Ok(Self { start: u32::try_from(start).map_err(|_| Full)?, length: u32::try_from(length).map_err(|_| Full)? })
    }

    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + self.length as usize
    }
}

impl LeafBuilder {
    /// With room for the devices of `leaf` and a few more.
    pub(super) fn like(leaf: &Leaf) -> Self {
        const MORE: usize = 4;
        Self {
            entries: Vec::with_capacity(leaf.entries.len() + MORE),
            text: String::with_capacity(leaf.text.len() + MORE * 64),
            rules: Vec::with_capacity(leaf.rules.len() + MORE),
            groups: Vec::with_capacity(leaf.groups.len() + MORE),
            pins: Vec::with_capacity(leaf.pins.len()),
            ..Self::default()
        }
    }

    /// Adds a device of the store; `groups` are the numbers of the groups it lists.
    pub(super) fn push(&mut self, tag: u32, trust: u32, record: &DeviceRecord, groups: &[u32]) -> Result<(), Full> {
        let entry = Entry {
            name: self.push_text(&record.key.name)?,
            groups: self.push_groups(groups)?,
            rules: self.push_rules(record)?,
            pins: self.push_pins(&record.pins)?,
            trust,
            status: record.status,
        };
        self.entries.push((tag, entry));
        Ok(())
    }

    /// Adds a device of an older leaf; `moves` belongs to that leaf.
    pub(super) fn copy(&mut self, tag: u32, device: DeviceView<'_>, moves: &mut Moves) -> Result<(), Full> {
        let old = device.entry;
        let groups = match moved(&moves.groups, old.groups) {
            Some(span) => span,
            None => {
                let span = self.append_groups(device.groups())?;
                moves.groups.push((old.groups, span));
                span
            }
        };
        let rules = match moved(&moves.rules, old.rules) {
            Some(span) => span,
            None => {
                let span = self.append_rules(device.rules())?;
                moves.rules.push((old.rules, span));
                span
            }
        };
        let (name, pins) = (self.push_text(device.name())?, self.push_pins(device.pins())?);
        self.entries.push((tag, Entry { name, groups, rules, pins, ..*old }));
        Ok(())
    }

    /// Sorts and packs. `Err` holds a device that was added twice.
    pub(super) fn build(mut self) -> Result<Leaf, (u32, String)> {
        self.entries.sort_unstable_by_key(|(tag, _)| *tag);
        let mut ends: Vec<i64> = self.rules.iter().filter_map(|rule| rule.end()).collect();
        ends.sort_unstable();
        ends.dedup();
        let (tags, entries): (Vec<u32>, Vec<Entry>) = self.entries.into_iter().unzip();
        let leaf = Leaf {
            tags: tags.into(),
            entries: entries.into(),
            text: self.text.into(),
            rules: self.rules.into(),
            groups: self.groups.into(),
            pins: self.pins.into(),
            ends: ends.into(),
        };
        match leaf.repeated() {
            Some(device) => Err((device.trust(), device.name().to_owned())),
            None => Ok(leaf),
        }
    }

    fn push_text(&mut self, text: &str) -> Result<Span, Full> {
        let span = Span::new(self.text.len(), text.len())?;
        self.text.push_str(text);
        Ok(span)
    }

    fn push_pins(&mut self, pins: &[[u8; 32]]) -> Result<Span, Full> {
        let span = Span::new(self.pins.len(), pins.len())?;
        self.pins.extend_from_slice(pins);
        Ok(span)
    }

    fn push_groups(&mut self, groups: &[u32]) -> Result<Span, Full> {
        let same = |span: &&Span| self.groups.get(span.range()) == Some(groups);
        match self.group_sets.iter().rev().take(COMPARED).find(same) {
            Some(span) => Ok(*span),
            None => self.append_groups(groups),
        }
    }

    fn push_rules(&mut self, record: &DeviceRecord) -> Result<Span, Full> {
        let wanted = || record.rules.iter().map(RuleView::of);
        let same = |span: &&Span| {
            let rules = self.rules.get(span.range()).unwrap_or_default();
            rules.len() == record.rules.len() && rules.iter().map(|rule| rule.view(&self.text)).eq(wanted())
        };
        let found = self.rule_sets.iter().rev().take(COMPARED).find(same).copied();
        match found {
            Some(span) => Ok(span),
            None => self.append_rules(record.rules.iter().map(RuleView::of)),
        }
    }

    fn append_groups(&mut self, groups: &[u32]) -> Result<Span, Full> {
        let span = Span::new(self.groups.len(), groups.len())?;
        self.groups.extend_from_slice(groups);
        self.group_sets.push(span);
        Ok(span)
    }

    fn append_rules<'a>(&mut self, rules: impl Iterator<Item = RuleView<'a>>) -> Result<Span, Full> {
        let start = self.rules.len();
        for rule in rules {
            let packed = PackedRule::pack(rule, &mut self.text)?;
            self.rules.push(packed);
        }
        let span = Span::new(start, self.rules.len() - start)?;
        self.rule_sets.push(span);
        Ok(span)
    }
}

fn moved(moves: &[(Span, Span)], old: Span) -> Option<Span> {
    moves.iter().rev().take(COMPARED).find(|(from, _)| *from == old).map(|(_, to)| *to)
}

impl Leaf {
    fn repeated(&self) -> Option<DeviceView<'_>> {
        let mut earlier: Vec<(u32, DeviceView<'_>)> = Vec::new();
        for (tag, device) in self.devices() {
            earlier.retain(|(other, _)| *other == tag);
            let same =
                |(_, other): &(u32, DeviceView<'_>)| other.trust() == device.trust() && other.name() == device.name();
            if earlier.iter().any(same) {
                return Some(device);
            }
            earlier.push((tag, device));
        }
        None
    }
}
