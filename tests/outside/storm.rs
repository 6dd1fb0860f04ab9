//! Bytes that nobody should send, from a device whose certificate is good, beside a client that behaves.

use crate::common::broker::Broker;
use crate::common::client::{Credentials, Endpoint, RawClient};
use crate::common::fleet::{Fleet, enter};
use crate::common::wire::{self, Connect, Packet, Version};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A well-behaved client may wait this long for its message, on a machine that is busy with the storm.
const SERVED_WITHIN: Duration = Duration::from_secs(5);

/// Runs `storm` on each listener while a well-behaved client goes on with QoS 1 to itself; then looks for panics.
fn beside_a_well_behaved_client(storm: impl Fn(Endpoint, &Credentials)) {
    let fleet = Fleet::new();
    let (hostile, good) = (fleet.device("device-001"), fleet.device("device-002"));
    let mut broker = fleet.serve();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let served = scope.spawn(|| behave(&broker, &good, &over));
        let ends = EndsAtDrop(&over);
        for endpoint in broker.endpoints() {
            storm(endpoint, &hostile);
        }
        drop(ends);
        let served = served.join().expect("the well-behaved client is served");
        assert!(served > 0, "it was there during the storm");
    });
    broker.assert_unharmed();
    enter(&broker, &hostile, Version::V5, "afterwards").leave();
}

/// Ends the well-behaved client also where the storm fails.
struct EndsAtDrop<'a>(&'a AtomicBool);

impl Drop for EndsAtDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Publishes to itself until `over`; returns how often it was served.
fn behave(broker: &Broker, credentials: &Credentials, over: &AtomicBool) -> u32 {
    let mut client = enter(broker, credentials, Version::V5, "well-behaved");
    assert_eq!(client.subscribe(&["devices/device-002/#"]), [1]);
    let mut served = 0;
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let id = u16::try_from(served % 60_000 + 1).expect("below 65 536");
        client.send(&wire::publish(Version::V5, "devices/device-002/x", b"x", 1, false, id));
        let packets = [client.receive(), client.receive()];
        let message = packets.iter().find(|packet| packet.kind() == wire::PUBLISH).expect("a message");
        client.send(&wire::acknowledge(wire::PUBACK, message.message(Version::V5).id));
        assert!(packets.iter().any(|packet| packet.kind() == wire::PUBACK && packet.id() == id));
        assert!(began.elapsed() < SERVED_WITHIN, "it waited {:?}", began.elapsed());
        served += 1;
    }
    served
}

#[test]
fn random_bytes_close_their_connection_alone() {
    beside_a_well_behaved_client(|endpoint, credentials| {
        let mut random = Random::seeded(1);
        for _ in 0..200 {
            let mut client = RawClient::handshake(endpoint, credentials).expect("a handshake");
            let mut bytes: Vec<u8> = (0..1 + random.below(300)).map(|_| random.byte()).collect();
            // A first byte of 0x10 would be the beginning of a CONNECT, which may wait for its rest.
            if bytes[0] == 0x10 {
                bytes[0] = 0xFF;
            }
            let _ = client.try_send(&bytes);
            client.expect_close();
        }
    });
}

#[test]
fn half_packets_end_with_their_connection() {
    beside_a_well_behaved_client(|endpoint, credentials| {
        let connect = Connect::clean("half").encode(Version::V5);
        for cut in 0..connect.len() {
            let mut client = RawClient::handshake(endpoint, credentials).expect("a handshake");
            client.send(&connect[..cut]);
            client.hang_up();
            assert_eq!(client.expect_close().map(|packet| packet.kind()), None, "half a CONNECT has no answer");
        }
        for packet in whole_packets() {
            for cut in 1..packet.len() {
                let mut client = RawClient::connect(endpoint, credentials, Version::V5, &Connect::clean("half"));
                client.send(&packet[..cut]);
                client.hang_up();
                client.expect_close();
            }
        }
    });
}

#[test]
fn a_client_that_never_finishes_its_connect_is_closed_at_the_deadline() {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    fleet.add_settings("[limits]\nconnect_timeout = \"1 s\"\n");
    let broker = fleet.serve();
    for endpoint in broker.endpoints() {
        let mut silent = RawClient::handshake(endpoint, &device).expect("a handshake");
        let mut half = RawClient::handshake(endpoint, &device).expect("a handshake");
        half.send(&Connect::clean("half").encode(Version::V5)[..7]);
        silent.expect_close();
        half.expect_close();
    }
}

#[test]
fn twenty_thousand_mutated_packets_harm_nobody() {
    let packets = std::env::var("CERTMQ_STORM_PACKETS").map_or(20_000, |n| n.parse().expect("a number"));
    beside_a_well_behaved_client(|endpoint, credentials| {
        std::thread::scope(|scope| {
            for seed in [11, 12] {
                scope.spawn(move || mutate(endpoint, credentials, seed, packets / 4));
            }
        });
    });
}

