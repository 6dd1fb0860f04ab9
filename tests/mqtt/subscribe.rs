//! SUBSCRIBE and SUBACK (sections 3.8 and 3.9).

use crate::common::wire::{self, SUBACK, Version, packet, text};
use crate::packets::{section, subscribe as subscribe_with};
use crate::scene::{DENIED, Scene, subscribe};

/// Subscription option of 5.0.
const NO_LOCAL: u8 = 1 << 2;

/// 5.0 `[MQTT-3.8.3-2]` `[MQTT-4.13.1-1]`
/// 3.1.1 `[MQTT-3.8.3-3]` `[MQTT-4.8.0-1]`
#[test]
fn subscribe_without_a_filter_closes_the_connection() {
    for scene in Scene::both() {
        let mut client = scene.enter("c");
        client.send(&wire::subscribe(scene.version, 1, &[]));
        client.expect_fault(0x81);
    }
}

/// 5.0 `[MQTT-3.8.3-5]`
/// 3.1.1 `[MQTT-3.8.3-4]`
#[test]
fn reserved_bits_of_the_options_close_the_connection() {
    for scene in Scene::both() {
        let reserved: &[u8] =
            if scene.is_v5() { &[0x40, 0x80, 0xC1] } else { &[0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 3] };
        for options in reserved {
            let mut client = scene.enter("c");
            client.send(&wire::subscribe(scene.version, 1, &[(&scene.topic("t"), *options)]));
            client.expect_fault(0x81);
        }
    }
}

/// 5.0 `[MQTT-4.13.1-1]` `[MQTT-3.8.3-4]`
#[test]
fn options_that_no_subscription_has_close_the_connection() {
    let scene = Scene::of(Version::V5);
    let shared = format!("$share/group/{}", scene.topic("t"));
    // QoS 3, retain handling 3, no local on a shared subscription.
    for (filter, options, reason) in [("t", 3, 0x81), ("t", 0x30, 0x81), (&shared[..], NO_LOCAL, 0x82)] {
        let mut client = scene.enter("c");
        client.send(&wire::subscribe(scene.version, 1, &[(filter, options)]));
        client.expect_fault(reason);
    }
    for (identifier, reason) in [(&[0x0B, 0][..], 0x81), (&[0x0B, 1, 0x0B, 2], 0x82)] {
        let mut client = scene.enter("c");
        client.send(&subscribe_with(scene.version, 1, identifier, &[("t", 0)]));
        client.expect_fault(reason);
    }
}

/// 5.0 `[MQTT-3.8.3-3]`
#[test]
fn no_local_keeps_a_client_s_own_messages_from_it() {
    let scene = Scene::of(Version::V5);
    let (mut own, _) = scene.resume("own");
    subscribe(&mut own, &scene.topic("#"), 1 | NO_LOCAL);
    let mut other = scene.enter("other");
    for qos in [0, 1, 2] {
        own.send(&wire::publish(scene.version, &scene.topic("t"), b"own", qos, false, 1));
        if qos > 0 {
            assert_eq!(own.receive().code(), 0, "the own subscription matches, though nobody reads it");
        }
    }
    own.expect_silence();
    // The client id counts, not the connection.
    own.leave();
    let (mut own, answer) = scene.resume("own");
    assert!(answer.session_present());
    own.publish(&scene.topic("t"), b"own");
    other.publish(&scene.topic("t"), b"other");
    assert_eq!(own.expect_message().payload, b"other");
    own.expect_silence();
}

