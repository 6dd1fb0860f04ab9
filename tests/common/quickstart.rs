//! `certmq quickstart` as a newcomer runs it, and the lines that it prints.

use super::PATIENCE;
use super::broker::Log;
use super::fleet::certmq;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use tempfile::TempDir;

/// A quickstart in a folder of its own, on a free port.
pub(crate) struct Quickstart {
    pub(crate) folder: TempDir,
    process: Child,
    /// The commands that it printed, in order.
    pub(crate) lines: Vec<String>,
}

impl Quickstart {
    pub(crate) fn begin() -> Self {
        let folder = TempDir::with_prefix("certmq-quickstart-").expect("a temporary folder");
        Self::begin_in(folder)
    }

    #[track_caller]
    pub(crate) fn begin_in(folder: TempDir) -> Self {
        let mut process = certmq()
            .arg("quickstart")
            .current_dir(folder.path())
            .env("CERTMQ__LISTENERS__MQTTS", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("certmq");
        let log = Log::follow(process.stderr.take().expect("a pipe"));
        let stdout = process.stdout.take().expect("a pipe");
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut lines = Vec::new();
        while !lines.iter().any(|line: &String| line.contains("acl explain")) {
            match receiver.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line.trim().trim_start_matches("$ ").to_owned()),
                Err(error) => panic!("{error}: no line with `acl explain` in {lines:#?}\n{}", log.text()),
            }
        }
        lines.retain(|line| line.starts_with("mosquitto_") || line.contains("acl explain"));
        Self { folder, process, lines }
    }

    /// The `index`-th printed command that contains `part`.
    #[track_caller]
    pub(crate) fn line(&self, part: &str, index: usize) -> &str {
        let found = self.lines.iter().filter(|line| line.contains(part)).nth(index);
        found.unwrap_or_else(|| panic!("no line {index} with {part}: {:#?}", self.lines))
    }

    /// Where it listens, as its lines say.
    #[track_caller]
    pub(crate) fn port(&self) -> String {
        let mut words = self.line("mosquitto_sub", 0).split_whitespace().skip_while(|word| *word != "-p");
        words.nth(1).expect("-p PORT in the printed line").to_owned()
    }

    /// Ends it, and keeps the folder.
    pub(crate) fn stop(mut self) -> TempDir {
        let _ = self.process.kill();
        let _ = self.process.wait();
        std::mem::replace(&mut self.folder, TempDir::new().expect("a temporary folder"))
    }
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a printed line as a person would: in another terminal, in another folder.
pub(crate) fn paste(line: &str) -> Output {
    Command::new("sh").args(["-c", line]).current_dir("/").output().expect("a shell")
}

/// Both streams of an output.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
