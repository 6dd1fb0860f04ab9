//! The accept loop: takes a permit, accepts, spawns at once.

use super::connection::Connection;
use super::handshake::{self, Established};
use super::transport::Transport;
use super::websocket;
use crate::config::{Limits, Origin};
use crate::hub::Hub;
use crate::session::Moment;
use crate::telemetry::audit::Audit;
use crate::telemetry::metrics::METRICS;
use crate::tls::ServerTls;
use arc_swap::ArcSwap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};

/// How long the accept loop rests when the process is out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);
const KEEPALIVE: Duration = Duration::from_secs(60);

/// What every connection of the broker shares.
#[derive(Debug)]
pub struct Service {
    hub: Arc<Hub>,
    audit: Audit,
    started: Instant,
    connections: Arc<Semaphore>,
    unauthenticated: Arc<Semaphore>,
}

/// What carries MQTT inside TLS.
#[derive(Clone, Debug)]
pub enum Framing {
    /// Nothing: packets follow each other.
    Plain,
    /// WebSocket (RFC 6455), for pages of these origins, of its own, and for whoever is no browser.
    WebSocket(Arc<[Origin]>),
}

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    framing: Framing,
    /// Loaded anew for each connection, so that it can be swapped whole.
    tls: Arc<ArcSwap<ServerTls>>,
}

impl Service {
    /// Shares `hub` among connections; moments count from now.
    pub fn new(hub: Arc<Hub>) -> Arc<Self> {
        Self::audited(hub, Audit::default())
    }

    /// As [`Service::new`]; devices that come for the first time are told to `audit`.
    pub fn audited(hub: Arc<Hub>, audit: Audit) -> Arc<Self> {
        let limits = hub.limits();
        let permits = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self {
            connections: permits(limits.connections),
            unauthenticated: permits(limits.unauthenticated_connections),
            started: Instant::now(),
            audit,
            hub,
        })
    }

    /// The hub.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Where events are recorded.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The present moment of the broker.
    pub fn now(&self) -> Moment {
        Moment(0).after(self.started.elapsed())
    }

    pub(super) fn limits(&self) -> &Limits {
        self.hub.limits()
    }
}

impl Listener {
    /// Binds `address`; clients are judged by `tls` and speak MQTT in `framing`.
    ///
    /// # Errors
    /// What the system says, most often that the address is in use.
    pub fn bind(address: SocketAddr, tls: ServerTls, framing: Framing) -> io::Result<Self> {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(4096)?;
        Ok(Self { socket: TcpListener::from_std(socket.into())?, framing, tls: Arc::new(ArcSwap::from_pointee(tls)) })
    }

    /// What it judges clients by: store another one, and handshakes that begin from then on are judged by it.
    pub fn tls(&self) -> Arc<ArcSwap<ServerTls>> {
        Arc::clone(&self.tls)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts until `stop` changes. Every connection holds a clone of `alive` while it lasts.
    pub async fn run(self, service: Arc<Service>, mut stop: watch::Receiver<bool>, alive: mpsc::Sender<()>) {
        loop {
            tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok((socket, address)) => self.admit(socket, address, &service, &alive),
                    // One client that left before it was accepted is no reason to make the others wait.
                    Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {}
                    Err(error) => {
                        tracing::error!("cannot accept a connection: {error}; trying again");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                _ = stop.changed() => return,
            }
        }
    }

    /// Spawns the connection, or drops the socket where a bound is reached.
    fn admit(&self, socket: TcpStream, address: SocketAddr, service: &Arc<Service>, alive: &mpsc::Sender<()>) {
        METRICS.connections_accepted.increment();
        let permit = Arc::clone(&service.connections).try_acquire_owned();
        let unauthenticated = Arc::clone(&service.unauthenticated).try_acquire_owned();
        let (Ok(permit), Ok(unauthenticated)) = (permit, unauthenticated) else {
            METRICS.connections_over_limit.increment();
            return;
        };
        if let Err(error) = tune(&socket, service.limits()) {
            tracing::debug!(%address, "cannot set socket options: {error}");
        }
        let handshake = self.tls.load().begin();
        let framing = self.framing.clone();
        let service = Arc::clone(service);
        let alive = alive.clone();
        // The handshake's large future ends here; what stays for the life of the connection is small.
        tokio::spawn(async move {
            let established =
                Box::pin(handshake::run(handshake, socket, address, &service, permit, unauthenticated)).await;
            match (established, framing) {
                (None, _) => {}
                (Some(established), Framing::Plain) => serve(established, service, alive),
                (Some(established), Framing::WebSocket(origins)) => {
                    if let Some(opened) =
                        Box::pin(websocket::upgrade(established, &origins, service.hub().denials())).await
                    {
                        serve(opened, service, alive);
                    }
                }
            }
        });
    }
}

/// Spawns the small task that a connection is from here on.
fn serve<S: Transport>(established: Established<S>, service: Arc<Service>, alive: mpsc::Sender<()>) {
    tokio::spawn(async move {
        let _alive = alive;
        Connection::new(established, service).await;
    });
}

/// No delay, keepalive, and a bound on unacknowledged data.
fn tune(socket: &TcpStream, limits: &Limits) -> io::Result<()> {
    let socket = socket2::SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(KEEPALIVE))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(limits.write_timeout))?;
    Ok(())
}
