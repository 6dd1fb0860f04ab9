//! Crashes and damage: what is finished, what is refused, what brings it back.

use super::*;

/// The lines of the journal, with `edit` applied.
fn edit_journal(folder: &Path, edit: impl FnOnce(&mut Vec<String>)) {
    let path = folder.join("policy.journal");
    let mut lines: Vec<_> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    edit(&mut lines);
    fs::write(path, lines.join("\n") + "\n").unwrap();
}

/// Changes one character of a line without making it unreadable as JSON.
fn spoil(line: &mut String) {
    *line = line.replacen("root", "toor", 1);
}

/// A store at generation 6 whose database is that of an earlier one.
fn set_back(to: u64) -> (tempfile::TempDir, Records) {
    let (folder, old) = (folder(), tempfile::tempdir().unwrap());
    let mut store = PolicyStore::open(folder.path()).unwrap();
    for generation in 1..=6 {
        add(&store, &format!("CN={generation}"));
        if generation == to {
            drop(store);
            copy_folder(&folder.path().join("policy"), &old.path().join("policy"));
            store = PolicyStore::open(folder.path()).unwrap();
        }
    }
    let records = store.records().unwrap();
    drop(store);
    fs::remove_dir_all(folder.path().join("policy")).unwrap();
    copy_folder(&old.path().join("policy"), &folder.path().join("policy"));
    (folder, records)
}

#[test]
fn a_crash_between_journal_and_database_is_finished() {
    let (folder, expected) = set_back(5);
    let report = check(folder.path()).unwrap();
    assert!(report.faults[0].contains("the next start finishes it"), "{:?}", report.faults);
    assert_eq!(PolicyStore::open(folder.path()).unwrap().records().unwrap(), expected);
    assert_eq!(check(folder.path()).unwrap().faults, Vec::<String>::new());
}

#[test]
fn a_database_that_fell_further_behind_is_refused_and_rebuilt() {
    let (folder, expected) = set_back(3);
    let fault = fault_of(folder.path());
    assert!(fault.contains("generation 3") && fault.contains("ends at 6") && fault.contains("restore"), "{fault}");
    assert_eq!(check(folder.path()).unwrap().faults.len(), 1);

    let report = restore_policy(folder.path()).unwrap();
    assert_eq!((report.source, report.generation), (RestoreSource::Backup, 6));
    assert_eq!(PolicyStore::open(folder.path()).unwrap().records().unwrap(), expected);
    let aside = &report.kept_aside[0];
    assert!(aside.join("db").exists() && aside.file_name().unwrap().to_str().unwrap().starts_with("policy.damaged-2"));
}

#[test]
fn an_unfinished_line_is_cut_off() {
    let folder = folder();
    let expected = three_generations(folder.path());
    let path = folder.path().join("policy.journal");
    let whole = fs::read(&path).unwrap();
    for torn in [&br#"{"generation":4,"time"#[..], &[0; 100]] {
        fs::write(&path, [&whole, torn].concat()).unwrap();
        assert_eq!(PolicyStore::open(folder.path()).unwrap().records().unwrap(), expected);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
    add(&PolicyStore::open(folder.path()).unwrap(), "CN=next");
    assert_eq!(check(folder.path()).unwrap().faults, Vec::<String>::new());
}

#[test]
fn a_spoilt_journal_line_is_named_and_the_backup_written_anew() {
    for (line, restored_lines) in [(0, 1), (1, 1), (2, 1), (3, 1)] {
        let folder = folder();
        let expected = three_generations(folder.path());
        edit_journal(folder.path(), |lines| match line {
            0 => lines[0] = lines[0].replacen("\"records\":0", "\"records\":1", 1),
            _ => spoil(&mut lines[line]),
        });
        let fault = fault_of(folder.path());
        assert!(fault.contains(&format!("policy.journal: damaged: line {}:", line + 1)), "{fault}");
        assert!(check(folder.path()).unwrap().faults[0].contains(&format!("line {}:", line + 1)));

        let report = restore_policy(folder.path()).unwrap();
        assert_eq!((report.source, report.generation), (RestoreSource::Store, 3));
        assert_eq!(report.kept_aside.len(), 2);
        assert_eq!(PolicyStore::open(folder.path()).unwrap().records().unwrap(), expected);
        let journal = fs::read_to_string(folder.path().join("policy.journal")).unwrap();
        assert_eq!(journal.lines().count(), restored_lines);
        assert_eq!(check(folder.path()).unwrap().faults, Vec::<String>::new());
    }
}

#[test]
fn a_line_taken_out_or_put_elsewhere_is_noticed() {
    let edits: [fn(&mut Vec<String>); 3] =
        [|lines| drop(lines.remove(2)), |lines| lines.swap(2, 3), |lines| lines.insert(2, lines[1].clone())];
    for edit in edits {
        let folder = folder();
        three_generations(folder.path());
        edit_journal(folder.path(), edit);
        assert!(fault_of(folder.path()).contains("line "), "{}", fault_of(folder.path()));
    }
}

#[test]
fn a_journal_cut_at_a_line_is_noticed_because_the_store_is_ahead() {
    let folder = folder();
    let expected = three_generations(folder.path());
    edit_journal(folder.path(), |lines| drop(lines.pop()));
    assert!(fault_of(folder.path()).contains("generation 3"), "{}", fault_of(folder.path()));
    assert_eq!(restore_policy(folder.path()).unwrap().source, RestoreSource::Store);
    assert_eq!(PolicyStore::open(folder.path()).unwrap().records().unwrap(), expected);
}

#[test]
fn a_missing_journal_is_refused_and_a_missing_snapshot_written_anew() {
    let folder = folder();
    let expected = three_generations(folder.path());
    fs::remove_file(folder.path().join("policy.journal")).unwrap();
    assert!(fault_of(folder.path()).contains("the journal is missing"));
    assert_eq!(restore_policy(folder.path()).unwrap().source, RestoreSource::Store);
    fs::remove_file(folder.path().join("policy.snapshot")).unwrap();
    assert_eq!(PolicyStore::open(folder.path()).unwrap().records().unwrap(), expected);
    let report = check(folder.path()).unwrap();
    assert_eq!((report.snapshot_generation, report.faults), (3, Vec::new()));
}

#[test]
fn a_spoilt_snapshot_is_a_finding_with_its_line() {
    let folder = folder();
    three_generations(folder.path());
    PolicyStore::open(folder.path()).unwrap().snapshot_now(NOW).unwrap();
    let path = folder.path().join("policy.snapshot");
    let text = fs::read_to_string(&path).unwrap();
    for (from, to, line) in [("CN=b", "CN=c", "line 5"), ("put_device", "put_devise", "line 3")] {
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let faults = check(folder.path()).unwrap().faults;
        assert!(faults[0].contains("policy.snapshot") && faults[0].contains(line), "{faults:?}");
    }
    // With the store gone too, nothing is left that could be believed.
    fs::write(folder.path().join("policy").join("db"), b"").unwrap();
    let error = restore_policy(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::BackupDamaged { .. }) && error.to_string().contains("line 3"), "{error}");
}

