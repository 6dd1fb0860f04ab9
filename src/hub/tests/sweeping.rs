//! Trust, revocation and the wall clock change under live connections.

use super::fixture::{Connection, Dial, FLEET, World};
use crate::hub::{Closed, Hub, Swept, Touched, Wakes};
use crate::policy::{Certificate, ChainFacts, DeviceKey, Lapse, LiveJudge, PathCertificate};
use crate::protocol::{Packet, Properties, Property, Publish, QoS, ReasonCode, TopicName};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const NOW: i64 = 1_000_000;
const DAY: i64 = 24 * 3600;
const READERS: [&str; 8] = ["r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8"];

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

fn below(issuer: u8, serial: u8) -> PathCertificate {
    PathCertificate { certificate: Arc::new(certificate(issuer, serial)), issuer_key: [issuer; 16] }
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

fn message() -> Publish<'static> {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: TopicName::parse("t/x").ok(),
        packet_id: None,
        properties: Properties::default(),
        payload: b"x",
    }
}

/// As the composition root does it: under a policy of its own epoch.
fn judge_by(hub: &Hub, judge: Arc<dyn LiveJudge>) {
    hub.set_policy(Arc::new(hub.policy().judged_by(judge)));
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
    judge_by(&world.hub, Arc::new(Refusing { serials: vec![(9, Lapse::Listed)], ..Refusing::default() }));
    assert_eq!(sweep(&world, &Touched::Certificates(vec![certificate(1, 9)])), swept(2, 2));
    assert_gone(&mut one, ReasonCode::NotAuthorized);
    assert_gone(&mut two, ReasonCode::NotAuthorized);
    [&mut three, &mut four].into_iter().for_each(assert_there);
    one.break_off();
    two.break_off();

    judge_by(&world.hub, Arc::new(Refusing { anchors: vec![([2; 32], Lapse::Untrusted)], ..Refusing::default() }));
    assert_eq!(sweep(&world, &Touched::Anchors(vec![[2; 32]])), swept(1, 1));
    assert_gone(&mut four, ReasonCode::NotAuthorized);
    judge_by(&world.hub, Arc::new(Refusing { devices: vec![(key("b"), Lapse::Revoked)], ..Refusing::default() }));
    assert_eq!(sweep(&world, &Touched::Devices(vec![key("b")])), swept(2, 1), "one was closed before");
    assert_gone(&mut three, ReasonCode::AdministrativeAction);
    three.break_off();
    four.break_off();
    assert_eq!(sweep(&world, &Touched::Everyone), swept(0, 0), "who has gone is not looked at");
}

#[test]
fn what_waits_for_a_closed_client_is_cut_and_3_1_1_is_told_nothing() {
    for (dial, told) in [
        (Dial::v5("a"), vec!["DISCONNECT AdministrativeAction".to_owned()]),
        (Dial { chain: None, ..Dial::v3("a") }, Vec::new()),
    ] {
        let mut world = World::new();
        let mut reader = world.connect(&dial);
        reader.subscribe("t/#", QoS::AtLeastOnce);
        let mut writer = world.connect(&Dial::v5("b"));
        writer.publish("t/x", QoS::AtMostOnce, 0, "waits");
        writer.publish("t/x", QoS::AtLeastOnce, 1, "waits too");
        world.set_fleet(&FLEET.replace("subject = \"CN=a\"", "subject = \"CN=a\"\nenabled = false"));
        assert_eq!(sweep(&world, &Touched::Devices(vec![key("a")])), swept(1, 1));
        writer.publish("t/x", QoS::AtMostOnce, 0, "too late");
        assert_eq!(reader.take().0, told);
        assert_eq!(reader.outbound.closing(), Some(ReasonCode::AdministrativeAction));
    }
}

#[test]
fn a_will_is_withheld_where_its_writer_lost_the_right_and_fires_where_it_is_merely_gone() {
    for (lapse, fires) in [
        (Lapse::Revoked, false),
        (Lapse::Listed, false),
        (Lapse::Untrusted, false),
        (Lapse::Unchecked, true),
        (Lapse::Expired, true),
    ] {
        for delay in [None, Some(Property::WillDelayInterval(5))] {
            let mut world = World::new();
            let will = Some(("t/will", delay.into_iter().collect()));
            let leaving = world.connect(&Dial { will, ..dial("a", "1", chain(1, &[11], NOW + DAY)) });
            let mut witness = world.connect(&Dial::v5("b"));
            witness.subscribe("t/will", QoS::AtMostOnce);
            judge_by(&world.hub, Arc::new(Refusing { serials: vec![(11, lapse)], ..Refusing::default() }));
            assert_eq!(sweep(&world, &Touched::Leaves(vec![[11; 32]])), swept(1, 1));
            leaving.break_off();
            world.later(6_000);
            assert_eq!(witness.seen().len(), usize::from(fires), "{lapse:?}, {delay:?}");
        }
    }
}

