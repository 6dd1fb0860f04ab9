//! A blocking client over TLS that sends the bytes it is told to and says what came back.

use super::PATIENCE;
use super::websocket::Frames;
use super::wire::{self, Connect, Message, Packet, Version};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, RootCertStore, SignatureScheme, StreamOwned,
    SupportedProtocolVersion,
};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files of one client: a CA to trust, and its own certificate and key, if it has one.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) server_ca: PathBuf,
    pub(crate) own: Option<(PathBuf, PathBuf)>,
}

impl Credentials {
    /// A configuration for rustls that presents the certificate as it is, however odd.
    pub(crate) fn config(&self) -> ClientConfig {
        self.config_for(rustls::ALL_VERSIONS)
    }

    /// The same with these versions of TLS only.
    pub(crate) fn config_for(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(&self.server_ca));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("the provider has both versions")
            .with_root_certificates(roots);
        match &self.own {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_cert_resolver(Arc::new(AsItIs::load(chain, key))),
        }
    }
}

fn certificates(file: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Presents a certificate without judging it; rustls itself would not load an X.509 v1 certificate.
#[derive(Debug)]
struct AsItIs(Arc<CertifiedKey>);

impl AsItIs {
    fn load(chain: &Path, key: &Path) -> Self {
        let key = PrivateKeyDer::from_pem_file(key).unwrap_or_else(|error| panic!("{}: {error}", key.display()));
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).expect("a key that signs");
        Self(Arc::new(CertifiedKey::new(certificates(chain), key)))
    }
}

impl ResolvesClientCert for AsItIs {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Where a broker listens, and what carries MQTT there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// MQTT right inside TLS.
    Mqtts(SocketAddr),
    /// MQTT in WebSocket frames inside TLS.
    Wss(SocketAddr),
}

impl Endpoint {
    pub(crate) fn address(self) -> SocketAddr {
        match self {
            Self::Mqtts(address) | Self::Wss(address) => address,
        }
    }
}

/// A bare address is that of MQTT over TLS.
impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Mqtts(address)
    }
}

/// One connection. Every wait ends after [`PATIENCE`] with a panic that says what was awaited.
pub(crate) struct RawClient {
    stream: StreamOwned<ClientConnection, TcpStream>,
    /// On a WebSocket.
    frames: Option<Frames>,
    inbox: Vec<u8>,
    pub(crate) version: Version,
    next_id: u16,
}

impl RawClient {
    /// Shakes hands, on a WebSocket the opening one too. In TLS 1.3 the server judges the client's certificate
    /// afterwards: see [`refusal`].
    pub(crate) fn handshake(endpoint: impl Into<Endpoint>, credentials: &Credentials) -> io::Result<Self> {
        let endpoint = endpoint.into();
        let mut client = Self::tls(endpoint.address(), credentials.config())?;
        if let Endpoint::Wss(_) = endpoint {
            client.frames = Some(Frames::open(&mut client.stream)?);
        }
        Ok(client)
    }

