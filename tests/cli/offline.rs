//! Commands on the store itself, while no broker runs.

use super::{Desk, Outcome};
use certmq::store::policy_store::PolicyStore;
use serde_json::json;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

#[test]
fn reading_makes_no_store() {
    let desk = Desk::new();
    for arguments in [&["status"][..], &["device", "list"], &["export"], &["store", "check"]] {
        desk.run(arguments).refused(66, &["data: no store there", "certmq quickstart"]);
    }
    assert!(!desk.path("data").exists());
}

#[test]
fn a_device_its_group_and_its_rules() {
    let desk = Desk::new();
    assert_eq!(desk.ok(&["group", "add", "sensors", "--match", "o=acme"]), "group sensors added (generation 1)\n");
    desk.ok(&["device", "add", "CN=dev-1,O=acme", "--group", "sensors"]);
    let allow = desk
        .json(&["acl", "allow", "--group", "sensors", "publish", "sensors/{cn}/#", "--max-qos", "1", "--no-retain"], 0);
    assert_eq!(allow["outcome"], "changed");
    assert_eq!(allow["rule"]["max_qos"], 1);
    assert_eq!(allow["rule"]["retain"], false);
    let id = allow["rule"]["id"].as_str().unwrap();
    assert_eq!(id.len(), 12);
    let allowed = desk.json(&["acl", "explain", "dev-1", "publish", "sensors/dev-1/t"], 0);
    assert_eq!((&allowed["allowed"], &allowed["rule"]), (&json!(true), &json!(id)));
    desk.ok(&["acl", "deny", "dev-1", "publish", "sensors/dev-1/config"]);
    let denied = desk.json(&["acl", "explain", "dev-1", "publish", "sensors/dev-1/config"], 1);
    assert_eq!(denied["allowed"], false);
    let rules = desk.json(&["acl", "list", "dev-1"], 0);
    assert_eq!(rules["rules"].as_array().unwrap().len(), 2);
    desk.ok(&["acl", "remove", id]);
    desk.run(&["acl", "explain", "dev-1", "publish", "sensors/dev-1/t"]).expect(1);
    desk.run(&["acl", "remove", id]).refused(66, &[id]);
    let device = desk.json(&["device", "show", "dev-1"], 0);
    assert_eq!(device["subject"], "CN=dev-1,O=acme");
    assert_eq!(device["status"], "enabled");
}

#[test]
fn names_that_mean_nobody_or_several() {
    let desk = Desk::new();
    for name in ["CN=dev-1,O=acme", "CN=dev-1,O=other", "CN=dev-2,O=acme"] {
        desk.ok(&["device", "add", name]);
    }
    desk.run(&["device", "show", "dev-1"]).refused(66, &["CN=dev-1,O=acme", "CN=dev-1,O=other"]);
    desk.run(&["device", "show", "dev-3"]).refused(66, &["dev-3", "CN=dev-2,O=acme"]);
    desk.run(&["device", "show", "O=acme,CN=dev-2"]).refused(66, &["did you mean 'CN=dev-2,O=acme'?"]);
    desk.run(&["device", "add", "dev-4"]).refused(65, &["'CN=dev-4'"]);
    desk.run(&["device", "add", "CN=a", "--trust", "defualt"]).refused(66, &["did you mean default?"]);
    desk.run(&["acl", "allow", "CN=dev-9", "publish", "a"]).refused(66, &["certmq device add"]);
    desk.run(&["acl", "allow", "dev-2", "publish", "a/#/b"]).refused(65, &["a/#/b"]);
    desk.run(&["acl", "explain", "dev-2", "publish", "a/#"]).refused(65, &["a/#"]);
    desk.run(&["acl", "explain", "dev-1", "publish", "a"]).refused(66, &["CN=dev-1,O=other"]);
    desk.run(&["group", "show", "nothing"]).refused(66, &["nothing"]);
}

