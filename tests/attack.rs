//! What an attacker with a good certificate tries on hub and sessions, without sockets: rights that ended, sessions
//! that change hands, peers that do not take what they are sent.

#[path = "attack/bench.rs"]
mod bench;
#[path = "attack/resources.rs"]
mod resources;
#[path = "attack/rights.rs"]
mod rights;
