//! Listeners and the connection task: bytes in, bytes out.
//!
//! ```text
//! Listener: permit, accept, spawn -- nothing slow
//!   '- handshake task: TLS under a deadline and a byte limit, on a WebSocket listener the upgrade; hands over to
//!        '- connection task (one small future, no .await), the same for every transport:
//!             read  -> worker's buffer -> decode -> hub::Client -> answers
//!             write <- outbound: many packets a record, many records a write
//! ```
//!
//! An idle connection owns no buffer: reading goes through one of the worker, and the outbox gives its memory back
//! when it is empty.

mod connection;
mod handshake;
mod listener;
mod reading;
mod stream;
mod transport;
mod websocket;
mod writing;

pub use listener::{Framing, Listener, Service};

use std::time::Duration;

/// How long the peer may take to read the last word and close its side. Closing a socket with unread bytes in it
/// resets the connection, and a reset can overtake the DISCONNECT or the alert.
const LINGER: Duration = Duration::from_secs(1);
