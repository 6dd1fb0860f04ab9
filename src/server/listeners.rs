//! From the settings to bound listeners.

use super::{ErrorKind, Ready, ServerError};
use crate::config::{Limits, Listeners, Settings};
use crate::net::{Framing, Listener};
use crate::pki;
use crate::tls::{HTTP_PROTOCOL, MQTT_PROTOCOL, ServerTls, TlsError};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;
use std::net::SocketAddr;

/// File descriptors that are not client connections: the store, sockets, logs.
const OTHER_FILES: u64 = 100;

/// Loads what every listener judges clients by. A revocation list of our own CA that is past half its life is issued
/// anew first.
pub(super) fn tls(settings: &Settings, now: i64) -> Result<ServerTls, ServerError> {
    for path in settings.tls.trust.iter().flat_map(|block| &block.crl) {
        match pki::refresh_crl_if_due(path, now) {
            Ok(Some(_)) => tracing::info!(path = %path.display(), "revocation list re-issued: half its life was over"),
            Ok(None) => {}
            // The old one still counts, until it is stale.
            Err(error) => tracing::error!(path = %path.display(), "the revocation list is not re-issued: {error}"),
        }
    }
    let (tls, notices) = ServerTls::load(&settings.tls, settings.identity.subject, now).map_err(|error| {
        let kind = match error {
            TlsError::Configuration(_) => ErrorKind::Configuration,
            TlsError::ReadableKey(_) => ErrorKind::NotPermitted,
        };
        ServerError { kind, message: error.to_string() }
    })?;
    for notice in notices {
        tracing::warn!("{notice}");
    }
    Ok(tls)
}

/// Every listener of the broker.
pub(super) struct Bound {
    mqtts: Vec<Listener>,
    wss: Vec<Listener>,
}

/// Binds every address, or none.
pub(super) fn bind(settings: &Settings, tls: &ServerTls) -> Result<Bound, ServerError> {
    let Listeners { mqtts, wss } = &settings.listeners;
    let plain = tls.with_alpn(MQTT_PROTOCOL, &mqtts.alpn).with_max_record(mqtts.max_record(&settings.tls));
    let mqtts = bind_all("listeners.mqtts", &mqtts.bind, &plain, &Framing::Plain)?;
    let wss = wss.as_ref().map_or(Ok(Vec::new()), |wss| {
        let tls = tls.with_alpn(HTTP_PROTOCOL, &wss.alpn).with_max_record(wss.max_record(&settings.tls));
        bind_all("listeners.wss", &wss.bind, &tls, &Framing::WebSocket(wss.origins.as_slice().into()))
    })?;
    Ok(Bound { mqtts, wss })
}

fn bind_all(
    key: &str,
    addresses: &[SocketAddr],
    tls: &ServerTls,
    framing: &Framing,
) -> Result<Vec<Listener>, ServerError> {
    let bind = |address: &SocketAddr| {
        Listener::bind(*address, tls.clone(), framing.clone()).map_err(|error| cannot_listen(key, *address, &error))
    };
    addresses.iter().map(bind).collect()
}

impl Bound {
    /// Where they listen, with the ports that the system chose.
    pub(super) fn addresses(&self) -> Result<Ready, ServerError> {
        Ok(Ready { mqtts: addresses(&self.mqtts)?, wss: addresses(&self.wss)? })
    }
}

impl IntoIterator for Bound {
    type Item = Listener;
    type IntoIter = std::iter::Chain<std::vec::IntoIter<Listener>, std::vec::IntoIter<Listener>>;

    fn into_iter(self) -> Self::IntoIter {
        self.mqtts.into_iter().chain(self.wss)
    }
}

fn addresses(listeners: &[Listener]) -> Result<Vec<SocketAddr>, ServerError> {
    let address = |listener: &Listener| {
        listener.local_address().map_err(|error| ServerError::system(&format!("a listener has no address: {error}")))
    };
    listeners.iter().map(address).collect()
}

/// Lets the process have as many files as the system allows, and says so where that is less than the settings want.
pub(super) fn raise_file_limit(limits: &Limits) {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_err() {
        tracing::warn!(soft, hard, "the limit of open files cannot be raised");
    }
    if hard.saturating_sub(OTHER_FILES) < limits.connections as u64 {
        tracing::warn!(
            open_files = hard,
            connections = limits.connections,
            "limits.connections is beyond the open files that the system allows: raise LimitNOFILE or `ulimit -n`"
        );
    }
}

fn cannot_listen(key: &str, address: SocketAddr, error: &io::Error) -> ServerError {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => format!("another program listens there: stop it, or set {key} to another address"),
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 want privileges: use a higher one, or CAP_NET_BIND_SERVICE".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => format!("this machine has no such address: set {key} to one it has"),
        _ => format!("set {key} to another address"),
    };
    ServerError { kind: ErrorKind::CannotListen, message: format!("cannot listen on {address}: {error}; {remedy}") }
}
