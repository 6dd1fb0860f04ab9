//! MQTT in the binary messages of a WebSocket (RFC 6455; MQTT 5.0 section 6) inside TLS.
//!
//! ```text
//! TLS stream ── upgrade ── request: one HTTP head, judged whole (origin, subprotocol)
//!     '- WebSocket: a byte stream again
//!          read  <- frames: unmasked in place, in the buffer of the reader; nothing is collected
//!          write -> one binary frame for each batch
//! ```
//!
//! Where frames begin and end means nothing to MQTT [MQTT-6.0.0-2], so a frame costs no memory, whatever length it
//! declares. Of pings only the last one is answered (RFC 6455 section 5.5.3), so neither do they.

mod frames;
mod request;
mod upgrade;

pub(super) use upgrade::run as upgrade;

use super::transport::Transport;
use crate::telemetry::metrics::METRICS;
use frames::{Decoder, Ending, FrameHead};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[cfg(test)]
mod tests;

/// Reads without a byte of MQTT in them before other connections of the worker get their turn.
const READS_PER_POLL: usize = 16;

/// The MQTT bytes of a WebSocket, in both directions.
#[derive(Debug)]
pub(super) struct WebSocket<S> {
    stream: S,
    decoder: Decoder,
    /// Why no more frames will be read.
    ended: Option<Ending>,
    /// What must be in `stream` before anything else: the rest of a frame's head, or of a control frame.
    pending: Vec<u8>,
    /// Bytes that the frame begun last still lacks.
    owed: usize,
    /// The ping that waits for its answer.
    ping: Option<Vec<u8>>,
    /// A control frame may wait in `stream` for a flush.
    unflushed: bool,
    goodbye: Goodbye,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goodbye {
    Unsaid,
    /// Our Close is on its way, or can no longer be sent.
    Said,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Takes over after the upgrade.
    fn new(stream: S) -> Self {
        Self {
            stream,
            decoder: Decoder::new(),
            ended: None,
            pending: Vec::new(),
            owed: 0,
            ping: None,
            unflushed: false,
            goodbye: Goodbye::Unsaid,
        }
    }

    /// Brings out what must go before the next payload: at most one control frame waits in `stream` at a time.
    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while !self.pending.is_empty() {
                match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.pending))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    count => drop(self.pending.drain(..count)),
                }
                self.unflushed = true;
            }
            if self.unflushed {
                ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
                self.unflushed = false;
            }
            match self.ping.take_if(|_| self.owed == 0) {
                Some(ping) => self.pending = frames::pong(&ping),
                None => {
                    self.pending = Vec::new();
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// Keeps the MQTT bytes of `fresh` at its front and remembers what else it says; returns how many they are.
    fn decode(&mut self, fresh: &mut [u8]) -> usize {
        let decoded = self.decoder.decode(fresh);
        if decoded.ping.is_some() {
            self.ping = decoded.ping;
        }
        if let Some(ending) = decoded.ending {
            if matches!(ending, Ending::Fault(_)) {
                METRICS.protocol_errors.increment();
            }
            self.ended = Some(ending);
        }
        decoded.data
    }

    /// Sends our Close, unless a frame was cut short: then whatever comes next would be taken for its payload.
    fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.goodbye == Goodbye::Unsaid {
            self.ping = None;
            ready!(self.poll_pending(cx))?;
            self.goodbye = Goodbye::Said;
            if self.owed == 0 {
                self.pending = frames::close(self.ended.as_ref());
            }
        }
        self.poll_pending(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.goodbye == Goodbye::Said {
            // Nothing of it is MQTT any more: it is read to be thrown away.
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        for _ in 0..READS_PER_POLL {
            match &this.ended {
                Some(Ending::Close(_)) => return Poll::Ready(Ok(())),
                Some(Ending::Fault(fault)) => return Poll::Ready(Err(io::Error::other(fault.what))),
                None => {}
            }
            // A peer that does not take its pong is heard all the same.
            if let Poll::Ready(Err(error)) = this.poll_pending(cx) {
                return Poll::Ready(Err(error));
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
            let fresh = buf.filled_mut().get_mut(before..).unwrap_or_default();
            if fresh.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let data = this.decode(fresh);
            buf.set_filled(before + data);
            if data > 0 {
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_pending(cx))?;
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if this.owed == 0 {
            let head = FrameHead::binary(buf.len());
            // Together, so that they are one TLS record.
            let parts = [IoSlice::new(head.bytes()), IoSlice::new(buf)];
            let written = match ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, &parts))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => written,
            };
            this.pending = head.bytes().get(written..).unwrap_or_default().to_vec();
            let payload = written.saturating_sub(head.bytes().len());
            this.owed = buf.len() - payload;
            if payload > 0 {
                return Poll::Ready(Ok(payload));
            }
            ready!(this.poll_pending(cx))?;
        }
        let part = buf.get(..this.owed).unwrap_or(buf);
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, part))?;
        this.owed -= written;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_pending(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    /// Our half of the closing handshake (RFC 6455 section 7), then the end of our half of the stream below: nothing
    /// may follow a Close. The peer's half comes, if it does, while what it still sends is thrown away.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_goodbye(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

impl<S: Transport> Transport for WebSocket<S> {
    fn sent(&self) -> u64 {
        self.stream.sent()
    }
}
