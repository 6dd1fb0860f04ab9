//! Which block vouches decides which device it is.

use super::fixture::{Site, block, handshake};
use crate::tls::ca::TestCa;
use crate::tls::files;
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
