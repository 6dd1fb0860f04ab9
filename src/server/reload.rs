//! Settings, certificates, CAs and revocation lists read anew: built and self-tested first, then in force whole, or the
//! old ones stay and an alarm stands.
//!
//! ```text
//! SIGHUP, `certmq reload`, file watch -> read -> build, self-test -> judge in force -> listeners swapped -> sweep
//!                                          '-- fault: nothing changed, alarm in log, status and audit
//! ```
//!
//! The judge goes before the listeners: a handshake that one of them began under the old configuration is judged by
//! the new one at its CONNECT. Connections live on with the keys they have; the sweep ends those, and only those,
//! that the new configuration would not let in.

mod changes;

use super::expiry::ExpiryWatch;
use super::file_watch::Fingerprint;
use super::listeners::{self, Doors, TicketsOfListeners};
use super::trust_watch::{self, TrustWatch};
use super::{ErrorKind, ServerError, unix_now};
use crate::admin::reply::ReloadView;
use crate::admin::{AdminError, Fault, PolicyAuthority, Reload};
use crate::config::Settings;
use crate::hub::{Touched, Wakes};
use crate::net::Service;
use crate::policy::DeviceKey;
use crate::telemetry::audit::{Event, Outcome};
use crate::telemetry::metrics::METRICS;
use crate::tls::{Freshness, ServerTls, Trust, TrustDifference};
use arc_swap::ArcSwap;
use changes::{Changes, TrustEpoch};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Reads the settings again, from wherever they came.
pub type SettingsSource = Box<dyn Fn() -> Result<Settings, String> + Send + Sync>;

/// Devices whose connections ended that a reload names; of the others it says how many they are.
const NAMED_DEVICES: usize = 100;

/// Who wants a reload.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// SIGHUP.
    Signal,
    /// A file that the settings name is another one.
    Files,
    /// `certmq reload`, by a unix user.
    Operator(String),
}

/// Reloads what can change while the broker serves.
pub(super) struct Reloader {
    source: SettingsSource,
    doors: Doors,
    service: Arc<Service>,
    authority: Arc<PolicyAuthority>,
    watches: Watches,
    in_force: ArcSwap<InForce>,
    /// Held while a reload runs: one at a time. Nobody who holds a lock of the policy may wait for it.
    running: Mutex<()>,
    /// Of the files that were read last, good or bad.
    read: Mutex<Fingerprint>,
}

/// What is looked at as time passes.
#[derive(Clone, Debug, Default)]
pub(super) struct Watches {
    pub(super) trust: Arc<TrustWatch>,
    pub(super) expiry: Arc<ExpiryWatch>,
    pub(super) alarm: Arc<Alarm>,
}

/// What is wrong with the files as they are now, if anything.
#[derive(Debug, Default)]
pub(super) struct Alarm(Mutex<Option<String>>);

/// The configuration that is served.
pub(super) struct InForce {
    pub(super) settings: Settings,
    pub(super) tls: ServerTls,
    pub(super) tickets: TicketsOfListeners,
}

impl Alarm {
    pub(super) fn text(&self) -> Option<String> {
        self.0.lock().clone()
    }
}

impl Reloader {
    /// Reloads into `doors`. `read`: of the files that `in_force` was made from.
    pub(super) fn new(
        source: SettingsSource,
        in_force: InForce,
        doors: Doors,
        service: Arc<Service>,
        authority: Arc<PolicyAuthority>,
        watches: Watches,
        read: Fingerprint,
    ) -> Self {
        METRICS.trust_epoch.set(1);
        Self {
            source,
            doors,
            service,
            authority,
            watches,
            in_force: ArcSwap::from_pointee(in_force),
            running: Mutex::default(),
            read: Mutex::new(read),
        }
    }

    /// Whom the broker trusts now.
    pub(super) fn trust(&self) -> Arc<Trust> {
        Arc::clone(self.in_force.load().tls.trust())
    }

