//! certmq: an MQTT broker that knows every device by its client certificate.
//!
//! The rooms, from the outside in; each may use only what stands to its right:
//!
//! ```text
//! cli -> server -> {net, admin} -> {hub, tls} -> {store} -> session -> policy -> protocol
//!                                   pki ----------------------------->  policy
//! ```
//!
//! `protocol`, `policy` and `session` are pure: no sockets, files, clocks or threads. `telemetry` and
//! `config::Limits` may be named by every room that is not pure. `tests/tidy.rs` holds the walls up.

pub mod admin;
pub mod cli;
pub mod config;
pub mod hub;
pub mod net;
pub mod pki;
pub mod policy;
pub mod protocol;
pub mod server;
pub mod session;
pub mod store;
pub mod telemetry;
pub mod tls;
