//! The scenario `pairs`: P publishers, each with one subscriber on a topic of its own.

mod publisher;
mod subscriber;
mod tally;

use crate::LoadError;
use crate::certs::{Certificates, ClientFiles, common_name};
use crate::process::{cpu_time, resident_kib};
use crate::report::{Latency, Report};
use crate::wire::{Client, Negotiated, Version};
use hdrhistogram::Histogram;
use mqttbytes::QoS;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tally::Tally;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Sequence number and time of sending stand in front of every payload.
pub const SMALLEST_PAYLOAD: usize = 16;

/// Handshakes at a time: connecting is not what this scenario measures.
const CONCURRENT_CONNECTS: usize = 16;

/// What to run.
#[derive(Clone, Debug, clap::Args)]
pub struct PairsOptions {
    /// Where the broker listens for MQTT over TLS
    #[arg(long, value_name = "ADDRESS")]
    pub address: SocketAddr,
    /// The name in the broker's certificate
    #[arg(long, default_value = "localhost", value_name = "NAME")]
    pub server_name: String,
    /// A folder made by `load-tests certs`: every pair is a device of its own
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["ca", "cert", "key"])]
    pub certs: Option<PathBuf>,
    /// The CA of the broker's certificate, with --cert and --key instead of --certs: all pairs are one device
    #[arg(long, value_name = "FILE", requires = "cert", requires = "key")]
    pub ca: Option<PathBuf>,
    /// The client certificate
    #[arg(long, value_name = "FILE", requires = "ca")]
    pub cert: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "ca")]
    pub key: Option<PathBuf>,
    /// The topic of a pair; {cn} is its common name (with --certs), {pair} its number
    #[arg(long, default_value = "load/{cn}/{pair}", value_name = "TOPIC")]
    pub topic: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "documented at the type")]
    pub load: Load,
    /// Process id of the broker: reports its CPU time per message
    #[arg(long, value_name = "PID")]
    pub broker_pid: Option<u32>,
    /// Seconds without any packet after which what has not come counts as lost
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub patience: u64,
}

/// What the pairs do.
#[derive(Clone, Copy, Debug, PartialEq, clap::Args, serde::Serialize)]
pub struct Load {
    /// How many publishers, each with its subscriber
    #[arg(long, default_value_t = 8, value_name = "COUNT")]
    pub pairs: usize,
    /// Messages that each publisher sends
    #[arg(long, default_value_t = 20_000, value_name = "COUNT")]
    pub messages: u64,
    /// Messages that each publisher sends before anything is measured
    #[arg(long, default_value_t = 1_000, value_name = "COUNT")]
    pub warm_up: u64,
    /// Quality of service: 0, 1 or 2
    #[arg(long, default_value_t = 0, value_name = "QOS", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub qos: u8,
    /// The version of MQTT
    #[arg(long, default_value = "5", value_name = "VERSION")]
    pub mqtt: Version,
    /// Bytes of payload, at least 16
    #[arg(long, default_value_t = 64, value_name = "BYTES")]
    pub payload: usize,
    /// Messages that a publisher writes at once: up to 16 KiB of them share a TLS record
    #[arg(long, default_value_t = 16, value_name = "COUNT")]
    pub batch: u64,
    /// QoS 1 and 2: messages in flight per publisher, never more than the broker allows
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    pub window: u16,
    /// Messages a second per publisher; full speed without
    #[arg(long, value_name = "RATE")]
    pub rate: Option<f64>,
}

/// One pair's part of one phase.
#[derive(Clone, Debug)]
struct Plan {
    topic: Arc<str>,
    qos: QoS,
    payload: usize,
    batch: u64,
    window: u16,
    interval: Option<Duration>,
    /// The first sequence number.
    first: u64,
    count: u64,
    /// What the times in the payloads count from.
    origin: Instant,
    patience: Duration,
}

/// What one publisher saw.
#[derive(Clone, Debug, Default)]
struct Published {
    sent: u64,
    refused: u64,
    /// Acknowledgements of nothing.
    faults: u64,
}

/// What one subscriber saw.
#[derive(Debug)]
struct Received {
    tally: Tally,
    last: Instant,
}

#[derive(Debug)]
struct Pair {
    publisher: Client,
    subscriber: Client,
    topic: Arc<str>,
}

/// Connects the pairs, warms up, measures.
pub async fn run(options: &PairsOptions) -> Result<Report, LoadError> {
    let load = options.load;
    if load.payload < SMALLEST_PAYLOAD || load.batch == 0 || load.window == 0 || load.pairs == 0 {
        let fault = format!("a payload has at least {SMALLEST_PAYLOAD} bytes; pairs, batch and window are at least 1");
        return Err(LoadError::Usage(fault));
    }
    let pairs = connect(options).await?;
    let negotiated = pairs.first().map(|pair| pair.subscriber.negotiated()).unwrap_or_default();
    let origin = Instant::now();
    let (pairs, _, _) = phase(pairs, options, 0, load.warm_up, origin).await?;

    let own = std::process::id();
    let (broker_before, own_before) = (options.broker_pid.map(cpu_time).transpose()?, cpu_time(own)?);
    let started = Instant::now();
    let (_pairs, published, received) = phase(pairs, options, load.warm_up, load.messages, origin).await?;
    let elapsed = received.iter().map(|one| one.last).max().unwrap_or(started).duration_since(started);
    let own_cpu = cpu_time(own)?.saturating_sub(own_before);
    let broker_cpu = match (options.broker_pid, broker_before) {
        (Some(pid), Some(before)) => Some(cpu_time(pid)?.saturating_sub(before)),
        _ => None,
    };
    let broker_rss = options.broker_pid.and_then(resident_kib);
    report(load, negotiated, &published, &received, Times { elapsed, own_cpu, broker_cpu, broker_rss })
}

