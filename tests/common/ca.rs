//! A certificate authority for tests: good certificates, and every kind of bad one.
//!
//! Everything is made anew in a folder of the test's own, with private keys of mode 0600; nothing is ever committed.
//! rcgen makes what it can; the `openssl` program makes what rcgen refuses to (X.509 version 1, several CNs,
//! multi-valued relative names).
#![allow(dead_code, reason = "each test crate compiles this file for itself and uses its own part of it")]
#![allow(unreachable_pub, reason = "a module of test crates, which export nothing")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName, DnType,
    DnValue, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    RevocationReason, RevokedCertParams, SanType, SerialNumber, SignatureAlgorithm,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use time::{Duration, OffsetDateTime};

/// The organisation of every name made here.
pub const ORGANISATION: &str = "acme";

/// Serial numbers of one test process; never twice the same.
static SERIAL: AtomicU64 = AtomicU64::new(0x1000_0001);

/// A CA with its certificate `STEM.crt` and its key `STEM.key` in a folder.
#[derive(Debug)]
pub struct TestCa {
    /// Its certificate, PEM.
    pub certificate: PathBuf,
    folder: PathBuf,
    stem: String,
    subject: DistinguishedName,
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Itself and the CAs above it, without the root.
    intermediates: Vec<CertificateDer<'static>>,
    crl_number: AtomicU64,
}

/// A certificate with its key, in memory and as files.
#[derive(Debug)]
pub struct TestCertificate {
    /// PEM: the certificate and its intermediate CAs.
    pub certificate: PathBuf,
    /// PEM, mode 0600.
    pub private_key: PathBuf,
    /// The certificate, then its intermediate CAs.
    pub chain: Vec<CertificateDer<'static>>,
    /// PKCS#8.
    pub key_der: Vec<u8>,
    /// As in the certificate.
    pub serial: Vec<u8>,
}

/// What a certificate says; change what the test is about.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Its subject.
    pub subject: DistinguishedName,
    /// Its subject alternative names.
    pub alternative_names: Vec<SanType>,
    /// Its extended key usage; empty: none.
    pub purposes: Vec<ExtendedKeyUsagePurpose>,
    /// Its basic constraints.
    pub is_ca: IsCa,
    /// First day, relative to now.
    pub not_before: Duration,
    /// Last day, relative to now.
    pub not_after: Duration,
    /// What kind of key.
    pub algorithm: &'static SignatureAlgorithm,
}

/// A revocation list; change what the test is about.
#[derive(Clone, Debug)]
pub struct Crl {
    /// Its CRL number.
    pub number: u64,
    /// Relative to now.
    pub this_update: Duration,
    /// Relative to now.
    pub next_update: Duration,
}

impl TestCa {
    /// A root with the subject `CN=<stem>,O=acme`.
    pub fn root(folder: &Path, stem: &str) -> Self {
        Self::root_with_key(folder, stem, &PKCS_ECDSA_P256_SHA256)
    }

    /// The same with another kind of key.
    pub fn root_with_key(folder: &Path, stem: &str, algorithm: &'static SignatureAlgorithm) -> Self {
        let subject = subject(stem);
        let (params, key) = (ca_params(&subject), KeyPair::generate_for(algorithm).unwrap());
        Self::save(folder, stem, subject, CertifiedIssuer::self_signed(params, key).unwrap(), Vec::new())
    }

    /// Another root of the same name with a key of its own: what an attacker makes.
    pub fn namesake(&self, stem: &str) -> Self {
        let (params, key) = (ca_params(&self.subject), KeyPair::generate().unwrap());
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        Self::save(&self.folder, stem, self.subject.clone(), issuer, Vec::new())
    }

    /// The same root, same name and key, with a new certificate of other dates (days from now).
    pub fn reissued(&self, stem: &str, not_before: i64, not_after: i64) -> Self {
        let mut params = ca_params(&self.subject);
        (params.not_before, params.not_after) = (days_from_now(not_before), days_from_now(not_after));
        let key = KeyPair::from_pem(&self.issuer.key().serialize_pem()).unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        Self::save(&self.folder, stem, self.subject.clone(), issuer, Vec::new())
    }

