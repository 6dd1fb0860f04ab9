//! QoS flows, packet ids, aliases, expiry, sizes.

use super::fixture::{Connection, Dial, World};
use crate::hub::Closed;
use crate::protocol::{Packet, Property, QoS, ReasonCode};

fn pair(dial: &Dial) -> (World, Connection, Connection) {
    let world = World::new();
    let mut reader = world.connect(dial);
    reader.subscribe("t/#", QoS::ExactlyOnce);
    let publisher = world.connect(&Dial::v5("b"));
    (world, publisher, reader)
}

#[test]
fn each_qos_has_its_packets() {
    for dial in [Dial::v5("a"), Dial::v3("a")] {
        let (_world, mut publisher, mut reader) = pair(&dial);
        publisher.publish("t/a", QoS::AtMostOnce, 0, "0");
        publisher.publish("t/a", QoS::AtLeastOnce, 7, "1");
        publisher.publish("t/a", QoS::ExactlyOnce, 8, "2");
        assert_eq!(publisher.seen(), ["PUBACK 7 Success", "PUBREC 8 Success"]);
        publisher.ack(Packet::PubRel, 8, ReasonCode::Success);
        assert_eq!(publisher.seen(), ["PUBCOMP 8 Success"]);
        assert_eq!(reader.seen(), ["PUBLISH t/a 0", "PUBLISH t/a 1 q1#1", "PUBLISH t/a 2 q2#2"]);
        reader.ack(Packet::PubAck, 1, ReasonCode::Success);
        reader.ack(Packet::PubRec, 2, ReasonCode::Success);
        assert_eq!(reader.seen(), ["PUBREL 2 Success"]);
        reader.ack(Packet::PubComp, 2, ReasonCode::Success);
        assert!(reader.seen().is_empty());
    }
}

#[test]
fn a_repeated_qos_2_publication_is_routed_once() {
    let (_world, mut publisher, mut reader) = pair(&Dial::v5("a"));
    publisher.publish("t/a", QoS::ExactlyOnce, 8, "2");
    publisher.publish("t/a", QoS::ExactlyOnce, 8, "2");
    assert_eq!(publisher.seen(), ["PUBREC 8 Success", "PUBREC 8 Success"]);
    assert_eq!(reader.seen(), ["PUBLISH t/a 2 q2#1"]);
}

#[test]
fn what_was_in_flight_comes_again_in_order_with_dup() {
    let (world, mut publisher, mut reader) = pair(&Dial::v5("a"));
    publisher.publish("t/a", QoS::AtLeastOnce, 1, "one");
    publisher.publish("t/a", QoS::ExactlyOnce, 2, "two");
    publisher.publish("t/a", QoS::ExactlyOnce, 3, "three");
    reader.seen();
    reader.ack(Packet::PubRec, 2, ReasonCode::Success);
    reader.break_off();
    publisher.publish("t/a", QoS::AtLeastOnce, 4, "four");
    let mut again = world.connect(&Dial { id: "other", ..Dial::v5("a") });
    assert!(again.seen().is_empty());
    let mut again = world.try_connect(&Dial::v5("a")).unwrap();
    let expected = [
        "CONNACK Success present=true",
        "PUBLISH t/a one q1#1 dup",
        "PUBREL 2 Success",
        "PUBLISH t/a three q2#3 dup",
        "PUBLISH t/a four q1#4",
    ];
    assert_eq!(again.seen(), expected);
}

#[test]
fn pubrec_with_an_error_ends_the_exchange() {
    let (world, mut publisher, mut reader) = pair(&Dial::v5("a"));
    publisher.publish("t/a", QoS::ExactlyOnce, 1, "m");
    reader.seen();
    reader.ack(Packet::PubRec, 1, ReasonCode::UnspecifiedError);
    assert!(reader.seen().is_empty());
    reader.break_off();
    assert_eq!(world.try_connect(&Dial::v5("a")).unwrap().seen(), ["CONNACK Success present=true"]);
}

#[test]
fn unknown_packet_ids_do_no_harm() {
    let (_world, _publisher, mut reader) = pair(&Dial::v5("a"));
    reader.ack(Packet::PubAck, 9, ReasonCode::Success);
    reader.ack(Packet::PubComp, 9, ReasonCode::Success);
    assert!(reader.seen().is_empty());
    reader.ack(Packet::PubRec, 9, ReasonCode::Success);
    reader.ack(Packet::PubRel, 9, ReasonCode::Success);
    assert_eq!(reader.seen(), ["PUBREL 9 Success", "PUBCOMP 9 Success"]);
}

