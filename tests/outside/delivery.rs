//! Messages on their way: retained, queued, willed, exactly once, in order. Both versions.

use crate::common::broker::Broker;
use crate::common::client::{Credentials, RawClient};
use crate::common::fleet::{Fleet, enter};
use crate::common::wire::{self, BOTH, Connect, Version};

const MINE: &str = "devices/device-001/x";

fn one_device() -> (Fleet, Credentials, Broker) {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    (fleet, device, broker)
}

fn reader(broker: &Broker, device: &Credentials, version: Version) -> RawClient {
    let mut reader = enter(broker, device, version, "reader");
    assert_eq!(reader.subscribe(&["devices/device-001/#"]), [1]);
    reader
}

#[test]
fn what_waits_for_an_absent_reader_comes_in_order_and_once() {
    let (_fleet, device, broker) = one_device();
    for version in BOTH {
        let mut reader = RawClient::connect(broker.address, &device, version, &Connect::lasting("c"));
        assert_eq!(reader.subscribe(&[MINE]), [1]);
        reader.leave();
        let mut writer = enter(&broker, &device, version, "writer");
        for n in 0..50_u8 {
            assert!(writer.publish(MINE, &[n]) < 0x80);
        }
        let (mut reader, answer) = RawClient::try_connect(broker.address, &device, version, &Connect::lasting("c"));
        assert!(answer.session_present(), "{version:?}");
        for n in 0..50_u8 {
            assert_eq!(reader.expect_message().payload, [n], "{version:?}");
        }
        reader.expect_silence();
        reader.leave();
        RawClient::connect(broker.address, &device, version, &Connect::clean("c")).leave();
    }
}

#[test]
fn what_was_not_acknowledged_comes_again_after_a_reconnect() {
    let (_fleet, device, broker) = one_device();
    for version in BOTH {
        let mut client = RawClient::connect(broker.address, &device, version, &Connect::lasting("c"));
        assert_eq!(client.subscribe(&[MINE]), [1]);
        let mut writer = enter(&broker, &device, version, "writer");
        assert!(writer.publish(MINE, b"1") < 0x80);
        let first = client.expect(wire::PUBLISH).message(version);
        client.hang_up();
        client.expect_close();
        let (mut client, _) = RawClient::try_connect(broker.address, &device, version, &Connect::lasting("c"));
        let again = client.expect_message();
        assert_eq!((again.id, &again.payload), (first.id, &first.payload), "{version:?}");
        client.expect_silence();
        client.leave();
        RawClient::connect(broker.address, &device, version, &Connect::clean("c")).leave();
    }
}

#[test]
fn a_repeated_qos_2_publish_is_delivered_once() {
    let (_fleet, device, broker) = one_device();
    for version in BOTH {
        let mut reader = reader(&broker, &device, version);
        let mut writer = RawClient::connect(broker.address, &device, version, &Connect::lasting("w"));
        let publish = wire::publish(version, MINE, b"once", 2, false, 9);
        writer.send(&publish);
        assert_eq!(writer.expect(wire::PUBREC).id(), 9);
        writer.hang_up();
        writer.expect_close();
        let (mut writer, answer) = RawClient::try_connect(broker.address, &device, version, &Connect::lasting("w"));
        assert!(answer.session_present());
        let mut repeated = publish.clone();
        repeated[0] |= 0b1000;
        writer.send(&repeated);
        assert_eq!(writer.expect(wire::PUBREC).id(), 9);
        for _ in 0..2 {
            writer.send(&wire::acknowledge(wire::PUBREL, 9));
            assert_eq!(writer.expect(wire::PUBCOMP).id(), 9);
        }
        assert_eq!(reader.expect_message().payload, b"once", "{version:?}");
        reader.expect_silence();
        writer.leave();
        RawClient::connect(broker.address, &device, version, &Connect::clean("w")).leave();
    }
}

