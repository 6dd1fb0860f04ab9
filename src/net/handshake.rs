//! The TLS handshake: under a deadline and a byte limit, and never in the accept loop.

use super::LINGER;
use super::listener::Service;
use super::stream::GuardedStream;
use crate::telemetry::denials::{Details, Kind, Refused};
use crate::telemetry::metrics::METRICS;
use crate::telemetry::sampled::Sampled;
use crate::tls::{CertificateRefusal, Handshake, HandshakeFailure, VerifiedClient};
use rustls::HandshakeKind;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A connection whose client has proved who it is.
pub(super) struct Established<S = TlsStream<GuardedStream>> {
    pub(super) stream: S,
    pub(super) client: Arc<VerifiedClient>,
    pub(super) address: SocketAddr,
    /// When the whole CONNECT must have come, whatever carries it.
    pub(super) deadline: Instant,
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) unauthenticated: OwnedSemaphorePermit,
}

impl<S> Established<S> {
    /// The same client with another layer around the stream.
    pub(super) fn map<T>(self, layer: impl FnOnce(S) -> T) -> Established<T> {
        let Self { stream, client, address, deadline, permit, unauthenticated } = self;
        Established { stream: layer(stream), client, address, deadline, permit, unauthenticated }
    }
}

/// Runs the handshake; a failure is logged with its cause and remedy.
pub(super) async fn run(
    handshake: Handshake,
    socket: TcpStream,
    address: SocketAddr,
    service: &Service,
    permit: OwnedSemaphorePermit,
    unauthenticated: OwnedSemaphorePermit,
) -> Option<Established> {
    let acceptor = TlsAcceptor::from(Arc::clone(&handshake.config));
    let accept = acceptor.accept(GuardedStream::new(socket)).into_fallible();
    match tokio::time::timeout(service.limits().handshake_timeout, accept).await {
        Err(_) => {
            METRICS.deadlines_missed.increment();
            note_failure(
                service,
                address,
                &HandshakeFailure::Other {
                    cause: "the handshake took longer than limits.handshake_timeout".to_owned(),
                    remedy: "see the network between client and broker, or raise the limit",
                },
            );
            None
        }
        Ok(Err((error, stream))) => {
            METRICS.handshakes_failed.increment();
            note_failure(service, address, &handshake.explain_io(&error));
            linger(stream).await;
            None
        }
        Ok(Ok(mut stream)) => {
            stream.get_mut().0.lift();
            let client = match handshake.conclude(stream.get_ref().1) {
                Ok(client) => client,
                Err(failure) => {
                    METRICS.handshakes_failed.increment();
                    METRICS.resumptions_refused.increment();
                    note_failure(service, address, &failure);
                    linger(stream).await;
                    return None;
                }
            };
            if stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed) {
                METRICS.handshakes_resumed.increment();
            }
            let deadline = Instant::now() + service.limits().connect_timeout;
            Some(Established { stream, client, address, deadline, permit, unauthenticated })
        }
    }
}

/// Lets the peer read the last word: closing a socket with unread bytes in it resets the connection, and a reset can
/// overtake what was sent before. The byte limit of a handshake that failed still holds.
pub(super) async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let goodbye = async {
        stream.shutdown().await?;
        let mut scratch = [0; 1024];
        while stream.read(&mut scratch).await? > 0 {}
        io::Result::Ok(())
    };
    // Whether it ends well or not: it ends.
    let _ = tokio::time::timeout(LINGER, goodbye).await;
}

/// Counted and shown with its cause, and logged.
fn note_failure(service: &Service, address: SocketAddr, failure: &HandshakeFailure) {
    let (subject, cause, remedy) = match failure {
        HandshakeFailure::Certificate(CertificateRefusal { subject, cause, remedy, .. }) => {
            (subject.as_str(), cause.as_str(), remedy.as_str())
        }
        HandshakeFailure::Other { cause, remedy } => ("", cause.as_str(), *remedy),
    };
    let refused = Refused { kind: Kind::Handshake, trust: "", device: subject, rule: None, cause };
    let details = || Details { remedy: Some(remedy.to_owned()), ..Details::default() };
    service.hub().denials().add(refused, Some(address), details);
    log_failure(address, failure);
}

/// One line that says whose fault it was and what to do; a storm of them is sampled.
fn log_failure(address: SocketAddr, failure: &HandshakeFailure) {
    static SAMPLED: Sampled = Sampled::per_second(50);
    let Some(suppressed) = SAMPLED.admit() else { return };
    match failure {
        HandshakeFailure::Certificate(CertificateRefusal { subject, issuer, cause, remedy }) => {
            tracing::warn!(%address, subject, issuer, cause, remedy, suppressed, "certificate refused");
        }
        HandshakeFailure::Other { cause, remedy } => {
            tracing::warn!(%address, cause, remedy, suppressed, "handshake failed");
        }
    }
}
