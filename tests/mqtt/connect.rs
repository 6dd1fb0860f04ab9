//! CONNECT (section 3.1), credentials and wills aside.

use crate::common::client::RawClient;
use crate::common::wire::{self, CONNACK, Connect, DISCONNECT, PUBLISH, Packet, Version, packet, text};
use crate::packets::{RawConnect, flags, properties, property, section, values};
use crate::scene::{DENIED, Scene, subscribe};

/// How a connection ended before it was accepted: the CONNACK, if one came, and nothing else.
#[track_caller]
fn refused(client: &mut RawClient) -> Option<u8> {
    let last = client.expect_close()?;
    assert_eq!((last.kind(), last.body[0]), (CONNACK, 0), "the only packet, and no session present");
    Some(last.code())
}

/// 5.0 `[MQTT-3.1.0-1]` `[MQTT-3.2.0-1]` `[MQTT-3.14.0-1]`
/// 3.1.1 `[MQTT-3.1.0-1]` `[MQTT-3.2.0-1]` `[MQTT-4.8.0-1]`
#[test]
fn another_first_packet_than_connect_closes_without_an_answer() {
    for scene in Scene::both() {
        let none = section(scene.version, &[]);
        let topic = scene.topic("t");
        for bytes in [
            wire::publish(scene.version, &topic, b"x", 1, true, 1),
            wire::subscribe(scene.version, 1, &[(&topic, 0)]),
            packet(0xA2, &[&[0, 1], &none[..], &text(&topic)].concat()),
            wire::acknowledge(wire::PUBREL, 1),
            wire::ping(),
            wire::disconnect(),
            packet(0xF0, &[0x18, 4, property::AUTHENTICATION_METHOD, 0, 1, b'm']),
            vec![0x20, 2, 0, 0],
            vec![0x00, 0],
        ] {
            assert_eq!(scene.begin(&bytes).expect_close(), None, "{bytes:02X?}");
        }
        let mut reader = scene.reader(0);
        reader.expect_silence();
    }
}

/// 5.0 `[MQTT-3.1.0-2]` `[MQTT-3.2.0-2]` `[MQTT-4.13.1-1]`
/// 3.1.1 `[MQTT-3.1.0-2]` `[MQTT-4.8.0-1]`
#[test]
fn a_second_connect_closes_the_connection() {
    for scene in Scene::both() {
        for second in ["c", "other"] {
            let mut client = scene.enter("c");
            client.send(&Connect::clean(&scene.id(second)).encode(scene.version));
            let first = (scene.is_v5()).then(|| client.expect(DISCONNECT).code());
            assert_eq!(first, scene.is_v5().then_some(0x82));
            assert_eq!(client.expect_close(), None, "nothing but that");
        }
    }
}

/// 5.0 `[MQTT-3.1.2-1]`
/// 3.1.1 `[MQTT-3.1.2-1]` `[MQTT-3.2.2-6]`
#[test]
fn another_protocol_name_closes_without_an_answer() {
    for scene in Scene::both() {
        for name in ["mqtt", "MQTt", "AMQP", "MQTT ", "MQT", "", "MQIsdp"] {
            let connect = RawConnect { name, ..RawConnect::new(scene.version, flags::CLEAN, &[0, 1, b'a']) };
            let code = refused(&mut scene.begin(&connect.encode()));
            // MQTT 3.1 is known by its name, but not with these levels.
            assert_eq!(code, (name == "MQIsdp").then_some(1), "{name:?}");
        }
    }
}

/// 5.0 `[MQTT-3.1.2-2]` `[MQTT-3.2.2-7]`
/// 3.1.1 `[MQTT-3.1.2-2]` `[MQTT-3.2.2-5]`
#[test]
fn an_unknown_protocol_level_is_named_and_closed() {
    let scene = Scene::of(Version::V5);
    for (level, code) in [(0, 1), (1, 1), (2, 1), (3, 1), (6, 0x84), (7, 0x84), (0x7F, 0x84)] {
        let connect = RawConnect { level, ..RawConnect::new(Version::V5, flags::CLEAN, &[0, 1, b'a']) };
        assert_eq!(refused(&mut scene.begin(&connect.encode())), Some(code), "level {level}");
    }
}

/// 5.0 `[MQTT-3.1.2-3]` `[MQTT-3.1.4-1]` `[MQTT-4.13.1-1]` `[MQTT-4.13.2-1]` `[MQTT-3.14.0-1]`
/// 3.1.1 `[MQTT-3.1.2-3]` `[MQTT-3.1.4-1]` `[MQTT-3.2.2-6]`
#[test]
fn the_reserved_connect_flag_closes_the_connection() {
    for scene in Scene::both() {
        let connect = RawConnect::new(scene.version, flags::CLEAN | 1, &[0, 1, b'a']);
        assert_eq!(refused(&mut scene.begin(&connect.encode())), scene.is_v5().then_some(0x81));
    }
}

