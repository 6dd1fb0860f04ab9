//! The clients that people have: mosquitto's, paho for Python, MQTT.js in node and in a browser. Both versions, both
//! transports where the client has them; each QoS, retained, will, a denied subscription.

use crate::common::broker::{Broker, Log};
use crate::common::client::Endpoint;
use crate::common::eventually;
use crate::common::fleet::{Fleet, enter};
use crate::common::wire::{BOTH, Version};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn fleet_and_broker() -> (Fleet, Broker) {
    let fleet = Fleet::new();
    fleet.device("device-001");
    let broker = fleet.serve();
    (fleet, broker)
}

#[test]
fn mosquitto_pub_and_sub_speak_both_versions_and_every_qos() {
    let (fleet, mut broker) = fleet_and_broker();
    for version in BOTH {
        for qos in ["0", "1", "2"] {
            let topic = format!("devices/device-001/{}/{qos}", version.mosquitto());
            let common = ["-V", version.mosquitto(), "-q", qos, "-t", &topic];
            let mut subscriber = fleet
                .mosquitto("mosquitto_sub", &broker)
                .args(common)
                .args(["-C", "1", "-W", "60"])
                .stdout(Stdio::piped())
                .spawn()
                .expect("mosquitto_sub");
            // mosquitto_sub does not tell when its subscription stands: publish until it has what it wants.
            eventually(&format!("a message by {common:?}"), || {
                let mut publisher = fleet.mosquitto("mosquitto_pub", &broker);
                let output = publisher.args(common).args(["-m", "hello"]).output().expect("mosquitto_pub");
                assert!(output.status.success(), "{common:?}: {}", String::from_utf8_lossy(&output.stderr));
                subscriber.try_wait().expect("our own child")
            });
            let output = subscriber.wait_with_output().expect("its output");
            assert!(output.status.success(), "{common:?}: {}", output.status);
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "hello", "{common:?}");
        }
    }
    broker.assert_unharmed();
}

#[test]
fn mosquitto_sub_finds_what_was_retained() {
    let (fleet, broker) = fleet_and_broker();
    for version in BOTH {
        let topic = format!("devices/device-001/retained/{}", version.mosquitto());
        let common = ["-V", version.mosquitto(), "-q", "1", "-t", &topic];
        let publish = fleet.mosquitto("mosquitto_pub", &broker).args(common).args(["-r", "-m", "kept"]).status();
        assert!(publish.expect("mosquitto_pub").success());
        let output = fleet.mosquitto("mosquitto_sub", &broker).args(common).args(["-C", "1", "-W", "30"]).output();
        assert_eq!(String::from_utf8_lossy(&output.expect("mosquitto_sub").stdout).trim(), "kept");
    }
}

#[test]
fn mosquitto_sub_reads_large_messages_whole() {
    let (fleet, broker) = fleet_and_broker();
    let file = fleet.path("large");
    let payload: Vec<u8> = (0..600_000_u32).map(|n| b'a' + (n % 26) as u8).collect();
    std::fs::write(&file, &payload).expect("a writable folder");
    let common = ["-V", "mqttv5", "-q", "1", "-t", "devices/device-001/large"];
    let publish = fleet.mosquitto("mosquitto_pub", &broker).args(common).args(["-r", "-f"]).arg(&file).output();
    let publish = publish.expect("mosquitto_pub");
    assert!(publish.status.success() && publish.stderr.is_empty(), "{}", String::from_utf8_lossy(&publish.stderr));
    let output = fleet.mosquitto("mosquitto_sub", &broker).args(common).args(["-N", "-C", "1", "-W", "30"]).output();
    assert!(output.expect("mosquitto_sub").stdout == payload, "600 000 bytes, unchanged");
}

#[test]
fn mosquitto_reports_a_will_and_a_denied_subscription() {
    let (fleet, broker) = fleet_and_broker();
    for version in BOTH {
        let topic = format!("devices/device-001/will/{}", version.mosquitto());
        let mut watching = enter(&broker, &fleet.credentials("device-001"), version, "watching");
        assert_eq!(watching.subscribe(&[&topic]), [1]);
        let common = ["-V", version.mosquitto(), "-t"];
        let mut mortal = fleet
            .mosquitto("mosquitto_sub", &broker)
            .args(common)
            .args(["devices/device-001/x", "-i", "mortal", "--will-topic", &topic, "--will-payload", "gone"])
            .args(["--will-qos", "1"])
            .spawn()
            .expect("mosquitto_sub");
        let connected = format!("{:?}", if version == Version::V5 { "V5" } else { "V3_1_1" });
        broker.log.wait_for(&["connected", "client_id=mortal", connected.trim_matches('"')]);
        mortal.kill().and_then(|()| mortal.wait()).expect("our own child");
        assert_eq!(watching.expect_message().payload, b"gone");
        let denied = fleet.mosquitto("mosquitto_sub", &broker).args(common).args(["#", "-W", "30"]).output();
        let said = String::from_utf8_lossy(&denied.expect("mosquitto_sub").stderr).to_lowercase();
        assert!(said.contains("denied"), "{said}");
    }
}

