//! Revoked serial numbers: millions of them in little more than their own bytes.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A set of serial numbers. Those of one length lie sorted in one piece, so that a look-up is one binary search and an
/// entry costs no pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::tls) struct SerialSet {
    by_length: BTreeMap<usize, Box<[u8]>>,
}

impl SerialSet {
    pub(in crate::tls) fn new(mut serials: Vec<&[u8]>) -> Self {
        serials.sort_unstable_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
        serials.dedup();
        let by_length = serials
            .chunk_by(|a, b| a.len() == b.len())
            .filter_map(|group| Some((group.first()?.len(), group.concat().into_boxed_slice())))
            .collect();
        Self { by_length }
    }

    pub(in crate::tls) fn contains(&self, serial: &[u8]) -> bool {
        let Some(packed) = self.by_length.get(&serial.len()) else {
            return false;
        };
        Packed { packed, length: serial.len().max(1) }.contains(serial)
    }

    /// Each of them, shorter ones first, then by value.
    pub(in crate::tls) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.by_length.iter().flat_map(|(length, packed)| packed.chunks_exact((*length).max(1)))
    }

    /// What is in this set and not in `other`: one walk over both.
    pub(in crate::tls) fn without(&self, other: &Self) -> Self {
        let mut by_length = BTreeMap::new();
        for (length, packed) in &self.by_length {
            let kept = match other.by_length.get(length) {
                Some(others) if others == packed => continue,
                Some(others) => packed_without(packed, others, (*length).max(1)),
                None => packed.clone(),
            };
            if !kept.is_empty() {
                by_length.insert(*length, kept);
            }
        }
        Self { by_length }
    }

    /// How many.
    pub(in crate::tls) fn len(&self) -> usize {
        self.by_length.iter().map(|(length, packed)| packed.len() / (*length).max(1)).sum()
    }
}

/// Serials of one length, sorted.
#[derive(Clone, Copy)]
struct Packed<'a> {
    packed: &'a [u8],
    length: usize,
}

impl<'a> Packed<'a> {
    fn at(self, place: usize) -> Option<&'a [u8]> {
        let start = place.checked_mul(self.length)?;
        self.packed.get(start..start + self.length)
    }

    /// Numbers drawn at random are found near the place that their size suggests, so that a million cost a few steps
    /// and not twenty misses of the cache; numbers of any other kind by halving.
    fn contains(self, serial: &[u8]) -> bool {
        const GUESSES: usize = 4;
        let (mut low, mut high) = (0, self.packed.len() / self.length);
        let mut guesses = 0..GUESSES;
        while low < high {
            let middle = match guesses.next() {
                Some(_) => self.guess(low, high, serial),
                None => low + (high - low) / 2,
            };
            match self.at(middle).map(|found| found.cmp(serial)) {
                Some(Ordering::Less) => low = middle + 1,
                Some(Ordering::Equal) => return true,
                Some(Ordering::Greater) => high = middle,
                None => return false,
            }
        }
        false
    }

    /// A place from `low` and below `high`.
    fn guess(self, low: usize, high: usize, serial: &[u8]) -> usize {
        let ends = (self.at(low).map(leading), self.at(high - 1).map(leading));
        let (Some(least), Some(most)) = ends else { return low };
        let range = u128::from(most.saturating_sub(least)).max(1);
        let offset = u128::from(leading(serial).saturating_sub(least)).min(range);
        let place = offset * (high - 1 - low) as u128 / range;
        low + usize::try_from(place).unwrap_or_default().min(high - 1 - low)
    }
}

/// The first eight octets as a number.
fn leading(serial: &[u8]) -> u64 {
    serial.iter().chain(std::iter::repeat(&0)).take(8).fold(0, |number, octet| number << 8 | u64::from(*octet))
}

fn packed_without(packed: &[u8], others: &[u8], length: usize) -> Box<[u8]> {
    let mut others = others.chunks_exact(length).peekable();
    let mut kept = Vec::new();
    for serial in packed.chunks_exact(length) {
        while others.next_if(|other| *other < serial).is_some() {}
        if others.peek() != Some(&serial) {
            kept.extend_from_slice(serial);
        }
    }
    kept.into_boxed_slice()
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

    /// Guesses help numbers drawn at random; a set made to mislead them is answered as truly.
    #[test]
    fn finds_what_is_there_however_it_is_spread() {
        let mut spread: Vec<[u8; 9]> = Vec::new();
        for step in 0..2_000_u64 {
            let cluster = if step < 1_000 { step } else { u64::MAX - (step - 1_000) * (step - 1_000) };
            let mut serial = [1; 9];
            serial[..8].copy_from_slice(&cluster.to_be_bytes());
            spread.push(serial);
            // Differs beyond the octets that are looked at for a guess.
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
