//! Plays the byte scripts of `tests/data` against a broker process over TLS, all through one certificate, as the
//! public conformance suites do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test may fail and talk")]
#![allow(clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod common;
mod scripts;

use common::fleet::Fleet;
use scripts::player::Stage;
use scripts::script::File;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The fleet file that the public suites run with too.
const FLEET: &str = "conformance-fleet.toml";

/// What the CONNACKs of the scripts announce. The limits are the defaults: they must not stop a suite.
const SETTINGS: &str = "[mqtt]\nreceive_maximum = 20\ntopic_alias_maximum = 10\nmaximum_packet_size = \"2000000 B\"\n";

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// The names of the script files.
fn script_files() -> BTreeSet<String> {
    let names = fs::read_dir(data()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".toml") && name != FLEET).collect()
}

#[test]
fn the_files_are_what_the_tables_say() {
    let generated = scripts::generated();
    if std::env::var_os("CERTMQ_BLESS").is_some() {
        for (name, text) in &generated {
            fs::write(data().join(name), text).unwrap();
        }
    }
    for (name, text) in &generated {
        let stored = fs::read_to_string(data().join(name)).unwrap_or_default();
        assert!(stored == *text, "tests/data/{name} differs from its tables: CERTMQ_BLESS=1 rewrites it");
    }
    let others: Vec<String> =
        script_files().into_iter().filter(|name| !name.starts_with("flow-") && !generated.contains_key(name)).collect();
    assert!(others.is_empty(), "no table makes {others:?}");
}

#[test]
fn what_a_file_says_is_read_as_it_was_written() {
    for (name, text) in scripts::generated() {
        let file = File::parse(&text);
        let heading = text.find("version").map(|at| &text[..at]).unwrap();
        assert_eq!(file.write(heading), text, "{name}");
        let names: BTreeSet<&str> = file.scripts.iter().map(|script| script.name.as_str()).collect();
        assert_eq!(names.len(), file.scripts.len(), "{name}: every script has a name of its own");
    }
}

#[test]
fn every_script_plays_out() {
    let fleet = Fleet::new();
    fleet.add_settings(SETTINGS);
    fleet.run(["apply", &data().join(FLEET).display().to_string(), "--allow-remove", "1"]);
    let credentials = fleet.unlisted_device("conformance");
    let mut broker = fleet.serve();
    let only = std::env::var("CERTMQ_SCRIPTS").unwrap_or_default();
    let files: Vec<(String, File)> = script_files()
        .into_iter()
        .filter(|name| name.contains(&only))
        .map(|name| (name.clone(), File::parse(&fs::read_to_string(data().join(&name)).unwrap())))
        .collect();
    let count: usize = files.iter().map(|(_, file)| file.scripts.len()).sum();
    let faults = Stage::new(broker.address, &credentials).play(&files);
    println!("{count} scripts of {} files", files.len());
    broker.assert_unharmed();
    assert!(faults.is_empty(), "{} of {count} scripts failed:\n{}", faults.len(), faults.join("\n"));
}
