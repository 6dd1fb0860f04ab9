//! README.md as a promise: every command in it is run, in its order, and what it says is printed is printed.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "common/mod.rs"]
mod common;

use common::broker::Broker;
use common::quickstart::{Quickstart, said};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The two commands that stand for the program as a fresh clone builds it, and for this very test run.
const QUICKSTART: &str = "cargo run --release -- quickstart";
const TEST_RUN: &str = "./tests/run";

/// The port of the README; the test takes a free one.
const PORT: &str = "8883";
const FREE_PORTS: [(&str, &str); 2] =
    [("CERTMQ__LISTENERS__MQTTS", "127.0.0.1:0"), ("CERTMQ__LISTENERS__WSS", "127.0.0.1:0")];

#[test]
fn every_command_works() {
    let mut lines = commands(&read("README.md")).into_iter();
    assert_eq!(lines.next().as_deref(), Some(QUICKSTART), "the first command of the README");
    let mut quickstart = Some(Quickstart::begin_in(clone()));
    let mut folder = None;
    for line in lines {
        if line == TEST_RUN {
            assert!(root().join("tests/run").exists());
            continue;
        }
        if line.contains(" serve ") {
            folder = quickstart.take().map(Quickstart::stop).or(folder);
            serves(&line, folder.as_ref().expect("quickstart came first").path());
            continue;
        }
        let (place, port) = match &quickstart {
            Some(quickstart) => (quickstart.folder.path(), quickstart.port()),
            None => (folder.as_ref().expect("quickstart came first").path(), PORT.to_owned()),
        };
        runs(&line, place, &port);
    }
}

/// Runs a line that ends by itself, with the exit code that its comment promises.
#[track_caller]
fn runs(line: &str, folder: &Path, port: &str) {
    let promised = line.split_once("# exit ").map_or(Some(0), |(_, rest)| rest[..1].parse().ok());
    let output = Command::new("sh")
        .args(["-c", &line.replace(PORT, port)])
        .current_dir(folder)
        .envs(FREE_PORTS)
        .output()
        .expect("a shell");
    assert_eq!(output.status.code(), promised, "{line}\n{}", said(&output));
    assert!(!line.starts_with("mosquitto_") || output.stderr.is_empty(), "{line}\n{}", said(&output));
}

/// Runs a line that serves until it is told to stop.
#[track_caller]
fn serves(line: &str, folder: &Path) {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec {line}")]).current_dir(folder).envs(FREE_PORTS);
    assert_eq!(Broker::start(&mut command).terminate().code(), Some(0), "{line}");
}

#[test]
fn what_quickstart_prints_stands_in_the_readme() {
    let quickstart = Quickstart::begin_in(clone());
    let folder = quickstart.folder.path().canonicalize().expect("a folder");
    let printed: Vec<String> = quickstart
        .lines
        .iter()
        .map(|line| {
            line.replace(env!("CARGO_BIN_EXE_certmq"), "…/target/release/certmq")
                .replace(&*folder.to_string_lossy(), "…")
                .replace(&quickstart.port(), PORT)
        })
        .collect();
    let readme = read("README.md");
    let shown: Vec<&str> = blocks(&readme, "text").into_iter().next().expect("what it prints").lines().collect();
    assert_eq!(printed, shown);
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let text = read(&page);
        let folder = root().join(&page).parent().expect("a folder").to_path_buf();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            let outside = target.contains("://") || file.is_empty();
            assert!(outside || folder.join(file).exists(), "{page}: nothing at {target}");
        }
    }
}

#[test]
fn every_place_in_the_table_exists() {
    for row in read("README.md").lines().filter(|line| line.starts_with("| `")) {
        let place = row.split('`').nth(1).expect("a place in backquotes");
        assert!(root().join(place).exists(), "README.md: no {place}");
    }
}

/// A fresh clone, as far as the commands can tell: the shipped settings, and the program where cargo puts it.
fn clone() -> TempDir {
    let folder = TempDir::with_prefix("certmq-clone-").expect("a temporary folder");
    let release = folder.path().join("target/release");
    std::fs::create_dir_all(&release).expect("a writable folder");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_certmq"), release.join("certmq")).expect("a link");
    std::fs::create_dir(folder.path().join("config")).expect("a writable folder");
    std::fs::copy(root().join("config/certmq.toml"), folder.path().join("config/certmq.toml")).expect("the settings");
    folder
}

/// The lines of the shell blocks.
fn commands(markdown: &str) -> Vec<String> {
    blocks(markdown, "sh").iter().flat_map(|block| block.lines()).map(|line| line.trim().to_owned()).collect()
}

/// The fenced blocks of one language.
fn blocks<'a>(markdown: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    markdown.split(&opening).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

fn pages() -> Vec<String> {
    let listed = Command::new("git").args(["ls-files", "*.md"]).current_dir(root()).output().expect("git");
    let pages: Vec<String> = String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect();
    assert!(pages.iter().any(|page| page == "README.md"), "git lists the pages: {}", said(&listed));
    pages
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
