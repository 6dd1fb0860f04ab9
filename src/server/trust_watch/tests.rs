use super::*;
use crate::config::tls::StaleCrl;

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
        state.to_say(now).len()
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
