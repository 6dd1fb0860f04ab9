//! Who may do what: a handful of switches, the fleet file they stand for, and what they mean, told naively.

use super::topics::{inner, matches};
use certmq::protocol::QoS;
use std::fmt::Write;

/// The position of every switch.
#[derive(Clone)]
pub(crate) struct Rights {
    /// Nobody publishes or reads `t/b`.
    closed: bool,
    devices: Vec<DeviceRights>,
}

#[derive(Clone, Default)]
struct DeviceRights {
    disabled: bool,
    /// May not read below `t/c`.
    blind: bool,
    /// May not publish `t/c/x`.
    mute: bool,
    /// May publish below `u`.
    talks: bool,
    /// May read everything.
    listens: bool,
}

/// One thing that an operator changes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Switch {
    Closed,
    Disabled(usize),
    Blind(usize),
    Mute(usize),
    Talks(usize),
    Listens(usize),
}

impl Rights {
    pub(crate) fn new(devices: usize) -> Self {
        let devices = (0..devices).map(|number| DeviceRights { listens: number % 2 == 0, ..DeviceRights::default() });
        Self { closed: false, devices: devices.collect() }
    }

    pub(crate) fn flip(&mut self, switch: Switch) {
        let flip = |switch: &mut bool| *switch = !*switch;
        match switch {
            Switch::Closed => flip(&mut self.closed),
            Switch::Disabled(device) => flip(&mut self.devices[device].disabled),
            Switch::Blind(device) => flip(&mut self.devices[device].blind),
            Switch::Mute(device) => flip(&mut self.devices[device].mute),
            Switch::Talks(device) => flip(&mut self.devices[device].talks),
            Switch::Listens(device) => flip(&mut self.devices[device].listens),
        }
    }

    /// Every switch in the position that takes nothing away.
    pub(crate) fn open_all(&mut self) {
        self.closed = false;
        for device in &mut self.devices {
            *device = DeviceRights { listens: true, talks: true, ..DeviceRights::default() };
        }
    }

    pub(crate) fn is_disabled(&self, device: usize) -> bool {
        self.devices[device].disabled
    }

    /// The same as a fleet file.
    pub(crate) fn fleet(&self) -> String {
        let mut text = String::from(
            r##"version = 1
[groups.fleet]
allow = [ { publish = "t/#" }, { publish = "$x/#" }, { publish = "v/#", max_qos = 1, retain = false },
          { subscribe = "t/#" }, { subscribe = "$x/#" }, { subscribe = "v/#", max_qos = 1 } ]
"##,
        );
        if self.closed {
            text.push_str("deny = [ { publish = \"t/b\" }, { subscribe = \"t/b\" } ]\n");
        }
        text.push_str("[groups.talkers]\nallow = [ { publish = \"u/#\" } ]\n");
        text.push_str("[groups.listeners]\nallow = [ { subscribe = \"#\" } ]\n");
        for (number, device) in self.devices.iter().enumerate() {
            let talks = if device.talks { ", \"talkers\"" } else { "" };
            let listens = if device.listens { ", \"listeners\"" } else { "" };
            writeln!(text, "[[devices]]\nsubject = \"CN=sim-{number}\"\ngroups = [\"fleet\"{talks}{listens}]").unwrap();
            let mut denies = Vec::new();
            denies.extend(device.blind.then_some("{ subscribe = \"t/c/#\" }"));
            denies.extend(device.mute.then_some("{ publish = \"t/c/x\" }"));
            writeln!(text, "deny = [ {} ]", denies.join(", ")).unwrap();
            if device.disabled {
                text.push_str("enabled = false\n");
            }
        }
        text
    }

    pub(crate) fn may_publish(&self, device: usize, topic: &str, qos: QoS, retain: bool) -> bool {
        let rights = &self.devices[device];
        if rights.disabled || self.closed && topic == "t/b" || rights.mute && topic == "t/c/x" {
            return false;
        }
        matches("t/#", topic)
            || matches("$x/#", topic)
            || rights.talks && matches("u/#", topic)
            || matches("v/#", topic) && qos <= QoS::AtLeastOnce && !retain
    }

    /// The QoS that a subscription gets, where it may stand at all.
    pub(crate) fn grant(&self, device: usize, filter: &str, qos: QoS) -> Option<QoS> {
        let rights = &self.devices[device];
        let filter = inner(filter);
        let denied = self.closed && covers("t/b", filter) || rights.blind && covers("t/c/#", filter);
        if rights.disabled || denied {
            return None;
        }
        if covers("t/#", filter) || covers("$x/#", filter) || rights.listens && covers("#", filter) {
            return Some(qos);
        }
        covers("v/#", filter).then_some(qos.min(QoS::AtLeastOnce))
    }

    /// Whether one topic may be read, by whatever right.
    pub(crate) fn may_read(&self, device: usize, topic: &str) -> bool {
        self.grant(device, topic, QoS::AtMostOnce).is_some()
    }
}

/// For rules that are one topic or end in `#`, which is all we have here.
fn covers(rule: &str, filter: &str) -> bool {
    match rule.strip_suffix("#") {
        Some("") => !filter.starts_with('$'),
        Some(prefix) => filter.starts_with(prefix) || filter == prefix.trim_end_matches('/'),
        None => filter == rule,
    }
}
