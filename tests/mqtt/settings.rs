//! Settings and limits that a client can feel, each at its bound.

use crate::common::wire::{self, BOTH, Connect, Version};
use crate::packets::{Delivery, properties, property, values};
use crate::scene::{DENIED, Scene, subscribe};

#[test]
fn refused_publish_close_closes_3_1_1_clients_and_answers_5_0_clients() {
    let scene = Scene::with_settings(Version::V3_1_1, "[mqtt]\nrefused_publish = \"close\"\n");
    for qos in [1, 2] {
        let mut client = scene.enter("c");
        client.send(&wire::publish(scene.version, DENIED, b"x", qos, false, 1));
        client.expect_fault(0x87);
    }
    let scene = scene.beside(Version::V5);
    assert_eq!(scene.enter("c").publish(DENIED, b"x"), 0x87);
}

#[test]
fn inflight_messages_bounds_what_is_under_way_to_a_client() {
    for version in BOTH {
        let scene = Scene::with_settings(version, "[limits]\ninflight_messages = 2\n");
        let (mut reader, mut writer) = (scene.reader(1), scene.enter("writer"));
        for n in 0..4_u8 {
            writer.publish(&scene.topic("t"), &[n]);
        }
        let under_way = [Delivery::next(&mut reader), Delivery::next(&mut reader)];
        reader.expect_silence();
        reader.send(&wire::acknowledge(wire::PUBACK, under_way[0].id));
        assert_eq!(Delivery::next(&mut reader).payload, [2]);
        reader.expect_silence();
    }
}

#[test]
fn unreleased_ids_bounds_the_exchanges_of_a_publisher() {
    for version in BOTH {
        let scene = Scene::with_settings(version, "[limits]\nunreleased_ids = 2\n");
        let mut client = scene.begin(&Connect::clean("c").encode(version));
        let answer = client.expect(wire::CONNACK);
        if scene.is_v5() {
            assert_eq!(values(&properties(&answer), property::RECEIVE_MAXIMUM), [[0, 2]], "it is announced");
        }
        for id in [1, 2, 1] {
            client.send(&wire::publish(version, &scene.topic("t"), b"x", 2, false, id));
            assert_eq!(client.expect(wire::PUBREC).id(), id);
        }
        client.send(&wire::acknowledge(wire::PUBREL, 1));
        client.expect(wire::PUBCOMP);
        for id in [3, 4] {
            client.send(&wire::publish(version, &scene.topic("t"), b"x", 2, false, id));
        }
        client.expect_fault(0x93);
    }
}

#[test]
fn subscriptions_per_session_refuses_the_filter_beyond_it() {
    for version in BOTH {
        let scene = Scene::with_settings(version, "[limits]\nsubscriptions_per_session = 2\n");
        let refused = if scene.is_v5() { 0x97 } else { 0x80 };
        let mut client = scene.enter("c");
        assert_eq!(client.subscribe(&["a", "b", "c"]), [1, 1, refused]);
        subscribe(&mut client, "b", 0);
        client.send(&wire::publish(version, "c", b"x", 0, false, 0));
        client.expect_silence();
    }
}

#[test]
fn maximum_session_expiry_is_announced_where_it_is_less_than_what_was_asked() {
    let scene = Scene::with_settings(Version::V5, "[mqtt]\nmaximum_session_expiry = \"100 s\"\n");
    for (asked, announced) in [(0, None), (100, None), (101, Some(100_u32)), (u32::MAX, Some(100))] {
        let connect = Connect { session_expiry: asked, ..Connect::clean("c") };
        let answer = properties(&scene.begin(&connect.encode(scene.version)).expect(wire::CONNACK));
        let found = values(&answer, property::SESSION_EXPIRY);
        assert_eq!(found.first().copied(), announced.map(u32::to_be_bytes).as_ref().map(|bytes| &bytes[..]), "{asked}");
    }
}

#[test]
fn a_maximum_session_expiry_for_ever_takes_every_interval_as_it_is() {
    let scene = Scene::with_settings(Version::V5, "[mqtt]\nmaximum_session_expiry = \"4294967295 s\"\n");
    let connect = Connect { session_expiry: u32::MAX, ..Connect::clean("c") };
    let answer = properties(&scene.begin(&connect.encode(scene.version)).expect(wire::CONNACK));
    assert_eq!(values(&answer, property::SESSION_EXPIRY).len(), 0);
}

#[test]
fn connack_is_silent_about_what_a_client_assumes_anyway() {
    let settings = "[mqtt]\nreceive_maximum = 65535\ntopic_alias_maximum = 0\n\
                    maximum_packet_size = \"268435460 B\"\n\n[limits]\nunreleased_ids = 65535\n";
    let scene = Scene::with_settings(Version::V5, settings);
    let answer = scene.begin(&Connect::clean("c").encode(scene.version)).expect(wire::CONNACK);
    assert_eq!(answer.body, [0, 0, 0]);
}

#[test]
fn a_3_1_1_client_keeps_its_keep_alive_under_a_server_s_own() {
    let scene = Scene::with_settings(Version::V3_1_1, "[mqtt]\nserver_keep_alive = \"1 s\"\n");
    let began = std::time::Instant::now();
    let mut client = scene.accepted(&Connect { keep_alive: 2, ..Connect::clean("c") }.encode(scene.version));
    client.expect_fault(0x8D);
    assert!(began.elapsed().as_millis() >= 3_000, "{:?}", began.elapsed());
}
