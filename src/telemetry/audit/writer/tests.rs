use super::super::trail::tests::{Remembered, report};
use super::super::{EVENTS, Line, readers};
use super::*;
use std::io::BufRead;
use std::path::Path;

const LARGE: Retention = Retention { file_bytes: 1 << 20, files: 4 };

fn start(folder: &Path, store: &Arc<Remembered>) -> Audit {
    Audit::start(folder.join("audit"), LARGE, Arc::clone(store) as Arc<dyn AuditStore>).unwrap()
}

fn events(folder: &Path) -> Vec<Event> {
    let readers = readers(&folder.join("audit")).unwrap();
    let lines = readers.into_iter().flat_map(|(_, reader)| reader.lines());
    lines.map(|line| serde_json::from_str::<Line>(&line.unwrap()).unwrap().event).collect()
}

fn seen(device: &str, certificate: u8) -> Seen {
    Seen {
        device: device.to_owned(),
        trust: "default".to_owned(),
        address: "127.0.0.1:1".to_owned(),
        client_id: "c".to_owned(),
        serial: "01".to_owned(),
        issuer: "CN=ca".to_owned(),
        not_before: 0,
        not_after: 86_400,
        sha256: [certificate; 32],
    }
}

fn connect(audit: &Audit, device: &str, certificate: u8) {
    audit.device_connected("default", device, &[certificate; 32], || seen(device, certificate));
}

#[test]
fn what_is_confirmed_is_anchored() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Arc::new(Remembered::default()));
    let audit = start(folder.path(), &store);
    audit.record(Event::BrokerStopped { connections: 1 });
    audit.confirm(Event::BrokerStopped { connections: 2 }).unwrap();
    assert_eq!(store.anchor.lock().unwrap().count, 3);
    assert_eq!(report(folder.path(), &store).faults, []);
}

#[test]
fn the_end_is_anchored_too_and_nothing_follows_it() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Arc::new(Remembered::default()));
    let audit = start(folder.path(), &store);
    (0..100).for_each(|connections| audit.record(Event::BrokerStopped { connections }));
    audit.close();
    assert_eq!(store.anchor.lock().unwrap().count, 101);
    assert!(audit.confirm(Event::BrokerStopped { connections: 1 }).is_err());
    audit.record(Event::BrokerStopped { connections: 1 });
    assert_eq!(report(folder.path(), &store).lines, 101);
}

#[test]
fn a_device_is_told_when_it_is_new_and_when_its_certificate_is() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Arc::new(Remembered::default()));
    for _ in 0..2 {
        let audit = start(folder.path(), &store);
        for certificate in [1, 1, 2, 2] {
            connect(&audit, "CN=a", certificate);
        }
        connect(&audit, "CN=b", 1);
        audit.close();
    }
    let told: Vec<String> = events(folder.path())
        .into_iter()
        .filter_map(|event| match event {
            Event::DeviceFirstSeen { device, .. } => Some(format!("first {device}")),
            Event::DeviceNewCertificate { device, sha256, .. } => Some(format!("new {device} {}", &sha256[..2])),
            _ => None,
        })
        .collect();
    let first_run = ["first CN=a", "new CN=a 02", "first CN=b"];
    assert_eq!(told, [&first_run[..], &["new CN=a 01", "new CN=a 02"]].concat());
}

#[test]
fn what_a_full_disk_loses_is_counted_and_told_when_there_is_room() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Arc::new(Remembered::default()));
    // In the place of the folder something else: nothing can be written, whoever asks.
    std::fs::write(folder.path().join("audit"), "").unwrap();
    let audit = start(folder.path(), &store);
    (0..9).for_each(|connections| audit.record(Event::BrokerStopped { connections }));
    assert!(audit.confirm(Event::BrokerStopped { connections: 9 }).is_err());
    std::fs::remove_file(folder.path().join("audit")).unwrap();
    audit.confirm(Event::BrokerStopped { connections: 10 }).unwrap();
    let events = events(folder.path());
    assert!(matches!(events[1], Event::TrailLost { events: 10, .. }), "{events:?}");
    assert_eq!(events[2], Event::BrokerStopped { connections: 10 });
    assert_eq!(report(folder.path(), &store).faults, []);
}

/// Recording must not wait, whatever the disk does: the thread is not even there.
#[test]
fn events_that_come_too_fast_are_counted() {
    let (jobs, waiting) = sync_channel(2);
    let overflowed = Arc::new(AtomicU64::new(0));
    let shared = Shared {
        memory: Memory::default(),
        overflowed: Arc::clone(&overflowed),
        jobs: Mutex::new(Some(jobs)),
        thread: Mutex::new(None),
    };
    let audit = Audit { shared: Some(Arc::new(shared)) };
    (0..10).for_each(|connections| audit.record(Event::BrokerStopped { connections }));
    assert_eq!(overflowed.load(Ordering::Relaxed), 8);
    connect(&audit, "CN=a", 1);
    assert_eq!(overflowed.load(Ordering::Relaxed), 9);
    drop(waiting.try_recv());
    connect(&audit, "CN=a", 1);
    assert_eq!(overflowed.load(Ordering::Relaxed), 9, "a device that could not be told is told the next time");
}

#[test]
fn the_documentation_lists_these_events_and_no_others() {
    let text = include_str!("../../../../docs/audit.md");
    let sections: Vec<&str> = text.split("\n### `").skip(1).collect();
    let documented: Vec<&str> = sections.iter().filter_map(|section| section.split('`').next()).collect();
    let known: Vec<&str> = EVENTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(documented, known, "in the order of the code");
    for (section, (name, fields)) in sections.iter().zip(EVENTS) {
        let rows: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(rows, *fields, "{name}");
    }
}
