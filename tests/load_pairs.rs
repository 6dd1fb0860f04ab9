//! The load scenario `pairs` against certmq itself, small: nothing lost, repeated or out of order, and the rights of
//! every pair end at its own topics.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use load_tests::LoadError;
use load_tests::certs::Certificates;
use load_tests::pairs::{self, Load, PairsOptions};
use load_tests::peers::{Broker, Peer};
use load_tests::wire::Version;
use std::path::Path;

const PAIRS: usize = 4;
const MESSAGES: u64 = 500;

async fn certmq(folder: &Path) -> Broker {
    let certificates = Certificates::make(folder, PAIRS).unwrap();
    let program = env!("CARGO_BIN_EXE_certmq").into();
    Peer::Certmq(program).start(&folder.join("broker"), &certificates, None).await.unwrap()
}

fn options(broker: &Broker, folder: &Path, qos: u8, mqtt: Version) -> PairsOptions {
    let load = Load {
        pairs: PAIRS,
        messages: MESSAGES,
        warm_up: 50,
        qos,
        mqtt,
        payload: 64,
        batch: 16,
        window: 30,
        rate: None,
    };
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
        patience: 20,
    }
}

#[tokio::test]
async fn every_message_arrives_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let broker = certmq(folder.path()).await;
    for mqtt in [Version::V311, Version::V5] {
        for qos in 0..=2 {
            let report = pairs::run(&options(&broker, folder.path(), qos, mqtt)).await.unwrap();
            assert!(report.is_clean() && report.duplicates == 0, "{report}\n{}", broker.log_text());
            assert_eq!(report.received, PAIRS as u64 * MESSAGES, "{report}");
            assert_eq!(report.tls.group, "X25519MLKEM768");
        }
    }
}

#[tokio::test]
async fn a_pair_on_a_topic_of_another_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let broker = certmq(folder.path()).await;
    for mqtt in [Version::V311, Version::V5] {
        let mut options = options(&broker, folder.path(), 1, mqtt);
        options.topic = "load/load-00000/{pair}".to_owned();
        let fault = pairs::run(&options).await.unwrap_err();
        assert!(matches!(fault, LoadError::Refused { .. }), "{fault}");
    }
}