/// The client has gone, its will waits for its delay, and then it is revoked: no connection is left to sweep.
#[test]
fn a_will_that_waits_is_judged_by_the_chain_it_was_left_under() {
    for (lapse, fires) in [(Lapse::Revoked, false), (Lapse::Expired, true)] {
        let mut world = World::new();
        let will = Some(("t/will", vec![Property::WillDelayInterval(5)]));
        world.connect(&Dial { will, ..dial("a", "1", chain(1, &[11], NOW + DAY)) }).break_off();
        let mut witness = world.connect(&Dial::v5("b"));
        witness.subscribe("t/will", QoS::AtMostOnce);
        judge_by(&world.hub, Arc::new(Refusing { devices: vec![(key("a"), lapse)], ..Refusing::default() }));
        assert_eq!(sweep(&world, &Touched::Everyone), swept(1, 0));
        world.later(6_000);
        assert_eq!(witness.seen().len(), usize::from(fires), "{lapse:?}");
    }
}

/// Its handshake was judged before the change, its CONNECT comes after.
#[test]
fn a_chain_that_lapsed_after_its_handshake_is_refused_before_it_touches_a_session() {
    let world = World::new();
    let mut rightful = world.connect(&dial("a", "1", chain(1, &[12], NOW + DAY)));
    rightful.subscribe("t/#", QoS::AtMostOnce);
    judge_by(&world.hub, Arc::new(Refusing { serials: vec![(11, Lapse::Revoked)], ..Refusing::default() }));
    let stolen = dial("a", "1", chain(1, &[11], NOW + DAY));
    assert_eq!(world.told(&stolen), "this certificate is no longer accepted");
    let refused = world.try_connect(&stolen).err().unwrap();
    assert_eq!(refused.reason, ReasonCode::NotAuthorized);
    assert!(refused.cause.contains("revoked"), "{}", refused.cause);
    assert_there(&mut rightful);
    assert_eq!(world.hub.session(&key("a"), "1").unwrap().subscriptions.len(), 1);
}

/// Accepts, but while it does so somebody revokes, and sweeps before the connection can be found.
#[derive(Debug)]
struct Overtaken(Arc<Hub>);

impl LiveJudge for Overtaken {
    fn judge(&self, _device: &DeviceKey, _chain: &ChainFacts, _now: i64) -> Result<(), Lapse> {
        judge_by(&self.0, Arc::new(Refusing { serials: vec![(11, Lapse::Revoked)], ..Refusing::default() }));
        let touched = Touched::Certificates(vec![certificate(1, 11)]);
        assert_eq!(self.0.sweep(&touched, NOW, &mut Wakes::default()), swept(0, 0), "nothing to be found yet");
        Ok(())
    }
}

#[test]
fn a_connect_that_a_sweep_just_missed_is_closed_all_the_same() {
    let world = World::new();
    judge_by(&world.hub, Arc::new(Overtaken(Arc::clone(&world.hub))));
    let will = Some(("t/will", Vec::new()));
    let mut connection = world
        .try_connect(&Dial { will, ..dial("a", "1", chain(1, &[11], NOW + DAY)) })
        .unwrap_or_else(|_| panic!("accepted at first"));
    let mut witness = world.connect(&Dial::v5("b"));
    witness.subscribe("t/#", QoS::AtMostOnce);
    assert_eq!(connection.handle(Packet::Publish(message())), Err(Closed::ByBroker));
    assert_eq!(connection.outbound.closing(), Some(ReasonCode::AdministrativeAction));
    connection.break_off();
    assert!(witness.seen().is_empty());
}

