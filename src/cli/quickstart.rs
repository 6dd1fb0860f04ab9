//! `certmq quickstart`: a working, secure broker in one command.

mod credentials;
mod lines;
mod provision;

use super::{Context, Exit, Failure, Outcome, after_help, backend, output, serve};
use crate::config::{Listeners, Settings, WebSocketSettings};
use credentials::Credentials;
use lines::Lines;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Make what is missing (CA, certificates, two devices) and run a broker on this machine
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq quickstart", "then paste the printed lines into another terminal"),
        ("CERTMQ__LISTENERS__MQTTS=127.0.0.1:18883 certmq quickstart", "on other ports: WebSocket takes the one above"),
        ("CERTMQ__STORAGE__PATH=/tmp/certmq certmq quickstart", "with its store elsewhere"),
    ],
    serve::CODES,
))]
pub(super) struct Arguments {}

/// Where the certificates are made: beside the settings' defaults, and in no file that git keeps.
const CERTIFICATES: &str = "device-certs";

/// On this machine alone: a first try should not serve a network.
const ADDRESS: &str = "127.0.0.1:8883";

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let settings = settings_of(context)?;
        judge_free(&settings)?;
        let credentials = Credentials::prepare(Path::new(CERTIFICATES), &settings)?;
        provision::provision(&settings, &credentials)?;
        judge_clients();
        let (storage, output) = (Storage::of(&settings)?, context.output);
        let again = {
            let context = context.clone();
            serve::again(move || settings_of(&context))
        };
        serve::serve(settings, again, |ready| {
            let (mqtts, wss) = (client_address(&ready.mqtts), client_address(&ready.wss));
            let lines = Lines::new(&credentials, &storage, mqtts, wss);
            // A reader of stdout that went away is no reason to stop serving.
            let _ = output.write(&lines, Lines::text);
        })
        .map_err(suggest_port)
    }
}

fn settings_of(context: &Context) -> Result<Settings, Failure> {
    let mut settings = context.preset_settings(vec![("listeners.mqtts", ADDRESS.to_owned())])?;
    open_websocket(&mut settings.listeners);
    Ok(settings)
}

/// Where the commands find the broker from any folder.
struct Storage {
    path: PathBuf,
    /// Where it is not the usual one.
    socket: Option<PathBuf>,
}

impl Storage {
    fn of(settings: &Settings) -> Result<Self, Failure> {
        let storage = &settings.storage;
        let path = credentials::absolute(&storage.path)?;
        let socket = storage.admin_socket.as_deref().map(credentials::absolute).transpose()?;
        Ok(Self { path, socket })
    }
}

/// A second broker on the same store would only fail later, and say less.
fn judge_free(settings: &Settings) -> Result<(), Failure> {
    match backend::broker(settings)? {
        None => Ok(()),
        Some(_) => Err(Failure::new(
            Exit::InUse,
            format!(
                "{}: a broker runs on this store already; stop it, or start another with CERTMQ__STORAGE__PATH=OTHER and CERTMQ__LISTENERS__MQTTS=127.0.0.1:PORT",
                settings.storage.path.display()
            ),
        )),
    }
}

/// The printed lines need mosquitto's clients.
fn judge_clients() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = |name: &str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    if !["mosquitto_pub", "mosquitto_sub"].into_iter().all(installed) {
        output::message(
            "note: mosquitto_pub and mosquitto_sub are not installed; the printed lines need them: sudo apt-get install mosquitto-clients",
        );
    }
}

/// MQTT over WebSocket on the port above that of MQTT, unless the settings say where: so that moving the one moves the
/// other, and port 0 lets the system choose both.
fn open_websocket(listeners: &mut Listeners) {
    let above = |address: &SocketAddr| match address.port() {
        0 => *address,
        port => SocketAddr::new(address.ip(), port.checked_add(1).unwrap_or(0)),
    };
    let bind = listeners.mqtts.bind.iter().map(above).collect();
    listeners.wss.get_or_insert(WebSocketSettings { bind, ..WebSocketSettings::default() });
}

/// What a client on this machine connects to.
fn client_address(listening: &[SocketAddr]) -> (String, u16) {
    match listening.first() {
        Some(address) if address.ip().is_unspecified() => ("localhost".to_owned(), address.port()),
        Some(address) => (address.ip().to_string(), address.port()),
        None => ("localhost".to_owned(), 0),
    }
}

/// One sentence: what is taken, and how a first try takes another port.
fn suggest_port(failure: Failure) -> Failure {
    if failure.code() != Exit::Unavailable {
        return failure;
    }
    let fault = failure.message().split("; ").next().unwrap_or_default();
    let remedy =
        "stop what listens there, or choose another port: CERTMQ__LISTENERS__MQTTS=127.0.0.1:18883 certmq quickstart";
    Failure::new(failure.code(), format!("{fault}; {remedy}"))
}
