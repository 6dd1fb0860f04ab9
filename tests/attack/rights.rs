//! Rights that ended.

use crate::bench::{Device, NOW, Seat, hub, policy};
use certmq::config::Limits;
use certmq::hub::{Published, Wakes};
use certmq::protocol::{Properties, QoS, ReasonCode, TopicName};
use certmq::session::{Publication, WriterId};
use std::sync::Barrier;

const OPEN: &str = r#"version = 1
[groups.all]
allow = [ { publish = "t/#" }, { subscribe = "t/#" } ]
[[devices]]
subject = "writer"
groups = ["all"]
[[devices]]
subject = "other"
groups = ["all"]
[[devices]]
subject = "reader"
groups = ["all"]
"#;

/// As [`OPEN`], with one more line for the writer, or for the reader.
fn but(device: &str, line: &str) -> String {
    let subject = format!("subject = \"{device}\"\n");
    OPEN.replace(&subject, &format!("{subject}{line}\n"))
}

#[test]
fn a_permit_of_an_earlier_epoch_leaves_nothing_behind_that_counts_in_the_next() {
    let hub = hub(OPEN, Limits::default());
    let reader = Device::new("reader", "x");
    let mut seat = Seat::take(&hub, &reader, "reader").unwrap();
    seat.subscribe("t/#");
    seat.leave();
    let writer = Device::new("writer", "x").principal("writer");
    let topic = TopicName::parse("t/a").unwrap();
    let permit = policy(OPEN, 1).authorize_publish(&writer, topic, QoS::AtLeastOnce, true).unwrap();
    // Between the judgement and the routing, in another thread:
    hub.set_policy(policy(&but("writer", "deny = [ { publish = \"t/a\" } ]"), 2));
    let writer = WriterId::Client(writer);
    let publication = Publication::new(permit, b"late", Properties::default(), &writer, None, None);
    let published = hub.publish(&publication, None, NOW, &mut Wakes::default());
    assert!(matches!(published, Published::Taken { .. }));
    let mut seat = Seat::take(&hub, &reader, "reader").unwrap();
    assert_eq!(seat.read(), [""; 0], "queued under a permit that has ended");
    seat.subscribe("t/a");
    assert_eq!(seat.read(), [""; 0], "retained under a permit that has ended");
}

#[test]
fn a_message_in_flight_is_not_sent_again_once_the_right_to_read_it_is_gone() {
    let hub = hub(OPEN, Limits::default());
    let reader = Device::new("reader", "x");
    let mut writer = Seat::take(&hub, &Device::new("writer", "x"), "writer").unwrap();
    let mut seat = Seat::take(&hub, &reader, "reader").unwrap();
    seat.subscribe("t/#");
    writer.publish("t/a", "first", false, 1);
    writer.publish("t/b", "second", false, 2);
    // In the outbox, under packet ids, and lost with the connection.
    seat.leave();
    hub.set_policy(policy(&but("reader", "deny = [ { subscribe = \"t/a\" } ]"), 2));
    assert_eq!(Seat::take(&hub, &reader, "reader").unwrap().read(), ["second"]);
}

#[test]
fn messages_held_on_different_connections_come_back_in_their_order() {
    let hub = hub(OPEN, Limits::default());
    let closed = but("reader", "deny = [ { subscribe = \"t/a\" } ]");
    let reader = Device::new("reader", "x");
    let mut writer = Seat::take(&hub, &Device::new("writer", "x"), "writer").unwrap();
    let mut seat = Seat::take(&hub, &reader, "reader").unwrap();
    seat.subscribe("t/#");
    // One fits into the outbound, two do not.
    let (first, second) = ("1".repeat(40_000), "2".repeat(40_000));
    writer.publish("t/a", &first, false, 1);
    writer.publish("t/a", &second, false, 2);
    assert_eq!(seat.look().len(), 2, "both in flight");
    seat.leave();
    let seat = Seat::take(&hub, &reader, "reader").unwrap();
    hub.set_policy(policy(&closed, 2));
    // Here the second is held, while the first is on its way and lost.
    seat.client.pull(NOW, &mut Wakes::default());
    seat.leave();
    // And here the first.
    Seat::take(&hub, &reader, "reader").unwrap().leave();
    hub.set_policy(policy(OPEN, 3));
    let order: Vec<_> = Seat::take(&hub, &reader, "reader").unwrap().read();
    assert!(order == [first, second], "they came as {:?}", order.iter().map(|text| &text[..1]).collect::<Vec<_>>());
}

#[test]
fn a_message_in_flight_is_not_sent_again_once_its_writer_lost_the_right() {
    let hub = hub(OPEN, Limits::default());
    let reader = Device::new("reader", "x");
    let mut writer = Seat::take(&hub, &Device::new("writer", "x"), "writer").unwrap();
    let mut seat = Seat::take(&hub, &reader, "reader").unwrap();
    seat.subscribe("t/#");
    writer.publish("t/a", "first", false, 1);
    seat.leave();
    hub.set_policy(policy(&but("writer", "enabled = false"), 2));
    assert_eq!(Seat::take(&hub, &reader, "reader").unwrap().read(), [""; 0]);
}

/// Devices named by common name: two certificates of one device may differ in what groups match.
const BY_UNIT: &str = r#"version = 1
[groups.ops]
match = { ou = "ops" }
allow = [ { publish = "secret/#" }, { subscribe = "secret/#" } ]
[[devices]]
subject = "device"
[[devices]]
subject = "writer"
"#;

#[test]
fn a_session_resumed_with_another_certificate_has_the_rights_of_that_certificate() {
    let hub = hub(BY_UNIT, Limits::default());
    let (ops, guest) = (Device::new("device", "ops"), Device::new("device", "guest"));
    assert_eq!(ops.key, guest.key);
    let mut writer = Seat::take(&hub, &Device::new("writer", "ops"), "writer").unwrap();
    let mut seat = Seat::take(&hub, &ops, "one").unwrap();
    seat.subscribe("secret/#");
    writer.publish("secret/a", "in flight", false, 1);
    seat.leave();
    writer.publish("secret/a", "queued", false, 2);
    let mut seat = Seat::take(&hub, &guest, "one").unwrap();
    writer.publish("secret/a", "live", false, 3);
    assert_eq!(seat.read(), [""; 0]);
    seat.leave();
    let mut seat = Seat::take(&hub, &ops, "one").unwrap();
    writer.publish("secret/a", "again", false, 4);
    assert_eq!(seat.read().last().map(String::as_str), Some("again"), "with the first certificate the right is back");
}

#[test]
fn a_device_that_is_disabled_while_it_connects_is_not_left_connected() {
    let device = Device::new("reader", "x");
    let disabled = policy(&but("reader", "enabled = false"), 2);
    for _ in 0..300 {
        let hub = hub(OPEN, Limits::default());
        let start = Barrier::new(2);
        let seat = std::thread::scope(|scope| {
            let connecting = scope.spawn(|| {
                start.wait();
                Seat::take(&hub, &device, "reader")
            });
            start.wait();
            hub.set_policy(disabled.clone());
            hub.disconnect_device(&device.key, ReasonCode::AdministrativeAction, &mut Wakes::default());
            connecting.join().unwrap()
        });
        if let Ok(seat) = seat {
            assert!(seat.outbound.is_closing(), "disabled, and connected all the same");
        } else {
            assert_eq!(hub.status().connected, 0);
        }
    }
}
