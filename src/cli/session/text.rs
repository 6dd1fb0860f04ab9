//! Sessions for people.

use crate::admin::reply::{SessionDetailView, SessionState, SessionView, SessionsView, SubscriptionView};
use crate::cli::output::Table;

/// One line a session.
pub(super) fn list(view: &SessionsView) -> String {
    let mut table = Table::new(&[
        "DEVICE",
        "CLIENT ID",
        "STATE",
        "SINCE",
        "ADDRESS",
        "VERSION",
        "SUBSCRIPTIONS",
        "QUEUED",
        "INFLIGHT",
        "DROPPED",
    ]);
    for session in &view.sessions {
        table.row(&[
            device(session),
            session.client_id.clone(),
            state(session.state).to_owned(),
            session.since.clone(),
            session.address.clone().unwrap_or_else(nothing),
            session.version.clone().unwrap_or_else(nothing),
            session.subscriptions.to_string(),
            session.queued.to_string(),
            session.inflight.to_string(),
            session.dropped.to_string(),
        ]);
    }
    table.render()
}

/// Everything about one.
pub(super) fn show(view: &SessionDetailView) -> String {
    let session = &view.session;
    let (queue, dropped) = (&view.queue, &view.dropped);
    let mut table = Table::default();
    table.row(&["device", &device(session)]);
    table.row(&["client id", &session.client_id]);
    table.row(&["state", &format!("{} since {}", state(session.state), session.since)]);
    for (name, value) in [
        ("address", session.address.clone()),
        ("version", session.version.clone()),
        ("last packet", view.last_received.clone()),
        ("silence", view.silence_seconds.map(|seconds| format!("{seconds} s at most"))),
        ("receive maximum", view.receive_maximum.map(|count| count.to_string())),
        ("largest packet", view.maximum_packet_size.map(|bytes| format!("{bytes} bytes"))),
    ] {
        if let Some(value) = value {
            table.row(&[name, &value]);
        }
    }
    table.row(&["certificate", &format!("{}, serial {}", view.certificate.subject, view.certificate.serial)]);
    table.row(&["expiry", &expiry(view)]);
    table.row(&["will", &will(view)]);
    table.row(&["queue", &format!("{} message(s), {} bytes", queue.queued, queue.queued_bytes)]);
    table.row(&["in flight", &format!("{} message(s), {} bytes", queue.inflight, queue.inflight_bytes)]);
    table.row(&[
        "withheld",
        &format!("{} message(s), {} bytes; {} in flight", queue.withheld, queue.withheld_bytes, queue.held),
    ]);
    for (name, count) in [
        ("dropped, queue full", dropped.queue_full),
        ("dropped, slow reader", dropped.slow_reader),
        ("dropped, expired", dropped.expired),
        ("dropped, no right", dropped.withheld),
        ("dropped, too large", dropped.too_large),
    ] {
        table.row(&[name, &count.to_string()]);
    }
    table.row(&["QoS 2 ids from it", &view.unreleased_ids.to_string()]);
    table.row(&["retained to come", &format!("for {} subscription(s)", view.retained_pending)]);
    table.row(&["subscriptions", &view.subscriptions.len().to_string()]);
    let mut text = table.render();
    text.push_str(&subscriptions(&view.subscriptions));
    text
}

fn subscriptions(subscriptions: &[SubscriptionView]) -> String {
    if subscriptions.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["FILTER", "QOS", "ID", "OPTIONS"]);
    for subscription in subscriptions {
        let flags = [
            (subscription.no_local, "no local"),
            (subscription.retain_as_published, "retain as published"),
            (subscription.retain_handling == "on_new_subscription", "retained only when new"),
            (subscription.retain_handling == "never", "no retained"),
        ];
        let flags: Vec<&str> = flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
        table.row(&[
            subscription.filter.clone(),
            subscription.qos.to_string(),
            subscription.identifier.map_or_else(nothing, |id| id.to_string()),
            flags.join(", "),
        ]);
    }
    format!("\n{}", table.render())
}

fn expiry(view: &SessionDetailView) -> String {
    match (&view.expires, view.expiry_seconds) {
        (Some(expires), _) => format!("at {expires}"),
        (None, 0) => "with its connection".to_owned(),
        (None, seconds) => format!("{seconds} s after its connection"),
    }
}

fn will(view: &SessionDetailView) -> String {
    match &view.will {
        None => "none".to_owned(),
        Some(will) if will.pending => format!("to {}, waiting for its delay of {} s", will.topic, will.delay_seconds),
        Some(will) => format!("to {}, delay {} s", will.topic, will.delay_seconds),
    }
}

/// With the trust block where it is not the usual one.
fn device(session: &SessionView) -> String {
    match session.trust.as_str() {
        crate::policy::DeviceKey::DEFAULT_TRUST => session.device.clone(),
        trust => format!("{} (trust {trust})", session.device),
    }
}

fn state(state: SessionState) -> &'static str {
    match state {
        SessionState::Connected => "connected",
        SessionState::Away => "away",
    }
}

fn nothing() -> String {
    "-".to_owned()
}
