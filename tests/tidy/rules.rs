//! The rules, and the table of who may know whom.

use super::paths::{NamedPath, named_paths};
use super::source::Source;
use std::fmt;

/// What is wrong on which line.
pub(crate) struct Offence {
    line: usize,
    what: String,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.what)
    }
}

/// One room of `src/` and what it may import.
struct Room {
    name: &'static str,
    may_know: &'static [&'static str],
}

/// Rooms without sockets, files, threads or clocks.
const PURE: [&str; 3] = ["protocol", "policy", "session"];

/// `cli -> server -> {net, admin} -> {hub, tls} -> store -> session -> policy -> protocol`. Beyond the table any room
/// may name `crate::config::Limits` and the units of `crate::config::units`, and any but the pure ones `crate::telemetry` and `crate::config`.
const ROOMS: [Room; 14] = [
    Room { name: "protocol", may_know: &[] },
    Room { name: "policy", may_know: &["protocol"] },
    Room { name: "session", may_know: &["protocol", "policy"] },
    Room { name: "store", may_know: &["protocol", "policy", "session"] },
    Room { name: "hub", may_know: &["session", "policy", "protocol", "store"] },
    Room { name: "tls", may_know: &["policy"] },
    Room { name: "pki", may_know: &["policy"] },
    Room { name: "net", may_know: &["tls", "hub", "session", "policy", "protocol"] },
    Room { name: "admin", may_know: &["tls", "hub", "store", "session", "pki", "policy", "protocol"] },
    Room { name: "telemetry", may_know: &[] },
    Room { name: "config", may_know: &["policy"] },
    Room { name: "server", may_know: &["net", "admin", "hub", "tls", "pki", "store", "session", "policy", "protocol"] },
    Room { name: "cli", may_know: &["admin", "store", "pki", "policy", "server", "tls"] },
    Room { name: "main", may_know: &["cli"] },
];

/// What every room may name of the settings.
const BOUNDS_AND_UNITS: [&str; 3] = ["crate::config::Limits", "crate::config::limits", "crate::config::units"];

/// What the pure rooms may not name. `std::time::Duration` is a quantity and no clock.
const IMPURE: [&str; 22] = [
    "tokio",
    "tokio_rustls",
    "rustls",
    "webpki",
    "sled",
    "socket2",
    "nix",
    "rcgen",
    "arc_swap",
    "tracing",
    "std::net",
    "std::os",
    "std::fs",
    "std::io",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "time::OffsetDateTime::now_utc",
    "OffsetDateTime::now_utc",
    "SystemTime::now",
];

/// The only file that reads certificates.
const CERTIFICATE_READER: &str = "src/policy/identity.rs";

/// Files that may hold unsafe code. `deny(unsafe_code)` can be lifted inside a file, so look too.
const UNSAFE_FILES: [&str; 1] = ["tests/counting/mod.rs"];

const MAXIMUM_LINES: usize = 600;

pub(crate) fn purity(source: &Source) -> Vec<Offence> {
    if !PURE.contains(&room(source)) || source.is_test() {
        return Vec::new();
    }
    let mut offences = Vec::new();
    for path in paths(source) {
        if let Some(impure) = IMPURE.iter().find(|impure| path.starts_with(impure)) {
            offences.push(path_offence(&path, &format!("a pure room names `{impure}`")));
        }
        let reads_certificates = path.starts_with("x509_parser");
        if reads_certificates && source.path != CERTIFICATE_READER {
            offences.push(path_offence(&path, &format!("only {CERTIFICATE_READER} reads certificates")));
        }
    }
    offences
}

pub(crate) fn direction(source: &Source) -> Vec<Offence> {
    let room = room(source);
    let Some(entry) = ROOMS.iter().find(|entry| entry.name == room) else { return Vec::new() };
    let crate_root = if room == "main" { "certmq" } else { "crate" };
    let mut offences = Vec::new();
    for path in paths(source) {
        if path.segments.len() < 2 || path.segments[0] != crate_root {
            continue;
        }
        let target = path.segments[1].as_str();
        if target == "*" {
            offences.push(path_offence(&path, "a glob over the whole house hides who knows whom"));
        } else if ROOMS.iter().any(|other| other.name == target) && !may_name(entry, &path, target) {
            offences.push(path_offence(&path, &format!("`{room}` may not know `{target}`")));
        }
    }
    offences
}

