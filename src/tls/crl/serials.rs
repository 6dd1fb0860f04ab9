//! Revoked serial numbers: millions of them in little more than their own bytes.

use std::collections::BTreeMap;

/// A set of serial numbers. Those of one length lie sorted in one piece, so that a look-up is one binary search and an
/// entry costs no pointer.
#[derive(Clone, Debug, Default)]
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
        let (mut low, mut high) = (0, packed.len() / serial.len().max(1));
        while low < high {
            let middle = low + (high - low) / 2;
            let start = middle * serial.len();
            match packed.get(start..start + serial.len()).map(|found| found.cmp(serial)) {
                Some(std::cmp::Ordering::Less) => low = middle + 1,
                Some(std::cmp::Ordering::Equal) => return true,
                Some(std::cmp::Ordering::Greater) | None => high = middle,
            }
        }
        false
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
}
