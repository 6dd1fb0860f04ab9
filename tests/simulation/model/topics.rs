//! What is published and subscribed, and which filter matches which topic: judged naively, once for every pair.

use std::ops::Range;
use std::rc::Rc;

const TOPICS: &[&str] = &["t", "t/a", "t/b", "t/c/x", "t/c/y", "t/d/e/f", "t//z", "u/a", "u/b", "v/a", "$x/a", "$x/b"];
const FILTERS: &[&str] = &[
    "t", "t/a", "t/b", "t/+", "t/#", "t/c/+", "t/c/#", "t/c/x", "t/+/x", "t/+/z", "t/d/#", "+/b", "+/+", "#", "u/#",
    "u/a", "v/#", "v/+", "$x/#", "$x/+", "+/a/#",
];
const SHARED: &[&str] = &["$share/g/t/a", "$share/g/t/+", "$share/h/t/a", "$share/h/+/b", "$share/g/u/+"];

pub(crate) type Topic = usize;
pub(crate) type Filter = usize;

/// Every topic and filter of a world.
pub(crate) struct Topics {
    pub(crate) topics: Vec<Rc<str>>,
    pub(crate) filters: Vec<Rc<str>>,
    /// Those among the filters that are shared.
    pub(crate) shared: Range<Filter>,
    /// `[topic]` -> the filters that match it, shared ones by what stands behind their group.
    matching: Vec<Vec<Filter>>,
}

impl Topics {
    /// `private` more topics with a filter each: what most clients of a large fleet talk on.
    pub(crate) fn new(private: usize) -> Self {
        let own = (0..private).map(|number| format!("t/n/{number}"));
        let topics: Vec<Rc<str>> = TOPICS.iter().map(|&topic| topic.into()).chain(own.clone().map(Rc::from)).collect();
        let filters: Vec<Rc<str>> =
            FILTERS.iter().chain(SHARED).map(|&filter| filter.into()).chain(own.map(Rc::from)).collect();
        let fitting = |topic: &str| {
            let fits = |&filter: &Filter| matches(inner(&filters[filter]), topic);
            (0..filters.len()).filter(fits).collect()
        };
        let matching = topics.iter().map(|topic| fitting(topic)).collect();
        Self { shared: FILTERS.len()..FILTERS.len() + SHARED.len(), topics, filters, matching }
    }

    /// Whether a group may get what is published there.
    pub(crate) fn is_shared(&self, topic: Topic) -> bool {
        self.matching[topic].iter().any(|filter| self.shared.contains(filter))
    }

    pub(crate) fn matching(&self, topic: Topic) -> &[Filter] {
        &self.matching[topic]
    }
}

/// The filter behind `$share/<group>/`.
pub(crate) fn inner(filter: &str) -> &str {
    match filter.strip_prefix("$share/") {
        Some(rest) => rest.split_once('/').unwrap().1,
        None => filter,
    }
}

/// Naive matching: recursion over split levels.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    fn levels(filter: &[&str], topic: &[&str]) -> bool {
        match (filter.first(), topic.first()) {
            (Some(&"#"), _) => true,
            (Some(&"+"), Some(_)) => levels(&filter[1..], &topic[1..]),
            (Some(one), Some(other)) => one == other && levels(&filter[1..], &topic[1..]),
            (None, None) => true,
            _ => false,
        }
    }
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    levels(&filter.split('/').collect::<Vec<_>>(), &topic.split('/').collect::<Vec<_>>())
}