fn may_name(room: &Room, path: &NamedPath, target: &str) -> bool {
    let everywhere = target == room.name || BOUNDS_AND_UNITS.iter().any(|open| path.starts_with(open));
    let impure = !PURE.contains(&room.name) && ["telemetry", "config"].contains(&target);
    everywhere || impure || room.may_know.contains(&target)
}

pub(crate) fn known_room(source: &Source) -> Vec<Offence> {
    let known = room(source) == "lib" || ROOMS.iter().any(|entry| entry.name == room(source));
    if known { Vec::new() } else { vec![Offence { line: 1, what: format!("`{}` is in no table", room(source)) }] }
}

pub(crate) fn unsafe_code(source: &Source) -> Vec<Offence> {
    if UNSAFE_FILES.contains(&source.path.as_str()) {
        return Vec::new();
    }
    named_paths(&source.code, &[])
        .iter()
        .filter(|path| path.segments[0] == "unsafe")
        .map(|path| path_offence(path, "unsafe code outside the listed files"))
        .collect()
}

pub(crate) fn commented_out_code(source: &Source) -> Vec<Offence> {
    source
        .comments
        .iter()
        .filter(|(_, comment)| reads_like_code(comment))
        .map(|(line, comment)| Offence { line: *line, what: format!("commented-out code: {comment}") })
        .collect()
}

/// Prose ends in a full stop, code in `;`, `{` or `}`; a semicolon that ends a line of prose has no code in front.
fn reads_like_code(comment: &str) -> bool {
    let statement = comment.ends_with(';') && comment.contains(['(', '=', '!'])
        || comment.ends_with(';') && starts_with_keyword(comment);
    let block = comment.ends_with('{') || matches!(comment, "}" | "};" | "})" | "});" | "},");
    let attribute = comment.starts_with("#[") || comment.starts_with("#![");
    statement || block || attribute
}

fn starts_with_keyword(comment: &str) -> bool {
    ["let ", "use ", "pub ", "return ", "mod ", "const ", "static ", "type "]
        .iter()
        .any(|word| comment.starts_with(word))
}

pub(crate) fn length(source: &Source) -> Vec<Offence> {
    let lines = source.text.lines().count();
    if lines <= MAXIMUM_LINES {
        return Vec::new();
    }
    vec![Offence { line: lines, what: format!("{lines} lines: split it along its ideas ({MAXIMUM_LINES} at most)") }]
}

pub(crate) fn unfinished(source: &Source) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (number, line) in source.code.lines().enumerate() {
        let left = ["todo!", "unimplemented!", "#[ignore", "dbg!"].iter().find(|mark| line.contains(*mark));
        offences.extend(left.map(|mark| Offence { line: number + 1, what: format!("`{mark}` is left") }));
    }
    for (line, comment) in &source.comments {
        let left = ["FIXME", "TODO", "XXX"].iter().find(|mark| comment.contains(*mark));
        offences.extend(left.map(|mark| Offence { line: *line, what: format!("`{mark}` is left") }));
    }
    offences
}

fn path_offence(path: &NamedPath, what: &str) -> Offence {
    Offence { line: path.line, what: format!("{what} ({})", path.segments.join("::")) }
}

/// `src/policy/name.rs` -> `policy`, `src/server.rs` -> `server`, `src/lib.rs` -> `lib`.
fn room(source: &Source) -> &str {
    let below = source.path.strip_prefix("src/").unwrap_or(&source.path);
    let first = below.split('/').next().unwrap_or(below);
    first.strip_suffix(".rs").unwrap_or(first)
}

fn paths(source: &Source) -> Vec<NamedPath> {
    let below = source.path.strip_prefix("src/").unwrap_or(&source.path);
    let module = below.strip_suffix(".rs").unwrap_or(below);
    let module: Vec<&str> = module.split('/').filter(|part| !["mod", "lib", "main"].contains(part)).collect();
    named_paths(&source.code, &module)
}
