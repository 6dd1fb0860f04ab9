//! The will (sections 3.1.2.5 to 3.1.2.7, 3.1.3.2 to 3.1.3.4 and 3.14.4).

use crate::common::client::RawClient;
use crate::common::wire::{self, CONNACK, Connect, Version, text};
use crate::packets::{Delivery, RawConnect, disconnect_with, flags, property, section, values};
use crate::scene::{Scene, subscribe};

/// CONNECT with a will on the scene's topic `will`, with more flags and will properties.
fn willing(scene: &Scene, with: u8, properties: &[u8]) -> Vec<u8> {
    let payload =
        [text(&scene.id("mortal")), section(scene.version, properties), text(&scene.topic("will")), text("gone")];
    RawConnect::new(scene.version, flags::CLEAN | flags::WILL | with, &payload.concat()).encode()
}

fn hang_up(client: &mut RawClient) {
    client.hang_up();
    client.expect_close();
}

/// 5.0 `[MQTT-3.1.2-7]` `[MQTT-3.1.2-8]`
/// 3.1.1 `[MQTT-3.1.2-8]`
#[test]
fn a_will_is_published_however_the_connection_ends_without_a_goodbye() {
    for scene in Scene::both() {
        let mut reader = scene.reader(0);
        let mut expect_will = || assert_eq!(reader.expect_message().payload, b"gone", "{:?}", scene.version);
        hang_up(&mut scene.accepted(&willing(&scene, 0, &[])));
        expect_will();
        // A protocol error.
        let mut faulty = scene.accepted(&willing(&scene, 0, &[]));
        faulty.send(&[0, 0]);
        faulty.expect_fault(0x82);
        expect_will();
        // A takeover.
        let mut old = scene.accepted(&willing(&scene, 0, &[]));
        scene.enter("mortal").leave();
        old.expect_fault(0x8E);
        expect_will();
        // Silence.
        let topic = scene.topic("will");
        let silent = Connect { keep_alive: 1, will: Some((&topic, b"gone")), ..Connect::clean("silent") };
        scene.accepted(&silent.encode(scene.version)).expect_fault(0x8D);
        expect_will();
    }
}

/// 5.0 `[MQTT-3.1.2-10]` `[MQTT-3.14.4-3]` `[MQTT-3.1.2-8]`
/// 3.1.1 `[MQTT-3.1.2-10]` `[MQTT-3.14.4-3]` `[MQTT-3.1.2-8]` `[MQTT-3.1.2-12]`
#[test]
fn a_will_is_gone_after_a_goodbye_and_after_it_was_published() {
    for scene in Scene::both() {
        let mut reader = scene.reader(0);
        scene.accepted(&willing(&scene, 0, &[])).leave();
        reader.expect_silence();
        hang_up(&mut scene.accepted(&willing(&scene, 0, &[])));
        assert_eq!(reader.expect_message().payload, b"gone");
        // The same session once more, without a will.
        hang_up(&mut scene.resume("mortal").0);
        scene.resume("mortal").0.leave();
        reader.expect_silence();
    }
}

/// 5.0 `[MQTT-3.1.2-8]` `[MQTT-3.1.2-10]`
#[test]
fn a_goodbye_with_another_reason_publishes_the_will() {
    let scene = Scene::of(Version::V5);
    let mut reader = scene.reader(0);
    for reason in [0x04, 0x80, 0x97] {
        let mut client = scene.accepted(&willing(&scene, 0, &[]));
        client.send(&disconnect_with(reason, &[]));
        client.expect_close();
        assert_eq!(reader.expect_message().payload, b"gone", "{reason:#04x}");
    }
}

/// 5.0 `[MQTT-3.1.2-9]`
/// 3.1.1 `[MQTT-3.1.2-9]`
#[test]
fn the_will_flag_wants_topic_and_message() {
    for scene in Scene::both() {
        let none = section(scene.version, &[]);
        for fields in [Vec::new(), none.clone(), [&none[..], &text("t")].concat()] {
            let payload = [text("c"), fields].concat();
            let connect = RawConnect::new(scene.version, flags::CLEAN | flags::WILL, &payload);
            let last = scene.begin(&connect.encode()).expect_close().map(|last| (last.kind(), last.code()));
            assert_eq!(last, scene.is_v5().then_some((CONNACK, 0x81)), "{connect:02X?}");
        }
    }
}

/// 5.0 `[MQTT-3.1.2-11]` `[MQTT-3.1.2-13]`
/// 3.1.1 `[MQTT-3.1.2-11]` `[MQTT-3.1.2-13]` `[MQTT-3.1.2-15]`
#[test]
fn without_the_will_flag_its_qos_and_retain_are_0_and_its_fields_absent() {
    for scene in Scene::both() {
        let fields = [section(scene.version, &[]), text("t"), text("m")].concat();
        let with_fields = [text("c"), fields].concat();
        for (with, payload) in [
            (flags::WILL_QOS_1, text("c")),
            (flags::WILL_QOS_2, text("c")),
            (flags::WILL_RETAIN, text("c")),
            (0, with_fields),
        ] {
            let connect = RawConnect::new(scene.version, flags::CLEAN | with, &payload);
            let last = scene.begin(&connect.encode()).expect_close().map(|last| (last.kind(), last.code()));
            assert_eq!(last, scene.is_v5().then_some((CONNACK, 0x81)), "{connect:02X?}");
        }
    }
}

