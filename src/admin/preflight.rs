//! What can be said of the settings before anything is served.

use super::reply::{AdminError, Fault};
use crate::config::Settings;
use crate::tls::{ServerTls, TlsError};

/// Reads every certificate, key and CRL that the settings name, as the broker would at `now` (Unix seconds); returns
/// what works, but should be looked at.
///
/// # Errors
/// What would keep the broker from serving: [`Fault::NotPermitted`] for a key that others can read, else
/// [`Fault::Configuration`].
pub fn certificates(settings: &Settings, now: i64) -> Result<Vec<String>, AdminError> {
    ServerTls::load(&settings.tls, settings.identity.subject, now).map(|(_, notices)| notices).map_err(|error| {
        let fault = match &error {
            TlsError::Configuration(_) => Fault::Configuration,
            TlsError::ReadableKey(_) => Fault::NotPermitted,
        };
        AdminError::new(fault, error.to_string())
    })
}
