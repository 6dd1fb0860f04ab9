//! Brokers as processes on loopback, each with the same CA, the same devices and the same rights.

use crate::LoadError;
use crate::certs::{Certificates, ORGANISATION};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// How long a broker may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A broker that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Debian's mosquitto, or another one at this path.
    Mosquitto(PathBuf),
    /// certmq at this path.
    Certmq(PathBuf),
}

/// A running broker; it ends with this value.
#[derive(Debug)]
pub struct Broker {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    log: PathBuf,
}

impl Peer {
    /// Its name in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mosquitto(_) => "mosquitto",
            Self::Certmq(_) => "certmq",
        }
    }

    /// Starts it with its files in `folder`, on one CPU where `cpu` says so. Every device of `certificates` may use
    /// the topics below `load/<its common name>/` and nothing else.
    pub async fn start(
        &self,
        folder: &Path,
        certificates: &Certificates,
        cpu: Option<usize>,
    ) -> Result<Broker, LoadError> {
        fs::create_dir_all(folder).map_err(|fault| LoadError::File(folder.to_owned(), fault))?;
        let address = free_address()?;
        let arguments = match self {
            Self::Mosquitto(_) => mosquitto_files(folder, certificates, address)?,
            Self::Certmq(program) => certmq_files(program, folder, certificates, address)?,
        };
        let log = folder.join("log");
        let output = File::create(&log).map_err(|fault| LoadError::File(log.clone(), fault))?;
        let errors = output.try_clone().map_err(|fault| LoadError::File(log.clone(), fault))?;
        let mut command = self.command(cpu);
        command.args(arguments).stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = command.spawn().map_err(|fault| self.cannot_start(&fault))?;
        let mut broker = Broker { child, address, log };
        broker.wait_until_listening(self.name()).await?;
        Ok(broker)
    }

    fn program(&self) -> &Path {
        match self {
            Self::Mosquitto(program) | Self::Certmq(program) => program,
        }
    }

    /// taskset executes the broker in its own place, so the process id is the broker's.
    fn command(&self, cpu: Option<usize>) -> Command {
        match cpu {
            Some(cpu) => {
                let mut command = Command::new("taskset");
                command.arg("-c").arg(cpu.to_string()).arg(self.program());
                command
            }
            None => Command::new(self.program()),
        }
    }

    fn cannot_start(&self, fault: &std::io::Error) -> LoadError {
        let remedy = match self {
            Self::Mosquitto(_) => "apt-get install mosquitto, or name it with --mosquitto",
            Self::Certmq(_) => "cargo build --release, or name it with --certmq",
        };
        LoadError::Broker(format!("{}: {fault}: {remedy}", self.program().display()))
    }
}

fn mosquitto_files(folder: &Path, certificates: &Certificates, address: SocketAddr) -> Result<Vec<PathBuf>, LoadError> {
    let acl = folder.join("acl");
    write(&acl, "pattern readwrite load/%u/#\n")?;
    // Root drops to another user unless told not to, and that one could not read the keys. The bounds are lifted
    // because mosquitto drops what is over them, and a run that loses messages measures nothing.
    let text = format!(
        "listener {port} {ip}\ncafile {ca}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate true\n\
         use_identity_as_username true\nacl_file {acl}\nallow_anonymous false\npersistence false\nuser root\n\
         set_tcp_nodelay true\nmax_inflight_messages 0\nmax_queued_messages 0\nmax_queued_bytes 0\nlog_dest stderr\n",
        port = address.port(),
        ip = address.ip(),
        ca = certificates.ca().display(),
        certificate = certificates.certificate("server").display(),
        key = certificates.key("server").display(),
        acl = acl.display(),
    );
    let config = folder.join("mosquitto.conf");
    write(&config, &text)?;
    Ok(vec!["-c".into(), config])
}

fn certmq_files(
    program: &Path,
    folder: &Path,
    certificates: &Certificates,
    address: SocketAddr,
) -> Result<Vec<PathBuf>, LoadError> {
    let text = format!(
        "[listeners]\nmqtts = \"{address}\"\n\n[tls]\ncertificate = {certificate:?}\nprivate_key = {key:?}\n\
         client_ca = [{ca:?}]\n\n[storage]\npath = {data:?}\n",
        certificate = certificates.certificate("server"),
        key = certificates.key("server"),
        ca = certificates.ca(),
        data = folder.join("data"),
    );
    let config = folder.join("certmq.toml");
    write(&config, &text)?;
    let fleet = folder.join("fleet.toml");
    write(
        &fleet,
        &format!(
            "version = 1\n\n[groups.load]\nmatch = {{ o = {ORGANISATION:?} }}\n\
             allow = [ {{ publish = \"load/{{cn}}/#\" }}, {{ subscribe = \"load/{{cn}}/#\" }} ]\n"
        ),
    )?;
    let applied = Command::new(program)
        .args(["apply".as_ref(), fleet.as_os_str(), "--config".as_ref(), config.as_os_str()])
        .output()
        .map_err(|fault| Peer::Certmq(program.to_owned()).cannot_start(&fault))?;
    if !applied.status.success() {
        let text = String::from_utf8_lossy(&applied.stderr);
        return Err(LoadError::Broker(format!("certmq apply: {}", text.trim())));
    }
    Ok(vec!["serve".into(), "--config".into(), config])
}

impl Broker {
    /// The process id: for CPU time and memory.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    async fn wait_until_listening(&mut self, name: &str) -> Result<(), LoadError> {
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(self.address).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(LoadError::Broker(format!("{name} ended with {status}: {}", self.log_text())));
            }
            if Instant::now() > deadline {
                return Err(LoadError::Broker(format!(
                    "{name} does not listen on {}: {}",
                    self.address,
                    self.log_text()
                )));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// What it logged so far.
    pub fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default().trim().to_owned()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago: brokers cannot be handed a socket.
fn free_address() -> Result<SocketAddr, LoadError> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn write(path: &Path, text: &str) -> Result<(), LoadError> {
    fs::write(path, text).map_err(|fault| LoadError::File(path.to_owned(), fault))
}
