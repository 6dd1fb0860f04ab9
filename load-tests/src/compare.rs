//! certmq beside a peer: alternating runs on one machine, medians of the ratios of each pair of runs.

use crate::LoadError;
use crate::certs::Certificates;
use crate::pairs::{self, Load, PairsOptions};
use crate::peers::Peer;
use crate::report::Report;
use crate::wire::Version;
use std::fmt;
use std::path::{Path, PathBuf};

/// What to compare.
#[derive(Clone, Debug, clap::Args)]
pub struct CompareOptions {
    /// The certmq program
    #[arg(long, default_value = "target/release/certmq", value_name = "FILE")]
    pub certmq: PathBuf,
    /// The mosquitto program
    #[arg(long, default_value = "/usr/sbin/mosquitto", value_name = "FILE")]
    pub mosquitto: PathBuf,
    /// Run only one of the two, without ratios
    #[arg(long, value_name = "BROKER")]
    pub only: Option<Which>,
    /// Pairs of runs per scenario
    #[arg(long, default_value_t = 5, value_name = "COUNT")]
    pub runs: usize,
    /// Scenarios to run; all without
    #[arg(long = "scenario", value_name = "NAME")]
    pub scenarios: Vec<String>,
    /// Messages per publisher in every scenario, instead of what each is made for
    #[arg(long, value_name = "COUNT")]
    pub messages: Option<u64>,
    /// The version of MQTT
    #[arg(long, default_value = "3.1.1", value_name = "VERSION")]
    pub mqtt: Version,
    /// Bind the brokers to CPU 0 and this program to CPU 1
    #[arg(long)]
    pub pin: bool,
}

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Which {
    Certmq,
    Mosquitto,
}

/// A load with a name.
struct Scenario {
    name: &'static str,
    qos: u8,
    batch: u64,
    messages: u64,
    rate: Option<f64>,
    pairs: usize,
}

const SCENARIOS: [Scenario; 5] = [
    Scenario { name: "qos0", qos: 0, batch: 16, messages: 40_000, rate: None, pairs: 8 },
    Scenario { name: "qos0-single", qos: 0, batch: 1, messages: 20_000, rate: None, pairs: 8 },
    Scenario { name: "qos1", qos: 1, batch: 16, messages: 20_000, rate: None, pairs: 8 },
    Scenario { name: "qos2", qos: 2, batch: 16, messages: 8_000, rate: None, pairs: 8 },
    Scenario { name: "paced-qos1", qos: 1, batch: 1, messages: 200, rate: Some(40.0), pairs: 50 },
];

/// All runs of one scenario.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Comparison {
    /// The scenario.
    pub scenario: &'static str,
    /// Each broker's runs, in order.
    pub brokers: Vec<BrokerRuns>,
    /// Median over the pairs of runs of certmq's CPU time per message as a share of the peer's.
    pub cpu_ratio: Option<f64>,
    /// The same of the throughput.
    pub throughput_ratio: Option<f64>,
}

/// One broker's runs of one scenario.
#[derive(Clone, Debug, serde::Serialize)]
pub struct BrokerRuns {
    /// Its name.
    pub broker: &'static str,
    /// In the order of the runs.
    pub runs: Vec<Report>,
}

/// Runs every scenario; each comparison is shown to `done` as soon as it stands.
pub async fn run(options: &CompareOptions, mut done: impl FnMut(&Comparison)) -> Result<Vec<Comparison>, LoadError> {
    let scenarios = chosen(options)?;
    let folder = tempfile::tempdir()?;
    let most_pairs = scenarios.iter().map(|scenario| scenario.pairs).max().unwrap_or_default();
    let certificates = Certificates::make(folder.path(), most_pairs)?;
    let peers: Vec<_> = match options.only {
        Some(Which::Certmq) => vec![Peer::Certmq(options.certmq.clone())],
        Some(Which::Mosquitto) => vec![Peer::Mosquitto(options.mosquitto.clone())],
        None => vec![Peer::Certmq(options.certmq.clone()), Peer::Mosquitto(options.mosquitto.clone())],
    };
    let mut comparisons = Vec::new();
    for scenario in scenarios {
        let mut brokers: Vec<_> =
            peers.iter().map(|peer| BrokerRuns { broker: peer.name(), runs: Vec::new() }).collect();
        for run in 0..options.runs {
            for (peer, runs) in peers.iter().zip(&mut brokers) {
                let own = folder.path().join(format!("{}-{}-{run}", peer.name(), scenario.name));
                runs.runs.push(one_run(peer, &own, folder.path(), &certificates, scenario, options).await?);
            }
        }
        let comparison = Comparison {
            scenario: scenario.name,
            cpu_ratio: ratio(&brokers, |report| report.broker_cpu_microseconds),
            throughput_ratio: ratio(&brokers, |report| Some(report.messages_per_second)),
            brokers,
        };
        done(&comparison);
        comparisons.push(comparison);
    }
    Ok(comparisons)
}

