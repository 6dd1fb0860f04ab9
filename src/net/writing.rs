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

    /// Drops whole packets that nothing of has been written yet: the one that is being written is ended, not torn.
    pub(super) fn cut(&mut self) {
        if self.frames.is_empty() {
            // The rest of a large payload, or nothing.
            return;
        }
        let mut end = 0;
        while end < self.written {
            match packet_length(self.frames.get(end..).unwrap_or_default()) {
                Some(length) => end += length,
                None => return,
            }
        }
        if end <= self.frames.len() {
            // A payload by reference belongs to the last packet, which then ends beyond the frames.
            self.frames.truncate(end);
            self.large = None;
        }
    }

    /// Gives memory back.
    pub(super) fn shrink(&mut self) {
        if self.frames.is_empty() {
            self.frames = Vec::new();
        }
    }
}

/// The length of the packet at the front of our own output (section 2.1.4).
fn packet_length(bytes: &[u8]) -> Option<usize> {
    let mut length = 0;
    for (index, digit) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(digit & 0x7f) << (7 * index);
        if digit & 0x80 == 0 {
            return Some(length + index + 2);
        }
    }
    None
}

#[cfg(test)]
mod tests;
