//! What carries MQTT: decrypted bytes in order, both ways.

use super::stream::GuardedStream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;

/// A byte stream under a connection. `poll_shutdown` says goodbye on every layer below MQTT.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Bytes that the socket has taken.
    fn sent(&self) -> u64;
}

/// MQTT right inside TLS.
impl Transport for TlsStream<GuardedStream> {
    fn sent(&self) -> u64 {
        self.get_ref().0.sent()
    }
}
