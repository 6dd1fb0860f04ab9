//! What operators see of sessions and do to them.

use super::fixture::{Connection, Dial, World};
use crate::config::{Limits, MqttSettings};
use crate::hub::{Presence, Selection, SessionCursor, Wakes};
use crate::policy::DeviceKey;
use crate::protocol::{Property, QoS, ReasonCode, Version};
use crate::session::{Drops, Moment};
use std::collections::BTreeSet;

fn key(cn: &str) -> DeviceKey {
    DeviceKey::in_default_trust(format!("CN={cn}").as_str().into())
}

fn drops(world: &World, cn: &str) -> Drops {
    world.hub.session(&key(cn), cn).unwrap().summary.drops
}

/// A world with small queues, a reader of `t/#` with QoS 1, and a writer.
fn reader_and_writer(reader: &Dial) -> (World, Connection, Connection) {
    let limits = Limits { queued_messages: 2, ..Limits::default() };
    let world = World::with(MqttSettings::default(), limits);
    let mut connection = world.connect(reader);
    connection.subscribe("t/#", QoS::AtLeastOnce);
    let writer = world.connect(&Dial { id: "writer", ..Dial::v5("b") });
    (world, connection, writer)
}

#[test]
fn every_page_together_lists_every_session_once() {
    const IDS: [&str; 7] = ["c1", "c2", "c3", "c4", "c5", "c6", "c7"];
    let world = World::new();
    let dials = IDS.iter().flat_map(|id| [Dial { id, ..Dial::v5("a") }, Dial { id, ..Dial::v3("b") }]);
    let _connections: Vec<_> = dials.map(|dial| world.connect(&dial)).collect();
    let group = Selection::Group("all");
    for (selection, sessions) in [(Selection::All, 14), (Selection::Device(&key("a")), 7), (group, 14)] {
        for limit in [1, 3, 100] {
            let mut seen = BTreeSet::new();
            let mut after = Some(SessionCursor::default());
            while let Some(cursor) = after {
                let page = world.hub.sessions(selection, cursor, limit);
                assert!(page.sessions.len() <= limit);
                for session in page.sessions {
                    assert!(seen.insert((session.device, session.client_id)), "listed twice");
                }
                after = page.next;
            }
            assert_eq!(seen.len(), sessions, "{selection:?}, {limit} a page");
        }
    }
    let none = world.hub.sessions(Selection::Group("nobody"), SessionCursor::default(), 100);
    assert!(none.sessions.is_empty() && none.next.is_none());
}

#[test]
fn a_session_tells_who_is_there_since_when_and_what_it_reads() {
    let (mut world, reader, _writer) = reader_and_writer(&Dial::v5("a"));
    world.later(5_000);
    let facts = world.hub.session(&key("a"), "a").unwrap();
    let here = Presence::Connected { since: Moment(1_000), address: None, version: Version::V5 };
    assert_eq!(facts.summary.presence, here);
    assert_eq!((facts.subscriptions.len(), facts.subscriptions[0].filter.as_str()), (1, "t/#"));
    assert_eq!(facts.receive_maximum, Some(u16::MAX));
    Connection { now: world.now, ..reader }.break_off();
    let facts = world.hub.session(&key("a"), "a").unwrap();
    assert_eq!(facts.summary.presence, Presence::Away { since: Moment(6_000) });
    assert_eq!((facts.receive_maximum, facts.last_received), (None, None));
    assert!(world.hub.session(&key("a"), "other").is_none());
    assert!(world.hub.session(&key("c"), "a").is_none());
}

