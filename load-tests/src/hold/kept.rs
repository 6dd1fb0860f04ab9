//! One connection that is held.

use super::report::Closing;
use crate::LoadError;
use crate::wire::{Client, Incoming, Outgoing};
use bytes::Bytes;
use mqttbytes::QoS;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// What became of it.
#[derive(Debug)]
pub(super) struct Kept {
    connection: usize,
    device: usize,
    /// What ended it first, and when: DISCONNECT, or the end of the stream.
    closed: Option<(Instant, String)>,
    /// When the stream ended.
    ended: Option<Instant>,
    late_packets: u64,
    last_packet: Option<Instant>,
}

/// What a connection and the scenario have in common.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) mark: Arc<OnceLock<Instant>>,
    pub(super) talking: Arc<Semaphore>,
    pub(super) stop: watch::Receiver<bool>,
}

/// Keeps a connection until the broker closes it or `stop` changes. `loopback`: what it publishes to itself how often.
pub(super) async fn keep(
    mut client: Client,
    connection: usize,
    device: usize,
    loopback: Option<(Arc<str>, Duration)>,
    mut watched: Watched,
) -> Kept {
    let mut kept = Kept { connection, device, closed: None, ended: None, late_packets: 0, last_packet: None };
    let mut interval = loopback.as_ref().map(|(_, every)| paced(*every));
    while kept.ended.is_none() {
        let turn = async {
            match &mut interval {
                Some(interval) => drop(interval.tick().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // What has come counts before the end of the scenario.
            biased;
            packet = client.receive() => kept.note(&packet, &watched),
            _ = watched.stop.changed() => break,
            () = turn, if kept.closed.is_none() => {
                if let Some((topic, _)) = &loopback {
                    // Where it fails, reading says how it ended.
                    let _ = publish(&mut client, topic).await;
                }
            }
        }
    }
    kept
}

fn paced(every: Duration) -> Interval {
    let mut interval = tokio::time::interval(every.max(Duration::from_millis(1)));
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    interval
}

async fn publish(client: &mut Client, topic: &Arc<str>) -> Result<(), LoadError> {
    let payload = Bytes::from_static(b"held");
    client.queue(Outgoing::Publish { topic: Arc::clone(topic), qos: QoS::AtLeastOnce, packet_id: 1, payload })?;
    client.flush().await
}

impl Kept {
    fn note(&mut self, packet: &Result<Incoming, LoadError>, watched: &Watched) {
        let now = Instant::now();
        match packet {
            Ok(_) => {
                if self.last_packet.replace(now).is_none() {
                    watched.talking.add_permits(1);
                }
                self.late_packets += u64::from(watched.mark.get().is_some_and(|mark| now > *mark));
            }
            Err(LoadError::Refused { reason, .. }) => {
                self.closed.get_or_insert((now, reason.clone()));
            }
            Err(fault) => {
                self.closed.get_or_insert((now, fault.to_string()));
                self.ended = Some(now);
            }
        }
    }

    /// How it was closed, if it was.
    pub(super) fn closing(self, mark: Option<Instant>) -> Option<Closing> {
        let (closed, reason) = self.closed?;
        let after = |at: Instant| mark.map(|mark| milliseconds(mark, at));
        Some(Closing {
            connection: self.connection,
            device: crate::certs::common_name(self.device),
            reason,
            closed_ms: after(closed),
            ended_ms: self.ended.and_then(after),
            late_packets: self.late_packets,
            last_packet_ms: self.last_packet.and_then(after),
        })
    }
}

/// Negative where `at` was before.
fn milliseconds(mark: Instant, at: Instant) -> f64 {
    let span = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1e3;
    span(mark, at) - span(at, mark)
}
