//! What a certificate alone does not buy: anything before a CONNECT that was accepted.

use crate::common::broker::Broker;
use crate::common::client::RawClient;
use crate::common::eventually;
use crate::common::fleet::{Fleet, enter};
use crate::common::wire::{self, Connect, Version};

#[test]
fn nothing_behind_a_refused_connect_is_read() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    let mut watching = enter(&broker, &device, Version::V5, "watching");
    assert_eq!(watching.subscribe(&["devices/device-001/#"]), [1]);
    let refused = Connect { will: Some(("devices/device-002/will", b"gone")), ..Connect::clean("one") };
    let pipelined = [
        refused.encode(Version::V5),
        Connect::clean("two").encode(Version::V5),
        wire::publish(Version::V5, "devices/device-001/x", b"x", 1, false, 1),
    ];
    for endpoint in broker.endpoints() {
        let mut client = RawClient::handshake(endpoint, &device).expect("a handshake");
        client.send(&pipelined.concat());
        let last = client.expect_close().expect("a CONNACK");
        assert_eq!((last.kind(), last.code()), (wire::CONNACK, 0x87), "{endpoint:?}: {}", broker.log.text());
        watching.expect_silence();
    }
}

#[test]
fn a_connect_of_a_megabyte_is_not_waited_for() {
    let fleet = Fleet::new();
    let stranger = fleet.unlisted_device("stranger");
    fleet.add_settings("[limits]\nconnect_timeout = \"120 s\"\n");
    let broker = fleet.serve();
    let promises_a_megabyte = [&[0x10, 0xF0, 0xFF, 0x3F][..], &Connect::clean("large").encode(Version::V5)[2..]];
    for endpoint in broker.endpoints() {
        let mut client = RawClient::handshake(endpoint, &stranger).expect("a handshake");
        client.send(&promises_a_megabyte.concat());
        let answer = client.expect_close().expect("a CONNACK");
        assert_eq!((answer.kind(), answer.code()), (wire::CONNACK, 0x95), "{endpoint:?}");
    }
}

#[test]
fn what_comes_instead_of_connect_is_closed_at_the_deadline() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    fleet.add_settings("[limits]\nconnect_timeout = \"1 s\"\n");
    let mut broker = fleet.serve();
    let [mqtts, wss] = broker.endpoints();
    let half_a_connect = &Connect::clean("c").encode(Version::V5)[..9];
    for endpoint in [mqtts, wss] {
        let mut client = RawClient::handshake(endpoint, &device).expect("a handshake");
        client.send(half_a_connect);
        assert_eq!(client.expect_close(), None, "{endpoint:?}");
    }
    for head in ["", "GET / HTTP/1.1\r\nHost: localhost\r\n"] {
        let mut client = RawClient::tls(wss.address(), device.config()).expect("a handshake");
        client.send_raw(head.as_bytes());
        assert_eq!(client.read_raw_to_end(), b"", "{head:?}");
    }
    broker.assert_unharmed();
}

#[test]
fn sockets_without_connect_are_counted_on_both_listeners_together() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    fleet.add_settings("[limits]\nunauthenticated_connections = 3\nconnect_timeout = \"120 s\"\n");
    let broker = fleet.serve();
    let [mqtts, wss] = broker.endpoints();
    let opened = RawClient::handshake(wss, &device).expect("room");
    let asking = RawClient::tls(wss.address(), device.config()).expect("room");
    let plain = RawClient::handshake(mqtts, &device).expect("room");
    for endpoint in [mqtts, wss] {
        assert!(RawClient::handshake(endpoint, &device).is_err(), "{endpoint:?}: one above the limit");
    }
    drop([opened, asking, plain]);
    eventually("room again", || RawClient::handshake(wss, &device).ok());
}

#[test]
fn a_socket_before_connect_costs_little_however_much_it_promises() {
    const SOCKETS: u64 = 400;
    const BYTES: u64 = 32 * 1024;
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    fleet.add_settings("[limits]\nconnect_timeout = \"120 s\"\n");
    let broker = fleet.serve();
    let [mqtts, wss] = broker.endpoints();
    // A CONNECT whose rest does not come; the head of a request likewise.
    let connect = [&[0x10, 0xFF, 0xBF, 1, 0, 4][..], b"MQTT\x05\x02", &[0; 20_000]].concat();
    let head = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(8000));
    let open: [&dyn Fn() -> RawClient; 3] = [
        &|| {
            let mut client = RawClient::handshake(mqtts, &device).expect("a handshake");
            client.send(&connect);
            client
        },
        &|| {
            let mut client = RawClient::handshake(wss, &device).expect("a handshake");
            client.send(&connect);
            client
        },
        &|| {
            let mut client = RawClient::tls(wss.address(), device.config()).expect("a handshake");
            client.send_raw(head.as_bytes());
            client
        },
    ];
    for open in open {
        // What the allocator keeps for everybody is there before.
        drop((0..20).map(|_| open()).collect::<Vec<_>>());
        let before = resident_bytes(&broker);
        let sockets: Vec<RawClient> = (0..SOCKETS).map(|_| open()).collect();
        let each = resident_bytes(&broker).saturating_sub(before) / SOCKETS;
        assert!(each <= BYTES, "{each} bytes for each socket");
        drop(sockets);
    }
}

fn resident_bytes(broker: &Broker) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", broker.id())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("KiB") * 1024
}