#[test]
fn each_drop_is_counted_with_its_reason() {
    let (mut world, reader, mut writer) = reader_and_writer(&Dial::v5("a"));
    reader.break_off();
    writer.publish("t/x", QoS::AtMostOnce, 0, "not kept for one who is away, and no drop");
    assert_eq!(drops(&world, "a"), Drops::default());
    for id in 1..=3 {
        writer.publish("t/x", QoS::AtLeastOnce, id, "the first gives way");
    }
    assert_eq!(drops(&world, "a"), Drops { queue_full: 1, ..Drops::default() });

    let soon = [Property::MessageExpiryInterval(1)];
    writer.publish_with("t/x", QoS::AtLeastOnce, 4, "expires", false, &soon).unwrap();
    world.later(2_000);
    let mut small = world.connect(&Dial::v5("a").with(Property::MaximumPacketSize(20)));
    assert_eq!(drops(&world, "a"), Drops { queue_full: 2, expired: 1, too_large: 1, ..Drops::default() });
    writer.publish("t/x", QoS::AtLeastOnce, 5, "longer than it takes");
    writer.publish("t/x", QoS::AtMostOnce, 0, "longer than it takes");
    assert_eq!(drops(&world, "a").too_large, 3);
    small.seen();

    world.deny("{ subscribe = \"t/secret\" }");
    writer.publish("t/secret", QoS::AtLeastOnce, 6, "x");
    assert_eq!(drops(&world, "a").withheld, 1);
    assert_eq!(drops(&world, "a").total(), 7);
}

#[test]
fn a_slow_reader_loses_qos_0_and_it_is_told() {
    let (world, mut reader, mut writer) = reader_and_writer(&Dial { outbound: 64, ..Dial::v5("a") });
    for _ in 0..10 {
        writer.publish("t/x", QoS::AtMostOnce, 0, "0123456789");
    }
    let arrived = reader.seen().len() as u64;
    assert_eq!(drops(&world, "a"), Drops { slow_reader: 10 - arrived, ..Drops::default() });
    assert!(arrived < 10);
}

#[test]
fn a_disconnected_client_is_told_its_will_fires_and_its_session_stays() {
    let will = Some(("t/will", Vec::new()));
    let (world, mut reader, _writer) = reader_and_writer(&Dial { will, ..Dial::v5("a") });
    let mut witness = world.connect(&Dial { id: "witness", ..Dial::v5("b") });
    witness.subscribe("t/will", QoS::AtMostOnce);
    let reason = ReasonCode::AdministrativeAction;
    let disconnect = |id| world.hub.disconnect_session(&key("a"), id, reason, &mut Wakes::default());
    assert_eq!(disconnect("other"), None);
    assert_eq!(disconnect("a"), Some(1));
    assert_eq!(reader.take().0, ["DISCONNECT AdministrativeAction"]);
    reader.break_off();
    assert_eq!(witness.seen(), ["PUBLISH t/will gone"]);
    assert_eq!(disconnect("a"), Some(0), "the session is still there");
    assert_eq!(world.hub.disconnect_group("nobody", reason, &mut Wakes::default()), 0);
    assert_eq!(world.hub.disconnect_group("all", reason, &mut Wakes::default()), 2, "writer and witness");
}

#[test]
fn a_removed_session_is_gone_with_its_queue_and_its_will_fires() {
    let will = Some(("t/will", vec![Property::WillDelayInterval(1_000)]));
    for connected in [true, false] {
        let (world, mut reader, mut writer) = reader_and_writer(&Dial { will: will.clone(), ..Dial::v5("a") });
        let mut witness = world.connect(&Dial { id: "witness", ..Dial::v5("b") });
        witness.subscribe("t/will", QoS::AtMostOnce);
        writer.publish("t/x", QoS::AtLeastOnce, 1, "in flight, or waiting");
        let remove = || {
            let reason = ReasonCode::AdministrativeAction;
            world.hub.remove_session(&key("a"), "a", reason, world.now, &mut Wakes::default())
        };
        let removed = if connected {
            let removed = remove().unwrap();
            assert_eq!(reader.take().0, ["DISCONNECT AdministrativeAction"]);
            reader.break_off();
            removed
        } else {
            reader.break_off();
            assert_eq!(witness.seen(), [""; 0], "it waits for its delay");
            remove().unwrap()
        };
        assert_eq!((removed.connected, removed.subscriptions), (connected, 1));
        assert_eq!(removed.queued + removed.inflight, 1);
        assert_eq!(witness.seen(), ["PUBLISH t/will gone"], "once, as the session ends");
        assert_eq!(remove(), None);
        assert!(world.hub.session(&key("a"), "a").is_none());
        let mut again = world.try_connect(&Dial::v5("a")).unwrap();
        assert_eq!(again.seen(), ["CONNACK Success present=false"]);
    }
}
