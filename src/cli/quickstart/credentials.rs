//! The certificates of a first try: made where they are missing, never replaced.

use crate::cli::ca::{self, failure, now};
use crate::cli::{Exit, Failure, output};
use crate::config::Settings;
use crate::pki::{Authority, Fault, InitRequest, IssueRequest, PkiError, inspect};
use crate::policy::Identity;
use std::path::{Path, PathBuf};

/// The devices of a first try.
pub(super) const DEVICES: [&str; 2] = ["device-001", "device-002"];

/// What a first try needs besides the broker.
#[derive(Debug)]
pub(super) struct Credentials {
    /// The CA's certificate, for clients.
    pub(super) ca: PathBuf,
    /// As many as [`DEVICES`], in that order.
    pub(super) devices: Vec<Device>,
}

/// One device's certificate.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) identity: Identity,
}

impl Credentials {
    /// Makes what is missing in `folder`.
    pub(super) fn prepare(folder: &Path, settings: &Settings) -> Result<Self, Failure> {
        let mut authority = open_or_init(folder)?;
        let server = IssueRequest { alternative_names: server_names(settings), ..IssueRequest::server("server") };
        let clients = DEVICES.into_iter().chain(["operator"]).map(IssueRequest::device);
        for request in std::iter::once(server).chain(clients) {
            issue_missing(&mut authority, folder, &request)?;
        }
        // The folder stays locked as long as the authority lives.
        drop(authority);
        let devices = DEVICES.map(|name| Device::read(folder, name)).into_iter().collect::<Result<_, _>>()?;
        Ok(Self { ca: absolute(&folder.join("ca.crt"))?, devices })
    }
}

impl Device {
    fn read(folder: &Path, name: &str) -> Result<Self, Failure> {
        let certificate = absolute(&folder.join(format!("{name}.crt")))?;
        let inspection = inspect(&certificate, None, now()).map_err(failure)?;
        if inspection.faults.contains(&Fault::Expired) {
            let remedy = format!("run: certmq cert renew {name}");
            return Err(Failure::new(Exit::Data, format!("{}: has expired; {remedy}", certificate.display())));
        }
        let key = absolute(&folder.join(format!("{name}.key")))?;
        Ok(Self { certificate, key, identity: inspection.identity })
    }
}

fn open_or_init(folder: &Path) -> Result<Authority, Failure> {
    if folder.join("ca.crt").exists() {
        return ca::open(folder);
    }
    let authority = Authority::init(folder, &InitRequest::default(), now()).map_err(failure)?;
    output::message(&format!("made a development CA in {}; its key never leaves this folder", folder.display()));
    Ok(authority)
}

fn issue_missing(authority: &mut Authority, folder: &Path, request: &IssueRequest) -> Result<(), Failure> {
    let name = &request.name;
    let [certificate, key] = ["crt", "key"].map(|ending| folder.join(format!("{name}.{ending}")));
    match (certificate.exists(), key.exists()) {
        (true, true) => return Ok(()),
        (false, false) => {}
        (true, false) | (false, true) => {
            let (there, missing) = if key.exists() { (key, certificate) } else { (certificate, key) };
            let remedy = "put it back, or move the other away, and run quickstart again";
            let message = format!("{}: missing, while {} is there; {remedy}", missing.display(), there.display());
            return Err(Failure::new(Exit::Missing, message));
        }
    }
    match authority.issue(request, now()) {
        Ok(issued) => {
            output::message(&format!("made {}", issued.certificate.display()));
            issued.notices.iter().for_each(|notice| output::message(&format!("note: {notice}")));
            Ok(())
        }
        Err(error @ PkiError::Missing { .. }) => {
            let message = format!("{name}.crt is missing and the CA cannot issue it: {error}");
            Err(Failure::new(Exit::Missing, message))
        }
        Err(error) => Err(failure(error)),
    }
}

/// This machine, and the addresses it is asked to listen on.
fn server_names(settings: &Settings) -> Vec<String> {
    let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let listeners = &settings.listeners;
    for address in listeners.mqtts.bind.iter().chain(listeners.wss.iter().flat_map(|wss| &wss.bind)) {
        let name = address.ip().to_string();
        if !address.ip().is_unspecified() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// `path` from the root, so that a printed line works in any folder.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::new(Exit::Missing, format!("{}: has no absolute path: {error}", path.display())))
}
