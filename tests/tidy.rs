//! The walls of the house: reads the sources and fails when a pure room touches the outside world, when an import
//! runs against the direction of `src/lib.rs`, and when something was left behind. Every rule is fed its own
//! offences in `negative`, or a rule that never fires would pass for a wall.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "tidy/negative.rs"]
mod negative;
#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;

use rules::Offence;
use source::{Source, read_tree};
use std::path::Path;

#[test]
fn pure_rooms_do_not_touch_the_outside_world() {
    hold(&["src"], rules::purity);
}

#[test]
fn imports_follow_the_direction_of_the_house() {
    hold(&["src"], rules::direction);
}

#[test]
fn unsafe_code_stands_only_in_the_listed_files() {
    hold(&["src", "tests", "load-tests"], rules::unsafe_code);
}

#[test]
fn no_code_is_commented_out() {
    hold(&["src", "tests", "load-tests"], rules::commented_out_code);
}

#[test]
fn no_file_outgrows_its_room() {
    hold(&["src", "tests", "load-tests"], rules::length);
}

#[test]
fn nothing_unfinished_is_left() {
    hold(&["src", "tests", "load-tests"], rules::unfinished);
}

#[test]
fn every_room_of_the_sources_is_in_the_table() {
    hold(&["src"], rules::known_room);
}

fn hold(folders: &[&str], rule: fn(&Source) -> Vec<Offence>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources: Vec<Source> = folders.iter().flat_map(|folder| read_tree(root, folder)).collect();
    assert!(!sources.is_empty(), "no source found under {folders:?}: this test looked at nothing");
    let offences: Vec<String> = sources
        .iter()
        .flat_map(|source| rule(source).into_iter().map(|offence| format!("{}:{offence}", source.path)))
        .collect();
    assert!(offences.is_empty(), "{} offences:\n{}", offences.len(), offences.join("\n"));
}
