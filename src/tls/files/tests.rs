use super::*;
use crate::tls::ca::{Crl, TestCa, pem_block};

#[test]
fn each_kind_takes_its_own_out_of_a_mixed_folder() {
    let folder = tempfile::tempdir().unwrap();
    let made = tempfile::tempdir().unwrap();
    let ca = TestCa::root(made.path(), "ca");
    let file = |name: &str| folder.path().join(name);
    fs::write(file("ca.pem"), pem_block("CERTIFICATE", ca.der())).unwrap();
    fs::write(file("ca.der"), ca.der()).unwrap();
    fs::copy(ca.crl("list.crl", &Crl::default(), &[]), file("list.crl")).unwrap();
    fs::copy(ca.crl_der("list.der", &Crl::default(), &[]), file("list.der")).unwrap();
    fs::copy(made.path().join("ca.key"), file("ca.key")).unwrap();
    fs::write(file("notes.txt"), "0 is no DER").unwrap();
    fs::create_dir(file("deeper")).unwrap();
    fs::write(file("deeper/ca.pem"), "not looked at").unwrap();
    assert_eq!(read(folder.path(), Wanted::Certificates).unwrap().len(), 2);
    assert_eq!(read(folder.path(), Wanted::Crls).unwrap().len(), 2);
}

#[test]
fn places_name_file_block_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let ca = TestCa::root(folder.path(), "ca");
    let block = pem_block("CERTIFICATE", ca.der());
    let bundle = folder.path().join("bundle.pem");
    fs::write(&bundle, format!("# ours\n{block}\n\n{}", block.replace('\n', "\r\n"))).unwrap();
    let items = read(&bundle, Wanted::Certificates).unwrap();
    assert!(items.iter().all(|item| item.der == ca.der().as_ref()));
    let line = 1 + block.lines().count() + 3;
    assert!(items[0].place.ends_with("bundle.pem, block 1 at line 2"), "{}", items[0].place);
    assert!(items[1].place.ends_with(&format!("bundle.pem, block 2 at line {line}")), "{}", items[1].place);
}

#[test]
fn keys_are_read_in_the_usual_forms() {
    let folder = tempfile::tempdir().unwrap();
    TestCa::root(folder.path(), "ca");
    let key = folder.path().join("ca.key");
    assert!(matches!(read_private_key(&key).unwrap(), PrivateKeyDer::Pkcs8(_)));
    let traditional = folder.path().join("sec1.key");
    let output = std::process::Command::new("openssl")
        .args(["pkey", "-traditional", "-in"])
        .arg(&key)
        .arg("-out")
        .arg(&traditional)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::set_permissions(&traditional, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert!(matches!(read_private_key(&traditional).unwrap(), PrivateKeyDer::Sec1(_)));
}
