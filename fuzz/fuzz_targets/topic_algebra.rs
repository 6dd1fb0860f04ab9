//! Two filters and a topic, one on each line. Run: `cargo +nightly fuzz run topic_algebra`.
#![no_main]

#[allow(dead_code, reason = "each target checks a part")]
#[path = "../../tests/packets/invariants.rs"]
mod invariants;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let mut lines = input.splitn(3, '\n');
    if let (Some(left), Some(right), Some(topic)) = (lines.next(), lines.next(), lines.next()) {
        invariants::check_algebra(left, right, topic);
    }
});
