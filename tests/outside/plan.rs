//! `plan` foretells what `apply` then does to live devices; `rollback` takes it back.

use crate::common::fleet::{Fleet, enter};
use crate::common::wire::Version;
use std::process::Output;
use std::thread;

const REFUSED: u8 = 0x87;

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn what_a_plan_foretells_of_live_devices_comes_true_and_a_rollback_takes_it_back() {
    let fleet = Fleet::new();
    let (writer, reader) = (fleet.device("device-001"), fleet.device("device-002"));
    let gone = fleet.device("device-003");
    fleet.run(["acl", "allow", "CN=device-001", "publish", "lab/+"]);
    fleet.run(["acl", "allow", "CN=device-002", "subscribe", "lab/#"]);
    let broker = fleet.serve();
    let mut writer = enter(&broker, &writer, Version::V5, "writer");
    let mut reader = enter(&broker, &reader, Version::V3_1_1, "reader");
    let mut gone = enter(&broker, &gone, Version::V5, "gone");
    assert_eq!(reader.subscribe(&["lab/a", "lab/b"]), [1, 1]);

    let exported = fleet.run(["export"]);
    let generation =
        exported.lines().find_map(|line| line.strip_prefix("generation = ")).expect("it has one").to_owned();
    let device_003 = exported.find("\n[[devices]]\nsubject = \"CN=device-003\"").expect("it is the last");
    let changed = exported[..device_003]
        .replace("publish = \"lab/+\"", "publish = \"#\", retain = false")
        .replace("subscribe = \"lab/#\"", "subscribe = \"lab/a\"");
    std::fs::write(fleet.path("fleet.toml"), &changed).expect("a writable folder");
    let plan = fleet.output(["plan", "fleet.toml"]);
    assert_eq!(plan.status.code(), Some(1), "it differs");
    let told = stdout(&plan);
    let live = "live (3 sessions): 1 device(s) closed, 1 subscription(s) cut, 0 narrowed, 2 device(s) lose write, \
                1 gain write, 1 gain `#`";
    assert!(told.contains(live), "{told}");
    for example in
        ["closed: device CN=device-003", "publish less: device CN=device-001", "gain #: device CN=device-001"]
    {
        assert!(told.contains(example), "{example}: {told}");
    }
    assert!(writer.publish("lab/b", b"still") < 0x80, "a plan changes nothing");
    assert_eq!(reader.expect_message().payload, b"still");

    fleet.run(["apply", "fleet.toml"]);
    assert!(gone.expect_close().is_some(), "5.0 is told why");
    assert!(writer.publish("lab/b", b"cut") < 0x80);
    assert!(writer.publish("lab/a", b"left") < 0x80);
    assert_eq!(reader.expect_message().payload, b"left");
    assert!(writer.publish("anything", b"x") < 0x80, "it gained #");

    fleet.run(["rollback", &generation]);
    assert_eq!(writer.publish("anything", b"x"), REFUSED);
    assert!(writer.publish("lab/b", b"back") < 0x80);
    assert_eq!(reader.expect_message().payload, b"back");
}

#[test]
fn of_two_files_for_one_generation_one_wins_and_the_other_is_told() {
    let fleet = Fleet::new();
    fleet.device("device-001");
    let _broker = fleet.serve();
    let exported = fleet.run(["export"]);
    let name = |number: usize| format!("{number}.toml");
    for number in 0..4 {
        let more = format!("{exported}\n[[devices]]\nsubject = \"CN=new-{number}\"\n");
        std::fs::write(fleet.path(&name(number)), more).expect("a writable folder");
    }
    let outputs: Vec<Output> = thread::scope(|scope| {
        let fleet = &fleet;
        let running: Vec<_> =
            (0..4).map(|number| scope.spawn(move || fleet.output(["apply".to_owned(), name(number)]))).collect();
        running.into_iter().map(|thread| thread.join().expect("it ends")).collect()
    });
    let won = outputs.iter().filter(|output| output.status.success()).count();
    assert_eq!(won, 1, "{outputs:?}");
    for lost in outputs.iter().filter(|output| !output.status.success()) {
        assert_eq!(lost.status.code(), Some(65));
        assert!(String::from_utf8_lossy(&lost.stderr).contains("export again"), "{lost:?}");
    }
    assert_eq!(fleet.run(["device", "list"]).matches("CN=new-").count(), 1);
}
