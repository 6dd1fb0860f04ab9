//! CONNACK (section 3.2).

use crate::common::wire::{CONNACK, Connect, PUBACK, PUBLISH, PUBREC, Version, text};
use crate::packets::{Publish, RawConnect, flags, properties, property, values};
use crate::scene::{DENIED, Scene, subscribe};

/// 5.0 `[MQTT-3.2.2-2]` `[MQTT-3.2.2-3]` `[MQTT-3.2.2-1]` `[MQTT-3.1.2-6]` `[MQTT-3.1.4-4]` `[MQTT-3.1.4-5]`
/// 3.1.1 `[MQTT-3.2.2-1]` `[MQTT-3.2.2-2]` `[MQTT-3.2.2-3]` `[MQTT-3.1.2-4]` `[MQTT-3.1.4-3]` `[MQTT-3.1.4-4]`
#[test]
fn session_present_says_whether_there_was_a_session_and_the_other_flags_are_0() {
    for scene in Scene::both() {
        let id = scene.id("c");
        let (clean, lasting) = (Connect::clean(&id), Connect::lasting(&id));
        let expected = [(&lasting, 0), (&lasting, 1), (&lasting, 1), (&clean, 0), (&lasting, 0), (&clean, 0)];
        for (step, (connect, flags)) in expected.into_iter().enumerate() {
            let mut client = scene.begin(&connect.encode(scene.version));
            let answer = client.expect(CONNACK);
            assert_eq!(answer.body[..2], [flags, 0], "step {step}, {:?}", scene.version);
            client.leave();
        }
    }
}

/// 5.0 `[MQTT-3.2.2-6]` `[MQTT-3.2.2-7]` `[MQTT-4.13.2-1]`
/// 3.1.1 `[MQTT-3.2.2-4]` `[MQTT-3.2.2-5]`
#[test]
fn a_refusal_says_no_session_though_there_is_one_and_closes() {
    for scene in Scene::both() {
        scene.resume("c").0.leave();
        let id = scene.id("c");
        let refused = Connect { will: Some((DENIED, b"x")), ..Connect::lasting(&id) };
        let last = scene.begin(&refused.encode(scene.version)).expect_close().expect("a CONNACK");
        assert_eq!((last.kind(), &last.body[..2]), (CONNACK, &[0, scene.version.refused()][..]));
        assert!(scene.resume("c").1.session_present(), "the session is untouched");
    }
}

/// 5.0 `[MQTT-3.2.2-15]` `[MQTT-4.13.1-1]`
#[test]
fn a_packet_larger_than_announced_closes_the_connection() {
    let scene = Scene::with_settings(Version::V5, "[mqtt]\nmaximum_packet_size = \"2 KiB\"\n");
    let mut client = scene.begin(&Connect::clean("c").encode(scene.version));
    let answer = properties(&client.expect(CONNACK));
    assert_eq!(values(&answer, property::MAXIMUM_PACKET_SIZE), [&2048_u32.to_be_bytes()]);
    let around = Publish { topic: "t", qos: 1, id: 1, ..Publish::default() }.encode(scene.version).len() + 1;
    let payload = vec![0; 2049 - around];
    let publish = |payload| Publish { topic: "t", payload, qos: 1, id: 1, ..Publish::default() };
    client.send(&publish(&payload[1..]).encode(scene.version));
    client.expect(PUBACK);
    client.send(&publish(&payload).encode(scene.version));
    client.expect_fault(0x95);
}

/// 5.0 `[MQTT-3.2.2-17]` `[MQTT-3.2.2-18]` `[MQTT-3.3.2-9]`
#[test]
fn a_topic_alias_where_none_was_announced_closes_the_connection() {
    let scene = Scene::with_settings(Version::V5, "[mqtt]\ntopic_alias_maximum = 0\n");
    let mut client = scene.begin(&Connect::clean("c").encode(scene.version));
    let answer = properties(&client.expect(CONNACK));
    assert!(values(&answer, property::TOPIC_ALIAS_MAXIMUM).iter().all(|value| *value == [0, 0]));
    let alias = property::two(property::TOPIC_ALIAS, 1);
    client.send(&Publish { topic: "t", properties: &alias, ..Publish::default() }.encode(scene.version));
    client.expect_fault(0x94);
}

