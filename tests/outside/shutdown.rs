//! How the broker ends, and what it refuses to begin.

use crate::common::client::RawClient;
use crate::common::fleet::{Fleet, enter, enter_at};
use crate::common::websocket::Frames;
use crate::common::wire::{self, Connect, Version};

#[test]
fn sigterm_says_goodbye_to_every_client_and_ends_with_0() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let mut broker = fleet.serve();
    let mut new = enter(&broker, &device, Version::V5, "new");
    let mut lasting = RawClient::connect(broker.address, &device, Version::V5, &Connect::lasting("lasting"));
    let mut old = enter(&broker, &device, Version::V3_1_1, "old");
    let mut page = enter_at(broker.wss(), &device, Version::V5, "page");
    let mut old_page = enter_at(broker.wss(), &device, Version::V3_1_1, "old page");
    broker.signal("TERM");
    assert_eq!(page.expect_websocket_close(), Some(1000), "the goodbye of WebSocket behind that of MQTT");
    assert_eq!(old_page.expect_websocket_close(), Some(1000));
    for client in [&mut page, &mut old_page] {
        client.send_raw(&Frames::masked(Frames::CLOSE, &1000_u16.to_be_bytes()));
    }
    let status = broker.wait();
    for client in [&mut new, &mut lasting, &mut page] {
        let goodbye = client.expect_close().map(|packet| (packet.kind(), packet.code()));
        assert_eq!(goodbye, Some((wire::DISCONNECT, 0x8B)));
    }
    assert_eq!(old.expect_close(), None, "a broker of 3.1.1 has no word for it");
    assert_eq!(old_page.expect_close(), None);
    assert_eq!(status.code(), Some(0), "{}", broker.log.text());
    broker.log.wait_for(&["discard"]);
    assert!(!broker.log.text().contains("panicked"), "{}", broker.log.text());
}

#[test]
fn sigterm_ends_an_idle_broker_with_0() {
    let fleet = Fleet::new();
    assert_eq!(fleet.serve().terminate().code(), Some(0));
}

#[test]
fn a_second_broker_on_the_same_store_is_refused_with_a_sentence() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    let output = fleet.output(["serve"]);
    assert_eq!(output.status.code(), Some(75), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stderr);
    let store = fleet.path("data");
    assert!(said.contains("in use") && said.contains(&*store.to_string_lossy()), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    enter(&broker, &device, Version::V5, "the first is undisturbed").leave();
}

#[test]
fn sighup_is_answered_in_the_log_and_changes_nothing() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    let mut client = enter(&broker, &device, Version::V5, "c");
    broker.signal("HUP");
    broker.log.wait_for(&["reload"]);
    client.expect_silence();
}

#[test]
fn a_broker_without_certificates_says_what_to_do() {
    let fleet = Fleet::with_settings("");
    let output = fleet.output(["serve"]);
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("server.crt"), "{said}");
}
