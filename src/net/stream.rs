//! The TCP stream under TLS, with a byte limit while nobody has proved who they are.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes a handshake may bring: a chain of four certificates fits several times over.
const HANDSHAKE_BYTES: usize = 24 * 1024;

/// A TCP stream that fails after [`HANDSHAKE_BYTES`] received, until [`GuardedStream::lift`].
#[derive(Debug)]
pub(super) struct GuardedStream {
    inner: TcpStream,
    /// What may still be received; `None`: without limit.
    left: Option<usize>,
    sent: u64,
}

impl GuardedStream {
    pub(super) fn new(inner: TcpStream) -> Self {
        Self { inner, left: Some(HANDSHAKE_BYTES), sent: 0 }
    }

    /// Bytes that the socket has taken.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    fn count(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.sent += *bytes as u64;
        }
        written
    }

    /// The handshake is over: packets have limits of their own.
    pub(super) fn lift(&mut self) {
        self.left = None;
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let Some(left) = this.left else { return Pin::new(&mut this.inner).poll_read(cx, buf) };
        if left == 0 {
            return Poll::Ready(Err(io::Error::other("more than 24 KiB before the end of the handshake")));
        }
        let result = Pin::new(&mut this.inner).poll_read(cx, buf);
        this.left = Some(left.saturating_sub(buf.filled().len() - before));
        result
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write(cx, buf);
        this.count(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write_vectored(cx, bufs);
        this.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