/// The task is serving a packet, and has more in hand, while somebody revokes its certificate.
#[test]
fn nothing_is_routed_once_the_sweep_has_returned() {
    for round in 0..30 {
        let world = World::new();
        let mut readers: Vec<_> = READERS
            .iter()
            .map(|id| {
                let mut reader = world.connect(&Dial { id, ..Dial::v5("b") });
                reader.subscribe("t/#", QoS::AtMostOnce);
                reader
            })
            .collect();
        let mut writer = world.connect(&dial("a", "1", chain(1, &[11], NOW + DAY)));
        let begun = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                loop {
                    match writer.handle(Packet::Publish(message())) {
                        Ok(()) => begun.fetch_add(1, Ordering::Relaxed),
                        Err(closed) => return closed,
                    };
                }
            });
            while begun.load(Ordering::Relaxed) < 5 {
                std::thread::yield_now();
            }
            judge_by(&world.hub, Arc::new(Refusing { serials: vec![(11, Lapse::Revoked)], ..Refusing::default() }));
            assert_eq!(sweep(&world, &Touched::Leaves(vec![[11; 32]])), swept(1, 1));
            // The last of a fan-out first: it would be the one that is still owed a message.
            for reader in readers.iter_mut().rev() {
                reader.seen();
            }
            assert_eq!(writing.join().unwrap(), Closed::ByBroker);
        });
        for reader in &mut readers {
            assert!(reader.seen().is_empty(), "round {round}: a message after the sweep had returned");
        }
    }
}

#[test]
fn a_chain_that_ends_ends_its_connection_by_the_wall_clock() {
    let world = World::new();
    let expire = |unix| world.hub.end_expired(unix, &mut Wakes::default());
    let mut brief = world.connect(&dial("a", "1", chain(1, &[11], NOW + 5)));
    let mut longer = world.connect(&dial("a", "2", chain(1, &[12], NOW + DAY)));
    let mut longest = world.connect(&dial("b", "3", chain(1, &[13], NOW + 30 * DAY)));
    let ending = |from, to| world.hub.ending_between(from, to, 1);
    assert_eq!(ending(NOW, NOW + DAY), (2, vec![(key("a"), NOW + 5)]));
    assert_eq!(ending(NOW + 5, NOW + DAY), (1, vec![(key("a"), NOW + DAY)]));
    assert_eq!((ending(NOW + DAY, NOW + DAY).0, ending(NOW + DAY, NOW).0), (0, 0));
    assert_eq!((expire(NOW), expire(NOW + 4)), (0, 0));
    assert_there(&mut brief);
    assert_eq!(expire(NOW + 5), 1);
    assert_gone(&mut brief, ReasonCode::NotAuthorized);
    assert_eq!(expire(NOW + 6), 0, "a connection is ended once");

    // The clock is set back by a year: what has ended stays so, what lives goes on.
    assert_eq!(expire(NOW - 365 * DAY), 0);
    assert_eq!(brief.handle(Packet::PingReq), Err(Closed::ByBroker));
    [&mut longer, &mut longest].into_iter().for_each(assert_there);
    // It jumps forward: then what has ended by then.
    assert_eq!(expire(NOW + 2 * DAY), 1);
    assert_gone(&mut longer, ReasonCode::NotAuthorized);
    assert_there(&mut longest);

    // A handshake that was judged a moment earlier.
    let late = world.try_connect(&dial("a", "1", chain(1, &[11], NOW + 2 * DAY))).err().unwrap();
    assert!(late.cause.contains("expired"), "{}", late.cause);
}

#[test]
fn a_device_is_judged_by_the_policy_in_a_sweep_and_its_good_connections_stay() {
    let mut world = World::new();
    let pinned = chain(1, &[11], NOW + DAY);
    let pin: String = pinned.leaf_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut good = world.connect(&dial("a", "1", pinned));
    let will = Some(("t/will", Vec::new()));
    let mut stolen = world.connect(&Dial { will, ..dial("a", "2", chain(1, &[12], NOW + DAY)) });
    let mut witness = world.connect(&Dial::v5("b"));
    witness.subscribe("t/will", QoS::AtMostOnce);
    world.set_fleet(
        &FLEET.replace("subject = \"CN=a\"", &format!("subject = \"CN=a\"\ncertificate_sha256 = \"{pin}\"")),
    );
    assert_eq!(sweep(&world, &Touched::Devices(vec![key("a")])), swept(2, 1));
    assert_there(&mut good);
    assert_gone(&mut stolen, ReasonCode::AdministrativeAction);
    stolen.break_off();
    assert!(witness.seen().is_empty(), "the will of a certificate that the device no longer has");
}