    /// The TLS handshake alone; what is sent goes right into it.
    pub(crate) fn tls(address: SocketAddr, config: ClientConfig) -> io::Result<Self> {
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a client configuration");
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self { stream, frames: None, inbox: Vec::new(), version: Version::V5, next_id: 1 })
    }

    /// Connects and expects to be let in.
    #[track_caller]
    pub(crate) fn connect(
        endpoint: impl Into<Endpoint>,
        credentials: &Credentials,
        version: Version,
        connect: &Connect<'_>,
    ) -> Self {
        let (client, answer) = Self::try_connect(endpoint, credentials, version, connect);
        assert_eq!(answer.code(), 0, "CONNACK to {connect:?}");
        client
    }

    /// Connects and returns the CONNACK, whatever it says.
    #[track_caller]
    pub(crate) fn try_connect(
        endpoint: impl Into<Endpoint>,
        credentials: &Credentials,
        version: Version,
        connect: &Connect<'_>,
    ) -> (Self, Packet) {
        let mut client = Self::handshake(endpoint, credentials).expect("a handshake that succeeds");
        client.version = version;
        client.send(&connect.encode(version));
        let answer = client.expect(wire::CONNACK);
        (client, answer)
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("a connection that takes bytes");
    }

    /// Sends, where the broker may already have closed.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.frames {
            None => self.stream.write_all(bytes)?,
            Some(_) => self.stream.write_all(&Frames::masked(Frames::BINARY, bytes))?,
        }
        self.stream.flush()
    }

    /// Sends bytes below the frames of a WebSocket, as they are.
    #[track_caller]
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).and_then(|()| self.stream.flush()).expect("a connection that takes bytes");
    }

    /// The next line, below the frames of a WebSocket.
    #[track_caller]
    pub(crate) fn raw_line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).expect("a line");
            line.push(byte[0]);
        }
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Everything up to the end of the connection, below the frames of a WebSocket.
    #[track_caller]
    pub(crate) fn read_raw_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if !is_close(&error) => panic!("{error} while the end of the connection was awaited"),
            _ => bytes,
        }
    }

    /// The application protocol that the broker chose.
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        self.stream.conn.alpn_protocol()
    }

    /// The certificate that the broker showed, DER.
    #[track_caller]
    pub(crate) fn server_certificate(&self) -> Vec<u8> {
        let chain = self.stream.conn.peer_certificates().and_then(<[_]>::first);
        chain.expect("a certificate").to_vec()
    }

    /// The WebSocket, to look at what came beside MQTT.
    #[track_caller]
    pub(crate) fn frames(&self) -> &Frames {
        self.frames.as_ref().expect("a WebSocket")
    }

    /// The next packet.
    #[track_caller]
    pub(crate) fn receive(&mut self) -> Packet {
        Packet::split(&self.receive_whole()).expect("a whole packet").0
    }

    /// The bytes of the next packet.
    #[track_caller]
    fn receive_whole(&mut self) -> Vec<u8> {
        loop {
            if let Some((_, length)) = Packet::split(&self.inbox) {
                return self.inbox.drain(..length).collect();
            }
            match self.fill() {
                Ok(0) => panic!("closed while a packet was awaited; unread: {:?}", self.inbox),
                Ok(_) => {}
                Err(error) => panic!("{error} while a packet was awaited; unread: {:?}", self.inbox),
            }
        }
    }

    /// The fixed header of the next packet, which is left to be received.
    #[track_caller]
    pub(crate) fn header(&mut self) -> Header {
        let packet = self.receive_whole();
        let length_bytes = 1 + packet[1..].iter().take_while(|digit| **digit & 0x80 != 0).count();
        let header = Header { first: packet[0], length_bytes };
        self.inbox.splice(0..0, packet);
        header
    }

    /// The next packet, which must be of this kind.
    #[track_caller]
    pub(crate) fn expect(&mut self, kind: u8) -> Packet {
        let packet = self.receive();
        assert_eq!(packet.kind(), kind, "another packet came: {packet:?}");
        packet
    }

    /// The next packet, which must be a message; acknowledged where it asks for that.
    #[track_caller]
    pub(crate) fn expect_message(&mut self) -> Message {
        let message = self.expect(wire::PUBLISH).message(self.version);
        match message.qos {
            0 => {}
            1 => self.send(&wire::acknowledge(wire::PUBACK, message.id)),
            _ => {
                self.send(&wire::acknowledge(wire::PUBREC, message.id));
                assert_eq!(self.expect(wire::PUBREL).id(), message.id);
                self.send(&wire::acknowledge(wire::PUBCOMP, message.id));
            }
        }
        message
    }

    /// The next message, whatever it waits for behind the ones before it: what else comes is answered as it should.
    #[track_caller]
    pub(crate) fn receive_message(&mut self) -> Message {
        loop {
            let packet = self.receive();
            match packet.kind() {
                wire::PUBREL => self.send(&wire::acknowledge(wire::PUBCOMP, packet.id())),
                wire::PUBLISH => {
                    let message = packet.message(self.version);
                    match message.qos {
                        0 => {}
                        1 => self.send(&wire::acknowledge(wire::PUBACK, message.id)),
                        _ => self.send(&wire::acknowledge(wire::PUBREC, message.id)),
                    }
                    return message;
                }
                kind => panic!("neither a message nor PUBREL, but {kind}: {packet:?}"),
            }
        }
    }

    /// The next packet, or none where the broker closes.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<Packet> {
        loop {
            if let Some((packet, length)) = Packet::split(&self.inbox) {
                self.inbox.drain(..length);
                return Some(packet);
            }
            match self.fill() {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if is_close(&error) => return None,
                Err(error) => panic!("{error}: neither a packet nor the end of the connection"),
            }
        }
    }

    /// Subscribes with QoS 1 and returns the codes of the SUBACK.
    #[track_caller]
    pub(crate) fn subscribe(&mut self, filters: &[&str]) -> Vec<u8> {
        let filters: Vec<(&str, u8)> = filters.iter().map(|filter| (*filter, 1)).collect();
        let id = self.id();
        self.send(&wire::subscribe(self.version, id, &filters));
        let answer = self.expect(wire::SUBACK);
        assert_eq!(answer.id(), id);
        answer.codes(self.version)
    }

    /// Publishes with QoS 1 and returns the code of the PUBACK.
    #[track_caller]
    pub(crate) fn publish(&mut self, topic: &str, payload: &[u8]) -> u8 {
        let id = self.id();
        self.send(&wire::publish(self.version, topic, payload, 1, false, id));
        let answer = self.expect(wire::PUBACK);
        assert_eq!(answer.id(), id);
        answer.code()
    }

    /// Nothing is on its way to this client: what was routed to it before now would come before the answer to a
    /// ping.
    #[track_caller]
    pub(crate) fn expect_silence(&mut self) {
        self.send(&wire::ping());
        self.expect(wire::PINGRESP);
    }

    /// The broker closes, after no more than `last` packets of which the last is returned.
    #[track_caller]
    pub(crate) fn expect_close(&mut self) -> Option<Packet> {
        let mut last = None;
        loop {
            while let Some((packet, length)) = Packet::split(&self.inbox) {
                self.inbox.drain(..length);
                last = Some(packet);
            }
            match self.fill() {
                Ok(0) => return last,
                Ok(_) => {}
                Err(error) if is_close(&error) => return last,
                Err(error) => panic!("{error} while the end of the connection was awaited"),
            }
        }
    }

    /// Waits for the Close of a WebSocket and returns its code.
    #[track_caller]
    pub(crate) fn expect_websocket_close(&mut self) -> Option<u16> {
        while self.frames().closed.is_none() {
            assert_ne!(self.fill().expect("a connection until the Close"), 0, "the connection ended without a Close");
        }
        self.frames().closed.expect("just awaited")
    }

    /// The broker closes because of what this client did: a 5.0 client is told the reason, an older one nothing.
    /// What was under way to it may come before.
    #[track_caller]
    pub(crate) fn expect_fault(&mut self, reason: u8) {
        let goodbye = self.expect_close().filter(|last| last.kind() == wire::DISCONNECT).map(|last| last.code());
        assert_eq!(goodbye, (self.version == Version::V5).then_some(reason), "the reason of DISCONNECT");
    }

    /// Ends this side of the connection: TLS' goodbye, then TCP's. What the broker still sends can be read.
    pub(crate) fn hang_up(&mut self) {
        self.stream.conn.send_close_notify();
        let _ = self.stream.flush();
        let _ = self.stream.sock.shutdown(Shutdown::Write);
    }

    /// Reads until a PINGRESP or the end of the connection, whatever comes before.
    #[track_caller]
    pub(crate) fn answers_ping(&mut self) -> bool {
        loop {
            while let Some((packet, length)) = Packet::split(&self.inbox) {
                self.inbox.drain(..length);
                if packet.kind() == wire::PINGRESP {
                    return true;
                }
            }
            match self.fill() {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) if is_close(&error) => return false,
                Err(error) => panic!("{error}: neither an answer to a ping nor the end of the connection"),
            }
        }
    }

    /// Says goodbye and lets the connection end.
    #[track_caller]
    pub(crate) fn leave(mut self) {
        self.send(&wire::disconnect());
        self.expect_close();
    }

    fn id(&mut self) -> u16 {
        let id = self.next_id;
        self.next_id = id.checked_add(1).unwrap_or(1);
        id
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 4096];
        let read = self.stream.read(&mut buffer)?;
        match &mut self.frames {
            None => self.inbox.extend(&buffer[..read]),
            Some(frames) => frames.take(&buffer[..read], &mut self.inbox),
        }
        Ok(read)
    }
}

/// How a packet begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) first: u8,
    /// In how many bytes the remaining length came.
    pub(crate) length_bytes: usize,
}

/// Whether the error is the other side's closing: a reset, or an end without TLS' own goodbye.
fn is_close(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof)
}

/// The TLS alert with which the broker refuses these credentials.
#[track_caller]
pub(crate) fn refusal(endpoint: impl Into<Endpoint>, credentials: &Credentials) -> AlertDescription {
    refusal_of(endpoint, credentials.config())
}

/// The same for a configuration of TLS that may be wrong in other ways.
#[track_caller]
pub(crate) fn refusal_of(endpoint: impl Into<Endpoint>, config: ClientConfig) -> AlertDescription {
    let outcome = RawClient::tls(endpoint.into().address(), config).and_then(|mut client| {
        client.try_send(&Connect::clean("stranger").encode(Version::V5))?;
        client.fill()?;
        Ok(client.inbox)
    });
    let error = outcome.expect_err("the broker refuses the handshake");
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        _ => panic!("no TLS alert came, but: {error}"),
    }
}
