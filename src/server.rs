//! The composition root: wiring, supervision, drain.

use crate::config::Settings;
use std::net::SocketAddr;

/// A broker that serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The addresses of MQTT over TLS, with the ports the system chose.
    pub mqtts: Vec<SocketAddr>,
}

/// Why a broker does not run.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ServerError {
    /// Whose fault it is.
    pub kind: ErrorKind,
    /// The thing, the place, the remedy.
    pub message: String,
}

/// Classes of failure, as exit codes tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The settings or the files they name.
    Configuration,
    /// Another broker has the store.
    StoreInUse,
    /// An address cannot be bound.
    CannotListen,
    /// The store cannot be read or written.
    Store,
}

/// Runs a broker until it is told to stop. Calls `ready` when every listener accepts.
///
/// # Errors
/// [`ServerError`].
pub fn run(settings: Settings, ready: impl FnOnce(&Ready)) -> Result<(), ServerError> {
    let _ = (settings, ready);
    Err(ServerError { kind: ErrorKind::Configuration, message: "the broker is not wired yet".to_owned() })
}
