//! Bytes of a connection on their way to the decoder, through a buffer of the worker.

use crate::telemetry::metrics::METRICS;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};

const BUFFER_BYTES: usize = 64 * 1024;

thread_local! {
    /// Borrowed inside one poll only, because tasks migrate between workers.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_BYTES].into_boxed_slice());
}

/// The bytes of a connection that are not decoded yet: empty, and without memory, for an idle one.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    bytes: Vec<u8>,
    start: usize,
    /// Bytes from `start` that the decoder wants to see before it is asked again; 0: ask now.
    needed: usize,
}

/// What a consumer made of the bytes it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Consumed {
    /// Bytes done with, from the front.
    pub(super) bytes: usize,
    /// Bytes in all, from what is left, before it makes sense to show them again; 0: at once.
    pub(super) needed: usize,
}

/// Whether the peer still talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    Bytes,
    End,
}

impl Backlog {
    /// Whether the consumer left something that it can go on with.
    pub(super) fn is_ready(&self) -> bool {
        let left = self.bytes.len() - self.start;
        left > 0 && left >= self.needed
    }

    /// Shows what is there to `consume`.
    pub(super) fn consume(&mut self, consume: impl FnOnce(&[u8]) -> Consumed) {
        let consumed = consume(self.bytes.get(self.start..).unwrap_or_default());
        self.start += consumed.bytes;
        self.needed = consumed.needed;
        if self.start >= self.bytes.len() {
            *self = Self::default();
        }
    }

    /// Reads once from `stream` and shows everything that is there to `consume`.
    pub(super) fn read(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
        consume: impl FnOnce(&[u8]) -> Consumed,
    ) -> Poll<io::Result<Received>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            match Pin::new(stream).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) if read.filled().is_empty() => Poll::Ready(Ok(Received::End)),
                Poll::Ready(Ok(())) => {
                    METRICS.bytes_received.add(read.filled().len() as u64);
                    self.append(read.filled(), consume);
                    Poll::Ready(Ok(Received::Bytes))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            }
        })
    }

    fn append(&mut self, fresh: &[u8], consume: impl FnOnce(&[u8]) -> Consumed) {
        if self.bytes.is_empty() {
            // The usual case: whole packets, decoded in place; only an incomplete rest is kept.
            let consumed = consume(fresh);
            self.bytes = fresh.get(consumed.bytes..).unwrap_or_default().to_vec();
            self.needed = consumed.needed;
            return;
        }
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(fresh);
        if self.is_ready() {
            self.consume(consume);
        }
    }
}
