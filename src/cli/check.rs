//! `certmq check`: would the broker start, and what would it serve?

use super::ca::now;
use super::{Context, Exit, Failure, Outcome, after_help, backend, output};
use crate::admin::{Client, PolicyAuthority, Reply, Request, preflight};
use crate::config::{Settings, WebSocketSettings};
use crate::policy::{Effect, GroupRecord, Rule};
use crate::store::policy_store::{self, PolicyStore};
use output::Table;
use serde::Serialize;

/// Validate settings, certificates, CRLs and store; say what would be served
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq check --config config/certmq.toml", "before a restart"),
        ("certmq check --set tls.minimum_version=1.3", "with a change that is not in the file yet"),
    ],
    super::serve::CODES,
))]
pub(super) struct Arguments {}

/// What was found.
#[derive(Debug, Serialize)]
struct Document {
    /// The settings file; none: defaults, environment and flags alone.
    config: Option<String>,
    mqtts: Vec<String>,
    alpn: Vec<String>,
    /// MQTT over WebSocket; none: closed.
    wss: Option<WebSocket>,
    minimum_version: String,
    trust: Vec<Trust>,
    subject: String,
    store: String,
    admin_socket: String,
    policy: String,
    /// What works, but should be looked at.
    notices: Vec<String>,
    /// What keeps the broker from starting.
    faults: Vec<String>,
}

#[derive(Debug, Serialize)]
struct WebSocket {
    bind: Vec<String>,
    alpn: Vec<String>,
    origins: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Trust {
    name: String,
    ca: Vec<String>,
    crl: Vec<String>,
}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let settings = context.settings()?;
        let mut document = Document::of(&settings, context);
        let mut code = Exit::Success;
        // Certificates first: root may read their keys, the owner of the store perhaps not.
        for check in [check_tls, check_store] {
            if let Err(failure) = check(&settings, &mut document) {
                document.faults.push(failure.to_string());
                if code == Exit::Success {
                    code = failure.code();
                }
            }
        }
        context.output.write(&document, text)?;
        for fault in &document.faults {
            output::message(&format!("error: {}", output::escape(fault)));
        }
        Ok(code)
    }
}

impl Document {
    fn of(settings: &Settings, context: &Context) -> Self {
        let paths = |paths: &[std::path::PathBuf]| paths.iter().map(|path| path.display().to_string()).collect();
        let blocks = settings.tls.trust.iter();
        Self {
            config: context.settings_file().map(|path| path.display().to_string()),
            mqtts: settings.listeners.mqtts.bind.iter().map(ToString::to_string).collect(),
            alpn: settings.listeners.mqtts.alpn.clone(),
            wss: settings.listeners.wss.as_ref().map(WebSocket::of),
            minimum_version: word(&settings.tls.minimum_version),
            trust: blocks
                .map(|block| Trust { name: block.name.clone(), ca: paths(&block.ca), crl: paths(&block.crl) })
                .collect(),
            subject: word(&settings.identity.subject),
            store: settings.storage.path.display().to_string(),
            admin_socket: settings.storage.admin_socket().display().to_string(),
            policy: String::new(),
            notices: Vec::new(),
            faults: Vec::new(),
        }
    }
}

impl WebSocket {
    fn of(settings: &WebSocketSettings) -> Self {
        Self {
            bind: settings.bind.iter().map(ToString::to_string).collect(),
            alpn: settings.alpn.clone(),
            origins: settings.origins.iter().map(ToString::to_string).collect(),
        }
    }

    fn text(&self) -> String {
        let pages = if self.origins.is_empty() {
            "pages of its own origin".to_owned()
        } else {
            format!("pages of its own origin, {}", self.origins.join(", "))
        };
        format!("{} (ALPN {}), {pages}", self.bind.join(", "), self.alpn.join(", "))
    }
}

/// A setting as the file writes it.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn check_tls(settings: &Settings, document: &mut Document) -> Result<(), Failure> {
    let notices = preflight::certificates(settings, now()).map_err(|error| backend::refused(&error))?;
    document.notices.extend(notices);
    Ok(())
}

