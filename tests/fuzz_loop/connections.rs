//! Clients that say anything: what they send is what the codec lets through of mutated packets, and what they are sent
//! must be good packets within their terms.

use super::packets::invariants;
use super::{Random, mutate};
use certmq::config::{Limits, MqttSettings};
use certmq::hub::{Client, Hub, Outbound, Peer, Wakes};
use certmq::policy::fleet::FleetFile;
use certmq::policy::{ChainFacts, DeviceKey, Identity, Policy, PolicySettings, SubjectSelector};
use certmq::protocol::{Connect, Decoded, MAX_PACKET_BYTES, Packet, Sender, Version, decode, decode_connect};
use certmq::session::Moment;
use std::collections::HashSet;
use std::sync::Arc;

const SEATS: usize = 6;
const OUTBOUND_BYTES: usize = 8_192;
const FLEET: &str = "version = 1\n[[devices]]\nsubject = \"CN=fuzz\"\n\
    allow = [ { publish = \"#\" }, { subscribe = \"#\" } ]\ndeny = [ { subscribe = \"a/a\" } ]\n";

/// A hub and the seats of one device.
pub(crate) struct Connections {
    hub: Arc<Hub>,
    device: Device,
    seats: [Option<Seat>; SEATS],
    now: Moment,
    /// Publications that readers were sent.
    pub(crate) delivered: u64,
}

struct Device {
    identity: Identity,
    key: DeviceKey,
    chain: ChainFacts,
}

struct Seat {
    client: Client,
    outbound: Arc<Outbound>,
    version: Version,
    maximum_packet_size: usize,
}

impl Connections {
    pub(crate) fn new() -> Self {
        let records = FleetFile::parse(FLEET, SubjectSelector::Dn).unwrap().records;
        let policy = Policy::compile(&records, PolicySettings::default(), 0).unwrap();
        let limits = Limits { sessions_per_device: SEATS * 4, ..Limits::default() };
        let hub = Hub::new(Arc::new(policy), MqttSettings::default(), limits);
        Self { hub, device: Device::new(), seats: Default::default(), now: Moment(0), delivered: 0 }
    }

    /// Somebody says something, and reads what came of it.
    pub(crate) fn step(&mut self, corpus: &[Vec<u8>], random: &mut Random) {
        self.now = Moment(self.now.0 + random.below(300) as u64);
        let number = random.below(SEATS);
        match self.seats[number].take() {
            None => self.seats[number] = self.sit_down(corpus, random),
            Some(seat) if random.below(200) == 0 => seat.client.end(self.now, &mut Wakes::default()),
            Some(mut seat) => {
                let mut bytes = said(corpus, random);
                if random.below(3) == 0 {
                    mutate(&mut bytes, corpus, random);
                }
                match seat.hear(&bytes, self.now) {
                    Ok(()) => self.seats[number] = Some(seat),
                    Err(()) => seat.client.end(self.now, &mut Wakes::default()),
                }
            }
        }
        if random.below(50) == 0 {
            self.hub.tick(self.now, &mut Wakes::default());
        }
        let reads = random.below(4) > 0;
        if let Some(seat) = self.seats[number].as_mut().filter(|_| reads)
            && !seat.read(self.now, &mut self.delivered)
        {
            let seat = self.seats[number].take().unwrap();
            seat.client.end(self.now, &mut Wakes::default());
        }
    }

    /// Whatever the corpus knows as a CONNECT, under one of a few client ids.
    fn sit_down(&self, corpus: &[Vec<u8>], random: &mut Random) -> Option<Seat> {
        let bytes = random.pick(corpus);
        let Ok(Decoded::Packet { packet: Packet::Connect(found), .. }) = decode_connect(bytes, MAX_PACKET_BYTES) else {
            return None;
        };
        let client_id = format!("client-{}", random.below(SEATS * 3));
        let connect = Connect { client_id: &client_id, ..found };
        let outbound = Outbound::new(OUTBOUND_BYTES, self.now);
        let Device { identity, key, chain } = &self.device;
        let peer = Peer { identity, key, chain };
        let client = self.hub.connect(peer, &connect, &outbound, self.now, &mut Wakes::default()).ok()?;
        let maximum_packet_size = connect.properties.maximum_packet_size().unwrap_or(MAX_PACKET_BYTES) as usize;
        Some(Seat { client, outbound, version: connect.version, maximum_packet_size })
    }
}

