//! What a certificate alone does not buy: anything before a CONNECT that was accepted.

use crate::common::client::RawClient;
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
    let mut client = RawClient::handshake(broker.address, &device).expect("a handshake");
    client.send(&pipelined.concat());
    let last = client.expect_close().expect("a CONNACK");
    assert_eq!((last.kind(), last.code()), (wire::CONNACK, 0x87), "{}", broker.log.text());
    watching.expect_silence();
}

#[test]
fn a_connect_of_a_megabyte_is_not_waited_for() {
    let fleet = Fleet::new();
    let stranger = fleet.unlisted_device("stranger");
    fleet.add_settings("[limits]\nconnect_timeout = \"120 s\"\n");
    let broker = fleet.serve();
    let mut client = RawClient::handshake(broker.address, &stranger).expect("a handshake");
    let promises_a_megabyte = [&[0x10, 0xF0, 0xFF, 0x3F][..], &Connect::clean("large").encode(Version::V5)[2..]];
    client.send(&promises_a_megabyte.concat());
    let answer = client.expect_close().expect("a CONNACK");
    assert_eq!((answer.kind(), answer.code()), (wire::CONNACK, 0x95));
}