/// 5.0 `[MQTT-3.1.4-1]` `[MQTT-3.1.3-3]` `[MQTT-3.1.3-1]`
/// 3.1.1 `[MQTT-3.1.4-1]` `[MQTT-3.1.3-3]` `[MQTT-3.1.3-1]`
#[test]
fn connect_without_a_client_id_or_with_more_than_its_fields_closes_the_connection() {
    for scene in Scene::both() {
        for payload in [&[][..], &[0], &[0, 2, b'a'], &[0, 1, b'a', 0], &[0, 1, b'a', 0, 1, b'b']] {
            let connect = RawConnect::new(scene.version, flags::CLEAN, payload);
            let code = refused(&mut scene.begin(&connect.encode()));
            assert_eq!(code, scene.is_v5().then_some(0x81), "{payload:02X?}");
        }
    }
}

/// 5.0 `[MQTT-3.1.4-1]` `[MQTT-4.13.1-1]`
#[test]
fn connect_properties_that_break_the_rules_have_their_reason() {
    let scene = Scene::of(Version::V5);
    for (properties, code) in [
        (property::two(property::RECEIVE_MAXIMUM, 0), 0x82),
        (property::four(property::MAXIMUM_PACKET_SIZE, 0), 0x82),
        (property::byte(property::PROBLEM_INFORMATION, 2), 0x82),
        (property::byte(property::RESPONSE_INFORMATION, 2), 0x82),
        (property::two(property::RECEIVE_MAXIMUM, 1).repeat(2), 0x82),
        (property::four(property::SESSION_EXPIRY, 1).repeat(2), 0x82),
        (property::two(property::TOPIC_ALIAS, 1), 0x82),
        (property::byte(property::MAXIMUM_QOS, 1), 0x82),
        (vec![0x7F], 0x81),
        (vec![property::SESSION_EXPIRY, 0, 0], 0x81),
    ] {
        let payload = text(&scene.id("c"));
        let connect = RawConnect { properties: &properties, ..RawConnect::new(scene.version, flags::CLEAN, &payload) };
        assert_eq!(refused(&mut scene.begin(&connect.encode())), Some(code), "{properties:02X?}");
    }
}

/// 5.0 `[MQTT-3.1.3-5]` `[MQTT-3.1.4-5]`
/// 3.1.1 `[MQTT-3.1.3-5]` `[MQTT-3.1.4-4]`
#[test]
fn client_ids_of_1_to_23_letters_and_digits_are_taken() {
    let all = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for scene in Scene::both() {
        for id in [&all[..1], &all[..23], &all[20..43], &all[39..]] {
            scene.accepted(&Connect::clean(id).encode(scene.version)).leave();
        }
    }
}

/// 5.0 `[MQTT-3.1.3-8]` `[MQTT-3.2.2-7]`
/// 3.1.1 `[MQTT-3.1.3-9]` `[MQTT-3.2.2-5]`
#[test]
fn a_client_id_beyond_the_bound_is_rejected_by_its_code() {
    for scene in Scene::both() {
        let long = "x".repeat(2_000);
        let answer = refused(&mut scene.begin(&Connect::clean(&long).encode(scene.version)));
        assert_eq!(answer, Some(if scene.is_v5() { 0x85 } else { 2 }));
    }
}

/// 5.0 `[MQTT-3.1.3-6]` `[MQTT-3.1.3-7]` `[MQTT-3.2.2-16]`
#[test]
fn an_empty_client_id_is_replaced_by_a_new_one_that_works() {
    let scene = Scene::of(Version::V5);
    let mut assigned = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let mut client = scene.begin(&Connect::lasting("").encode(scene.version));
        let answer = client.expect(CONNACK);
        assert_eq!((answer.code(), answer.session_present()), (0, false));
        let id = values(&properties(&answer), property::ASSIGNED_CLIENT_ID)[0][2..].to_vec();
        let id = String::from_utf8(id).expect("a string");
        // As if the client had brought it.
        let mut again = scene.begin(&Connect::lasting(&id).encode(scene.version));
        let answer = again.expect(CONNACK);
        assert!(answer.session_present(), "{id}");
        assert_eq!(values(&properties(&answer), property::ASSIGNED_CLIENT_ID), [&[0; 0]; 0]);
        client.expect_fault(0x8E);
        again.send(&crate::packets::disconnect_with(0, &property::four(property::SESSION_EXPIRY, 0)));
        again.expect_close();
        assert!(assigned.insert(id), "assigned twice");
    }
}

