use super::*;
use crate::admin::reply::{HistoryView, PlanView};
use crate::admin::request::{FleetScope, PlanTarget};
use crate::policy::fleet::Part;

impl Fixture {
    fn export(&self) -> String {
        match self.ask(Request::Export {}).unwrap() {
            Reply::Fleet(text) => text,
            other => panic!("{other:?}"),
        }
    }

    fn plan(&self, target: PlanTarget) -> PlanView {
        match self.ask(Request::Plan { target }).unwrap() {
            Reply::Plan(view) => view,
            other => panic!("{other:?}"),
        }
    }

    fn history(&self) -> HistoryView {
        match self.ask(Request::History { limit: 100 }).unwrap() {
            Reply::History(view) => view,
            other => panic!("{other:?}"),
        }
    }
}

fn apply(text: &str) -> Request {
    Request::Apply { text: text.into(), scope: FleetScope::Whole, allow_remove: None }
}

fn merge(text: &str) -> Request {
    Request::Apply { text: text.into(), scope: FleetScope::Addition, allow_remove: None }
}

/// Without the generation, so that it fits another store.
fn body(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("generation")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn what_is_exported_applies() {
    let (fixture, other) = (fixture(), fixture());
    fixture.change(Request::AddGroup { name: "g".into(), matches: BTreeMap::new() });
    fixture.allow(Who::Group("g".into()), Action::Publish, "a/{cn}");
    fixture.add("CN=dev-1,O=acme", &["g"]);
    let text = fixture.export();
    assert_eq!(fixture.change(apply(&text)).outcome, ChangeOutcome::Unchanged);
    other.add("CN=goes", &[]);
    other.add("CN=dev-1,O=acme", &[]);
    other.live.swept.lock().clear();
    let applied = other.change(apply(&body(&text)));
    assert_eq!((applied.outcome, applied.generation), (ChangeOutcome::Changed, 3));
    assert_eq!(*other.live.swept.lock(), ["CN=dev-1,O=acme", "CN=goes"]);
    assert_eq!(body(&other.export()), body(&text));
}

#[test]
fn a_file_for_another_generation_is_refused() {
    let fixture = fixture();
    fixture.add("CN=dev-1", &[]);
    let text = fixture.export();
    fixture.add("CN=dev-2", &[]);
    let refusal = fixture.refusal(apply(&text));
    assert!(refusal.message.contains("generation 1"), "{refusal}");
    let planned = fixture.plan(PlanTarget::File { text, scope: FleetScope::Whole });
    assert!(planned.notes[0].contains("apply would refuse: the file was made for generation 1"), "{planned:?}");
    let refusal = fixture.refusal(apply("version = 1\n[[device]]\n"));
    assert!(refusal.message.contains("line 2"), "{refusal}");
    let text = "version = 1\n[[devices]]\nsubject = \"CN=a\"\ntrust = \"elsewhere\"\n";
    let refusal = fixture.refusal(apply(text));
    assert!(refusal.message.contains("no trust block \"elsewhere\""), "{refusal}");
}

#[test]
fn a_large_removal_needs_consent() {
    let fixture = fixture();
    for number in 1..=5 {
        fixture.add(&format!("CN=dev-{number}"), &[]);
    }
    let keep_two = "version = 1\n[[devices]]\nsubject = \"CN=dev-1\"\n[[devices]]\nsubject = \"CN=dev-2\"\n";
    let refusal = fixture.refusal(apply(keep_two));
    assert!(refusal.message.contains("remove 3 of 5 records") && refusal.message.contains("--allow-remove 3"));
    assert!(fixture.plan(file(keep_two)).notes.iter().any(|note| note.contains("--allow-remove 3")));
    let with = |count| Request::Apply { text: keep_two.into(), scope: FleetScope::Whole, allow_remove: Some(count) };
    assert!(fixture.refusal(with(2)).message.contains("--allow-remove 3"), "fewer than go");
    assert_eq!(fixture.change(with(3)).summary, "applied: 3 device(s) removed");
}

#[test]
fn more_than_ten_or_one_in_a_hundred_is_a_large_removal() {
    use crate::policy::fleet::Removals;
    let large = |removed, of| Removals { removed, of }.need_consent();
    assert!(!large(0, 0) && !large(5, 10) && large(6, 10) && large(1, 1) && !large(1, 2));
    assert!(!large(10, 11) && large(11, 11) && large(11, 1_000) && !large(11, 1_100) && large(12, 1_199));
    assert!(!large(1_000, 100_000) && large(1_001, 100_000));
}

#[test]
fn a_merge_only_adds_and_changes() {
    let fixture = fixture();
    fixture.change(Request::AddGroup { name: "old".into(), matches: BTreeMap::new() });
    fixture.add("CN=dev-1", &["old"]);
    let more = "version = 1\n[groups.new]\nallow = [{ publish = \"a\" }]\n\
                [[devices]]\nsubject = \"CN=dev-2\"\ngroups = [\"old\", \"new\"]\n";
    let planned = fixture.plan(PlanTarget::File { text: more.into(), scope: FleetScope::Addition });
    assert_eq!((planned.counts.groups_added, planned.counts.devices_added), (1, 1));
    assert_eq!(planned.counts.devices_removed + planned.counts.groups_removed, 0);
    fixture.change(merge(more));
    let text = fixture.export();
    assert!(text.contains("CN=dev-1") && text.contains("groups = [\"new\", \"old\"]"), "{text}");
    let refusal = fixture.refusal(merge("version = 1\n[[devices]]\nsubject = \"CN=x\"\ngroups = [\"none\"]\n"));
    assert!(refusal.message.contains("group \"none\""), "{refusal}");
}

fn file(text: &str) -> PlanTarget {
    PlanTarget::File { text: text.into(), scope: FleetScope::Whole }
}

#[test]
fn a_plan_tells_each_record_in_the_words_of_the_file() {
    let fixture = fixture();
    fixture.change(Request::AddGroup { name: "g".into(), matches: BTreeMap::new() });
    fixture.allow(Who::Group("g".into()), Action::Publish, "a/{cn}");
    fixture.add("CN=dev-1", &["g"]);
    fixture.add("CN=dev-2", &[]);
    let text = "version = 1\n[groups.g]\nallow = [{ publish = \"b/{cn}\", max_qos = 1 }]\n\
                [[devices]]\nsubject = \"CN=dev-1\"\nenabled = false\n[[devices]]\nsubject = \"CN=dev-3\"\n";
    let planned = fixture.plan(file(text));
    let told: Vec<_> = planned.records.iter().map(|record| (record.change, &*record.record, &record.lines)).collect();
    let lines = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
    let group = lines(&["- allow { publish = \"a/{cn}\" }", "+ allow { publish = \"b/{cn}\", max_qos = 1 }"]);
    let device = lines(&["- group g", "+ enabled = false"]);
    assert_eq!(
        told,
        [
            (Part::Change, "group g", &group),
            (Part::Change, "device CN=dev-1", &device),
            (Part::Add, "device CN=dev-3", &lines(&[])),
            (Part::Remove, "device CN=dev-2", &lines(&[])),
        ]
    );
    assert_eq!(planned.outcome, ChangeOutcome::Changed);
    assert_eq!(planned.live, None, "no broker runs");
    let unchanged = fixture.plan(file(&fixture.export()));
    assert_eq!((unchanged.outcome, unchanged.records.len()), (ChangeOutcome::Unchanged, 0));
    assert_eq!(fixture.history().generations[0].generation, 4, "a plan changes nothing");
}

#[test]
fn a_plan_that_cannot_be_applied_says_why() {
    let fixture = fixture();
    let pinned =
        |name: &str| format!("[[devices]]\nsubject = \"{name}\"\ncertificate_sha256 = \"{}\"\n", "ab".repeat(32));
    let text = format!("version = 1\n{}{}", pinned("CN=a"), pinned("CN=b"));
    let refusal = fixture.refusal(Request::Plan { target: file(&text) });
    assert!(refusal.message.contains("pinned"), "{refusal}");
}

#[test]
fn going_back_is_a_change_that_leaves_the_deny_list() {
    let fixture = fixture();
    fixture.add("CN=dev-1", &[]);
    let then = fixture.export();
    fixture.add("CN=dev-2", &[]);
    fixture.change(Request::Revoke {
        target: crate::admin::RevokeTarget::Device(device("CN=dev-1")),
        leftovers: Leftovers::Withhold,
    });
    fixture.change(Request::RemoveDevice { device: device("CN=dev-1"), leftovers: Leftovers::Withhold });
    let planned = fixture.plan(PlanTarget::Generation(1));
    assert_eq!((planned.counts.devices_added, planned.counts.devices_removed), (1, 1));
    let back = fixture.change(Request::Rollback { generation: 1 });
    assert_eq!((back.outcome, back.generation), (ChangeOutcome::Changed, 5));
    assert_eq!(body(&fixture.export()), body(&then));
    assert_eq!(fixture.service.authority().policy().deny_list().len(), 1, "rollback lifts no entry");
    assert_eq!(fixture.change(Request::Rollback { generation: 1 }).outcome, ChangeOutcome::Unchanged);
    let history = fixture.history();
    let numbers: Vec<u64> = history.generations.iter().map(|generation| generation.generation).collect();
    assert_eq!((numbers, history.oldest), (vec![5, 4, 3, 2, 1], 0));
    assert_eq!(history.generations[1].records, ["remove device \"CN=dev-1\""]);
    assert_eq!(history.generations[0].author, "test");
    for beyond in [6, u64::MAX] {
        let refusal = fixture.refusal(Request::Rollback { generation: beyond });
        assert_eq!(refusal.fault, Fault::Missing);
        assert!(refusal.message.contains("from 0 to 5"), "{refusal}");
    }
}
