//! A folder with a CA, a server and devices, made with certmq's own commands, and the settings of one broker.

use super::broker::Broker;
use super::client::{Credentials, Endpoint, RawClient};
use super::wire::{Connect, Version};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The program under test.
pub(crate) fn certmq() -> Command {
    Command::new(env!("CARGO_BIN_EXE_certmq"))
}

/// Both listeners on free ports.
const LISTENERS: &str = "mqtts = \"127.0.0.1:0\"\nwss = \"127.0.0.1:0\"";

/// One operator's folder: certificates, settings, store.
pub(crate) struct Fleet {
    folder: TempDir,
}

impl Fleet {
    /// A CA, a server certificate for localhost, settings that listen on a free port, and the group `devices`.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let fleet = Self::with_settings("");
        fleet.run(["ca", "init"]);
        fleet.run(["cert", "issue", "server", "--server", "--san", "localhost", "--san", "127.0.0.1"]);
        fleet.devices_group();
        fleet
    }

    /// As [`Self::new`] with these lines in `[listeners]`.
    #[track_caller]
    pub(crate) fn with_listeners(listeners: &str) -> Self {
        let fleet = Self::new();
        fleet.listen(listeners);
        fleet
    }

    /// Puts these lines into `[listeners]`, once.
    pub(crate) fn listen(&self, listeners: &str) {
        let file = self.path("certmq.toml");
        let settings = std::fs::read_to_string(&file).expect("the settings");
        assert!(settings.contains(LISTENERS), "the listeners were changed before");
        std::fs::write(file, settings.replace(LISTENERS, listeners)).expect("a writable folder");
    }

    /// As [`Self::new`] without certificates, and with more settings behind the section `[tls]`.
    pub(crate) fn with_settings(tls: &str) -> Self {
        let fleet = Self { folder: TempDir::with_prefix("certmq-").expect("a temporary folder") };
        fleet.write_settings(&format!("client_ca = [\"certs/ca.crt\"]\ncrl = [\"certs/ca.crl\"]\n{tls}"));
        fleet
    }

    /// Writes `certmq.toml` anew with these lines in `[tls]`.
    pub(crate) fn write_settings(&self, tls: &str) {
        let settings = format!(
            "[listeners]\n{LISTENERS}\n\n[storage]\npath = \"data\"\n\n\
             [tls]\ncertificate = \"certs/server.crt\"\nprivate_key = \"certs/server.key\"\n{tls}"
        );
        std::fs::write(self.path("certmq.toml"), settings).expect("a writable folder");
    }

    /// Adds sections to `certmq.toml`.
    pub(crate) fn add_settings(&self, sections: &str) {
        let file = self.path("certmq.toml");
        let settings = std::fs::read_to_string(&file).expect("the settings");
        std::fs::write(file, format!("{settings}\n{sections}")).expect("a writable folder");
    }

    /// A file of the fleet.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate or key.
    pub(crate) fn certificate(&self, name: &str) -> PathBuf {
        self.path("certs").join(name)
    }

    /// The group of quickstart: its members may publish and subscribe below `devices/{cn}`.
    #[track_caller]
    pub(crate) fn devices_group(&self) {
        self.run(["group", "add", "devices"]);
        for action in ["publish", "subscribe"] {
            self.run(["acl", "allow", "--group", "devices", action, "devices/{cn}/#"]);
        }
    }

    /// A member of that group, with a certificate of the fleet's CA.
    #[track_caller]
    pub(crate) fn device(&self, name: &str) -> Credentials {
        let credentials = self.unlisted_device(name);
        self.run(["device", "add", &format!("CN={name}"), "--group", "devices"]);
        credentials
    }

    /// A certificate of the fleet's CA that nobody has listed.
    #[track_caller]
    pub(crate) fn unlisted_device(&self, name: &str) -> Credentials {
        self.run(["cert", "issue", name, "--subject", &format!("CN={name}")]);
        self.credentials(name)
    }

    /// Another CA, in the folder `second`.
    #[track_caller]
    pub(crate) fn second_ca(&self) {
        self.in_second(["ca", "init", "--subject", "CN=second CA"]);
    }

    /// A device whose certificate the second CA issued; it is no member of anything.
    #[track_caller]
    pub(crate) fn device_of_second_ca(&self, name: &str) -> Credentials {
        self.in_second(["cert", "issue", name, "--subject", &format!("CN={name}")]);
        let file = |ending: &str| self.path("second").join(format!("{name}.{ending}"));
        self.presenting(file("crt"), file("key"))
    }

    #[track_caller]
    fn in_second<const N: usize>(&self, arguments: [&str; N]) {
        let status = certmq().args(arguments).arg("--dir").arg(self.path("second")).status().expect("certmq");
        assert!(status.success(), "{arguments:?}: {status}");
    }

    /// The files that `cert issue NAME` made.
    pub(crate) fn credentials(&self, name: &str) -> Credentials {
        self.presenting(self.certificate(&format!("{name}.crt")), self.certificate(&format!("{name}.key")))
    }

    /// Any certificate, with trust in the fleet's server.
    pub(crate) fn presenting(&self, chain: PathBuf, key: PathBuf) -> Credentials {
        Credentials { server_ca: self.certificate("ca.crt"), own: Some((chain, key)) }
    }

    /// No certificate at all.
    pub(crate) fn anonymous(&self) -> Credentials {
        Credentials { server_ca: self.certificate("ca.crt"), own: None }
    }

    /// `mosquitto_pub` or `mosquitto_sub` as device-001.
    pub(crate) fn mosquitto(&self, program: &str, broker: &Broker) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", "localhost", "-p", &broker.address.port().to_string()]);
        for (option, file) in [("--cafile", "ca.crt"), ("--cert", "device-001.crt"), ("--key", "device-001.key")] {
            command.arg(option).arg(self.certificate(file));
        }
        command
    }

    /// A command of certmq with the settings (or the certificate folder) of this fleet.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let arguments: Vec<A> = arguments.into_iter().collect();
        let mut command = certmq();
        let makes_certificates =
            arguments.first().is_some_and(|first| ["ca", "cert"].iter().any(|c| first.as_ref() == *c));
        command.args(arguments).current_dir(self.folder.path()).env_clear().env("PATH", path_variable());
        if makes_certificates {
            command.arg("--dir").arg(self.path("certs"));
        } else {
            command.arg("--config").arg(self.path("certmq.toml"));
        }
        command
    }

    /// Runs a command to its end.
    #[track_caller]
    pub(crate) fn output<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        let mut command = self.command(arguments);
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Runs a command that must succeed and returns what it printed.
    #[track_caller]
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        let mut command = self.command(arguments);
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
        String::from_utf8(output.stdout).expect("output in UTF-8")
    }

    /// `certmq serve`.
    #[track_caller]
    pub(crate) fn serve(&self) -> Broker {
        Broker::start(&mut self.command(["serve"]))
    }
}

/// Connects with a session that ends with the connection.
#[track_caller]
pub(crate) fn enter_at(endpoint: Endpoint, credentials: &Credentials, version: Version, client_id: &str) -> RawClient {
    RawClient::connect(endpoint, credentials, version, &Connect::clean(client_id))
}

/// [`enter_at`] the broker's TCP listener.
#[track_caller]
pub(crate) fn enter(broker: &Broker, credentials: &Credentials, version: Version, client_id: &str) -> RawClient {
    RawClient::connect(broker.address, credentials, version, &Connect::clean(client_id))
}

/// Runs openssl, of which these tests need the odd things that certmq does not make.
#[track_caller]
pub(crate) fn openssl<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) {
    let mut command = Command::new("openssl");
    command.args(arguments).current_dir(folder);
    let output = command.output().expect("openssl");
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}

fn path_variable() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into())
}
