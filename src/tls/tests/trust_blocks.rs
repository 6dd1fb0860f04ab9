//! Which block vouches decides which device it is.

use super::fixture::{Site, block, handshake};
use crate::config::SubjectSuffix;
use crate::tls::ca::{Leaf, TestCa};
use crate::tls::files;
use rcgen::{GeneralSubtree, NameConstraints, SanType};
use rustls::AlertDescription as Alert;
use std::fs;

#[test]
fn the_block_is_part_of_the_key() {
    let mut site = Site::new();
    let other = TestCa::root(site.folder.path(), "other");
    site.settings.trust = vec![block("factory", &[&site.ca]), block("partner", &[&other])];
    let tls = site.load();
    let ours = handshake(&tls, site.client(&site.ca.device("device-001"))).accepted();
    let theirs = handshake(&tls, site.client(&other.device("device-001"))).accepted();
    assert_eq!((&*ours.key.trust, &*theirs.key.trust), ("factory", "partner"));
    assert_eq!(ours.key.name, theirs.key.name);
    assert_ne!(ours.chain.anchor, theirs.chain.anchor);
}

#[test]
fn rolling_a_ca_over_within_a_block_keeps_the_key() {
    let mut site = Site::new();
    let successor = site.ca.namesake("successor");
    site.settings.trust = vec![block("fleet", &[&site.ca, &successor])];
    let tls = site.load();
    let before = handshake(&tls, site.client(&site.ca.device("device-001"))).accepted();
    let after = handshake(&tls, site.client(&successor.device("device-001"))).accepted();
    assert_eq!(before.key, after.key);
    assert_ne!(before.chain.anchor, after.chain.anchor);
}

#[test]
fn cas_of_one_name_in_two_blocks_are_told_apart_by_their_keys() {
    let mut site = Site::new();
    let namesake = site.ca.namesake("namesake");
    let foreign = site.ca.namesake("foreign");
    for order in [["a", "b"], ["b", "a"]] {
        let mut blocks = vec![block("a", &[&site.ca]), block("b", &[&namesake])];
        blocks.sort_by_key(|block| order.iter().position(|name| *name == block.name));
        site.settings.trust = blocks;
        let tls = site.load();
        let a = handshake(&tls, site.client(&site.ca.device("device-001"))).accepted();
        let b = handshake(&tls, site.client(&namesake.device("device-001"))).accepted();
        assert_eq!((&*a.key.trust, &*b.key.trust), ("a", "b"));
        handshake(&tls, site.client(&foreign.device("device-001"))).refused(Alert::UnknownCA, "same name");
    }
}

#[test]
fn the_nearest_ca_decides_whatever_else_the_device_sends() {
    let mut site = Site::new();
    let partner = site.ca.intermediate("partner");
    let device = partner.device("device-001");
    assert_eq!(device.chain.len(), 2);
    for order in [["root", "partner"], ["partner", "root"]] {
        let mut blocks = vec![block("root", &[&site.ca]), block("partner", &[&partner])];
        blocks.sort_by_key(|block| order.iter().position(|name| *name == block.name));
        site.settings.trust = blocks;
        let tls = site.load();
        for chain in [device.chain.clone(), vec![device.leaf().clone()]] {
            let client = handshake(&tls, site.client_with(chain, device.key())).accepted();
            assert_eq!(&*client.key.trust, "partner");
        }
    }
}

#[test]
fn every_certificate_of_every_file_counts() {
    let mut site = Site::new();
    let (second, third) = (TestCa::root(site.folder.path(), "second"), TestCa::root(site.folder.path(), "third"));
    let bundle = site.path("bundle.pem");
    let text = |ca: &TestCa| fs::read_to_string(&ca.certificate).unwrap();
    fs::write(&bundle, format!("first\n{}\nthen\r\n{}{}", text(&site.ca), text(&second), text(&third))).unwrap();
    site.settings.trust[0].ca = vec![bundle];
    let tls = site.load();
    for ca in [&site.ca, &second, &third] {
        handshake(&tls, site.client(&ca.device("device-001"))).accepted();
    }

    let folder = site.path("cas");
    fs::create_dir(&folder).unwrap();
    for ca in [&second, &third] {
        fs::copy(&ca.certificate, folder.join(ca.certificate.file_name().unwrap())).unwrap();
    }
    fs::write(folder.join("README"), "two CAs").unwrap();
    fs::write(folder.join(".hidden.crt"), "not looked at").unwrap();
    site.settings.trust[0].ca = vec![folder];
    let tls = site.load();
    handshake(&tls, site.client(&second.device("device-001"))).accepted();
    handshake(&tls, site.client(&third.device("device-001"))).accepted();
    handshake(&tls, site.client(&site.ca.device("device-001"))).refused(Alert::UnknownCA, "no trusted CA");
    assert_eq!(files::read(&site.settings.trust[0].ca[0], files::Wanted::Certificates).unwrap().len(), 2);
}

