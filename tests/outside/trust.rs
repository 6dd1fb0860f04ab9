//! Trust blocks and revocation lists on a running broker, on both listeners: lists that openssl made, folders, blocks
//! with rules of their own, and what the operator reads when something is wrong with them.

use crate::common::broker::Broker;
use crate::common::client::{Credentials, RawClient, refusal};
use crate::common::eventually;
use crate::common::fleet::{Fleet, enter_at, openssl};
use crate::common::wire::{self, Connect, Version};
use ca::{Crl, TestCa, TestCertificate};
use rustls::AlertDescription;
use std::fs;
use std::os::unix::fs::symlink;
use time::Duration;

#[path = "../common/ca.rs"]
pub(super) mod ca;

const BLOCKS: &str = "crl_required = \"listed\"\n\
    [[tls.trust]]\nname = \"default\"\nca = [\"certs/ca.crt\"]\ncrl = [\"lists\"]\n\
    [[tls.trust]]\nname = \"partner\"\nca = [\"partner.crt\"]\nsubjects = [\"O=acme\"]\nstale_crl = \"allow\"\n";

/// A fleet that trusts a second CA, `CN=partner,O=acme`, in a block of its own.
fn two_blocks() -> (Fleet, TestCa) {
    let fleet = Fleet::new();
    let partner = TestCa::root(&fleet.path("."), "partner");
    fs::create_dir(fleet.path("lists")).expect("a folder");
    fleet.write_settings(BLOCKS);
    gencrl(&fleet, "plain", &[]);
    (fleet, partner)
}

/// `openssl ca -gencrl` by the fleet's CA into `lists/ca.pem`; the certificates are named by their files.
fn gencrl(fleet: &Fleet, extensions: &str, revoked: &[&str]) {
    let folder = fleet.path("certs");
    let config = "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ncrlnumber=number\n\
                  [plain]\nauthorityKeyIdentifier=keyid\n[delta]\n2.5.29.27=critical,DER:020101\n";
    fs::write(folder.join("openssl.cnf"), config).expect("a file");
    fs::write(folder.join("number"), "1000\n").expect("a file");
    fs::write(folder.join("index.txt"), "").expect("a file");
    let ca = ["ca", "-config", "openssl.cnf", "-keyfile", "ca.key", "-cert", "ca.crt"];
    for name in revoked {
        openssl(&folder, ca.into_iter().chain(["-revoke", &format!("{name}.crt")]));
    }
    openssl(
        &folder,
        ca.into_iter().chain(["-gencrl", "-crldays", "30", "-crlexts", extensions, "-out", "../lists/ca.pem"]),
    );
}

