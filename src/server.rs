//! The composition root: wiring, supervision, drain.
//!
//! ```text
//! store -> policy -> hub <- listeners (one TLS configuration each)
//!   '- authority <- admin socket           signals, tick, rules that end
//!            '------- reload <- SIGHUP, `certmq reload`, file watch
//! ```

mod audit;
mod expiry;
mod file_watch;
mod listeners;
mod live;
mod reload;
mod sys;
mod trust_watch;

use crate::admin::{Place, PolicyAuthority, Service as AdminService, socket};
use crate::config::Settings;
use crate::hub::{Hub, Touched, Wakes};
use crate::net::Service;
use crate::protocol::ReasonCode;
use crate::store::policy_store::{LoadError, PolicyStore, StoreError};
use crate::telemetry::audit::Audit;
use crate::tls::{Freshness, PolicyInForce, StaleList};
use expiry::ExpiryWatch;
use live::LiveHub;
pub use reload::SettingsSource;
use reload::{Cause, InForce, Reloader, Watches};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// How often the hub looks at its deadlines: keep alive, expiry and will delays are as exact as this.
const TICK: Duration = Duration::from_millis(100);

/// How often certificates near their end are looked for.
const LOOK_AT_ENDS: Duration = Duration::from_secs(60);

/// How long connections may take to say goodbye when the broker stops.
const DRAIN: Duration = Duration::from_secs(10);

/// A broker that serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The addresses of MQTT over TLS, with the ports the system chose.
    pub mqtts: Vec<SocketAddr>,
    /// Those of MQTT over WebSocket over TLS.
    pub wss: Vec<SocketAddr>,
}

/// Why a broker does not run.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ServerError {
    /// Whose fault it is.
    pub kind: ErrorKind,
    /// The thing, the place, the remedy.
    pub message: String,
}

/// Classes of failure, as exit codes tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The settings or the files they name.
    Configuration,
    /// Somebody may read what only the owner may, or we may not.
    NotPermitted,
    /// Another broker has the store.
    StoreInUse,
    /// An address cannot be bound.
    CannotListen,
    /// The store cannot be read or written.
    Store,
    /// The disk of the store is full or read-only.
    NoRoom,
    /// The system refuses what every broker needs: a thread, a signal handler.
    System,
}

