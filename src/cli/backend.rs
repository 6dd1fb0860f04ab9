//! Where a request goes: to the running broker, or, when none runs, to the store itself.
//!
//! The store of a live broker is never opened: its lock is the proof. A socket file alone proves nothing, as a broker
//! that was killed leaves one behind.

use super::ca::now;
use super::{Exit, Failure};
use crate::admin::{
    AdminError, Client, ClientError, Fault, Offline, Place, PolicyAuthority, Reply, Request, Service, unix_user,
};
use crate::config::Settings;
use crate::pki::word;
use crate::store::policy_store::{LoadError, PolicyStore, StoreError};
use crate::telemetry::audit::{self, Audit, Retention};
use nix::unistd::{Gid, Uid, User, geteuid, setgid, setgroups, setuid};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// The other end of a command.
#[derive(Debug)]
pub(super) enum Backend {
    /// A broker runs.
    Broker(Client),
    /// None does.
    Store(Service),
}

/// Sends one request to wherever it belongs.
///
/// # Errors
/// As the broker or the store refuses it; 66 where there is no store, 69 when the broker does not answer, 75 when the
/// store is in use and its broker cannot be reached, 77 for others than the owner.
pub(super) fn ask(settings: &Settings, request: Request) -> Result<Reply, Failure> {
    let mut backend = Backend::open(settings, &request)?;
    backend.ask(request)
}

impl Backend {
    fn open(settings: &Settings, request: &Request) -> Result<Self, Failure> {
        match broker(settings)? {
            Some(client) => Ok(Self::Broker(client)),
            None => {
                if !request.changes() {
                    judge_present(&settings.storage.path)?;
                }
                become_owner(&settings.storage.path)?;
                service(settings).map(Self::Store)
            }
        }
    }

    /// Sends one request.
    ///
    /// # Errors
    /// As it is refused; 69 when the broker does not answer.
    pub(super) fn ask(&mut self, request: Request) -> Result<Reply, Failure> {
        match self {
            Self::Broker(client) => client.ask(request).map_err(|error| unreachable(&error))?,
            Self::Store(service) => service.execute(request, &author(), now()),
        }
        .map_err(|error| refused(&error))
    }
}

/// A connection to the broker for what only a running one knows: its sessions.
///
/// # Errors
/// 69 when none runs.
pub(super) fn running_broker(settings: &Settings) -> Result<Backend, Failure> {
    match broker(settings)? {
        Some(client) => Ok(Backend::Broker(client)),
        None => {
            let socket = settings.storage.admin_socket();
            let message = format!(
                "no broker answers at {}: this lives in the memory of a running broker; start it with `certmq serve`",
                socket.display()
            );
            Err(Failure::new(Exit::Unavailable, message))
        }
    }
}

/// A connection to the broker of these settings; none when none runs.
pub(super) fn broker(settings: &Settings) -> Result<Option<Client>, Failure> {
    match Client::connect(&settings.storage.admin_socket()) {
        Ok(client) => Ok(Some(client)),
        Err(ClientError::NotRunning(_)) => Ok(None),
        Err(ClientError::NotPermitted(path)) => Err(not_owner(&path, owner(&settings.storage.path))),
        Err(error @ ClientError::Path(_)) => Err(Failure::new(Exit::Configuration, error.to_string())),
        Err(error) => Err(unreachable(&error)),
    }
}

/// The service on the store itself, as the broker would have it.
pub(super) fn service(settings: &Settings) -> Result<Service, Failure> {
    let store = PolicyStore::open(&settings.storage.path).map_err(|error| store_failure(&error, settings))?;
    let policy = PolicyAuthority::load(&store, settings.policy_settings(), now())
        .map_err(|error| load_failure(&error, settings))?;
    let folder = audit::folder(&settings.storage.path);
    let audit = Audit::start(folder, Retention::of(&settings.limits), store.audit())
        .map_err(|error| Failure::new(Exit::Software, format!("the audit trail has no thread: {error}")))?;
    let authority = Arc::new(PolicyAuthority::new(store, policy, Arc::new(Offline)));
    let service = Service::new(authority, settings.identity.subject, settings.tls.clone());
    Ok(service.audited(audit, Place::Offline))
}

