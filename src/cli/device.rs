//! `certmq device`: who may connect.

use super::who::DeviceArgument;
use super::{Context, Exit, Failure, Outcome, after_help, backend, output};
use crate::admin::reply::{ChangeView, DeviceView, DevicesView, PendingView, SeenCertificateView};
use crate::admin::request::Pinning;
use crate::admin::{Leftovers, Reply, Request};
use crate::policy::UnknownDevices;
use crate::policy::record::DeviceStatus;
use output::Table;
use std::fmt::Write;

/// Devices: who may connect, with which certificate, in which groups
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq device add CN=dev-0001,O=acme --group sensors", "a record, so that the device is known"),
        ("certmq device disable dev-0001", "close its connections and keep it out"),
        ("certmq device list --output json", "every record, for scripts"),
    ],
    CODES,
))]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Add a device; for one that is there, add groups or a pin
    #[command(after_help = after_help(
        &[
            ("certmq device add CN=dev-0001,O=acme --group sensors", "by its subject"),
            ("certmq device add --cert dev-0001.crt --pin", "by its certificate, and no other certificate of that name"),
        ],
        CODES,
    ))]
    Add {
        #[command(flatten)]
        device: DeviceArgument,
        /// A group it is a member of; may be repeated
        #[arg(long, value_name = "NAME")]
        group: Vec<String>,
        /// Accept exactly the certificate of --cert from it
        #[arg(long, conflicts_with = "subject")]
        pin: bool,
    },
    /// Take a pinned certificate out of a record; connections by it are closed
    #[command(after_help = after_help(
        &[
            ("certmq device unpin --cert dev-0001.crt.old", "after the device has changed to the other pinned one"),
            (
                "certmq device unpin dev-0001 --sha256 5f70bf18a086007016e9",
                "as `certmq device show` prints it",
            ),
        ],
        CODES,
    ))]
    Unpin {
        #[command(flatten)]
        device: DeviceArgument,
        /// SHA-256 of the certificate, where its file is not at hand
        #[arg(long, value_name = "HEX")]
        sha256: Option<String>,
    },
    /// List every record, or the unknown devices that wait for approval
    #[command(after_help = after_help(
        &[
            ("certmq device list", "subject, status, groups and rules"),
            ("certmq device list --pending", "with policy.unknown_devices = \"quarantine\": who came and is unknown"),
        ],
        READING,
    ))]
    List {
        /// Unknown devices with a valid certificate, who tried last first; asks the running broker
        #[arg(long)]
        pending: bool,
    },
    /// Add a device that waits for approval; its next CONNECT succeeds
    #[command(after_help = after_help(
        &[
            ("certmq device approve CN=dev-0007,O=acme --group sensors", "one of `certmq device list --pending`"),
            ("certmq device approve dev-0007", "the only one with that common name"),
        ],
        CODES,
    ))]
    Approve {
        #[command(flatten)]
        device: DeviceArgument,
        /// A group it becomes a member of; may be repeated
        #[arg(long, value_name = "NAME")]
        group: Vec<String>,
    },
    /// Show one record
    #[command(after_help = after_help(&[("certmq device show dev-0001", "groups, rules and pins of the device")], READING))]
    Show {
        #[command(flatten)]
        device: DeviceArgument,
    },
    /// Let a disabled device in again
    #[command(after_help = after_help(&[("certmq device enable dev-0001", "it may connect again")], CODES))]
    Enable {
        #[command(flatten)]
        device: DeviceArgument,
    },
    /// Close a device's connections and keep it out; makes a record where there is none
    #[command(after_help = after_help(&[("certmq device disable --cert dev-0001.crt", "at once, and until it is enabled")], CODES))]
    Disable {
        #[command(flatten)]
        device: DeviceArgument,
    },
    /// Remove a device's record and close its connections
    #[command(after_help = after_help(&[("certmq device remove dev-0001", "its rules go with it")], CODES))]
    Remove {
        #[command(flatten)]
        device: DeviceArgument,
        /// Delete the retained messages and wills it leaves behind, which are withheld else
        #[arg(long)]
        purge: bool,
    },
}

/// How a command that changes the policy can end.
pub(super) const CODES: &[Exit] = &[
    Exit::Data,
    Exit::Missing,
    Exit::Unavailable,
    Exit::Software,
    Exit::CannotCreate,
    Exit::InUse,
    Exit::NotPermitted,
    Exit::Configuration,
];

/// How a command that only reads it can end.
pub(super) const READING: &[Exit] = &[
    Exit::Data,
    Exit::Missing,
    Exit::Unavailable,
    Exit::Software,
    Exit::InUse,
    Exit::NotPermitted,
    Exit::Configuration,
];

