//! Each rule is shown what it must catch, and its nearest neighbour that it must let pass.

use super::rules::{self, Offence};
use super::source::Source;

#[track_caller]
fn offends(rule: fn(&Source) -> Vec<Offence>, path: &str, text: &str) {
    assert!(!rule(&Source::new(path, text)).is_empty(), "{path} should offend:\n{text}");
}

#[track_caller]
fn passes(rule: fn(&Source) -> Vec<Offence>, path: &str, text: &str) {
    let offences: Vec<String> = rule(&Source::new(path, text)).iter().map(ToString::to_string).collect();
    assert!(offences.is_empty(), "{path} should pass: {offences:?}\n{text}");
}

#[test]
fn purity_catches_the_outside_world_however_it_is_named() {
    for (path, text) in [
        ("src/protocol/decode.rs", "use tokio::io::AsyncRead;"),
        ("src/session/mod.rs", "use std::time::Instant;"),
        ("src/session/mod.rs", "use std::{collections::HashMap, time::{Duration, SystemTime}};"),
        ("src/policy/compile.rs", "fn f() { let _ = std::fs::read(\"x\"); }"),
        ("src/policy/compile.rs", "use std::net as wire;"),
        ("src/policy/name.rs", "fn f() { std::thread::yield_now(); }"),
        ("src/policy/record.rs", "type Db = sled::Db;"),
        ("src/session/timers.rs", "fn f() -> i64 { OffsetDateTime::now_utc().unix_timestamp() }"),
        ("src/policy/name.rs", "use x509_parser::prelude::*;"),
        ("src/policy.rs", "use ::rustls::ServerConfig;"),
    ] {
        offends(rules::purity, path, text);
    }
}

#[test]
fn purity_lets_quantities_prose_and_other_rooms_pass() {
    for (path, text) in [
        ("src/session/mod.rs", "use std::time::Duration;"),
        (
            "src/session/mod.rs",
            "/// No tokio::time here.\n// std::fs::read is not ours.\nconst S: &str = \"std::fs::read\";",
        ),
        ("src/policy/identity.rs", "use x509_parser::prelude::*;"),
        ("src/policy/identity/tests.rs", "use std::process::Command;"),
        ("src/store/policy_store.rs", "use std::fs; type Db = sled::Db;"),
    ] {
        passes(rules::purity, path, text);
    }
}

#[test]
fn direction_catches_imports_that_run_uphill() {
    for (path, text) in [
        ("src/policy/compile.rs", "use crate::store::policy_store::PolicyStore;"),
        ("src/protocol/mod.rs", "use crate::{config, policy::Permit};"),
        ("src/net/mod.rs", "fn f(x: &crate::admin::Api) {}"),
        ("src/net/connection.rs", "use super::super::admin::Api;"),
        ("src/hub/mod.rs", "use super::net;"),
        ("src/tls/mod.rs", "use crate::hub::Hub;"),
        ("src/session/mod.rs", "use crate::telemetry::metrics;"),
        ("src/session/mod.rs", "use crate::config::MqttSettings;"),
        ("src/store/mod.rs", "use crate::*;"),
        ("src/telemetry/mod.rs", "use crate::hub::Hub;"),
        ("src/main.rs", "fn main() { certmq::server::run(); }"),
    ] {
        offends(rules::direction, path, text);
    }
}

#[test]
fn direction_lets_the_downhill_way_pass() {
    for (path, text) in [
        ("src/policy/compile.rs", "use crate::protocol::topic::{TopicFilter, TopicName};"),
        ("src/policy/compile.rs", "use super::record::Rule;"),
        ("src/session/mod.rs", "use crate::config::Limits;"),
        ("src/hub/mod.rs", "use crate::{config::MqttSettings, telemetry::metrics};"),
        ("src/server.rs", "use crate::{admin, net, hub};"),
        ("src/main.rs", "fn main() -> std::process::ExitCode { certmq::cli::main() }"),
    ] {
        passes(rules::direction, path, text);
    }
}

#[test]
fn a_room_without_a_row_is_caught() {
    offends(rules::known_room, "src/helpers/mod.rs", "");
    offends(rules::known_room, "src/util.rs", "");
    passes(rules::known_room, "src/policy/mod.rs", "");
    passes(rules::known_room, "src/lib.rs", "");
}

#[test]
fn unsafe_code_is_caught_and_the_word_is_not() {
    offends(rules::unsafe_code, "src/net/mod.rs", "fn f() { unsafe { g() } }");
    offends(rules::unsafe_code, "src/net/mod.rs", "unsafe impl Send for X {}");
    passes(rules::unsafe_code, "src/net/mod.rs", "// unsafe here would be wrong\nconst S: &str = \"unsafe\";");
    passes(rules::unsafe_code, "src/net/mod.rs", "#![deny(unsafe_code)]");
}

#[test]
fn commented_out_code_is_caught() {
    for text in [
        "// let x = 1;",
        "    // foo.bar(baz);",
        "// if x {",
        "// }",
        "// #[test]",
        "/* use a::b; */",
        "/*\n fn f() {\n */",
        "// return Err(x);",
        "// assert_eq!(a, b);",
    ] {
        offends(rules::commented_out_code, "src/net/mod.rs", text);
    }
}

#[test]
fn prose_and_documentation_examples_pass() {
    for text in [
        "// The route is a hint; the receiver's own entry decides.",
        "// Late is better than never;\n// early is best.",
        "/// let x = 1;",
        "//! fn example() {",
        "const URL: &str = \"http://example.org/{\";",
        "fn f() { g('\"'); } // the quote, then nothing",
        "let s = r#\"// let x = 1;\"#;",
    ] {
        passes(rules::commented_out_code, "src/net/mod.rs", text);
    }
}

#[test]
fn long_files_are_caught() {
    offends(rules::length, "src/net/mod.rs", &"x\n".repeat(601));
    passes(rules::length, "src/net/mod.rs", &"x\n".repeat(600));
}

#[test]
fn unfinished_work_is_caught() {
    for text in ["fn f() { todo!() }", "#[ignore]\nfn f() {}", "#[ignore = \"slow\"]", "// FIXME later", "dbg!(x);"] {
        offends(rules::unfinished, "src/net/mod.rs", text);
    }
    passes(rules::unfinished, "src/net/mod.rs", "const S: &str = \"todo!\"; // nothing to do");
}

#[test]
fn the_scanner_keeps_lines_and_lifetimes() {
    let source =
        Source::new("src/net/mod.rs", "fn f<'a>(x: &'a str) {\n  g(b\"\\\"//\", '\\'', br##\"\"#\"##);\n  // why\n}");
    assert_eq!(source.code.lines().count(), 4);
    assert!(source.code.contains("fn f<'a>(x: &'a str) {"));
    assert!(!source.code.contains("//"), "the slashes stood in a string or comment: {}", source.code);
    assert_eq!(source.comments, [(3, "why".to_owned())]);
}