fn check_store(settings: &Settings, document: &mut Document) -> Result<(), Failure> {
    if let Some(client) = backend::broker(settings)? {
        document.policy = running(client)?;
        return Ok(());
    }
    let path = &settings.storage.path;
    if !path.exists() {
        document.policy = "none yet: the store is made at the first start, and every device is refused".to_owned();
        return Ok(());
    }
    backend::become_owner(path)?;
    let failure = |error| backend::store_failure(&error, settings);
    let report = policy_store::check(path).map_err(failure)?;
    document.policy =
        format!("generation {}, {} device(s), {} group(s)", report.generation, report.devices, report.groups);
    if !report.faults.is_empty() {
        return Err(Failure::new(Exit::Data, report.faults.join("\n")));
    }
    let store = PolicyStore::open(path).map_err(failure)?;
    PolicyAuthority::load(&store, settings.policy_settings(), now())
        .map_err(|error| backend::load_failure(&error, settings))?;
    document.notices.extend(doubtful(&store).map_err(failure)?);
    Ok(())
}

/// The policy of a running broker, which verified it when it started.
fn running(mut client: Client) -> Result<String, Failure> {
    match client.ask(Request::Status {}) {
        Ok(Ok(Reply::Status(status))) => Ok(format!(
            "generation {}, {} device(s); a broker serves it now",
            status.policy.generation, status.policy.devices
        )),
        Ok(Ok(_)) => Err(backend::unexpected()),
        Ok(Err(error)) => Err(backend::refused(&error)),
        Err(error) => Err(Failure::new(Exit::Unavailable, error.to_string())),
    }
}

/// Rules that mean less than they seem to.
fn doubtful(store: &PolicyStore) -> Result<Vec<String>, policy_store::StoreError> {
    let mut notices = Vec::new();
    for group in store.groups() {
        let group = group?;
        let name = format!("group {}", group.name);
        notices.extend(matched_denies(&group));
        notices.extend(group.rules.iter().filter_map(|rule| fleeting(&name, rule)));
    }
    for device in store.devices() {
        let device = device?;
        let name = format!("device {}", device.key);
        notices.extend(device.rules.iter().filter_map(|rule| fleeting(&name, rule)));
    }
    Ok(notices)
}

/// A deny that goes when a certificate is issued without the matched attribute.
fn matched_denies(group: &GroupRecord) -> Option<String> {
    let denies = group.rules.iter().any(|rule| rule.effect == Effect::Deny);
    (denies && !group.matches.is_empty()).then(|| {
        format!(
            "group {} denies, but a certificate without the matched attributes is no member: deny the device itself",
            group.name
        )
    })
}

/// A rule that ends with the next renewal.
fn fleeting(name: &str, rule: &Rule) -> Option<String> {
    let serial = rule.filter.split('/').any(|level| level == "{serial}");
    serial.then(|| format!("{name}: rule {} uses {{serial}}: it ends when the certificate is renewed", rule.id()))
}

fn text(document: &Document) -> String {
    let mut table = Table::default();
    table.row(&["settings", document.config.as_deref().unwrap_or("defaults, environment and flags")]);
    table.row(&["mqtts", &format!("{} (ALPN {})", document.mqtts.join(", "), document.alpn.join(", "))]);
    table.row(&["wss", &document.wss.as_ref().map_or("closed".to_owned(), WebSocket::text)]);
    table.row(&["tls", &format!("{} or later, client certificate required", document.minimum_version)]);
    for trust in &document.trust {
        let crl = if trust.crl.is_empty() { "no CRL: nothing can be revoked".to_owned() } else { trust.crl.join(", ") };
        table.row(&["trust", &format!("{}: {}; {crl}", trust.name, trust.ca.join(", "))]);
    }
    table.row(&["devices", &format!("named by {}", document.subject)]);
    table.row(&["store", &document.store]);
    table.row(&["socket", &document.admin_socket]);
    if !document.policy.is_empty() {
        table.row(&["policy", &document.policy]);
    }
    for notice in &document.notices {
        table.row(&["notice", notice]);
    }
    table.row(&["result", if document.faults.is_empty() { "ok" } else { "the broker would not start" }]);
    table.render()
}
