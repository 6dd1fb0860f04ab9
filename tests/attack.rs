//! What an attacker with a good certificate tries on hub and sessions, without sockets: rights that ended, sessions
//! that change hands, peers that do not take what they are sent.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

#[path = "attack/bench.rs"]
mod bench;
#[path = "attack/resources.rs"]
mod resources;
#[path = "attack/rights.rs"]
mod rights;
