//! The scenario `pairs` against Debian's mosquitto: a generator that loses or reorders by itself measures nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use load_tests::LoadError;
use load_tests::certs::Certificates;
use load_tests::pairs::{self, Load, PairsOptions};
use load_tests::peers::{Broker, Peer};
use load_tests::report::Report;
use load_tests::wire::Version;
use std::path::Path;

const PAIRS: usize = 3;
const MESSAGES: u64 = 500;

async fn mosquitto(folder: &Path) -> Broker {
    let certificates = Certificates::make(folder, PAIRS).unwrap();
    Peer::Mosquitto("/usr/sbin/mosquitto".into()).start(&folder.join("broker"), &certificates, None).await.unwrap()
}

fn options(broker: &Broker, folder: &Path, load: Load) -> PairsOptions {
    PairsOptions {
        address: broker.address,
        server_name: "localhost".to_owned(),
        certs: Some(folder.to_owned()),
        ca: None,
        cert: None,
        key: None,
        topic: "load/{cn}/{pair}".to_owned(),
        load,
        broker_pid: Some(broker.pid()),
        patience: 10,
    }
}

fn load(qos: u8, mqtt: Version) -> Load {
    Load { pairs: PAIRS, messages: MESSAGES, warm_up: 50, qos, mqtt, payload: 64, batch: 16, window: 30, rate: None }
}

fn assert_clean(report: &Report) {
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.sent, report.received), (PAIRS as u64 * MESSAGES, PAIRS as u64 * MESSAGES), "{report}");
    assert_eq!((report.lost, report.duplicates, report.out_of_order), (0, 0, 0), "{report}");
}

#[tokio::test]
async fn every_message_arrives_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let broker = mosquitto(folder.path()).await;
    for mqtt in [Version::V311, Version::V5] {
        for qos in 0..=2 {
            let report = pairs::run(&options(&broker, folder.path(), load(qos, mqtt))).await.unwrap();
            assert_clean(&report);
            assert_eq!(report.tls.version, "TLSv1_3");
            assert!(report.tls.cipher.starts_with("TLS13_"), "{}", report.tls.cipher);
            assert!(report.latency.p50 > 0 && report.latency.p50 <= report.latency.p999);
            assert!(report.broker_cpu_microseconds.is_some() && report.broker_resident_kib.unwrap() > 0);
        }
    }
}

#[tokio::test]
async fn a_paced_run_takes_the_time_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let broker = mosquitto(folder.path()).await;
    let paced = Load { rate: Some(1_000.0), batch: 1, ..load(1, Version::V5) };
    let report = pairs::run(&options(&broker, folder.path(), paced)).await.unwrap();
    assert_clean(&report);
    assert!(report.seconds > 0.45, "{report}");
}

#[tokio::test]
async fn a_client_of_another_ca_is_refused() {
    let (folder, strangers) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let broker = mosquitto(folder.path()).await;
    Certificates::make(strangers.path(), PAIRS).unwrap();
    let mut options = options(&broker, strangers.path(), load(0, Version::V5));
    options.certs = None;
    options.ca = Some(folder.path().join("ca.crt"));
    options.cert = Some(strangers.path().join("load-00000.crt"));
    options.key = Some(strangers.path().join("load-00000.key"));
    let fault = pairs::run(&options).await.unwrap_err();
    assert!(matches!(fault, LoadError::Connect { .. } | LoadError::Connection(_)), "{fault}");
}

#[test]
fn the_command_prints_json_and_says_what_is_missing() {
    let program = env!("CARGO_BIN_EXE_load-tests");
    let compare =
        ["compare", "--only", "mosquitto", "--scenario", "qos1", "--runs", "1", "--messages", "200", "--json"];
    let output = std::process::Command::new(program).args(compare).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let comparisons: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(comparisons[0]["brokers"][0]["runs"][0]["received"], 1600);

    let output = std::process::Command::new(program).args(["compare", "--certmq", "/nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(69));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cargo build --release"));
}
