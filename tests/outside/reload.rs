//! `certmq reload`, SIGHUP and the file watch: what changes takes effect whole, within a second, and on nobody else.

use crate::common::broker::Broker;
use crate::common::client::{Credentials, RawClient, refusal};
use crate::common::eventually;
use crate::common::fleet::{Fleet, enter_at, openssl};
use crate::common::wire::{self, BOTH, Version};
use rustls::AlertDescription;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

const NOT_AUTHORIZED: u8 = 0x87;

/// Within this of a reload the connections that it ends are closed.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Within this of a change a file watch has acted.
const WATCHED: Duration = Duration::from_secs(3);

/// A client of every version on every listener.
fn clients(broker: &Broker, device: &Credentials) -> Vec<RawClient> {
    let endpoints = broker.endpoints();
    let each = endpoints.into_iter().flat_map(|endpoint| BOTH.map(|version| (endpoint, version)));
    each.map(|(endpoint, version)| enter_at(endpoint, device, version, &format!("{endpoint:?} {version:?}"))).collect()
}

/// 5.0 is told 0x87; everyone is closed within `limit` of `since`.
#[track_caller]
fn expect_end(clients: Vec<RawClient>, since: Instant, limit: Duration) {
    for mut client in clients {
        let goodbye = client.expect_close().map(|last| (last.kind(), last.code()));
        let took = since.elapsed();
        assert!(took < limit, "closed after {took:?}");
        assert_eq!(goodbye, (client.version == Version::V5).then_some((wire::DISCONNECT, NOT_AUTHORIZED)));
    }
}

#[track_caller]
fn expect_to_stay(clients: &mut [RawClient]) {
    for client in clients {
        client.send(&wire::ping());
        client.expect(wire::PINGRESP);
    }
}

#[track_caller]
fn refused(broker: &Broker, device: &Credentials, alert: AlertDescription) {
    for endpoint in broker.endpoints() {
        assert_eq!(refusal(endpoint, device), alert, "{endpoint:?}");
    }
}

#[track_caller]
fn served(broker: &Broker, device: &Credentials) {
    for endpoint in broker.endpoints() {
        enter_at(endpoint, device, Version::V5, "served").leave();
    }
}