/// A file of the folder, what spoils it, and what the error says.
type Spoilt<'a> = (&'a str, &'a dyn Fn(), &'a [&'a str]);

fn of(fleet: &Fleet, certificate: &TestCertificate) -> Credentials {
    fleet.presenting(certificate.certificate.clone(), certificate.private_key.clone())
}

fn listed(fleet: &Fleet, subject: &str, trust: &str) {
    fleet.run(["device", "add", subject, "--group", "devices", "--trust", trust]);
}

fn list(days: [i64; 2]) -> Crl {
    Crl { number: 1, this_update: Duration::days(days[0]), next_update: Duration::days(days[1]) }
}

#[track_caller]
fn refused(broker: &Broker, stranger: &Credentials, alert: AlertDescription, parts: &[&str]) {
    for endpoint in broker.endpoints() {
        assert_eq!(refusal(endpoint, stranger), alert, "{endpoint:?}");
    }
    broker.log.wait_for(parts);
}

#[track_caller]
fn served(broker: &Broker, device: &Credentials) {
    for endpoint in broker.endpoints() {
        enter_at(endpoint, device, Version::V5, "served").leave();
    }
}

#[test]
fn lists_of_openssl_in_a_folder_refuse_what_they_name_and_nothing_else() {
    let (fleet, partner) = two_blocks();
    let (good, stolen) = (fleet.device("device-001"), fleet.device("stolen"));
    let (theirs, lost) = (partner.device("device-002"), partner.device("lost"));
    listed(&fleet, "CN=device-002,O=acme", "partner");
    listed(&fleet, "CN=lost,O=acme", "partner");
    gencrl(&fleet, "plain", &["stolen"]);
    // The other CA's list in DER, by a link; beside them what is no list.
    let elsewhere = partner.crl_der("elsewhere.der", &list([-1, 30]), &[&lost.serial]);
    symlink(elsewhere, fleet.path("lists/partner")).expect("a link");
    fs::write(fleet.path("lists/README"), "both lists").expect("a file");
    let mut broker = fleet.serve();
    served(&broker, &good);
    served(&broker, &of(&fleet, &theirs));
    let revoked = AlertDescription::CertificateRevoked;
    refused(&broker, &stolen, revoked, &["subject=\"CN=stolen\"", "is revoked by", "remedy="]);
    refused(&broker, &of(&fleet, &lost), revoked, &["subject=\"CN=lost,O=acme\"", "is revoked by CN=partner,O=acme"]);
    broker.assert_unharmed();
}

#[test]
fn one_subject_under_two_blocks_is_two_devices() {
    let (fleet, partner) = two_blocks();
    fleet.run(["cert", "issue", "twin", "--subject", "CN=twin,O=acme"]);
    listed(&fleet, "CN=twin,O=acme", "default");
    let (ours, theirs) = (fleet.credentials("twin"), of(&fleet, &partner.device("twin")));
    let broker = fleet.serve();
    served(&broker, &ours);
    for endpoint in broker.endpoints() {
        let connect = Connect::clean("served");
        let (_client, answer) = RawClient::try_connect(endpoint, &theirs, Version::V5, &connect);
        assert_eq!(answer.code(), Version::V5.refused(), "the record is of the other block");
    }
    // With a record of its own it is let in, beside the other one: neither takes the client id of the other over.
    listed(&fleet, "CN=twin,O=acme", "partner");
    for endpoint in broker.endpoints() {
        let mut first = enter_at(endpoint, &ours, Version::V5, "same");
        enter_at(endpoint, &theirs, Version::V5, "same").leave();
        first.send(&wire::ping());
        assert!(first.answers_ping());
        first.leave();
    }
}

#[test]
fn a_block_refuses_subjects_that_it_does_not_name() {
    let (fleet, partner) = two_blocks();
    listed(&fleet, "CN=device-002,O=acme", "partner");
    let good = partner.device("device-002");
    let broker = fleet.serve();
    served(&broker, &of(&fleet, &good));
    for (stem, subject) in [("trick", "/O=x,O=acme/CN=device-002"), ("other", "/O=else/CN=device-002")] {
        let stranger = of(&fleet, &partner.with_subject(stem, subject));
        let parts = ["`subjects` of trust block \\\"partner\\\"", "remedy="];
        refused(&broker, &stranger, AlertDescription::UnknownCA, &parts);
    }
}

#[test]
fn a_stale_list_does_what_its_block_says_and_is_shown() {
    let (fleet, partner) = two_blocks();
    let ours = TestCa::root(&fleet.path("."), "ours");
    let blocks = format!("{BLOCKS}[[tls.trust]]\nname = \"ours\"\nca = [\"ours.crt\"]\n");
    fleet.write_settings(&blocks);
    for (ca, trust) in [(&partner, "partner"), (&ours, "ours")] {
        ca.crl(&format!("lists/{trust}.crl"), &list([-30, -1]), &[]);
        listed(&fleet, &format!("CN=of-{trust},O=acme"), trust);
    }
    let (lax, strict) = (of(&fleet, &partner.device("of-partner")), of(&fleet, &ours.device("of-ours")));
    let broker = fleet.serve();
    served(&broker, &lax);
    refused(&broker, &strict, AlertDescription::UnknownCA, &["the CRL of CN=ours,O=acme", "is stale since", "remedy="]);
    let status = eventually("the figures of the lists", || {
        let status = fleet.run(["status"]);
        status.lines().any(|line| line.starts_with("crl_lists_stale") && line.ends_with(" 2")).then_some(status)
    });
    assert!(status.lines().any(|line| line.starts_with("warning") && line.contains("ours.crl")), "{status}");
    assert!(status.contains("its devices are still let in"), "{status}");
    assert!(status.lines().any(|line| line.starts_with("crl_lists ") && line.ends_with(" 3")), "{status}");
}

#[test]
fn a_list_that_goes_stale_while_the_broker_runs_is_told_in_advance() {
    let (fleet, partner) = two_blocks();
    partner.crl("lists/partner.crl", &list([-29, 1]), &[]);
    let check = fleet.run(["check"]);
    assert!(check.contains("the CRL of CN=partner,O=acme") && check.contains("goes stale at"), "{check}");
    let broker = fleet.serve();
    broker.log.wait_for(&["the CRL of CN=partner,O=acme", "goes stale at"]);
    let status = fleet.run(["status"]);
    assert!(status.contains("goes stale at"), "{status}");
    // One that is fresh is not spoken of.
    assert!(!status.contains("lists/ca.pem"), "{status}");
}

#[test]
fn a_list_that_cannot_be_used_stops_the_start_with_its_place_and_the_remedy() {
    let (fleet, partner) = two_blocks();
    let stranger = partner.namesake("stranger");
    let good = fs::read_to_string(fleet.path("lists/ca.pem")).expect("the list");
    let other = || partner.crl("other.pem", &list([-1, 30]), &[]);
    let cases: [Spoilt<'_>; 5] = [
        ("cut.crl", &|| write(&fleet, "cut.crl", &good[..good.len() / 2]), &["has no end"]),
        (
            "forged.crl",
            &|| drop(stranger.crl("lists/forged.crl", &list([-1, 30]), &[])),
            &["CN=partner,O=acme", "fetch it again"],
        ),
        ("ca.pem", &|| gencrl(&fleet, "delta", &[]), &["a delta CRL", "give the complete CRL"]),
        ("bundle.crl", &|| write(&fleet, "bundle.crl", &bundle(&good, &other())), &["block 2 at line", "damaged"]),
        ("gone.crl", &|| symlink("nowhere", fleet.path("lists/gone.crl")).expect("a link"), &["cannot be read"]),
    ];
    for (file, spoil, words) in cases {
        spoil();
        for command in ["serve", "check"] {
            let output = fleet.output([command]);
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(78), "{command}, {file}: {text}");
            for word in words.iter().chain([&file]) {
                assert!(text.contains(word), "{command}, {file}: {text} does not say {word:?}");
            }
        }
        fs::remove_file(fleet.path("lists").join(file)).expect("the file");
        gencrl(&fleet, "plain", &[]);
    }
    fs::remove_file(fleet.path("lists/ca.pem")).expect("the list");
    let output = fleet.output(["serve"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(78) && text.contains("lists holds no CRL"), "{text}");
}

fn write(fleet: &Fleet, name: &str, text: &str) {
    fs::write(fleet.path("lists").join(name), text).expect("a file");
}

/// A good list and one whose base64 is none.
fn bundle(good: &str, other: &std::path::Path) -> String {
    let other = fs::read_to_string(other).expect("the list");
    format!("{good}{}", other.replacen("MII", "M!I", 1).replacen("MIH", "M!H", 1))
}
