use super::*;

fn folder() -> (tempfile::TempDir, Folder) {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::create(dir.path()).unwrap();
    (dir, folder)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn keys_are_for_their_owner_from_the_start() {
    let (_dir, folder) = folder();
    let path = folder.key("dev");
    folder.create_new(&path, b"secret", Access::Owner).unwrap();
    assert_eq!(mode(&path), 0o600);
    folder.replace(&path, b"another", Access::Owner).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(fs::read(&path).unwrap(), b"another");
}

#[test]
fn a_new_file_never_takes_the_place_of_another() {
    let (_dir, folder) = folder();
    let path = folder.certificate("dev");
    folder.create_new(&path, b"first", Access::Public).unwrap();
    let error = folder.create_new(&path, b"second", Access::Public).unwrap_err();
    assert!(matches!(error, PkiError::Exists { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"first");
    // Not even through a link that points nowhere.
    let link = folder.certificate("link");
    std::os::unix::fs::symlink(folder.path().join("nowhere"), &link).unwrap();
    assert!(folder.create_new(&link, b"x", Access::Public).is_err());
}

#[test]
fn replacing_leaves_nothing_behind_and_clears_what_a_crash_left() {
    let (_dir, folder) = folder();
    let path = folder.ca_crl();
    fs::write(folder.path().join(".ca.crl.new"), b"half").unwrap();
    folder.replace(&path, b"whole", Access::Public).unwrap();
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["ca.crl"]);
    assert_eq!(fs::read(&path).unwrap(), b"whole");
}

#[test]
fn old_files_are_numbered() {
    let (_dir, folder) = folder();
    let path = folder.certificate("dev");
    for expected in ["dev.crt.old", "dev.crt.old.2", "dev.crt.old.3"] {
        folder.replace(&path, expected.as_bytes(), Access::Public).unwrap();
        let old = folder.set_aside(&path).unwrap();
        assert_eq!(old, folder.path().join(expected));
        assert_eq!(fs::read(&old).unwrap(), expected.as_bytes());
    }
}

#[test]
fn a_key_that_others_can_use_is_refused_with_the_remedy() {
    let (_dir, folder) = folder();
    let path = folder.key("a dev");
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    folder.create_new(&path, key.as_bytes(), Access::Owner).unwrap();
    assert!(read_key(&path, "").is_ok());
    for exposed in [0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(exposed)).unwrap();
        let error = read_key(&path, "").unwrap_err();
        assert!(matches!(error, PkiError::ExposedKey { mode, .. } if mode == exposed), "{error}");
        assert!(error.to_string().contains(&format!("chmod go-rwx '{}'", path.display())), "{error}");
        assert_eq!(KeyFile::at(&path), KeyFile::Exposed);
    }
}

#[test]
fn what_is_no_key_says_what_it_is() {
    let (_dir, folder) = folder();
    for (content, word) in [("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "encrypted"), ("hello", "no private key")] {
        let path = folder.key(word);
        folder.create_new(&path, content.as_bytes(), Access::Owner).unwrap();
        let error = read_key(&path, "").unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn pem_is_what_others_read() {
    let der = vec![7; 100];
    let text = pem("CERTIFICATE", &der);
    assert!(String::from_utf8_lossy(&text).lines().all(|line| line.len() <= 64));
    assert_eq!(CertificateDer::from_pem_slice(&text).unwrap().as_ref(), der);
}

#[test]
fn two_lists_in_one_file_are_refused() {
    let (_dir, folder) = folder();
    let one = pem("X509 CRL", &[0x30, 0x00]);
    fs::write(folder.ca_crl(), [one.clone(), one].concat()).unwrap();
    assert!(read_crl(&folder.ca_crl()).unwrap_err().to_string().contains("more than one"));
}

#[test]
fn what_is_missing_says_how_to_make_it() {
    let dir = tempfile::tempdir().unwrap();
    let error = Folder::open(&dir.path().join("none")).unwrap_err();
    assert!(matches!(error, PkiError::Missing { .. }) && error.to_string().contains("certmq ca init --dir"), "{error}");
    fs::write(dir.path().join("file"), b"").unwrap();
    assert!(matches!(Folder::open(&dir.path().join("file")).unwrap_err(), PkiError::Invalid { .. }));
}
