//! One hub, devices with certificates, clients that see packets.

use certmq::config::{Limits, MqttSettings};
use certmq::hub::{Client, ConnectRefused, Hub, Outbound, Peer, Wakes};
use certmq::policy::fleet::FleetFile;
use certmq::policy::{ChainFacts, DeviceKey, Identity, Policy, PolicySettings, Principal, SubjectSelector};
use certmq::protocol::{
    Ack, Connect, Decoded, MAX_PACKET_BYTES, Packet, PacketId, Properties, PropertiesBuf, Property, Publish, QoS,
    ReasonCode, Sender, Subscribe, SubscribeRequest, SubscriptionOptions, TopicFilter, TopicName, Version, decode,
};
use certmq::session::Moment;
use std::sync::Arc;

pub(crate) const NOW: Moment = Moment(1_000);

/// The policy of a fleet file in which devices are named by their common name, in the `epoch`-th epoch.
pub(crate) fn policy(fleet: &str, epoch: u64) -> Arc<Policy> {
    let records = FleetFile::parse(fleet, SubjectSelector::Cn).unwrap().records;
    let mut policy = Policy::compile(&records, PolicySettings::default(), 0).unwrap();
    for _ in 1..epoch {
        policy = policy.with_changes(&certmq::policy::ChangeSet::default(), 0).unwrap();
    }
    Arc::new(policy)
}

pub(crate) fn hub(fleet: &str, limits: Limits) -> Arc<Hub> {
    Hub::new(policy(fleet, 1), MqttSettings::default(), limits)
}

/// A device's certificate.
pub(crate) struct Device {
    pub(crate) key: DeviceKey,
    identity: Identity,
    chain: ChainFacts,
}

impl Device {
    pub(crate) fn new(common_name: &str, unit: &str) -> Self {
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(rcgen::DnType::OrganizationalUnitName, unit);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, common_name);
        let certificate = parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let identity = Identity::from_der(certificate.der()).unwrap();
        let chain = ChainFacts {
            anchor: identity.spki_sha256,
            certificates: Box::default(),
            not_after: identity.not_after,
            leaf_sha256: identity.sha256,
            subjects_entry: None,
        };
        let name = identity.device_name(SubjectSelector::Cn).unwrap();
        Self { key: DeviceKey { trust: Arc::from("default"), name }, identity, chain }
    }

    pub(crate) fn principal(&self, client_id: &str) -> Arc<Principal> {
        Arc::new(Principal::of(&self.identity, self.key.clone(), Arc::from(client_id)))
    }
}

/// A 5.0 client whose session waits for a day.
pub(crate) struct Seat {
    pub(crate) client: Client,
    pub(crate) outbound: Arc<Outbound>,
}

impl Seat {
    pub(crate) fn take(hub: &Arc<Hub>, device: &Device, client_id: &str) -> Result<Self, ConnectRefused> {
        let mut properties = PropertiesBuf::default();
        properties.push(Property::SessionExpiryInterval(86_400));
        let connect = Connect {
            version: Version::V5,
            clean_start: false,
            keep_alive: 60,
            client_id,
            will: None,
            username: None,
            password: None,
            properties: properties.as_properties(),
        };
        let outbound = Outbound::new(64 * 1024, NOW);
        let peer = Peer { identity: &device.identity, key: &device.key, chain: &device.chain };
        let client = hub.connect(peer, &connect, &outbound, NOW, &mut Wakes::default())?;
        Ok(Self { client, outbound })
    }

    pub(crate) fn publish(&mut self, topic: &str, payload: &str, retain: bool, id: u16) {
        let publish = Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain,
            topic: Some(TopicName::parse(topic).unwrap()),
            packet_id: PacketId::try_from(id).ok(),
            properties: Properties::default(),
            payload: payload.as_bytes(),
        };
        self.client.handle(Packet::Publish(publish), NOW, &mut Wakes::default()).unwrap();
    }

    pub(crate) fn subscribe(&mut self, filter: &str) {
        let request = SubscribeRequest {
            filter: TopicFilter::parse(filter).unwrap(),
            options: SubscriptionOptions::new(QoS::AtLeastOnce),
        };
        let packet_id = PacketId::try_from(9).unwrap();
        let subscribe = Subscribe { packet_id, properties: Properties::default(), requests: vec![request] };
        self.client.handle(Packet::Subscribe(subscribe), NOW, &mut Wakes::default()).unwrap();
    }

    /// The payloads of the messages that came, acknowledged.
    pub(crate) fn read(&mut self) -> Vec<String> {
        let messages = self.look();
        for (id, _) in &messages {
            let ack = Ack::new(id.unwrap(), ReasonCode::Success);
            self.client.handle(Packet::PubAck(ack), NOW, &mut Wakes::default()).unwrap();
        }
        messages.into_iter().map(|(_, text)| text).collect()
    }

    /// As [`Self::read`], but nothing is acknowledged.
    pub(crate) fn look(&mut self) -> Vec<(Option<PacketId>, String)> {
        let mut messages = Vec::new();
        let mut frames = Vec::new();
        loop {
            let taken = self.outbound.take(&mut frames);
            if taken.starved {
                self.client.pull(NOW, &mut Wakes::default());
            } else if frames.is_empty() {
                return messages;
            }
            let mut rest = frames.as_slice();
            while let Ok(Decoded::Packet { packet, length }) =
                decode(rest, Version::V5, Sender::Server, MAX_PACKET_BYTES)
            {
                rest = &rest[length..];
                if let Packet::Publish(publish) = packet {
                    messages.push((publish.packet_id, String::from_utf8(publish.payload.to_vec()).unwrap()));
                }
            }
        }
    }

    /// The connection breaks.
    pub(crate) fn leave(self) {
        self.client.end(NOW, &mut Wakes::default());
    }
}
