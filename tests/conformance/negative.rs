//! A bad ledger is refused, each way.

use super::citations::{self, Citation};
use super::ledger::{Ledger, rows_out_of_order};
use super::names::declares_test;
use super::{LEDGER, tree};

/// The ledger with one row changed; the change must find its place.
fn with(from: &str, to: &str) -> String {
    let changed = LEDGER.replacen(from, to, 1);
    assert_ne!(changed, LEDGER, "{from} is not in the ledger");
    changed
}

fn only_row(id: &str, row: &str) -> Ledger {
    Ledger::parse(&format!("[v5]\n\"{id}\" = {{ {row} }}\n[\"v3.1.1\"]\n")).expect("a ledger")
}

#[test]
fn an_unknown_statement_and_a_missing_one_are_found() {
    let ledger = Ledger::parse(&with("\"MQTT-3.12.4-1\"", "\"MQTT-3.12.4-2\"")).expect("a ledger");
    let offences = ledger.rows_without_fault_in_number();
    assert_eq!(
        offences,
        ["v5 MQTT-3.12.4-2: there is no such statement", "v5 MQTT-3.12.4-1: the statement has no row"]
    );
}

#[test]
fn a_statement_of_the_other_standard_is_unknown() {
    let offences = only_row("MQTT-1.5.3-1", "says = \"x\", tests = []").rows_without_fault_in_number();
    assert!(offences.contains(&"v5 MQTT-1.5.3-1: there is no such statement".to_owned()));
}

#[test]
fn a_statement_with_two_rows_and_a_row_with_another_key_are_no_ledger() {
    let row = "\"MQTT-3.12.4-1\" = { says = \"x\", tests = [\"mqtt::ping::x\"] }\n";
    for ledger in [format!("[v5]\n{row}{row}[\"v3.1.1\"]\n"), "[v5]\n[\"v3.1.1\"]\n[v6]\n".to_owned()] {
        assert!(Ledger::parse(&ledger).is_err(), "{ledger}");
    }
    for key in ["test = [\"x\"]", "open = \"later\"", "says = 1"] {
        let ledger = format!("[v5]\n\"MQTT-3.12.4-1\" = {{ says = \"x\", {key} }}\n[\"v3.1.1\"]\n");
        assert!(Ledger::parse(&ledger).is_err(), "{key}");
    }
}

#[test]
fn a_row_with_neither_or_with_both_or_without_words_is_found() {
    for (row, fault) in [
        ("says = \"x\"", "neither tests nor a reason why it does not apply"),
        ("says = \"x\", tests = []", "neither tests nor a reason why it does not apply"),
        ("says = \"x\", tests = [\"a\"], not_applicable = \"binds the client\"", "tests, and a reason"),
        ("says = \"x\", not_applicable = \" n/a \"", "no reason worth the name"),
        ("says = \" \", tests = [\"a\"]", "no words"),
        ("says = \"x\", tests = [\"a\", \"a\"]", "a test named twice"),
    ] {
        let offences = only_row("MQTT-3.12.4-1", row).rows_that_say_too_little_or_too_much();
        assert!(offences.len() == 1 && offences[0].contains(fault), "{row}: {offences:?}");
    }
}

#[test]
fn rows_out_of_order_are_found() {
    assert_eq!(rows_out_of_order("[v5]\n\"MQTT-3.9.3-1\" =\n\"MQTT-3.10.1-1\" =\n[x]\n\"MQTT-1.5.3-1\" =\n"), [""; 0]);
    assert_eq!(rows_out_of_order("[v5]\n\"MQTT-3.10.1-1\" =\n\"MQTT-3.9.3-1\" =\n").len(), 1);
    assert_eq!(rows_out_of_order("[v5]\n\"MQTT-3.9.3-10\" =\n\"MQTT-3.9.3-9\" =\n").len(), 1);
}

#[test]
fn a_test_that_does_not_exist_is_found() {
    let tree = tree();
    assert_eq!(tree.find("mqtt::ping::each_pingreq_is_answered_with_a_pingresp"), Ok(()));
    assert_eq!(tree.find("certmq::hub::tests::wills::a_goodbye_decides"), Ok(()));
    for wrong in [
        "",
        "each_pingreq_is_answered_with_a_pingresp",
        "mqtt::each_pingreq_is_answered_with_a_pingresp",
        "mqtt::pong::each_pingreq_is_answered_with_a_pingresp",
        "mqtt::ping::each_pingreq_is_answered_with_a_pingres",
        "mqtt::ping::deeper::each_pingreq_is_answered_with_a_pingresp",
        "outside::ping::each_pingreq_is_answered_with_a_pingresp",
        "nowhere::ping::each_pingreq_is_answered_with_a_pingresp",
        // A function of the crate that is no test, and a file of the folder that is no module of this crate.
        "mqtt::scene::subscribe",
        "conformance::data::x",
    ] {
        assert!(tree.find(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn only_a_function_that_runs_as_a_test_is_one() {
    assert_eq!(declares_test("#[test]\nfn a() {}", "a"), Ok(()));
    assert_eq!(declares_test("    #[tokio::test(flavor = \"x\")]\n    // Why.\n    async fn a() {}", "a"), Ok(()));
    for source in [
        "fn a() {}",
        "#[test]\n\nfn a() {}",
        "#[test]\nfn b() {}\nfn a() {}",
        "#[test]\nfn ab() {}",
        "// fn a() {}",
        "#[test]\n#[ignore]\nfn a() {}",
        "#[test]\n#[ignore = \"slow\"]\nfn a() {}",
    ] {
        assert!(declares_test(source, "a").is_err(), "{source}");
    }
}

#[test]
fn a_citation_without_its_row_and_a_row_without_its_citation_are_found() {
    let source = "/// What it is about.\n///\n/// 5.0 `[MQTT-3.12.4-1]` `[MQTT-3.1.0-1]`\n/// `[MQTT-3.1.0-2]`\n\
                  /// 3.1.1 `[MQTT-3.12.4-1]`\n#[test]\nfn a() {}\nfn b() {}\n/// 5.0 `[MQTT-9.9.9-9]`\n";
    let citations = citations::read_module("mqtt::m", source);
    let cited = |standard, id: &str| -> Citation { ("mqtt::m::a".to_owned(), standard, id.to_owned()) };
    assert_eq!(
        citations,
        [
            cited("v5", "MQTT-3.12.4-1"),
            cited("v5", "MQTT-3.1.0-1"),
            cited("v5", "MQTT-3.1.0-2"),
            cited("v3.1.1", "MQTT-3.12.4-1")
        ]
    );
    let citations = [cited("v5", "MQTT-3.12.4-1")].into();
    let row = |tests: &str| only_row("MQTT-3.12.4-1", &format!("says = \"x\", tests = [{tests}]"));
    assert_eq!(citations::disagreements(&row("\"mqtt::m::a\", \"outside::x::y\""), &citations), [""; 0]);
    assert_eq!(citations::disagreements(&row("\"outside::x::y\""), &citations).len(), 1);
    assert_eq!(citations::disagreements(&row("\"mqtt::m::a\", \"mqtt::m::b\""), &citations).len(), 1);
}
