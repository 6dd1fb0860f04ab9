//! What is printed: lines that work when pasted into another terminal, in any folder.

use super::Storage;
use super::credentials::Credentials;
use crate::cli::output;
use crate::pki::word;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The lines.
#[derive(Debug, Default, Serialize)]
pub(super) struct Lines {
    /// Where MQTT over TLS is served, as clients write it.
    host: String,
    port: u16,
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
    pub(super) fn new(credentials: &Credentials, storage: &Storage, (host, port): (String, u16)) -> Self {
        let Some(device) = credentials.devices.first() else { return Self::default() };
        let client = format!(
            "--cafile {} --cert {} --key {} -h {host} -p {port}",
            word(&credentials.ca),
            word(&device.certificate),
            word(&device.key)
        );
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("certmq"));
        let subject = plain_or_quoted(device.identity.subject.as_str());
        let mut explain = format!("{} acl explain {subject} publish {FOREIGN}", word(&program));
        explain.push_str(&setting("storage.path", &storage.path));
        if let Some(socket) = &storage.socket {
            explain.push_str(&setting("storage.admin_socket", socket));
        }
        Self {
            subscribe: format!("mosquitto_sub {client} -t {OWN}"),
            publish: format!("mosquitto_pub {client} -t {OWN} -m hello"),
            refused: format!("mosquitto_pub -V mqttv5 -q 1 {client} -t {FOREIGN} -m hello"),
            explain,
            host,
            port,
        }
    }

    pub(super) fn text(&self) -> String {
        let Self { host, port, subscribe, publish, refused, explain } = self;
        format!(
            "certmq serves MQTT over TLS on {host}:{port}; every client needs a certificate. Try it in another terminal:\n\
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

/// A setting as an option: the line works in any folder.
fn setting(key: &str, path: &Path) -> String {
    format!(" --set {}", plain_or_quoted(&format!("{key}={}", path.display())))
}

/// One word of a shell command line; `=` and `,` mean nothing to a shell inside an argument.
fn plain_or_quoted(text: &str) -> String {
    let text = output::escape(text);
    match word(Path::new(&text.replace(['=', ','], ""))).starts_with('\'') {
        true => word(Path::new(&text)),
        false => text,
    }
}