#[test]
fn paho_for_python_does_everything_over_tcp() {
    paho("tcp", |broker| Endpoint::Mqtts(broker.address));
}

#[test]
fn paho_for_python_does_everything_over_websocket() {
    paho("websockets", Broker::wss);
}

#[track_caller]
fn paho(transport: &str, listener: impl Fn(&Broker) -> Endpoint) {
    let python = tool("python/bin/python3");
    let (fleet, mut broker) = fleet_and_broker();
    let port = listener(&broker).address().port().to_string();
    for version in ["4", "5"] {
        let mut command = Command::new(&python);
        command.arg(script("paho_roundtrip.py")).args([transport, &port]).args(files(&fleet));
        succeeds(command.args(["devices/device-001/paho", version]).output().expect("python"));
    }
    broker.assert_unharmed();
}

#[test]
fn mqtt_js_does_everything_over_tcp() {
    mqtt_js("mqtts", |broker| Endpoint::Mqtts(broker.address));
}

#[test]
fn mqtt_js_does_everything_over_websocket() {
    mqtt_js("wss", Broker::wss);
}

#[track_caller]
fn mqtt_js(scheme: &str, listener: impl Fn(&Broker) -> Endpoint) {
    let (fleet, mut broker) = fleet_and_broker();
    let url = format!("{scheme}://localhost:{}", listener(&broker).address().port());
    for version in ["4", "5"] {
        let mut command = node(&fleet, "mqttjs_node.mjs");
        command.arg(&url).args(files(&fleet)).args(["devices/device-001/node", version]);
        succeeds(command.output().expect("node"));
    }
    broker.assert_unharmed();
}

/// A browser keeps the certificate itself, presents it without being asked, and says whose page it shows.
#[test]
fn mqtt_js_does_everything_in_a_page_of_chromium_and_nothing_in_a_foreign_one() {
    let fleet = Fleet::new();
    fleet.device("device-001");
    let mut command = node(&fleet, "mqttjs_browser.mjs");
    command.arg(fleet.path("certs")).arg("devices/device-001/page");
    let mut script = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("node");
    let (said, complaints) =
        (Log::follow(script.stdout.take().expect("a pipe")), Log::follow(script.stderr.take().expect("a pipe")));
    let page = said.wait_for(&["page "]).replace("page ", "https://localhost:");
    fleet.listen(&format!("mqtts = \"127.0.0.1:0\"\nwss = {{ bind = [\"127.0.0.1:0\"], origins = [\"{page}\"] }}"));
    let mut broker = fleet.serve();
    let port = broker.wss().address().port();
    writeln!(script.stdin.take().expect("a pipe"), "{port}").expect("a script that reads");
    let status = script.wait().expect("our own child");
    assert!(status.success(), "{}\n{}", said.text(), complaints.text());
    assert_eq!(said.text().lines().last(), Some(DONE));
    broker.log.wait_for(&["WebSocket refused", "CN=device-001", &page.replace("localhost", "127.0.0.1")]);
    broker.assert_unharmed();
}

/// What a script says at its end.
const DONE: &str = "ok: every QoS, retained, will, denied";

/// A script of MQTT.js, in a folder where it finds what npm installed.
fn node(fleet: &Fleet, name: &str) -> Command {
    let folder = fleet.path("scripts");
    std::fs::create_dir_all(&folder).expect("a writable folder");
    let modules = folder.join("node_modules");
    if !modules.exists() {
        std::os::unix::fs::symlink(tool("node/node_modules"), modules).expect("a link");
        for name in ["mqttjs_roundtrip.mjs", "mqttjs_node.mjs", "mqttjs_browser.mjs"] {
            std::fs::copy(script(name), folder.join(name)).expect("a writable folder");
        }
    }
    let mut command = Command::new("node");
    command.arg(name).current_dir(folder);
    command
}

/// CA, certificate and key of the device.
fn files(fleet: &Fleet) -> [PathBuf; 3] {
    ["ca.crt", "device-001.crt", "device-001.key"].map(|name| fleet.certificate(name))
}

#[track_caller]
fn succeeds(output: Output) {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    assert_eq!(stdout.trim().lines().last(), Some(DONE), "{stderr}");
}

/// What `tests/run` installs. Missing, the test fails: a client that was not tried is not a client that works.
fn tool(path: &str) -> PathBuf {
    let tool = root().join("target/test-tools").join(path);
    assert!(tool.exists(), "{} is missing: run `tests/run --tools` once", tool.display());
    tool
}

fn script(name: &str) -> PathBuf {
    root().join("tests/clients").join(name)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
