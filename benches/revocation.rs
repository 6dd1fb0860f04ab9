//! A CA that revoked a million certificates: `cargo bench --bench revocation -- [SERIALS]`.
//!
//! Prints the time and memory to load its list, the time to judge a live connection by it, and the time to find out
//! what a new list changes.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/counting/mod.rs"]
mod counting;
#[path = "../tests/revocation_load/mod.rs"]
mod revocation_load;

use revocation_load::{Form, World};
use std::time::Instant;

fn main() {
    let serials = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    for form in [Form::Pem, Form::Der] {
        let mut world = World::new(serials, form);
        println!("{serials} serials of 16 octets, {form:?}, {} bytes", world.file_bytes());
        let before = counting::live();
        let started = Instant::now();
        let mut loaded = None;
        let peak = counting::peak(|| loaded = Some(world.load()));
        let elapsed = started.elapsed();
        let Some(tls) = loaded else { return };
        println!("  load                                  {:9.3} s", elapsed.as_secs_f64());
        println!("  memory held                           {:9.1} MB", (counting::live() - before) as f64 / 1e6);
        println!("  memory at most while loading          {:9.1} MB", peak as f64 / 1e6);
        let (revoked, others) = world.judgements(&tls, 5_000);
        println!("  judge a live connection, revoked      {:9} ns", revoked.as_nanos());
        println!("  judge a live connection, not revoked  {:9} ns", others.as_nanos());
        let (changed, elapsed) = world.one_more(&tls);
        println!("  find the {changed} serial more of a new list {:11.3} s", elapsed.as_secs_f64());
    }
}