/// How a command that answers a question about it can end: [`READING`], or the answer is no.
pub(super) const ANSWERING: &[Exit] = &[
    Exit::Denied,
    Exit::Data,
    Exit::Missing,
    Exit::Unavailable,
    Exit::Software,
    Exit::InUse,
    Exit::NotPermitted,
    Exit::Configuration,
];

const NOT_KEPT: &str = "note: unknown devices are refused and not kept: policy.unknown_devices is \"refuse\", not \
                        \"quarantine\"";

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let request = self.command.request()?;
        match backend::ask(&context.settings()?, request)? {
            Reply::Changed(change) => changed(context, &change),
            Reply::Devices(devices) => {
                context.output.write(&devices, devices_table)?;
                Ok(Exit::Success)
            }
            Reply::Pending(pending) => {
                if pending.unknown_devices == UnknownDevices::Refuse {
                    output::message(NOT_KEPT);
                }
                context.output.write(&pending, pending_table)?;
                Ok(Exit::Success)
            }
            Reply::Device(device) => {
                context.output.write(&device, device_text)?;
                Ok(Exit::Success)
            }
            _ => Err(backend::unexpected()),
        }
    }
}

impl Command {
    fn request(self) -> Result<Request, Failure> {
        Ok(match self {
            Self::Add { device, group, pin } => Request::AddDevice {
                device: device.reference()?,
                groups: group,
                pinning: if pin { Pinning::Pinned } else { Pinning::Unpinned },
            },
            Self::Unpin { device, sha256 } => Request::UnpinDevice { device: device.reference()?, sha256 },
            Self::List { pending: false } => Request::ListDevices {},
            Self::List { pending: true } => Request::ListPending {},
            Self::Approve { device, group } => Request::ApproveDevice { device: device.reference()?, groups: group },
            Self::Show { device } => Request::ShowDevice { device: device.reference()? },
            Self::Enable { device } => {
                Request::SetDeviceStatus { device: device.reference()?, status: DeviceStatus::Enabled }
            }
            Self::Disable { device } => {
                Request::SetDeviceStatus { device: device.reference()?, status: DeviceStatus::Disabled }
            }
            Self::Remove { device, purge } => Request::RemoveDevice {
                device: device.reference()?,
                leftovers: if purge { Leftovers::Purge } else { Leftovers::Withhold },
            },
        })
    }
}

/// Tells what a change did: the summary on stdout, notes on stderr.
pub(super) fn changed(context: &Context, change: &ChangeView) -> Outcome {
    for note in &change.notes {
        output::message(&format!("note: {}", output::escape(note)));
    }
    context
        .output
        .write(change, |change| format!("{} (generation {})\n", output::escape(&change.summary), change.generation))?;
    Ok(Exit::Success)
}

fn devices_table(view: &DevicesView) -> String {
    let mut table = Table::new(&["SUBJECT", "TRUST", "STATUS", "GROUPS", "RULES", "PINS"]);
    for device in &view.devices {
        table.row(&[
            device.subject.clone(),
            device.trust.clone(),
            status(device.status).to_owned(),
            device.groups.join(","),
            device.rules.len().to_string(),
            device.certificate_sha256.len().to_string(),
        ]);
    }
    table.render()
}

fn pending_table(view: &PendingView) -> String {
    let mut table =
        Table::new(&["SUBJECT", "TRUST", "ISSUER", "SERIAL", "NOT AFTER", "LAST TRIED", "FROM", "ATTEMPTS"]);
    for device in &view.devices {
        table.row(&[
            device.subject.clone(),
            device.trust.clone(),
            device.issuer.clone(),
            device.certificate.serial.clone(),
            device.certificate.not_after.clone(),
            device.certificate.last_seen.clone(),
            device.address.clone().unwrap_or_default(),
            device.attempts.to_string(),
        ]);
    }
    table.render()
}

fn device_text(device: &DeviceView) -> String {
    let mut table = Table::default();
    table.row(&["subject", &device.subject]);
    table.row(&["trust", &device.trust]);
    table.row(&["status", status(device.status)]);
    table.row(&["groups", &device.groups.join(", ")]);
    if !device.limits.is_unlimited() {
        table.row(&["limits", &device.limits.to_string()]);
    }
    for pin in &device.certificate_sha256 {
        table.row(&["certificate", pin]);
    }
    for seen in &device.certificates_seen {
        let SeenCertificateView { serial, not_before, not_after, first_seen, last_seen, .. } = seen;
        let dates = format!("valid {not_before} to {not_after}, seen {first_seen} to {last_seen}");
        table.row(&["came with", &format!("serial {serial}, {dates}")]);
    }
    let mut text = table.render();
    for rule in &device.rules {
        let _ = writeln!(text, "{}  {}", rule.id, output::escape(&rule.to_string()));
    }
    text
}

fn status(status: DeviceStatus) -> &'static str {
    match status {
        DeviceStatus::Enabled => "enabled",
        DeviceStatus::Disabled => "disabled",
    }
}
