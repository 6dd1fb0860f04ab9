//! Which device a connection is: the certificate says it, and nothing else.

use crate::common::client::{RawClient, refusal};
use crate::common::fleet::{Fleet, enter};
use crate::common::wire::{self, BOTH, Connect, Version};
use rustls::AlertDescription;

#[test]
fn another_device_with_the_same_client_id_leaves_the_first_undisturbed() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.device("device-001"), fleet.device("device-002"));
    let broker = fleet.serve();
    for version in BOTH {
        let mut client = enter(&broker, &first, version, "the-same-id");
        assert_eq!(client.subscribe(&["devices/device-001/#"]), [1]);
        let connect = Connect::lasting("the-same-id");
        let (mut twin, answer) = RawClient::try_connect(broker.address, &second, version, &connect);
        assert_eq!((answer.code(), answer.session_present()), (0, false), "a session of its own");
        assert_eq!(twin.subscribe(&["devices/device-002/#"]), [1]);
        client.expect_silence();
        let mut writer = enter(&broker, &first, version, "writer");
        assert!(writer.publish("devices/device-001/x", b"1") < 0x80);
        assert_eq!(client.expect_message().payload, b"1");
        twin.expect_silence();
        twin.leave();
        RawClient::connect(broker.address, &second, version, &Connect::clean("the-same-id")).leave();
    }
}

#[test]
fn the_same_device_takes_its_session_over() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    for version in BOTH {
        let mut old = RawClient::connect(broker.address, &device, version, &Connect::lasting("c"));
        let (_new, answer) = RawClient::try_connect(broker.address, &device, version, &Connect::lasting("c"));
        assert_eq!((answer.code(), answer.session_present()), (0, true));
        let goodbye = old.expect_close().map(|packet| (packet.kind(), packet.code()));
        assert_eq!(goodbye, (version == Version::V5).then_some((wire::DISCONNECT, 0x8E)));
        let clean = RawClient::connect(broker.address, &device, version, &Connect::clean("c"));
        clean.leave();
    }
}

#[test]
fn a_renewed_certificate_keeps_session_and_rights() {
    let fleet = Fleet::new();
    let (device, other) = (fleet.device("device-001"), fleet.device("device-002"));
    fleet.run(["acl", "allow", "CN=device-002", "publish", "devices/device-001/#"]);
    let before = std::fs::read(fleet.certificate("device-001.crt")).expect("a certificate");
    let broker = fleet.serve();
    for version in BOTH {
        let mut client = RawClient::connect(broker.address, &device, version, &Connect::lasting("c"));
        assert_eq!(client.subscribe(&["devices/device-001/#"]), [1]);
        client.leave();
        fleet.run(["cert", "renew", "device-001"]);
        assert_ne!(std::fs::read(fleet.certificate("device-001.crt")).expect("a certificate"), before);
        let mut writer = enter(&broker, &other, version, "writer");
        assert_eq!(writer.publish("devices/device-001/x", b"while you were away"), 0);

        let (mut client, answer) = RawClient::try_connect(broker.address, &device, version, &Connect::lasting("c"));
        assert_eq!((answer.code(), answer.session_present()), (0, true), "{version:?}");
        assert_eq!(client.expect_message().payload, b"while you were away");
        assert!(client.publish("devices/device-002/x", b"x") >= u8::from(version == Version::V5) * 0x80);
        client.leave();
        RawClient::connect(broker.address, &device, version, &Connect::clean("c")).leave();
    }
}

#[test]
fn the_same_subject_from_a_ca_in_another_trust_block_is_a_stranger() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let lab = fleet.path("lab");
    let in_lab = |arguments: &[&str]| {
        let output = crate::common::fleet::certmq().args(arguments).arg("--dir").arg(&lab).output().expect("certmq");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    in_lab(&["ca", "init"]);
    in_lab(&["cert", "issue", "device-001", "--subject", "CN=device-001"]);
    fleet.write_settings(
        "\n[[tls.trust]]\nname = \"default\"\nca = [\"certs/ca.crt\"]\ncrl = [\"certs/ca.crl\"]\n\
         \n[[tls.trust]]\nname = \"lab\"\nca = [\"lab/ca.crt\"]\n",
    );
    let twin = fleet.presenting(lab.join("device-001.crt"), lab.join("device-001.key"));
    let broker = fleet.serve();
    for version in BOTH {
        RawClient::connect(broker.address, &device, version, &Connect::lasting(version.mosquitto())).leave();
        let (_, answer) =
            RawClient::try_connect(broker.address, &twin, version, &Connect::lasting(version.mosquitto()));
        assert_eq!((answer.code(), answer.session_present()), (version.refused(), false), "{version:?}");
    }
    fleet.run(["device", "add", "CN=device-001", "--trust", "lab"]);
    for version in BOTH {
        let (_, answer) =
            RawClient::try_connect(broker.address, &twin, version, &Connect::lasting(version.mosquitto()));
        assert_eq!((answer.code(), answer.session_present()), (0, false), "listed, it is another device: {version:?}");
        let (_, answer) =
            RawClient::try_connect(broker.address, &device, version, &Connect::lasting(version.mosquitto()));
        assert_eq!((answer.code(), answer.session_present()), (0, true), "the first one's session is its own");
    }
}

/// From one CA to the next within a block: both are trusted for a while, then the new one alone.
#[test]
fn a_fleet_that_rolls_over_to_another_ca_keeps_its_sessions() {
    let fleet = Fleet::new();
    let (old, writer) = (fleet.device("device-001"), fleet.device("device-002"));
    fleet.run(["acl", "allow", "CN=device-002", "publish", "devices/device-001/#"]);
    fleet.second_ca();
    let new = fleet.device_of_second_ca("device-001");
    let broker = fleet.serve();
    let everywhere = || broker.endpoints().into_iter().flat_map(|endpoint| BOTH.map(|version| (endpoint, version)));
    let client_id = |endpoint, version| format!("{endpoint:?} {version:?}");
    let returns = |device, endpoint, version, id: &str| {
        let (client, answer) = RawClient::try_connect(endpoint, device, version, &Connect::lasting(id));
        assert_eq!((answer.code(), answer.session_present()), (0, true), "{id}");
        client
    };
    for (endpoint, version) in everywhere() {
        let id = client_id(endpoint, version);
        let mut client = RawClient::connect(endpoint, &old, version, &Connect::lasting(&id));
        assert_eq!(client.subscribe(&["devices/device-001/#"]), [1]);
        client.leave();
    }
    let mut writer = enter(&broker, &writer, Version::V5, "writer");
    assert_eq!(writer.publish("devices/device-001/x", b"before"), 0);

    fleet.write_settings("client_ca = [\"certs/ca.crt\", \"second/ca.crt\"]\n");
    fleet.run(["reload"]);
    for (endpoint, version) in everywhere() {
        let mut client = returns(&new, endpoint, version, &client_id(endpoint, version));
        assert_eq!(client.expect_message().payload, b"before");
        client.leave();
    }

    fleet.write_settings("client_ca = [\"second/ca.crt\"]\n");
    fleet.run(["reload"]);
    let mut writer = enter(&broker, &fleet.device_of_second_ca("device-002"), Version::V5, "writer");
    for (endpoint, version) in everywhere() {
        assert_eq!(refusal(endpoint, &old), AlertDescription::UnknownCA);
        let mut client = returns(&new, endpoint, version, &client_id(endpoint, version));
        // What was written under the old CA is withheld with it.
        assert_eq!(writer.publish("devices/device-001/x", b"after"), 0);
        assert_eq!(client.expect_message().payload, b"after");
        client.leave();
    }
}
