//! What is shown: one ring for each kind, so that none crowds out the others.

use super::{Bounds, Denial, Page};
use std::collections::VecDeque;

#[derive(Debug)]
pub(super) struct Ring {
    bounds: Bounds,
    /// The number of the newest.
    newest: u64,
    kinds: [Kept; 4],
}

#[derive(Debug, Default)]
struct Kept {
    denials: VecDeque<Denial>,
    bytes: usize,
}

impl Ring {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, newest: 0, kinds: Default::default() }
    }

    /// Takes a denial in, gives it its number, and drops the oldest of its kind beyond the bounds.
    pub(super) fn push(&mut self, denial: Denial) -> u64 {
        self.newest += 1;
        let number = self.newest;
        let Some(kept) = self.kinds.get_mut(denial.kind.index()) else { return number };
        kept.bytes += size(&denial);
        kept.denials.push_back(Denial { number, ..denial });
        while kept.denials.len() > self.bounds.entries || kept.bytes > self.bounds.bytes && kept.denials.len() > 1 {
            kept.bytes -= kept.denials.pop_front().as_ref().map_or(0, size);
        }
        number
    }

    pub(super) fn after(&self, after: u64, most: usize, wanted: impl Fn(&Denial) -> bool) -> Page {
        let newer = self.kinds.iter().flat_map(|kept| {
            let first = kept.denials.partition_point(|denial| denial.number <= after);
            kept.denials.range(first..)
        });
        let mut newer: Vec<&Denial> = newer.collect();
        // From the beginning, what is gone is no loss of this reader.
        let gone = match after {
            0 => 0,
            _ => self.newest.saturating_sub(after).saturating_sub(newer.len() as u64),
        };
        newer.sort_unstable_by_key(|denial| denial.number);
        let mut page = Page { denials: Vec::new(), next: self.newest.max(after), skipped: gone };
        for denial in newer.into_iter().filter(|denial| wanted(denial)) {
            if page.denials.len() == most {
                page.next = page.denials.last().map_or(after, |last| last.number);
                break;
            }
            page.denials.push(denial.clone());
        }
        page
    }
}

fn size(denial: &Denial) -> usize {
    let Denial { time, trust, device, address, client_id, topic, rule, cause, remedy, .. } = denial;
    let optional = [topic, rule, remedy].into_iter().map(|text| text.as_ref().map_or(0, String::len));
    let texts = [time, trust, device, address, client_id, cause].into_iter().map(String::len);
    size_of::<Denial>() + texts.chain(optional).sum::<usize>()
}