/// Runs a broker until it is told to stop by SIGTERM or SIGINT; SIGHUP reloads what `source` says by then. Calls
/// `ready` when every listener accepts.
///
/// # Errors
/// [`ServerError`], before anything is served.
pub fn run(settings: Settings, source: SettingsSource, ready: impl FnOnce(&Ready)) -> Result<(), ServerError> {
    // First what leaves no trace when it fails.
    let asked = Arc::<PolicyInForce>::default();
    let read = reload::fingerprint(&settings);
    let (tls, _) = listeners::tls(&settings, unix_now())?;
    let tls = tls.with_policy(Arc::clone(&asked));
    let tickets = listeners::tickets(&settings)?;
    let store = PolicyStore::open(&settings.storage.path).map_err(ServerError::of_store)?;
    let policy = PolicyAuthority::load(&store, settings.policy_settings(), unix_now()).map_err(ServerError::of_load)?;
    asked.put_in_force(&policy);
    if policy.device_count() == 0 {
        tracing::warn!("the policy has no devices: everyone is refused until `certmq device add` or `certmq apply`");
    }
    listeners::raise_file_limit(&settings.limits);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| ServerError::system(&format!("the runtime cannot start: {error}")))?;
    let hub = Hub::new(Arc::clone(&policy), settings.mqtt.clone(), settings.limits.clone());
    runtime.block_on(async {
        let bound = listeners::bind(&settings, &tls, &tickets)?;
        let addresses = bound.addresses()?;
        let audit = audit::start(&settings, &store)?;
        let service = Service::audited(Arc::clone(&hub), audit.clone());
        let watches = Watches::default();
        watches.expiry.set(tls.ends());
        watches.trust.loaded(tls.trust(), unix_now());
        let live = LiveHub::new(Arc::clone(&service), addresses.clone(), watches.clone(), asked);
        let authority = Arc::new(PolicyAuthority::new(store, policy, Arc::new(live)));
        authority.judge_by(Arc::clone(tls.trust()) as _);
        let socket = socket::bind(&settings.storage.admin_socket())
            .map_err(|error| ServerError { kind: ErrorKind::Configuration, message: error.to_string() })?;
        for warning in tls.trust().list_warnings(unix_now()).iter().filter(|list| list.freshness == Freshness::Stale) {
            audit.record(trust_watch::stale(warning));
        }
        let in_force = InForce { settings: settings.clone(), tls, tickets };
        let reloader = Arc::new(Reloader::new(
            source,
            in_force,
            bound.doors(),
            Arc::clone(&service),
            Arc::clone(&authority),
            watches.clone(),
            read,
        ));
        let admin = AdminService::new(Arc::clone(&authority), settings.identity.subject, settings.tls.clone());
        let admin = admin.reloaded_by(Arc::clone(&reloader) as _).audited(audit.clone(), Place::Socket);
        let admin = Arc::new(admin);

        let (stop, stopped) = watch::channel(false);
        let (alive, gone) = mpsc::channel(1);
        for listener in bound {
            tokio::spawn(listener.run(Arc::clone(&service), stopped.clone(), alive.clone()));
        }
        drop(alive);
        let admin = tokio::spawn(socket::serve(socket, admin, until_changed(stopped.clone())));
        tokio::spawn(tick(Arc::clone(&service), stopped.clone()));
        tokio::spawn(watch_expiry(watches.expiry, Arc::clone(&service), stopped.clone()));
        if !settings.mqtt.sys_interval.is_zero() {
            tokio::spawn(sys::publish(Arc::clone(&service), settings.mqtt.sys_interval, stopped.clone()));
        }
        tokio::spawn(audit::tally(Arc::clone(&service), stopped.clone()));
        let trust = {
            let reloader = Arc::clone(&reloader);
            move || reloader.trust()
        };
        let judge_anew = {
            let reloader = Arc::clone(&reloader);
            move |lists: &[StaleList]| end_stale(&reloader, lists)
        };
        tokio::spawn(trust_watch::run(watches.trust, trust, judge_anew, audit.clone(), stopped.clone()));
        tokio::spawn(file_watch::run(Arc::clone(&reloader), stopped.clone()));
        tokio::spawn(end_rules(Arc::clone(&authority), audit.clone(), stopped));

        let signals = Signals::new()?;
        let list = |list: &[SocketAddr]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let wss = Some(list(&addresses.wss)).filter(|wss| !wss.is_empty());
        tracing::info!(mqtts = list(&addresses.mqtts), wss, version = env!("CARGO_PKG_VERSION"), "listening");
        audit::started(&audit, &authority.policy(), &addresses);
        ready(&addresses);
        signals.wait_for_stop(&reloader).await;

        // The receiver lives as long as the tasks that watch it.
        let _ = stop.send(true);
        let connections = drain(&hub, gone).await;
        let _ = admin.await;
        // Waits for the disk; nobody is served any more.
        tokio::task::block_in_place(|| audit::stop(&service, &authority, connections));
        Ok(())
    })
}

/// Says goodbye to every client and waits for the connections to end.
async fn drain(hub: &Arc<Hub>, mut gone: mpsc::Receiver<()>) -> usize {
    let status = hub.status();
    let closed = hub.disconnect_all(ReasonCode::ServerShuttingDown, &mut Wakes::default());
    tracing::info!(
        connections = closed,
        sessions = status.sessions,
        retained = status.retained,
        queued = hub.queued_messages(),
        "stopping: sessions, retained messages and wills are kept in memory only and are discarded; no will fires"
    );
    if tokio::time::timeout(DRAIN, gone.recv()).await.is_err() {
        tracing::warn!("some connections did not end within {} s; closing them", DRAIN.as_secs());
    }
    tracing::info!("stopped");
    closed
}

