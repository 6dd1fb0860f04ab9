//! MQTT over WebSocket: the frames, the request that opens it, and which pages may send it.

use crate::common::broker::Broker;
use crate::common::client::{Credentials, RawClient};
use crate::common::fleet::{Fleet, enter, enter_at};
use crate::common::websocket::{Frames, request};
use crate::common::wire::{self, BOTH, Connect, Version};

fn fleet_and_broker() -> (Fleet, Credentials, Broker) {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    (fleet, device, broker)
}

/// What the broker answers to a request, up to the end of the connection.
#[track_caller]
fn answer(broker: &Broker, device: &Credentials, request: &str) -> String {
    let mut client = RawClient::tls(broker.wss().address(), device.config()).expect("a handshake");
    client.send_raw(request.as_bytes());
    String::from_utf8_lossy(&client.read_raw_to_end()).into_owned()
}

#[test]
fn a_message_passes_between_the_two_listeners() {
    let (_fleet, device, mut broker) = fleet_and_broker();
    for version in BOTH {
        let mut reader = enter(&broker, &device, version, "plain");
        let mut writer = enter_at(broker.wss(), &device, version, "page");
        for topic in ["devices/device-001/to-plain", "devices/device-001/to-page"] {
            assert_eq!(reader.subscribe(&[topic]), [1]);
            assert_eq!(writer.publish(topic, &[b'x'; 70_000]), 0);
            assert!(reader.expect_message().payload == [b'x'; 70_000]);
            writer.expect_silence();
            std::mem::swap(&mut reader, &mut writer);
        }
    }
    broker.assert_unharmed();
}

#[test]
fn one_certificate_is_one_device_on_both_listeners() {
    let (_fleet, device, broker) = fleet_and_broker();
    let mut plain = RawClient::connect(broker.address, &device, Version::V5, &Connect::lasting("same"));
    let (_page, answer) = RawClient::try_connect(broker.wss(), &device, Version::V5, &Connect::lasting("same"));
    assert!(answer.session_present());
    let taken_over = plain.expect_close().expect("a DISCONNECT");
    assert_eq!((taken_over.kind(), taken_over.code()), (wire::DISCONNECT, 0x8E));
}

#[test]
fn frames_may_split_and_join_packets_in_any_way() {
    let (_fleet, device, broker) = fleet_and_broker();
    let topic = "devices/device-001/x";
    let packets = [
        Connect::clean("cut").encode(Version::V5),
        wire::subscribe(Version::V5, 1, &[(topic, 1)]),
        wire::publish(Version::V5, topic, &[7; 300], 1, false, 2),
        wire::ping(),
    ]
    .concat();
    let frames: [Vec<u8>; 4] = [
        // One frame; a frame for each byte; fragments of one message with a ping inside; frames of 7 bytes.
        Frames::masked(Frames::BINARY, &packets),
        packets.iter().flat_map(|byte| Frames::masked(Frames::BINARY, &[*byte])).collect(),
        [
            Frames::masked(Frames::BINARY & !Frames::FINAL, &packets[..10]),
            Frames::masked(Frames::PING, b"inside"),
            Frames::masked(Frames::CONTINUATION & !Frames::FINAL, &[]),
            Frames::masked(Frames::CONTINUATION, &packets[10..]),
        ]
        .concat(),
        packets.chunks(7).flat_map(|piece| Frames::masked(Frames::BINARY, piece)).collect(),
    ];
    for frames in frames {
        let mut client = RawClient::handshake(broker.wss(), &device).expect("a WebSocket");
        client.send_raw(&frames);
        let mut kinds: Vec<u8> = (0..5).map(|_| client.receive().kind()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, [wire::CONNACK, wire::PUBLISH, wire::PUBACK, wire::SUBACK, wire::PINGRESP]);
    }
}

#[test]
fn a_ping_is_answered_before_connect_and_after() {
    let (_fleet, device, broker) = fleet_and_broker();
    let mut client = RawClient::handshake(broker.wss(), &device).expect("a WebSocket");
    client.send_raw(&Frames::masked(Frames::PING, b"before"));
    client.send_raw(&Frames::masked(Frames::PONG, b"unasked"));
    client.send(&Connect::clean("c").encode(Version::V5));
    client.expect(wire::CONNACK);
    client.send_raw(&Frames::masked(Frames::PING, b"after"));
    client.expect_silence();
    assert_eq!(client.frames().pongs, [b"before".to_vec(), b"after".to_vec()]);
}

