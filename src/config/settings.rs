//! [`Settings`]: the whole settings file as types.

use super::{Limits, MqttSettings, Origin, TlsSettings, units};
use crate::policy::{PolicySettings, SubjectSelector};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// Everything an operator can set. Built by [`super::load()`]; every key stands in the shipped file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where clients connect.
    pub listeners: Listeners,
    /// Certificates, trust and revocation.
    pub tls: TlsSettings,
    /// What names a device.
    pub identity: IdentitySettings,
    /// Who is known.
    pub policy: PolicySection,
    /// Where the store lies.
    pub storage: StorageSettings,
    /// What the server announces, and its choices within the standard.
    pub mqtt: MqttSettings,
    /// Every bound.
    pub limits: Limits,
    /// What is logged, and how.
    pub log: LogSettings,
}

/// Section `[listeners]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listeners {
    /// MQTT over TLS.
    pub mqtts: ListenerSettings,
    /// MQTT over WebSocket over TLS; `None`: closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wss: Option<WebSocketSettings>,
}

/// One listener: in the file an address, or a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenerSettings {
    /// Addresses with their ports; port 0 lets the system choose. At least one.
    pub bind: Vec<SocketAddr>,
    /// Application protocols accepted (RFC 7301). A client that offers none is accepted, one that offers only
    /// others is refused.
    pub alpn: Vec<String>,
    /// Bytes of the longest TLS record sent, 1 KiB to 16 KiB; `None`: as `tls.max_record` says.
    #[serde(with = "units::optional_bytes", skip_serializing_if = "Option::is_none")]
    pub max_record: Option<usize>,
}

/// `listeners.wss`: in the file an address, or a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebSocketSettings {
    /// As [`ListenerSettings::bind`].
    pub bind: Vec<SocketAddr>,
    /// Pages of these origins may connect from a browser, beside those of the listener's own origin.
    pub origins: Vec<Origin>,
    /// As [`ListenerSettings::alpn`]; what is spoken is HTTP/1.1, whatever name it has here.
    pub alpn: Vec<String>,
    /// As [`ListenerSettings::max_record`].
    #[serde(with = "units::optional_bytes", skip_serializing_if = "Option::is_none")]
    pub max_record: Option<usize>,
}

/// Section `[identity]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentitySettings {
    /// Which attribute of the certificate names the device.
    pub subject: SubjectSelector,
    /// Which client ids a device may use.
    pub client_id: ClientIds,
}

/// `identity.client_id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientIds {
    /// Any: sessions are keyed by device and client id, so devices cannot touch each other's.
    #[default]
    Any,
    /// Exactly the common name of the certificate; only then `{client_id}` may stand in a rule.
    Cn,
}

/// Section `[policy]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicySection {
    /// Whether only devices with a record of their own are known; a match by a group is then not enough.
    pub require_record: bool,
    /// What becomes of valid certificates whose devices nobody knows.
    pub unknown_devices: UnknownDevices,
}

/// `policy.unknown_devices`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownDevices {
    /// CONNECT is refused.
    #[default]
    Refuse,
    /// CONNECT is refused, and the device waits for `certmq device approve`.
    Quarantine,
}

/// Section `[storage]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageSettings {
    /// The folder of the store; made with mode 0700 when it is missing.
    pub path: PathBuf,
    /// The socket that the commands use; `None`: `admin.sock` in `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_socket: Option<PathBuf>,
}

/// Section `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// `error`, `warn`, `info`, `debug` or `trace`, with exceptions per target: `info,certmq::net=debug`.
    pub level: String,
    /// For people or for machines.
    pub format: LogFormat,
}

/// `log.format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line of text per event.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl Settings {
    /// What of the settings the policy needs.
    pub fn policy_settings(&self) -> PolicySettings {
        use crate::policy::{ClientIdRule, RecordRequirement, UnknownDevices as Unknown};
        PolicySettings {
            require_record: match self.policy.require_record {
                true => RecordRequirement::Record,
                false => RecordRequirement::RecordOrMatch,
            },
            client_id: match self.identity.client_id {
                ClientIds::Any => ClientIdRule::Free,
                ClientIds::Cn => ClientIdRule::CommonName,
            },
            unknown: match self.policy.unknown_devices {
                UnknownDevices::Refuse => Unknown::Refuse,
                UnknownDevices::Quarantine => Unknown::Quarantine,
            },
        }
    }
}

impl ListenerSettings {
    /// Bytes of the longest TLS record this listener sends.
    pub fn max_record(&self, tls: &TlsSettings) -> usize {
        self.max_record.unwrap_or(tls.max_record)
    }
}

impl WebSocketSettings {
    /// Bytes of the longest TLS record this listener sends.
    pub fn max_record(&self, tls: &TlsSettings) -> usize {
        self.max_record.unwrap_or(tls.max_record)
    }
}

impl StorageSettings {
    /// The path of the admin socket.
    pub fn admin_socket(&self) -> PathBuf {
        self.admin_socket.as_deref().map_or_else(|| self.path.join("admin.sock"), Path::to_path_buf)
    }
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self { bind: vec![SocketAddr::from(([0, 0, 0, 0], 8883))], alpn: vec!["mqtt".to_owned()], max_record: None }
    }
}

impl Default for WebSocketSettings {
    fn default() -> Self {
        Self {
            bind: vec![SocketAddr::from(([0, 0, 0, 0], 8884))],
            origins: Vec::new(),
            alpn: vec!["http/1.1".to_owned()],
            max_record: None,
        }
    }
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self { path: PathBuf::from("data"), admin_socket: None }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::default() }
    }
}