fn suffixes(texts: &[&str]) -> Vec<SubjectSuffix> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn a_block_vouches_for_the_subjects_it_names_and_no_others() {
    let mut site = Site::new();
    let other = TestCa::root(site.folder.path(), "other");
    site.settings.trust = vec![block("ours", &[&site.ca]), block("partner", &[&other])];
    site.settings.trust[1].subjects = suffixes(&["OU=sensors,O=acme", "O=partner"]);
    let tls = site.load();
    for (stem, subject) in [
        ("a", "/O=acme/OU=sensors/CN=a"),
        ("b", "/C=CH/O=partner/CN=b"),
        ("c", "/O=partner"),
        ("d", "/O=partner/OU=x/OU=y/CN=d"),
    ] {
        let device = other.with_subject(stem, subject);
        let outcome = handshake(&tls, site.client(&device));
        // With a country in front, O=partner is not the end of the name.
        if subject.starts_with("/C=") {
            outcome.refused(Alert::UnknownCA, "`subjects` of trust block \"partner\"");
        } else {
            assert_eq!(&*outcome.accepted().key.trust, "partner");
        }
    }
    let refusal = handshake(&tls, site.client(&other.device("e"))).refused(Alert::UnknownCA, "whose CA issued it");
    assert!(refusal.remedy.contains("`subjects`"), "{refusal:?}");
    handshake(&tls, site.client(&site.ca.device("e"))).accepted();
}

/// What would pass if names were compared as text.
#[test]
fn subjects_are_compared_name_by_name_and_never_as_text() {
    let mut site = Site::new();
    site.settings.trust[0].subjects = suffixes(&["O=acme"]);
    let tls = site.load();
    handshake(&tls, site.client(&site.ca.device("good"))).accepted();
    for (stem, subject) in [
        ("comma-in-o", "/O=x,O=acme/CN=a"),
        ("comma-in-cn", "/CN=a,O=acme"),
        ("spaces", "/O=x, O=acme/CN=a"),
        ("longer", "/O=acme2/CN=a"),
        ("prefix", "/O=not-acme/CN=a"),
        ("case", "/O=ACME/CN=a"),
        ("space", "/O=acme /CN=a"),
        ("reversed", "/CN=a/O=acme"),
        ("multi-valued", "/O=acme+OU=x/CN=a"),
        ("other-type", "/OU=acme/CN=a"),
        ("none", "/CN=acme"),
        ("above", "/O=else/O=acme/CN=a"),
    ] {
        let device = site.ca.with_subject(stem, subject);
        let outcome = handshake(&tls, site.client(&device));
        outcome.refused(Alert::UnknownCA, "ends with none of the `subjects`");
    }
    // The other way round: a suffix with a comma in its value is one relative name.
    site.settings.trust[0].subjects = suffixes(&["O=x\\, CN=admin"]);
    let tls = site.load();
    let outcome = handshake(&tls, site.client(&site.ca.with_subject("two-names", "/CN=admin/O=x")));
    outcome.refused(Alert::UnknownCA, "ends with none");
    let odd = handshake(&tls, site.client(&site.ca.with_subject("odd", "/O=x, CN=admin/CN=a")));
    assert_eq!(odd.key_name(), "CN=a,O=x\\, CN=admin");
}

#[test]
fn an_intermediate_is_judged_by_the_block_of_its_root() {
    let mut site = Site::new();
    let other = TestCa::root(site.folder.path(), "other");
    let (ours, theirs) = (site.ca.intermediate("ours"), other.intermediate("theirs"));
    site.settings.trust = vec![block("a", &[&site.ca]), block("b", &[&other])];
    site.settings.trust[1].subjects = suffixes(&["O=else"]);
    let tls = site.load();
    let a = handshake(&tls, site.client(&ours.device("device-001"))).accepted();
    assert_eq!(&*a.key.trust, "a");
    handshake(&tls, site.client(&theirs.device("device-002"))).refused(Alert::UnknownCA, "trust block \"b\"");
    // Certificates of the other block's CA in the chain help nobody.
    let device = theirs.device("device-003");
    let chain = [device.leaf(), theirs.der(), other.der(), site.ca.der()].map(Clone::clone).to_vec();
    handshake(&tls, site.client_with(chain, device.key())).refused(Alert::UnknownCA, "trust block \"b\"");
    // A part of a chain proves nothing.
    let alone = vec![ours.device("device-004").leaf().clone()];
    let key = ours.device("device-004").key();
    handshake(&tls, site.client_with(alone, key)).refused(Alert::UnknownCA, "no chain to one was sent");
}

/// webpki honours name constraints; a block's `subjects` do not rely on them.
#[test]
fn name_constraints_of_a_ca_are_honoured() {
    let site = Site::new();
    let constrained = site.ca.intermediate_with("constrained", |params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("acme.example".to_owned())],
            excluded_subtrees: vec![GeneralSubtree::DnsName("not.acme.example".to_owned())],
        });
    });
    let tls = site.load();
    let device = |name: &str, dns: &str| {
        let mut leaf = Leaf::device(name);
        leaf.alternative_names = vec![SanType::DnsName(dns.try_into().unwrap())];
        constrained.issue(name, &leaf)
    };
    handshake(&tls, site.client(&device("inside", "dev.acme.example"))).accepted();
    for (name, dns) in
        [("outside", "dev.else.example"), ("excluded", "dev.not.acme.example"), ("like", "xacme.example")]
    {
        handshake(&tls, site.client(&device(name, dns))).refused(Alert::UnknownCA, "nameConstraints");
    }
}
