//! One client's session as a state machine. Pure: `now` is an argument, bytes go to an [`Outbox`].
//!
//! ```text
//! hub: publication --deliver--> Session --PUBLISH--> Outbox --> connection task
//!                                 | queue (client away, window or outbox full)
//! client: PUBACK/PUBREC/PUBCOMP --> window slides --> pump: queue -> Outbox
//! client: PUBLISH QoS 2 / PUBREL --> incoming ids: exactly once
//! ```
//!
//! A session outlives its connections: what a connected client announced ([`Terms`]) is set when it connects
//! and dropped when it leaves.

mod aliases;
mod allowance;
mod drops;
mod expiry;
mod incoming;
mod message;
mod outbox;
mod outgoing;
mod sending;
mod shared;
mod state;
mod subscriptions;
#[cfg(test)]
mod tests;

pub use drops::Drops;
pub use expiry::{Expiry, Moment};
pub use incoming::{Arrival, Incoming, TooManyUnreleased};
pub use message::{Message, Publication, WriterId};
pub use outbox::{Appended, Outbox, PacketTooLarge, Place};
pub use outgoing::{Acknowledged, Bounds, Handover, Load, QueueFullPolicy, Share};
pub use state::{Delivery, ProblemInformation, Session, SessionId, Terms, Via, Withheld};
pub use subscriptions::{Subscription, SubscriptionId, Subscriptions};
