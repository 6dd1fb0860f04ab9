//! A broker that runs out of file descriptors.

use crate::common::broker::Broker;
use crate::common::fleet::{Fleet, enter, enter_at};
use crate::common::wire::{self, BOTH, Version};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

/// Few enough that a test can use them up.
const DESCRIPTORS: usize = 64;

#[test]
fn without_file_descriptors_the_served_are_served_and_the_others_come_in_later() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    let serve = fleet.command(["serve"]);
    let mut limited = Command::new("sh");
    limited.arg("-c").arg(format!("ulimit -n {DESCRIPTORS}; exec \"$0\" \"$@\""));
    limited.arg(serve.get_program()).args(serve.get_args());
    for (key, value) in serve.get_envs() {
        match value {
            Some(value) => limited.env(key, value),
            None => limited.env_remove(key),
        };
    }
    if let Some(folder) = serve.get_current_dir() {
        limited.current_dir(folder);
    }
    let broker = Broker::start(&mut limited);
    for endpoint in broker.endpoints() {
        for version in BOTH {
            let mut served = enter_at(endpoint, &device, version, "served");
            let greedy: Vec<TcpStream> =
                (0..2 * DESCRIPTORS).filter_map(|_| TcpStream::connect(endpoint.address()).ok()).collect();
            broker.log.wait_for(&["cannot accept a connection", "Too many open files"]);
            for _ in 0..5 {
                served.send(&wire::ping());
                assert!(served.answers_ping(), "who is served stays served");
            }
            drop(greedy);
            let freed = Instant::now();
            enter_at(endpoint, &device, Version::V5, "later").leave();
            assert!(freed.elapsed() < Duration::from_secs(5), "it took {:?}", freed.elapsed());
            served.leave();
        }
    }
    enter(&broker, &device, Version::V5, "last").leave();
}