    /// A CA below this one, `CN=<stem>,O=acme`.
    pub fn intermediate(&self, stem: &str) -> Self {
        self.intermediate_with(stem, |_| {})
    }

    /// The same with changed parameters.
    pub fn intermediate_with(&self, stem: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        self.certify(stem, subject(stem), KeyPair::generate().unwrap(), change)
    }

    /// Another certificate for an intermediate CA: its name and key, changed parameters.
    pub fn recertify(&self, ca: &Self, stem: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::from_pem(&ca.issuer.key().serialize_pem()).unwrap();
        self.certify(stem, ca.subject.clone(), key, change)
    }

    fn certify(
        &self,
        stem: &str,
        subject: DistinguishedName,
        key: KeyPair,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let mut params = ca_params(&subject);
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let issuer = CertifiedIssuer::signed_by(params, key, &self.issuer).unwrap();
        let mut intermediates = vec![issuer.der().clone()];
        intermediates.extend(self.intermediates.iter().cloned());
        Self::save(&self.folder, stem, subject, issuer, intermediates)
    }

    fn save(
        folder: &Path,
        stem: &str,
        subject: DistinguishedName,
        issuer: CertifiedIssuer<'static, KeyPair>,
        intermediates: Vec<CertificateDer<'static>>,
    ) -> Self {
        let certificate = folder.join(format!("{stem}.crt"));
        fs::write(&certificate, issuer.pem()).unwrap();
        write_key(&folder.join(format!("{stem}.key")), &issuer.key().serialize_pem());
        Self {
            certificate,
            folder: folder.to_owned(),
            stem: stem.to_owned(),
            subject,
            issuer,
            intermediates,
            crl_number: AtomicU64::new(1),
        }
    }

