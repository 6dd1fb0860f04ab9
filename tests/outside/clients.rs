//! The clients that people have: mosquitto's, paho for Python, MQTT.js. Both versions, QoS 0 to 2.

use crate::common::broker::Broker;
use crate::common::eventually;
use crate::common::fleet::Fleet;
use crate::common::wire::BOTH;
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
fn paho_for_python_speaks_both_versions_and_every_qos() {
    let python = tool("python/bin/python3");
    let (fleet, mut broker) = fleet_and_broker();
    for version in ["4", "5"] {
        let script = script("paho_roundtrip.py");
        succeeds(client_script(&python, &script, &fleet, &broker).arg(version).output().expect("python"));
    }
    broker.assert_unharmed();
}

#[test]
fn mqtt_js_speaks_both_versions_and_every_qos() {
    // Modules are looked up beside the script, so it runs from where npm put the client.
    let folder = tool("node");
    let script_copy = folder.join("mqttjs_roundtrip.mjs");
    std::fs::copy(script("mqttjs_roundtrip.mjs"), &script_copy).expect("a writable folder");
    let (fleet, mut broker) = fleet_and_broker();
    for version in ["4", "5"] {
        let mut command = client_script(Path::new("node"), &script_copy, &fleet, &broker);
        succeeds(command.arg(version).output().expect("node"));
    }
    broker.assert_unharmed();
}

/// `PROGRAM SCRIPT PORT CA CERTIFICATE KEY TOPIC-PREFIX`, to which the version is added.
fn client_script(program: &Path, script: &Path, fleet: &Fleet, broker: &Broker) -> Command {
    let mut command = Command::new(program);
    command.arg(script).arg(broker.address.port().to_string());
    command.args([
        fleet.certificate("ca.crt"),
        fleet.certificate("device-001.crt"),
        fleet.certificate("device-001.key"),
    ]);
    command.arg("devices/device-001/script");
    command
}

#[track_caller]
fn succeeds(output: Output) {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    assert_eq!(stdout.trim().lines().last(), Some("ok: QoS 0, 1 and 2"), "{stderr}");
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
