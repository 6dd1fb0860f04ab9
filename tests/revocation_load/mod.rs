//! A CA that revoked many: the list as a file, the time and memory to load it, the time of a judgement.

#![allow(dead_code, reason = "each user takes its part")]
#![allow(clippy::expect_used, reason = "a test or benchmark without its files ends by panicking")]

#[path = "../common/ca.rs"]
mod ca;

use ca::{Crl, TestCa};
use certmq::config::{TlsSettings, TrustBlockSettings};
use certmq::policy::identity::certificate_facts;
use certmq::policy::{Certificate, ChainFacts, DeviceKey, SubjectSelector};
use certmq::tls::{LiveFault, ServerTls, TrustDifference};
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use time::OffsetDateTime;

/// Octets of a serial number, as CAs draw them at random.
const SERIAL: usize = 16;

/// How the list is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Pem,
    Der,
}

/// A CA, a broker's certificate, and a list of so many serials.
pub(crate) struct World {
    folder: TempDir,
    settings: TlsSettings,
    serials: Vec<[u8; SERIAL]>,
    device: DeviceKey,
    chain: ChainFacts,
    ca: TestCa,
}

impl World {
    pub(crate) fn new(revoked: usize, form: Form) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ca = TestCa::root(folder.path(), "ca");
        let server = ca.server("server");
        let serials = drawn(revoked);
        let file = write(&ca, "ca.crl", form, &serials);
        let block = TrustBlockSettings {
            name: "default".to_owned(),
            ca: vec![ca.certificate.clone()],
            crl: vec![file],
            ..TrustBlockSettings::default()
        };
        let settings = TlsSettings {
            certificate: server.certificate,
            private_key: server.private_key,
            trust: vec![block],
            ..TlsSettings::default()
        };
        let (root, leaf) = (facts(ca.der()), facts(ca.device("device-001").leaf()));
        let chain = ChainFacts::new(root.spki_sha256, &leaf, &[]);
        Self {
            folder,
            settings,
            serials,
            device: DeviceKey::in_default_trust("CN=device-001,O=acme".into()),
            chain,
            ca,
        }
    }

    /// Bytes of the file.
    pub(crate) fn file_bytes(&self) -> u64 {
        let files = self.settings.trust.iter().flat_map(|block| &block.crl);
        files.map(|file| std::fs::metadata(file).expect("the list").len()).sum()
    }

    pub(crate) fn load(&self) -> ServerTls {
        ServerTls::load(&self.settings, SubjectSelector::Dn, now()).expect("a good list").0
    }

    /// The time of one judgement of a live connection, the best of five rounds: of revoked ones, and of others.
    pub(crate) fn judgements(&self, tls: &ServerTls, turns: usize) -> (Duration, Duration) {
        let revoked: Vec<_> = (0..turns).map(|turn| self.with_serial(self.scattered(turn))).collect();
        let mut others = drawn(turns);
        others.iter_mut().for_each(|serial| serial[SERIAL - 1] ^= 0x5a);
        let others: Vec<_> = others.into_iter().map(|serial| self.with_serial(serial)).collect();
        let judge = |chain: &ChainFacts| tls.trust().judge_live(&self.device, chain, now());
        assert!(revoked.iter().all(|chain| matches!(judge(chain), Err(LiveFault::Revoked { .. }))));
        assert!(others.iter().all(|chain| judge(chain).is_ok()));
        (
            per(&revoked, |chain| judge_at(tls, &self.device, chain)),
            per(&others, |chain| judge_at(tls, &self.device, chain)),
        )
    }

    /// What a list with one serial more changes, and how long it takes to find out.
    pub(crate) fn one_more(&mut self, old: &ServerTls) -> (usize, Duration) {
        self.serials.push([0x7f; SERIAL]);
        let file = write(&self.ca, "more.crl", Form::Der, &self.serials);
        self.settings.trust.iter_mut().for_each(|block| block.crl = vec![file.clone()]);
        let new = self.load();
        let started = Instant::now();
        let difference = TrustDifference::between(old.trust(), new.trust(), now());
        (difference.revoked_certificates().count(), started.elapsed())
    }

    fn scattered(&self, turn: usize) -> [u8; SERIAL] {
        *self.serials.get(turn * 7_919 % self.serials.len()).expect("within")
    }

    fn with_serial(&self, serial: [u8; SERIAL]) -> ChainFacts {
        let mut chain = self.chain.clone();
        for path in &mut chain.certificates {
            let certificate = Certificate { serial: serial.into(), ..Certificate::clone(&path.certificate) };
            path.certificate = Arc::new(certificate);
        }
        chain
    }
}

fn judge_at(tls: &ServerTls, device: &DeviceKey, chain: &ChainFacts) -> Result<(), LiveFault> {
    tls.trust().judge_live(device, chain, 1_700_000_000)
}

fn per<T>(of: &[ChainFacts], mut turn: impl FnMut(&ChainFacts) -> T) -> Duration {
    let round = |_| {
        let started = Instant::now();
        of.iter().for_each(|chain| drop(black_box(turn(chain))));
        started.elapsed()
    };
    (0..5).map(round).min().unwrap_or_default() / u32::try_from(of.len().max(1)).unwrap_or(u32::MAX)
}

fn write(ca: &TestCa, file: &str, form: Form, serials: &[[u8; SERIAL]]) -> PathBuf {
    let borrowed: Vec<&[u8]> = serials.iter().map(<[u8; SERIAL]>::as_slice).collect();
    let crl = Crl { number: serials.len() as u64, ..Crl::default() };
    match form {
        Form::Pem => ca.crl(file, &crl, &borrowed),
        Form::Der => ca.crl_der(file, &crl, &borrowed),
    }
}

/// Numbers without order, positive and of full length, the same in each run.
fn drawn(count: usize) -> Vec<[u8; SERIAL]> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let serial = |_| {
        let mut serial = [0; SERIAL];
        serial[..8].copy_from_slice(&(word() >> 1 | 1 << 62).to_be_bytes());
        serial[8..].copy_from_slice(&word().to_be_bytes());
        serial
    };
    (0..count).map(serial).collect()
}

fn facts(der: &[u8]) -> certmq::policy::CertificateFacts {
    certificate_facts(der).expect("a certificate")
}

fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}
