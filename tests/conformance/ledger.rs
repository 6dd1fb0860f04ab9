//! The ledger as rows, and what can be wrong with them.

use super::names::Tree;
use super::statements::{self, Section};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ledger {
    v5: BTreeMap<String, Row>,
    #[serde(rename = "v3.1.1")]
    v3_1_1: BTreeMap<String, Row>,
}

/// One statement: in our words, with its tests or the reason why there is none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) says: String,
    #[serde(default)]
    pub(crate) tests: Vec<String>,
    pub(crate) not_applicable: Option<String>,
}

/// Which standard a row belongs to, as the heading of its table says it.
pub(crate) type Standard = &'static str;

impl Ledger {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The rows of both standards.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (Standard, &str, &Row)> {
        let v5 = self.v5.iter().map(|(id, row)| ("v5", &**id, row));
        v5.chain(self.v3_1_1.iter().map(|(id, row)| ("v3.1.1", &**id, row)))
    }

    pub(crate) fn row(&self, standard: Standard, id: &str) -> Option<&Row> {
        match standard {
            "v5" => self.v5.get(id),
            _ => self.v3_1_1.get(id),
        }
    }

    /// Rows of no statement, and statements without a row.
    pub(crate) fn rows_without_fault_in_number(&self) -> Vec<String> {
        let compare = |standard: Standard, rows: &BTreeMap<String, Row>, sections: &[Section]| {
            let expected: BTreeSet<String> = statements::ids(sections).collect();
            let found: BTreeSet<String> = rows.keys().cloned().collect();
            let unknown = found.difference(&expected).map(|id| format!("{standard} {id}: there is no such statement"));
            let missing = expected.difference(&found).map(|id| format!("{standard} {id}: the statement has no row"));
            unknown.chain(missing).collect::<Vec<_>>()
        };
        let mut offences = compare("v5", &self.v5, statements::V5);
        offences.extend(compare("v3.1.1", &self.v3_1_1, statements::V3_1_1));
        offences
    }

    /// Rows with neither tests nor a reason, with both, or without words.
    pub(crate) fn rows_that_say_too_little_or_too_much(&self) -> Vec<String> {
        let judge = |(standard, id, row): (Standard, &str, &Row)| {
            let reason = row.not_applicable.as_deref();
            let fault = match (row.tests.is_empty(), reason) {
                (true, None) => "neither tests nor a reason why it does not apply",
                (false, Some(_)) => "tests, and a reason why it does not apply",
                (true, Some(reason)) if reason.trim().len() < 10 => "no reason worth the name",
                _ if row.says.trim().is_empty() => "no words for what it says",
                _ if row.tests.iter().collect::<BTreeSet<_>>().len() < row.tests.len() => "a test named twice",
                _ => return None,
            };
            Some(format!("{standard} {id}: {fault}"))
        };
        self.rows().filter_map(judge).collect()
    }

    pub(crate) fn tests_that_do_not_exist(&self, tree: &Tree) -> Vec<String> {
        let named = self.rows().flat_map(|(standard, id, row)| row.tests.iter().map(move |test| (standard, id, test)));
        named
            .filter_map(|(standard, id, test)| {
                tree.find(test).err().map(|fault| format!("{standard} {id}: {test}: {fault}"))
            })
            .collect()
    }
}

/// Rows that do not stand where the appendix has them.
pub(crate) fn rows_out_of_order(text: &str) -> Vec<String> {
    let (mut offences, mut previous) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if line.starts_with('[') {
            previous.clear();
        }
        let Some(id) = line.strip_prefix('"').and_then(|rest| rest.split('"').next()) else { continue };
        let place: Vec<u32> = id.split(['-', '.']).filter_map(|part| part.parse().ok()).collect();
        if place <= previous {
            offences.push(format!("{id} stands behind a later one"));
        }
        previous = place;
    }
    offences
}
