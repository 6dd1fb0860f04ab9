//! One client on a TLS stream: packets of MQTT 3.1.1 and 5.0, through mqttbytes.

use crate::LoadError;
use bytes::{Bytes, BytesMut};
use mqttbytes::{QoS, v4, v5};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// More than any packet of a load test.
const MAXIMUM_PACKET: usize = 16 << 20;

const READ_BUFFER: usize = 64 << 10;

/// Of a client that only waits.
const IDLE_BUFFER: usize = 512;

/// The protocol version of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
pub enum Version {
    /// MQTT 3.1.1.
    #[value(name = "3.1.1")]
    #[serde(rename = "3.1.1")]
    V311,
    /// MQTT 5.0.
    #[value(name = "5")]
    #[serde(rename = "5")]
    V5,
}

/// What a client sends.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the packets of the standard")]
pub enum Outgoing {
    Publish { topic: Arc<str>, qos: QoS, packet_id: u16, payload: Bytes },
    PubAck(u16),
    PubRec(u16),
    PubRel(u16),
    PubComp(u16),
    PingReq,
}

/// What a client receives, as far as a load test looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the packets of the standard")]
pub enum Incoming {
    ConnAck { refusal: Option<String>, receive_maximum: u16 },
    SubAck { refusal: Option<String> },
    Publish { qos: QoS, packet_id: u16, payload: Bytes },
    PubAck { packet_id: u16, refusal: Option<String> },
    PubRec { packet_id: u16, refusal: Option<String> },
    PubRel(u16),
    PubComp(u16),
    PingResp,
    Disconnect(String),
    Other,
}

/// A connected client.
#[derive(Debug)]
pub struct Client {
    id: String,
    version: Version,
    stream: TlsStream<TcpStream>,
    input: BytesMut,
    output: BytesMut,
    read_buffer: usize,
    /// How many QoS 1 and 2 messages the broker lets this client have in flight.
    pub receive_maximum: u16,
}

/// What TLS agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Negotiated {
    /// `TLSv1_3`, say.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
    /// The key exchange group.
    pub group: String,
}

impl Client {
    /// Connects with a clean session and without keep alive.
    pub async fn connect(
        address: SocketAddr,
        server_name: ServerName<'static>,
        config: Arc<ClientConfig>,
        id: &str,
        version: Version,
    ) -> Result<Self, LoadError> {
        let failed = |source| LoadError::Connect { peer: address.to_string(), source };
        let socket = TcpStream::connect(address).await.map_err(failed)?;
        socket.set_nodelay(true)?;
        let stream = TlsConnector::from(config).connect(server_name, socket).await.map_err(failed)?;
        let (input, output) = (BytesMut::with_capacity(READ_BUFFER), BytesMut::new());
        let mut client = Self {
            id: id.to_owned(),
            version,
            stream,
            input,
            output,
            read_buffer: READ_BUFFER,
            receive_maximum: u16::MAX,
        };
        client.send_connect().await?;
        match client.receive().await? {
            Incoming::ConnAck { refusal: None, receive_maximum } => client.receive_maximum = receive_maximum,
            Incoming::ConnAck { refusal: Some(reason), .. } => return Err(client.refused(reason)),
            other => return Err(client.refused(format!("{other:?} instead of CONNACK"))),
        }
        Ok(client)
    }

    async fn send_connect(&mut self) -> Result<(), LoadError> {
        match self.version {
            Version::V311 => {
                let mut connect = v4::Connect::new(self.id.as_str());
                connect.keep_alive = 0;
                connect.write(&mut self.output).map_err(codec)?;
            }
            Version::V5 => {
                let mut connect = v5::Connect::new(self.id.as_str());
                connect.keep_alive = 0;
                connect.write(&mut self.output).map_err(codec)?;
            }
        }
        self.flush().await
    }

    /// Subscribes to one filter and waits for the answer.
    pub async fn subscribe(&mut self, filter: &str, qos: QoS) -> Result<(), LoadError> {
        match self.version {
            Version::V311 => {
                let mut subscribe = v4::Subscribe::new(filter, qos);
                subscribe.pkid = 1;
                subscribe.write(&mut self.output).map_err(codec)?;
            }
            Version::V5 => {
                let mut subscribe = v5::Subscribe::new(filter, qos);
                subscribe.pkid = 1;
                subscribe.write(&mut self.output).map_err(codec)?;
            }
        }
        self.flush().await?;
        match self.receive().await? {
            Incoming::SubAck { refusal: None } => Ok(()),
            Incoming::SubAck { refusal: Some(reason) } => Err(self.refused(reason)),
            other => Err(self.refused(format!("{other:?} instead of SUBACK"))),
        }
    }

