//! One subscriber: acknowledges, counts, and keeps time.

use super::tally::{Arrival, Tally};
use super::{Plan, Received};
use crate::LoadError;
use crate::wire::{Client, Incoming, Outgoing};
use bytes::{Buf, Bytes};
use mqttbytes::QoS;
use std::collections::HashSet;
use tokio::time::{Instant, timeout};

struct Subscriber<'p> {
    client: &'p mut Client,
    plan: &'p Plan,
    received: Received,
    /// QoS 2 messages whose release has not come yet.
    unreleased: HashSet<u16>,
}

/// What a packet means for the phase.
#[derive(PartialEq, Eq)]
enum Progress {
    Going,
    /// The answer to the PINGREQ behind the last message: nothing more can be on its way.
    Fenced,
}

/// Receives until everything has come, or nothing does any more.
pub(super) async fn run(client: &mut Client, plan: &Plan) -> Result<Received, LoadError> {
    let received = Received { tally: Tally::new(plan.first, plan.count)?, last: Instant::now() };
    let mut subscriber = Subscriber { client, plan, received, unreleased: HashSet::new() };
    let mut fence_sent = false;
    loop {
        while let Some(packet) = subscriber.client.buffered()? {
            if subscriber.take(packet)? == Progress::Fenced {
                subscriber.client.flush().await?;
                return Ok(subscriber.received);
            }
        }
        if subscriber.complete() && !fence_sent {
            // A duplicate would come before the answer.
            subscriber.client.queue(Outgoing::PingReq)?;
            fence_sent = true;
        }
        subscriber.client.flush().await?;
        match timeout(plan.patience, subscriber.client.fill()).await {
            Ok(filled) => filled?,
            Err(_) => return Ok(subscriber.received),
        }
    }
}

impl Subscriber<'_> {
    fn complete(&self) -> bool {
        self.received.tally.is_complete() && self.unreleased.is_empty()
    }

    fn take(&mut self, packet: Incoming) -> Result<Progress, LoadError> {
        match packet {
            Incoming::Publish { qos: QoS::AtMostOnce, payload, .. } => self.count(payload),
            Incoming::Publish { qos: QoS::AtLeastOnce, packet_id, payload } => {
                self.client.queue(Outgoing::PubAck(packet_id))?;
                self.count(payload);
            }
            Incoming::Publish { qos: QoS::ExactlyOnce, packet_id, payload } => {
                self.client.queue(Outgoing::PubRec(packet_id))?;
                // The same id again before its release is the same message: the protocol's business, not a duplicate.
                if self.unreleased.insert(packet_id) {
                    self.count(payload);
                }
            }
            Incoming::PubRel(packet_id) => {
                self.unreleased.remove(&packet_id);
                self.client.queue(Outgoing::PubComp(packet_id))?;
            }
            Incoming::PingResp => return Ok(Progress::Fenced),
            _ => {}
        }
        Ok(Progress::Going)
    }

    fn count(&mut self, mut payload: Bytes) {
        let (Ok(sequence), Ok(sent)) = (payload.try_get_u64(), payload.try_get_u64()) else { return };
        let now = u64::try_from(self.plan.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if self.received.tally.count(sequence, now.saturating_sub(sent) / 1000) == Arrival::New {
            self.received.last = Instant::now();
        }
    }
}