#[test]
fn frames_that_are_none_close_their_connection_alone() {
    use crate::common::websocket::Frames;
    beside_a_well_behaved_client(|endpoint, credentials| {
        let Endpoint::Wss(_) = endpoint else { return };
        let mut random = Random::seeded(3);
        let good = Frames::masked(Frames::BINARY, &Connect::clean("frames").encode(Version::V5));
        for _ in 0..200 {
            let mut client = RawClient::handshake(endpoint, credentials).expect("a handshake");
            let mut bytes = good.clone();
            for _ in 0..3 {
                let at = random.below(bytes.len().min(20));
                bytes[at] = random.byte();
            }
            client.send_raw(&bytes);
            client.hang_up();
            client.read_raw_to_end();
        }
    });
}

/// Sends `count` mutated packets, on a new connection whenever the broker closed the old one.
fn mutate(endpoint: Endpoint, credentials: &Credentials, seed: u64, count: u32) {
    let mut random = Random::seeded(seed);
    let originals = whole_packets();
    let client_id = format!("storm-{seed}");
    let mut client: Option<RawClient> = None;
    for _ in 0..count {
        if random.below(16) == 0 {
            let connect = random.mutated(&Connect::lasting(&client_id).encode(Version::V5));
            let fresh = RawClient::handshake(endpoint, credentials).expect("a handshake");
            client = after(fresh, &connect);
            continue;
        }
        let version = if random.below(2) == 0 { Version::V5 } else { Version::V3_1_1 };
        let connected = client
            .take()
            .unwrap_or_else(|| RawClient::connect(endpoint, credentials, version, &Connect::clean(&client_id)));
        let index = random.below(originals.len());
        client = after(connected, &random.mutated(&originals[index]));
    }
}

/// The client, if the broker still serves it after these bytes. A packet that promises more than it brings is
/// followed by the end of the connection, which the broker must notice.
fn after(mut client: RawClient, bytes: &[u8]) -> Option<RawClient> {
    let whole = ends_with_a_packet(bytes);
    let ping = if whole { wire::ping() } else { Vec::new() };
    if client.try_send(&[bytes, &ping].concat()).is_err() {
        return None;
    }
    if !whole {
        client.hang_up();
        client.expect_close();
        return None;
    }
    client.answers_ping().then_some(client)
}

fn ends_with_a_packet(mut bytes: &[u8]) -> bool {
    while let Some((_, length)) = Packet::split(bytes) {
        bytes = &bytes[length..];
    }
    bytes.is_empty()
}

/// One of each kind that a client may send, as 5.0 writes them; to a 3.1.1 connection they are mutations already.
fn whole_packets() -> Vec<Vec<u8>> {
    let v5 = Version::V5;
    vec![
        wire::publish(v5, "devices/device-001/x", b"payload", 0, false, 0),
        wire::publish(v5, "devices/device-001/x", b"payload", 1, true, 7),
        wire::publish(v5, "devices/device-001/y", b"payload", 2, false, 8),
        with_properties(),
        wire::subscribe(v5, 9, &[("devices/device-001/#", 2), ("$share/g/devices/device-001/+", 1)]),
        // UNSUBSCRIBE
        vec![0xA2, 8, 0, 10, 0, 0, 3, b'a', b'/', b'#'],
        wire::acknowledge(wire::PUBACK, 1),
        wire::acknowledge(wire::PUBREC, 1),
        wire::acknowledge(wire::PUBREL, 8),
        wire::acknowledge(wire::PUBCOMP, 1),
        wire::ping(),
        // AUTH
        vec![0xF0, 2, 0x18, 0],
        // DISCONNECT with a session expiry
        vec![0xE0, 7, 4, 5, 0x11, 0, 0, 0, 9],
        Connect { will: Some(("devices/device-001/will", b"gone")), ..Connect::lasting("second") }.encode(v5),
    ]
}

/// A PUBLISH with one of each property that a client may put there.
fn with_properties() -> Vec<u8> {
    let mut properties = vec![0x01, 1, 0x02, 0, 0, 0, 60, 0x23, 0, 1];
    properties.extend(b"\x03\x00\x04text\x08\x00\x05reply\x09\x00\x02id\x26\x00\x01k\x00\x01v");
    let topic = b"devices/device-001/p";
    let mut body = vec![0, topic.len() as u8];
    body.extend(topic);
    body.push(properties.len() as u8);
    body.extend(properties);
    body.extend(b"payload");
    let mut packet = vec![0x30, body.len() as u8];
    packet.extend(body);
    packet
}

/// xorshift64*: the same storm each time.
struct Random(u64);

impl Random {
    fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    /// A copy with one to three faults: a byte changed, a bit flipped, one lost, one too many, a cut, a doubled piece.
    fn mutated(&mut self, original: &[u8]) -> Vec<u8> {
        let mut bytes = original.to_vec();
        for _ in 0..1 + self.below(3) {
            if bytes.is_empty() {
                break;
            }
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes[at] = self.byte(),
                1 => bytes[at] ^= 1 << self.below(8),
                2 => drop(bytes.remove(at)),
                3 => bytes.insert(at, self.byte()),
                4 => bytes.truncate(at),
                _ => {
                    let piece = bytes[at..].to_vec();
                    bytes.extend(piece);
                }
            }
        }
        bytes
    }
}
