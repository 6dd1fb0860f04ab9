//! Plays scripts against a broker over TLS.

use super::outcome::connack;
use super::script::{Begin, File, Script, Step, Version};
use super::wire::{Words, bytes, hex, packet, pattern, words};
use crate::common::client::Credentials;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How soon a connection must be closed, while its peer keeps its own side open: sooner than the broker waits for the
/// peer's goodbye.
const AT_ONCE: Duration = Duration::from_millis(900);

/// How long an answer may take: a loaded machine is no fault.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections at a time.
const PLAYERS: usize = 8;

/// Where scripts are played.
pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    config: Arc<ClientConfig>,
}

impl Stage {
    pub(crate) fn new(address: SocketAddr, credentials: &Credentials) -> Self {
        Self { address, config: Arc::new(credentials.config()) }
    }

    /// Plays every script of every file, several at a time; says what went wrong, and how long it took.
    pub(crate) fn play(&self, files: &[(String, File)]) -> Vec<String> {
        let all: Vec<(&str, Version, &Script)> = files
            .iter()
            .flat_map(|(name, file)| file.scripts.iter().map(|script| (name.as_str(), file.version, script)))
            .collect();
        let next = AtomicUsize::new(0);
        let faults = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..PLAYERS {
                scope.spawn(|| {
                    while let Some((number, (file, version, script))) = {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        all.get(number).map(|script| (number, *script))
                    } {
                        if let Err(fault) = Play::new(self, version, number).run(script) {
                            let fault = format!("{file}: {}: {fault}", script.name);
                            faults.lock().expect("no player panics").push(fault);
                        }
                    }
                });
            }
        });
        faults.into_inner().expect("no player panicked")
    }

    fn connect(&self) -> Result<Connection, String> {
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = ClientConnection::new(Arc::clone(&self.config), name).expect("a client configuration");
        let socket = TcpStream::connect(self.address).map_err(|error| format!("cannot connect: {error}"))?;
        socket.set_nodelay(true).and_then(|()| socket.set_read_timeout(Some(PATIENCE))).map_err(|e| e.to_string())?;
        Ok(Connection { stream: StreamOwned::new(tls, socket), inbox: Vec::new(), touched: Instant::now() })
    }
}

/// One script on one connection.
struct Play<'a> {
    stage: &'a Stage,
    version: Version,
    /// What its placeholders stand for.
    number: usize,
}

impl<'a> Play<'a> {
    fn new(stage: &'a Stage, version: Version, number: usize) -> Self {
        Self { stage, version, number }
    }

    fn run(&self, script: &Script) -> Result<(), String> {
        let mut connection = self.stage.connect()?;
        if script.begin == Begin::Connected {
            connection.send(&bytes(&hello(self.version, "{id}"), self.number))?;
            connection.expect(&pattern(&connack(self.version), self.number))?;
        }
        for step in &script.steps {
            match step {
                Step::Send(words) => connection.send(&bytes(words, self.number))?,
                Step::Expect(words) => connection.expect(&pattern(words, self.number))?,
                Step::Message { qos, topic, payload } => self.message(*qos, topic, payload)?,
                Step::Open => {
                    connection.send(&[0xC0, 0])?;
                    connection.expect(&[Some(0xD0), Some(0)])?;
                }
                Step::Closed => connection.closed()?,
            }
        }
        Ok(())
    }

    /// Another client publishes, and waits for the last acknowledgement.
    fn message(&self, qos: u8, topic: &str, payload: &str) -> Result<(), String> {
        let mut other = self.stage.connect()?;
        other.send(&bytes(&hello(Version::V3_1_1, "{id}-other"), self.number))?;
        other.expect(&pattern(&connack(Version::V3_1_1), self.number))?;
        let id = if qos > 0 { words("0001") } else { Words::new() };
        let body = [&super::wire::text(topic)[..], &id, &[format!("'{payload}")]].concat();
        other.send(&bytes(&packet(0x30 | qos << 1, &body), self.number))?;
        match qos {
            0 => {
                other.send(&[0xC0, 0])?;
                other.expect(&[Some(0xD0), Some(0)])
            }
            1 => other.expect(&pattern(&words("40 02 0001"), 0)),
            _ => {
                other.expect(&pattern(&words("50 02 0001"), 0))?;
                other.send(&bytes(&words("62 02 0001"), 0))?;
                other.expect(&pattern(&words("70 02 0001"), 0))
            }
        }
    }
}

/// CONNECT of a session that ends with its connection.
fn hello(version: Version, client_id: &str) -> Words {
    let mut shape = super::packets::plain_connect(version);
    if let Some(last) = shape.fields.last_mut() {
        last.words = super::wire::text(client_id);
    }
    packet(0x10, &shape.body())
}

struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    inbox: Vec<u8>,
    /// When bytes were last sent.
    touched: Instant,
}

impl Connection {
    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.write_all(bytes).and_then(|()| self.stream.flush()).map_err(|error| {
            // What the broker said before it closed tells more.
            while self.fill().is_ok_and(|count| count > 0) {}
            format!("closed before {} was sent ({error}); it said {}", hex(bytes), hex(&self.inbox))
        })?;
        self.touched = Instant::now();
        Ok(())
    }

    fn expect(&mut self, expected: &[Option<u8>]) -> Result<(), String> {
        while self.inbox.len() < expected.len() {
            match self.fill() {
                Ok(0) => return Err(format!("closed, {} came instead of {}", hex(&self.inbox), shown(expected))),
                Ok(_) => {}
                Err(error) => return Err(format!("{error}: {} instead of {}", hex(&self.inbox), shown(expected))),
            }
        }
        let came: Vec<u8> = self.inbox.drain(..expected.len()).collect();
        match came.iter().zip(expected).all(|(came, expected)| expected.is_none_or(|expected| expected == *came)) {
            true => Ok(()),
            false => Err(format!("{}{} came instead of {}", hex(&came), hex(&self.inbox), shown(expected))),
        }
    }

    /// TLS' goodbye and the end of TCP, both at once and with nothing before.
    fn closed(&mut self) -> Result<(), String> {
        loop {
            if !self.inbox.is_empty() {
                return Err(format!("{} came instead of the close", hex(&self.inbox)));
            }
            match self.fill() {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        let mut rest = [0; 64];
        match self.stream.sock.read(&mut rest) {
            Ok(0) => {}
            Ok(_) => return Err("bytes behind the goodbye of TLS".to_owned()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => return Err(format!("TCP was not closed: {error}")),
        }
        let took = self.touched.elapsed();
        match took < AT_ONCE {
            true => Ok(()),
            false => Err(format!("closed after {took:?}, not at once")),
        }
    }

    fn fill(&mut self) -> Result<usize, String> {
        let mut buffer = [0; 1024];
        let count = self.stream.read(&mut buffer).map_err(|error| error.to_string())?;
        self.inbox.extend(&buffer[..count]);
        Ok(count)
    }
}

fn shown(pattern: &[Option<u8>]) -> String {
    pattern.iter().map(|byte| byte.map_or("??".to_owned(), |byte| format!("{byte:02X}"))).collect()
}
