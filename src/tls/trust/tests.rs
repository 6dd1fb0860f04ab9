use super::*;
use crate::tls::ca::TestCa;

#[test]
fn each_name_and_key_is_one_issuer_however_often_it_is_certified() {
    let folder = tempfile::tempdir().unwrap();
    let ca = TestCa::root(folder.path(), "ca");
    let (renewed, namesake) = (ca.reissued("renewed", -1, 50), ca.namesake("namesake"));
    let settings = TrustBlockSettings {
        name: "default".to_owned(),
        ca: [&ca, &renewed, &namesake].map(|ca| ca.certificate.clone()).to_vec(),
        ..TrustBlockSettings::default()
    };
    let trust = TrustBlocks::load(&TlsSettings { trust: vec![settings], ..TlsSettings::default() }).unwrap();
    assert_eq!(trust.issuers().len(), 2);
    let block = trust.iter().next().unwrap();
    assert_eq!(block.anchors.len(), 3);
    let ends: Vec<_> = block.anchors.iter().map(|anchor| block.facts_of(anchor).unwrap().not_after).collect();
    let expected = [&ca, &renewed, &namesake].map(|ca| CertificateFields::from_der(ca.der()).unwrap().not_after);
    assert_eq!(ends, expected);
    assert!(block.facts_of(&block.anchors[0].clone()).is_none(), "an anchor is known by its place, not by its looks");
}
