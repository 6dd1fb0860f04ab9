//! The connection task: one small future for the life of a connection after its handshake.

use super::LINGER;
use super::handshake::Established;
use super::listener::Service;
use super::reading::{Backlog, Consumed, Received};
use super::transport::Transport;
use super::writing::Batch;
use crate::hub::{Client, Closed, ConnectRefused, Outbound, Peer, Readiness, Wakes};
use crate::policy::DeviceKey;
use crate::protocol::{
    Connect, ConnectError, DecodeError, Decoded, Packet, ReasonCode, Sender, Version, decode, decode_connect,
};
use crate::telemetry::audit::Seen;
use crate::telemetry::denials::{Details, Kind, Refused};
use crate::telemetry::metrics::METRICS;
use crate::telemetry::sampled::Sampled;
use crate::tls::VerifiedClient;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

/// Packets served before other connections of the worker get their turn.
const PACKETS_PER_POLL: usize = 64;

/// Bytes that count as one packet more: a SUBSCRIBE of a megabyte is work for a quarter of a second.
const BYTES_PER_PACKET: usize = 4096;

/// Batches written before other connections of the worker get their turn.
const BATCHES_PER_POLL: usize = 16;
/// Bytes of the largest CONNECT: whoever sends it is known by certificate, but not yet as a device that may take more
/// of the broker's memory.
const CONNECT_BYTES: u32 = 24 * 1024;

/// One connection from the end of its handshake to its close.
pub(super) struct Connection<S> {
    stream: S,
    service: Arc<Service>,
    address: SocketAddr,
    outbound: Arc<Outbound>,
    backlog: Backlog,
    batch: Batch,
    stage: Stage,
    /// Runs while the socket takes nothing.
    stalled: Option<Stall>,
    /// While nothing is read: see [`Connection::rests`].
    rest: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

enum Stage {
    /// CONNECT has not come yet.
    Expecting(Box<Expecting>),
    /// CONNECT was accepted.
    Serving(Box<Client>),
    /// The last word is out; what still comes is thrown away.
    Closing(Pin<Box<Sleep>>),
}

/// A socket that takes nothing.
struct Stall {
    timer: Pin<Box<Sleep>>,
    /// Bytes the socket had taken when the timer was started.
    sent: u64,
}

/// What a connection holds until its CONNECT.
struct Expecting {
    client: Arc<VerifiedClient>,
    deadline: Pin<Box<Sleep>>,
    _unauthenticated: OwnedSemaphorePermit,
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("closed by the client")]
    ByClient,
    #[error("closed by the broker: {0:?}")]
    ByBroker(ReasonCode),
    #[error("no CONNECT within limits.connect_timeout")]
    NoConnect,
    #[error("the client took nothing for limits.write_timeout")]
    Stalled,
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl<S: Transport> Connection<S> {
    pub(super) fn new(established: Established<S>, service: Arc<Service>) -> Self {
        let Established { stream, client, address, deadline, permit, unauthenticated } = established;
        let deadline = Box::pin(tokio::time::sleep_until(deadline));
        let expecting = Expecting { client, deadline, _unauthenticated: unauthenticated };
        Self {
            outbound: Outbound::towards(Some(address), service.limits().outbound_bytes, service.now()),
            stream,
            service,
            address,
            backlog: Backlog::default(),
            batch: Batch::default(),
            stage: Stage::Expecting(Box::new(expecting)),
            stalled: None,
            rest: None,
            _permit: permit,
        }
    }

    /// Everything that can be done now.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if let Stage::Expecting(expecting) = &mut self.stage
            && expecting.deadline.as_mut().poll(cx).is_ready()
        {
            METRICS.deadlines_missed.increment();
            return Poll::Ready(End::NoConnect);
        }
        let mut budget = PACKETS_PER_POLL;
        loop {
            let written = match self.write(cx) {
                Ok(written) => written,
                Err(end) => return Poll::Ready(end),
            };
            if budget == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.read(cx, &mut budget) {
                Poll::Ready(Ok(())) => continue,
                Poll::Ready(Err(end)) => {
                    // What was answered before the goodbye goes out, as far as the socket takes it at once.
                    let _ = self.write(cx);
                    return Poll::Ready(end);
                }
                Poll::Pending => {}
            }
            match written {
                Written::All if self.outbound.sleep(cx.waker()) => {
                    self.batch.shrink();
                    return Poll::Pending;
                }
                Written::All => {}
                Written::Some => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Written::Blocked => {
                    if self.outbound.stall(cx.waker()) {
                        return self.watch_stall(cx);
                    }
                }
            }
        }
    }

