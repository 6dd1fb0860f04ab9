//! rumqttc, the client of the Rust world: its modules for 3.1.1 and 5.0, over TCP and over WebSocket; each QoS,
//! retained, will, a denied subscription.

use crate::common::PATIENCE;
use crate::common::broker::Broker;
use crate::common::client::{Credentials, Endpoint};
use crate::common::fleet::Fleet;
use rumqttc::{TlsConfiguration, Transport};
use std::sync::Arc;
use tokio::time::timeout;

/// Where the client connects, as it wants to be told: over WebSocket with a URL.
fn target(endpoint: Endpoint, credentials: &Credentials) -> (String, u16, Transport) {
    let tls = TlsConfiguration::Rustls(Arc::new(credentials.config()));
    let port = endpoint.address().port();
    match endpoint {
        Endpoint::Mqtts(_) => ("localhost".to_owned(), port, Transport::Tls(tls)),
        Endpoint::Wss(_) => (format!("wss://localhost:{port}/mqtt"), port, Transport::Wss(tls)),
    }
}

const TOPIC: &str = "devices/device-001/rumqttc";

/// The two modules have the same words for types that have nothing in common. `$will`, `$failure`: theirs for a will
/// and for the code of a subscription that was denied.
macro_rules! does_everything {
    ($tests:ident, $client:path, $options:path, $event:path, $packet:path, $qos:path, $will:expr, $failure:pat) => {
        mod $tests {
            use super::*;
            use {$client as Client, $event as Event, $options as Options, $packet as Packet, $qos as QoS};

            fn options(name: &str, endpoint: Endpoint, device: &Credentials) -> Options {
                let (host, port, transport) = target(endpoint, device);
                let mut options = Options::new(name, host, port);
                options.set_transport(transport);
                options
            }

            /// The next packet of the kind that is looked for; others are passed over.
            macro_rules! next {
                ($events:expr, $pattern:pat => $found:expr) => {
                    timeout(PATIENCE, async {
                        loop {
                            if let Event::Incoming($pattern) = $events.poll().await.expect("a connection") {
                                break $found;
                            }
                        }
                    })
                    .await
                    .expect("a packet in time")
                };
            }

            async fn everything(endpoint: Endpoint, device: &Credentials) {
                let (client, mut events) = Client::new(options("main", endpoint, device), 16);
                for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                    let topic = format!("{TOPIC}/{}", qos as u8);
                    client.subscribe(&topic, qos).await.expect("a queue with room");
                    next!(events, Packet::SubAck(_) => ());
                    client.publish(&topic, qos, false, "hello").await.expect("a queue with room");
                    let message = next!(events, Packet::Publish(message) => message);
                    assert_eq!((&message.topic[..], message.qos), (topic[..].as_ref(), qos));
                    assert_eq!((&message.payload[..], message.retain), (&b"hello"[..], false));
                }

                let kept = format!("{TOPIC}/kept");
                client.publish(&kept, QoS::AtLeastOnce, true, "kept").await.expect("a queue with room");
                next!(events, Packet::PubAck(_) => ());
                client.subscribe(&kept, QoS::AtLeastOnce).await.expect("a queue with room");
                let message = next!(events, Packet::Publish(message) => message);
                assert_eq!((&message.payload[..], message.retain), (&b"kept"[..], true));

                let willed = format!("{TOPIC}/will");
                client.subscribe(&willed, QoS::AtLeastOnce).await.expect("a queue with room");
                next!(events, Packet::SubAck(_) => ());
                let mut mortal = options("mortal", endpoint, device);
                mortal.set_last_will($will(&willed));
                let (_client, mut mortal) = Client::new(mortal, 16);
                next!(mortal, Packet::ConnAck(_) => ());
                // Without DISCONNECT.
                drop(mortal);
                let message = next!(events, Packet::Publish(message) => message);
                assert_eq!((&message.topic[..], &message.payload[..]), (willed[..].as_ref(), &b"gone"[..]));

                client.subscribe("#", QoS::AtMostOnce).await.expect("a queue with room");
                let answer = next!(events, Packet::SubAck(answer) => answer);
                assert!(matches!(answer.return_codes[..], [$failure]), "{answer:?}");
            }

            #[tokio::test]
            async fn over_tcp() {
                let (broker, device, _fleet) = broker();
                everything(Endpoint::Mqtts(broker.address), &device).await;
            }

            #[tokio::test]
            async fn over_websocket() {
                let (broker, device, _fleet) = broker();
                everything(broker.wss(), &device).await;
            }
        }
    };
}

fn broker() -> (Broker, Credentials, Fleet) {
    let fleet = Fleet::new();
    let device = fleet.device("device-001");
    (fleet.serve(), device, fleet)
}

does_everything!(
    rumqttc_does_everything_of_3_1_1,
    rumqttc::AsyncClient,
    rumqttc::MqttOptions,
    rumqttc::Event,
    rumqttc::Packet,
    rumqttc::QoS,
    |topic: &str| rumqttc::LastWill::new(topic, "gone", QoS::AtLeastOnce, false),
    rumqttc::SubscribeReasonCode::Failure
);

does_everything!(
    rumqttc_does_everything_of_5_0,
    rumqttc::v5::AsyncClient,
    rumqttc::v5::MqttOptions,
    rumqttc::v5::Event,
    rumqttc::v5::mqttbytes::v5::Packet,
    rumqttc::v5::mqttbytes::QoS,
    |topic: &str| rumqttc::v5::mqttbytes::v5::LastWill::new(topic, "gone", QoS::AtLeastOnce, false, None),
    rumqttc::v5::mqttbytes::v5::SubscribeReasonCode::NotAuthorized
);
