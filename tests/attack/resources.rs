//! Peers that take more than their share.

use crate::bench::{Device, NOW, Seat, hub, policy};
use certmq::config::Limits;
use certmq::hub::{Outbound, Wakes};
use certmq::protocol::{Packet, ReasonCode, Version};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Wake, Waker};

const FLEET: &str = r#"version = 1
[groups.all]
allow = [ { publish = "t/#" }, { subscribe = "t/#" } ]
[[devices]]
subject = "hostile"
groups = ["all"]
[[devices]]
subject = "good"
groups = ["all"]
[[devices]]
subject = "reader"
groups = ["all"]
"#;

#[test]
fn messages_of_a_writer_that_lost_its_right_do_not_keep_the_queue_from_others() {
    let hub = hub(FLEET, Limits { queued_messages: 5, ..Limits::default() });
    let reader = Device::new("reader", "x");
    let mut hostile = Seat::take(&hub, &Device::new("hostile", "x"), "hostile").unwrap();
    let mut good = Seat::take(&hub, &Device::new("good", "x"), "good").unwrap();
    let mut seat = Seat::take(&hub, &reader, "reader").unwrap();
    seat.subscribe("t/#");
    seat.leave();
    for id in 1..=5 {
        hostile.publish("t/flood", "flood", false, id);
    }
    let disabled = FLEET.replace("subject = \"hostile\"\n", "subject = \"hostile\"\nenabled = false\n");
    hub.set_policy(policy(&disabled, 2));
    let mut seat = Seat::take(&hub, &reader, "reader").unwrap();
    assert_eq!(seat.read(), [""; 0]);
    seat.leave();
    for id in 1..=3 {
        good.publish("t/good", &format!("good {id}"), false, id);
    }
    let mut seat = Seat::take(&hub, &reader, "reader").unwrap();
    assert_eq!(seat.read(), ["good 1", "good 2", "good 3"]);
}

#[test]
fn a_reader_that_never_acknowledges_holds_a_bounded_number_of_bytes() {
    let limits = Limits { queued_bytes: 100_000, ..Limits::default() };
    let hub = hub(FLEET, limits);
    let mut good = Seat::take(&hub, &Device::new("good", "x"), "good").unwrap();
    let mut seat = Seat::take(&hub, &Device::new("reader", "x"), "reader").unwrap();
    seat.subscribe("t/#");
    let payload = "x".repeat(10_000);
    let mut sent = 0;
    for id in 1..=100 {
        good.publish("t/a", &payload, false, id);
        sent += seat.look().len();
    }
    assert!((10..=11).contains(&sent), "{sent} messages of 10 kB in flight");
    assert_eq!(hub.queued_messages(), 9, "and the queue full");
}

#[test]
fn nothing_follows_the_last_word() {
    let outbound = Outbound::new(4096, NOW);
    let mut wakes = Wakes::default();
    outbound.close(Version::V5, ReasonCode::AdministrativeAction, &mut wakes);
    outbound.push(&mut wakes, |outbox| Packet::PingResp.encode(Version::V5, outbox.frames()));
    let mut frames = Vec::new();
    assert_eq!(outbound.take(&mut frames).closing, Some(ReasonCode::AdministrativeAction));
    assert_eq!(frames.first(), Some(&0xE0));
    assert_eq!(frames.len(), 2 + usize::from(frames[1]), "DISCONNECT alone: {frames:x?}");
}

#[test]
fn a_task_that_is_about_to_wait_for_its_socket_notices_that_it_was_closed() {
    let outbound = Outbound::new(4096, NOW);
    outbound.close(Version::V5, ReasonCode::SessionTakenOver, &mut Wakes::default());
    assert!(!outbound.stall(Waker::noop()), "it would sleep until its socket or its deadline moves");
}

/// Counts its wake-ups, and remembers the last until it is asked.
#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    rings: AtomicUsize,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rings.fetch_add(1, Ordering::Relaxed);
        self.rung.store(true, Ordering::Release);
    }
}

/// The protocol of `sleep`, `push` and `awake` against many writers: whatever was pushed is taken, though the task
/// looks only after a wake-up, and sleeping it is woken once for many pushes.
#[test]
fn no_wake_up_is_lost_between_many_writers_and_a_sleeping_task() {
    const WRITERS: usize = 3;
    const PUSHES: usize = 50_000;
    let outbound = Outbound::new(usize::MAX, NOW);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut taken = 0;
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                for _ in 0..PUSHES {
                    outbound.push(&mut Wakes::default(), |outbox| outbox.frames().push(1));
                }
            });
        }
        let mut frames = Vec::new();
        let began = std::time::Instant::now();
        while taken < WRITERS * PUSHES {
            outbound.take(&mut frames);
            taken += frames.len();
            if outbound.sleep(&waker) {
                while taken < WRITERS * PUSHES && !bell.rung.swap(false, Ordering::Acquire) {
                    assert!(began.elapsed().as_secs() < 60, "asleep with {taken} taken");
                    std::thread::yield_now();
                }
            }
        }
    });
    assert_eq!(taken, WRITERS * PUSHES);
    assert!(bell.rings.load(Ordering::Relaxed) <= WRITERS * PUSHES);
}
