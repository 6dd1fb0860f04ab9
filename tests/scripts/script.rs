//! A script and the file that holds it.

use super::wire::{Words, words};
use serde::Deserialize;
use std::fmt::Write;

/// The version that a file speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    V3_1,
    V3_1_1,
    V5,
}

pub(crate) const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

impl Version {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V3_1 => "3.1",
            Self::V3_1_1 => "3.1.1",
            Self::V5 => "5.0",
        }
    }

    fn of(name: &str) -> Self {
        VERSIONS.into_iter().find(|version| version.name() == name).unwrap_or_else(|| panic!("no version {name:?}"))
    }

    pub(crate) fn is_v5(self) -> bool {
        self == Self::V5
    }
}

/// Where a script begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Behind the TLS handshake.
    Handshake,
    /// Behind CONNECT and CONNACK.
    Connected,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// `> BYTES`: sent in one write.
    Send(Words),
    /// `< BYTES`: exactly these come.
    Expect(Words),
    /// `message QOS TOPIC PAYLOAD`: another client publishes it, with 3.1.1, and waits until the broker has it.
    Message { qos: u8, topic: String, payload: String },
    /// `open`: a ping is answered, and nothing else came.
    Open,
    /// `closed`: the broker closes at once, and nothing else came.
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) begin: Begin,
    pub(crate) steps: Vec<Step>,
}

/// A file of `tests/data`.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) version: Version,
    pub(crate) scripts: Vec<Script>,
}

impl File {
    pub(crate) fn parse(text: &str) -> Self {
        let raw: RawFile = toml::from_str(text).unwrap_or_else(|error| panic!("{error}"));
        let scripts = raw.script.into_iter().map(|script| Script {
            name: script.name,
            begin: if script.begin.as_deref() == Some("handshake") { Begin::Handshake } else { Begin::Connected },
            steps: script.steps.iter().map(|line| Step::parse(line)).collect(),
        });
        Self { version: Version::of(&raw.version), scripts: scripts.collect() }
    }

    /// As it stands in `tests/data`.
    pub(crate) fn write(&self, heading: &str) -> String {
        let mut out = format!("{heading}version = \"{}\"\n", self.version.name());
        for script in &self.scripts {
            let _ = write!(out, "\n[[script]]\nname = \"{}\"\n", script.name);
            if script.begin == Begin::Handshake {
                out.push_str("begin = \"handshake\"\n");
            }
            out.push_str("steps = [\n");
            for step in &script.steps {
                let _ = writeln!(out, "    \"{}\",", step.line());
            }
            out.push_str("]\n");
        }
        out
    }
}

impl Step {
    fn parse(line: &str) -> Self {
        let mut rest = line.split_whitespace();
        match rest.next() {
            Some(">") => Self::Send(words(&line[1..])),
            Some("<") => Self::Expect(words(&line[1..])),
            Some("open") => Self::Open,
            Some("closed") => Self::Closed,
            Some("message") => Self::Message {
                qos: rest.next().and_then(|qos| qos.parse().ok()).expect("a QoS"),
                topic: rest.next().expect("a topic").to_owned(),
                payload: rest.next().unwrap_or_default().to_owned(),
            },
            _ => panic!("no step: {line:?}"),
        }
    }

    fn line(&self) -> String {
        match self {
            Self::Send(words) => format!("> {}", words.join(" ")),
            Self::Expect(words) => format!("< {}", words.join(" ")),
            Self::Message { qos, topic, payload } => format!("message {qos} {topic} {payload}"),
            Self::Open => "open".to_owned(),
            Self::Closed => "closed".to_owned(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    version: String,
    script: Vec<RawScript>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScript {
    name: String,
    begin: Option<String>,
    steps: Vec<String>,
}
