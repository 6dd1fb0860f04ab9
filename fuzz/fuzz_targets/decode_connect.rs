//! Any bytes as the first packet of a connection. Run: `cargo +nightly fuzz run decode_connect`.
#![no_main]

#[allow(dead_code, reason = "each target checks a part")]
#[path = "../../tests/packets/invariants.rs"]
mod invariants;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| invariants::check_first(input));