#[test]
fn a_whole_store_is_left_alone() {
    let folder = folder();
    three_generations(folder.path());
    let report = restore_policy(folder.path()).unwrap();
    assert_eq!((report.source, report.kept_aside), (RestoreSource::Unharmed, Vec::new()));
}

#[test]
fn a_database_emptied_or_of_another_kind_is_refused() {
    for content in [&b""[..], b"not a database", &[0xff; 4096]] {
        let folder = folder();
        let expected = three_generations(folder.path());
        fs::write(folder.path().join("policy").join("db"), content).unwrap();
        assert!(fault_of(folder.path()).contains("restore"), "{}", fault_of(folder.path()));
        assert_eq!(restore_policy(folder.path()).unwrap().source, RestoreSource::Backup);
        assert_eq!(PolicyStore::open(folder.path()).unwrap().records().unwrap(), expected);
    }
}

#[test]
fn records_changed_behind_its_back_are_noticed() {
    type Edit = fn(&sled::Tree, &sled::Tree);
    let edits: [Edit; 4] = [
        |devices, _| drop(devices.insert(b"default\0CN=evil", &b"{}"[..]).unwrap()),
        |devices, _| drop(devices.remove(b"default\0CN=a").unwrap()),
        |devices, _| drop(devices.insert(b"default\0CN=a", &b"{}"[..]).unwrap()),
        |_, groups| drop(groups.insert(b"sensors", &b"{}"[..]).unwrap()),
    ];
    for edit in edits {
        let folder = folder();
        let expected = three_generations(folder.path());
        {
            let db = sled::open(folder.path().join("policy")).unwrap();
            edit(&db.open_tree("devices").unwrap(), &db.open_tree("groups").unwrap());
        }
        assert!(fault_of(folder.path()).contains("hash"), "{}", fault_of(folder.path()));
        assert_eq!(restore_policy(folder.path()).unwrap().source, RestoreSource::Backup);
        assert_eq!(PolicyStore::open(folder.path()).unwrap().records().unwrap(), expected);
    }
}

/// What stands when sled fails after the journal line is written, whether or not it kept the transaction.
#[test]
fn a_commit_that_sled_failed_is_taken_back() {
    for applied in [true, false] {
        let folder = folder();
        let store = PolicyStore::open(folder.path()).unwrap();
        add(&store, "CN=a");
        {
            let mut writer = store.shared.writer.lock();
            let before = writer.state;
            let changes = vec![StoredChange::from(&Change::PutDevice(device("CN=b", &[])))];
            let mut slot = store.shared.database.write();
            let plan = Plan::new(&changes, slot.as_ref().unwrap(), before, &writer.references).unwrap();
            let mark = writer.journal.mark();
            writer.journal.append(&Entry::new(plan.after, "root", rfc3339(NOW), changes)).unwrap();
            if applied {
                slot.as_mut().unwrap().apply(&plan.writes, &before, &plan.after).unwrap();
            }
            *slot = None;
            writer.undecided = Some(Undecided { before, after: plan.after, undo: plan.undo, mark });
        }
        assert!(store.records().is_err(), "sled is not open");
        assert_eq!(add(&store, "CN=c"), 2);
        let names: Vec<_> = store.devices().map(|record| record.unwrap().key.name.to_string()).collect();
        assert_eq!(names, ["CN=a", "CN=c"]);
        drop(store);
        assert_eq!(check(folder.path()).unwrap().faults, Vec::<String>::new());
    }
}
