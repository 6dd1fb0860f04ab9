//! The devices of a world and their certificates.

use certmq::policy::{ChainFacts, DeviceKey, Identity, SubjectSelector};
use std::sync::{Arc, OnceLock};

/// Devices that any world may use.
pub(crate) const DEVICES: usize = 24;
const CERTIFICATES: usize = 2;

/// One device: all its certificates bear the same name.
pub(crate) struct Device {
    pub(crate) key: DeviceKey,
    pub(crate) certificates: Vec<(Identity, ChainFacts)>,
}

/// Made once, because keys cost time.
pub(crate) fn devices() -> &'static [Device] {
    static FLEET: OnceLock<Vec<Device>> = OnceLock::new();
    FLEET.get_or_init(|| {
        let key = rcgen::KeyPair::generate().unwrap();
        (0..DEVICES).map(|number| device(number, &key)).collect()
    })
}

fn device(number: usize, key: &rcgen::KeyPair) -> Device {
    let certificates: Vec<_> = (0..CERTIFICATES)
        .map(|serial| {
            let mut parameters = rcgen::CertificateParams::default();
            parameters.distinguished_name = rcgen::DistinguishedName::new();
            parameters.distinguished_name.push(rcgen::DnType::CommonName, format!("sim-{number}"));
            parameters.serial_number = Some((serial as u64 + 1).into());
            let certificate = parameters.self_signed(key).unwrap();
            let identity = Identity::from_der(certificate.der()).unwrap();
            let chain = ChainFacts {
                anchor: identity.spki_sha256,
                certificates: Box::default(),
                not_after: identity.not_after,
                leaf_sha256: identity.sha256,
                subjects_entry: None,
            };
            (identity, chain)
        })
        .collect();
    let name = certificates[0].0.device_name(SubjectSelector::Dn).unwrap();
    Device { key: DeviceKey { trust: Arc::from("default"), name }, certificates }
}
