//! Reading settings, certificates and revocation lists anew, and what of them the other requests need.

use super::{Call, Service};
use crate::admin::reply::{AdminError, Fault, ReloadView, Reply};
use crate::config::TlsSettings;
use std::sync::Arc;

/// The part of a broker that can be reloaded.
pub trait Reload: Send + Sync + std::fmt::Debug {
    /// Reads everything and puts it in force, or changes nothing. Blocks.
    ///
    /// # Errors
    /// What is wrong with the settings or the files they name.
    fn reload(&self, author: &str) -> Result<ReloadView, AdminError>;

    /// The settings in force.
    fn tls(&self) -> TlsSettings;
}

/// Where the trust blocks and their CAs are known from.
#[derive(Debug)]
pub(super) enum TlsSource {
    /// No broker: from the settings of the command.
    Settings(TlsSettings),
    /// A broker, whose settings may be reloaded.
    Broker(Arc<dyn Reload>),
}

impl Service {
    pub(super) fn reload(&self, call: Call<'_>) -> Result<Reply, AdminError> {
        match &self.tls {
            TlsSource::Broker(broker) => broker.reload(call.author).map(Reply::Reloaded),
            TlsSource::Settings(_) => Err(AdminError::new(Fault::NoBroker, "no broker runs that could be reloaded")),
        }
    }

    pub(super) fn tls(&self) -> TlsSettings {
        match &self.tls {
            TlsSource::Broker(broker) => broker.tls(),
            TlsSource::Settings(settings) => settings.clone(),
        }
    }

    pub(super) fn trust_blocks(&self) -> Vec<String> {
        self.tls().trust.into_iter().map(|block| block.name).collect()
    }
}
