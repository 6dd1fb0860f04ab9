//! `certmq ca` and `certmq cert` against a second opinion: everything they write is judged by the `openssl` program,
//! and everything that `openssl` writes is read by them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A folder to run commands in.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// With the CA of `certmq ca init` in `device-certs`.
    fn with_ca() -> Self {
        let place = Self::new();
        place.certmq("ca init");
        place
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        Command::new(program).args(arguments).current_dir(self.dir.path()).output().unwrap()
    }

    /// Runs certmq; what it prints when it succeeds.
    fn certmq(&self, line: &str) -> String {
        succeeded(line, &self.run(env!("CARGO_BIN_EXE_certmq"), &words(line)))
    }

    /// Runs certmq, which must exit with `code`; what it says.
    fn certmq_exits(&self, code: i32, line: &str) -> String {
        let output = self.run(env!("CARGO_BIN_EXE_certmq"), &words(line));
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "certmq {line}: {message}");
        message
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.certmq(&format!("{line} --output json"))).unwrap()
    }

    fn openssl(&self, line: &str) -> String {
        succeeded(line, &self.run("openssl", &words(line)))
    }

    /// What `openssl verify` says with CRL checking, and whether it agrees.
    fn verify(&self, purpose: &str, certificate: &str) -> (bool, String) {
        let line = format!(
            "verify -purpose {purpose} -crl_check -CAfile device-certs/ca.crt \
             -CRLfile device-certs/ca.crl {certificate}"
        );
        let output = self.run("openssl", &words(&line));
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }
}

/// Splits at spaces; quotes keep words together.
fn words(line: &str) -> Vec<&str> {
    line.split('\'')
        .enumerate()
        .flat_map(|(index, part)| if index % 2 == 1 { vec![part] } else { part.split_whitespace().collect() })
        .collect()
}

