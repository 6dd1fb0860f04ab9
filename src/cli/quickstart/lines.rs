//! What is printed: lines that work when pasted into another terminal, in any folder.

use super::Storage;
use super::credentials::Credentials;
use crate::cli::output;
use crate::pki::word;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The lines.
#[derive(Debug, Serialize)]
pub(super) struct Lines {
    /// Where MQTT over TLS is served, as clients write it.
    host: String,
    port: u16,
    /// Where MQTT over WebSocket is served.
    websocket: String,
    /// As device-001, to its own topic.
    subscribe: String,
    /// As device-001, to its own topic.
    publish: String,
    /// As device-001, to device-002's topic: refused.
    refused: String,
    /// Why.
    explain: String,
}

const OWN: &str = "devices/device-001/hello";
const FOREIGN: &str = "devices/device-002/hello";

impl Lines {
    pub(super) fn new(
        credentials: &Credentials,
        storage: &Storage,
        (host, port): (String, u16),
        (wss_host, wss_port): (String, u16),
    ) -> Self {
        // As a URL has an IPv6 address.
        let wss_host = if wss_host.contains(':') { format!("[{wss_host}]") } else { wss_host };
        let (client, subject) = match credentials.devices.first() {
            Some(device) => (
                format!(
                    "-h {host} -p {port} --cafile {} --cert {} --key {}",
                    word(&credentials.ca),
                    word(&device.certificate),
                    word(&device.key)
                ),
                device.identity.subject.as_str(),
            ),
            None => (String::new(), ""),
        };
        let message = |text: &str| format!("-m {}", word(Path::new(text)));
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("certmq"));
        let mut explain = format!("{} --set {}", word(&program), setting("storage.path", &storage.path));
        if let Some(socket) = &storage.socket {
            explain.push_str(&format!(" --set {}", setting("storage.admin_socket", socket)));
        }
        Self {
            subscribe: format!("mosquitto_sub {client} -V mqttv5 -q 1 -v -t {OWN}"),
            publish: format!("mosquitto_pub {client} -q 1 -t {OWN} {}", message("hello")),
            refused: format!("mosquitto_pub {client} -V mqttv5 -q 1 -t {FOREIGN} {}", message("hello")),
            explain: format!("{explain} acl explain {} publish {FOREIGN}", quoted(subject)),
            websocket: format!("wss://{wss_host}:{wss_port}/mqtt"),
            host,
            port,
        }
    }

    pub(super) fn text(&self) -> String {
        let Self { host, port, websocket, subscribe, publish, refused, explain } = self;
        format!(
            "certmq serves MQTT over TLS on {host}:{port} and over WebSocket at {websocket}; every client needs a certificate.\n\
             Try it in another terminal:\n\
             \n\
             # 1. device-001 listens to its own topic\n\
             {subscribe}\n\
             \n\
             # 2. in a third terminal, device-001 publishes there: the listener prints it\n\
             {publish}\n\
             \n\
             # 3. device-001 may not publish to device-002's topics: refused, reason code 135 (not authorized)\n\
             {refused}\n\
             \n\
             # 4. why\n\
             {explain}\n\
             \n\
             Ctrl-C stops the broker.\n"
        )
    }
}

fn setting(key: &str, path: &Path) -> String {
    quoted(&format!("{key}={}", path.display()))
}

/// One word of a shell command line; names are quoted even where they need not be, as people will change them.
fn quoted(text: &str) -> String {
    let text = output::escape(text);
    match word(Path::new(&text)) {
        plain if plain == text => format!("'{text}'"),
        quoted => quoted,
    }
}