    /// Its certificate.
    pub fn der(&self) -> &CertificateDer<'static> {
        self.issuer.der()
    }

    /// For localhost, 127.0.0.1 and ::1.
    pub fn server(&self, stem: &str) -> TestCertificate {
        let mut leaf = Leaf::device(stem);
        leaf.purposes = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.alternative_names = vec![
            SanType::DnsName("localhost".try_into().unwrap()),
            SanType::IpAddress("127.0.0.1".parse().unwrap()),
            SanType::IpAddress("::1".parse().unwrap()),
        ];
        self.issue(stem, &leaf)
    }

    /// A good certificate `CN=<name>,O=acme` in `<name>.crt` and `<name>.key`.
    pub fn device(&self, name: &str) -> TestCertificate {
        self.issue(name, &Leaf::device(name))
    }

    /// One that ended yesterday.
    pub fn expired(&self, name: &str) -> TestCertificate {
        self.issue(name, &Leaf { not_before: Duration::days(-30), not_after: Duration::days(-1), ..Leaf::device(name) })
    }

    /// One that begins tomorrow.
    pub fn not_yet_valid(&self, name: &str) -> TestCertificate {
        self.issue(name, &Leaf { not_before: Duration::days(1), ..Leaf::device(name) })
    }

    /// One whose extended key usage is serverAuth.
    pub fn wrong_purpose(&self, name: &str) -> TestCertificate {
        self.issue(name, &Leaf { purposes: vec![ExtendedKeyUsagePurpose::ServerAuth], ..Leaf::device(name) })
    }

    /// One without an extended key usage.
    pub fn no_purpose(&self, name: &str) -> TestCertificate {
        self.issue(name, &Leaf { purposes: Vec::new(), ..Leaf::device(name) })
    }

    /// Any certificate, in `<stem>.crt` and `<stem>.key`.
    pub fn issue(&self, stem: &str, leaf: &Leaf) -> TestCertificate {
        let key = KeyPair::generate_for(leaf.algorithm).unwrap();
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed).to_be_bytes().to_vec();
        let mut params = CertificateParams::default();
        params.distinguished_name = leaf.subject.clone();
        params.subject_alt_names.clone_from(&leaf.alternative_names);
        params.extended_key_usages.clone_from(&leaf.purposes);
        params.is_ca = leaf.is_ca;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.not_before = OffsetDateTime::now_utc() + leaf.not_before;
        params.not_after = OffsetDateTime::now_utc() + leaf.not_after;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.save_leaf(stem, certificate.der().clone(), serial, &key)
    }

    /// An X.509 version 1 certificate, as `openssl x509 -req` makes it without `-extfile`.
    pub fn version_one(&self, name: &str) -> TestCertificate {
        let made = self.issue_with_openssl(name, &format!("/O={ORGANISATION}/CN={name}"), "");
        let version_is_absent = made.chain.first().is_some_and(|der| !der.windows(5).take(12).any(|at| at == V3));
        assert!(version_is_absent, "this openssl makes version 3 without being asked");
        made
    }

    /// One with a subject in the notation of `openssl req -subj`: several CNs (`/CN=a/CN=b`), multi-valued relative
    /// names (`/CN=a+OU=b`).
    pub fn with_subject(&self, stem: &str, subject: &str) -> TestCertificate {
        self.issue_with_openssl(stem, subject, "extendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\n")
    }

    /// Names that must be refused or matched exactly, each with a word for it.
    pub fn odd_names(&self) -> Vec<(&'static str, TestCertificate)> {
        let with = |stem: &'static str, change: &dyn Fn(&mut DistinguishedName)| {
            let mut leaf = Leaf::device(stem);
            change(&mut leaf.subject);
            (stem, self.issue(stem, &leaf))
        };
        let cn = |value: DnValue| {
            move |subject: &mut DistinguishedName| {
                subject.remove(DnType::CommonName);
                subject.push(DnType::CommonName, value.clone());
            }
        };
        vec![
            with("plus", &cn("+".into())),
            with("hash", &cn("#".into())),
            with("slash", &cn("a/b".into())),
            with("empty", &cn("".into())),
            with("nul", &cn("device-001\0x".into())),
            with("control", &cn("device\n001".into())),
            with("teletex", &cn(DnValue::TeletexString("t61".try_into().unwrap()))),
            with("bmp", &cn(DnValue::BmpString("b\u{e4}r".try_into().unwrap()))),
            with("comma", &|subject| {
                subject.remove(DnType::OrganizationName);
                subject.push(DnType::OrganizationName, "x, CN=admin");
            }),
            with("no-name", &|subject| *subject = DistinguishedName::new()),
            ("two-names", self.with_subject("two-names", "/O=acme/CN=device-001/CN=device-002")),
            ("multi-valued", self.with_subject("multi-valued", "/O=acme/CN=device-001+OU=lab")),
        ]
    }

    /// Revokes these and nothing else: writes `STEM.crl`, each time with a higher number.
    pub fn revoke(&self, revoked: &[&TestCertificate]) -> PathBuf {
        let number = self.crl_number.fetch_add(1, Ordering::Relaxed);
        let serials: Vec<_> = revoked.iter().map(|certificate| certificate.serial.as_slice()).collect();
        self.crl(&format!("{}.crl", self.stem), &Crl { number, ..Crl::default() }, &serials)
    }

    /// Writes a CRL in PEM.
    pub fn crl(&self, file: &str, crl: &Crl, serials: &[&[u8]]) -> PathBuf {
        let path = self.folder.join(file);
        fs::write(&path, self.sign_crl(crl, serials).pem().unwrap()).unwrap();
        path
    }

    /// Writes a CRL in DER.
    pub fn crl_der(&self, file: &str, crl: &Crl, serials: &[&[u8]]) -> PathBuf {
        let path = self.folder.join(file);
        fs::write(&path, self.sign_crl(crl, serials).der()).unwrap();
        path
    }

    fn sign_crl(&self, crl: &Crl, serials: &[&[u8]]) -> rcgen::CertificateRevocationList {
        let now = OffsetDateTime::now_utc();
        let revoked = |serial: &&[u8]| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: now,
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: now + crl.this_update,
            next_update: now + crl.next_update,
            crl_number: SerialNumber::from(crl.number),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap()
    }

    fn issue_with_openssl(&self, stem: &str, subject: &str, extensions: &str) -> TestCertificate {
        let key = KeyPair::generate().unwrap();
        let path = |ending: &str| self.folder.join(format!("{stem}.{ending}"));
        write_key(&path("key"), &key.serialize_pem());
        openssl(&self.folder, &["req", "-new", "-utf8", "-key", &format!("{stem}.key"), "-subj", subject])
            .args(["-out", &format!("{stem}.csr")])
            .run();
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut sign = openssl(&self.folder, &["x509", "-req", "-days", "60", "-in", &format!("{stem}.csr")]);
        sign.args(["-CA", &format!("{}.crt", self.stem), "-CAkey", &format!("{}.key", self.stem)]);
        sign.args(["-set_serial", &serial.to_string(), "-outform", "DER", "-out", &format!("{stem}.der")]);
        if !extensions.is_empty() {
            fs::write(path("ext"), extensions).unwrap();
            sign.args(["-extfile", &format!("{stem}.ext")]);
        }
        sign.run();
        let der = CertificateDer::from(fs::read(path("der")).unwrap());
        self.save_leaf(stem, der, serial.to_be_bytes().to_vec(), &key)
    }

    fn save_leaf(&self, stem: &str, der: CertificateDer<'static>, serial: Vec<u8>, key: &KeyPair) -> TestCertificate {
        let certificate = self.folder.join(format!("{stem}.crt"));
        let private_key = self.folder.join(format!("{stem}.key"));
        let mut chain = vec![der];
        chain.extend(self.intermediates.iter().cloned());
        fs::write(&certificate, pem(&chain)).unwrap();
        write_key(&private_key, &key.serialize_pem());
        TestCertificate { certificate, private_key, chain, key_der: key.serialize_der(), serial }
    }
}

