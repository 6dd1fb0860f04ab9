//! Byte scripts: what is sent, what comes back, and when the broker closes.
//!
//! One table of packets and their fields (`packets`, `properties`) times one table of faults (`faults`, `values`)
//! makes the files `tests/data/*-VERSION.toml`; what is expected follows by rule from the standard and from
//! docs/decisions/0007, never from asking the broker. `tests/data/flow-*.toml` are written by hand.

pub(crate) mod faults;
pub(crate) mod outcome;
pub(crate) mod packets;
pub(crate) mod player;
pub(crate) mod properties;
pub(crate) mod script;
pub(crate) mod values;
pub(crate) mod wire;

use script::{File, Script, VERSIONS, Version};
use std::collections::BTreeMap;

const HEADING: &str = "# Generated from the tables of tests/scripts; CERTMQ_BLESS=1 cargo test --test byte_scripts \
                       rewrites it.\n";

/// The generated files, by name.
pub(crate) fn generated() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for version in VERSIONS {
        let mut by_packet: BTreeMap<String, Vec<Script>> = BTreeMap::new();
        for shape in packets::shapes(version) {
            by_packet.entry(file_of(shape.name)).or_default().extend(faults::of(&shape));
        }
        for (packet, scripts) in values_of(version) {
            by_packet.entry(packet.to_owned()).or_default().extend(scripts);
        }
        for (packet, scripts) in by_packet {
            let file = File { version, scripts };
            files.insert(format!("{packet}-{}.toml", version.name()), file.write(HEADING));
        }
    }
    files
}

fn file_of(packet: &str) -> String {
    packet.split_whitespace().next().unwrap_or(packet).to_lowercase()
}

fn values_of(version: Version) -> Vec<(&'static str, Vec<Script>)> {
    let mut tables = vec![
        ("connect", values::connect_flags(version)),
        ("connect", values::connect_values(version)),
        ("publish", values::publish_flags(version)),
        ("topics", values::topics(version)),
        ("topics", values::filters(version)),
        ("subscribe", values::options(version)),
        ("strangers", values::strangers(version)),
    ];
    if version.is_v5() {
        tables.push(("reasons", values::reasons()));
    }
    tables
}
