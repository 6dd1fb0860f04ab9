//! The last refusals, each with its cause and a line to paste, and how many there were.
//!
//! ```text
//! refused --> tally of (kind, device, cause): counted; a few a second go on --> ring of the kind --> `certmq denials`
//!                     '-- every minute --> audit trail
//! ```
//!
//! A device that is refused a million times a second costs a lookup each time, and crowds nobody out: it has its own tally,
//! strangers who fail in the handshake have their own ring.

mod ring;
mod tally;
#[cfg(test)]
mod tests;

pub use tally::Tallied;

use super::metrics::METRICS;
use parking_lot::Mutex;
use ring::Ring;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};
use tally::{Admitted, Tallies};
use tokio::sync::watch;

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A TLS handshake.
    Handshake,
    /// A CONNECT.
    Connect,
    /// A PUBLISH.
    Publish,
    /// One filter of a SUBSCRIBE.
    Subscribe,
}

/// The facts that every refusal has.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Refused<'a> {
    /// What.
    pub kind: Kind,
    /// The trust block; empty where no certificate was accepted.
    pub trust: &'a str,
    /// The device, or the subject that was presented.
    pub device: &'a str,
    /// The rule that denied, where one did.
    pub rule: Option<[u8; 6]>,
    /// Why, in words that few refusals differ in: what is counted together.
    pub cause: &'a str,
}

/// What is worked out only for a refusal that is shown.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// Why exactly, where there is more to say.
    pub cause: Option<String>,
    /// Empty before CONNECT.
    pub client_id: String,
    /// The topic or filter, where there is one.
    pub topic: Option<String>,
    /// What the peer was answered, where it was: the reason code of 5.0.
    pub reason_code: Option<u8>,
    /// A line to paste, or what to do.
    pub remedy: Option<String>,
}

/// One refusal, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// Counts what is shown.
    pub number: u64,
    /// RFC 3339 in UTC.
    pub time: String,
    /// What was refused.
    pub kind: Kind,
    /// The trust block; empty where no certificate was accepted.
    pub trust: String,
    /// The device, or the subject that was presented.
    pub device: String,
    /// From where.
    pub address: String,
    /// Empty before CONNECT.
    pub client_id: String,
    /// The topic or filter.
    pub topic: Option<String>,
    /// The rule that denied; none: no rule allowed it.
    pub rule: Option<String>,
    /// Why.
    pub cause: String,
    /// The reason code of MQTT 5.0.
    pub reason_code: Option<u8>,
    /// A line to paste, or what to do.
    pub remedy: Option<String>,
    /// Refusals of the same kind, device and cause before this one that are not shown.
    pub left_out: u64,
}

/// What a reader gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In order.
    pub denials: Vec<Denial>,
    /// Where the next page begins.
    pub next: u64,
    /// Shown ones since the page before that are gone already, of whatever device.
    pub skipped: u64,
}

/// Bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Of each kind: shown refusals, and tallies.
    pub entries: usize,
    /// Of each kind: bytes of shown refusals.
    pub bytes: usize,
}

/// Refusals of one tally that are shown in a second.
const PER_SECOND: u32 = 5;

/// Bytes of a text that is kept.
const TEXT_BYTES: usize = 1024;

/// The refusals of a broker.
#[derive(Debug)]
pub struct Denials {
    tallies: Tallies,
    ring: Mutex<Ring>,
    /// The number of the newest.
    newest: watch::Sender<u64>,
}

impl Denials {
    /// None yet.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            tallies: Tallies::new(bounds.entries),
            ring: Mutex::new(Ring::new(bounds)),
            newest: watch::Sender::new(0),
        }
    }

    /// Counts a refusal; shows it, with its `details`, unless its device had too many this second.
    pub fn add(&self, refused: Refused<'_>, address: Option<SocketAddr>, details: impl FnOnce() -> Details) {
        let now = SystemTime::now();
        let Admitted::Shown { left_out } = self.tallies.count(refused, address, now) else {
            METRICS.denials_left_out.increment();
            return;
        };
        let Details { cause, client_id, topic, reason_code, remedy } = details();
        let denial = Denial {
            number: 0,
            time: super::audit::time_text(now),
            kind: refused.kind,
            trust: bounded(refused.trust),
            device: bounded(refused.device),
            address: address.map(|address| address.to_string()).unwrap_or_default(),
            client_id: bounded(&client_id),
            topic: topic.as_deref().map(bounded),
            rule: refused.rule.map(tally::rule_text),
            cause: bounded(cause.as_deref().unwrap_or(refused.cause)),
            reason_code,
            remedy: remedy.filter(|remedy| remedy.len() <= 4 * TEXT_BYTES),
            left_out,
        };
        let number = self.ring.lock().push(denial);
        self.newest.send_replace(number);
    }

    /// At most `most` shown refusals with numbers beyond `after` that are `wanted`.
    pub fn after(&self, after: u64, most: usize, wanted: impl Fn(&Denial) -> bool) -> Page {
        self.ring.lock().after(after, most, wanted)
    }

    /// Returns when there is one beyond `after`, or when `patience` has passed.
    pub async fn changed(&self, after: u64, patience: Duration) {
        let mut newest = self.newest.subscribe();
        let _ = tokio::time::timeout(patience, newest.wait_for(|newest| *newest > after)).await;
    }

    /// What was counted since the last call.
    pub fn drain(&self) -> Vec<Tallied> {
        self.tallies.drain()
    }
}

impl Kind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Connect => "connect",
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Handshake => 0,
            Self::Connect => 1,
            Self::Publish => 2,
            Self::Subscribe => 3,
        }
    }
}

fn bounded(text: &str) -> String {
    if text.len() <= TEXT_BYTES {
        return text.to_owned();
    }
    let end = (0..=TEXT_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}…", text.get(..end).unwrap_or_default())
}
