//! Topic names and filters (section 4.7).

use crate::common::wire;
use crate::scene::{Scene, subscribe};

/// Whether a subscription to `filter` gets a message on `topic`.
#[track_caller]
fn arrives(scene: &Scene, filter: &str, topic: &str) -> bool {
    let mut reader = scene.enter("reader");
    subscribe(&mut reader, filter, 0);
    reader.send(&wire::publish(scene.version, topic, b"x", 0, false, 0));
    reader.send(&wire::ping());
    let (mut arrived, mut last) = (false, reader.receive());
    while last.kind() != wire::PINGRESP {
        let message = last.message(scene.version);
        // Other tests publish at the same time, where the filter is as wide as theirs.
        arrived |= message.topic == topic;
        last = reader.receive();
    }
    arrived
}

/// 5.0 `[MQTT-4.7.1-1]` `[MQTT-4.7.1-2]` `[MQTT-3.3.2-3]`
/// 3.1.1 `[MQTT-4.7.1-2]` `[MQTT-4.7.1-3]` `[MQTT-3.3.2-3]`
#[test]
fn wildcards_match_whole_levels() {
    for scene in Scene::both() {
        for (filter, topic, matches) in [
            ("sport/#", "sport", true),
            ("sport/#", "sport/", true),
            ("sport/#", "sport/tennis/player1", true),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("sport/+", "sport/tennis", true),
            ("sport/+", "sport/tennis/player1", false),
            ("+/tennis/#", "sport/tennis", true),
            ("+", "sport", true),
            ("+", "/sport", false),
            ("/+", "/sport", true),
            ("+/+", "/sport", true),
            ("sport/tennis", "sport/tennis", true),
            ("sport/tennis", "sport/tennis/", false),
        ] {
            let (filter, topic) = (scene.topic(filter), scene.topic(topic));
            assert_eq!(arrives(&scene, &filter, &topic), matches, "{filter} on {topic}");
        }
    }
}

/// 5.0 `[MQTT-4.7.2-1]`
/// 3.1.1 `[MQTT-4.7.2-1]`
#[test]
fn filters_that_begin_with_a_wildcard_do_not_match_topics_that_begin_with_a_dollar() {
    for scene in Scene::both() {
        let topic = format!("$test/{}", scene.topic("a"));
        for (filter, matches) in [("#", false), ("+/#", false), ("$test/#", true)] {
            assert_eq!(arrives(&scene, filter, &topic), matches, "{filter}");
        }
        // A dollar behind the first level is a character like any other.
        let inside = scene.topic("$a/b");
        for filter in ["#", "+/b"] {
            assert!(arrives(&scene, &scene.topic(filter), &inside), "{filter}");
        }
    }
}

/// 5.0 `[MQTT-4.7.3-4]` `[MQTT-4.7.3-1]`
/// 3.1.1 `[MQTT-4.7.3-4]` `[MQTT-4.7.3-1]`
#[test]
fn topics_are_compared_as_they_are() {
    for scene in Scene::both() {
        for (filter, topic) in [
            ("Accounts", "ACCOUNTS"),
            ("a", "a/"),
            ("a/b", "a//b"),
            ("a/./b", "a/b"),
            ("a%2Fb", "a/b"),
            ("a ", "a"),
            // The same letter, composed and decomposed.
            ("\u{E9}", "e\u{301}"),
            ("\u{FFFD}", "\u{E000}"),
        ] {
            let (filter, topic) = (scene.topic(filter), scene.topic(topic));
            assert!(!arrives(&scene, &filter, &topic), "{filter:?} on {topic:?}");
            assert!(!arrives(&scene, &topic, &filter), "{topic:?} on {filter:?}");
            assert!(arrives(&scene, &topic, &topic), "{topic:?}");
        }
        assert!(arrives(&scene, "/", "/"), "one character is enough");
    }
}

/// 5.0 `[MQTT-4.7.3-3]`
/// 3.1.1 `[MQTT-4.7.3-3]`
#[test]
fn a_topic_of_65535_bytes_is_the_longest_there_can_be() {
    let settings = "[limits]\ntopic_bytes = \"65535 B\"\n";
    let mut longest = None;
    for version in wire::BOTH {
        let scene = match &longest {
            None => Scene::with_settings(version, settings),
            Some(scene) => Scene::beside(scene, version),
        };
        let topic = "x".repeat(65_535);
        assert!(arrives(&scene, &topic, &topic));
        longest = Some(scene);
    }
}
