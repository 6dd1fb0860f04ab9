//! What a run measured, for people and for scripts.

use crate::pairs::Load;
use crate::wire::Negotiated;
use hdrhistogram::Histogram;
use std::fmt;

/// Above this share of a CPU per thread the generator may have been what limited the run.
const GENERATOR_LIMIT: f64 = 0.9;

/// The figures of one run.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Report {
    /// What was run.
    pub load: Load,
    /// Messages sent.
    pub sent: u64,
    /// Different messages received.
    pub received: u64,
    /// Messages that never came.
    pub lost: u64,
    /// Messages that came again; with QoS 1 the standard allows it.
    pub duplicates: u64,
    /// Messages that came after a later one of the same publisher.
    pub out_of_order: u64,
    /// Messages that the broker refused (5.0).
    pub refused: u64,
    /// Packets that made no sense to a publisher.
    pub protocol_faults: u64,
    /// From the first message to the arrival of the last.
    pub seconds: f64,
    /// Received messages a second, all pairs together.
    pub messages_per_second: f64,
    /// From before the write to after the read.
    pub latency: Latency,
    /// What TLS agreed on.
    pub tls: Negotiated,
    /// CPU time of the broker per received message; the resolution of the whole is 10 ms.
    pub broker_cpu_microseconds: Option<f64>,
    /// CPUs that the broker kept busy.
    pub broker_cpu_share: Option<f64>,
    /// Resident memory of the broker at the end.
    pub broker_resident_kib: Option<u64>,
    /// CPUs that this program kept busy.
    pub generator_cpu_share: f64,
}

/// Microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Latency {
    pub p50: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
}

impl Latency {
    /// The quantiles of a histogram in microseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: histogram.max() }
    }
}

impl Report {
    /// Whether every message came exactly once and in order. A duplicate of QoS 1 is no fault.
    pub fn is_clean(&self) -> bool {
        let duplicates = if self.load.qos == 1 { 0 } else { self.duplicates };
        self.lost == 0 && self.out_of_order == 0 && self.refused == 0 && self.protocol_faults == 0 && duplicates == 0
    }

    /// Whether this program may have been what limited the run, when it runs on `threads` threads.
    pub fn generator_was_the_limit(&self, threads: usize) -> bool {
        self.load.rate.is_none() && self.generator_cpu_share > GENERATOR_LIMIT * threads as f64
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Load { pairs, messages, qos, payload, batch, window, .. } = self.load;
        writeln!(
            f,
            "pairs       {pairs} x {messages} messages of {payload} bytes, QoS {qos}, {batch} a write, window {window}"
        )?;
        writeln!(f, "TLS         {} {} {}", self.tls.version, self.tls.cipher, self.tls.group)?;
        writeln!(
            f,
            "messages    {} sent, {} received, {} lost, {} duplicates, {} out of order, {} refused, {} protocol faults",
            self.sent, self.received, self.lost, self.duplicates, self.out_of_order, self.refused, self.protocol_faults
        )?;
        writeln!(f, "throughput  {:.0} messages/s in {:.2} s", self.messages_per_second, self.seconds)?;
        let Latency { p50, p99, p999, max } = self.latency;
        writeln!(f, "latency     p50 {p50} us, p99 {p99} us, p99.9 {p999} us, max {max} us")?;
        if let (Some(cpu), Some(share)) = (self.broker_cpu_microseconds, self.broker_cpu_share) {
            writeln!(f, "broker      {cpu:.2} us CPU per message, {share:.2} CPUs busy")?;
        }
        if let Some(kib) = self.broker_resident_kib {
            writeln!(f, "            {kib} KiB resident")?;
        }
        write!(f, "generator   {:.2} CPUs busy", self.generator_cpu_share)
    }
}
