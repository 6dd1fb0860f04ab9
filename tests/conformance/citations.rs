//! The lines above the tests of `tests/mqtt/` that say which statements a test shows: "5.0" or "3.1.1", then the ids.

use super::ledger::{Ledger, Standard};
use super::names::Tree;
use std::collections::BTreeSet;

/// A test and a statement above it.
pub(crate) type Citation = (String, Standard, String);

/// Every citation of the test crate `mqtt`.
pub(crate) fn read(tree: &Tree) -> BTreeSet<Citation> {
    tree.modules("mqtt").iter().flat_map(|(module, source)| read_module(&format!("mqtt::{module}"), source)).collect()
}

pub(crate) fn read_module(path: &str, source: &str) -> Vec<Citation> {
    let (mut citations, mut pending) = (Vec::new(), Vec::new());
    let mut standard = None;
    for line in source.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("/// ") {
            for word in words.split_whitespace() {
                match word {
                    "5.0" => standard = Some("v5"),
                    "3.1.1" => standard = Some("v3.1.1"),
                    id => pending.extend(standard.zip(id.strip_prefix("`[").and_then(|id| id.strip_suffix("]`")))),
                }
            }
            continue;
        }
        if let Some(rest) = line.strip_prefix("fn ") {
            let test = format!("{path}::{}", rest.split('(').next().unwrap_or_default());
            citations.extend(pending.drain(..).map(|(standard, id)| (test.clone(), standard, id.to_owned())));
        }
        if !line.starts_with("#[") {
            pending.clear();
            standard = None;
        }
    }
    citations
}

/// Where the ledger and the lines above the tests say different things.
pub(crate) fn disagreements(ledger: &Ledger, citations: &BTreeSet<Citation>) -> Vec<String> {
    let not_in_the_ledger = citations.iter().filter_map(|(test, standard, id)| {
        let named = ledger.row(standard, id).is_some_and(|row| row.tests.contains(test));
        (!named).then(|| format!("{test} says it shows {standard} {id}; the row does not name it"))
    });
    let not_above_the_test = ledger.rows().flat_map(|(standard, id, row)| {
        let tests = row.tests.iter().filter(|test| test.starts_with("mqtt::"));
        tests.filter_map(move |test| {
            let cited = citations.contains(&(test.clone(), standard, id.to_owned()));
            (!cited).then(|| format!("{standard} {id} names {test}, which does not say so"))
        })
    });
    not_in_the_ledger.chain(not_above_the_test).collect()
}
