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

fn compare_numbers(a: &RevocationList, b: &RevocationList) -> Ordering {
    let (a, b) = (a.number.as_deref().unwrap_or_default(), b.number.as_deref().unwrap_or_default());
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}
