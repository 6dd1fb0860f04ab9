//! Revoked serial numbers: millions of them in little more than their own bytes.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of serial numbers. Those of one length lie sorted in one piece, so that an entry costs no pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::tls) struct SerialSet {
    by_length: BTreeMap<usize, Sorted>,
}

impl SerialSet {
    pub(in crate::tls) fn new(mut serials: Vec<&[u8]>) -> Self {
        serials.sort_unstable_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
        serials.dedup();
        let by_length = serials
            .chunk_by(|a, b| a.len() == b.len())
            .filter_map(|group| Some((group.first()?.len(), Sorted::new(group.concat(), group.first()?.len()))))
            .collect();
        Self { by_length }
    }

    pub(in crate::tls) fn contains(&self, serial: &[u8]) -> bool {
        self.by_length.get(&serial.len()).is_some_and(|sorted| sorted.contains(serial))
    }

    /// Each of them, shorter ones first, then by value.
    pub(in crate::tls) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.by_length.values().flat_map(Sorted::iter)
    }

    /// What is in this set and not in `other`: one walk over both.
    pub(in crate::tls) fn without(&self, other: &Self) -> Self {
        let mut by_length = BTreeMap::new();
        for (length, sorted) in &self.by_length {
            let kept = match other.by_length.get(length) {
                Some(others) if others == sorted => continue,
                Some(others) => sorted.without(others),
                None => sorted.clone(),
            };
            if kept.len() > 0 {
                by_length.insert(*length, kept);
            }
        }
        Self { by_length }
    }

    /// How many.
    pub(in crate::tls) fn len(&self) -> usize {
        self.by_length.values().map(Sorted::len).sum()
    }
}

/// Serials of one length, sorted, with an index over them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sorted {
    length: usize,
    octets: Box<[u8]>,
    index: Index,
}

impl Sorted {
    fn new(octets: Vec<u8>, length: usize) -> Self {
        // The empty serial, which no CA gives, is held as no serial at all.
        let length = length.max(1);
        let index = Index::new(&octets, length);
        Self { length, octets: octets.into_boxed_slice(), index }
    }

    fn contains(&self, serial: &[u8]) -> bool {
        let Range { start: mut low, end: mut high } = self.index.places(serial, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let Some(found) = self.octets.get(middle * self.length..(middle + 1) * self.length) else { return false };
            match found.cmp(serial) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        false
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.octets.chunks_exact(self.length)
    }

    fn without(&self, others: &Self) -> Self {
        let mut others = others.iter().peekable();
        let mut kept = Vec::new();
        for serial in self.iter() {
            while others.next_if(|other| *other < serial).is_some() {}
            if others.peek() != Some(&serial) {
                kept.extend_from_slice(serial);
            }
        }
        Self::new(kept, self.length)
    }

    fn len(&self) -> usize {
        self.octets.len() / self.length
    }
}

/// Where to look for a serial: the range of leading values is cut into equal parts, about one for every four serials,
/// and each part knows the place of its first. Halving a million serials would miss the cache twenty times; this
/// misses it twice. Serials that crowd into few parts cost the halving, and no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Index {
    /// Octets at the front that all serials share, as those of a CA that counts: they tell nothing apart.
    shared: usize,
    least: u64,
    /// How many low bits of a leading value do not choose its part.
    shift: u32,
    /// The place of each part's first serial; ends with the number of serials.
    starts: Box<[u32]>,
}

impl Index {
    /// Of `octets`: serials of `length` octets each, sorted.
    fn new(octets: &[u8], length: usize) -> Self {
        let serials = || octets.chunks_exact(length);
        let (Some(first), Some(last)) = (serials().next(), serials().next_back()) else { return Self::default() };
        // Beyond what a place can number there is no index, and the look-up halves the whole.
        let Ok(count) = u32::try_from(serials().len()) else { return Self::default() };
        let shared = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        let (least, most) = (leading(first, shared), leading(last, shared));
        let shift =
            (most - least).checked_ilog2().map_or(0, |bits| (bits + 1).saturating_sub((count / 2).max(1).ilog2()));
        let mut index = Self { shared, least, shift, starts: Box::default() };
        let mut starts = Vec::new();
        for (place, serial) in (0..count).zip(serials()) {
            let reached = index.part(serial).map_or(0, |part| part + 1);
            starts.resize(reached.max(starts.len()), place);
        }
        starts.push(count);
        index.starts = starts.into_boxed_slice();
        index
    }