#[test]
fn an_acknowledgement_out_of_turn_is_a_protocol_error() {
    type OfAck = fn(crate::protocol::Ack<'static>) -> Packet<'static>;
    let (puback, pubrec, pubcomp): (OfAck, OfAck, OfAck) = (Packet::PubAck, Packet::PubRec, Packet::PubComp);
    for (qos, before, wrong) in [
        (QoS::AtLeastOnce, None, pubrec),
        (QoS::AtLeastOnce, None, pubcomp),
        (QoS::ExactlyOnce, None, puback),
        (QoS::ExactlyOnce, None, pubcomp),
        (QoS::ExactlyOnce, Some(pubrec), puback),
    ] {
        let (_world, mut publisher, mut reader) = pair(&Dial::v5("a"));
        publisher.publish("t/a", qos, 1, "m");
        if let Some(before) = before {
            reader.ack(before, 1, ReasonCode::Success);
        }
        let ack = crate::protocol::Ack::new(crate::protocol::PacketId::FIRST, ReasonCode::Success);
        let answer = reader.handle(wrong(ack));
        assert!(matches!(answer, Err(Closed::Fault(ReasonCode::ProtocolError, _))), "{qos:?}: {answer:?}");
    }
}

#[test]
fn the_receive_maximum_holds_both_ways() {
    let (_world, mut publisher, mut reader) = pair(&Dial::v5("a").with(Property::ReceiveMaximum(2)));
    for id in 1..=100 {
        publisher.publish("t/a", QoS::ExactlyOnce, id, "m");
    }
    assert_eq!(reader.seen().len(), 2);
    reader.ack(Packet::PubRec, 1, ReasonCode::Success);
    assert_eq!(reader.seen(), ["PUBREL 1 Success"], "PUBREC frees nothing");
    reader.ack(Packet::PubComp, 1, ReasonCode::Success);
    assert_eq!(reader.seen(), ["PUBLISH t/a m q2#3"]);
    let over = publisher.publish_with("t/a", QoS::ExactlyOnce, 101, "m", false, &[]);
    assert!(matches!(over, Err(Closed::Fault(ReasonCode::ReceiveMaximumExceeded, _))), "{over:?}");
}

#[test]
fn topic_aliases_are_learned_and_bounded() {
    let (_world, mut publisher, mut reader) = pair(&Dial::v5("a"));
    let mut publish =
        |topic, alias| publisher.publish_with(topic, QoS::AtMostOnce, 0, "m", false, &[Property::TopicAlias(alias)]);
    assert!(matches!(publish("", 1), Err(Closed::Fault(ReasonCode::ProtocolError, _))), "never set");
    assert!(matches!(publish("t/a", 17), Err(Closed::Fault(ReasonCode::TopicAliasInvalid, _))), "too high");
    publish("t/a", 16).unwrap();
    publish("", 16).unwrap();
    publish("t/b", 16).unwrap();
    publish("", 16).unwrap();
    let expected = ["PUBLISH t/a m", "PUBLISH t/a m", "PUBLISH t/b m", "PUBLISH t/b m"];
    assert_eq!(reader.seen(), expected);
}

#[test]
fn the_expiry_shrinks_while_a_message_waits() {
    let (mut world, mut publisher, mut reader) = pair(&Dial::v5("a"));
    let expiry = [Property::MessageExpiryInterval(10)];
    publisher.publish_with("t/a", QoS::AtMostOnce, 0, "now", false, &expiry).unwrap();
    assert_eq!(reader.seen(), ["PUBLISH t/a now expiry=10"]);
    reader.break_off();
    publisher.publish_with("t/a", QoS::AtLeastOnce, 1, "later", false, &expiry).unwrap();
    publisher.publish_with("t/a", QoS::AtLeastOnce, 2, "never", false, &[Property::MessageExpiryInterval(3)]).unwrap();
    world.later(4_000);
    let mut again = world.try_connect(&Dial::v5("a")).unwrap();
    assert_eq!(again.seen(), ["CONNACK Success present=true", "PUBLISH t/a later q1#1 expiry=6"]);
}

#[test]
fn what_the_reader_takes_bounds_each_packet() {
    let (_world, mut publisher, mut reader) = pair(&Dial::v5("a").with(Property::MaximumPacketSize(30)));
    publisher.publish("t/a", QoS::AtLeastOnce, 1, &"x".repeat(40));
    publisher.publish("t/a", QoS::AtMostOnce, 0, &"x".repeat(40));
    publisher.publish("t/a", QoS::AtLeastOnce, 2, "small");
    assert_eq!(reader.seen(), ["PUBLISH t/a small q1#1"]);
}

#[test]
fn a_payload_beyond_the_outbound_goes_by_reference_and_alone() {
    let (_world, mut publisher, mut reader) = pair(&Dial { outbound: 100, ..Dial::v5("a") });
    publisher.publish("t/a", QoS::AtLeastOnce, 1, &"x".repeat(500));
    publisher.publish("t/a", QoS::AtLeastOnce, 2, "after");
    reader.handle(Packet::PingReq).unwrap();
    assert_eq!(reader.seen(), ["PUBLISH t/a 500 bytes q1#1", "PingResp", "PUBLISH t/a after q1#2"]);
}

#[test]
fn a_client_that_reads_its_own_qos_2_message_gets_pubrec_first_however_large_the_message_is() {
    for text in ["m".to_owned(), "m".repeat(200)] {
        let world = World::new();
        let mut client = world.connect(&Dial { outbound: 60, ..Dial::v5("a") });
        client.subscribe("t/a", QoS::ExactlyOnce);
        client.publish("t/a", QoS::ExactlyOnce, 7, &text);
        let seen = client.seen();
        assert_eq!(seen[0], "PUBREC 7 Success");
        assert!(seen[1].starts_with("PUBLISH t/a"), "{seen:?}");
    }
}