impl Seat {
    /// Everything in `bytes` that is a packet; an error where the connection must end.
    fn hear(&mut self, bytes: &[u8], now: Moment) -> Result<(), ()> {
        let mut rest = bytes;
        loop {
            match decode(rest, self.version, Sender::Client, MAX_PACKET_BYTES) {
                Ok(Decoded::Incomplete { .. }) => return Ok(()),
                Ok(Decoded::Packet { packet, length }) => {
                    self.outbound.touch(now);
                    self.client.handle(packet, now, &mut Wakes::default()).map_err(drop)?;
                    rest = &rest[length..];
                }
                Err(_) => return Err(()),
            }
        }
    }

    /// Says whether the connection goes on.
    fn read(&self, now: Moment, delivered: &mut u64) -> bool {
        let mut frames = Vec::new();
        let mut in_flight = HashSet::new();
        loop {
            let taken = self.outbound.take(&mut frames);
            let mut wire = frames.clone();
            wire.extend_from_slice(taken.large.as_deref().unwrap_or_default());
            // A packet that follows a large one waits for the next turn, so frames are always whole here.
            *delivered += self.check(&wire, &mut in_flight);
            if taken.closing.is_some() {
                return false;
            }
            if taken.starved {
                self.client.pull(now, &mut Wakes::default());
            } else if wire.is_empty() {
                return true;
            }
        }
    }

    /// Says how many publications there were.
    fn check(&self, wire: &[u8], in_flight: &mut HashSet<u16>) -> u64 {
        let mut rest = wire;
        let mut publications = 0;
        while !rest.is_empty() {
            let read = decode(rest, self.version, Sender::Server, MAX_PACKET_BYTES);
            let Ok(Decoded::Packet { packet, length }) = read else {
                panic!("a {:?} client was sent {rest:02X?}: {read:?}", self.version)
            };
            assert!(length <= self.maximum_packet_size, "{length} bytes of {}: {packet:?}", self.maximum_packet_size);
            invariants::check_connection(&rest[..length], self.version, Sender::Server);
            if let Packet::Publish(publish) = packet {
                publications += 1;
                if let Some(id) = publish.packet_id {
                    assert!(in_flight.insert(id.0.get()), "packet id {id:?} twice at once");
                }
            }
            rest = &rest[length..];
        }
        publications
    }
}

/// A packet of the corpus, or one that the others will meet.
fn said(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    const MEETING: [&[u8]; 12] = [
        // SUBSCRIBE a/#, +/a and $share/g/#, as 5.0 and as 3.x.
        b"\x82\x09\x00\x01\x00\x00\x03a/#\x02",
        b"\x82\x09\x00\x02\x00\x00\x03+/a\x09",
        b"\x82\x10\x00\x03\x00\x00\x0a$share/g/#\x02",
        b"\x82\x08\x00\x01\x00\x03a/#\x02",
        b"\x82\x0f\x00\x03\x00\x0a$share/g/#\x01",
        // PUBLISH a/b with QoS 1, 2 and retained, as 5.0 and as 3.x.
        b"\x32\x09\x00\x03a/b\x00\x07\x00x",
        b"\x34\x09\x00\x03a/b\x00\x08\x00y",
        b"\x31\x07\x00\x03a/a\x00z",
        b"\x32\x08\x00\x03a/b\x00\x07x",
        b"\x34\x08\x00\x03a/b\x00\x08y",
        // PUBREL for the id above, UNSUBSCRIBE a/#.
        b"\x62\x02\x00\x08",
        b"\xa2\x08\x00\x04\x00\x00\x03a/#",
    ];
    match random.below(4) {
        0 => random.pick(corpus).clone(),
        1 => {
            let kind = *random.pick(&[0x40, 0x50, 0x62, 0x70]);
            vec![kind, 2, 0, 1 + random.below(20) as u8]
        }
        _ => random.pick(&MEETING).to_vec(),
    }
}

impl Device {
    fn new() -> Self {
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "fuzz");
        let certificate = parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let identity = Identity::from_der(certificate.der()).unwrap();
        let name = identity.device_name(SubjectSelector::Dn).unwrap();
        let chain = ChainFacts {
            anchor: identity.spki_sha256,
            certificates: Box::default(),
            not_after: identity.not_after,
            leaf_sha256: identity.sha256,
            subjects_entry: None,
        };
        Self { key: DeviceKey { trust: Arc::from("default"), name }, chain, identity }
    }
}
