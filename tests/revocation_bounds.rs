//! Large revocation lists load in time proportional to their size, hold little more than the serials, and answer
//! without a walk. Generous bounds on a small list: `cargo bench --bench revocation` has the figures for a million.

#[path = "counting/mod.rs"]
mod counting;
#[path = "revocation_load/mod.rs"]
mod revocation_load;

use revocation_load::{Form, World};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The allocator counts for the process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_list_of_fifty_thousand_loads_at_once_and_is_small() {
    let _alone = ALONE.lock();
    for form in [Form::Pem, Form::Der] {
        let world = World::new(50_000, form);
        let (before, started) = (counting::live(), Instant::now());
        let mut loaded = None;
        let allocations = counting::allocations(|| loaded = Some(world.load()));
        let elapsed = started.elapsed();
        let held = counting::live() - before;
        let tls = loaded.expect("loaded");
        assert!(elapsed < Duration::from_secs(5), "{form:?}: {elapsed:?}");
        assert!((800_000..1_200_000).contains(&held), "{form:?}: {held} bytes for 50 000 serials of 16 octets");
        // A few for the certificates, none for each serial.
        assert!(allocations < 5_000, "{form:?}: {allocations} allocations");
        let (revoked, others) = world.judgements(&tls, 2_000);
        assert!(revoked.max(others) < Duration::from_micros(100), "{form:?}: {revoked:?}, {others:?}");
    }
}

/// Twenty times the serials may cost eighty times as much and no more: a walk over pairs would cost four hundred.
#[test]
fn the_time_to_load_grows_with_the_list_and_not_with_its_square() {
    let _alone = ALONE.lock();
    let (few, many) = (World::new(2_000, Form::Der), World::new(40_000, Form::Der));
    let time = |world: &World| {
        let started = Instant::now();
        world.load();
        started.elapsed()
    };
    let best = |world: &World| (0..3).map(|_| time(world)).min().unwrap_or_default();
    let (little, much) = (best(&few), best(&many));
    assert!(much < 80 * little, "{little:?} for 2 000 serials, {much:?} for 40 000");
}

#[test]
fn one_serial_more_is_found_among_all_the_others() {
    let _alone = ALONE.lock();
    let mut world = World::new(50_000, Form::Der);
    let old = world.load();
    let (changed, elapsed) = world.one_more(&old);
    assert_eq!(changed, 1);
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
}
