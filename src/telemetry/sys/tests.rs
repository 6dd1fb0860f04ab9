use super::*;

fn value<'v>(values: &'v [Value], name: &str) -> Option<&'v str> {
    let topic = format!("$SYS/broker/{name}");
    values.iter().find(|value| value.topic == topic).map(|value| value.text.as_str())
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_first_look_says_everything_and_later_ones_what_has_changed() {
    let (mut tree, metrics) = (SysTree::default(), Metrics::default());
    let all = tree.changes(seconds(1), &metrics, Holdings::default());
    assert_eq!(all.len(), 25 + 9 * 3);
    assert_eq!(value(&all, "version"), Some(concat!("certmq version ", env!("CARGO_PKG_VERSION"))));
    assert_eq!(value(&all, "uptime"), Some("1 seconds"));
    assert_eq!(value(&all, "load/messages/sent/15min"), Some("0.00"));
    let topics: std::collections::HashSet<_> = all.iter().map(|value| &value.topic).collect();
    assert_eq!(topics.len(), all.len(), "each topic once");

    let later = tree.changes(seconds(11), &metrics, Holdings::default());
    assert_eq!(later, [Value { topic: "$SYS/broker/uptime".into(), text: "11 seconds".into() }]);
    metrics.clients_connected.increment();
    let holdings = Holdings { sessions: 3, ..Holdings::default() };
    let later = tree.changes(seconds(21), &metrics, holdings);
    for (name, text) in [
        ("clients/connected", "1"),
        ("clients/active", "1"),
        ("clients/disconnected", "2"),
        ("clients/inactive", "2"),
        ("clients/total", "3"),
        ("clients/maximum", "1"),
        ("uptime", "21 seconds"),
    ] {
        assert_eq!(value(&later, name), Some(text), "{name}");
    }
    assert_eq!(later.len(), 7);
    metrics.clients_connected.decrement();
    let later = tree.changes(seconds(31), &metrics, holdings);
    assert_eq!((value(&later, "clients/connected"), value(&later, "clients/maximum")), (Some("0"), None));
}

#[test]
fn what_is_stored_is_retained_queued_or_in_flight() {
    let (mut tree, metrics) = (SysTree::default(), Metrics::default());
    metrics.messages_queued.change(0, 7);
    metrics.messages_queued_bytes.change(0, 700);
    metrics.messages_inflight.change(0, 2);
    let holdings = Holdings { retained: 10, retained_bytes: 50, ..Holdings::default() };
    let values = tree.changes(seconds(1), &metrics, holdings);
    assert_eq!(value(&values, "store/messages/count"), Some("19"));
    assert_eq!(value(&values, "store/messages/bytes"), Some("750"));
    assert_eq!(value(&values, "messages/inflight"), Some("2"));
    assert_eq!(value(&values, "retained messages/count"), Some("10"));
}

#[test]
fn a_steady_rate_is_its_average_and_silence_lets_it_fade() {
    let (mut tree, metrics) = (SysTree::default(), Metrics::default());
    let mut values = Vec::new();
    // Two messages a second for an hour.
    for look in 1..=360 {
        metrics.messages_received.add(20);
        values.extend(tree.changes(seconds(look * 10), &metrics, Holdings::default()));
    }
    let last = |values: &[Value], name: &str| {
        let values: Vec<Value> = values.iter().rev().cloned().collect();
        value(&values, name).unwrap().parse::<f64>().unwrap()
    };
    for (window, least) in [("1min", 119.9), ("5min", 119.9), ("15min", 117.0)] {
        let average = last(&values, &format!("load/publish/received/{window}"));
        assert!((least..=120.0).contains(&average), "{window}: {average}");
    }
    for look in 361..=366 {
        values.extend(tree.changes(seconds(look * 10), &metrics, Holdings::default()));
    }
    let faded = last(&values, "load/publish/received/1min");
    assert!((faded - 120.0 / std::f64::consts::E).abs() < 0.5, "a minute later: {faded}");
    assert!(last(&values, "load/publish/received/15min") > 100.0, "the long window remembers");
}

#[test]
fn a_gauge_that_other_threads_change_meanwhile_is_never_below_zero() {
    let metrics = Metrics::default();
    metrics.messages_queued.change(5, 0);
    assert_eq!(metrics.messages_queued.value(), 0);
    metrics.messages_queued.change(0, 8);
    assert_eq!(metrics.messages_queued.value(), 3);
}