/// Why a store that is there gives no policy.
pub(super) fn load_failure(error: &LoadError, settings: &Settings) -> Failure {
    match error {
        LoadError::Store(error) => store_failure(error, settings),
        LoadError::Compile(_) => Failure::new(Exit::Configuration, error.to_string()),
    }
}

/// Refuses a store that is not there yet.
pub(super) fn judge_present(path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        return Ok(());
    }
    let remedy = "`certmq quickstart`, `certmq serve` or `certmq device add` makes one; --config or --set storage.path=… names another";
    Err(Failure::new(Exit::Missing, format!("{}: no store there; {remedy}", path.display())))
}

/// Makes this process the owner of the store: root drops to it for good, everyone else is told how.
pub(super) fn become_owner(store: &Path) -> Result<(), Failure> {
    let Some((uid, gid)) = owner(store) else { return Ok(()) };
    if uid == geteuid() {
        return Ok(());
    }
    if !geteuid().is_root() {
        return Err(not_owner(store, Some((uid, gid))));
    }
    // Groups before user: afterwards there is no right left to change them.
    setgroups(&[gid]).and_then(|()| setgid(gid)).and_then(|()| setuid(uid)).map_err(|errno| {
        Failure::new(Exit::NotPermitted, format!("cannot become the owner of {} ({uid}): {errno}", store.display()))
    })
}

/// What the store says, as an exit code and a message.
pub(super) fn store_failure(error: &StoreError, settings: &Settings) -> Failure {
    if let StoreError::InUse { path } = error {
        let socket = settings.storage.admin_socket();
        let remedy = "wait until it is ready, stop it, or name its socket with --set storage.admin_socket=…";
        return Failure::new(
            Exit::InUse,
            format!("{}: in use by a broker that does not answer at {}; {remedy}", path.display(), socket.display()),
        );
    }
    let admin = match error {
        StoreError::InUse { .. } => Fault::InUse,
        StoreError::Exposed { .. } => Fault::NotPermitted,
        StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => Fault::NotPermitted,
        StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Fault::Missing,
        StoreError::Io { .. } | StoreError::Full { .. } | StoreError::ReadOnly { .. } => Fault::CannotCreate,
        _ => Fault::Data,
    };
    Failure::new(exit(admin), error.to_string())
}

/// What the service refused.
pub(super) fn refused(error: &AdminError) -> Failure {
    Failure::new(exit(error.fault), error.message.clone())
}

/// A reply of another kind than the request has.
pub(super) fn unexpected() -> Failure {
    Failure::new(Exit::Software, "the broker answered something else than was asked; is it another version of certmq?")
}

fn exit(fault: Fault) -> Exit {
    match fault {
        Fault::Data => Exit::Data,
        Fault::Missing => Exit::Missing,
        Fault::CannotCreate | Fault::NotDurable => Exit::CannotCreate,
        Fault::InUse => Exit::InUse,
        Fault::NotPermitted => Exit::NotPermitted,
        Fault::NoBroker => Exit::Unavailable,
        Fault::Configuration => Exit::Configuration,
        Fault::Internal => Exit::Software,
    }
}

fn unreachable(error: &ClientError) -> Failure {
    Failure::new(Exit::Unavailable, error.to_string())
}

fn owner(path: &Path) -> Option<(Uid, Gid)> {
    path.metadata().ok().map(|found| (Uid::from_raw(found.uid()), Gid::from_raw(found.gid())))
}

fn not_owner(path: &Path, owner: Option<(Uid, Gid)>) -> Failure {
    let name = owner.map(|(uid, _)| match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => format!("#{uid}"),
    });
    let message = match name {
        Some(name) => {
            format!("{} belongs to {name}; run: sudo -u {} {}", path.display(), quoted(&name), command_line())
        }
        None => format!("{}: not permitted; run the command as its owner, or as root", path.display()),
    };
    Failure::new(Exit::NotPermitted, message)
}

fn quoted(text: &str) -> String {
    word(Path::new(text))
}

/// This command, to be pasted behind `sudo`.
fn command_line() -> String {
    std::env::args_os().map(|argument| word(Path::new(&argument))).collect::<Vec<_>>().join(" ")
}

fn author() -> String {
    unix_user(geteuid().as_raw())
}