/// 5.0 `[MQTT-3.8.4-1]` `[MQTT-3.8.4-5]` `[MQTT-3.8.4-6]` `[MQTT-3.8.4-7]` `[MQTT-3.9.3-1]` `[MQTT-3.9.3-2]`
/// 3.1.1 `[MQTT-3.8.4-1]` `[MQTT-3.8.4-4]` `[MQTT-3.8.4-5]` `[MQTT-3.9.3-1]` `[MQTT-3.9.3-2]`
#[test]
fn one_suback_has_a_code_for_each_filter_in_their_order() {
    for scene in Scene::both() {
        let mut client = scene.enter("c");
        let [a, b, c] = ["a", "b", "c"].map(|rest| scene.topic(rest));
        let refused = scene.version.filter_refused();
        client.send(&wire::subscribe(scene.version, 7, &[(&b, 2), (DENIED, 1), (&a, 0), (DENIED, 0), (&c, 1)]));
        assert_eq!(client.expect(SUBACK).codes(scene.version), [2, refused, 0, refused, 1]);
        client.expect_silence();
        let mut writer = scene.enter("writer");
        for topic in [&a, &b, &c] {
            writer.send(&wire::publish(scene.version, topic, topic.as_bytes(), 0, false, 0));
            assert_eq!(client.expect_message().payload, topic.as_bytes(), "each filter counts like one of its own");
        }
    }
}

/// 5.0 `[MQTT-3.8.4-8]` `[MQTT-3.8.4-7]`
/// 3.1.1 `[MQTT-3.8.4-6]`
#[test]
fn a_message_comes_at_the_lower_of_its_own_and_the_granted_qos() {
    for scene in Scene::both() {
        let mut writer = scene.enter("writer");
        for granted in [0, 1, 2] {
            let mut reader = scene.reader(granted);
            for published in [0, 1, 2] {
                writer.send(&wire::publish(scene.version, &scene.topic("t"), b"x", published, false, 1));
                match published {
                    0 => {}
                    1 => assert_eq!(writer.expect(wire::PUBACK).code(), 0),
                    _ => {
                        writer.expect(wire::PUBREC);
                        writer.send(&wire::acknowledge(wire::PUBREL, 1));
                        writer.expect(wire::PUBCOMP);
                    }
                }
                assert_eq!(reader.expect_message().qos, published.min(granted));
            }
        }
    }
}

/// 5.0 `[MQTT-3.8.3-1]` `[MQTT-4.7.1-1]` `[MQTT-4.7.1-2]` `[MQTT-4.7.3-1]`
/// 3.1.1 `[MQTT-3.8.3-1]` `[MQTT-4.7.1-2]` `[MQTT-4.7.1-3]` `[MQTT-4.7.3-1]`
#[test]
fn filters_with_misplaced_wildcards_or_without_characters_are_refused() {
    for scene in Scene::both() {
        for filter in ["", "a#", "#/a", "a/#/b", "##", "a+", "+a/b", "a/++", "a/b+/c"] {
            let mut client = scene.enter("c");
            client.send(&wire::subscribe(scene.version, 1, &[(filter, 0)]));
            client.expect_fault(0x81);
        }
    }
}

/// 5.0 `[MQTT-3.8.3-2]`
/// 3.1.1 `[MQTT-3.8.3-3]`
#[test]
fn a_filter_without_its_options_closes_the_connection() {
    for scene in Scene::both() {
        let mut client = scene.enter("c");
        client.send(&packet(0x82, &[&[0, 1], &section(scene.version, &[])[..], &text("t")].concat()));
        client.expect_fault(0x81);
    }
}

/// 3.1.1 `[MQTT-3.8.3-2]`
/// 5.0 `[MQTT-3.8.4-7]`
#[test]
fn filters_with_wildcards_are_granted() {
    for scene in Scene::both() {
        let mut client = scene.enter("c");
        for filter in ["#", "+", "+/#", "/+", "a/+/b", "$share/group/+/b"] {
            client.send(&wire::subscribe(scene.version, 1, &[(filter, 1)]));
            // What other tests publish comes as well.
            let mut answer = client.receive();
            while answer.kind() == wire::PUBLISH {
                answer = client.receive();
            }
            assert_eq!((answer.kind(), answer.codes(scene.version)), (SUBACK, vec![1]), "{filter}");
        }
    }
}

/// 3.1.1 `[MQTT-3.9.3-2]`
#[test]
fn suback_of_3_1_1_knows_one_failure() {
    let scene = Scene::of(Version::V3_1_1);
    let mut client = scene.enter("c");
    assert_eq!(client.subscribe(&[DENIED, "$SYS/#", "$share/group/denied/#"]), [0x80; 3]);
}