#[test]
fn a_text_frame_is_closed_with_1003() {
    let (_fleet, device, broker) = fleet_and_broker();
    let mut client = RawClient::handshake(broker.wss(), &device).expect("a WebSocket");
    client.send_raw(&Frames::masked(Frames::TEXT, &Connect::clean("text").encode(Version::V5)));
    assert_eq!(client.expect_websocket_close(), Some(1003));
    assert_eq!(client.expect_close(), None, "no CONNACK");
    let mut client = enter_at(broker.wss(), &device, Version::V5, "text");
    client.send_raw(&Frames::masked(Frames::TEXT, &wire::ping()));
    assert_eq!(client.expect_websocket_close(), Some(1003));
}

#[test]
fn frames_that_rfc_6455_forbids_are_closed_with_1002() {
    let (_fleet, device, mut broker) = fleet_and_broker();
    let unmasked = [&[Frames::BINARY, 2][..], &wire::ping()].concat();
    for bytes in [
        unmasked,
        Frames::masked(Frames::BINARY | 0x40, &wire::ping()),
        Frames::masked(Frames::CONTINUATION, &wire::ping()),
        Frames::masked(0x83, &wire::ping()),
        Frames::masked(Frames::PING, &[0; 126]),
        Frames::masked(Frames::CLOSE, &[3]),
    ] {
        let mut client = enter_at(broker.wss(), &device, Version::V5, "c");
        client.send_raw(&bytes);
        assert_eq!(client.expect_websocket_close(), Some(1002), "{bytes:?}");
        assert_eq!(client.expect_close(), None);
    }
    broker.assert_unharmed();
}

#[test]
fn a_declared_length_buys_nothing_and_a_packet_has_its_own_limit() {
    let (_fleet, device, broker) = fleet_and_broker();
    let mut client = enter_at(broker.wss(), &device, Version::V5, "c");
    // A frame of 2^63 - 1 bytes is as good as many frames; what is in it are packets.
    let head = [&[Frames::BINARY, 0x80 | 127, 0x7F][..], &[0xFF; 7], &[0; 4]].concat();
    client.send_raw(&[head, wire::ping()].concat());
    client.expect(wire::PINGRESP);
    // PUBLISH of 2 MiB: refused when its length is known, not when it is there.
    client.send_raw(&[0x30, 0x80, 0x80, 0x80, 0x01, 0, 1, b'x']);
    let last = client.expect_close().expect("a DISCONNECT");
    assert_eq!((last.kind(), last.code()), (wire::DISCONNECT, 0x95));
}

#[test]
fn closing_is_answered_and_without_disconnect_the_will_fires() {
    let (_fleet, device, broker) = fleet_and_broker();
    let mut watching = enter(&broker, &device, Version::V5, "watching");
    assert_eq!(watching.subscribe(&["devices/device-001/will"]), [1]);
    let connect = Connect { will: Some(("devices/device-001/will", b"gone")), ..Connect::clean("page") };
    let mut page = RawClient::connect(broker.wss(), &device, Version::V5, &connect);
    page.send_raw(&Frames::masked(Frames::CLOSE, &1001_u16.to_be_bytes()));
    assert_eq!(page.expect_websocket_close(), Some(1001));
    assert_eq!(watching.expect_message().payload, b"gone");
    let mut page = RawClient::connect(broker.wss(), &device, Version::V5, &connect);
    page.send(&wire::disconnect());
    assert_eq!(page.expect_websocket_close(), Some(1000));
    page.send_raw(&Frames::masked(Frames::CLOSE, &[]));
    page.expect_close();
    watching.expect_silence();
}

