//! The operator's side: one set of request and response types, served on the local socket and, offline, on the store.
//!
//! ```text
//! CLI -> Request -> socket (one JSON line each way) -> Service -> PolicyAuthority -> store, then Live
//!                \_ no broker: Service in the process of the command ______/         (offline: nobody)
//! ```
//!
//! So a command does the same whether a broker runs or not. A change is compiled first, durable second and in
//! force third; whatever fails leaves the old policy in force.

pub mod authority;
pub mod client;
pub mod preflight;
pub mod reply;
pub mod request;
pub mod service;
pub mod socket;

pub use authority::{CommitError, Live, Offline, PolicyAuthority, Running};
pub use client::{Client, ClientError};
pub use reply::{AdminError, Fault, Reply};
pub use request::{
    DeviceRef, FleetScope, Leftovers, Named, PlanTarget, Request, RevokeTarget, RuleText, SessionChoice, SessionCursor,
    Wait, Who,
};
pub use service::{Place, Reload, Service};

/// A unix user, as journal and audit trail name it: `root (uid 0)`.
pub fn unix_user(uid: u32) -> String {
    match nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)) {
        Ok(Some(user)) => format!("{} (uid {uid})", user.name),
        Ok(None) | Err(_) => format!("uid {uid}"),
    }
}

/// The version of requests and replies. A broker refuses requests of another version by name.
pub const VERSION: u32 = 1;

/// The longest request or reply line, bytes: the fleet file of a few million devices.
pub const LINE_BYTES: usize = 512 * 1024 * 1024;
