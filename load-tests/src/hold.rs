//! The scenario `hold`: many connections that do little, until the broker closes some of them. Says of each that was
//! closed when, why, and whether anything came after the moment that counts.

mod kept;
mod report;

pub use report::{Closing, HoldReport};

use crate::LoadError;
use crate::certs::{Certificates, ClientFiles, common_name};
use crate::wire::{Client, Version};
use kept::{Kept, Watched, keep};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Handshakes at a time: connecting is not what this scenario measures.
const CONCURRENT_CONNECTS: usize = 32;

/// Files of this process that are not connections.
const OTHER_FILES: u64 = 50;

/// What to hold.
#[derive(Clone, Debug, clap::Args)]
pub struct HoldOptions {
    /// How many connections
    #[arg(value_name = "COUNT")]
    pub connections: usize,
    /// Where the broker listens for MQTT over TLS
    #[arg(long, value_name = "ADDRESS")]
    pub address: SocketAddr,
    /// The name in the broker's certificate
    #[arg(long, default_value = "localhost", value_name = "NAME")]
    pub server_name: String,
    /// A folder made by `load-tests certs`
    #[arg(long, value_name = "FOLDER")]
    pub certs: PathBuf,
    /// How many of its certificates are used, in turn; without, each connection has its own
    #[arg(long, value_name = "COUNT")]
    pub devices: Option<usize>,
    /// The version of MQTT
    #[arg(long, default_value = "5", value_name = "VERSION")]
    pub mqtt: Version,
    /// Milliseconds after which each connection publishes to itself (QoS 1, load/CN/NUMBER), again and again; without,
    /// they are silent
    #[arg(long, value_name = "MILLISECONDS")]
    pub every: Option<u64>,
}

/// Connections that are held.
#[derive(Debug)]
pub struct Holding {
    running: JoinSet<Kept>,
    mark: Arc<OnceLock<Instant>>,
    /// One permit for each connection that has received a packet.
    talking: Arc<Semaphore>,
    stop: watch::Sender<bool>,
    connections: usize,
}

impl Holding {
    /// Opens every connection.
    pub async fn open(options: &HoldOptions) -> Result<Self, LoadError> {
        let devices = options.devices.unwrap_or(options.connections).min(options.connections);
        if devices == 0 {
            return Err(LoadError::Usage("at least one connection and one device".to_owned()));
        }
        raise_file_limit(options.connections)?;
        let name = ServerName::try_from(options.server_name.clone())
            .map_err(|fault| LoadError::Usage(format!("{}: {fault}", options.server_name)))?;
        let certificates = Certificates::in_folder(&options.certs);
        let permits = Arc::new(Semaphore::new(CONCURRENT_CONNECTS));
        let mut opening = JoinSet::new();
        for number in 0..options.connections {
            let device = number % devices;
            let (files, name, permits) = (certificates.client(device), name.clone(), permits.clone());
            let (address, mqtt) = (options.address, options.mqtt);
            let topic = options.every.map(|_| Arc::from(format!("load/{}/{number}", common_name(device))));
            opening.spawn(async move {
                let _permit = permits.acquire().await;
                let client = connect(address, name, &files, number, mqtt, topic.as_deref()).await?;
                Ok::<_, LoadError>((client, number, device, topic))
            });
        }
        let mut opened = Vec::with_capacity(options.connections);
        while let Some(client) = opening.join_next().await {
            opened.push(client.map_err(std::io::Error::other)??);
        }
        let (stop, stopped) = watch::channel(false);
        let mark = Arc::new(OnceLock::new());
        let talking = Arc::new(Semaphore::new(0));
        let every = options.every.map(Duration::from_millis);
        let mut running = JoinSet::new();
        for (client, number, device, topic) in opened {
            let loopback = topic.zip(every);
            let watched = Watched { mark: Arc::clone(&mark), talking: Arc::clone(&talking), stop: stopped.clone() };
            running.spawn(keep(client, number, device, loopback, watched));
        }
        Ok(Self { running, mark, talking, stop, connections: options.connections })
    }

    /// Waits until every connection has received a packet; with [`HoldOptions::every`].
    pub async fn talking(&self, patience: Duration) -> Result<(), LoadError> {
        let everybody = u32::try_from(self.connections).unwrap_or(u32::MAX);
        match tokio::time::timeout(patience, self.talking.acquire_many(everybody)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(LoadError::Usage(format!("not every connection received a packet within {patience:?}"))),
        }
    }

    /// From now on packets count as late, and times are counted. Only the first mark does.
    pub fn mark(&self) {
        self.mark.get_or_init(Instant::now);
    }

    /// Lets the connections go on for `span`, or until `closed` of them have ended.
    pub async fn wait(&mut self, span: Duration, closed: usize, ended: &mut Vec<Closing>) -> Result<(), LoadError> {
        let deadline = Instant::now() + span;
        while ended.len() < closed {
            match tokio::time::timeout_at(deadline, self.running.join_next()).await {
                Ok(Some(kept)) => ended.extend(kept.map_err(std::io::Error::other)?.closing(self.mark.get().copied())),
                Ok(None) | Err(_) => break,
            }
        }
        Ok(())
    }

    /// Lets go, and says what happened.
    pub async fn report(mut self, mut ended: Vec<Closing>) -> Result<HoldReport, LoadError> {
        // The receivers may all have ended.
        let _ = self.stop.send(true);
        while let Some(kept) = self.running.join_next().await {
            ended.extend(kept.map_err(std::io::Error::other)?.closing(self.mark.get().copied()));
        }
        ended.sort_by_key(|closing| closing.connection);
        Ok(HoldReport { connections: self.connections, held: self.connections - ended.len(), closed: ended })
    }
}

async fn connect(
    address: SocketAddr,
    name: ServerName<'static>,
    files: &ClientFiles,
    number: usize,
    mqtt: Version,
    topic: Option<&str>,
) -> Result<Client, LoadError> {
    let mut client = Client::connect(address, name, files.config()?, &format!("hold-{number}"), mqtt).await?;
    if let Some(topic) = topic {
        client.subscribe(topic, mqttbytes::QoS::AtMostOnce).await?;
    }
    client.shrink();
    Ok(client)
}

/// As many files as the system allows; an error where those are too few.
fn raise_file_limit(connections: usize) -> Result<(), LoadError> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(std::io::Error::from)?;
    let wanted = connections as u64 + OTHER_FILES;
    if hard < wanted {
        return Err(LoadError::Usage(format!("{wanted} open files are needed and {hard} allowed: ulimit -n {wanted}")));
    }
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(std::io::Error::from)?;
    }
    Ok(())
}
