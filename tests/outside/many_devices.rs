//! Changes of a large policy while traffic flows: what a change costs goes by what it touches.
//!
//! `CERTMQ_FLEET_DEVICES` sets how many devices there are (50 000; `tests/nightly` takes a million).

use crate::common::fleet::{Fleet, enter};
use crate::common::wire::Version;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Within which a change of one device, or of a group of all, must have returned: the command's start, its sync to the
/// disk and a build that is not optimised included.
const SOON: Duration = Duration::from_secs(1);

/// The longest that anybody may wait for a PUBACK meanwhile.
const UNNOTICED: Duration = Duration::from_millis(250);

fn devices() -> usize {
    std::env::var("CERTMQ_FLEET_DEVICES").ok().map_or(50_000, |count| count.parse().expect("a number"))
}

#[test]
fn a_change_of_one_device_and_of_a_group_of_all_is_quick_and_traffic_goes_on() {
    let fleet = Fleet::new();
    let talker = fleet.device("talker");
    let mut text = fleet.run(["export"]);
    for number in 0..devices() {
        let _ = write!(text, "\n[[devices]]\nsubject = \"CN=dev-{number:07},O=acme\"\ngroups = [\"devices\"]\n");
    }
    std::fs::write(fleet.path("fleet.toml"), text).expect("a writable folder");
    fleet.run(["apply", "fleet.toml"]);
    let broker = fleet.serve();
    let mut client = enter(&broker, &talker, Version::V5, "talks");
    let stop = AtomicBool::new(false);
    let (slowest, count) = thread::scope(|scope| {
        let talking = scope.spawn(|| {
            let (mut slowest, mut count) = (Duration::ZERO, 0_u32);
            while !stop.load(Ordering::Relaxed) {
                let sent = Instant::now();
                assert!(client.publish("devices/talker/x", b"x") < 0x80);
                slowest = slowest.max(sent.elapsed());
                count += 1;
            }
            (slowest, count)
        });
        let changes: [&[&str]; 5] = [
            &["acl", "allow", "CN=dev-00000?1,O=acme", "publish", "extra?/one"],
            &["device", "disable", "CN=dev-00000?2,O=acme"],
            &["acl", "allow", "--group", "devices", "publish", "extra?/{cn}"],
            &["acl", "deny", "--group", "devices", "publish", "never?/#"],
            &["device", "remove", "CN=dev-00000?3,O=acme"],
        ];
        for change in changes {
            let mut times: Vec<Duration> = (0..3)
                .map(|round| {
                    let words: Vec<String> = change.iter().map(|word| word.replace('?', &round.to_string())).collect();
                    let started = Instant::now();
                    fleet.run(&words);
                    started.elapsed()
                })
                .collect();
            times.sort_unstable();
            eprintln!("{}: median {:.1?} of {times:.1?}", change.join(" "), times[1]);
            assert!(times[1] < SOON, "{change:?} took {times:?}");
        }
        stop.store(true, Ordering::Relaxed);
        talking.join().expect("it talks to the end")
    });
    eprintln!("{} devices, {count} publishes meanwhile, the slowest took {slowest:.1?}", devices());
    assert!(slowest < UNNOTICED, "{slowest:?}");
    assert!(client.publish("extra0/talker", b"x") < 0x80, "the change of the group is in force");
}
