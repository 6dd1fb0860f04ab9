//! Settings: strict reading of the file, environment and flags. `Limits` may be named by every room.
//!
//! ```text
//! keys.rs     every key and its kind: the one table that reading, suggestions and tests share
//! strict.rs   TOML text -> checked values, each fault with file, line and key
//! load.rs     built-in default < file < environment < flags -> Settings
//! settings.rs limits.rs mqtt.rs tls.rs   the sections as types; origin.rs where a web page comes from
//! ```

pub mod limits;
pub mod mqtt;
pub mod nearest;
pub mod origin;
pub mod settings;
mod subject;
pub mod tls;
pub mod units;

mod keys;
mod load;
mod strict;

pub use limits::Limits;
pub use load::{SettingsError, Sources, load};
pub use mqtt::MqttSettings;
pub use nearest::nearest;
pub use origin::Origin;
pub use settings::{
    ClientIds, IdentitySettings, ListenerSettings, Listeners, LogFormat, LogSettings, PolicySection, Settings,
    StorageSettings, WebSocketSettings,
};
pub use strict::Fault;
pub use subject::SubjectSuffix;
pub use tls::{TlsSettings, TrustBlockSettings};
