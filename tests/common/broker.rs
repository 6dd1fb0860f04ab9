//! The broker as people run it: its own process, its own folder, stopped by signals.

use super::client::Endpoint;
use super::{PATIENCE, eventually};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// A running broker. Dropping it ends the process, by its id, and prints its log where the test failed.
pub(crate) struct Broker {
    process: Child,
    pub(crate) log: Log,
    /// MQTT over TLS.
    pub(crate) address: SocketAddr,
    wss: Option<SocketAddr>,
}

impl Broker {
    /// Starts the command and waits for the line that names the port.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = spawn(command);
        let log = Log::follow(process.stderr.take().expect("a pipe"));
        let (address, wss) = match log.try_wait_for("mqtts=") {
            Ok(line) => {
                (listening_address("mqtts=", &line), line.contains("wss=").then(|| listening_address("wss=", &line)))
            }
            Err(lines) => {
                let _ = process.kill();
                panic!("the broker did not say where it listens:\n{lines}");
            }
        };
        Self { process, log, address, wss }
    }

    /// MQTT over WebSocket over TLS.
    #[track_caller]
    pub(crate) fn wss(&self) -> Endpoint {
        Endpoint::Wss(self.wss.expect("settings with listeners.wss"))
    }

    /// Both listeners: what is true of the transport must be so on each.
    #[track_caller]
    pub(crate) fn endpoints(&self) -> [Endpoint; 2] {
        [Endpoint::Mqtts(self.address), self.wss()]
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// SIGTERM, then the exit status.
    #[track_caller]
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// SIGKILL: what was not on disk before is lost.
    pub(crate) fn kill(mut self) {
        self.signal("KILL");
        assert_eq!(self.wait().signal(), Some(9));
    }

    #[track_caller]
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status();
        assert!(status.expect("kill, of coreutils or procps").success(), "no process {}", self.id());
    }

    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        eventually("the end of the broker", || self.process.try_wait().expect("our own child"))
    }

    /// The broker lives, and no thread of it has panicked.
    #[track_caller]
    pub(crate) fn assert_unharmed(&mut self) {
        assert_eq!(self.process.try_wait().expect("our own child"), None, "the broker ended:\n{}", self.log.text());
        assert!(!self.log.text().contains("panicked at"), "a panic:\n{}", self.log.text());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the broker:\n{}", self.log.tail(200));
        }
    }
}

fn spawn(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// `… listening mqtts=127.0.0.1:40123 wss=127.0.0.1:40124 …`
fn listening_address(name: &str, line: &str) -> SocketAddr {
    let after = line.split(name).nth(1).unwrap_or_default();
    let address: String =
        after.trim_start_matches(['"', '[']).chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
    address.parse().unwrap_or_else(|error| panic!("{error}: {address:?} in {line:?}"))
}

/// The lines that a process wrote so far, and a bell that rings with each.
#[derive(Clone)]
pub(crate) struct Log(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    /// Reads `pipe` to its end on a thread of its own.
    pub(crate) fn follow(pipe: impl std::io::Read + Send + 'static) -> Self {
        let log = Self(Arc::new((Mutex::new(State::default()), Condvar::new())));
        let writer = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                writer.change(|state| state.lines.push(String::from_utf8_lossy(&line).into_owned()));
            }
            writer.change(|state| state.ended = true);
        });
        log
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.0.lock().expect("no reader panics"));
        self.0.1.notify_all();
    }

    /// The first line that holds every part, as soon as it is there.
    #[track_caller]
    pub(crate) fn wait_for(&self, parts: &[&str]) -> String {
        let found = self.wait(|line| parts.iter().all(|part| line.contains(part)));
        found.unwrap_or_else(|lines| panic!("no line with {parts:?} in the log:\n{lines}"))
    }

    fn try_wait_for(&self, part: &str) -> Result<String, String> {
        self.wait(|line| line.contains(part))
    }

    fn wait(&self, wanted: impl Fn(&str) -> bool) -> Result<String, String> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.0.0.lock().expect("no writer panics");
        loop {
            if let Some(line) = state.lines.iter().find(|line| wanted(line)) {
                return Ok(line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return Err(state.lines.join("\n"));
            }
            state = self.0.1.wait_timeout(state, left).expect("no writer panics").0;
        }
    }

    /// Everything so far.
    pub(crate) fn text(&self) -> String {
        self.tail(usize::MAX)
    }

    fn tail(&self, count: usize) -> String {
        let state = self.0.0.lock().expect("no writer panics");
        state.lines[state.lines.len().saturating_sub(count)..].join("\n")
    }
}
