//! What became of the connections.

use std::collections::BTreeMap;
use std::fmt;

/// The end of the scenario.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct HoldReport {
    /// How many there were.
    pub connections: usize,
    /// How many the broker left open.
    pub held: usize,
    /// The others, by number.
    pub closed: Vec<Closing>,
}

/// One connection that the broker closed. Times are milliseconds after the mark, negative before it; none without one.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Closing {
    /// Its number: it had the client id `hold-NUMBER`.
    pub connection: usize,
    /// The common name in its certificate.
    pub device: String,
    /// `DISCONNECT` with its reason, or how the stream ended.
    pub reason: String,
    /// When that came.
    pub closed_ms: Option<f64>,
    /// When the stream ended; none: it had not when the report was made.
    pub ended_ms: Option<f64>,
    /// Packets after the mark and before the end, DISCONNECT not counted.
    pub late_packets: u64,
    /// When the last packet came, DISCONNECT not counted.
    pub last_packet_ms: Option<f64>,
}

impl HoldReport {
    /// How many were closed with each reason.
    pub fn reasons(&self) -> BTreeMap<&str, usize> {
        let mut reasons = BTreeMap::new();
        for closing in &self.closed {
            *reasons.entry(closing.reason.as_str()).or_default() += 1;
        }
        reasons
    }

    /// The latest of a time of the closed connections.
    pub fn latest(&self, time: impl Fn(&Closing) -> Option<f64>) -> Option<f64> {
        self.closed.iter().filter_map(time).max_by(f64::total_cmp)
    }
}

impl fmt::Display for HoldReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "connections {}, {} closed, {} held", self.connections, self.closed.len(), self.held)?;
        for (reason, count) in self.reasons() {
            writeln!(f, "closed      {count} x {reason}")?;
        }
        let times: [(&str, Option<f64>); 3] = [
            ("told", self.latest(|closing| closing.closed_ms)),
            ("socket", self.latest(|closing| closing.ended_ms)),
            ("packet", self.latest(|closing| closing.last_packet_ms)),
        ];
        for (what, latest) in times {
            if let Some(latest) = latest {
                writeln!(f, "last {what:6} {latest:.1} ms after the mark")?;
            }
        }
        let late: u64 = self.closed.iter().map(|closing| closing.late_packets).sum();
        write!(f, "packets     {late} between the mark and the end of those that were closed")
    }
}
