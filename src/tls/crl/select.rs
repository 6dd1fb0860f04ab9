//! Which of several lists of one issuer counts.

use super::RevocationList;
use std::cmp::Ordering;
use std::sync::Arc;

/// The newest, whatever order they come in: by CRL number where all have one (RFC 5280 section 5.2.3), otherwise by
/// thisUpdate; between equals, the one that revokes more.
pub(super) fn newest(lists: impl Iterator<Item = Arc<RevocationList>>) -> Option<Arc<RevocationList>> {
    let lists: Vec<_> = lists.collect();
    let numbered = lists.iter().all(|list| list.number.is_some());
    lists.into_iter().max_by(|a, b| {
        let by_number = if numbered { compare_numbers(a, b) } else { Ordering::Equal };
        by_number
            .then_with(|| a.this_update.cmp(&b.this_update))
            .then_with(|| a.serials.len().cmp(&b.serials.len()))
            .then_with(|| a.place.cmp(&b.place))
    })
}

/// Says which of the lists of one issuer bear the number of another one and are not the same (RFC 5280 section 5.2.3
/// has the number rise with each list).
pub(super) fn ambiguous(lists: &[Arc<RevocationList>]) -> Vec<String> {
    let contradicts = |a: &RevocationList, b: &RevocationList| {
        a.number.is_some() && a.number == b.number && (a.this_update != b.this_update || a.serials != b.serials)
    };
    let pairs = lists.iter().enumerate().filter_map(|(index, list)| {
        let other = lists.iter().take(index).find(|other| contradicts(list, other))?;
        Some((list, other))
    });
    let notice = |(list, other): (&Arc<RevocationList>, &Arc<RevocationList>)| {
        format!(
            "two different CRLs of {} have the same number, in {} and {}: the later one counts, of one time the one that \
             revokes more; take the other out",
            list.issuer, other.place, list.place
        )
    };
    pairs.map(notice).collect()
}

fn compare_numbers(a: &RevocationList, b: &RevocationList) -> Ordering {
    let (a, b) = (a.number.as_deref().unwrap_or_default(), b.number.as_deref().unwrap_or_default());
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}