/// A fresh broker for every run: none profits from what an earlier one left in memory.
async fn one_run(
    peer: &Peer,
    own: &Path,
    certs: &Path,
    certificates: &Certificates,
    scenario: &Scenario,
    options: &CompareOptions,
) -> Result<Report, LoadError> {
    let broker = peer.start(own, certificates, options.pin.then_some(0)).await?;
    let messages = options.messages.unwrap_or(scenario.messages);
    let load = Load {
        pairs: scenario.pairs,
        messages,
        warm_up: messages / 10,
        qos: scenario.qos,
        mqtt: options.mqtt,
        payload: 64,
        batch: scenario.batch,
        window: 100,
        rate: scenario.rate,
    };
    let options = PairsOptions {
        address: broker.address,
        server_name: "localhost".to_owned(),
        certs: Some(certs.to_owned()),
        ca: None,
        cert: None,
        key: None,
        topic: "load/{cn}/{pair}".to_owned(),
        load,
        broker_pid: Some(broker.pid()),
        patience: 10,
    };
    let report = pairs::run(&options).await;
    report.map_err(|fault| LoadError::Broker(format!("{}: {fault}; its log: {}", peer.name(), broker.log_text())))
}

fn chosen(options: &CompareOptions) -> Result<Vec<&'static Scenario>, LoadError> {
    let all = || SCENARIOS.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ");
    if options.scenarios.is_empty() {
        return Ok(SCENARIOS.iter().collect());
    }
    let find = |name: &String| {
        let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
        found.ok_or_else(|| LoadError::Usage(format!("no scenario {name:?}; there are {}", all())))
    };
    options.scenarios.iter().map(find).collect()
}

/// The median over the runs of the first broker's figure divided by the second's in the same pair.
fn ratio(brokers: &[BrokerRuns], figure: impl Fn(&Report) -> Option<f64>) -> Option<f64> {
    let [first, second] = brokers else { return None };
    let pairs = first.runs.iter().zip(&second.runs);
    let ratios = pairs.filter_map(|(one, other)| Some(figure(one)? / figure(other)?)).collect();
    median(ratios)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.scenario)?;
        for BrokerRuns { broker, runs } in &self.brokers {
            let of = |figure: fn(&Report) -> f64| median(runs.iter().map(figure).collect()).unwrap_or(f64::NAN);
            let sum = |figure: fn(&Report) -> u64| runs.iter().map(figure).sum::<u64>();
            writeln!(
                f,
                "  {broker:<10} {:>7.2} us CPU/message  {:>8.0} messages/s  p50 {:>6.0} us  p99 {:>7.0} us  \
                 {:>6.0} KiB  lost {} duplicates {} out of order {}  generator {:.2} CPUs",
                of(|report| report.broker_cpu_microseconds.unwrap_or(f64::NAN)),
                of(|report| report.messages_per_second),
                of(|report| report.latency.p50 as f64),
                of(|report| report.latency.p99 as f64),
                of(|report| report.broker_resident_kib.unwrap_or_default() as f64),
                sum(|report| report.lost),
                sum(|report| report.duplicates),
                sum(|report| report.out_of_order),
                of(|report| report.generator_cpu_share),
            )?;
        }
        if let (Some(cpu), Some(throughput)) = (self.cpu_ratio, self.throughput_ratio) {
            writeln!(f, "  certmq / mosquitto: CPU {cpu:.3}, throughput {throughput:.2} (medians of ratios)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_what_is_no_number() {
        assert_eq!(median(vec![3.0, f64::NAN, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![f64::INFINITY]), None);
    }
}