struct Times {
    elapsed: Duration,
    own_cpu: Duration,
    broker_cpu: Option<Duration>,
    broker_rss: Option<u64>,
}

fn report(
    load: Load,
    negotiated: Negotiated,
    published: &[Published],
    received: &[Received],
    times: Times,
) -> Result<Report, LoadError> {
    let mut latency = Histogram::new(3).map_err(|fault| LoadError::Usage(fault.to_string()))?;
    for one in received {
        latency.add(&one.tally.latency).map_err(|fault| LoadError::Usage(fault.to_string()))?;
    }
    let sent: u64 = published.iter().map(|one| one.sent).sum();
    let unique: u64 = received.iter().map(|one| one.tally.unique).sum();
    let seconds = times.elapsed.as_secs_f64();
    let per_message = |time: Duration| time.as_secs_f64() * 1e6 / unique.max(1) as f64;
    Ok(Report {
        load,
        sent,
        received: unique,
        lost: sent.saturating_sub(unique),
        duplicates: received.iter().map(|one| one.tally.duplicates).sum(),
        out_of_order: received.iter().map(|one| one.tally.out_of_order).sum(),
        refused: published.iter().map(|one| one.refused).sum(),
        protocol_faults: published.iter().map(|one| one.faults).sum(),
        seconds,
        messages_per_second: if seconds > 0.0 { unique as f64 / seconds } else { 0.0 },
        latency: Latency::of(&latency),
        tls: negotiated,
        broker_cpu_microseconds: times.broker_cpu.map(per_message),
        broker_cpu_share: times.broker_cpu.map(|cpu| cpu.as_secs_f64() / seconds.max(f64::MIN_POSITIVE)),
        broker_resident_kib: times.broker_rss,
        generator_cpu_share: times.own_cpu.as_secs_f64() / seconds.max(f64::MIN_POSITIVE),
    })
}

async fn connect(options: &PairsOptions) -> Result<Vec<Pair>, LoadError> {
    let name = ServerName::try_from(options.server_name.clone())
        .map_err(|fault| LoadError::Usage(format!("{}: {fault}", options.server_name)))?;
    let permits = Arc::new(Semaphore::new(CONCURRENT_CONNECTS));
    let mut connecting = JoinSet::new();
    for number in 0..options.load.pairs {
        let config = files(options, number)?.config()?;
        let topic = topic_of(options, number);
        let (permits, name, load, address) = (permits.clone(), name.clone(), options.load, options.address);
        connecting.spawn(async move {
            let _permit = permits.acquire().await;
            let (sub, publisher) = (format!("sub-{number}"), format!("pub-{number}"));
            let mut subscriber = Client::connect(address, name.clone(), config.clone(), &sub, load.mqtt).await?;
            subscriber.subscribe(&topic, quality(load.qos)).await?;
            let publisher = Client::connect(address, name, config, &publisher, load.mqtt).await?;
            Ok::<_, LoadError>(Pair { publisher, subscriber, topic })
        });
    }
    let mut pairs = Vec::with_capacity(options.load.pairs);
    while let Some(pair) = connecting.join_next().await {
        pairs.push(pair.map_err(std::io::Error::other)??);
    }
    Ok(pairs)
}

/// All pairs send and receive `count` messages.
async fn phase(
    pairs: Vec<Pair>,
    options: &PairsOptions,
    first: u64,
    count: u64,
    origin: Instant,
) -> Result<(Vec<Pair>, Vec<Published>, Vec<Received>), LoadError> {
    let load = options.load;
    let mut running = JoinSet::new();
    for mut pair in pairs {
        let plan = Plan {
            topic: pair.topic.clone(),
            qos: quality(load.qos),
            payload: load.payload,
            batch: load.batch,
            window: load.window.min(pair.publisher.receive_maximum),
            interval: load.rate.filter(|rate| *rate > 0.0).map(|rate| Duration::from_secs_f64(1.0 / rate)),
            first,
            count,
            origin,
            patience: Duration::from_secs(options.patience),
        };
        running.spawn(async move {
            let (published, received) = tokio::try_join!(
                publisher::run(&mut pair.publisher, &plan),
                subscriber::run(&mut pair.subscriber, &plan)
            )?;
            Ok::<_, LoadError>((pair, published, received))
        });
    }
    let (mut pairs, mut published, mut received) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(done) = running.join_next().await {
        let (pair, sent, got) = done.map_err(std::io::Error::other)??;
        pairs.push(pair);
        published.push(sent);
        received.push(got);
    }
    Ok((pairs, published, received))
}

fn files(options: &PairsOptions, number: usize) -> Result<ClientFiles, LoadError> {
    match (&options.certs, &options.ca, &options.cert, &options.key) {
        (Some(folder), ..) => Ok(Certificates::in_folder(folder).client(number)),
        (None, Some(ca), Some(certificate), Some(key)) => {
            Ok(ClientFiles { ca: ca.clone(), certificate: certificate.clone(), key: key.clone() })
        }
        _ => Err(LoadError::Usage("give --certs, or --ca with --cert and --key".to_owned())),
    }
}

fn topic_of(options: &PairsOptions, number: usize) -> Arc<str> {
    options.topic.replace("{cn}", &common_name(number)).replace("{pair}", &number.to_string()).into()
}

fn quality(number: u8) -> QoS {
    match number {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}