#[test]
fn explain_of_an_unknown_device_is_a_denial() {
    let desk = Desk::new();
    desk.ok(&["device", "add", "CN=dev-1,O=acme"]);
    for who in ["nobody", "CN=nobody,O=acme", "O=acme,CN=dev-1"] {
        let outcome = desk.run(&["acl", "explain", who, "publish", "a"]).expect(1);
        assert!(outcome.stdout.contains("denied") && outcome.stdout.contains("unknown device"), "{outcome:?}");
    }
}

#[test]
fn a_certificate_names_its_device() {
    let desk = Desk::new();
    desk.ok(&["ca", "init"]);
    desk.ok(&["cert", "issue", "dev-1", "--subject", "CN=dev-1,O=acme"]);
    desk.ok(&["cert", "issue", "other", "--subject", "CN=dev-1,O=acme"]);
    let cert = "device-certs/dev-1.crt";
    desk.ok(&["device", "add", "--cert", cert, "--pin"]);
    desk.ok(&["acl", "allow", "--cert", cert, "publish", "a"]);
    desk.ok(&["acl", "explain", "--cert", cert, "publish", "a"]);
    let pins = desk.json(&["device", "show", "dev-1"], 0);
    assert_eq!(pins["certificate_sha256"].as_array().unwrap().len(), 1);
    let other = desk.run(&["acl", "explain", "--cert", "device-certs/other.crt", "publish", "a"]).expect(1);
    assert!(other.stdout.contains("pinned to another certificate"), "{other:?}");
    desk.run(&["device", "show", "--cert", "device-certs/dev-1.key"]).refused(65, &["no certificate in it"]);
    desk.run(&["device", "show", "--cert", "nowhere.crt"]).refused(66, &["nowhere.crt"]);
}

#[test]
fn disabling_an_unlisted_device_lists_it() {
    let desk = Desk::new();
    desk.run(&["device", "enable", "CN=dev-1"]).refused(66, &["CN=dev-1"]);
    let outcome = desk.run(&["device", "disable", "CN=dev-1"]).expect(0);
    assert!(outcome.stderr.starts_with("note: "), "{outcome:?}");
    assert_eq!(desk.json(&["device", "show", "CN=dev-1"], 0)["status"], "disabled");
    let denied = desk.run(&["acl", "explain", "CN=dev-1", "publish", "a"]).expect(1);
    assert!(denied.stdout.contains("disabled"), "{denied:?}");
}

#[test]
fn a_policy_goes_out_and_in_again() {
    let (from, to) = (Desk::new(), Desk::new());
    from.ok(&["group", "add", "sensors", "--match", "o=acme"]);
    from.ok(&["acl", "allow", "--group", "sensors", "subscribe", "commands/{cn}/+"]);
    from.ok(&["device", "add", "CN=dev-1,O=acme", "--group", "sensors"]);
    from.ok(&["acl", "deny", "dev-1", "publish", "#", "--until", "2099-01-01T00:00:00Z"]);
    let text = from.ok(&["export"]);
    assert_eq!(from.json(&["export"], 0)["fleet"], text.as_str());
    let body: String =
        text.lines().filter(|line| !line.starts_with("generation")).map(|line| format!("{line}\n")).collect();
    to.ok(&["device", "add", "CN=goes"]);
    to.write("fleet.toml", &body);
    assert_eq!(to.json(&["apply", "fleet.toml", "--allow-remove", "1"], 0)["outcome"], "changed");
    assert_eq!(to.ok(&["export"]), text.replace("generation = 4", "generation = 2"));
    assert_eq!(to.json(&["apply", "fleet.toml"], 0)["outcome"], "unchanged");
    to.run(&["device", "show", "CN=goes"]).expect(66);
}

