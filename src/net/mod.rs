//! Listeners and the connection task: bytes in, bytes out.
//!
//! ```text
//! Listener: permit, accept, spawn -- nothing slow
//!   '- handshake task: TLS under a deadline and a byte limit, then hands over to
//!        '- connection task (one small future, no .await):
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
mod writing;

pub use listener::{Listener, Service};
