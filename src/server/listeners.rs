//! From the settings to bound listeners.

use super::{ErrorKind, Ready, ServerError};
use crate::config::tls::SessionResumption;
use crate::config::{Limits, Listeners, Settings, WebSocketSettings};
use crate::net::{Framing, Listener};
use crate::pki;
use crate::tls::{HTTP_PROTOCOL, MQTT_PROTOCOL, ServerTls, TicketKeys, TlsError};
use arc_swap::ArcSwap;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// File descriptors that are not client connections: the store, sockets, logs.
const OTHER_FILES: u64 = 100;

/// Issues revocation lists of our own CA anew that are past half their life.
pub(super) fn refresh_own_lists(settings: &Settings, now: i64) {
    for path in settings.tls.trust.iter().flat_map(|block| &block.crl) {
        match pki::refresh_crl_if_due(path, now) {
            Ok(Some(_)) => tracing::info!(path = %path.display(), "revocation list re-issued: half its life was over"),
            Ok(None) => {}
            // The old one still counts, until it is stale.
            Err(error) => tracing::error!(path = %path.display(), "the revocation list is not re-issued: {error}"),
        }
    }
}

/// Loads what every listener judges clients by, with notices, which are in the log already.
pub(super) fn tls(settings: &Settings, now: i64) -> Result<(ServerTls, Vec<String>), ServerError> {
    refresh_own_lists(settings, now);
    let (tls, notices) = ServerTls::load(&settings.tls, settings.identity.subject, now).map_err(|error| {
        let kind = match error {
            TlsError::Configuration(_) => ErrorKind::Configuration,
            TlsError::ReadableKey(_) => ErrorKind::NotPermitted,
        };
        ServerError { kind, message: error.to_string() }
    })?;
    for notice in &notices {
        tracing::warn!("{notice}");
    }
    Ok((tls, notices))
}

/// The ticket keys of each listener of the settings, for one trust epoch; none where nothing is resumed.
#[derive(Clone, Debug, Default)]
pub(super) struct TicketsOfListeners {
    mqtts: Option<TicketKeys>,
    wss: Option<TicketKeys>,
}

/// New keys: tickets of before are worthless.
pub(super) fn tickets(settings: &Settings) -> Result<TicketsOfListeners, ServerError> {
    if settings.tls.session_resumption == SessionResumption::Never {
        return Ok(TicketsOfListeners::default());
    }
    let keys = || TicketKeys::generate().map(Some).map_err(|error| ServerError::system(&error.to_string()));
    Ok(TicketsOfListeners { mqtts: keys()?, wss: keys()? })
}

/// What of `wanted` can change while a listener is open.
pub(super) fn take_reloadable(listeners: &mut Listeners, wanted: &Listeners) {
    listeners.mqtts.alpn.clone_from(&wanted.mqtts.alpn);
    listeners.mqtts.max_record = wanted.mqtts.max_record;
    if let (Some(wss), Some(wanted)) = (&mut listeners.wss, &wanted.wss) {
        wss.alpn.clone_from(&wanted.alpn);
        wss.max_record = wanted.max_record;
    }
}

/// The configuration of `listeners.mqtts`.
fn mqtts_tls(settings: &Settings, tls: &ServerTls, tickets: &TicketsOfListeners) -> ServerTls {
    let mqtts = &settings.listeners.mqtts;
    tls.with_alpn(MQTT_PROTOCOL, &mqtts.alpn)
        .with_max_record(mqtts.max_record(&settings.tls))
        .with_tickets(tickets.mqtts.clone())
}

/// That of `listeners.wss`.
fn wss_tls(settings: &Settings, wss: &WebSocketSettings, tls: &ServerTls, tickets: &TicketsOfListeners) -> ServerTls {
    tls.with_alpn(HTTP_PROTOCOL, &wss.alpn)
        .with_max_record(wss.max_record(&settings.tls))
        .with_tickets(tickets.wss.clone())
}

/// Where listeners look what they judge clients by.
#[derive(Debug)]
pub(super) struct Doors {
    mqtts: Vec<Arc<ArcSwap<ServerTls>>>,
    wss: Vec<Arc<ArcSwap<ServerTls>>>,
}

impl Doors {
    /// Handshakes that begin from now on are judged by `tls`.
    pub(super) fn put_in_force(&self, settings: &Settings, tls: &ServerTls, tickets: &TicketsOfListeners) {
        let swap = |doors: &[Arc<ArcSwap<ServerTls>>], tls: ServerTls| {
            let tls = Arc::new(tls);
            doors.iter().for_each(|door| door.store(Arc::clone(&tls)));
        };
        swap(&self.mqtts, mqtts_tls(settings, tls, tickets));
        if let Some(wss) = &settings.listeners.wss {
            swap(&self.wss, wss_tls(settings, wss, tls, tickets));
        }
    }
}

/// Every listener of the broker.
pub(super) struct Bound {
    mqtts: Vec<Listener>,
    wss: Vec<Listener>,
}

/// Binds every address, or none.
pub(super) fn bind(settings: &Settings, tls: &ServerTls, tickets: &TicketsOfListeners) -> Result<Bound, ServerError> {
    let Listeners { mqtts, wss } = &settings.listeners;
    let plain = mqtts_tls(settings, tls, tickets);
    let mqtts = bind_all("listeners.mqtts", &mqtts.bind, &plain, &Framing::Plain)?;
    let wss = wss.as_ref().map_or(Ok(Vec::new()), |wss| {
        let tls = wss_tls(settings, wss, tls, tickets);
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
    /// Where its listeners look.
    pub(super) fn doors(&self) -> Doors {
        let doors = |listeners: &[Listener]| listeners.iter().map(Listener::tls).collect();
        Doors { mqtts: doors(&self.mqtts), wss: doors(&self.wss) }
    }

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