#[test]
fn a_plan_a_merge_and_the_way_back_work_without_a_broker() {
    let desk = Desk::new();
    desk.ok(&["device", "add", "CN=a"]);
    desk.write("more.toml", "version = 1\n[[devices]]\nsubject = \"CN=b\"\nallow = [{ publish = \"#\" }]\n");
    let plan = desk.run(&["plan", "more.toml", "--merge"]);
    assert_eq!(plan.code, Some(1), "{plan:?}");
    let told = "+ device CN=b\n    + allow { publish = \"#\" }\n1 device(s) added (from generation 1)\nno broker runs";
    assert!(plan.stdout.starts_with(told), "{plan:?}");
    desk.ok(&["apply", "more.toml", "--merge"]);
    assert!(desk.ok(&["plan", "--merge", "more.toml"]).starts_with("nothing would change (generation 2)"));
    let history = desk.json(&["history"], 0);
    assert_eq!(history["generations"][0]["records"], json!(["put device \"CN=b\""]));
    let dry = desk.run(&["rollback", "1", "--dry-run"]);
    assert!(dry.code == Some(1) && dry.stdout.starts_with("- device CN=b\n"), "{dry:?}");
    assert!(desk.ok(&["rollback", "1"]).contains("generation 3"));
    assert_eq!(desk.json(&["device", "list"], 0)["devices"].as_array().unwrap().len(), 1);
    desk.run(&["rollback", "9"]).refused(66, &["no generation 9", "from 0 to 3", "certmq history"]);
    desk.run(&["plan", "nowhere.toml"]).refused(66, &["nowhere.toml: no such file"]);
    desk.write("bad.toml", "version = 1\n[group.a]\n");
    desk.run(&["plan", "bad.toml"]).refused(65, &["bad.toml", "line 2", "groups"]);
}

#[test]
fn a_hundred_thousand_devices_are_planned_and_applied_in_seconds() {
    let desk = Desk::new();
    desk.ok(&["group", "add", "sensors"]);
    let mut text = "version = 1\n[groups.sensors]\nallow = [{ publish = \"sensors/{cn}/#\" }]\n".to_owned();
    for number in 0..100_000 {
        text.push_str(&format!("[[devices]]\nsubject = \"CN=dev-{number:06},O=acme\"\ngroups = [\"sensors\"]\n"));
    }
    desk.write("fleet.toml", &text);
    let timed = |words: &[&str], code: i32| {
        let start = std::time::Instant::now();
        let ended = desk.run(words);
        assert_eq!(ended.code, Some(code), "{words:?}: {}", ended.stderr);
        let took = start.elapsed();
        eprintln!("{words:?}: {took:.1?}");
        // In a build that is not optimised, on a machine that others share.
        assert!(took.as_secs() < 120, "{words:?} took {took:.1?}");
        ended.stdout
    };
    let plan = timed(&["plan", "fleet.toml"], 1);
    assert!(plan.contains("1 group(s) changed, 100000 device(s) added"), "{}", plan.len());
    timed(&["apply", "fleet.toml"], 0);
    desk.write("fleet.toml", &text.replace("CN=dev-099999,O=acme", "CN=dev-100000,O=acme"));
    let plan = timed(&["plan", "fleet.toml"], 1);
    assert!(plan.starts_with("+ device CN=dev-100000,O=acme\n    + group sensors\n- device CN=dev-099999"), "{plan}");
    timed(&["apply", "fleet.toml"], 0);
    timed(&["rollback", "1"], 0);
    assert_eq!(desk.json(&["device", "list"], 0)["devices"].as_array().unwrap().len(), 0);
}

#[test]
fn apply_checks_the_generation_and_says_where_a_fault_is() {
    let desk = Desk::new();
    desk.ok(&["device", "add", "CN=a"]);
    desk.write("fleet.toml", &desk.ok(&["export"]));
    desk.ok(&["device", "add", "CN=b"]);
    desk.run(&["apply", "fleet.toml"]).refused(65, &["fleet.toml", "generation 1", "export again"]);
    desk.write("bad.toml", "version = 1\n\n[[devices]]\nsubjct = \"CN=a\"\n");
    desk.run(&["apply", "bad.toml"]).refused(65, &["bad.toml", "line 4"]);
    desk.run(&["apply", "nowhere.toml"]).refused(66, &["nowhere.toml: no such file"]);
    assert_eq!(desk.json(&["device", "list"], 0)["devices"].as_array().unwrap().len(), 2);
}

