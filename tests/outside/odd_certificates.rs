//! Certificates that certmq's own CA does not make.

use crate::common::client::Credentials;
use crate::common::fleet::{Fleet, openssl};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use std::fs;

/// By the fleet's CA, but over since 2021.
pub(crate) fn expired(fleet: &Fleet, name: &str) -> Credentials {
    let key = KeyPair::from_pem(&read(fleet, "ca.key")).expect("the key of the CA");
    let issuer = Issuer::from_ca_cert_pem(&read(fleet, "ca.crt"), key).expect("the certificate of the CA");
    let mut leaf = leaf(name);
    leaf.not_before = date_time_ymd(2020, 1, 1);
    leaf.not_after = date_time_ymd(2021, 1, 1);
    store(fleet, &format!("expired-{name}"), leaf, &issuer)
}

/// By the fleet's CA, until `end` (Unix seconds).
pub(crate) fn brief(fleet: &Fleet, name: &str, end: i64) -> Credentials {
    let key = KeyPair::from_pem(&read(fleet, "ca.key")).expect("the key of the CA");
    let issuer = Issuer::from_ca_cert_pem(&read(fleet, "ca.crt"), key).expect("the certificate of the CA");
    store(fleet, &format!("brief-{name}"), until(leaf(name), end), &issuer)
}

/// Good for a long time, but by a CA between it and the fleet's that ends at `end` (Unix seconds).
pub(crate) fn below_brief_ca(fleet: &Fleet, name: &str, end: i64) -> Credentials {
    let key = KeyPair::from_pem(&read(fleet, "ca.key")).expect("the key of the CA");
    let root = Issuer::from_ca_cert_pem(&read(fleet, "ca.crt"), key).expect("the certificate of the CA");
    let mut between = CertificateParams::default();
    between.distinguished_name.push(DnType::CommonName, "A CA of a few seconds");
    between.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    between.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let between = until(between, end);
    let key = KeyPair::generate().expect("a key");
    let certificate = between.signed_by(&key, &root).expect("a certificate").pem();
    let stem = format!("below-brief-{name}");
    let credentials = store(fleet, &stem, leaf(name), &Issuer::new(between, key));
    let chain = fleet.certificate(&format!("{stem}.crt"));
    let own = fs::read_to_string(&chain).expect("the leaf");
    fs::write(&chain, own + &certificate).expect("a writable folder");
    credentials
}

fn until(mut params: CertificateParams, end: i64) -> CertificateParams {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = time::OffsetDateTime::from_unix_timestamp(end).expect("a date");
    params
}

/// By somebody else's CA.
pub(crate) fn foreign(fleet: &Fleet, name: &str) -> Credentials {
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "Somebody else's CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let issuer = Issuer::new(ca, KeyPair::generate().expect("a key"));
    store(fleet, &format!("foreign-{name}"), leaf(name), &issuer)
}

/// By somebody else's CA that bears the name of the fleet's.
pub(crate) fn same_name(fleet: &Fleet, name: &str) -> Credentials {
    let other_key = KeyPair::generate().expect("a key");
    let issuer = Issuer::from_ca_cert_pem(&read(fleet, "ca.crt"), other_key).expect("the certificate of the CA");
    store(fleet, &format!("same-name-{name}"), leaf(name), &issuer)
}

/// By the fleet's CA in X.509 version 1: what `openssl x509 -req` makes when nobody passes `-extfile`.
pub(crate) fn version_1(fleet: &Fleet, name: &str) -> Credentials {
    let folder = fleet.path("certs");
    let subject = format!("/CN={name}");
    openssl(
        &folder,
        ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            .into_iter()
            .chain(["-subj", &subject, "-keyout", "v1.key", "-out", "v1.csr"]),
    );
    openssl(
        &folder,
        ["x509", "-req", "-in", "v1.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"]
            .into_iter()
            .chain(["-days", "30", "-out", "v1.crt"]),
    );
    fleet.presenting(folder.join("v1.crt"), folder.join("v1.key"))
}

fn leaf(name: &str) -> CertificateParams {
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name = rcgen::DistinguishedName::new();
    leaf.distinguished_name.push(DnType::CommonName, name);
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    leaf.use_authority_key_identifier_extension = true;
    leaf
}

fn store(fleet: &Fleet, file: &str, leaf: CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Credentials {
    let key = KeyPair::generate().expect("a key");
    let certificate = leaf.signed_by(&key, issuer).expect("a certificate");
    let (chain, key_file) = (fleet.certificate(&format!("{file}.crt")), fleet.certificate(&format!("{file}.key")));
    fs::write(&chain, certificate.pem()).expect("a writable folder");
    fs::write(&key_file, key.serialize_pem()).expect("a writable folder");
    fleet.presenting(chain, key_file)
}

fn read(fleet: &Fleet, name: &str) -> String {
    fs::read_to_string(fleet.certificate(name)).expect("a file of the CA")
}
