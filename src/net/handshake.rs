//! The TLS handshake: under a deadline and a byte limit, and never in the accept loop.

use super::listener::Service;
use super::stream::GuardedStream;
use crate::telemetry::metrics::METRICS;
use crate::telemetry::sampled::Sampled;
use crate::tls::{Handshake, VerifiedClient};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A connection whose client has proved who it is.
pub(super) struct Established {
    pub(super) stream: TlsStream<GuardedStream>,
    pub(super) client: Arc<VerifiedClient>,
    pub(super) address: SocketAddr,
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) unauthenticated: OwnedSemaphorePermit,
}

/// Runs the handshake; a failure is logged with its cause and remedy.
pub(super) async fn run(
    socket: TcpStream,
    address: SocketAddr,
    service: &Service,
    permit: OwnedSemaphorePermit,
    unauthenticated: OwnedSemaphorePermit,
) -> Option<Established> {
    let handshake = service.tls().begin();
    let acceptor = TlsAcceptor::from(Arc::clone(&handshake.config));
    let accept = acceptor.accept(GuardedStream::new(socket));
    match tokio::time::timeout(service.limits().handshake_timeout, accept).await {
        Err(_) => {
            METRICS.deadlines_missed.increment();
            log(address, || "the handshake took longer than limits.handshake_timeout".to_owned());
            None
        }
        Ok(Err(error)) => {
            METRICS.handshakes_failed.increment();
            log_refusal(address, &handshake, &error);
            None
        }
        Ok(Ok(mut stream)) => {
            stream.get_mut().0.lift();
            // No client means that the verifier was not asked: nothing to trust.
            let client = handshake.client()?;
            Some(Established { stream, client, address, permit, unauthenticated })
        }
    }
}

fn log_refusal(address: SocketAddr, handshake: &Handshake, error: &io::Error) {
    match handshake.refusal() {
        Some(refusal) => log(address, || {
            format!(
                "certificate refused: subject={} issuer={} cause={} remedy={}",
                refusal.subject, refusal.issuer, refusal.cause, refusal.remedy
            )
        }),
        None => log(address, || format!("handshake failed: {error}")),
    }
}

fn log(address: SocketAddr, message: impl FnOnce() -> String) {
    static SAMPLED: Sampled = Sampled::per_second(50);
    if let Some(suppressed) = SAMPLED.admit() {
        tracing::warn!(%address, suppressed, "{}", message());
    }
}
