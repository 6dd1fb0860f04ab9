//! The way from the hub to a connection task: a bounded outbox, and one wake-up for a batch.

use crate::protocol::{Disconnect, Packet, Properties, ReasonCode, Version};
use crate::session::{Moment, Outbox, Place};
use crate::telemetry::metrics::METRICS;
use bytes::Bytes;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

/// Shared by a connection task, which empties it, and by everyone who has something for the client.
#[derive(Debug)]
pub struct Outbound {
    /// The client's, where it has one.
    address: Option<SocketAddr>,
    inner: Mutex<Inner>,
    /// When the connection last received a packet; keep alive is judged on it.
    last_received: AtomicU64,
}

#[derive(Debug)]
struct Inner {
    outbox: Outbox,
    waker: Option<Waker>,
    /// The task runs or has been woken: it will look here by itself.
    awake: bool,
    /// Something has been taken, and CONNACK is always the first.
    greeted: bool,
    closing: Option<ReasonCode>,
    /// How often the task must take before every frame that waited when [`Outbound::age_frames`] was last called is in
    /// the socket: what it was writing then, and what waited behind.
    aged: u8,
}

/// What becomes of what waits when the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// It goes out before the last word, as far as the socket takes it at once.
    Goes,
    /// The client may not have it any more.
    Cut,
}

/// What a connection task finds when it looks.
#[derive(Debug)]
pub struct Taken {
    /// The payload that follows the frames.
    pub large: Option<Bytes>,
    /// The session waits for room: call [`super::Client::pull`] when the frames are written.
    pub starved: bool,
    /// Close once everything is written; a DISCONNECT is among the frames where the client may get one.
    pub closing: Option<ReasonCode>,
}

/// What an outbound could do with a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Take it.
    Open,
    /// Nothing, until some of what waits is written.
    Full,
    /// Nothing any more.
    Closing,
}

/// Whether a connection's packets should be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Yes.
    Open,
    /// Not until some of what waits is written.
    Full,
    /// Never again.
    Closing,
}

/// Connections to wake at the end of a batch, each once.
#[derive(Debug, Default)]
pub struct Wakes {
    outbounds: Vec<Arc<Outbound>>,
}

impl Outbound {
    /// An outbound of at most `limit` bytes of waiting plaintext. Its task counts as awake.
    pub fn new(limit: usize, now: Moment) -> Arc<Self> {
        Self::towards(None, limit, now)
    }

    /// As [`Outbound::new`], towards the client at `address`.
    pub fn towards(address: Option<SocketAddr>, limit: usize, now: Moment) -> Arc<Self> {
        let inner =
            Inner { outbox: Outbox::new(limit), waker: None, awake: true, greeted: false, closing: None, aged: 0 };
        Arc::new(Self { address, inner: Mutex::new(inner), last_received: AtomicU64::new(now.0) })
    }

    /// Where the client is.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Notes that the client sent a packet.
    pub fn touch(&self, now: Moment) {
        self.last_received.store(now.0, Ordering::Relaxed);
    }

    /// When the client last sent a packet.
    pub fn last_received(&self) -> Moment {
        Moment(self.last_received.load(Ordering::Relaxed))
    }

    /// Hands the outbox to `fill`; the task is woken with the batch, if it sleeps. What comes after the last word of
    /// [`Outbound::close`] is lost, like what a connection that breaks had not sent.
    pub fn push<T>(self: &Arc<Self>, wakes: &mut Wakes, fill: impl FnOnce(&mut Outbox) -> T) -> T {
        let mut inner = self.inner.lock();
        if inner.closing.is_some() {
            // Nothing follows DISCONNECT `[MQTT-3.14.4-1]`.
            return fill(&mut Outbox::closed());
        }
        let result = fill(&mut inner.outbox);
        if !inner.awake && (!inner.outbox.is_empty() || inner.outbox.is_starved()) {
            inner.awake = true;
            wakes.outbounds.push(Arc::clone(self));
        }
        result
    }

    /// Ends the connection: what waits is cut, a 5.0 client gets DISCONNECT with `reason`. The first reason stays.
    pub fn close(self: &Arc<Self>, version: Version, reason: ReasonCode, wakes: &mut Wakes) {
        let disconnect = Packet::Disconnect(Disconnect { reason, properties: Properties::default() });
        // Before 5.0 a server has no words for goodbye.
        self.end(Waiting::Cut, (version == Version::V5).then_some(&disconnect), version, reason, wakes);
    }

    /// Ends the connection with `packet` as the last word, after the answers that wait: a client that sends a fault
    /// right behind its CONNECT gets CONNACK before DISCONNECT `[MQTT-3.14.0-1]`.
    pub fn close_with(
        self: &Arc<Self>,
        packet: Option<&Packet<'_>>,
        version: Version,
        reason: ReasonCode,
        wakes: &mut Wakes,
    ) {
        self.end(Waiting::Goes, packet, version, reason, wakes);
    }