/// A reload that must fail, with this exit code and an error that says all of `words`.
#[track_caller]
fn fails(fleet: &Fleet, code: i32, words: &[&str]) {
    let output = fleet.output(["reload"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{error}");
    for word in words {
        assert!(error.contains(word), "{error:?} does not say {word:?}");
    }
}

/// The certificate that the broker shows, DER.
fn server_certificate(broker: &Broker, device: &Credentials) -> Vec<u8> {
    RawClient::handshake(broker.address, device).expect("a handshake").server_certificate()
}

#[test]
fn a_new_revocation_ends_the_revoked_within_a_second_of_the_reload_and_nobody_else() {
    let fleet = Fleet::new();
    let (stays, goes) = (fleet.device("device-001"), fleet.device("device-002"));
    let broker = fleet.serve();
    let mut staying = clients(&broker, &stays);
    let going = clients(&broker, &goes);
    fleet.run(["cert", "revoke", "device-002"]);
    let said = fleet.run(["reload"]);
    expect_end(going, Instant::now(), AT_ONCE);
    // The watch may have been quicker; then the command has nothing left to do.
    let by_watch = said.contains("nothing has changed");
    assert!(by_watch || said.contains("1 serial revoked by CN="), "{said}");
    assert!(by_watch || said.contains("4 connection(s) closed: CN=device-002"), "{said}");
    refused(&broker, &goes, AlertDescription::CertificateRevoked);
    expect_to_stay(&mut staying);
    served(&broker, &stays);
}

#[test]
fn the_file_watch_acts_within_three_seconds_on_every_way_to_replace_a_file() {
    let fleet = Fleet::new();
    let devices = ["device-002", "device-003", "device-004"].map(|name| fleet.device(name));
    let stays = fleet.device("device-001");
    // As Kubernetes mounts it: a link in the folder to a file behind a link to a folder that is swapped.
    let lists = fleet.path("lists");
    let publish = |version: &str| {
        fs::create_dir(lists.join(version)).expect("a folder");
        fs::copy(fleet.certificate("ca.crl"), lists.join(version).join("ca.crl")).expect("a copy");
        symlink(version, lists.join("..data.new")).expect("a link");
        fs::rename(lists.join("..data.new"), lists.join("..data")).expect("a swap");
    };
    fs::create_dir(&lists).expect("a folder");
    publish("v1");
    symlink("..data/ca.crl", lists.join("ca.crl")).expect("a link");
    fleet.write_settings("client_ca = [\"certs/ca.crt\"]\ncrl = [\"lists/ca.crl\"]\n");
    let broker = fleet.serve();
    let mut staying = clients(&broker, &stays);
    let [by_link, by_rename, in_place] = devices.each_ref().map(|device| clients(&broker, device));
    let ends = |name: &str, clients: Vec<RawClient>, replace: &dyn Fn()| {
        fleet.run(["cert", "revoke", name]);
        replace();
        expect_end(clients, Instant::now(), WATCHED);
    };
    ends("device-002", by_link, &|| publish("v2"));
    let real = lists.join("..data").join("ca.crl");
    ends("device-003", by_rename, &|| {
        fs::copy(fleet.certificate("ca.crl"), lists.join("new")).expect("a copy");
        fs::rename(lists.join("new"), &real).expect("a rename");
    });
    ends("device-004", in_place, &|| {
        fs::copy(fleet.certificate("ca.crl"), &real).expect("a copy");
    });
    for device in &devices {
        refused(&broker, device, AlertDescription::CertificateRevoked);
    }
    expect_to_stay(&mut staying);
    broker.log.wait_for(&["reloaded", "file watch", "revoked by"]);
}

#[test]
fn a_removed_ca_takes_its_sessions_with_it_and_comes_back() {
    let fleet = Fleet::new();
    let stays = fleet.device("device-001");
    fleet.second_ca();
    let goes = fleet.device_of_second_ca("device-002");
    fleet.run(["device", "add", "CN=device-002", "--group", "devices"]);
    let (both, one) = (
        "client_ca = [\"certs/ca.crt\", \"second/ca.crt\"]\ncrl = [\"certs/ca.crl\"]\n",
        "client_ca = [\"certs/ca.crt\"]\ncrl = [\"certs/ca.crl\"]\n",
    );
    fleet.write_settings(both);
    let broker = fleet.serve();
    let mut staying = clients(&broker, &stays);
    let going = clients(&broker, &goes);
    fleet.write_settings(one);
    broker.signal("HUP");
    broker.log.wait_for(&["reloaded", "SIGHUP", "CA CN=", "went"]);
    expect_end(going, Instant::now(), AT_ONCE);
    refused(&broker, &goes, AlertDescription::UnknownCA);
    expect_to_stay(&mut staying);

    fleet.write_settings(both);
    let said = fleet.run(["reload"]);
    assert!(said.contains("came (trust block default)"), "{said}");
    served(&broker, &goes);
    expect_to_stay(&mut staying);
    let trail = fleet.run(["audit", "show"]);
    assert!(trail.contains("broker.reloaded") && trail.contains("device.disconnected"), "{trail}");
}

#[test]
fn the_servers_certificate_and_key_change_without_losing_a_connection() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let broker = fleet.serve();
    let mut staying = clients(&broker, &device);
    let before = server_certificate(&broker, &device);
    let again = ["cert", "issue", "next", "--server", "--san", "localhost", "--san", "127.0.0.1"];
    fleet.run(again);
    for ending in ["crt", "key"] {
        let (next, server) = (format!("next.{ending}"), format!("server.{ending}"));
        fs::rename(fleet.certificate(&next), fleet.certificate(&server)).expect("a rename");
    }
    let said = fleet.run(["reload"]);
    assert!(said.contains("server certificate: ") || said.contains("nothing has changed"), "{said}");
    broker.log.wait_for(&["reloaded", "server certificate", "another key"]);
    assert_ne!(server_certificate(&broker, &device), before);
    expect_to_stay(&mut staying);
    served(&broker, &device);
}

#[test]
fn what_is_wrong_changes_nothing_says_where_and_how_and_is_mended_by_the_next_look() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    fs::copy(fleet.certificate("ca.crt"), fleet.path("trusted.crt")).expect("a copy");
    fleet.write_settings("client_ca = [\"trusted.crt\"]\ncrl = [\"certs/ca.crl\"]\n");
    let broker = fleet.serve();
    let mut staying = clients(&broker, &device);
    let good = |name: &str| fs::read(fleet.path(name)).expect("a file");
    let restore = |name: &str, content: &[u8]| fs::write(fleet.path(name), content).expect("a file");
    let one_bad_block =
        [good("trusted.crt"), b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n".to_vec()];
    let spoilt: [(&str, Vec<u8>, &[&str]); 4] = [
        ("certs/ca.crl", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n".to_vec(), &["ca.crl", "line 1"]),
        ("trusted.crt", one_bad_block.concat(), &["trusted.crt", "block 2", "damaged"]),
        ("certs/server.key", good("certs/device-001.key"), &["server.key", "does not belong"]),
        ("certs/ca.crl", Vec::new(), &["ca.crl", "cut short"]),
    ];
    for (name, content, words) in spoilt {
        let before = good(name);
        restore(name, &content);
        fails(&fleet, 78, words);
        fails(&fleet, 78, &["serves on as before"]);
        expect_to_stay(&mut staying);
        served(&broker, &device);
        let status = fleet.run(["status"]);
        assert!(status.contains("the last reload failed and everything stays as it was"), "{status}");
        restore(name, &before);
        eventually("the alarm to end", || (!fleet.run(["status"]).contains("the last reload failed")).then_some(()));
    }
    fs::set_permissions(fleet.certificate("server.key"), fs::Permissions::from_mode(0o644)).expect("our file");
    fails(&fleet, 77, &["server.key", "chmod 600"]);
    fs::set_permissions(fleet.certificate("server.key"), fs::Permissions::from_mode(0o600)).expect("our file");
    let settings = fs::read_to_string(fleet.path("certmq.toml")).expect("a file");
    fleet.add_settings("[lmits]\nconnections = 1\n");
    // `certmq reload` itself would stumble over these settings.
    broker.signal("HUP");
    broker.log.wait_for(&["not reloaded", "SIGHUP", "lmits", "did you mean limits?"]);
    fs::write(fleet.path("certmq.toml"), settings).expect("a file");
    assert!(fleet.run(["reload"]).contains("nothing has changed"));
    expect_to_stay(&mut staying);
    served(&broker, &device);
    assert!(fleet.run(["audit", "show"]).contains("refused"));
}

#[test]
fn an_empty_folder_of_lists_is_no_reason_to_forget_the_revoked() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    fleet.device("device-002");
    fs::create_dir(fleet.path("lists")).expect("a folder");
    fleet.run(["cert", "revoke", "device-002"]);
    let list = fleet.path("lists/ca.crl");
    fs::copy(fleet.certificate("ca.crl"), &list).expect("a copy");
    fleet.write_settings("client_ca = [\"certs/ca.crt\"]\ncrl = [\"lists\"]\n");
    let broker = fleet.serve();
    fs::remove_file(&list).expect("a file");
    fails(&fleet, 78, &["lists", "no CRL"]);
    refused(&broker, &fleet.credentials("device-002"), AlertDescription::CertificateRevoked);
    served(&broker, &device);
}

#[test]
fn a_list_that_goes_stale_ends_connections_where_the_settings_say_so() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let list = fleet.path("brief.crl");
    brief_list(fleet.path("certs").as_path(), &list);
    fleet.write_settings("client_ca = [\"certs/ca.crt\"]\ncrl = [\"brief.crl\"]\nstale_crl = \"disconnect\"\n");
    let broker = fleet.serve();
    let going = clients(&broker, &device);
    broker.log.wait_for(&["stale", "ending the connections"]);
    expect_end(going, Instant::now(), AT_ONCE);
    refused(&broker, &device, AlertDescription::UnknownCA);
}