/// Lets the hub do what is due, by the broker's own clock, which only goes forward, and by the wall clock, which may
/// be set.
async fn tick(service: Arc<Service>, mut stopped: watch::Receiver<bool>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {
                let mut wakes = Wakes::default();
                service.hub().tick(service.now(), &mut wakes);
                service.hub().end_expired(unix_now(), &mut wakes);
            }
            _ = stopped.changed() => return,
        }
    }
}

/// Says in time which certificates are near their end.
async fn watch_expiry(expiry: Arc<ExpiryWatch>, service: Arc<Service>, mut stopped: watch::Receiver<bool>) {
    let mut interval = tokio::time::interval(LOOK_AT_ENDS);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => expiry.look(service.hub(), unix_now()),
            _ = stopped.changed() => return,
        }
    }
}

/// Takes rules out of force when their `until` has passed. Wall-clock time: looked at every second, so that a clock
/// that is set does no harm.
async fn end_rules(authority: Arc<PolicyAuthority>, audit: Audit, mut stopped: watch::Receiver<bool>) {
    let mut ends = audit::Ends::from_now();
    let mut interval = tokio::time::interval(Duration::from_secs(1));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {
                let due = authority.policy().next_expiry().is_some_and(|expiry| expiry <= unix_now());
                if due {
                    let authority = Arc::clone(&authority);
                    // Waits for a change that may be writing to disk.
                    let _ = tokio::task::spawn_blocking(move || authority.advance(unix_now())).await;
                }
                ends.look(&authority.policy(), &audit);
                if authority.store().held_changes() > 0 {
                    let (authority, audit) = (Arc::clone(&authority), audit.clone());
                    let _ = tokio::task::spawn_blocking(move || audit::make_durable(&authority, &audit)).await;
                }
            }
            _ = stopped.changed() => return,
        }
    }
}

/// Ends the connections whose certificates can no longer be checked, where their block says so.
fn end_stale(reloader: &Arc<Reloader>, lists: &[StaleList]) {
    for list in lists {
        tracing::error!(issuer = list.issuer, place = list.place, "stale: ending the connections that depend on it");
    }
    let reloader = Arc::clone(reloader);
    tokio::task::spawn_blocking(move || reloader.sweep(&[Touched::Everyone], "a stale revocation list"));
}

async fn until_changed(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.changed().await;
}

/// The signals a broker answers to.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, ServerError> {
        let listen = |kind| signal(kind).map_err(|error| ServerError::system(&format!("signals: {error}")));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn wait_for_stop(mut self, reloader: &Arc<Reloader>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    let reloader = Arc::clone(reloader);
                    // What came of it stands in log, status and audit. It blocks, and a signal to stop may come meanwhile.
                    tokio::task::spawn_blocking(move || reloader.run(&Cause::Signal));
                }
            }
        }
    }
}

impl ServerError {
    fn system(message: &str) -> Self {
        Self { kind: ErrorKind::System, message: message.to_owned() }
    }

    fn of_store(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::InUse { .. } => ErrorKind::StoreInUse,
            StoreError::Exposed { .. } => ErrorKind::NotPermitted,
            StoreError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                ErrorKind::NotPermitted
            }
            error if error.is_no_room() => ErrorKind::NoRoom,
            _ => ErrorKind::Store,
        };
        Self { kind, message: error.to_string() }
    }

    fn of_load(error: LoadError) -> Self {
        match error {
            LoadError::Store(error) => Self::of_store(error),
            LoadError::Compile(error) => Self { kind: ErrorKind::Store, message: error.to_string() },
        }
    }
}

fn unix_now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}
