//! The statements of the standards, one by one, seen from outside over real TLS: a module per section, both versions
//! wherever both have the statement. Above each test stand the statements it shows; `tests/conformance.toml` names
//! the test for each of them, and `tests/conformance.rs` holds both together.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod packets;
mod scene;

mod acknowledgements;
mod aliases;
mod auth;
mod connack;
mod connect;
mod credentials;
mod disconnect;
mod expiry;
mod flow_control;
mod framing;
mod identifiers;
mod ordering;
mod ping;
mod properties;
mod publish;
mod quality;
mod reasons;
mod retained;
mod sessions;
mod settings;
mod shared;
mod strings;
mod subscribe;
mod topics;
mod unsubscribe;
mod wills;
