//! The fixed header (5.0 section 2.1, 3.1.1 section 2.2).

use crate::common::wire::{Version, packet};
use crate::scene::Scene;

/// The flags that the standards list for each packet a client sends, PUBLISH aside.
const FLAGS: [(u8, u8); 8] = [(0x40, 0), (0x50, 0), (0x60, 2), (0x70, 0), (0x80, 2), (0xA0, 2), (0xC0, 0), (0xE0, 0)];

/// 5.0 `[MQTT-2.1.3-1]` `[MQTT-3.6.1-1]` `[MQTT-3.8.1-1]` `[MQTT-3.10.1-1]` `[MQTT-3.14.1-1]` `[MQTT-3.15.1-1]`
/// 3.1.1 `[MQTT-2.2.2-1]` `[MQTT-2.2.2-2]` `[MQTT-3.6.1-1]` `[MQTT-3.8.1-1]` `[MQTT-3.10.1-1]` `[MQTT-3.14.1-1]`
#[test]
fn reserved_flags_other_than_listed_close_the_connection() {
    for scene in Scene::both() {
        let auth = (scene.version == Version::V5).then_some((0xF0, 0));
        for (kind, expected) in FLAGS.into_iter().chain(auth) {
            for flags in (0..16).filter(|flags| *flags != expected) {
                let mut client = scene.enter("c");
                // With a packet id where there has to be one: only the flags are at fault.
                let body: &[u8] = if kind < 0xC0 { &[0, 1] } else { &[] };
                client.send(&packet(kind | flags, body));
                // AUTH is out of place whatever its flags.
                client.expect_fault(if kind == 0xF0 { 0x82 } else { 0x81 });
            }
        }
    }
}

/// 5.0 `[MQTT-3.3.1-4]` `[MQTT-3.3.1-2]`
/// 3.1.1 `[MQTT-3.3.1-4]` `[MQTT-3.3.1-2]`
#[test]
fn publish_with_qos_3_or_with_dup_and_qos_0_closes_the_connection() {
    for scene in Scene::both() {
        for first in [0x36, 0x37, 0x3E, 0x3F, 0x38, 0x39] {
            let mut client = scene.enter("c");
            client.send(&[first, 6, 0, 1, b'a', 0, 1, 0]);
            client.expect_fault(0x81);
        }
    }
}

/// 5.0 `[MQTT-2.1.3-1]` `[MQTT-3.1.4-1]`
/// 3.1.1 `[MQTT-2.2.2-2]` `[MQTT-3.1.4-1]`
#[test]
fn connect_with_flags_in_its_first_byte_closes_the_connection() {
    for scene in Scene::both() {
        for flags in 1..16 {
            let mut connect = crate::common::wire::Connect::clean("c").encode(scene.version);
            connect[0] |= flags;
            let last = scene.begin(&connect).expect_close();
            assert!(last.is_none_or(|last| last.code() == 0x81), "flags {flags:04b}");
        }
    }
}
