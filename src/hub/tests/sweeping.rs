//! Trust, revocation and the wall clock change under live connections.

use super::fixture::{Connection, Dial, World};
use crate::hub::{Closed, Swept, Touched, Wakes};
use crate::policy::{Certificate, ChainFacts, DeviceKey, Lapse, LiveJudge, PathCertificate};
use crate::protocol::{Packet, ReasonCode};
use std::sync::Arc;

const NOW: i64 = 1_000_000;
const DAY: i64 = 24 * 3600;

/// Refuses what it was told to.
#[derive(Clone, Debug, Default)]
struct Refusing {
    devices: Vec<(DeviceKey, Lapse)>,
    anchors: Vec<([u8; 32], Lapse)>,
    serials: Vec<(u8, Lapse)>,
}

impl LiveJudge for Refusing {
    fn judge(&self, device: &DeviceKey, chain: &ChainFacts, _now: i64) -> Result<(), Lapse> {
        let listed = |serial: u8| chain.certificates.iter().any(|path| *path.certificate.serial == [serial]);
        let devices = self.devices.iter().filter(|(key, _)| key == device).map(|(_, lapse)| lapse);
        let anchors = self.anchors.iter().filter(|(anchor, _)| *anchor == chain.anchor).map(|(_, lapse)| lapse);
        let serials = self.serials.iter().filter(|(serial, _)| listed(*serial)).map(|(_, lapse)| lapse);
        devices.chain(anchors).chain(serials).next().map_or(Ok(()), |lapse| Err(*lapse))
    }
}

fn key(cn: &str) -> DeviceKey {
    DeviceKey::in_default_trust(format!("CN={cn}").as_str().into())
}

fn certificate(issuer: u8, serial: u8) -> Certificate {
    Certificate { issuer: [issuer; 16], serial: Box::new([serial]) }
}

fn below(issuer: u8, serial: u8) -> Arc<PathCertificate> {
    Arc::new(PathCertificate { certificate: certificate(issuer, serial), issuer_key: [issuer; 16] })
}

/// A chain below `anchor`: its serial numbers, leaf first.
fn chain(anchor: u8, serials: &[u8], not_after: i64) -> ChainFacts {
    ChainFacts {
        anchor: [anchor; 32],
        certificates: serials.iter().map(|serial| below(anchor, *serial)).collect(),
        not_after,
        leaf_sha256: [*serials.first().unwrap(); 32],
        subjects_entry: None,
    }
}

fn dial(cn: &'static str, id: &'static str, chain: ChainFacts) -> Dial {
    Dial { id, chain: Some(chain), ..Dial::v5(cn) }
}

fn sweep(world: &World, touched: &Touched) -> Swept {
    world.hub.sweep(touched, NOW, &mut Wakes::default())
}

fn swept(judged: usize, closed: usize) -> Swept {
    Swept { judged, closed }
}

/// Closed, told `reason` and nothing else, and deaf.
fn assert_gone(connection: &mut Connection, reason: ReasonCode) {
    assert_eq!(connection.take().0, [format!("DISCONNECT {reason:?}")]);
    assert_eq!(connection.outbound.closing(), Some(reason));
    assert_eq!(connection.handle(Packet::PingReq), Err(Closed::ByBroker));
}

fn assert_there(connection: &mut Connection) {
    connection.handle(Packet::PingReq).unwrap();
    assert_eq!(connection.take().0, ["PingResp"]);
}

#[test]
fn a_sweep_judges_what_the_change_touches_and_closes_what_may_not_stay() {
    let world = World::new();
    let under = |anchor, serials: &[u8]| chain(anchor, serials, NOW + DAY);
    let mut one = world.connect(&dial("a", "1", under(1, &[11, 9])));
    let mut two = world.connect(&dial("a", "2", under(1, &[12, 9])));
    let mut three = world.connect(&dial("b", "3", under(1, &[13])));
    let mut four = world.connect(&dial("b", "4", under(2, &[11])));
    for touched in [
        Touched::Everyone,
        Touched::Anchors(vec![[1; 32]]),
        Touched::Certificates(vec![certificate(1, 9)]),
        Touched::Certificates(vec![certificate(1, 77)]),
        Touched::Devices(vec![key("b"), key("nobody")]),
        Touched::Leaves(vec![[11; 32]]),
    ] {
        let judged = match &touched {
            Touched::Everyone => 4,
            Touched::Anchors(_) => 3,
            Touched::Certificates(list) => {
                if list[0].serial[..] == [9] {
                    2
                } else {
                    0
                }
            }
            Touched::Devices(_) | Touched::Leaves(_) => 2,
        };
        assert_eq!(sweep(&world, &touched), swept(judged, 0), "{touched:?}");
    }
    [&mut one, &mut two, &mut three, &mut four].into_iter().for_each(assert_there);

    // The intermediate CA is revoked: only those below it.
    world.hub.set_judge(Arc::new(Refusing { serials: vec![(9, Lapse::Listed)], ..Refusing::default() }));
    assert_eq!(sweep(&world, &Touched::Certificates(vec![certificate(1, 9)])), swept(2, 2));
    assert_gone(&mut one, ReasonCode::NotAuthorized);
    assert_gone(&mut two, ReasonCode::NotAuthorized);
    [&mut three, &mut four].into_iter().for_each(assert_there);
    one.break_off();
    two.break_off();

    world.hub.set_judge(Arc::new(Refusing { anchors: vec![([2; 32], Lapse::Untrusted)], ..Refusing::default() }));
    assert_eq!(sweep(&world, &Touched::Anchors(vec![[2; 32]])), swept(1, 1));
    assert_gone(&mut four, ReasonCode::NotAuthorized);
    world.hub.set_judge(Arc::new(Refusing { devices: vec![(key("b"), Lapse::Revoked)], ..Refusing::default() }));
    assert_eq!(sweep(&world, &Touched::Devices(vec![key("b")])).closed, 2, "closed once more is no harm");
    assert_gone(&mut three, ReasonCode::AdministrativeAction);
    three.break_off();
    four.break_off();
    assert_eq!(sweep(&world, &Touched::Everyone), swept(0, 0), "who has gone is not looked at");
}