    /// Writes until the socket is full or nothing is left, or others of the worker should have their turn.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<Written, End> {
        for _ in 0..BATCHES_PER_POLL {
            let closing = if self.batch.is_done() { None } else { self.outbound.closing() };
            if closing.is_some() {
                self.batch.cut();
            }
            match (self.batch.write(&mut self.stream, cx)?, closing) {
                (Poll::Pending, Some(reason)) => return Err(End::ByBroker(reason)),
                (Poll::Pending, None) => return Ok(Written::Blocked),
                (Poll::Ready(()), _) => self.stalled = None,
            }
            let taken = self.batch.load(|buffer| self.outbound.take(buffer));
            if taken.starved
                && let Stage::Serving(client) = &self.stage
            {
                client.pull(self.service.now(), &mut Wakes::default());
            }
            if let Some(reason) = taken.closing {
                // One attempt, not more: nothing waits for a stalled reader.
                let _ = self.batch.write(&mut self.stream, cx)?;
                return Err(End::ByBroker(reason));
            }
            if self.batch.is_done() && !taken.starved {
                return Ok(Written::All);
            }
        }
        Ok(Written::Some)
    }

    /// Reads and serves one batch of packets. `Pending`: nothing there, or the client must first take its answers.
    fn read(&mut self, cx: &mut Context<'_>, budget: &mut usize) -> Poll<Result<(), End>> {
        if self.outbound.is_full() || self.rests(cx) {
            return Poll::Pending;
        }
        let Self { stream, service, address, outbound, backlog, stage, .. } = self;
        let mut desk = Desk { service, address, outbound, stage, budget, wakes: Wakes::default() };
        if backlog.is_ready() {
            let mut result = Ok(());
            backlog.consume(|bytes| desk.serve(bytes, &mut result));
            return Poll::Ready(result);
        }
        let mut result = Ok(());
        match backlog.read(stream, cx, |bytes| desk.serve(bytes, &mut result)) {
            Poll::Ready(Ok(Received::Bytes)) => Poll::Ready(result),
            Poll::Ready(Ok(Received::End)) => Poll::Ready(Err(End::ByClient)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Whether nothing is read for now, because the device sent more than its record allows.
    fn rests(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            if let Some(rest) = &mut self.rest {
                if rest.as_mut().poll(cx).is_pending() {
                    return true;
                }
                self.rest = None;
            }
            let Stage::Serving(client) = &self.stage else { return false };
            let rest = client.rest(self.service.now());
            if rest.is_zero() {
                return false;
            }
            self.rest = Some(Box::pin(tokio::time::sleep(rest)));
        }
    }

    /// A socket that takes nothing for too long is given up; one that takes little is not.
    fn watch_stall(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let timeout = self.service.limits().write_timeout;
        let sent = self.stream.sent();
        if self.stalled.as_ref().is_none_or(|stall| stall.sent != sent) {
            self.stalled = Some(Stall { timer: Box::pin(tokio::time::sleep(timeout)), sent });
        }
        match &mut self.stalled {
            Some(stall) => stall.timer.as_mut().poll(cx).map(|()| End::Stalled),
            None => Poll::Pending,
        }
    }

    /// Says goodbye on every layer and waits, not long, for the peer to do so.
    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Stage::Closing(deadline) = &mut self.stage else { return Poll::Ready(()) };
        if deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        // The goodbyes of WebSocket and TLS, then the end of our half of the TCP connection.
        if Pin::new(&mut self.stream).poll_shutdown(cx).is_pending() {
            return Poll::Pending;
        }
        drain(&mut self.stream, cx)
    }

    fn finish(&mut self, end: &End) {
        let address = self.address;
        let closing = Stage::Closing(Box::pin(tokio::time::sleep(LINGER)));
        match std::mem::replace(&mut self.stage, closing) {
            Stage::Serving(client) => {
                tracing::info!(
                    %address,
                    device = %client.principal().key.name.escape_debug(),
                    client_id = %client.principal().client_id.escape_debug(),
                    "disconnected: {end}"
                );
                let mut wakes = Wakes::default();
                match end {
                    End::ByBroker(ReasonCode::ServerShuttingDown) => client.abandon(self.service.now(), &mut wakes),
                    _ => client.end(self.service.now(), &mut wakes),
                }
            }
            // A refusal has been logged with its cause.
            Stage::Expecting(_) if matches!(end, End::ByBroker(_)) => {}
            Stage::Expecting(expecting) => {
                static SAMPLED: Sampled = Sampled::per_second(20);
                if let Some(suppressed) = SAMPLED.admit() {
                    let device = expecting.client.key.name.escape_debug();
                    tracing::info!(%address, %device, suppressed, "closed before CONNECT: {end}");
                }
            }
            Stage::Closing(_) => {}
        }
    }
}