/// 5.0 `[MQTT-3.2.2-21]` `[MQTT-3.1.2-21]`
#[test]
fn the_server_s_keep_alive_counts_where_it_gives_one() {
    let scene = Scene::with_settings(Version::V5, "[mqtt]\nserver_keep_alive = \"1 s\"\n");
    let mut client = scene.begin(&Connect { keep_alive: 0, ..Connect::clean("c") }.encode(scene.version));
    let answer = properties(&client.expect(CONNACK));
    assert_eq!(values(&answer, property::SERVER_KEEP_ALIVE), [&[0, 1]]);
    client.expect_fault(0x8D);
}

#[test]
fn a_keep_alive_shorter_than_the_server_s_stays() {
    let scene = Scene::with_settings(Version::V5, "[mqtt]\nserver_keep_alive = \"60 s\"\n");
    let mut client = scene.begin(&Connect { keep_alive: 1, ..Connect::clean("c") }.encode(scene.version));
    let answer = properties(&client.expect(CONNACK));
    assert_eq!(values(&answer, property::SERVER_KEEP_ALIVE).len(), 0);
    client.expect_fault(0x8D);
}

/// 5.0 `[MQTT-3.2.2-22]` `[MQTT-3.1.2-22]` `[MQTT-3.1.2-20]`
/// 3.1.1 `[MQTT-3.1.2-24]` `[MQTT-3.1.2-23]`
#[test]
fn a_client_silent_for_one_and_a_half_of_its_keep_alive_is_closed() {
    for scene in Scene::both() {
        let connect = Connect { keep_alive: 1, ..Connect::clean("c") }.encode(scene.version);
        let began = std::time::Instant::now();
        let mut client = scene.begin(&connect);
        let answer = client.expect(CONNACK);
        if scene.is_v5() {
            assert_eq!(values(&properties(&answer), property::SERVER_KEEP_ALIVE).len(), 0);
        }
        client.expect_fault(0x8D);
        assert!(began.elapsed().as_millis() >= 1_500, "{:?}", began.elapsed());
    }
}

/// 5.0 `[MQTT-3.2.2-9]` `[MQTT-3.2.2-12]` `[MQTT-3.2.2-13]` `[MQTT-3.2.2-14]` `[MQTT-3.2.2-11]` `[MQTT-3.2.2-10]`
#[test]
fn connack_announces_no_limit_of_qos_or_retain_as_there_is_none() {
    let scene = Scene::of(Version::V5);
    let will = [&[0], &text(&scene.topic("will"))[..], &text("gone")].concat();
    let payload = [text(&scene.id("c")), will].concat();
    let with = flags::CLEAN | flags::WILL | flags::WILL_QOS_2 | flags::WILL_RETAIN;
    let mut client = scene.begin(&RawConnect::new(scene.version, with, &payload).encode());
    let answer = client.expect(CONNACK);
    assert_eq!(answer.code(), 0);
    for limit in [property::MAXIMUM_QOS, property::RETAIN_AVAILABLE] {
        assert_eq!(values(&properties(&answer), limit).len(), 0);
    }
    subscribe(&mut client, &scene.topic("t"), 2);
    let publish = Publish { topic: &scene.topic("t"), qos: 2, retain: true, id: 1, ..Publish::default() };
    client.send(&publish.encode(scene.version));
    let kinds = [client.receive().kind(), client.receive().kind()];
    assert!(kinds.contains(&PUBREC) && kinds.contains(&PUBLISH), "{kinds:?}");
}
