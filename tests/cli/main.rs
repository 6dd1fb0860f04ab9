//! The commands as people and scripts run them: the real program, its exit codes, its two streams.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod help;
mod import;
mod offline;
mod online;
mod ownership;
mod settings;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A working directory without any settings but the built-in ones: the store lies in `data`.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: TempDir::with_prefix("certmq-cli-").expect("a temporary folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a writable folder");
        std::fs::write(path, text).expect("a writable folder");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_certmq"));
        command.args(arguments).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(arguments))
    }

    /// Runs a command that must succeed; returns its stdout.
    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        self.run(arguments).expect(0).stdout
    }

    /// Runs a command with `--output json` that must end with `code`; returns its document.
    #[track_caller]
    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--output", "json"]);
        let outcome = self.run(&arguments).expect(code);
        let document: Value = serde_json::from_str(&outcome.stdout).expect("one JSON document on stdout");
        assert_eq!(document["version"], 1, "{document}");
        document
    }
}

/// How a command ended.
#[derive(Debug)]
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Outcome {
    fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().expect("certmq");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    #[track_caller]
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// The command line was wrong, and the message has `part`.
    #[track_caller]
    fn refused_usage(self, part: &str) {
        let outcome = self.expect(64);
        assert!(outcome.stderr.contains(part), "{outcome:#?}");
    }

    /// It failed with `code`, said so on stderr alone, and the message has all `parts`.
    #[track_caller]
    fn refused(self, code: i32, parts: &[&str]) {
        let outcome = self.expect(code);
        assert!(outcome.stdout.is_empty(), "{outcome:#?}");
        assert!(outcome.stderr.starts_with("error: "), "{outcome:#?}");
        for part in parts {
            assert!(outcome.stderr.contains(part), "no {part:?} in {outcome:#?}");
        }
    }
}

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
