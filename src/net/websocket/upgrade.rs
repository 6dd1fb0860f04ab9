//! The opening handshake of a WebSocket, under the same deadline as the CONNECT that follows.

use super::WebSocket;
use super::request::{self, Accepted, Refused};
use crate::config::Origin;
use crate::net::handshake::{Established, linger};
use crate::net::transport::Transport;
use crate::policy::DeviceKey;
use crate::telemetry::denials::{self, Denials, Details, Kind};
use crate::telemetry::metrics::METRICS;
use crate::telemetry::sampled::Sampled;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes of the longest head of a request.
const HEAD_BYTES: usize = 8 * 1024;

/// Where the head of a request ends.
const END: &[u8] = b"\r\n\r\n";

/// Why there is no WebSocket.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Refused(#[from] Refused),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("no request within limits.connect_timeout")]
    Late,
}

/// Reads the request and answers it. A refusal is logged with its cause; an unwelcome origin is counted.
pub(in crate::net) async fn run<S: Transport>(
    mut established: Established<S>,
    origins: &[Origin],
    denials: &Denials,
) -> Option<Established<WebSocket<S>>> {
    let opened = tokio::time::timeout_at(established.deadline, open(&mut established.stream, origins)).await;
    match opened.unwrap_or(Err(Failure::Late)) {
        Ok(()) => Some(established.map(WebSocket::new)),
        Err(failure) => {
            note(&established, &failure, denials);
            refuse(established, &failure).await;
            None
        }
    }
}

async fn open(stream: &mut impl Transport, origins: &[Origin]) -> Result<(), Failure> {
    let accepted: Accepted = request::judge(&head(stream).await?, origins)?;
    stream.write_all(accepted.to_string().as_bytes()).await?;
    Ok(stream.flush().await?)
}

/// Everything up to the empty line, and what came with it.
async fn head(stream: &mut impl Transport) -> Result<Vec<u8>, Failure> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let read = match stream.read(&mut piece).await? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            read => piece.get(..read).unwrap_or_default(),
        };
        if head.len() + read.len() > HEAD_BYTES {
            return Err(Refused::TooLong(HEAD_BYTES).into());
        }
        let fresh = head.len().saturating_sub(END.len() - 1);
        head.extend_from_slice(read);
        if head.get(fresh..).is_some_and(|tail| tail.windows(END.len()).any(|window| window == END)) {
            return Ok(head);
        }
    }
}

/// What the client asked for and does not get is shown to the operator.
fn note<S>(established: &Established<S>, failure: &Failure, denials: &Denials) {
    let Failure::Refused(refused) = failure else { return };
    let (cause, remedy) = match refused {
        Refused::Origin(_) => (
            "a web page of another origin",
            "if its pages may act with the device's rights, add the origin to listeners.wss.origins",
        ),
        _ => ("a WebSocket request that is none", "connect with MQTT over WebSocket, to / or /mqtt"),
    };
    let DeviceKey { trust, name } = &established.client.key;
    let facts = denials::Refused { kind: Kind::Handshake, trust, device: name, rule: None, cause };
    denials.add(facts, Some(established.address), || Details {
        cause: Some(refused.to_string()),
        remedy: Some(remedy.to_owned()),
        ..Details::default()
    });
}

/// Tells the client where there is something to tell, and the log.
async fn refuse<S: Transport>(mut established: Established<S>, failure: &Failure) {
    match failure {
        Failure::Refused(Refused::Origin(_)) => METRICS.origins_refused.increment(),
        Failure::Refused(_) => METRICS.protocol_errors.increment(),
        Failure::Late => METRICS.deadlines_missed.increment(),
        Failure::Io(_) => {}
    }
    log_failure(&established, failure);
    if let Failure::Refused(refused) = failure {
        let answer = refused.answer();
        let write = async { established.stream.write_all(answer.as_bytes()).await };
        // The answer fits any socket that took nothing yet; a peer that blocks it loses it.
        let _ = tokio::time::timeout_at(established.deadline, write).await;
        linger(established.stream).await;
    }
}

fn log_failure<S>(established: &Established<S>, failure: &Failure) {
    static SAMPLED: Sampled = Sampled::per_second(20);
    let Some(suppressed) = SAMPLED.admit() else { return };
    let address = established.address;
    let device = established.client.key.name.escape_debug();
    match failure {
        Failure::Refused(refused) => tracing::warn!(%address, %device, suppressed, "WebSocket refused: {refused}"),
        Failure::Io(_) | Failure::Late => {
            tracing::info!(%address, %device, suppressed, "closed before CONNECT: {failure}");
        }
    }
}