    /// The files that the settings in force name.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        files(&self.in_force.load().settings)
    }

    /// Of the files that were read last.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.read.lock().clone()
    }

    /// Whether our own CA's lists are past half their life, and were issued anew.
    pub(super) fn refresh_own_lists(&self) {
        listeners::refresh_own_lists(&self.in_force.load().settings, unix_now());
    }

    /// Reads everything and puts it in force, or changes nothing. Blocks: files are read, connections swept.
    ///
    /// # Errors
    /// What is wrong with the settings or the files they name; the old ones stay in force.
    pub(super) fn run(&self, cause: &Cause) -> Result<ReloadView, ServerError> {
        let running = self.running.lock();
        let done = self.replace();
        drop(running);
        *self.watches.alarm.0.lock() = done.as_ref().err().map(alarm);
        let (outcome, summary) = match &done {
            Ok(view) if view.is_empty() => {
                tracing::info!(%cause, "reloaded: nothing has changed");
                (Outcome::Unchanged, "nothing has changed".to_owned())
            }
            Ok(view) => {
                METRICS.reloads.increment();
                tracing::info!(%cause, closed = view.closed, "reloaded: {}", view.changes.join("; "));
                (Outcome::Changed, view.changes.join("; "))
            }
            Err(fault) => {
                METRICS.reloads_failed.increment();
                tracing::error!(%cause, "not reloaded, everything stays as it was: {fault}");
                (Outcome::Refused, fault.to_string())
            }
        };
        let who = cause.to_string();
        self.service.audit().record(Event::BrokerReloaded {
            who: who.as_str().into(),
            outcome,
            summary: summary.as_str().into(),
        });
        done
    }

    fn replace(&self) -> Result<ReloadView, ServerError> {
        let in_force = self.in_force.load_full();
        let wanted = (self.source)().map_err(|message| ServerError { kind: ErrorKind::Configuration, message })?;
        let (settings, restart) = changes::applicable(&in_force.settings, wanted);
        // Before the files are read: what changes while they are read is seen by the next look.
        *self.read.lock() = Fingerprint::of(&files(&settings));
        let now = unix_now();
        let (tls, warnings) = listeners::tls(&settings, now)?;
        let tls = tls.with_policy_of(&in_force.tls);
        let difference = TrustDifference::between(in_force.tls.trust(), tls.trust(), now);
        let changes = Changes::between(&in_force, &settings, &tls, &difference);
        let tickets = match changes.epoch {
            TrustEpoch::Stays => in_force.tickets.clone(),
            TrustEpoch::Rises => listeners::tickets(&settings)?,
        };
        let touched = touched(&difference, &tls);
        let closed = self.put_in_force(InForce { settings, tls, tickets }, &changes, &touched);
        Ok(view(&changes, restart, warnings, &closed))
    }

    /// Nothing here can fail.
    fn put_in_force(&self, new: InForce, changes: &Changes, touched: &[Touched]) -> Vec<DeviceKey> {
        let now = unix_now();
        // Also where no certificate is judged otherwise: of a list the dates count as well.
        self.authority.judge_by(Arc::clone(new.tls.trust()) as _);
        self.doors.put_in_force(&new.settings, &new.tls, &new.tickets);
        if changes.epoch == TrustEpoch::Rises {
            METRICS.trust_epoch.set(METRICS.trust_epoch.value() + 1);
        }
        self.watches.expiry.set(new.tls.ends());
        self.watches.trust.loaded(new.tls.trust(), now);
        for warning in new.tls.trust().list_warnings(now).iter().filter(|warning| warning.freshness == Freshness::Stale)
        {
            self.service.audit().record(trust_watch::stale(warning));
        }
        self.in_force.store(Arc::new(new));
        self.sweep(touched, "a reload of certificates and revocation lists")
    }

    /// Judges the connections that hang on `touched` anew; the devices of those that ended.
    pub(super) fn sweep(&self, touched: &[Touched], reason: &str) -> Vec<DeviceKey> {
        let mut closed = Vec::new();
        for touched in touched {
            let tell = |device: &DeviceKey| closed.push(device.clone());
            self.service.hub().sweep_telling(touched, unix_now(), &mut Wakes::default(), tell);
        }
        let mut of_device = BTreeMap::<&DeviceKey, u64>::new();
        for device in &closed {
            *of_device.entry(device).or_default() += 1;
        }
        for (device, connections) in of_device {
            self.service.audit().record(Event::DeviceDisconnected {
                device: (&*device.name).into(),
                trust: (&*device.trust).into(),
                connections,
                reason: reason.into(),
            });
        }
        closed
    }
}

/// For the admin socket.
impl Reload for Reloader {
    fn reload(&self, author: &str) -> Result<ReloadView, AdminError> {
        self.run(&Cause::Operator(author.to_owned())).map_err(|fault| {
            let kind = match fault.kind {
                ErrorKind::NotPermitted => Fault::NotPermitted,
                _ => Fault::Configuration,
            };
            AdminError::new(kind, format!("{fault}; the broker serves on as before"))
        })
    }

    fn tls(&self) -> crate::config::TlsSettings {
        self.in_force.load().settings.tls.clone()
    }
}

fn alarm(fault: &ServerError) -> String {
    format!("the last reload failed and everything stays as it was: {fault}")
}

/// The connections that a difference may end.
fn touched(difference: &TrustDifference, new: &ServerTls) -> Vec<Touched> {
    let mut touched = Vec::new();
    let mut anchors: Vec<_> = difference.anchors_removed.iter().map(|anchor| anchor.spki_sha256).collect();
    anchors.extend(difference.blocks.iter().flat_map(|change| new.trust().anchors_of(&change.name)));
    touched.extend((!anchors.is_empty()).then_some(Touched::Anchors(anchors)));
    let certificates: Vec<_> = difference.revoked_certificates().collect();
    touched.extend((!certificates.is_empty()).then_some(Touched::Certificates(certificates)));
    // Whose path leads through a stale list is not indexed; it is rare.
    let disconnects = !new.trust().lists_to_disconnect(i64::MIN, unix_now()).is_empty();
    touched.extend((disconnects && !difference.stale.is_empty()).then_some(Touched::Everyone));
    touched
}

fn view(changes: &Changes, restart: Vec<String>, warnings: Vec<String>, closed: &[DeviceKey]) -> ReloadView {
    let mut devices: Vec<String> = closed.iter().map(ToString::to_string).collect();
    devices.sort();
    devices.dedup();
    devices.truncate(NAMED_DEVICES);
    ReloadView {
        changes: changes.lines.clone(),
        closed: closed.len() as u64,
        devices,
        trust_epoch: METRICS.trust_epoch.value(),
        restart,
        warnings,
    }
}

fn files(settings: &Settings) -> Vec<PathBuf> {
    let tls = &settings.tls;
    let trust = tls.trust.iter().flat_map(|block| block.ca.iter().chain(&block.crl));
    [&tls.certificate, &tls.private_key].into_iter().chain(trust).cloned().collect()
}

/// Of the files that `settings` name, as they are now.
pub(super) fn fingerprint(settings: &Settings) -> Fingerprint {
    Fingerprint::of(&files(settings))
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal => f.write_str("SIGHUP"),
            Self::Files => f.write_str("file watch"),
            Self::Operator(name) => f.write_str(name),
        }
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").finish_non_exhaustive()
    }
}
