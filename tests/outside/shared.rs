//! Shared subscriptions over real connections: a member that dies, one that comes back, a queue that goes on. Both
//! versions.

use crate::common::broker::Broker;
use crate::common::client::{Credentials, RawClient};
use crate::common::fleet::{Fleet, enter};
use crate::common::wire::{self, BOTH, Connect, Version};
use std::collections::BTreeSet;

const TOPIC: &str = "devices/device-001/work";
const GROUP: &str = "$share/workers/devices/device-001/#";

struct Stage {
    _fleet: Fleet,
    device: Credentials,
    broker: Broker,
    version: Version,
}

impl Stage {
    fn each() -> impl Iterator<Item = Self> {
        BOTH.into_iter().map(|version| {
            let fleet = Fleet::new();
            let device = fleet.device("device-001");
            let broker = fleet.serve();
            Self { _fleet: fleet, device, broker, version }
        })
    }

    /// A member of the group with this QoS.
    #[track_caller]
    fn member(&self, connect: &Connect<'_>, qos: u8) -> RawClient {
        let mut member = RawClient::connect(self.broker.address, &self.device, self.version, connect);
        member.send(&wire::subscribe(self.version, 1, &[(GROUP, qos)]));
        assert_eq!(member.expect(wire::SUBACK).codes(self.version), [qos]);
        member
    }

    fn writer(&self) -> RawClient {
        enter(&self.broker, &self.device, self.version, "writer")
    }
}

/// The member that dies has a session that ends with it: what it did not acknowledge goes to the other one.
#[test]
fn a_worker_that_dies_loses_no_work() {
    for stage in Stage::each() {
        let mut doomed = stage.member(&Connect::clean("doomed"), 1);
        let mut steady = stage.member(&Connect::clean("steady"), 1);
        let mut writer = stage.writer();
        for n in 0..10_u8 {
            assert!(writer.publish(TOPIC, &[n]) < 0x80);
        }
        let mut done = BTreeSet::new();
        done.insert(doomed.expect_message().payload[0]);
        for _ in 0..4 {
            done.insert(doomed.expect(wire::PUBLISH).message(stage.version).payload[0]);
        }
        assert_eq!(done.len(), 5, "{:?}: half of it", stage.version);
        let finished = *done.first().expect("the one it acknowledged");
        // Its acknowledgement is in before it dies.
        doomed.expect_silence();
        drop(doomed);
        let seen: BTreeSet<u8> = (0..9).map(|_| steady.expect_message().payload[0]).collect();
        assert_eq!(seen, (0..10).filter(|n| *n != finished).collect(), "{:?}: all the rest, once", stage.version);
        steady.expect_silence();
    }
}

/// [MQTT-4.8.2-4]
#[test]
fn an_exchange_with_qos_2_is_completed_to_the_worker_that_began_it() {
    for stage in Stage::each() {
        let mut first = stage.member(&Connect::lasting("first"), 2);
        let mut writer = stage.writer();
        writer.send(&wire::publish(stage.version, TOPIC, b"once", 2, false, 9));
        assert_eq!(writer.expect(wire::PUBREC).id(), 9);
        let begun = first.expect(wire::PUBLISH).message(stage.version);
        let mut other = stage.member(&Connect::clean("other"), 2);
        first.hang_up();
        first.expect_close();
        other.expect_silence();
        let (mut first, answer) =
            RawClient::try_connect(stage.broker.address, &stage.device, stage.version, &Connect::lasting("first"));
        assert!(answer.session_present());
        let again = first.expect_message();
        assert_eq!((again.id, again.payload), (begun.id, begun.payload), "{:?}", stage.version);
        other.expect_silence();
        first.expect_silence();
    }
}

/// What came while all were away goes to whichever comes first, in order.
#[test]
fn a_queue_goes_to_the_worker_that_comes_first() {
    for stage in Stage::each() {
        for client_id in ["early", "late"] {
            stage.member(&Connect::lasting(client_id), 1).leave();
        }
        let mut writer = stage.writer();
        for n in 0..50_u8 {
            assert!(writer.publish(TOPIC, &[n]) < 0x80);
        }
        for client_id in ["late", "early"] {
            let connect = Connect::lasting(client_id);
            let mut worker = RawClient::connect(stage.broker.address, &stage.device, stage.version, &connect);
            if client_id == "late" {
                for n in 0..50_u8 {
                    assert_eq!(worker.expect_message().payload, [n], "{:?}", stage.version);
                }
            }
            worker.expect_silence();
        }
    }
}
