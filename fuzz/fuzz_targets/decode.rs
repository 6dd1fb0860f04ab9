//! Any bytes on an open connection; the first chooses version and side. Run: `cargo +nightly fuzz run decode`.
#![no_main]

#[allow(dead_code, reason = "each target checks a part")]
#[path = "../../tests/packets/invariants.rs"]
mod invariants;

use certmq::protocol::{Sender, Version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&connection, bytes)) = input.split_first() else { return };
    let version = Version::ALL[usize::from(connection) % Version::ALL.len()];
    let from = if connection & 0x80 == 0 { Sender::Client } else { Sender::Server };
    invariants::check_connection(bytes, version, from);
});
