//! User name and password in CONNECT (sections 3.1.2.8, 3.1.2.9, 3.1.3.5, 3.1.3.6): present where their flags say so
//! and nowhere else. They open nothing: the certificate has done that.

use crate::common::wire::{BOTH, CONNACK, Version, text};
use crate::packets::{RawConnect, flags};
use crate::scene::Scene;

/// What these flags and fields behind the client id are answered with.
fn answer(scene: &Scene, with: u8, fields: &[&str]) -> Option<u8> {
    let payload: Vec<u8> = fields.iter().flat_map(|field| text(field)).collect();
    let payload = [text(&scene.id("c")), payload].concat();
    let mut client = scene.begin(&RawConnect::new(scene.version, flags::CLEAN | with, &payload).encode());
    // A connection that was accepted answers to this, one that is closing does not.
    let _ = client.try_send(&crate::common::wire::disconnect());
    let last = client.expect_close()?;
    assert_eq!(last.kind(), CONNACK);
    Some(last.code())
}

fn malformed(version: Version) -> Option<u8> {
    (version == Version::V5).then_some(0x81)
}

/// 5.0 `[MQTT-3.1.2-17]` `[MQTT-3.1.2-19]` `[MQTT-3.1.3-1]`
/// 3.1.1 `[MQTT-3.1.2-19]` `[MQTT-3.1.2-21]` `[MQTT-3.1.3-1]`
#[test]
fn user_name_and_password_are_read_where_their_flags_are_set() {
    for scene in Scene::both() {
        assert_eq!(answer(&scene, flags::USER_NAME, &["user"]), Some(0));
        assert_eq!(answer(&scene, flags::USER_NAME | flags::PASSWORD, &["user", "password"]), Some(0));
        assert_eq!(answer(&scene, flags::USER_NAME, &[]), None, "no user name");
        assert_eq!(answer(&scene, flags::USER_NAME | flags::PASSWORD, &["user"]), None, "no password");
    }
}

/// 5.0 `[MQTT-3.1.2-16]` `[MQTT-3.1.2-18]`
/// 3.1.1 `[MQTT-3.1.2-18]` `[MQTT-3.1.2-20]`
#[test]
fn user_name_or_password_without_its_flag_closes_the_connection() {
    for scene in Scene::both() {
        let none = malformed(scene.version);
        assert_eq!(answer(&scene, 0, &["user"]), none);
        assert_eq!(answer(&scene, flags::USER_NAME, &["user", "password"]), none);
        assert_eq!(answer(&scene, 0, &["user", "password"]), none);
    }
}

/// 3.1.1 `[MQTT-3.1.2-22]`
#[test]
fn a_password_alone_is_taken_only_in_5_0() {
    let answers = BOTH.map(|version| answer(&Scene::of(version), flags::PASSWORD, &["password"]));
    assert_eq!(answers, [None, Some(0)]);
}