enum Written {
    All,
    Some,
    Blocked,
}

impl<S: Transport> Future for Connection<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if !matches!(this.stage, Stage::Closing(_)) {
            match this.advance(cx) {
                Poll::Ready(end) => this.finish(&end),
                Poll::Pending => return Poll::Pending,
            }
        }
        this.linger(cx)
    }
}

/// Where packets are served: the parts of a connection that they touch.
struct Desk<'c> {
    service: &'c Arc<Service>,
    address: &'c SocketAddr,
    outbound: &'c Arc<Outbound>,
    stage: &'c mut Stage,
    budget: &'c mut usize,
    /// Woken once, at the end of the batch.
    wakes: Wakes,
}

impl Desk<'_> {
    /// Serves whole packets from the front of `bytes`, as far as the budget and the outbound go.
    fn serve(&mut self, bytes: &[u8], result: &mut Result<(), End>) -> Consumed {
        let now = self.service.now();
        self.outbound.touch(now);
        let mut done = 0;
        while *self.budget > 0 {
            match self.outbound.readiness() {
                Readiness::Open => {}
                Readiness::Full => break,
                Readiness::Closing => return Consumed { bytes: bytes.len(), needed: 0 },
            }
            let rest = bytes.get(done..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let served = match self.stage {
                Stage::Expecting(_) => self.connect(rest),
                Stage::Serving(_) => self.packet(rest),
                Stage::Closing(_) => return Consumed { bytes: bytes.len(), needed: 0 },
            };
            match served {
                Ok(Served::Packet(length)) => {
                    done += length;
                    *self.budget = self.budget.saturating_sub(length / BYTES_PER_PACKET);
                }
                Ok(Served::Incomplete(needed)) => return Consumed { bytes: done, needed },
                Err(end) => {
                    *result = Err(end);
                    return Consumed { bytes: bytes.len(), needed: 0 };
                }
            }
            *self.budget = self.budget.saturating_sub(1);
            if let Stage::Serving(client) = self.stage
                && !client.rest(now).is_zero()
            {
                break;
            }
        }
        Consumed { bytes: done, needed: 0 }
    }

    fn packet(&mut self, bytes: &[u8]) -> Result<Served, End> {
        let Stage::Serving(client) = self.stage else { return Ok(Served::Packet(bytes.len())) };
        let maximum = self.service.hub().mqtt().maximum_packet_size;
        let version = client.version();
        match decode(bytes, version, Sender::Client, maximum) {
            Ok(Decoded::Packet { packet, length }) => {
                match client.handle(packet, self.service.now(), &mut self.wakes) {
                    Ok(()) => Ok(Served::Packet(length)),
                    Err(Closed::ByClient) => Err(End::ByClient),
                    Err(Closed::ByBroker) => Ok(Served::Packet(bytes.len())),
                    Err(Closed::Fault(reason, fault)) => {
                        self.fault(reason, fault);
                        Ok(Served::Packet(bytes.len()))
                    }
                }
            }
            Ok(Decoded::Incomplete { needed }) => Ok(Served::Incomplete(needed)),
            Err(error) => {
                self.unreadable(error);
                Ok(Served::Packet(bytes.len()))
            }
        }
    }

    fn connect(&mut self, bytes: &[u8]) -> Result<Served, End> {
        let maximum = self.service.hub().mqtt().maximum_packet_size.min(CONNECT_BYTES);
        match decode_connect(bytes, maximum) {
            Ok(Decoded::Packet { packet: Packet::Connect(connect), length }) => {
                let Stage::Expecting(expecting) = self.stage else { return Ok(Served::Packet(length)) };
                let VerifiedClient { identity, key, chain } = &*expecting.client;
                let peer = Peer { identity, key, chain };
                let hub = self.service.hub();
                match hub.connect(peer, &connect, self.outbound, self.service.now(), &mut self.wakes) {
                    Ok(client) => {
                        tracing::info!(
                            address = %self.address,
                            device = %key.name.escape_debug(),
                            trust = %key.trust.escape_debug(),
                            client_id = %client.principal().client_id.escape_debug(),
                            version = ?connect.version,
                            "connected"
                        );
                        self.note_connected(&client);
                        *self.stage = Stage::Serving(Box::new(client));
                    }
                    Err(refused) => {
                        hub.note_refused(peer, connect.client_id, Some(*self.address), &refused);
                        self.refuse(&connect, &refused);
                        // Nothing behind it is read, least of all another CONNECT.
                        return Ok(Served::Packet(bytes.len()));
                    }
                }
                Ok(Served::Packet(length))
            }
            Ok(Decoded::Packet { .. }) => Err(End::ByClient),
            Ok(Decoded::Incomplete { needed }) => Ok(Served::Incomplete(needed)),
            Err(error) => {
                self.refuse_bytes(error);
                Ok(Served::Packet(bytes.len()))
            }
        }
    }

    /// A device that comes for the first time, or with another certificate, is an event.
    fn note_connected(&self, client: &Client) {
        let Stage::Expecting(expecting) = &*self.stage else { return };
        let VerifiedClient { identity, key, .. } = &*expecting.client;
        self.service.audit().device_connected(&key.trust, &key.name, &identity.sha256, || Seen {
            device: key.name.to_string(),
            trust: key.trust.to_string(),
            address: self.address.to_string(),
            client_id: client.principal().client_id.to_string(),
            serial: identity.serial_hex(),
            issuer: identity.issuer.to_string(),
            not_before: identity.not_before,
            not_after: identity.not_after,
            sha256: identity.sha256,
        });
    }

    fn refuse(&mut self, connect: &Connect<'_>, refused: &ConnectRefused) {
        METRICS.connects_refused.increment();
        self.log_refused(&refused.cause);
        refused.answer(connect, self.outbound, &mut self.wakes);
    }

    /// What came first was no CONNECT, or not a good one.
    fn refuse_bytes(&mut self, error: ConnectError) {
        METRICS.protocol_errors.increment();
        self.log_refused(&error.to_string());
        self.note_unreadable(error);
        match error.answer() {
            Some((version, answer)) => {
                let packet = Packet::ConnAck(answer);
                self.outbound.close_with(Some(&packet), version, error.reason(), &mut self.wakes);
            }
            None => self.outbound.close_with(None, Version::V3_1_1, error.reason(), &mut self.wakes),
        }
    }

    fn note_unreadable(&self, error: ConnectError) {
        let Stage::Expecting(expecting) = &*self.stage else { return };
        let DeviceKey { trust, name } = &expecting.client.key;
        let reason = error.reason();
        let facts = Refused { kind: Kind::Connect, trust, device: name, rule: None, cause: reason.name() };
        self.service.hub().denials().add(facts, Some(*self.address), || Details {
            cause: Some(error.to_string()),
            reason_code: Some(reason as u8),
            remedy: Some("see the client's MQTT library: what it sent first is no valid CONNECT".to_owned()),
            ..Details::default()
        });
    }

    fn log_refused(&self, cause: &str) {
        static SAMPLED: Sampled = Sampled::per_second(20);
        if let (Some(suppressed), Stage::Expecting(expecting)) = (SAMPLED.admit(), &*self.stage) {
            tracing::warn!(
                address = %self.address,
                device = %expecting.client.key.name.escape_debug(),
                trust = %expecting.client.key.trust.escape_debug(),
                suppressed,
                "CONNECT refused: {cause}"
            );
        }
    }

    /// The client broke the protocol: it is told why where its version has words for it, and closed.
    fn fault(&mut self, reason: ReasonCode, fault: &str) {
        self.note_fault(fault);
        if let Stage::Serving(client) = &*self.stage {
            client.close(reason, fault, &mut self.wakes);
        }
    }

    /// The client's bytes are no packet.
    fn unreadable(&mut self, error: DecodeError) {
        match error.is_answered() {
            true => self.fault(error.reason(), &error.to_string()),
            false => {
                self.note_fault(&error.to_string());
                self.outbound.close_with(None, Version::V3_1_1, error.reason(), &mut self.wakes);
            }
        }
    }

    fn note_fault(&self, fault: &str) {
        METRICS.protocol_errors.increment();
        static SAMPLED: Sampled = Sampled::per_second(20);
        let Stage::Serving(client) = &*self.stage else { return };
        if let Some(suppressed) = SAMPLED.admit() {
            tracing::warn!(
                address = %self.address,
                device = %client.principal().key.name.escape_debug(),
                client_id = %client.principal().client_id.escape_debug(),
                suppressed,
                "closing: {fault}"
            );
        }
    }
}

/// Throws away what the peer still sends, until it closes or fails.
fn drain(stream: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<()> {
    let mut scratch = [MaybeUninit::uninit(); 1024];
    for _ in 0..PACKETS_PER_POLL {
        let mut read = ReadBuf::uninit(&mut scratch);
        match ready!(Pin::new(&mut *stream).poll_read(cx, &mut read)) {
            Ok(()) if !read.filled().is_empty() => {}
            Ok(()) | Err(_) => return Poll::Ready(()),
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

enum Served {
    Packet(usize),
    Incomplete(usize),
}
