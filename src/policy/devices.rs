//! All device records, compiled: a tree of fixed shape that shares structure.
//!
//! ```text
//! root (64 branches) -> branch (64 leaves) -> leaf (a million devices: 244 each)
//! hash of (trust, name): 6 bits branch, 6 bits leaf, 32 bits tag within the leaf
//! ```
//!
//! A change copies the root, one branch and one leaf. Names are hashed with a random seed, so that nobody can choose
//! names that share a leaf.

mod leaf;

pub(super) use leaf::DeviceView;

use self::leaf::{Leaf, LeafBuilder, Moves};
use super::packed::Full;
use super::record::DeviceRecord;
use std::collections::HashSet;
use std::sync::Arc;

const FAN_OUT: usize = 64;
const FAN_OUT_BITS: u32 = FAN_OUT.trailing_zeros();

type Branch = Arc<[Arc<Leaf>]>;

/// The compiled device records.
#[derive(Clone, Debug)]
pub(super) struct Devices {
    root: Arc<[Branch]>,
    seed: ahash::RandomState,
    count: usize,
}

/// Collects devices for a whole tree.
#[derive(Debug)]
pub(super) struct DevicesBuilder {
    leaves: Vec<LeafBuilder>,
    seed: ahash::RandomState,
    count: usize,
}

/// Where a device belongs: its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place(u64);

/// One change of one device.
#[derive(Debug)]
pub(super) struct Edit<'a> {
    pub(super) trust: u32,
    pub(super) name: &'a str,
    /// The record to put, and the numbers of its groups; `None` removes.
    pub(super) put: Option<(&'a DeviceRecord, Vec<u32>)>,
}

/// Why the devices cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DevicesError {
    Full,
    /// Twice among the records or the edits: trust and name.
    Twice(u32, String),
    /// To be removed, but not there.
    Missing(u32, String),
}

impl Place {
    fn of(seed: &ahash::RandomState, trust: u32, name: &str) -> Self {
        Self(seed.hash_one((trust, name)))
    }

    /// Number of the leaf among all leaves.
    fn leaf(self) -> usize {
        (self.0 >> (u64::BITS - 2 * FAN_OUT_BITS)) as usize
    }

    fn tag(self) -> u32 {
        (self.0 << (2 * FAN_OUT_BITS) >> u32::BITS) as u32
    }
}

impl Devices {
    pub(super) fn empty() -> Self {
        let leaf = Arc::new(Leaf::default());
        let branch: Branch = std::iter::repeat_n(leaf, FAN_OUT).collect();
        Self { root: std::iter::repeat_n(branch, FAN_OUT).collect(), seed: ahash::RandomState::new(), count: 0 }
    }

