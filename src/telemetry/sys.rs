//! The values of `$SYS/broker/…`, under the names that mosquitto's tools know.
//!
//! What certmq does not have is left out: `heap/…` (the allocator does not tell), `connection/…` (there are no bridges).
//! Loads are moving averages of the change a minute, over one, five and fifteen minutes.

use super::metrics::Metrics;
use std::collections::HashMap;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// What the hub knows of itself, counted without a walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Sessions, connected or not.
    pub sessions: u64,
    /// Subscriptions.
    pub subscriptions: u64,
    /// Shared ones among them.
    pub shared_subscriptions: u64,
    /// Retained messages of clients.
    pub retained: u64,
    /// Their bytes.
    pub retained_bytes: u64,
}

/// One value to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The whole topic.
    pub topic: String,
    /// As text.
    pub text: String,
}

/// What was said last, and the averages.
#[derive(Debug, Default)]
pub struct SysTree {
    said: HashMap<String, String>,
    /// Uptime at the last look.
    looked: Duration,
    loads: Vec<Load>,
    most_connected: u64,
}

/// One rate.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    /// The counter at the last look.
    counted: u64,
    /// Changes a minute over one, five and fifteen minutes.
    averages: [f64; WINDOWS.len()],
}

/// The windows of the averages: name and seconds.
const WINDOWS: [(&str, f64); 3] = [("1min", 60.0), ("5min", 300.0), ("15min", 900.0)];

impl SysTree {
    /// The values that have changed since the last call. `uptime` is that of the broker.
    pub fn changes(&mut self, uptime: Duration, metrics: &Metrics, holdings: Holdings) -> Vec<Value> {
        let mut values = counts(metrics, holdings);
        self.most_connected = self.most_connected.max(metrics.clients_connected.value());
        values.push(("clients/maximum".to_owned(), self.most_connected.to_string()));
        values.push(("uptime".to_owned(), format!("{} seconds", uptime.as_secs())));
        values.push(("version".to_owned(), concat!("certmq version ", env!("CARGO_PKG_VERSION")).to_owned()));
        values.extend(self.loads(uptime, metrics));
        let fresh = values.into_iter().filter(|(name, text)| self.said.get(name) != Some(text));
        let fresh: Vec<(String, String)> = fresh.collect();
        self.said.extend(fresh.iter().cloned());
        fresh.into_iter().map(|(name, text)| Value { topic: format!("$SYS/broker/{name}"), text }).collect()
    }

    fn loads(&mut self, uptime: Duration, metrics: &Metrics) -> Vec<(String, String)> {
        let rates = rates(metrics);
        self.loads.resize(rates.len(), Load::default());
        let passed = uptime.saturating_sub(self.looked).as_secs_f64();
        self.looked = uptime;
        let mut values = Vec::new();
        for ((name, counter), load) in rates.into_iter().zip(&mut self.loads) {
            load.look(counter, passed);
            for ((window, _), average) in WINDOWS.iter().zip(load.averages) {
                values.push((format!("load/{name}/{window}"), format!("{average:.2}")));
            }
        }
        values
    }
}

impl Load {
    /// Takes the counter into the averages after `passed` seconds: what is older weighs less, exponentially.
    fn look(&mut self, counter: u64, passed: f64) {
        let grown = counter.saturating_sub(self.counted);
        self.counted = counter;
        if passed <= 0.0 {
            return;
        }
        let a_minute = grown as f64 * 60.0 / passed;
        for (average, (_, window)) in self.averages.iter_mut().zip(WINDOWS) {
            *average = a_minute + (*average - a_minute) * (-passed / window).exp();
        }
    }
}

fn counts(metrics: &Metrics, holdings: Holdings) -> Vec<(String, String)> {
    let connected = metrics.clients_connected.value();
    let away = holdings.sessions.saturating_sub(connected);
    let stored = holdings.retained + metrics.messages_queued.value() + metrics.messages_inflight.value();
    let values = [
        ("clients/connected", connected),
        ("clients/active", connected),
        ("clients/disconnected", away),
        ("clients/inactive", away),
        ("clients/total", holdings.sessions),
        ("clients/expired", metrics.sessions_expired.value()),
        ("bytes/received", metrics.bytes_received.value()),
        ("bytes/sent", metrics.bytes_sent.value()),
        ("messages/received", metrics.packets_received.value()),
        ("messages/sent", metrics.packets_sent.value()),
        ("messages/inflight", metrics.messages_inflight.value()),
        ("messages/stored", stored),
        ("store/messages/count", stored),
        ("store/messages/bytes", holdings.retained_bytes + metrics.messages_queued_bytes.value()),
        ("publish/messages/received", metrics.messages_received.value()),
        ("publish/messages/sent", metrics.messages_sent.value()),
        ("publish/messages/dropped", dropped(metrics)),
        ("publish/bytes/received", metrics.payload_bytes_received.value()),
        ("publish/bytes/sent", metrics.payload_bytes_sent.value()),
        ("retained messages/count", holdings.retained),
        ("subscriptions/count", holdings.subscriptions),
        ("shared_subscriptions/count", holdings.shared_subscriptions),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value.to_string())).collect()
}

/// Counters whose rate is told. The order is that of [`SysTree::loads`].
fn rates(metrics: &Metrics) -> Vec<(&'static str, u64)> {
    vec![
        ("connections", metrics.connects_received.value()),
        ("sockets", metrics.connections_accepted.value()),
        ("messages/received", metrics.packets_received.value()),
        ("messages/sent", metrics.packets_sent.value()),
        ("bytes/received", metrics.bytes_received.value()),
        ("bytes/sent", metrics.bytes_sent.value()),
        ("publish/received", metrics.messages_received.value()),
        ("publish/sent", metrics.messages_sent.value()),
        ("publish/dropped", dropped(metrics)),
    ]
}

fn dropped(metrics: &Metrics) -> u64 {
    metrics.messages_dropped_queue_full.value() + metrics.messages_dropped_slow_reader.value()
}