#[test]
fn a_disabled_device_is_told_and_closed_on_a_websocket_too() {
    let (fleet, device, broker) = fleet_and_broker();
    let mut page = enter_at(broker.wss(), &device, Version::V5, "page");
    fleet.run(["device", "disable", "CN=device-001"]);
    assert_eq!(page.expect_websocket_close(), Some(1000));
    let last = page.expect_close().expect("a DISCONNECT");
    assert_eq!((last.kind(), last.code()), (wire::DISCONNECT, 0x98));
}

#[test]
fn what_is_no_websocket_for_mqtt_gets_an_answer_that_says_so() {
    let (_fleet, device, mut broker) = fleet_and_broker();
    let plain = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned();
    let without = |name: &str| request(&[]).replace(&format!("{name}: "), "X-Not: ");
    for (request, status, words) in [
        (plain, "426", "MQTT over WebSocket"),
        (without("Sec-WebSocket-Protocol"), "400", "offer the subprotocol mqtt"),
        (request(&[("Sec-WebSocket-Protocol", "chat")]), "400", "offer the subprotocol mqtt"),
        (request(&[("Sec-WebSocket-Version", "8")]), "426", "Sec-WebSocket-Version: 13"),
        (request(&[]).replace("GET", "POST"), "405", "Allow: GET"),
        (request(&[]).replace("/mqtt", "/elsewhere"), "404", "/mqtt"),
        (request(&[("X", &"x".repeat(20_000))]), "431", "8192 bytes"),
        ("\x10\x0c\0\x04MQTT\x05\x02\0\x3c\0\0\0\r\n\r\n".to_owned(), "400", "HTTP/1.1"),
    ] {
        let answer = answer(&broker, &device, &request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(answer.contains(words), "{request}: {answer}");
    }
    broker.log.wait_for(&["WebSocket refused", "CN=device-001", "subprotocol"]);
    broker.assert_unharmed();
}

#[test]
fn the_subprotocol_of_3_1_is_understood() {
    let (_fleet, device, broker) = fleet_and_broker();
    let mut client = RawClient::tls(broker.wss().address(), device.config()).expect("a handshake");
    client.send_raw(request(&[("Sec-WebSocket-Protocol", "mqttv3.1")]).as_bytes());
    assert!(client.raw_line().starts_with("HTTP/1.1 101 "));
    client.send_raw(&Frames::masked(Frames::CLOSE, &[]));
    let rest = String::from_utf8_lossy(&client.read_raw_to_end()).into_owned();
    assert!(rest.contains("Sec-WebSocket-Protocol: mqttv3.1\r\n"), "{rest}");
}

#[test]
fn a_page_of_another_origin_is_refused_counted_and_logged() {
    let fleet = Fleet::with_listeners(
        "mqtts = \"127.0.0.1:0\"\nwss = { bind = [\"127.0.0.1:0\"], origins = [\"https://app.example\"] }",
    );
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    let refused =
        ["https://evil.example", "https://app.example:8443", "http://app.example", "null", "https://localhost"];
    for origin in refused {
        let answer = answer(&broker, &device, &request(&[("Origin", origin)]));
        assert!(answer.starts_with("HTTP/1.1 403 "), "{origin}: {answer}");
        broker.log.wait_for(&["WebSocket refused", "CN=device-001", origin]);
    }
    let status = fleet.run(["status", "--output", "json"]);
    assert!(
        status.contains(&format!("\"origins_refused\": {}", refused.len()))
            || status.contains(&format!("\"origins_refused\":{}", refused.len())),
        "{status}"
    );
    for origin in ["https://app.example", "https://APP.example:443", "https://localhost:8884"] {
        let mut client = RawClient::tls(broker.wss().address(), device.config()).expect("a handshake");
        client.send_raw(request(&[("Origin", origin)]).as_bytes());
        assert!(client.raw_line().starts_with("HTTP/1.1 101 "), "{origin}");
    }
}

#[test]
fn without_a_setting_no_foreign_page_connects_and_without_the_listener_nobody_does() {
    let (_fleet, device, broker) = fleet_and_broker();
    let answer = answer(&broker, &device, &request(&[("Origin", "https://app.example")]));
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let closed = Fleet::with_listeners("mqtts = \"127.0.0.1:0\"").serve();
    assert!(!closed.log.text().contains("wss="), "{}", closed.log.text());
}
