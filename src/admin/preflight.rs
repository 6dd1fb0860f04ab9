//! What can be said of the settings before anything is served.

use crate::config::Settings;
use crate::tls::{ServerTls, TlsError};

/// Reads every certificate, key and CRL that the settings name, as the broker would at `now` (Unix seconds); returns
/// what works, but should be looked at.
///
/// # Errors
/// What would keep the broker from serving.
pub fn certificates(settings: &Settings, now: i64) -> Result<Vec<String>, TlsError> {
    ServerTls::load(&settings.tls, settings.identity.subject, now).map(|(_, notices)| notices)
}
