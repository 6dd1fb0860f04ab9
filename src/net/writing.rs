//! What left the outbound and is not yet in the socket.

use crate::hub::Taken;
use bytes::Bytes;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// One batch of plaintext being written.
#[derive(Debug, Default)]
pub(super) struct Batch {
    frames: Vec<u8>,
    large: Option<Bytes>,
    written: usize,
    /// rustls or the kernel holds bytes that a flush must bring out.
    unflushed: bool,
}

impl Batch {
    /// Whether everything is in the socket.
    pub(super) fn is_done(&self) -> bool {
        self.frames.is_empty() && self.large.is_none() && !self.unflushed
    }

    /// Fetches the next batch with `take`, which fills the buffer it is given.
    pub(super) fn load(&mut self, take: impl FnOnce(&mut Vec<u8>) -> Taken) -> Taken {
        let mut taken = take(&mut self.frames);
        self.large = taken.large.take();
        self.written = 0;
        taken
    }

    /// Writes on; `Ready` when everything is in the socket.
    pub(super) fn write(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.written < self.frames.len() {
            let rest = self.frames.get(self.written..).unwrap_or_default();
            match ready!(Pin::new(&mut *stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
            self.unflushed = true;
        }
        self.frames.clear();
        self.written = 0;
        while let Some(large) = &mut self.large {
            match ready!(Pin::new(&mut *stream).poll_write(cx, large))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => drop(large.split_to(count)),
            }
            self.unflushed = true;
            if large.is_empty() {
                self.large = None;
            }
        }
        if self.unflushed {
            ready!(Pin::new(stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Gives memory back.
    pub(super) fn shrink(&mut self) {
        if self.frames.is_empty() {
            self.frames = Vec::new();
        }
    }
}