    /// What TLS agreed on.
    pub fn negotiated(&self) -> Negotiated {
        let (_, connection) = self.stream.get_ref();
        let text = |value: Option<String>| value.unwrap_or_default();
        Negotiated {
            version: text(connection.protocol_version().map(|version| format!("{version:?}"))),
            cipher: text(connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()))),
            group: text(connection.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name()))),
        }
    }

    /// Puts a packet into the buffer; [`Client::flush`] sends what is there.
    pub fn queue(&mut self, packet: Outgoing) -> Result<(), LoadError> {
        match self.version {
            Version::V311 => write_v4(packet, &mut self.output),
            Version::V5 => write_v5(packet, &mut self.output),
        }
        .map(drop)
        .map_err(codec)
    }

    /// Sends the buffer in one write: up to 16 KiB of it make one TLS record.
    pub async fn flush(&mut self) -> Result<(), LoadError> {
        if !self.output.is_empty() {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await?;
            self.output.clear();
        }
        Ok(())
    }

    /// The next packet.
    pub async fn receive(&mut self) -> Result<Incoming, LoadError> {
        loop {
            if let Some(packet) = self.buffered()? {
                return Ok(packet);
            }
            self.fill().await?;
        }
    }

    /// The next packet that has already been read, if a whole one has.
    pub fn buffered(&mut self) -> Result<Option<Incoming>, LoadError> {
        if self.version == Version::V5
            && let Some(reason) = disconnect_reason(&self.input)
        {
            self.input.clear();
            return Err(self.refused(format!("DISCONNECT {reason:#04x}")));
        }
        let packet = match self.version {
            Version::V311 => v4::read(&mut self.input, MAXIMUM_PACKET).map(from_v4),
            Version::V5 => v5::read(&mut self.input, MAXIMUM_PACKET).map(from_v5),
        };
        match packet {
            Ok(Incoming::Disconnect(reason)) => Err(self.refused(format!("DISCONNECT {reason}"))),
            Ok(packet) => Ok(Some(packet)),
            Err(mqttbytes::Error::InsufficientBytes(_)) => Ok(None),
            Err(fault) => Err(codec(fault)),
        }
    }

    /// From now on little is read: one of thousands needs little memory.
    pub fn shrink(&mut self) {
        self.read_buffer = IDLE_BUFFER;
        self.input = BytesMut::from(self.input.as_ref());
        self.output = BytesMut::new();
    }

    /// Reads once from the stream; safe to cancel.
    pub async fn fill(&mut self) -> Result<(), LoadError> {
        self.input.reserve(self.read_buffer);
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(LoadError::Connection(std::io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }

    fn refused(&self, reason: String) -> LoadError {
        LoadError::Refused { client: self.id.clone(), reason }
    }
}

/// The reason of a 5.0 DISCONNECT at the front of `input`. mqttbytes waits for ever for the properties of one that ends
/// with its reason, as it may (MQTT 5.0 section 3.14.2.2.1).
fn disconnect_reason(input: &[u8]) -> Option<u8> {
    match input {
        [0xE0, 0, ..] => Some(0),
        [0xE0, length, reason, ..] if input.len() >= 2 + usize::from(*length) => Some(*reason),
        _ => None,
    }
}

fn codec(fault: mqttbytes::Error) -> LoadError {
    LoadError::Codec(format!("{fault:?}"))
}

fn write_v4(packet: Outgoing, output: &mut BytesMut) -> Result<usize, mqttbytes::Error> {
    match packet {
        Outgoing::Publish { topic, qos, packet_id, payload } => {
            let mut publish = v4::Publish::from_bytes(&*topic, qos, payload);
            publish.pkid = packet_id;
            publish.write(output)
        }
        Outgoing::PubAck(packet_id) => v4::PubAck::new(packet_id).write(output),
        Outgoing::PubRec(packet_id) => v4::PubRec::new(packet_id).write(output),
        Outgoing::PubRel(packet_id) => v4::PubRel::new(packet_id).write(output),
        Outgoing::PubComp(packet_id) => v4::PubComp::new(packet_id).write(output),
        Outgoing::PingReq => v4::PingReq.write(output),
    }
}

fn write_v5(packet: Outgoing, output: &mut BytesMut) -> Result<usize, mqttbytes::Error> {
    match packet {
        Outgoing::Publish { topic, qos, packet_id, payload } => {
            let mut publish = v5::Publish::from_bytes(&*topic, qos, payload);
            publish.pkid = packet_id;
            publish.write(output)
        }
        Outgoing::PubAck(packet_id) => v5::PubAck::new(packet_id).write(output),
        Outgoing::PubRec(packet_id) => v5::PubRec::new(packet_id).write(output),
        Outgoing::PubRel(packet_id) => v5::PubRel::new(packet_id).write(output),
        Outgoing::PubComp(packet_id) => v5::PubComp::new(packet_id).write(output),
        Outgoing::PingReq => v5::PingReq.write(output),
    }
}

fn from_v4(packet: v4::Packet) -> Incoming {
    match packet {
        v4::Packet::ConnAck(ack) => {
            let refusal = (ack.code != v4::ConnectReturnCode::Success).then(|| format!("{:?}", ack.code));
            Incoming::ConnAck { refusal, receive_maximum: u16::MAX }
        }
        v4::Packet::SubAck(ack) => {
            let failed = ack.return_codes.contains(&v4::SubscribeReasonCode::Failure);
            Incoming::SubAck { refusal: failed.then(|| "the subscription is not allowed".to_owned()) }
        }
        v4::Packet::Publish(publish) => {
            Incoming::Publish { qos: publish.qos, packet_id: publish.pkid, payload: publish.payload }
        }
        v4::Packet::PubAck(ack) => Incoming::PubAck { packet_id: ack.pkid, refusal: None },
        v4::Packet::PubRec(ack) => Incoming::PubRec { packet_id: ack.pkid, refusal: None },
        v4::Packet::PubRel(release) => Incoming::PubRel(release.pkid),
        v4::Packet::PubComp(complete) => Incoming::PubComp(complete.pkid),
        v4::Packet::PingResp => Incoming::PingResp,
        _ => Incoming::Other,
    }
}

fn from_v5(packet: v5::Packet) -> Incoming {
    match packet {
        v5::Packet::ConnAck(ack) => {
            let refusal = (ack.code != v5::ConnectReturnCode::Success).then(|| format!("{:?}", ack.code));
            let receive_maximum = ack.properties.and_then(|properties| properties.receive_max).unwrap_or(u16::MAX);
            Incoming::ConnAck { refusal, receive_maximum }
        }
        v5::Packet::SubAck(ack) => {
            use v5::SubscribeReasonCode::{QoS0, QoS1, QoS2};
            let refused = ack.return_codes.iter().find(|code| !matches!(code, QoS0 | QoS1 | QoS2));
            Incoming::SubAck { refusal: refused.map(|code| format!("{code:?}")) }
        }
        v5::Packet::Publish(publish) => {
            Incoming::Publish { qos: publish.qos, packet_id: publish.pkid, payload: publish.payload }
        }
        v5::Packet::PubAck(ack) => {
            use v5::PubAckReason::{NoMatchingSubscribers, Success};
            let refused = !matches!(ack.reason, Success | NoMatchingSubscribers);
            Incoming::PubAck { packet_id: ack.pkid, refusal: refused.then(|| format!("{:?}", ack.reason)) }
        }
        v5::Packet::PubRec(ack) => {
            use v5::PubRecReason::{NoMatchingSubscribers, Success};
            let refused = !matches!(ack.reason, Success | NoMatchingSubscribers);
            Incoming::PubRec { packet_id: ack.pkid, refusal: refused.then(|| format!("{:?}", ack.reason)) }
        }
        v5::Packet::PubRel(release) => Incoming::PubRel(release.pkid),
        v5::Packet::PubComp(complete) => Incoming::PubComp(complete.pkid),
        v5::Packet::PingResp => Incoming::PingResp,
        v5::Packet::Disconnect(disconnect) => Incoming::Disconnect(format!("{:?}", disconnect.reason_code)),
        _ => Incoming::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::disconnect_reason;

    #[test]
    fn a_disconnect_is_read_once_it_is_whole() {
        assert_eq!(disconnect_reason(&[0xE0, 1, 0x98]), Some(0x98));
        assert_eq!(disconnect_reason(&[0xE0, 2, 0x87, 0]), Some(0x87));
        assert_eq!(disconnect_reason(&[0xE0, 0]), Some(0));
        for unfinished in [&[0xE0][..], &[0xE0, 1], &[0xE0, 2, 0x87], &[0x30, 1, 0x98], &[]] {
            assert_eq!(disconnect_reason(unfinished), None);
        }
    }
}
