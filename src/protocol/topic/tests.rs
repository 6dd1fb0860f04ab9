//! The grammar as tables; the algebra against the sets themselves, spelled out over a small alphabet.

use super::*;

fn filter(text: &str) -> TopicFilter {
    TopicFilter::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn topic_names() {
    for text in ["a", "/", "//", "a/b", "/a", "a/", "$SYS/x", "é/ü", " ", "a b", "$share/g/x", "\u{1}", "\u{feff}"] {
        assert_eq!(name(text).as_str(), text);
    }
    for (text, error) in [
        ("", TopicError::Empty),
        ("+", TopicError::WildcardInName),
        ("a/#", TopicError::WildcardInName),
        ("a+b", TopicError::WildcardInName),
        ("a\0", TopicError::Nul),
        ("+\0", TopicError::Nul),
    ] {
        assert_eq!(TopicName::parse(text), Err(error), "{text:?}");
    }
    assert!(TopicName::parse(&"x".repeat(MAX_TOPIC_BYTES)).is_ok());
    assert_eq!(TopicName::parse(&"x".repeat(MAX_TOPIC_BYTES + 1)), Err(TopicError::TooLong));
}

#[test]
fn levels_keep_empty_ones() {
    assert_eq!(name("/a//b/").levels().collect::<Vec<_>>(), ["", "a", "", "b", ""]);
    assert_eq!(filter("$share/g//+/#").levels().collect::<Vec<_>>(), [Level::Literal(""), Level::One, Level::Rest]);
}

#[test]
fn topic_filters() {
    for text in ["#", "+", "/", "a/#", "+/#", "/#", "a/+/b", "$SYS/#", "+/+", "$shared/#", "$sharegroup", "é/+"] {
        assert_eq!(filter(text).as_str(), text);
        assert_eq!(filter(text).inner(), text);
        assert_eq!(filter(text).share(), None);
    }
    for (text, error) in [
        ("", TopicError::Empty),
        ("a#", TopicError::WildcardPlacement),
        ("a/b#", TopicError::WildcardPlacement),
        ("#/a", TopicError::WildcardPlacement),
        ("#/", TopicError::WildcardPlacement),
        ("#/#", TopicError::WildcardPlacement),
        ("a+", TopicError::WildcardPlacement),
        ("+a/b", TopicError::WildcardPlacement),
        ("++", TopicError::WildcardPlacement),
        ("a\0b", TopicError::Nul),
        ("$share", TopicError::Share),
        ("$share/", TopicError::Share),
        ("$share/g", TopicError::Share),
        ("$share/g/", TopicError::Share),
        ("$share//a", TopicError::Share),
        ("$share/+/a", TopicError::Share),
        ("$share/g#/a", TopicError::WildcardPlacement),
        ("$share/g/a#", TopicError::WildcardPlacement),
    ] {
        assert_eq!(TopicFilter::parse(text), Err(error), "{text:?}");
    }
    assert_eq!(TopicFilter::parse(&"x".repeat(MAX_TOPIC_BYTES + 1)), Err(TopicError::TooLong));
}

#[test]
fn shared_subscriptions_are_taken_apart_once() {
    for (text, group, inner) in [
        ("$share/g/a/b", "g", "a/b"),
        ("$share/group one/#", "group one", "#"),
        ("$share/g//", "g", "/"),
        ("$share/$g/$SYS/+", "$g", "$SYS/+"),
        ("$share/g/$share/h/x", "g", "$share/h/x"),
    ] {
        let filter = filter(text);
        assert_eq!((filter.share(), filter.inner(), filter.as_str()), (Some(group), inner, text));
    }
    assert!(filter("$share/g/a/+").covers(&filter("a/b")), "rights are about the inner filter");
}

#[test]
fn exact_filters_are_topics() {
    assert_eq!(filter("a/b").exact(), Some(name("a/b")));
    assert_eq!(filter("$share/g/a/b").exact(), Some(name("a/b")));
    assert_eq!(filter("a/+").exact(), None);
}

#[test]
fn examples_of_the_standard_match() {
    for (pattern, topic, expected) in [
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
        ("sport/#", "sport", true),
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        ("#", "$SYS/broker", false),
        ("+/monitor/Clients", "$SYS/monitor/Clients", false),
        ("$SYS/#", "$SYS/broker", true),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
        ("ACCOUNTS", "Accounts", false),
        ("a", "a/b", false),
        ("a/b", "a", false),
        ("é/+", "é/x", true),
        ("a/+", "a/$x", true),
        ("a/#", "a/$x", true),
    ] {
        assert_eq!(filter(pattern).matches(name(topic)), expected, "{pattern} on {topic}");
    }
}

#[test]
fn cover_table() {
    for (outer, inner, expected) in [
        ("#", "a/b", true),
        ("#", "+/#", true),
        ("+/#", "#", true),
        ("/+/#", "/#", true),
        ("+/+/#", "/#", true),
        ("+/+/#", "#", false),
        ("a/+/#", "a/#", false),
        ("a/#", "a", true),
        ("a/#", "a/+/#", true),
        ("a/+", "a/#", false),
        ("+", "#", false),
        ("+/x", "$SYS/x", false),
        ("#", "$SYS/x", false),
        ("#", "$SYS/#", false),
        ("$SYS/#", "$SYS/x", true),
        ("$SYS/#", "#", false),
        ("a/#", "$share/g/a/b", true),
    ] {
        assert_eq!(filter(outer).covers(&filter(inner)), expected, "{outer} over {inner}");
    }
}

#[test]
fn overlap_table() {
    for (left, right, expected) in [
        ("a/+", "+/b", true),
        ("a/#", "a", true),
        ("a/#", "+", true),
        ("a/+", "a", false),
        ("+/x", "$SYS/x", false),
        ("#", "$SYS/x", false),
        ("#", "$SYS/#", false),
        ("$SYS/#", "$SYS/+/x", true),
        ("#", "+", true),
        ("+", "/#", false),
        ("+/+", "/#", true),
        ("a/+/c", "a/b/d", false),
    ] {
        assert_eq!(filter(left).overlaps(&filter(right)), expected, "{left} and {right}");
        assert_eq!(filter(right).overlaps(&filter(left)), expected, "{right} and {left}");
    }
}

/// Every filter of up to three levels against every topic of up to four. The topics have levels that no filter names,
/// plain and `$`, and one level more than any filter: so every difference between two filters shows in some topic,
/// and inclusion and intersection of the enumerated sets are those of the whole ones.
#[test]
fn algebra_is_set_algebra() {
    let topics: Vec<String> =
        texts(&["", "a", "b", "$s", "x", "$x"], 4).into_iter().filter(|topic| !topic.is_empty()).collect();
    let filters: Vec<String> =
        texts(&["", "a", "b", "$s", "+", "#"], 3).into_iter().filter(|text| is_filter(text)).collect();
    assert!(filters.len() > 150 && topics.len() > 1_500, "{} filters, {} topics", filters.len(), topics.len());
    // One bit for each topic.
    let sets: Vec<(TopicFilter, Vec<u64>)> = filters
        .iter()
        .map(|text| (filter(text), topics.chunks(64).map(|topics| bits(text, topics)).collect()))
        .collect();

    for (left, left_set) in &sets {
        for (right, right_set) in &sets {
            let names = (left.as_str(), right.as_str());
            let included = right_set.iter().zip(left_set).all(|(inner, outer)| inner & !outer == 0);
            assert_eq!(left.covers(right), included, "covers {names:?}");
            let meet = left_set.iter().zip(right_set).any(|(one, other)| one & other != 0);
            assert_eq!(left.overlaps(right), meet, "overlaps {names:?}");
        }
    }
}

/// Which of up to 64 topics `text` matches; the walk over levels and the recursion on text agree on each.
fn bits(text: &str, topics: &[String]) -> u64 {
    let parsed = filter(text);
    topics.iter().enumerate().fold(0, |bits, (index, topic)| {
        let matched = naive_match(text, topic);
        assert_eq!(parsed.matches(name(topic)), matched, "{text} on {topic}");
        bits | u64::from(matched) << index
    })
}

/// All texts of one to `depth` levels from `alphabet`.
fn texts(alphabet: &[&str], depth: usize) -> Vec<String> {
    let mut all: Vec<String> = alphabet.iter().map(ToString::to_string).collect();
    let mut longest = all.clone();
    for _ in 1..depth {
        longest = longest.iter().flat_map(|text| alphabet.iter().map(move |level| format!("{text}/{level}"))).collect();
        all.extend(longest.iter().cloned());
    }
    all
}

/// The grammar again, from the text: `#` only as the whole last level.
fn is_filter(text: &str) -> bool {
    !text.is_empty() && text.find('#').is_none_or(|at| at + 1 == text.len() && (at == 0 || text[..at].ends_with('/')))
}

/// Matching again, by recursion on text rather than a walk over levels.
fn naive_match(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#')) {
        return false;
    }
    naive_rest(filter, topic)
}

fn naive_rest(filter: &str, topic: &str) -> bool {
    if filter == "#" {
        return true;
    }
    let (filter_head, filter_tail) = filter.split_once('/').map_or((filter, None), |(head, tail)| (head, Some(tail)));
    let (topic_head, topic_tail) = topic.split_once('/').map_or((topic, None), |(head, tail)| (head, Some(tail)));
    (filter_head == "+" || filter_head == topic_head)
        && match (filter_tail, topic_tail) {
            (None, None) | (Some("#"), None) => true,
            (Some(filter), Some(topic)) => naive_rest(filter, topic),
            _ => false,
        }
}
