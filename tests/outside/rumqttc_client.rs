//! rumqttc, the client of the Rust world: its modules for 3.1.1 and 5.0, QoS 0 to 2.

use crate::common::PATIENCE;
use crate::common::client::Credentials;
use crate::common::fleet::Fleet;
use rumqttc::{TlsConfiguration, Transport};
use std::sync::Arc;
use tokio::time::timeout;

fn transport(credentials: &Credentials) -> Transport {
    Transport::Tls(TlsConfiguration::Rustls(Arc::new(credentials.config())))
}

/// The two modules have the same words for types that have nothing in common.
macro_rules! speaks_with_every_qos {
    ($test:ident, $client:path, $options:path, $event:path, $packet:path, $qos:path) => {
        #[tokio::test]
        async fn $test() {
            use {$client as Client, $event as Event, $options as Options, $packet as Packet, $qos as QoS};
            let fleet = Fleet::new();
            let device = fleet.device("device-001");
            let broker = fleet.serve();
            let mut options = Options::new(stringify!($test), "localhost", broker.address.port());
            options.set_transport(transport(&device));
            let (client, mut events) = Client::new(options, 16);
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                let topic = format!("devices/device-001/rumqttc/{}", qos as u8);
                client.subscribe(&topic, qos).await.expect("a queue with room");
                let delivered = async {
                    loop {
                        match events.poll().await.expect("a connection") {
                            Event::Incoming(Packet::SubAck(_)) => {
                                client.publish(&topic, qos, false, "hello").await.expect("a queue with room");
                            }
                            Event::Incoming(Packet::Publish(message)) => break message,
                            _ => {}
                        }
                    }
                };
                let message = timeout(PATIENCE, delivered).await.expect("a message in time");
                assert_eq!((&message.topic[..], message.qos), (topic[..].as_ref(), qos));
                assert_eq!(&message.payload[..], b"hello");
            }
        }
    };
}

speaks_with_every_qos!(
    rumqttc_speaks_3_1_1_with_every_qos,
    rumqttc::AsyncClient,
    rumqttc::MqttOptions,
    rumqttc::Event,
    rumqttc::Packet,
    rumqttc::QoS
);

speaks_with_every_qos!(
    rumqttc_speaks_5_0_with_every_qos,
    rumqttc::v5::AsyncClient,
    rumqttc::v5::MqttOptions,
    rumqttc::v5::Event,
    rumqttc::v5::mqttbytes::v5::Packet,
    rumqttc::v5::mqttbytes::QoS
);