/// 5.0 `[MQTT-3.1.2-12]`
/// 3.1.1 `[MQTT-3.1.2-14]`
#[test]
fn a_will_has_qos_0_1_or_2() {
    for scene in Scene::both() {
        let mut reader = scene.reader(2);
        for (with, qos) in [(0, 0), (flags::WILL_QOS_1, 1), (flags::WILL_QOS_2, 2)] {
            hang_up(&mut scene.accepted(&willing(&scene, with, &[])));
            assert_eq!(reader.expect_message().qos, qos);
        }
        let last = scene.begin(&willing(&scene, flags::WILL_QOS_1 | flags::WILL_QOS_2, &[])).expect_close();
        let last = last.map(|last| (last.kind(), last.code()));
        assert_eq!(last, scene.is_v5().then_some((CONNACK, 0x81)), "QoS 3");
    }
}

/// 5.0 `[MQTT-3.1.2-14]` `[MQTT-3.1.2-15]`
/// 3.1.1 `[MQTT-3.1.2-16]` `[MQTT-3.1.2-17]`
#[test]
fn will_retain_decides_whether_the_will_is_retained() {
    for scene in Scene::both() {
        let mut reader = scene.reader(0);
        for (with, kept) in [(0, 0), (flags::WILL_RETAIN, 1)] {
            hang_up(&mut scene.accepted(&willing(&scene, with, &[])));
            assert!(!reader.expect_message().retain, "a live message");
            let mut late = scene.enter("late");
            subscribe(&mut late, &scene.topic("will"), 0);
            for _ in 0..kept {
                let message = late.expect_message();
                assert_eq!((&message.payload[..], message.retain), (&b"gone"[..], true));
            }
            late.expect_silence();
        }
    }
}

/// 5.0 `[MQTT-3.1.3-10]`
#[test]
fn a_will_keeps_its_properties_and_the_order_of_its_user_properties() {
    let scene = Scene::of(Version::V5);
    let mut reader = scene.reader(0);
    let pairs = [("z", "1"), ("a", "2"), ("z", "0"), ("", "")];
    let own = [
        property::byte(property::PAYLOAD_FORMAT, 1),
        property::long(property::CONTENT_TYPE, b"text"),
        property::long(property::RESPONSE_TOPIC, b"answer/here"),
        property::long(property::CORRELATION_DATA, &[0, 0xFF]),
        pairs.iter().flat_map(|(name, value)| property::pair(name, value)).collect(),
    ];
    hang_up(&mut scene.accepted(&willing(&scene, 0, &own.concat())));
    let will = Delivery::next(&mut reader);
    let expected: Vec<Vec<u8>> = pairs.iter().map(|(name, value)| property::pair(name, value)[1..].to_vec()).collect();
    assert_eq!(values(&will.properties, property::USER_PROPERTY), expected);
    assert_eq!(values(&will.properties, property::CONTENT_TYPE), [text("text")]);
    assert_eq!(values(&will.properties, property::RESPONSE_TOPIC), [text("answer/here")]);
    assert_eq!(values(&will.properties, property::CORRELATION_DATA), [wire::binary(&[0, 0xFF])]);
    assert_eq!(values(&will.properties, property::PAYLOAD_FORMAT), [[1]]);
}

/// 5.0 `[MQTT-3.1.3-9]` `[MQTT-3.1.2-8]`
#[test]
fn a_delayed_will_waits_and_a_return_in_time_cancels_it() {
    let scene = Scene::of(Version::V5);
    let mut reader = scene.reader(0);
    let expiry = property::four(property::SESSION_EXPIRY, 60);
    let delayed = |seconds| {
        let delay = property::four(property::WILL_DELAY, seconds);
        let fields = [section(scene.version, &delay), text(&scene.topic("will")), text("gone")];
        let payload = [text(&scene.id("mortal")), fields.concat()].concat();
        RawConnect { properties: &expiry, ..RawConnect::new(scene.version, flags::WILL, &payload) }.encode()
    };
    hang_up(&mut scene.accepted(&delayed(30)));
    reader.expect_silence();
    scene.resume("mortal").0.leave();
    let lost = std::time::Instant::now();
    hang_up(&mut scene.accepted(&delayed(1)));
    assert_eq!(reader.expect_message().payload, b"gone");
    assert!(lost.elapsed().as_millis() >= 1_000, "{:?}", lost.elapsed());
    reader.expect_silence();
}

/// Only a busy machine can make it later, so one good measurement of three is enough.
#[test]
fn a_will_comes_within_tenths_of_a_second_of_its_delay() {
    let scene = Scene::of(Version::V5);
    let mut reader = scene.reader(0);
    let delay = property::four(property::WILL_DELAY, 1);
    let fields = [section(scene.version, &delay), text(&scene.topic("will")), text("gone")];
    let payload = [text(&scene.id("mortal")), fields.concat()].concat();
    let expiry = property::four(property::SESSION_EXPIRY, 60);
    let connect = RawConnect { properties: &expiry, ..RawConnect::new(scene.version, flags::WILL, &payload) };
    let measured: Vec<u128> = (0..3)
        .map(|_| {
            let mut mortal = scene.accepted(&connect.encode());
            let lost = std::time::Instant::now();
            hang_up(&mut mortal);
            assert_eq!(reader.expect_message().payload, b"gone");
            lost.elapsed().as_millis()
        })
        .collect();
    assert!(measured.iter().all(|after| *after >= 1_000), "{measured:?} ms");
    assert!(measured.iter().any(|after| *after <= 1_200), "{measured:?} ms");
}
