//! The three questions about filters, on sequences of levels that keep the grammar of a valid filter: at least
//! one level, and [`Level::Rest`] only as the last.

use super::{Level, TopicName};

/// Whether the filter `levels` match `topic`. A wildcard in the first level never matches a `$` topic `[MQTT-4.7.2-1]`.
pub fn matches<'l>(filter: impl Iterator<Item = Level<'l>>, topic: TopicName<'_>) -> bool {
    let mut filter = filter.fuse();
    let mut levels = topic.levels().fuse();
    let mut shielded = topic.is_dollar();
    loop {
        match (filter.next(), levels.next()) {
            (Some(Level::One | Level::Rest), _) if shielded => return false,
            // `a/#` matches `a` too: the rest may be nothing (section 4.7.1.2).
            (Some(Level::Rest), _) | (None, None) => return true,
            (Some(Level::One), Some(_)) => {}
            (Some(Level::Literal(literal)), Some(level)) if literal == level => {}
            _ => return false,
        }
        shielded = false;
    }
}

/// Whether `outer` matches every topic that `inner` matches.
pub fn covers<'l>(outer: impl Iterator<Item = Level<'l>>, inner: impl Iterator<Item = Level<'l>>) -> bool {
    let mut outer = outer.fuse();
    let mut inner = inner.fuse();
    let mut first = true;
    // Whether what `inner` demanded so far would spell the empty text, which is no topic.
    let mut nothing_spelled = true;
    loop {
        let wanted = inner.next();
        match (outer.next(), wanted) {
            (Some(Level::One | Level::Rest), Some(Level::Literal(text))) if first && text.starts_with('$') => {
                return false;
            }
            (Some(Level::Rest), _) | (None, None) => return true,
            // `#` never stands for no level at all, nor `/#` for the empty topic: one more level is certain, so
            // `+/#` covers `#`, and `/+/#` covers `/#`.
            (Some(Level::One), Some(Level::Rest)) => return nothing_spelled && outer.next() == Some(Level::Rest),
            (Some(Level::One), Some(Level::One | Level::Literal(_))) => {}
            (Some(Level::Literal(left)), Some(Level::Literal(right))) if left == right => {}
            _ => return false,
        }
        nothing_spelled = first && wanted == Some(Level::Literal(""));
        first = false;
    }
}

/// Whether some topic is matched by both.
pub fn overlaps<'l>(left: impl Iterator<Item = Level<'l>>, right: impl Iterator<Item = Level<'l>>) -> bool {
    let mut left = left.fuse();
    let mut right = right.fuse();
    let mut first = true;
    // Whether what both allow so far is the empty text, which is no topic.
    let mut nothing_spelled = false;
    loop {
        let pair = (left.next(), right.next());
        match pair {
            (Some(Level::One | Level::Rest), Some(Level::Literal(text)))
            | (Some(Level::Literal(text)), Some(Level::One | Level::Rest))
                if first && text.starts_with('$') =>
            {
                return false;
            }
            // The rest is nothing: they meet in what was spelled. `+` and `/#` do not meet at all.
            (Some(Level::Rest), None) | (None, Some(Level::Rest)) => return !nothing_spelled,
            // Whatever the other one still demands is a possible rest.
            (Some(Level::Rest), Some(_)) | (Some(_), Some(Level::Rest)) | (None, None) => return true,
            (Some(Level::One), Some(_)) | (Some(_), Some(Level::One)) => {}
            (Some(Level::Literal(left)), Some(Level::Literal(right))) if left == right => {}
            _ => return false,
        }
        let empty = Some(Level::Literal(""));
        nothing_spelled = first && (pair.0 == empty || pair.1 == empty);
        first = false;
    }
}
