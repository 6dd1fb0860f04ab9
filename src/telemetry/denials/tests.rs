use super::*;
use std::time::UNIX_EPOCH;

const BOUNDS: Bounds = Bounds { entries: 32, bytes: 1 << 20 };

fn refused<'a>(kind: Kind, device: &'a str) -> Refused<'a> {
    Refused { kind, trust: "default", device, rule: None, cause: "no rule allows it" }
}

fn add(denials: &Denials, kind: Kind, device: &str) {
    denials.add(refused(kind, device), None, Details::default);
}

fn all(denials: &Denials) -> Page {
    denials.after(0, usize::MAX, |_| true)
}

#[test]
fn a_million_refusals_of_one_device_cost_little_and_crowd_nobody_out() {
    let denials = Denials::new(BOUNDS);
    add(&denials, Kind::Publish, "CN=b");
    let mut worked_out = 0;
    for _ in 0..1_000_000 {
        denials.add(refused(Kind::Publish, "CN=a"), None, || {
            worked_out += 1;
            Details::default()
        });
    }
    assert!((PER_SECOND as usize..100).contains(&worked_out), "{worked_out} of a million were worked out");
    let page = all(&denials);
    assert!(page.denials.iter().any(|denial| denial.device == "CN=b"));
    let shown = page.denials.iter().filter(|denial| denial.device == "CN=a").count() as u64;
    let left_out: u64 = page.denials.iter().map(|denial| denial.left_out).sum();
    let tallied = denials.drain();
    let total = tallied.iter().find(|tallied| tallied.device == "CN=a").unwrap().count;
    assert_eq!(total, 1_000_000, "the count is exact");
    assert!(shown + left_out <= total);
    assert_eq!(denials.drain(), [], "each is told once");
}

#[test]
fn what_was_left_out_is_told_with_the_next_that_is_shown() {
    let tallies = Tallies::new(32);
    let second = |second| UNIX_EPOCH + Duration::from_secs(second);
    let count = |at| tallies.count(refused(Kind::Publish, "CN=a"), None, second(at));
    let shown = (0..100).filter(|_| count(7) == Admitted::Shown { left_out: 0 }).count();
    assert_eq!(shown, PER_SECOND as usize);
    assert_eq!(tallies.drain()[0].count, 100);
    assert_eq!(count(8), Admitted::Shown { left_out: 100 - u64::from(PER_SECOND) }, "even after the minute is over");
    assert_eq!(count(8), Admitted::Shown { left_out: 0 });
}

fn denial(kind: Kind, device: &str) -> Denial {
    Denial {
        number: 0,
        time: String::new(),
        kind,
        trust: String::new(),
        device: device.to_owned(),
        address: String::new(),
        client_id: String::new(),
        topic: None,
        rule: None,
        cause: String::new(),
        reason_code: None,
        remedy: None,
        left_out: 0,
    }
}

fn shown(ring: &Ring, kind: Kind) -> Vec<Denial> {
    ring.after(0, usize::MAX, |denial| denial.kind == kind).denials
}

#[test]
fn the_ring_of_each_kind_is_bounded_in_number_and_bytes() {
    let mut ring = Ring::new(Bounds { entries: 32, bytes: 20_000 });
    ring.push(denial(Kind::Subscribe, "CN=kept"));
    for number in 0..1_000 {
        ring.push(denial(Kind::Handshake, &format!("CN={number}")));
        ring.push(denial(Kind::Publish, &"x".repeat(1_000)));
    }
    let handshakes = shown(&ring, Kind::Handshake);
    assert_eq!((handshakes.len(), handshakes.last().unwrap().device.as_str()), (32, "CN=999"));
    assert_eq!(shown(&ring, Kind::Subscribe).len(), 1, "strangers crowd out strangers only");
    let published = shown(&ring, Kind::Publish).len();
    assert!((10..20).contains(&published), "{published} of a thousand bytes in 20 000");
}

#[test]
fn texts_are_bounded() {
    let denials = Denials::new(BOUNDS);
    let long = "é".repeat(50_000);
    denials.add(refused(Kind::Publish, &long), None, || Details {
        cause: Some(long.clone()),
        client_id: long.clone(),
        topic: Some(long.clone()),
        reason_code: None,
        remedy: Some(long.clone()),
    });
    let shown = serde_json::to_string(&all(&denials).denials[0]).unwrap();
    assert!(shown.len() < 6 * TEXT_BYTES, "{}", shown.len());
}

#[test]
fn tallies_are_bounded_and_the_others_are_one_number() {
    let denials = Denials::new(BOUNDS);
    for number in 0..10_000 {
        add(&denials, Kind::Handshake, &format!("CN={number}"));
    }
    add(&denials, Kind::Publish, "CN=known");
    let tallied = denials.drain();
    assert!(tallied.len() < 64, "{}", tallied.len());
    let handshakes = tallied.iter().filter(|tallied| tallied.kind == Kind::Handshake);
    assert_eq!(handshakes.map(|tallied| tallied.count).sum::<u64>(), 10_000);
    assert!(tallied.iter().any(|tallied| tallied.device == "CN=known"));
    add(&denials, Kind::Handshake, "CN=new");
    assert_eq!(denials.drain()[0].device, "CN=new", "the next minute begins anew");
}

#[test]
fn a_reader_who_is_slow_skips_and_is_told_how_many() {
    let mut ring = Ring::new(BOUNDS);
    (0..10).for_each(|number| _ = ring.push(denial(Kind::Publish, &format!("CN={number}"))));
    let first = ring.after(0, 4, |_| true);
    assert_eq!((first.denials.len(), first.next, first.skipped), (4, 4, 0));
    (10..100).for_each(|number| _ = ring.push(denial(Kind::Publish, &format!("CN={number}"))));
    let second = ring.after(first.next, usize::MAX, |_| true);
    assert_eq!((second.denials.len(), second.next, second.skipped), (32, 100, 96 - 32));
    assert_eq!(ring.after(100, usize::MAX, |_| true), Page { next: 100, ..Page::default() });
    let wanted = ring.after(0, usize::MAX, |denial| denial.device == "CN=99");
    assert_eq!((wanted.denials.len(), wanted.next), (1, 100));
}

#[test]
fn a_follower_is_woken() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let denials = std::sync::Arc::new(Denials::new(BOUNDS));
    let other = std::sync::Arc::clone(&denials);
    runtime.block_on(async {
        let follower = tokio::spawn(async move { other.changed(0, Duration::from_secs(60)).await });
        tokio::task::yield_now().await;
        add(&denials, Kind::Connect, "CN=a");
        tokio::time::timeout(Duration::from_secs(10), follower).await.expect("woken at once").unwrap();
        denials.changed(1, Duration::from_millis(1)).await;
    });
}
