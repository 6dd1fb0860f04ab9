//! `certmq audit` and `certmq denials` as scripts see them, without a broker.

use super::Desk;
use serde_json::json;

#[test]
fn commands_on_the_store_itself_are_in_the_trail_too() {
    let desk = Desk::new();
    desk.ok(&["group", "add", "devices"]);
    desk.run(&["device", "add", "CN=dev-1", "--group", "none"]).expect(66);
    let shown = desk.json(&["audit", "show"], 0);
    let events: Vec<_> = shown["events"].as_array().unwrap().iter().map(|event| event["event"].clone()).collect();
    assert_eq!(events, ["trail.opened", "admin.change", "admin.change"]);
    let refused = &shown["events"][2];
    assert_eq!((&refused["place"], &refused["outcome"]), (&json!("offline"), &json!("refused")));
    assert!(refused["summary"].as_str().unwrap().contains("CN=dev-1"), "{refused}");
    let text = desk.ok(&["audit", "show"]);
    assert!(text.starts_with("N ") && text.contains("command=\"group add\""), "{text}");
    let report = desk.json(&["audit", "verify"], 0);
    assert_eq!((&report["lines"], &report["anchored"], &report["faults"]), (&json!(3), &json!(3), &json!([])));
    assert!(desk.ok(&["audit", "verify"]).contains("chain     holds"));
}

#[test]
fn what_is_asked_for_by_time_is_shown() {
    let desk = Desk::new();
    desk.ok(&["group", "add", "devices"]);
    let count = |since: &str| {
        let shown = desk.json(&["audit", "show", "--since", since], 0);
        shown["events"].as_array().unwrap().len()
    };
    assert_eq!((count("1h"), count("2001-01-01T00:00:00Z"), count("2999-01-01T00:00:00Z")), (2, 2, 0));
    desk.run(&["audit", "show", "--since", "yesterday"]).refused_usage("how long ago");
}

#[test]
fn a_cut_trail_is_exit_1_on_stdout() {
    let desk = Desk::new();
    for group in ["a", "b", "c"] {
        desk.ok(&["group", "add", group]);
    }
    let file = desk.path("data/audit/00000001.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    let kept: String = text.split_inclusive('\n').take(3).collect();
    std::fs::write(&file, kept).unwrap();
    let outcome = desk.run(&["audit", "verify"]).expect(1);
    assert!(outcome.stdout.contains("DOES NOT HOLD") && outcome.stdout.contains("tail was cut off"), "{outcome:?}");
    assert!(outcome.stdout.contains("00000001.jsonl, line 3"), "{outcome:?}");
    // It is written on all the same, and nobody hides it that way.
    desk.ok(&["group", "add", "d"]);
    let outcome = desk.run(&["audit", "verify"]).expect(1);
    assert!(outcome.stdout.contains("certmq itself found"), "{outcome:?}");
}

#[test]
fn without_a_trail_there_is_nothing_to_find() {
    let desk = Desk::new();
    desk.run(&["audit", "show"]).refused(66, &["no store there"]);
    desk.run(&["audit", "verify"]).refused(66, &["no store there"]);
    desk.ok(&["group", "add", "a"]);
    std::fs::remove_dir_all(desk.path("data/audit")).unwrap();
    desk.run(&["audit", "verify"]).expect(1);
    assert_eq!(desk.json(&["audit", "show"], 0)["events"], json!([]));
}

#[test]
fn a_full_file_is_followed_by_another() {
    let desk = Desk::new();
    desk.write("config/certmq.toml", "[storage]\npath = \"../data\"\n[limits]\naudit_file_bytes = \"64 KiB\"\n");
    desk.ok(&["device", "add", "CN=dev-1"]);
    // Long summaries fill a file soon.
    let filter = "y/".repeat(500);
    let full = |number: &u32| {
        desk.ok(&["acl", "deny", "CN=dev-1", "publish", &format!("{filter}{number}")]);
        desk.path("data/audit/00000002.jsonl").exists()
    };
    assert!((0..70).any(|number| full(&number)));
    let report = desk.json(&["audit", "verify"], 0);
    assert_eq!((&report["files"], &report["first"]), (&json!(2), &json!(1)), "{report}");
    assert_eq!(report["lines"], report["anchored"], "{report}");
}

#[test]
fn denials_want_a_broker() {
    let desk = Desk::new();
    desk.run(&["denials"]).refused(69, &["no broker answers"]);
}
