//! Settings: strict reading of the file, environment and flags. `Limits` may be named by every room.

pub mod limits;
pub mod mqtt;
pub mod tls;
pub mod units;

pub use limits::Limits;
pub use mqtt::MqttSettings;
pub use tls::{TlsSettings, TrustBlockSettings};