    pub(super) fn find(&self, trust: u32, name: &str) -> Option<DeviceView<'_>> {
        let place = Place::of(&self.seed, trust, name);
        self.leaf(place.leaf())?.find(place.tag(), trust, name)
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = DeviceView<'_>> {
        self.leaves().flat_map(|leaf| leaf.devices().map(|(_, device)| device))
    }

    /// Devices that list one of `groups`.
    pub(super) fn listing(&self, groups: &[u32]) -> impl Iterator<Item = DeviceView<'_>> {
        self.leaves()
            .filter(|leaf| leaf.mentions(groups))
            .flat_map(|leaf| leaf.devices().map(|(_, device)| device))
            .filter(|device| device.groups().iter().any(|group| groups.contains(group)))
    }

    /// The first end of a rule after `after`, Unix seconds.
    pub(super) fn next_end(&self, after: i64) -> Option<i64> {
        self.leaves().filter_map(|leaf| leaf.next_end(after)).min()
    }

    /// Devices of the leaves where a rule ends after `after` and not after `until`.
    pub(super) fn with_ends(&self, after: i64, until: i64) -> impl Iterator<Item = DeviceView<'_>> {
        self.leaves()
            .filter(move |leaf| leaf.next_end(after).is_some_and(|end| end <= until))
            .flat_map(|leaf| leaf.devices().map(|(_, device)| device))
    }

    /// Bytes of the arrays; what the allocator adds is not known here.
    pub(super) fn heap_bytes(&self) -> usize {
        let mut seen = HashSet::new();
        let root = size_of_val(&*self.root);
        let branches: usize =
            self.root.iter().filter(|branch| seen.insert(branch.as_ptr())).map(|branch| size_of_val(&**branch)).sum();
        let mut seen = HashSet::new();
        let leaves = self.leaves().filter(|leaf| seen.insert(std::ptr::from_ref::<Leaf>(leaf)));
        root + branches + leaves.map(|leaf| size_of::<Leaf>() + leaf.heap_bytes()).sum::<usize>()
    }

    /// The devices after `edits`; leaves without an edit are shared.
    pub(super) fn with(&self, edits: Vec<Edit<'_>>) -> Result<Self, DevicesError> {
        let mut edits: Vec<(Place, Edit<'_>)> =
            edits.into_iter().map(|edit| (Place::of(&self.seed, edit.trust, edit.name), edit)).collect();
        edits.sort_by(|(left, a), (right, b)| (left, a.trust, a.name).cmp(&(right, b.trust, b.name)));
        let later = edits.iter().skip(1);
        let same = |((_, a), (_, b)): &(&(Place, Edit<'_>), &(Place, Edit<'_>))| a.trust == b.trust && a.name == b.name;
        if let Some(((_, twice), _)) = edits.iter().zip(later).find(same) {
            return Err(DevicesError::Twice(twice.trust, twice.name.to_owned()));
        }
        let mut after = self.clone();
        let mut root = self.root.to_vec();
        for of_branch in edits.chunk_by(|(left, _), (right, _)| left.leaf() / FAN_OUT == right.leaf() / FAN_OUT) {
            let Some(branch) = of_branch.first().and_then(|(place, _)| root.get_mut(place.leaf() / FAN_OUT)) else {
                continue;
            };
            let mut leaves = branch.to_vec();
            for of_leaf in of_branch.chunk_by(|(left, _), (right, _)| left.leaf() == right.leaf()) {
                let Some(leaf) = of_leaf.first().and_then(|(place, _)| leaves.get_mut(place.leaf() % FAN_OUT)) else {
                    continue;
                };
                let edited = edited_leaf(leaf, of_leaf)?;
                after.count = after.count + edited.len() - leaf.len();
                *leaf = Arc::new(edited);
            }
            *branch = leaves.into();
        }
        after.root = root.into();
        Ok(after)
    }

    fn leaf(&self, number: usize) -> Option<&Leaf> {
        self.root.get(number / FAN_OUT)?.get(number % FAN_OUT).map(|leaf| &**leaf)
    }

    fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        self.root.iter().flat_map(|branch| branch.iter().map(|leaf| &**leaf))
    }
}

/// `edits` are sorted by place, and all of this leaf.
fn edited_leaf(leaf: &Leaf, edits: &[(Place, Edit<'_>)]) -> Result<Leaf, DevicesError> {
    let mut builder = LeafBuilder::like(leaf);
    let mut moves = Moves::default();
    for (tag, device) in leaf.devices() {
        let first = edits.partition_point(|(place, _)| place.tag() < tag);
        let same_tag = edits.iter().skip(first).take_while(|(place, _)| place.tag() == tag);
        let mut of_device = same_tag.filter(|(_, edit)| edit.trust == device.trust() && edit.name == device.name());
        if of_device.next().is_none() {
            builder.copy(tag, device, &mut moves)?;
        }
    }
    for (place, edit) in edits {
        match &edit.put {
            Some((record, groups)) => builder.push(place.tag(), edit.trust, record, groups)?,
            None if leaf.find(place.tag(), edit.trust, edit.name).is_some() => {}
            None => return Err(DevicesError::Missing(edit.trust, edit.name.to_owned())),
        }
    }
    builder.build().map_err(|(trust, name)| DevicesError::Twice(trust, name))
}

impl DevicesBuilder {
    pub(super) fn new() -> Self {
        let leaves = std::iter::repeat_with(LeafBuilder::default).take(FAN_OUT * FAN_OUT).collect();
        Self { leaves, seed: ahash::RandomState::new(), count: 0 }
    }

    pub(super) fn push(&mut self, trust: u32, record: &DeviceRecord, groups: &[u32]) -> Result<(), DevicesError> {
        let place = Place::of(&self.seed, trust, &record.key.name);
        let leaf = self.leaves.get_mut(place.leaf()).ok_or(DevicesError::Full)?;
        leaf.push(place.tag(), trust, record, groups)?;
        self.count += 1;
        Ok(())
    }

    pub(super) fn build(self) -> Result<Devices, DevicesError> {
        if self.count == 0 {
            return Ok(Devices::empty());
        }
        let mut root: Vec<Branch> = Vec::with_capacity(FAN_OUT);
        let mut branch = Vec::with_capacity(FAN_OUT);
        for leaf in self.leaves {
            branch.push(Arc::new(leaf.build().map_err(|(trust, name)| DevicesError::Twice(trust, name))?));
            if branch.len() == FAN_OUT {
                root.push(std::mem::take(&mut branch).into());
            }
        }
        Ok(Devices { root: root.into(), seed: self.seed, count: self.count })
    }
}

impl From<Full> for DevicesError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}