#[test]
fn a_retained_message_meets_late_subscribers_until_it_is_cleared() {
    let (_fleet, device, broker) = one_device();
    for version in BOTH {
        let mut writer = enter(&broker, &device, version, "writer");
        writer.send(&wire::publish(version, MINE, b"kept", 0, true, 0));
        writer.expect_silence();
        let mut late = reader(&broker, &device, version);
        let message = late.expect_message();
        assert_eq!((&message.payload[..], message.retain), (&b"kept"[..], true), "{version:?}");
        writer.send(&wire::publish(version, MINE, b"", 0, true, 0));
        writer.expect_silence();
        assert_eq!(late.expect_message().payload, b"");
        let mut later = enter(&broker, &device, version, "later");
        assert_eq!(later.subscribe(&["devices/device-001/#"]), [1]);
        later.expect_silence();
    }
}

#[test]
fn a_will_fires_when_the_connection_is_lost_and_not_after_a_goodbye() {
    let (_fleet, device, broker) = one_device();
    for version in BOTH {
        let mut reader = reader(&broker, &device, version);
        let connect = Connect { will: Some((MINE, b"gone")), ..Connect::clean("mortal") };
        RawClient::connect(broker.address, &device, version, &connect).leave();
        reader.expect_silence();
        let mut lost = RawClient::connect(broker.address, &device, version, &connect);
        lost.hang_up();
        assert_eq!(reader.expect_message().payload, b"gone", "{version:?}");
    }
}

#[test]
fn a_silent_client_is_closed_after_one_and_a_half_keep_alives() {
    let (_fleet, device, broker) = one_device();
    for version in BOTH {
        let mut reader = reader(&broker, &device, version);
        let connect = Connect { keep_alive: 1, will: Some((MINE, b"silent")), ..Connect::clean("silent") };
        let mut silent = RawClient::connect(broker.address, &device, version, &connect);
        let goodbye = silent.expect_close().map(|packet| (packet.kind(), packet.code()));
        assert_eq!(goodbye, (version == Version::V5).then_some((wire::DISCONNECT, 0x8D)));
        assert_eq!(reader.expect_message().payload, b"silent");
    }
}

#[test]
fn packets_sent_behind_connect_are_served_after_its_answer() {
    let (_fleet, device, broker) = one_device();
    for version in BOTH {
        let mut eager = RawClient::handshake(broker.address, &device).expect("a handshake");
        eager.version = version;
        let subscribe = wire::subscribe(version, 1, &[(MINE, 0)]);
        let publish = wire::publish(version, MINE, b"eager", 0, false, 0);
        eager.send(&[Connect::clean("eager").encode(version), subscribe, publish, wire::ping()].concat());
        assert_eq!(eager.expect(wire::CONNACK).code(), 0);
        assert_eq!(eager.expect(wire::SUBACK).codes(version), [0]);
        let rest = [eager.receive().kind(), eager.receive().kind()];
        assert!(rest == [wire::PUBLISH, wire::PINGRESP] || rest == [wire::PINGRESP, wire::PUBLISH], "{rest:?}");
    }
}

#[test]
fn a_first_packet_other_than_connect_and_a_second_connect_close_the_connection() {
    let (_fleet, device, broker) = one_device();
    for version in BOTH {
        let mut client = RawClient::handshake(broker.address, &device).expect("a handshake");
        client.send(&wire::publish(version, MINE, b"x", 0, false, 0));
        assert_eq!(client.expect_close(), None);
        let mut client = enter(&broker, &device, version, "c");
        client.send(&Connect::clean("c").encode(version));
        let goodbye = client.expect_close().map(|packet| (packet.kind(), packet.code()));
        assert_eq!(goodbye, (version == Version::V5).then_some((wire::DISCONNECT, 0x82)));
    }
}

#[test]
fn a_thousand_messages_in_one_write_arrive_in_order() {
    let (_fleet, device, broker) = one_device();
    for version in BOTH {
        let mut client = enter(&broker, &device, version, "c");
        assert_eq!(client.subscribe(&[MINE]), [1]);
        let burst: Vec<u8> =
            (0..1000_u16).flat_map(|n| wire::publish(version, MINE, &n.to_be_bytes(), 0, false, 0)).collect();
        client.send(&burst);
        for n in 0..1000_u16 {
            assert_eq!(client.expect_message().payload, n.to_be_bytes(), "{version:?}");
        }
    }
}
