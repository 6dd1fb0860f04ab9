//! The ledger of conformance: `conformance.toml` has a row for every normative statement of MQTT 5.0 and 3.1.1, with
//! the tests that show it or the reason why it binds no server like this one. This guard fails on an unknown or
//! missing statement, on a row that says nothing or too much, and on a test that does not exist. Each rule is fed
//! its own offences in `negative`.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "conformance/citations.rs"]
mod citations;
#[path = "conformance/ledger.rs"]
mod ledger;
#[path = "conformance/names.rs"]
mod names;
#[path = "conformance/negative.rs"]
mod negative;
#[path = "conformance/statements.rs"]
mod statements;

use ledger::Ledger;
use names::Tree;
use std::path::Path;

const LEDGER: &str = include_str!("conformance.toml");

fn tree() -> Tree {
    Tree::at(Path::new(env!("CARGO_MANIFEST_DIR")))
}

fn assert_none(offences: &[String]) {
    assert!(offences.is_empty(), "{} offences:\n{}", offences.len(), offences.join("\n"));
}

#[test]
fn every_statement_has_one_row_and_every_row_a_statement() {
    assert_none(&Ledger::parse(LEDGER).expect("the ledger").rows_without_fault_in_number());
}

#[test]
fn every_row_has_tests_or_a_reason() {
    assert_none(&Ledger::parse(LEDGER).expect("the ledger").rows_that_say_too_little_or_too_much());
}

#[test]
fn the_rows_stand_in_the_order_of_the_standard() {
    assert_none(&ledger::rows_out_of_order(LEDGER));
}

#[test]
fn every_named_test_exists() {
    assert_none(&Ledger::parse(LEDGER).expect("the ledger").tests_that_do_not_exist(&tree()));
}

#[test]
fn the_ledger_and_the_lines_above_the_tests_agree() {
    let ledger = Ledger::parse(LEDGER).expect("the ledger");
    let citations = citations::read(&tree());
    assert!(citations.len() > 100, "{} tests with statements above them: too few were read", citations.len());
    assert_none(&citations::disagreements(&ledger, &citations));
}

#[test]
fn the_tables_of_statements_have_the_sizes_of_the_appendices() {
    let sizes = |statements: &[statements::Section]| {
        let mut sizes = std::collections::BTreeMap::new();
        for section in statements {
            let chapter = section.0.split('.').next().expect("a chapter");
            *sizes.entry(chapter.to_owned()).or_insert(0) += section.1.clone().count();
        }
        sizes.into_values().collect::<Vec<_>>()
    };
    assert_eq!(sizes(statements::V5), [5, 7, 175, 60, 4], "251 in all, chapters 1 to 4 and 6");
    assert_eq!(sizes(statements::V3_1_1), [3, 9, 95, 26, 4, 4], "141 in all, chapters 1 to 4, 6 and 7");
}
