//! From the settings to bound listeners.

use super::{ErrorKind, ServerError};
use crate::config::{Limits, Settings};
use crate::net::Listener;
use crate::pki;
use crate::tls::{ServerTls, TlsError};
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

/// Binds every address, or none.
pub(super) fn bind(settings: &Settings, tls: &ServerTls) -> Result<Vec<Listener>, ServerError> {
    let mqtts = &settings.listeners.mqtts;
    let tls = tls.with_mqtt_alpn(&mqtts.alpn).with_max_record(mqtts.max_record(&settings.tls));
    let bind =
        |address: &SocketAddr| Listener::bind(*address, tls.clone()).map_err(|error| cannot_listen(*address, &error));
    mqtts.bind.iter().map(bind).collect()
}

/// Where the listeners listen, with the ports that the system chose.
pub(super) fn addresses(listeners: &[Listener]) -> Result<Vec<SocketAddr>, ServerError> {
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

fn cannot_listen(address: SocketAddr, error: &io::Error) -> ServerError {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there: stop it, or set listeners.mqtts to another address",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 want privileges: use a higher one, or CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address: set listeners.mqtts to one it has",
        _ => "set listeners.mqtts to another address",
    };
    ServerError { kind: ErrorKind::CannotListen, message: format!("cannot listen on {address}: {error}; {remedy}") }
}
