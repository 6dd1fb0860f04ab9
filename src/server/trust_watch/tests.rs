use super::*;
use crate::config::tls::StaleCrl;
use crate::config::{TlsSettings, TrustBlockSettings};
use crate::policy::SubjectSelector;
use crate::tls::ServerTls;
use crate::tls::ca::TestCa;
use tempfile::TempDir;

/// A broker's settings with one CA and its list, which is fresh for a month.
fn site() -> (TempDir, TlsSettings) {
    let folder = tempfile::tempdir().unwrap();
    let ca = TestCa::root(folder.path(), "ca");
    let server = ca.server("server");
    let block = TrustBlockSettings {
        name: "default".to_owned(),
        ca: vec![ca.certificate.clone()],
        crl: vec![ca.revoke(&[])],
        ..TrustBlockSettings::default()
    };
    let settings = TlsSettings {
        certificate: server.certificate,
        private_key: server.private_key,
        trust: vec![block],
        ..TlsSettings::default()
    };
    (folder, settings)
}

fn warning(place: &str, next_update: i64, freshness: Freshness) -> ListWarning {
    ListWarning {
        issuer: "CN=ca".to_owned(),
        place: place.to_owned(),
        next_update,
        freshness,
        consequence: StaleCrl::Deny,
    }
}

#[test]
fn a_warning_is_said_once_a_day_and_again_when_it_grows() {
    let mut state = State::default();
    let day = SILENCE;
    let mut said = |warnings: &[ListWarning], now: i64| {
        state.warnings = warnings.to_vec();
        state.take_unsaid(now).len()
    };
    let due = warning("a.crl", 10 * day, Freshness::Due);
    assert_eq!(said(std::slice::from_ref(&due), 0), 1);
    assert_eq!(said(std::slice::from_ref(&due), 60), 0);
    assert_eq!(said(std::slice::from_ref(&due), day - 1), 0);
    assert_eq!(said(std::slice::from_ref(&due), day), 1);
    // Another list, or the same gone stale, is another matter.
    let stale = warning("a.crl", 10 * day, Freshness::Stale);
    assert_eq!(said(&[warning("b.crl", 10 * day, Freshness::Due), due.clone()], day + 1), 1);
    assert_eq!(said(std::slice::from_ref(&stale), day + 2), 1);
    assert_eq!(said(std::slice::from_ref(&stale), day + 3), 0);
    // What is over is forgotten.
    assert_eq!(said(&[], day + 4), 0);
    assert_eq!(said(std::slice::from_ref(&stale), day + 5), 1);
    // A clock that is set back.
    assert_eq!(said(std::slice::from_ref(&stale), 5), 1);
}

#[test]
fn connections_on_a_stale_list_are_judged_anew_once_and_only_where_a_block_says_so() {
    let (_folder, mut settings) = site();
    for (rule, expected) in [(StaleCrl::Deny, 0), (StaleCrl::Allow, 0), (StaleCrl::Disconnect, 1)] {
        settings.stale_crl = rule;
        let tls = ServerTls::load(&settings, SubjectSelector::Dn, unix_now()).unwrap().0;
        let end = tls.trust().next_stale(unix_now()).unwrap();
        let watch = TrustWatch::default();
        assert_eq!(watch.look(tls.trust(), end - 1).stale.len(), 0);
        let due = watch.look(tls.trust(), end);
        assert_eq!((due.stale.len(), due.said.len()), (expected, 1), "{rule:?}");
        assert!(watch.warnings()[0].contains("is stale since"), "{:?}", watch.warnings());
        assert_eq!(watch.look(tls.trust(), end + 60), Due::default());
        // Fresh again by a clock that is set back, and stale once more.
        watch.look(tls.trust(), end - 1);
        assert_eq!(watch.look(tls.trust(), end).stale.len(), expected);
        // What loading noticed is not said again at once, but acted upon.
        let loaded = TrustWatch::default();
        loaded.loaded(tls.trust(), end);
        let due = loaded.look(tls.trust(), end + 1);
        assert_eq!((due.stale.len(), due.said.len()), (expected, 0));
    }
}

#[test]
fn the_next_look_is_in_a_minute_or_when_a_list_goes_stale() {
    let (_folder, settings) = site();
    let tls = ServerTls::load(&settings, SubjectSelector::Dn, unix_now()).unwrap().0;
    let end = tls.trust().next_stale(unix_now()).unwrap();
    assert_eq!(until_next(tls.trust(), end - 3_600), LOOK);
    assert_eq!(until_next(tls.trust(), end - 5), Duration::from_secs(5));
    assert_eq!(until_next(tls.trust(), end), LOOK);
}