#[test]
fn apply_reads_stdin() {
    let desk = Desk::new();
    let mut child = desk.command(&["apply", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"version = 1\n[[devices]]\nsubject = \"CN=a\"\n").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(desk.json(&["device", "list"], 0)["devices"][0]["subject"], "CN=a");
}

#[test]
fn every_document_is_versioned_json() {
    let desk = Desk::new();
    desk.ok(&["group", "add", "g"]);
    desk.ok(&["device", "add", "CN=a", "--group", "g"]);
    for arguments in [
        &["status"][..],
        &["device", "list"],
        &["device", "show", "a"],
        &["group", "list"],
        &["group", "show", "g"],
        &["acl", "list", "a"],
        &["acl", "list", "--group", "g"],
        &["export"],
        &["store", "check"],
        &["store", "restore", "--policy"],
        &["device", "disable", "a"],
    ] {
        desk.json(arguments, 0);
    }
    let status = desk.json(&["status"], 0);
    assert_eq!((&status["broker"], &status["policy"]["devices"]), (&json!(null), &json!(1)));
}

#[test]
fn a_socket_left_behind_is_no_broker() {
    let desk = Desk::new();
    desk.ok(&["device", "add", "CN=a"]);
    drop(UnixListener::bind(desk.path("data/admin.sock")).unwrap());
    assert!(desk.path("data/admin.sock").exists());
    assert!(desk.ok(&["status"]).contains("not running"));
}

#[test]
fn a_store_that_somebody_else_has_is_75() {
    let desk = Desk::new();
    desk.ok(&["device", "add", "CN=a"]);
    let _taken = PolicyStore::open(&desk.path("data")).unwrap();
    for arguments in
        [&["status"][..], &["device", "add", "CN=b"], &["store", "check"], &["store", "restore", "--policy"]]
    {
        desk.run(arguments).refused(75, &["in use by a broker", "admin.sock"]);
    }
}

#[test]
fn a_socket_path_that_no_address_holds_is_78() {
    let desk = Desk::new();
    let long = format!("storage.admin_socket=/tmp/{}", "a".repeat(110));
    desk.run(&["status", "--set", &long]).refused(78, &["at most 107", "storage.admin_socket"]);
}

#[test]
fn a_broker_that_hangs_up_is_69() {
    let desk = Desk::new();
    desk.ok(&["device", "add", "CN=a"]);
    let listener = UnixListener::bind(desk.path("data/admin.sock")).unwrap();
    let rude = std::thread::spawn(move || drop(listener.accept().unwrap()));
    desk.run(&["status"]).refused(69, &["admin.sock", "does not answer"]);
    rude.join().unwrap();
}

#[test]
fn damage_is_found_and_repaired() {
    let desk = Desk::new();
    desk.ok(&["device", "add", "CN=a"]);
    std::fs::remove_dir_all(desk.path("data/policy")).unwrap();
    let outcome = desk.run(&["store", "check"]).expect(65);
    assert!(outcome.stdout.contains("DAMAGED"), "{outcome:?}");
    desk.run(&["device", "list"]).refused(65, &["certmq store restore --policy"]);
    desk.ok(&["store", "restore", "--policy"]);
    desk.ok(&["store", "check"]);
    assert_eq!(desk.json(&["device", "list"], 0)["devices"][0]["subject"], "CN=a");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let desk = Desk::new();
    desk.ok(&["device", "add", "CN=a"]);
    let mut child = desk.command(&["device", "list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn terminals_are_not_steered_by_filters() {
    let desk = Desk::new();
    desk.ok(&["device", "add", "CN=a"]);
    desk.ok(&["acl", "allow", "a", "publish", "x\u{1b}[2J/y"]);
    for arguments in
        [&["acl", "list", "a"][..], &["device", "show", "a"], &["acl", "explain", "a", "publish", "x\u{1b}"]]
    {
        let outcome = Outcome::of(&mut desk.command(arguments));
        assert!(!outcome.stdout.contains('\u{1b}') && !outcome.stderr.contains('\u{1b}'), "{outcome:?}");
    }
}