    /// The places where `serial` can be, among `count`.
    fn places(&self, serial: &[u8], count: usize) -> Range<usize> {
        if self.starts.is_empty() {
            return 0..count;
        }
        let bounds = self.part(serial).and_then(|part| Some((*self.starts.get(part)?, *self.starts.get(part + 1)?)));
        bounds.map_or(0..0, |(start, end)| start as usize..end as usize)
    }

    /// None: less than every serial.
    fn part(&self, serial: &[u8]) -> Option<usize> {
        let offset = leading(serial, self.shared).checked_sub(self.least)?;
        usize::try_from(offset.checked_shr(self.shift).unwrap_or(0)).ok()
    }
}

/// Eight octets from the octet at `start` as a number, zeros where there are none.
fn leading(serial: &[u8], start: usize) -> u64 {
    let rest = serial.get(start..).unwrap_or_default();
    rest.first_chunk().map_or_else(
        || rest.iter().chain(std::iter::repeat(&0)).take(8).fold(0, |number, octet| number << 8 | u64::from(*octet)),
        |eight| u64::from_be_bytes(*eight),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_exactly_what_was_put_in() {
        let many: Vec<[u8; 4]> = (0..5_000_u32).map(|n| (n * 7 + 0x0100_0000).to_be_bytes()).collect();
        let mut serials: Vec<&[u8]> = many.iter().map(<[u8; 4]>::as_slice).collect();
        serials.extend([&[5][..], &[5], &[0x80], &[1, 2, 3]]);
        let set = SerialSet::new(serials.clone());
        assert_eq!(set.len(), 5_003);
        assert!(serials.iter().all(|serial| set.contains(serial)));
        for absent in [&[][..], &[0], &[6], &[1, 2], &[1, 2, 3, 4, 5], &0x0100_0001_u32.to_be_bytes()] {
            assert!(!set.contains(absent), "{absent:?}");
        }
        assert!(!SerialSet::default().contains(&[1]));
    }

    /// The index helps numbers drawn at random; a set made to mislead it is answered as truly.
    #[test]
    fn finds_what_is_there_however_it_is_spread() {
        let mut spread: Vec<[u8; 9]> = Vec::new();
        for step in 0..2_000_u64 {
            let cluster = if step < 1_000 { step } else { u64::MAX - (step - 1_000) * (step - 1_000) };
            let mut serial = [1; 9];
            serial[..8].copy_from_slice(&cluster.to_be_bytes());
            spread.push(serial);
            // Differs beyond the octets that the index looks at.
            serial[8] = 7;
            spread.push(serial);
        }
        let set = SerialSet::new(spread.iter().map(<[u8; 9]>::as_slice).collect());
        for serial in &spread {
            assert!(set.contains(serial));
            for other in [0, 2, 6, 8] {
                assert!(!set.contains(&[&serial[..8], &[other]].concat()));
            }
        }
    }

    /// As CAs give them: drawn at random, or counted up behind octets that never change.
    #[test]
    fn the_index_leaves_a_few_places_to_look_at() {
        const COUNT: u64 = 50_000;
        let drawn = |n: u64| [0x4c_u64, n.wrapping_mul(0x9e37_79b9_7f4a_7c15)].map(u64::to_be_bytes).concat();
        let counted = |n: u64| [&[0x40, 9, 9, 9, 9, 9, 9, 9, 9, 9][..], &(n * 3).to_be_bytes()].concat();
        for serials in [(0..COUNT).map(drawn).collect::<Vec<_>>(), (0..COUNT).map(counted).collect()] {
            let set = SerialSet::new(serials.iter().map(Vec::as_slice).collect());
            let sorted = set.by_length.values().next().unwrap();
            let places = serials.iter().map(|serial| sorted.index.places(serial, sorted.len()).len());
            assert!(places.max().unwrap() <= 32);
            assert!(size_of_val(&*sorted.index.starts) <= 2 * serials.len());
        }
    }

    #[test]
    fn what_another_set_has_is_left_out() {
        let set = |serials: &[&[u8]]| SerialSet::new(serials.to_vec());
        let (old, new) = (set(&[&[1], &[3], &[1, 1], &[9, 9, 9]]), set(&[&[1], &[2], &[4], &[1, 1], &[1, 2], &[8; 4]]));
        let more: Vec<Vec<u8>> = new.without(&old).iter().map(<[u8]>::to_vec).collect();
        assert_eq!(more, [vec![2], vec![4], vec![1, 2], vec![8; 4]]);
        let fewer: Vec<Vec<u8>> = old.without(&new).iter().map(<[u8]>::to_vec).collect();
        assert_eq!(fewer, [vec![3], vec![9, 9, 9]]);
        assert_eq!(new.without(&new).len(), 0);
        assert_eq!(new.without(&SerialSet::default()).len(), new.len());
    }
}
