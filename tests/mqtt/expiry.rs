//! Message expiry (section 3.3.2.3.3).

use crate::common::wire::{PUBACK, PUBCOMP, PUBREC, PUBREL, Version, acknowledge};
use crate::packets::{Delivery, Publish, property, values};
use crate::scene::{Scene, subscribe};
use std::time::{Duration, Instant};

/// Waits until `since` lies this long behind. Only a clock tells that a message is out of date.
fn wait_until(since: Instant, passed: Duration) {
    while since.elapsed() < passed {
        std::thread::park_timeout(passed.saturating_sub(since.elapsed()));
    }
}

fn publish<'a>(topic: &'a str, payload: &'a [u8], id: u16, expiry: &'a [u8]) -> Publish<'a> {
    Publish { topic, payload, qos: 1, id, properties: expiry, ..Publish::default() }
}

/// 5.0 `[MQTT-3.3.2-5]` `[MQTT-3.3.2-6]`
#[test]
fn a_message_that_waited_says_what_is_left_and_one_out_of_date_is_deleted() {
    let scene = Scene::of(Version::V5);
    let topic = scene.topic("t");
    let (mut reader, _) = scene.resume("reader");
    subscribe(&mut reader, &topic, 1);
    reader.leave();
    let mut writer = scene.enter("writer");
    let [short, long] = [1, 100].map(|seconds| property::four(property::MESSAGE_EXPIRY, seconds));
    let sent = Instant::now();
    for (id, expiry, payload) in [(1, &short, b"short"), (2, &long, b"long!")] {
        writer.send(&publish(&topic, payload, id, expiry).encode(scene.version));
        assert_eq!(writer.expect(PUBACK).code(), 0);
    }
    wait_until(sent, Duration::from_millis(2_100));
    let (mut reader, _) = scene.resume("reader");
    let delivery = Delivery::next(&mut reader);
    assert_eq!(delivery.payload, b"long!");
    let left = values(&delivery.properties, property::MESSAGE_EXPIRY)[0];
    let left = u32::from_be_bytes(left.try_into().expect("four bytes"));
    let waited = u32::try_from(sent.elapsed().as_secs()).expect("a short test");
    assert!((100 - waited - 1..=98).contains(&left), "{left} left after {waited} s");
    reader.expect_silence();
}

/// 5.0 `[MQTT-4.3.3-7]` `[MQTT-4.3.3-13]`
#[test]
fn expiry_does_not_touch_an_exchange_that_has_begun() {
    let scene = Scene::of(Version::V5);
    let topic = scene.topic("t");
    let (mut reader, _) = scene.resume("reader");
    subscribe(&mut reader, &topic, 2);
    let mut writer = scene.enter("writer");
    let expiry = property::four(property::MESSAGE_EXPIRY, 1);
    let sent = Instant::now();
    writer.send(&Publish { qos: 2, ..publish(&topic, b"x", 9, &expiry) }.encode(scene.version));
    assert_eq!(writer.expect(PUBREC).code(), 0);
    let first = Delivery::next(&mut reader);
    reader.hang_up();
    reader.expect_close();
    wait_until(sent, Duration::from_millis(1_200));
    // The receiver's side goes on ...
    writer.send(&acknowledge(PUBREL, 9));
    assert_eq!(writer.expect(PUBCOMP).id(), 9);
    // ... and the sender's, with the same packet id.
    let (mut reader, _) = scene.resume("reader");
    let again = Delivery::next(&mut reader);
    assert_eq!((again.id, again.dup, &again.payload[..]), (first.id, true, &b"x"[..]));
    reader.send(&acknowledge(PUBREC, again.id));
    assert_eq!(reader.expect(PUBREL).id(), again.id);
    reader.send(&acknowledge(PUBCOMP, again.id));
    reader.expect_silence();
}
