//! Certificates that came, of known and of unknown devices.

use super::time_text;
use crate::hub::{PendingDevice, SeenCertificate};
use crate::policy::UnknownDevices;
use serde::{Deserialize, Serialize};

/// Unknown devices that wait for approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingView {
    /// Whether unknown devices are kept at all.
    pub unknown_devices: UnknownDevices,
    /// Who tried last first.
    pub devices: Vec<PendingDeviceView>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingDeviceView {
    /// Which device it would be.
    pub subject: String,
    /// Its trust block.
    pub trust: String,
    /// Who vouches for it.
    pub issuer: String,
    /// `URI:`, `DNS:` and `email:`.
    pub alternative_names: Vec<String>,
    /// Its certificate, and when it came.
    pub certificate: SeenCertificateView,
    /// As its last CONNECT had it.
    pub client_id: String,
    /// Where that came from.
    pub address: Option<String>,
    /// CONNECTs that were refused.
    pub attempts: u64,
}

/// A certificate that a device came with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenCertificateView {
    /// Hexadecimal.
    pub serial: String,
    /// Hexadecimal.
    pub sha256: String,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
    /// RFC 3339.
    pub first_seen: String,
    /// RFC 3339.
    pub last_seen: String,
}

impl PendingView {
    pub(in crate::admin) fn of(unknown_devices: UnknownDevices, pending: &[PendingDevice]) -> Self {
        Self { unknown_devices, devices: pending.iter().map(PendingDeviceView::of).collect() }
    }
}

impl PendingDeviceView {
    fn of(device: &PendingDevice) -> Self {
        Self {
            subject: device.key.name.to_string(),
            trust: device.key.trust.to_string(),
            issuer: device.issuer.clone(),
            alternative_names: device.alternative_names.clone(),
            certificate: SeenCertificateView::of(&device.certificate),
            client_id: device.client_id.clone(),
            address: device.address.map(|address| address.to_string()),
            attempts: device.attempts,
        }
    }
}

impl SeenCertificateView {
    pub(in crate::admin) fn of(certificate: &SeenCertificate) -> Self {
        let hexadecimal = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect();
        Self {
            serial: hexadecimal(&certificate.serial),
            sha256: hexadecimal(&certificate.sha256),
            not_before: time_text(certificate.not_before),
            not_after: time_text(certificate.not_after),
            first_seen: time_text(certificate.first_seen),
            last_seen: time_text(certificate.last_seen),
        }
    }
}
