//! `hold` as a program, against Debian's mosquitto.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use load_tests::certs::Certificates;
use load_tests::peers::Peer;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

#[tokio::test(flavor = "multi_thread")]
async fn it_reads_its_orders_and_says_who_was_closed_when() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path(), 2).unwrap();
    let mosquitto = Peer::Mosquitto("/usr/sbin/mosquitto".into());
    let broker = mosquitto.start(&folder.path().join("broker"), &certificates, None).await.unwrap();
    let mut hold = Command::new(env!("CARGO_BIN_EXE_load-tests"))
        .args(["hold", "6", "--devices", "2", "--every", "20", "--json", "--address", &broker.address.to_string()])
        .arg("--certs")
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut orders = hold.stdin.take().unwrap();
    let mut said = BufReader::new(hold.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(line(), "holding 6\n");
    writeln!(orders, "mark").unwrap();
    assert_eq!(line(), "marked\n");
    drop(broker);
    writeln!(orders, "stop").unwrap();
    let mut report = String::new();
    said.read_to_string(&mut report).unwrap();
    assert!(hold.wait().unwrap().success());
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((report["connections"].as_u64(), report["held"].as_u64()), (Some(6), Some(0)), "{report}");
    let closed = report["closed"].as_array().unwrap();
    for (number, closing) in closed.iter().enumerate() {
        assert_eq!(closing["connection"], number);
        assert_eq!(closing["device"], ["load-00000", "load-00001"][number % 2]);
        assert!(closing["closed_ms"].as_f64() > Some(0.0), "{closing}");
        assert!(!closing["reason"].as_str().unwrap().is_empty());
    }
}
