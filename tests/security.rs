//! The security ledger: `security.toml` has a row for everything that must hold, with the tests that show it. This guard
//! fails on a missing or unknown row, on one that says nothing, and on a test that does not exist.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "conformance/names.rs"]
#[allow(dead_code, reason = "the ledger of conformance asks more of it")]
mod names;

use names::Tree;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const LEDGER: &str = include_str!("security.toml");

/// Transport, authorisation, and input, resources and faults, each from 1.
const ROWS: [(&str, usize); 3] = [("T", 13), ("S", 14), ("P", 10)];

/// Those that wait for parts of the broker that do not exist yet.
const MAY_BE_OPEN: [&str; 4] = ["S13", "S14", "P6", "P8"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    says: String,
    #[serde(default)]
    tests: Vec<String>,
    open: Option<String>,
}

type Ledger = BTreeMap<String, Row>;

fn ledger() -> Ledger {
    toml::from_str(LEDGER).expect("the ledger")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is wrong with the ledger, a line each.
fn offences(ledger: &Ledger, tree: &Tree) -> Vec<String> {
    let ids: Vec<String> =
        ROWS.iter().flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number}"))).collect();
    let missing = ids.iter().filter(|id| !ledger.contains_key(*id)).map(|id| format!("{id} has no row"));
    let unknown = ledger.keys().filter(|id| !ids.contains(id)).map(|id| format!("{id} is no row of the ledger"));
    missing.chain(unknown).chain(ledger.iter().flat_map(|(id, row)| faults(id, row, tree))).collect()
}

fn faults(id: &str, row: &Row, tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    if row.says.is_empty() {
        faults.push(format!("{id} says nothing"));
    }
    match (&row.open, row.tests.is_empty()) {
        (None, true) => faults.push(format!("{id} has neither a test nor a reason")),
        (Some(_), false) => faults.push(format!("{id} is open and has tests")),
        (Some(reason), true) if reason.is_empty() || !MAY_BE_OPEN.contains(&id) => {
            faults.push(format!("{id} may not be open"));
        }
        (Some(_), true) | (None, false) => {}
    }
    faults.extend(
        row.tests.iter().filter_map(|test| tree.find(test).err().map(|fault| format!("{id}: {test}: {fault}"))),
    );
    faults
}

#[test]
fn every_row_has_living_tests_or_waits_for_what_does_not_exist_yet() {
    let offences = offences(&ledger(), &Tree::at(root()));
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn the_guard_notices_each_offence() {
    let tree = Tree::at(root());
    let spoilt = |spoil: &dyn Fn(&mut Ledger)| {
        let mut ledger = ledger();
        spoil(&mut ledger);
        offences(&ledger, &tree).join("\n")
    };
    let row = |tests: &[&str], open: Option<&str>| Row {
        says: "x".to_owned(),
        tests: tests.iter().map(ToString::to_string).collect(),
        open: open.map(str::to_owned),
    };
    assert!(spoilt(&|ledger| drop(ledger.remove("T3"))).contains("T3 has no row"));
    assert!(spoilt(&|ledger| drop(ledger.insert("T14".into(), row(&[], None)))).contains("T14 is no row"));
    assert!(spoilt(&|ledger| drop(ledger.insert("S1".into(), row(&[], None)))).contains("neither a test nor a reason"));
    assert!(spoilt(&|ledger| drop(ledger.insert("S1".into(), row(&[], Some("later"))))).contains("S1 may not be open"));
    let invented = row(&["outside::revoking::nothing_at_all"], None);
    assert!(
        spoilt(&move |ledger| drop(
            ledger.insert("S1".into(), Row { tests: invented.tests.clone(), ..row(&[], None) })
        ))
        .contains("nothing_at_all")
    );
}

/// Row P10 is no property of the program but of its runs.
#[test]
fn the_runs_check_the_dependencies() {
    let text = |name: &str| fs::read_to_string(root().join(name)).expect("a readable file");
    assert!(text("tests/run").contains("cargo deny --locked check bans licenses sources"));
    assert!(text("tests/nightly").contains("cargo deny --locked check advisories"));
    for page in ["SECURITY.md", "docs/threat-model.md", "deny.toml"] {
        assert!(root().join(page).exists(), "{page}");
    }
}

#[test]
fn the_page_for_buyers_names_every_row() {
    let page = fs::read_to_string(root().join("docs/security-model.md")).expect("the page");
    let rows = ROWS.iter().flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number}")));
    let named = |row: &String| page.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == row);
    let missing: Vec<String> = rows.filter(|row| !named(row)).collect();
    assert!(missing.is_empty(), "docs/security-model.md does not name {missing:?}");
}