impl TestCertificate {
    /// Its key, for rustls.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key_der.clone()))
    }

    /// The certificate alone.
    pub fn leaf(&self) -> &CertificateDer<'static> {
        self.chain.first().unwrap()
    }
}

impl Leaf {
    /// `CN=<name>,O=acme`, clientAuth, P-256, from yesterday for 60 days.
    pub fn device(name: &str) -> Self {
        Self {
            subject: subject(name),
            alternative_names: Vec::new(),
            purposes: vec![ExtendedKeyUsagePurpose::ClientAuth],
            is_ca: IsCa::NoCa,
            not_before: Duration::days(-1),
            not_after: Duration::days(60),
            algorithm: &PKCS_ECDSA_P256_SHA256,
        }
    }
}

impl Default for Crl {
    fn default() -> Self {
        Self { number: 1, this_update: Duration::hours(-1), next_update: Duration::days(30) }
    }
}

/// Certificates as PEM, one after the other.
pub fn pem(certificates: &[CertificateDer<'_>]) -> String {
    certificates.iter().map(|der| pem_block("CERTIFICATE", der)).collect()
}

/// One block of PEM.
pub fn pem_block(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The version field of an X.509 version 3 certificate.
const V3: &[u8] = &[0xa0, 3, 2, 1, 2];

fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, ORGANISATION);
    subject.push(DnType::CommonName, name);
    subject
}

fn ca_params(subject: &DistinguishedName) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject.clone();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (days_from_now(-2), days_from_now(365));
    params.serial_number = Some(SerialNumber::from(SERIAL.fetch_add(1, Ordering::Relaxed)));
    params
}

fn days_from_now(days: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::days(days)
}

fn write_key(path: &Path, pem: &str) {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(pem.as_bytes()).unwrap();
}

fn openssl(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command.current_dir(folder).args(arguments);
    command
}

trait Run {
    fn run(&mut self);
}

impl Run for Command {
    fn run(&mut self) {
        let output = self.output().expect("the openssl program is needed for tests: apt-get install openssl");
        assert!(output.status.success(), "{self:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
