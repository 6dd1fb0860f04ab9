//! Walks find what the matcher says, in order, and cost by what they find.

use super::walk;
use crate::protocol::{TopicFilter, TopicName};
use std::collections::BTreeSet;
use walk::Look;

/// Texts of one to three levels, whose pieces sort before and after the slash.
fn texts(pieces: &[&str]) -> Vec<String> {
    let mut texts = Vec::new();
    for first in pieces {
        texts.push((*first).to_owned());
        for second in pieces {
            texts.push(format!("{first}/{second}"));
            texts.extend(pieces.iter().map(|third| format!("{first}/{second}/{third}")));
        }
    }
    texts
}

/// The topics that a walk finds, and how many it looks at.
fn walked(topics: &BTreeSet<String>, filter: &TopicFilter) -> (Vec<String>, usize) {
    let mut found = Vec::new();
    let mut looks = 0;
    let mut rest = topics.range(walk::front(filter)..);
    while let Some(text) = rest.next() {
        looks += 1;
        match walk::look(filter, TopicName::parse(text).unwrap()) {
            Look::Match => found.push(text.clone()),
            Look::Next => {}
            Look::From(place) => {
                assert!(place > *text, "{} goes back from {text} to {place}", filter.as_str());
                rest = topics.range(place..);
            }
            Look::End => break,
        }
    }
    (found, looks)
}

#[test]
fn a_walk_finds_exactly_what_matches() {
    let topics: BTreeSet<String> =
        texts(&["", "a", "a-b", "a0", "b", "$a"]).into_iter().filter(|text| !text.is_empty()).collect();
    let filters = texts(&["", "a", "a-b", "c", "+", "$a", "#"]);
    let filters: Vec<TopicFilter> = filters.iter().filter_map(|text| TopicFilter::parse(text).ok()).collect();
    assert!(filters.len() > 200 && topics.len() > 250);
    for filter in filters {
        let matching: Vec<String> =
            topics.iter().filter(|topic| filter.matches(TopicName::parse(topic).unwrap())).cloned().collect();
        assert_eq!(walked(&topics, &filter).0, matching, "{}", filter.as_str());
    }
}

#[test]
fn a_walk_costs_by_its_literal_levels() {
    let topics: BTreeSet<String> =
        (0..100).flat_map(|line| (0..100).map(move |device| format!("t/line-{line}/device-{device}/state"))).collect();
    for (filter, matching, most) in [
        ("t/+/device-7/state", 100, 300),
        ("t/line-7/+/state", 100, 202),
        ("t/line-7/device-7/#", 1, 2),
        ("t/+/nothing/#", 0, 200),
        ("t/+", 0, 200),
        ("u/#", 0, 1),
        ("t/#", 10_000, 10_000),
    ] {
        let (found, looks) = walked(&topics, &TopicFilter::parse(filter).unwrap());
        assert_eq!(found.len(), matching, "{filter}");
        assert!(looks <= most, "{filter}: {looks} looks for {matching} matches");
    }
}
