//! What arrived, what came twice, what came late: arithmetic on sequence numbers.

use crate::LoadError;
use hdrhistogram::Histogram;

/// The count of one subscriber in one phase.
#[derive(Debug)]
pub(super) struct Tally {
    first: u64,
    seen: Vec<bool>,
    /// The lowest sequence number that would be in order.
    next: u64,
    pub(super) unique: u64,
    pub(super) duplicates: u64,
    pub(super) out_of_order: u64,
    /// Microseconds.
    pub(super) latency: Histogram<u64>,
}

/// What a message was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It had not come before.
    New,
    /// It had, or it is of an earlier phase.
    Again,
}

impl Tally {
    /// Expects the sequence numbers `first..first + count`.
    pub(super) fn new(first: u64, count: u64) -> Result<Self, LoadError> {
        let latency = Histogram::new(3).map_err(|fault| LoadError::Usage(fault.to_string()))?;
        let count = usize::try_from(count).map_err(|_| LoadError::Usage(format!("{count} messages are too many")))?;
        Ok(Self { first, seen: vec![false; count], next: first, unique: 0, duplicates: 0, out_of_order: 0, latency })
    }

    /// Whether everything has come.
    pub(super) fn is_complete(&self) -> bool {
        self.unique == self.seen.len() as u64
    }

    /// Counts a message that was under way for `microseconds`.
    pub(super) fn count(&mut self, sequence: u64, microseconds: u64) -> Arrival {
        let place = sequence.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        let seen = place.and_then(|place| self.seen.get_mut(place));
        if seen.is_none_or(|seen| std::mem::replace(seen, true)) {
            self.duplicates += 1;
            return Arrival::Again;
        }
        self.unique += 1;
        self.out_of_order += u64::from(sequence < self.next);
        self.next = self.next.max(sequence + 1);
        // A histogram that grows by itself refuses nothing.
        let _ = self.latency.record(microseconds);
        Arrival::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally_of(sequences: &[u64]) -> Tally {
        let mut tally = Tally::new(10, 4).unwrap();
        for sequence in sequences {
            tally.count(*sequence, 5);
        }
        tally
    }

    fn figures(tally: &Tally) -> (u64, u64, u64) {
        (tally.unique, tally.duplicates, tally.out_of_order)
    }

    #[test]
    fn all_in_order() {
        let tally = tally_of(&[10, 11, 12, 13]);
        assert_eq!(figures(&tally), (4, 0, 0));
        assert!(tally.is_complete());
        assert_eq!(tally.latency.len(), 4);
    }

    #[test]
    fn one_lost_and_one_twice_do_not_make_up_for_each_other() {
        let tally = tally_of(&[10, 12, 12, 13]);
        assert_eq!(figures(&tally), (3, 1, 0));
        assert!(!tally.is_complete());
        assert_eq!(tally.latency.len(), 3);
    }

    #[test]
    fn a_late_one_is_out_of_order_once() {
        assert_eq!(figures(&tally_of(&[10, 12, 13, 11])), (4, 0, 1));
    }

    #[test]
    fn what_nobody_sent_in_this_phase_is_a_duplicate() {
        assert_eq!(figures(&tally_of(&[9, 14, u64::MAX])), (0, 3, 0));
    }
}
