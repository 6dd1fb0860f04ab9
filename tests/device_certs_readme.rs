//! Runs every shell command of `device-certs/README.md`, in its order, in an empty folder.
//!
//! A block opens with ```` ```sh ````, and more words say more: `broker` (it needs the running broker), `exit=N` (its
//! last command ends with N), `fails` (its last command ends with anything but 0), `openssl<3.2` (newer ones do better:
//! there it ends with 0). The ```` ```toml ```` block is the
//! broker's settings.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const PAGE: &str = include_str!("../device-certs/README.md");

/// How the last command of a block must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Code(i32),
    Failure,
}

/// What a block needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Files,
    Broker,
}

#[derive(Debug)]
struct Block {
    line: usize,
    stage: Stage,
    ending: Ending,
    text: String,
}

/// The fenced blocks of the page that are written in `language`: line, further words, text.
fn fenced(language: &str) -> Vec<(usize, Vec<&'static str>, String)> {
    let mut blocks = Vec::new();
    let mut lines = PAGE.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let text: Vec<&str> = lines.by_ref().map(|(line, _)| line).take_while(|line| *line != "```").collect();
        let mut words = info.split_whitespace();
        if words.next() == Some(language) {
            blocks.push((number, words.collect(), text.join("\n") + "\n"));
        }
    }
    blocks
}

fn blocks() -> Vec<Block> {
    let block = |(line, words, text): (usize, Vec<&str>, String)| {
        let mut block = Block { line, stage: Stage::Files, ending: Ending::Code(0), text };
        for word in words {
            match (word, word.strip_prefix("exit=")) {
                ("broker", _) => block.stage = Stage::Broker,
                ("fails", _) => block.ending = Ending::Failure,
                ("openssl<3.2", _) if !makes_version_one() => block.ending = Ending::Code(0),
                ("openssl<3.2", _) => {}
                (_, Some(code)) => block.ending = Ending::Code(code.parse().unwrap()),
                _ => panic!("line {line}: nobody knows what {word:?} means"),
            }
        }
        block
    };
    fenced("sh").into_iter().map(block).collect()
}

/// Whether `openssl x509 -req` makes X.509 version 1 when nobody asks for extensions.
fn makes_version_one() -> bool {
    let output = Command::new("openssl").arg("version").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.split([' ', '.']).filter_map(|word| word.parse::<u32>().ok());
    (numbers.next().unwrap(), numbers.next().unwrap()) < (3, 2)
}

/// An empty folder in which `certmq` is on the path.
struct Place {
    dir: TempDir,
    programs: TempDir,
}

impl Place {
    fn new() -> Self {
        let programs = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_certmq"), programs.path().join("certmq")).unwrap();
        Self { dir: tempfile::tempdir().unwrap(), programs }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, stage: Stage, ports: Ports) {
        let chosen: Vec<Block> = blocks().into_iter().filter(|block| block.stage == stage).collect();
        assert!(!chosen.is_empty());
        for block in chosen {
            self.run_block(&block, ports);
        }
    }

    fn run_block(&self, block: &Block, ports: Ports) {
        let path = std::env::var("PATH").unwrap();
        let output = Command::new("sh")
            .args(["-euc", &ports.put_into(&block.text)])
            .current_dir(self.dir.path())
            .env("PATH", format!("{}:{path}", self.programs.path().display()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let code = output.status.code();
        let as_wanted = match block.ending {
            Ending::Code(wanted) => code == Some(wanted),
            Ending::Failure => code.is_some_and(|code| code != 0),
        };
        assert!(
            as_wanted,
            "device-certs/README.md line {}: ended with {code:?}, not {:?}\n{}\n{}{}",
            block.line,
            block.ending,
            block.text,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// The broker, ended with its value.
struct Broker {
    process: Child,
    ports: Ports,
}

/// Where MQTT is served, bare and over WebSocket.
#[derive(Clone, Copy, Debug)]
struct Ports {
    mqtts: u16,
    wss: u16,
}

impl Ports {
    /// The ones of the page.
    const USUAL: Self = Self { mqtts: 8883, wss: 8884 };

    fn put_into(self, text: &str) -> String {
        let Self { mqtts, wss } = self;
        // A chosen port may contain the digits of the other.
        let pieces: Vec<String> = text.split("8884").map(|piece| piece.replace("8883", &mqtts.to_string())).collect();
        pieces.join(&wss.to_string())
    }
}

impl Broker {
    /// Starts it with the settings of the page, on a port of its own choice, and waits until it says which.
    fn start(dir: &Path) -> Self {
        let settings = fenced("toml").remove(0).2.replace("0.0.0.0:8883", "127.0.0.1:0");
        let settings = settings.replace("0.0.0.0:8884", "127.0.0.1:0");
        fs::create_dir(dir.join("config")).unwrap();
        fs::write(dir.join("config/certmq.toml"), settings).unwrap();
        let log = dir.join("serve.log");
        let mut process = Command::new(env!("CARGO_BIN_EXE_certmq"))
            .args(["serve", "--config", "config/certmq.toml"])
            .current_dir(dir)
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut lines = [String::new(), String::new()];
        for line in &mut lines {
            stdout.read_line(line).unwrap();
        }
        let [mqtts, wss] = &lines;
        let (Some(mqtts), Some(wss)) = (listening_port("mqtts", mqtts), listening_port("wss", wss)) else {
            let _ = process.kill();
            let _ = process.wait();
            panic!("the broker did not start: {lines:?}\n{}", fs::read_to_string(log).unwrap());
        };
        Self { process, ports: Ports { mqtts, wss } }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `serving mqtts on 127.0.0.1:40123`
fn listening_port(name: &str, line: &str) -> Option<u16> {
    line.trim_end().strip_prefix(&format!("serving {name} on "))?.rsplit(':').next()?.parse().ok()
}

#[test]
fn every_recipe_makes_what_it_says() {
    let place = Place::new();
    place.run(Stage::Files, Ports::USUAL);
    for name in ["device-certs/ca.crl", "device-certs/device-003.crt", "device-certs/by-hand/device-103.crt"] {
        assert!(place.path(name).is_file(), "{name}");
    }
    let list = place.path("device-certs/by-hand/ca.crl");
    let list = Command::new("openssl").args(["crl", "-noout", "-text", "-in"]).arg(list).output().unwrap();
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert_eq!(list.matches("Serial Number:").count(), 2, "the list by hand keeps its entry: {list}");
}

#[test]
fn every_connection_ends_as_the_page_says() {
    let place = Place::new();
    place.run(Stage::Files, Ports::USUAL);
    let broker = Broker::start(place.dir.path());
    place.run(Stage::Broker, broker.ports);
}

#[test]
fn the_page_is_read_whole() {
    let blocks = blocks();
    assert!(blocks.iter().filter(|block| block.stage == Stage::Files).count() >= 10, "{blocks:#?}");
    assert!(blocks.iter().filter(|block| block.stage == Stage::Broker).count() >= 5, "{blocks:#?}");
    assert_eq!(fenced("toml").len(), 1);
    let fences = PAGE.lines().filter(|line| line.starts_with("```")).count();
    let known: usize = ["sh", "toml", "python", "js", "rust"].iter().map(|language| fenced(language).len()).sum();
    assert_eq!(fences, 2 * known, "a block in a language that no test knows");
}