/// A list of the fleet's CA that is good for some seconds.
fn brief_list(certs: &Path, list: &Path) {
    let config = "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ncrlnumber=number\n\
                  [plain]\nauthorityKeyIdentifier=keyid\n";
    for (name, content) in [("openssl.cnf", config), ("number", "1000\n"), ("index.txt", "")] {
        fs::write(certs.join(name), content).expect("a file");
    }
    let ca = ["ca", "-config", "openssl.cnf", "-keyfile", "ca.key", "-cert", "ca.crt", "-gencrl", "-crlexts", "plain"];
    let out = list.to_str().expect("a path in UTF-8");
    openssl(certs, ca.into_iter().chain(["-crlsec", "6", "-out", out]));
}

#[test]
fn settings_that_cannot_change_while_it_serves_are_named() {
    let fleet = Fleet::new();
    fleet.device("device-001");
    let _broker = fleet.serve();
    fleet.add_settings("[limits]\nconnections = 77\n[log]\nlevel = \"warn\"\n");
    let said = fleet.run(["reload"]);
    assert!(said.contains("limits.connections has changed and waits for a restart"), "{said}");
    assert!(said.contains("log.level has changed and waits for a restart"), "{said}");
}

#[test]
fn without_a_broker_reload_says_so() {
    let fleet = Fleet::new();
    fails(&fleet, 69, &["no broker answers", "certmq serve"]);
}
