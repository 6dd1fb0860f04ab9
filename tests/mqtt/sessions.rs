//! Sessions (sections 3.1.2.4, 3.1.2.11.2 and 4.1).

use crate::common::client::RawClient;
use crate::common::wire::{self, CONNACK, Connect, Version};
use crate::packets::{disconnect_with, property};
use crate::scene::{Scene, subscribe};
use std::time::{Duration, Instant};

/// A session that subscribed to everything of the scene and has gone.
fn absent(scene: &Scene) {
    let (mut client, _) = scene.resume("c");
    subscribe(&mut client, &scene.topic("#"), 2);
    client.leave();
}

/// 5.0 `[MQTT-3.1.2-5]` `[MQTT-3.1.2-23]` `[MQTT-4.1.0-1]` `[MQTT-4.5.0-1]`
/// 3.1.1 `[MQTT-3.1.2-4]` `[MQTT-3.1.2-5]` `[MQTT-4.1.0-1]` `[MQTT-4.5.0-1]`
#[test]
fn a_session_keeps_subscriptions_and_messages_while_its_client_is_away() {
    for scene in Scene::both() {
        absent(&scene);
        let mut writer = scene.enter("writer");
        writer.publish(&scene.topic("a"), b"one");
        writer.send(&wire::publish(scene.version, &scene.topic("a"), b"two", 2, false, 9));
        assert!(writer.expect(wire::PUBREC).code() < 0x80);
        let (mut back, answer) = scene.resume("c");
        assert!(answer.session_present());
        assert_eq!(back.expect_message().payload, b"one");
        assert_eq!(back.expect_message().payload, b"two");
        writer.publish(&scene.topic("a"), b"live");
        assert_eq!(back.expect_message().payload, b"live");
    }
}

/// 5.0 `[MQTT-3.1.2-6]`
/// 3.1.1 `[MQTT-3.1.2-4]`
#[test]
fn without_a_session_a_new_one_is_made_that_lasts() {
    for scene in Scene::both() {
        let (client, answer) = scene.resume("c");
        assert!(!answer.session_present());
        client.leave();
        assert!(scene.resume("c").1.session_present());
    }
}

/// 5.0 `[MQTT-3.1.2-4]` `[MQTT-3.1.4-4]`
/// 3.1.1 `[MQTT-3.1.2-6]` `[MQTT-3.1.4-3]`
#[test]
fn a_clean_start_discards_what_the_session_held() {
    for scene in Scene::both() {
        absent(&scene);
        let mut writer = scene.enter("writer");
        writer.publish(&scene.topic("a"), b"queued");
        let mut clean = scene.enter("c");
        clean.expect_silence();
        writer.publish(&scene.topic("a"), b"live");
        clean.expect_silence();
        clean.leave();
        assert!(!scene.resume("c").1.session_present(), "it lasted as long as its connection");
    }
}

/// 3.1.1 `[MQTT-3.1.2-7]`
#[test]
fn retained_messages_outlive_the_session_of_their_publisher() {
    for scene in Scene::both() {
        let mut writer = scene.enter("writer");
        let topic = scene.topic("kept");
        writer.send(&wire::publish(scene.version, &topic, b"kept", 1, true, 1));
        writer.expect(wire::PUBACK);
        writer.leave();
        scene.enter("writer").leave();
        assert_eq!(scene.reader(1).expect_message().payload, b"kept");
    }
}

/// 5.0 `[MQTT-4.1.0-1]`
/// 3.1.1 `[MQTT-4.1.0-1]` `[MQTT-4.1.0-2]`
#[test]
fn a_session_lasts_as_long_as_its_connection() {
    for scene in Scene::both() {
        // 5.0: expires 0 s after the connection, not during it.
        let mut client = scene.enter("c");
        subscribe(&mut client, &scene.topic("#"), 1);
        let mut writer = scene.enter("writer");
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(1_200) {
            writer.publish(&scene.topic("a"), b"still");
            assert_eq!(client.expect_message().payload, b"still");
        }
    }
}

/// 5.0 `[MQTT-4.1.0-2]`
#[test]
fn a_session_is_discarded_once_its_expiry_interval_has_passed() {
    let scene = Scene::of(Version::V5);
    let id = scene.id("c");
    let lasting = Connect { session_expiry: 1, ..Connect::lasting(&id) }.encode(scene.version);
    let present = |client: &mut RawClient| client.expect(CONNACK).session_present();
    let mut client = scene.begin(&lasting);
    assert!(!present(&mut client));
    client.leave();
    let mut client = scene.begin(&lasting);
    assert!(present(&mut client), "within the second");
    client.leave();
    let watch = scene.enter("watch");
    // The session's end shows in nothing but the next CONNACK, and asking prolongs it: so time has to pass.
    let gone = Instant::now() + Duration::from_millis(1_300);
    while Instant::now() < gone {
        std::thread::park_timeout(gone - Instant::now());
    }
    assert!(!present(&mut scene.begin(&lasting)));
    watch.leave();
}

/// 5.0 `[MQTT-4.1.0-2]` `[MQTT-3.1.2-23]`
#[test]
fn disconnect_may_change_the_expiry_interval() {
    let scene = Scene::of(Version::V5);
    let (mut client, _) = scene.resume("c");
    client.send(&disconnect_with(0, &property::four(property::SESSION_EXPIRY, 0)));
    client.expect_close();
    assert!(!scene.resume("c").1.session_present(), "ended with its connection");
    let (mut client, _) = scene.resume("d");
    client.send(&disconnect_with(0, &property::four(property::SESSION_EXPIRY, 60)));
    client.expect_close();
    assert!(scene.resume("d").1.session_present());
}

/// 5.0 `[MQTT-3.1.2-23]` `[MQTT-4.1.0-2]`
#[test]
fn without_an_expiry_interval_a_session_ends_with_its_connection() {
    let scene = Scene::of(Version::V5);
    let payload = wire::text(&scene.id("c"));
    let connect = crate::packets::RawConnect::new(scene.version, 0, &payload).encode();
    let mut client = scene.accepted(&connect);
    client.hang_up();
    client.expect_close();
    assert!(!scene.begin(&connect).expect(CONNACK).session_present());
}
