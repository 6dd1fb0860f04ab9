//! Costs grow as designed: a publication by its matches, memory by what is held, a wildcard subscription not at all by
//! what is retained. Ratios only: `cargo bench --bench bounds` has the figures.

#[path = "counting/mod.rs"]
mod counting;
#[path = "hub_load/mod.rs"]
mod hub_load;

use hub_load::bounds::{
    Reading, Retained, Subscribed, bytes_of_a_deep_subscription, bytes_of_a_retained_message, bytes_of_a_session,
    bytes_of_a_subscription,
};
use std::sync::Mutex;

/// The allocator counts for the process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_publication_costs_by_its_matches_and_not_by_subscriptions() {
    let _alone = ALONE.lock();
    let (mut few, mut many) = (Subscribed::new(200), Subscribed::new(20_000));
    // In turn, and the best of some: what else the machine does hits both.
    let pairs: Vec<_> = (0..5).map(|_| (few.publish_cost(), many.publish_cost())).collect();
    let few = pairs.iter().map(|(few, _)| *few).min().unwrap_or_default();
    let many = pairs.iter().map(|(_, many)| *many).min().unwrap_or_default();
    assert!(many < 4 * few, "{few:?} with 200 other subscriptions, {many:?} with 20 000");
}

#[test]
fn what_is_held_costs_what_the_documentation_says() {
    let _alone = ALONE.lock();
    for (what, bytes, most) in [
        ("a session whose client is away", bytes_of_a_session(2_000, counting::live), 2_000.0),
        ("a subscription", bytes_of_a_subscription(5_000, counting::live), 1_200.0),
        ("a retained message of 64 bytes", bytes_of_a_retained_message(5_000, counting::live), 500.0),
    ] {
        assert!(bytes < most, "{what}: {bytes:.0} bytes, {most} at most");
        assert!(bytes > 64.0, "{what}: {bytes:.0} bytes: nothing was counted");
    }
    let deep = bytes_of_a_deep_subscription(64, counting::live);
    assert!(deep < 64.0 * 400.0, "a subscription of 64 levels: {deep:.0} bytes");
}

#[test]
fn a_wildcard_subscription_streams_what_is_retained() {
    let _alone = ALONE.lock();
    let (few, many) = (Retained::new(1_000), Retained::new(20_000));
    let peak = |retained: &Retained| {
        retained.read();
        counting::peak(|| _ = retained.read())
    };
    let (little, much) = (peak(&few), peak(&many));
    assert!(much < 512 * 1024, "{much} bytes for one reader of 20 000 messages");
    assert!(much < 2 * little, "{little} bytes for a reader of 1 000 messages, {much} of 20 000");
    let first = |retained: &Retained| (0..5).map(|_| retained.read().first).min().unwrap_or_default();
    let (early, late) = (first(&few), first(&many));
    assert!(late < 4 * early, "the first of 1 000 messages after {early:?}, of 20 000 after {late:?}");
    let Reading { first, all, bytes, .. } = many.read();
    assert!(10 * first < all, "the first messages come at once: {first:?} of {all:?} for {bytes} bytes");
}

#[test]
fn reading_what_is_retained_costs_by_what_is_read() {
    let _alone = ALONE.lock();
    let (few, many) = (Retained::new(5_000), Retained::new(20_000));
    let best = |retained: &Retained| (0..5).map(|_| retained.read().all).min().unwrap_or_default();
    let (short, long) = (best(&few), best(&many));
    assert!(long < 10 * short, "5 000 messages in {short:?}, four times as many in {long:?}");
}

/// Each fill is one hold of the session's lock, and looks at a few hundred topics at most: so long do others wait.
#[test]
fn a_selective_filter_jumps_and_a_broad_one_yields() {
    let _alone = ALONE.lock();
    let retained = Retained::new(20_000);
    let one = retained.read_with("t/+/device-7/state");
    assert!(one.bytes > 64 && one.bytes < 256, "one message: {} bytes", one.bytes);
    assert!(one.fills < 5, "{} fills for one message among 20 000 below 97 levels", one.fills);
    let all = retained.read();
    assert!(all.fills >= 20_000 / 256, "{} fills: the session is held for more than 256 topics", all.fills);
}
