//! One publisher: as fast as its window and the socket allow, or paced.

use super::{Plan, Published};
use crate::LoadError;
use crate::wire::{Client, Incoming, Outgoing};
use bytes::{BufMut, BytesMut};
use mqttbytes::QoS;
use tokio::time::{Instant, sleep_until, timeout};

/// Where the exchange of a packet id stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exchange {
    Free,
    Published,
    Released,
}

struct Publisher<'p> {
    client: &'p mut Client,
    plan: &'p Plan,
    published: Published,
    exchanges: Vec<Exchange>,
    in_flight: u16,
    next_id: u16,
    started: Instant,
}

/// Publishes what the plan says and waits for the last acknowledgement.
pub(super) async fn run(client: &mut Client, plan: &Plan) -> Result<Published, LoadError> {
    let mut publisher = Publisher {
        client,
        plan,
        published: Published::default(),
        exchanges: vec![Exchange::Free; usize::from(u16::MAX) + 1],
        in_flight: 0,
        next_id: 1,
        started: Instant::now(),
    };
    while publisher.published.sent < plan.count || publisher.in_flight > 0 {
        publisher.take_buffered()?;
        publisher.queue_batch()?;
        publisher.client.flush().await?;
        if !publisher.wait().await? {
            break;
        }
    }
    publisher.client.flush().await?;
    Ok(publisher.published)
}

impl Publisher<'_> {
    fn may_publish(&self) -> bool {
        let window = self.plan.qos == QoS::AtMostOnce || self.in_flight < self.plan.window;
        self.published.sent < self.plan.count && window
    }

    /// When the next message may go, where the plan has a pace.
    fn due(&self) -> Option<Instant> {
        let sent = u32::try_from(self.published.sent).unwrap_or(u32::MAX);
        self.plan.interval.map(|interval| self.started + interval.saturating_mul(sent))
    }

    fn queue_batch(&mut self) -> Result<(), LoadError> {
        for _ in 0..self.plan.batch {
            if !self.may_publish() || self.due().is_some_and(|due| due > Instant::now()) {
                break;
            }
            let packet_id = self.open_exchange();
            let mut payload = BytesMut::with_capacity(self.plan.payload);
            payload.put_u64(self.plan.first + self.published.sent);
            payload.put_u64(u64::try_from(self.plan.origin.elapsed().as_nanos()).unwrap_or(u64::MAX));
            payload.resize(self.plan.payload, b'.');
            let (topic, qos, payload) = (self.plan.topic.clone(), self.plan.qos, payload.freeze());
            self.client.queue(Outgoing::Publish { topic, qos, packet_id, payload })?;
            self.published.sent += 1;
        }
        Ok(())
    }

    fn open_exchange(&mut self) -> u16 {
        if self.plan.qos == QoS::AtMostOnce {
            return 0;
        }
        while self.exchange(self.next_id) != Exchange::Free {
            self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        }
        let id = self.next_id;
        self.next_id = id.checked_add(1).unwrap_or(1);
        self.set(id, Exchange::Published);
        self.in_flight += 1;
        id
    }

    /// Takes what has come; waits for more only where nothing can be sent. False when patience ran out.
    async fn wait(&mut self) -> Result<bool, LoadError> {
        if self.plan.qos == QoS::AtMostOnce {
            if let Some(due) = self.due().filter(|_| self.published.sent < self.plan.count) {
                sleep_until(due).await;
            }
            return Ok(true);
        }
        if !self.may_publish() {
            if self.in_flight == 0 {
                return Ok(true);
            }
            return match timeout(self.plan.patience, self.client.fill()).await {
                Ok(filled) => filled.map(|()| true),
                Err(_) => Ok(false),
            };
        }
        let due = self.due();
        tokio::select! {
            biased;
            filled = self.client.fill() => filled?,
            () = async { if let Some(due) = due { sleep_until(due).await } } => {}
        }
        Ok(true)
    }

    fn take_buffered(&mut self) -> Result<(), LoadError> {
        while let Some(packet) = self.client.buffered()? {
            match packet {
                Incoming::PubAck { packet_id, refusal } if self.plan.qos == QoS::AtLeastOnce => {
                    self.close(packet_id, Exchange::Published, refusal.is_some());
                }
                Incoming::PubRec { packet_id, refusal: Some(_) } => self.close(packet_id, Exchange::Published, true),
                Incoming::PubRec { packet_id, refusal: None } if self.exchange(packet_id) != Exchange::Free => {
                    self.set(packet_id, Exchange::Released);
                    self.client.queue(Outgoing::PubRel(packet_id))?;
                }
                Incoming::PubComp(packet_id) => self.close(packet_id, Exchange::Released, false),
                _ => self.published.faults += 1,
            }
        }
        Ok(())
    }

    fn close(&mut self, packet_id: u16, from: Exchange, refused: bool) {
        if self.exchange(packet_id) != from {
            self.published.faults += 1;
            return;
        }
        self.set(packet_id, Exchange::Free);
        self.in_flight -= 1;
        self.published.refused += u64::from(refused);
    }

    fn exchange(&self, packet_id: u16) -> Exchange {
        self.exchanges.get(usize::from(packet_id)).copied().unwrap_or(Exchange::Free)
    }

    fn set(&mut self, packet_id: u16, exchange: Exchange) {
        if let Some(slot) = self.exchanges.get_mut(usize::from(packet_id)) {
            *slot = exchange;
        }
    }
}