/// 3.1.1 `[MQTT-3.1.3-6]` `[MQTT-3.1.3-7]` `[MQTT-3.1.3-8]` `[MQTT-3.2.2-5]`
#[test]
fn an_empty_client_id_wants_a_clean_session() {
    let scene = Scene::of(Version::V3_1_1);
    assert_eq!(refused(&mut scene.begin(&Connect::lasting("").encode(scene.version))), Some(2));
    let empty = Connect::clean("").encode(scene.version);
    let (mut one, mut other) = (scene.accepted(&empty), scene.accepted(&empty));
    // Two clients with ids of their own: the second does not take the first one's place.
    one.expect_silence();
    other.expect_silence();
}

/// 5.0 `[MQTT-3.1.3-2]`
/// 3.1.1 `[MQTT-3.1.3-2]`
#[test]
fn the_client_id_tells_sessions_apart() {
    for scene in Scene::both() {
        let (mut one, _) = scene.resume("one");
        subscribe(&mut one, &scene.topic("one"), 1);
        let (mut other, answer) = scene.resume("other");
        assert!(!answer.session_present());
        subscribe(&mut other, &scene.topic("other"), 1);
        one.leave();
        other.leave();
        let (mut one, answer) = scene.resume("one");
        assert!(answer.session_present());
        let mut writer = scene.enter("writer");
        writer.send(&wire::publish(scene.version, &scene.topic("other"), b"other", 0, false, 0));
        writer.send(&wire::publish(scene.version, &scene.topic("one"), b"one", 0, false, 0));
        assert_eq!(one.expect_message().payload, b"one");
        one.expect_silence();
    }
}

/// 5.0 `[MQTT-3.1.4-2]` `[MQTT-3.1.4-6]` `[MQTT-3.2.0-1]` `[MQTT-4.13.2-1]`
/// 3.1.1 `[MQTT-3.1.4-5]` `[MQTT-3.2.0-1]`
#[test]
fn nothing_behind_a_refused_connect_is_served() {
    for scene in Scene::both() {
        let mut reader = scene.reader(0);
        let refused = Connect { will: Some((DENIED, b"x")), ..Connect::clean("refused") }.encode(scene.version);
        let behind = wire::publish(scene.version, &scene.topic("t"), b"x", 1, true, 1);
        let good = Connect::clean("good").encode(scene.version);
        let mut client = scene.begin(&[&refused[..], &good, &behind, &wire::ping()].concat());
        assert_eq!(client.expect(CONNACK).code(), scene.version.refused());
        assert_eq!(client.expect_close(), None);
        reader.expect_silence();
    }
}

/// 5.0 `[MQTT-3.1.4-3]` `[MQTT-3.14.4-2]`
/// 3.1.1 `[MQTT-3.1.4-2]`
#[test]
fn a_second_connection_with_the_client_id_closes_the_first() {
    for scene in Scene::both() {
        let mut first = scene.enter("c");
        let mut second = scene.enter("c");
        first.expect_fault(0x8E);
        second.expect_silence();
    }
}

/// 5.0 `[MQTT-3.2.0-1]` `[MQTT-3.1.4-5]`
/// 3.1.1 `[MQTT-3.2.0-1]` `[MQTT-3.1.4-4]`
#[test]
fn connack_comes_before_what_waited_and_what_was_sent_behind_connect() {
    for scene in Scene::both() {
        let (mut reader, _) = scene.resume("c");
        subscribe(&mut reader, &scene.topic("#"), 1);
        reader.leave();
        let mut writer = scene.enter("writer");
        assert_eq!(writer.publish(&scene.topic("t"), b"waited"), 0);
        let connect = Connect::lasting(&scene.id("c")).encode(scene.version);
        let mut back = scene.begin(&[connect, wire::ping()].concat());
        let kinds: Vec<u8> = (0..3).map(|_| back.receive()).map(|packet: Packet| packet.kind()).collect();
        assert_eq!(kinds[0], CONNACK);
        assert!(kinds.contains(&PUBLISH) && kinds.contains(&wire::PINGRESP), "{kinds:?}");
    }
}

/// 5.0 `[MQTT-3.1.2-28]`
#[test]
fn response_information_comes_only_where_it_is_asked_for() {
    let scene = Scene::of(Version::V5);
    for properties_sent in [Vec::new(), property::byte(property::RESPONSE_INFORMATION, 0)] {
        let payload = text(&scene.id("c"));
        let connect =
            RawConnect { properties: &properties_sent, ..RawConnect::new(scene.version, flags::CLEAN, &payload) };
        let answer = scene.begin(&connect.encode()).expect(CONNACK);
        assert_eq!(values(&properties(&answer), property::RESPONSE_INFORMATION_ANSWER).len(), 0);
    }
}