    fn end(
        self: &Arc<Self>,
        waiting: Waiting,
        packet: Option<&Packet<'_>>,
        version: Version,
        reason: ReasonCode,
        wakes: &mut Wakes,
    ) {
        let mut inner = self.inner.lock();
        if inner.closing.is_some() {
            return;
        }
        inner.closing = Some(reason);
        // The last word behind a large payload would need a second batch, and there is only one.
        let cut = !inner.outbox.is_empty() && (waiting == Waiting::Cut || inner.outbox.has_large());
        if cut {
            inner.outbox.clear();
        }
        // Where CONNACK itself was cut, nothing may be said.
        if let Some(packet) = packet.filter(|_| inner.greeted || !cut) {
            inner.outbox.append(packet, version);
        }
        // Even a task that waits for its socket: nothing waits for a stalled reader.
        inner.awake = true;
        wakes.outbounds.push(Arc::clone(self));
    }

    /// Whether [`Outbound::close`] was called.
    pub fn is_closing(&self) -> bool {
        self.closing().is_some()
    }

    /// Why [`Outbound::close`] was called, if it was.
    pub fn closing(&self) -> Option<ReasonCode> {
        self.inner.lock().closing
    }

    /// Where the next frame will stand. Good until the connection's own task takes what waits.
    pub(super) fn place(&self) -> Place {
        self.inner.lock().outbox.place()
    }

    /// Whether the client should not be read from until some of what waits is written.
    pub fn is_full(&self) -> bool {
        self.inner.lock().outbox.is_full()
    }

    /// Whether the next packet should be served.
    pub fn readiness(&self) -> Readiness {
        let inner = self.inner.lock();
        match (inner.closing, inner.outbox.is_full()) {
            (Some(_), _) => Readiness::Closing,
            (None, true) => Readiness::Full,
            (None, false) => Readiness::Open,
        }
    }

    /// Whether publications could be appended. Who finds it full is told: the client's task pulls when it has written.
    pub(super) fn room(&self) -> Room {
        let mut inner = self.inner.lock();
        match (inner.closing, inner.outbox.is_full()) {
            (Some(_), _) => Room::Closing,
            (None, false) => Room::Open,
            (None, true) => {
                inner.outbox.starve();
                Room::Full
            }
        }
    }

    /// Marks what waits for the socket; says whether anything does.
    pub(super) fn age_frames(&self) -> bool {
        let mut inner = self.inner.lock();
        if inner.awake {
            inner.aged = 2;
        }
        inner.awake
    }

    /// Whether something marked by [`Outbound::age_frames`] is still on its way to the socket.
    pub(super) fn has_aged_frames(&self) -> bool {
        self.inner.lock().aged > 0
    }

    /// Moves what waits into `buffer`, when all that was taken before is in the socket; its publications count as
    /// sent.
    pub fn take(&self, buffer: &mut Vec<u8>) -> Taken {
        let mut inner = self.inner.lock();
        inner.aged = inner.aged.saturating_sub(1);
        let large = inner.outbox.take(buffer);
        let appended = inner.outbox.take_appended();
        if appended.packets > 0 {
            inner.greeted = true;
            METRICS.packets_sent.add(appended.packets as u64);
            METRICS.bytes_sent.add((buffer.len() + large.as_ref().map_or(0, Bytes::len)) as u64);
        }
        if appended.publications > 0 {
            METRICS.messages_sent.add(appended.publications as u64);
            METRICS.payload_bytes_sent.add(appended.payload_bytes as u64);
        }
        Taken { large, starved: inner.outbox.take_starved(), closing: inner.closing }
    }

    /// The task goes to sleep until there is something to write; says whether it may, or something waits already.
    pub fn sleep(&self, waker: &Waker) -> bool {
        let mut inner = self.inner.lock();
        inner.register(waker);
        if !inner.outbox.is_empty() || inner.outbox.is_starved() || inner.closing.is_some() {
            return false;
        }
        inner.outbox.shrink();
        inner.awake = false;
        inner.aged = 0;
        true
    }

    /// The task waits for its socket to take more: only [`Outbound::close`] need wake it. Says whether it may wait, or
    /// was closed already, when there may have been no waker to call.
    pub fn stall(&self, waker: &Waker) -> bool {
        let mut inner = self.inner.lock();
        inner.register(waker);
        inner.closing.is_none()
    }
}

impl Inner {
    fn register(&mut self, waker: &Waker) {
        match &self.waker {
            Some(known) if known.will_wake(waker) => {}
            _ => self.waker = Some(waker.clone()),
        }
    }
}

impl Wakes {
    /// Wakes every connection of the batch.
    pub fn wake(&mut self) {
        for outbound in self.outbounds.drain(..) {
            let waker = outbound.inner.lock().waker.clone();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.wake();
    }
}