fn succeeded(line: &str, output: &Output) -> String {
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn openssl_accepts_what_is_issued_until_it_is_revoked() {
    let place = Place::with_ca();
    place.certmq("cert issue dev-1");
    place.certmq("cert issue dev-2 --key rsa --subject CN=dev-2,OU=a,OU=b,DC=acme,DC=com");
    place.certmq("cert issue server --server --san broker.example --san 192.0.2.1");
    for (purpose, name) in
        [("sslclient -x509_strict", "dev-1"), ("sslclient -x509_strict", "dev-2"), ("sslserver -x509_strict", "server")]
    {
        let (good, text) = place.verify(purpose, &format!("device-certs/{name}.crt"));
        assert!(good, "{name}: {text}");
    }
    assert!(!place.verify("sslserver", "device-certs/dev-1.crt").0);
    place.certmq("cert revoke device-certs/dev-1.crt --reason key-compromise");
    let (good, text) = place.verify("sslclient", "device-certs/dev-1.crt");
    assert!(!good && text.contains("certificate revoked"), "{text}");
    assert!(place.verify("sslclient", "device-certs/dev-2.crt").0);
    let list = place.openssl("crl -in device-certs/ca.crl -noout -text");
    assert!(list.contains("Key Compromise") && list.contains("X509v3 CRL Number"), "{list}");
}

#[test]
fn certificates_say_what_the_standards_want() {
    let place = Place::with_ca();
    place.certmq("cert issue server --server");
    place.certmq("cert issue dev --subject 'CN=dev,O=acme'");
    let ca = place.openssl("x509 -in device-certs/ca.crt -noout -text");
    for wanted in ["CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "Subject Key Identifier", "P-256"] {
        assert!(ca.contains(wanted), "{wanted}: {ca}");
    }
    let server = place.openssl("x509 -in device-certs/server.crt -noout -text");
    for wanted in ["TLS Web Server Authentication", "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1"] {
        assert!(server.contains(wanted), "{wanted}: {server}");
    }
    let dev = place.openssl("x509 -in device-certs/dev.crt -noout -text -nameopt RFC2253");
    for wanted in [
        "Version: 3",
        "Subject: CN=dev,O=acme",
        "TLS Web Client Authentication",
        "Digital Signature",
        "CA:FALSE",
        "Authority Key Identifier",
        "Subject Key Identifier",
    ] {
        assert!(dev.contains(wanted), "{wanted}: {dev}");
    }
    assert!(!dev.contains("Alternative Name"), "{dev}");
}

#[test]
fn private_keys_are_for_their_owner_and_belong_to_their_certificates() {
    let place = Place::with_ca();
    place.certmq("cert issue dev");
    place.certmq("cert issue old-dev --key rsa3072");
    for name in ["ca", "dev", "old-dev"] {
        assert_eq!(mode(&place.path(&format!("device-certs/{name}.key"))), 0o600, "{name}");
        let of_key = place.openssl(&format!("pkey -in device-certs/{name}.key -pubout"));
        assert_eq!(of_key, place.openssl(&format!("x509 -in device-certs/{name}.crt -noout -pubkey")));
    }
    fs::set_permissions(place.path("device-certs/ca.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let message = place.certmq_exits(77, "cert issue another");
    assert!(message.contains("chmod go-rwx device-certs/ca.key"), "{message}");
}

#[test]
fn nothing_is_overwritten() {
    let place = Place::with_ca();
    place.certmq("cert issue dev");
    let message = place.certmq_exits(73, "ca init");
    assert!(message.contains("device-certs/ca.crt exists"), "{message}");
    let message = place.certmq_exits(73, "cert issue dev");
    assert!(message.contains("dev.crt exists") && message.contains("certmq cert renew dev"), "{message}");
}

#[test]
fn a_device_keeps_its_key_and_gets_its_certificate() {
    let place = Place::with_ca();
    place.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out dev-7.key");
    place.openssl(
        "req -new -key dev-7.key -subj /O=acme/OU=a/OU=b/CN=dev-7 -out dev-7.csr \
         -addext subjectAltName=URI:spiffe://acme/dev-7 -addext basicConstraints=critical,CA:TRUE \
         -addext keyUsage=keyCertSign -addext 1.2.3.4=DER:0500",
    );
    let printed = place.json("cert sign dev-7.csr");
    assert_eq!(printed["subject"], "CN=dev-7,OU=b,OU=a,O=acme");
    assert_eq!(printed["san_uri"][0], "spiffe://acme/dev-7");
    assert_eq!(printed["key"], Value::Null);
    let (good, text) = place.verify("sslclient", "device-certs/dev-7.crt");
    assert!(good, "{text}");
    let text = place.openssl("x509 -in device-certs/dev-7.crt -noout -text");
    assert!(text.contains("CA:FALSE") && !text.contains("Certificate Sign") && !text.contains("1.2.3.4"), "{text}");
    for key in ["-newkey rsa:2048", "-newkey ed25519", "-newkey ec -pkeyopt ec_paramgen_curve:P-384"] {
        place.openssl(&format!("req -new {key} -nodes -keyout other.key -subj /CN=other -out other.csr -outform DER"));
        place.certmq("cert sign other.csr --out other.crt");
        assert!(place.verify("sslclient", "other.crt").0, "{key}");
        fs::remove_file(place.path("other.crt")).unwrap();
    }
    place.openssl("req -new -newkey rsa:1024 -nodes -keyout weak.key -subj /CN=weak -out weak.csr");
    assert!(place.certmq_exits(65, "cert sign weak.csr").contains("too weak"));
}

#[test]
fn a_ca_made_with_openssl_is_taken_over_without_losing_a_revocation() {
    let place = Place::new();
    fs::create_dir(place.path("device-certs")).unwrap();
    for (kind, digest) in [("rsa:2048", "sha256"), ("ec -pkeyopt ec_paramgen_curve:P-384", "sha384")] {
        place.openssl(&format!(
            "req -x509 -newkey {kind} -{digest} -nodes -keyout device-certs/ca.key -out device-certs/ca.crt -days 99 \
             -subj /DC=com/DC=acme/O=acme/CN=root"
        ));
        let config = "[ca]\ndefault_ca=it\n[it]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha384\n\
                      default_crl_days=7\ncrl_extensions=ext\n[ext]\nauthorityKeyIdentifier=keyid\n";
        fs::write(place.path("ca.cnf"), config).unwrap();
        // Two certificates that only the CRL remembers.
        let index = "R\t300101000000Z\t260101000000Z,keyCompromise\t0A\tunknown\t/CN=one\n\
                     R\t300101000000Z\t260102000000Z\tFF0B\tunknown\t/CN=two\n";
        fs::write(place.path("index.txt"), index).unwrap();
        fs::write(place.path("number"), "0FFF\n").unwrap();
        place.openssl(
            "ca -config ca.cnf -keyfile device-certs/ca.key -cert device-certs/ca.crt -gencrl -out device-certs/ca.crl",
        );
        place.certmq("cert issue dev");
        let (good, text) = place.verify("sslclient", "device-certs/dev.crt");
        assert!(good, "{text}");
        place.certmq("cert revoke dev");
        let (good, text) = place.verify("sslclient", "device-certs/dev.crt");
        assert!(!good && text.contains("certificate revoked"), "{text}");
        let list = place.openssl("crl -in device-certs/ca.crl -noout -text");
        for kept in ["Serial Number: 0A", "Serial Number: FF0B", "Key Compromise", "Jan  2 00:00:00 2026 GMT"] {
            assert!(list.contains(kept), "{kept}: {list}");
        }
        assert!(list.contains("4096") || list.contains("0x1000"), "the number goes on from 0x0FFF: {list}");
        assert_eq!(place.json("ca show")["crl"]["revoked"], 3);
        fs::remove_dir_all(place.path("device-certs")).unwrap();
        fs::create_dir(place.path("device-certs")).unwrap();
    }
}

#[test]
fn identity_tells_who_a_certificate_would_be_and_why_not() {
    let place = Place::with_ca();
    place.certmq("cert issue dev --subject CN=dev,OU=sensors,O=acme --san spiffe://acme/dev");
    let printed = place.json("cert identity device-certs/dev.crt");
    assert_eq!(printed["version"], 1);
    assert_eq!(printed["device"]["dn"]["name"], "CN=dev,OU=sensors,O=acme");
    assert_eq!(printed["device"]["cn"]["name"], "dev");
    assert_eq!(printed["device"]["san_uri"]["name"], "spiffe://acme/dev");
    assert!(printed["device"]["san_dns"]["refused"].is_string());
    assert_eq!(printed["ou"][0], "sensors");
    let fingerprint = place.openssl("x509 -in device-certs/dev.crt -noout -fingerprint -sha256");
    let fingerprint = fingerprint.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase();
    assert_eq!(printed["sha256"], fingerprint.as_str());

    // A recipe that many pages give makes X.509 version 1, or no purpose at all.
    place.openssl("req -new -key device-certs/dev.key -subj /CN=dev -out dev.csr");
    place.openssl(
        "x509 -req -in dev.csr -CA device-certs/ca.crt -CAkey device-certs/ca.key -CAcreateserial -out v1.crt",
    );
    if place.openssl("x509 -in v1.crt -noout -text").contains("Version: 1") {
        assert!(place.certmq_exits(65, "cert identity v1.crt").contains("-extfile"));
    }
    fs::write(place.path("server.ext"), "extendedKeyUsage=serverAuth\n").unwrap();
    place.openssl(
        "x509 -req -in dev.csr -CA device-certs/ca.crt -CAkey device-certs/ca.key -CAcreateserial -extfile server.ext \
         -out wrong.crt",
    );
    place.certmq_exits(1, "cert identity wrong.crt");
    place.certmq("cert revoke dev");
    place.certmq_exits(1, "cert identity device-certs/dev.crt");
    place.certmq_exits(66, "cert identity nothing.crt");
}

#[test]
fn the_list_and_the_authority_are_shown_for_people_and_scripts() {
    let place = Place::with_ca();
    place.certmq("cert issue dev-1");
    place.certmq("cert issue dev-2");
    place.certmq("cert revoke dev-2");
    let listed = place.json("cert list");
    let states: Vec<_> =
        listed["certificates"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["valid", "revoked"]);
    let table = place.certmq("cert list");
    assert!(table.lines().any(|line| line.starts_with("dev-2") && line.contains("revoked")), "{table}");
    let shown = place.json("ca show");
    assert_eq!((&shown["issued"], &shown["key"]), (&Value::from(2), &Value::from("present")));
    assert!(place.certmq("ca show").contains("CN=certmq development CA"));
    let message = place.certmq_exits(66, "cert list --dir nowhere");
    assert!(message.contains("certmq ca init --dir nowhere"), "{message}");
    for help in ["ca init --help", "cert issue --help", "cert revoke --help"] {
        let text = place.certmq(help);
        assert!(text.contains("EXAMPLES") && text.contains("EXIT CODES"), "{text}");
    }
}

#[test]
fn renewed_certificates_are_good_and_the_old_ones_are_kept() {
    let place = Place::with_ca();
    place.certmq("cert issue dev");
    let printed = place.json("cert renew dev");
    assert_eq!(printed["set_aside"].as_array().unwrap().len(), 2);
    for certificate in ["device-certs/dev.crt", "device-certs/dev.crt.old"] {
        assert!(place.verify("sslclient", certificate).0, "{certificate}");
    }
    let of_key = place.openssl("pkey -in device-certs/dev.key -pubout");
    assert_eq!(of_key, place.openssl("x509 -in device-certs/dev.crt -noout -pubkey"));
    place.certmq("cert renew device-certs/dev.crt --keep-key --days 3");
    assert_eq!(of_key, place.openssl("x509 -in device-certs/dev.crt -noout -pubkey"));
    place.certmq("cert revoke device-certs/dev.crt.old");
    assert!(!place.verify("sslclient", "device-certs/dev.crt.old").0);
    assert!(place.verify("sslclient", "device-certs/dev.crt").0);
}
