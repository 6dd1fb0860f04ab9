//! Requests about groups.

use super::devices::data;
use super::{Call, Plan, Service};
use crate::admin::reply::{AdminError, Fault, GroupView, GroupsView, Reply};
use crate::config::nearest;
use crate::policy::record::Attribute;
use crate::policy::{Attributes, Change, GroupRecord, RecordLimits};
use crate::store::policy_store::PolicyStore;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

impl Service {
    pub(super) fn add_group(
        &self,
        call: Call<'_>,
        name: &str,
        matches: BTreeMap<Attribute, String>,
    ) -> Result<Reply, AdminError> {
        let record = GroupRecord::new(name, matches, Vec::new(), RecordLimits::default()).map_err(data)?;
        self.change(call, |store| match store.group(name)? {
            None => Ok(Plan::new(vec![Change::PutGroup(record)], format!("group {name} added"))),
            Some(known) if known.matches == record.matches => {
                Ok(Plan::nothing(format!("group {name} is there already")))
            }
            Some(known) => Err(AdminError::new(
                Fault::Data,
                format!(
                    "group {name} is there already and matches {}; remove it first, or change it with `certmq export` and `certmq apply`",
                    matched(&known)
                ),
            )),
        })
    }

    pub(super) fn list_groups(&self) -> Result<Reply, AdminError> {
        let mut listed: HashMap<Arc<str>, usize> = HashMap::new();
        for device in self.store().devices() {
            for group in device?.groups {
                *listed.entry(group).or_default() += 1;
            }
        }
        let view = |group: GroupRecord| GroupView::new(&group, listed.get(&group.name).copied().unwrap_or_default());
        let groups = self.store().groups().map(|group| Ok(view(group?)));
        Ok(Reply::Groups(GroupsView { groups: groups.collect::<Result<_, AdminError>>()? }))
    }

    pub(super) fn show_group(&self, name: &str) -> Result<Reply, AdminError> {
        let record = self.group(self.store(), name)?;
        let mut listed = 0;
        for device in self.store().devices() {
            listed += usize::from(device?.groups.contains(&record.name));
        }
        Ok(Reply::Group(GroupView::new(&record, listed)))
    }

    pub(super) fn remove_group(&self, call: Call<'_>, name: &str) -> Result<Reply, AdminError> {
        self.change(call, |store| {
            let record = self.group(store, name)?;
            Ok(Plan::new(vec![Change::RemoveGroup(record.name)], format!("group {name} removed")))
        })
    }

    /// The group of that name.
    pub(super) fn group(&self, store: &PolicyStore, name: &str) -> Result<GroupRecord, AdminError> {
        if let Some(record) = store.group(name)? {
            return Ok(record);
        }
        let names = store.groups().map(|group| Ok(group?.name)).collect::<Result<Vec<_>, AdminError>>()?;
        let message = match nearest(name, names.iter().map(|name| &**name)) {
            Some(near) => format!("no group {name:?}; did you mean {near}?"),
            None => format!("no group {name:?}; add it with `certmq group add`, list them with `certmq group list`"),
        };
        Err(AdminError::new(Fault::Missing, message))
    }
}

/// Whether a certificate makes its device a member, unlisted: every attribute has the value somewhere.
pub(super) fn matches(group: &GroupRecord, attributes: &Attributes) -> bool {
    let holds = |(attribute, wanted): (&Attribute, &String)| {
        let values = match attribute {
            Attribute::Cn => &attributes.common_names,
            Attribute::O => &attributes.organisations,
            Attribute::Ou => &attributes.units,
            Attribute::SanUri => &attributes.san_uris,
            Attribute::SanDns => &attributes.san_dns,
            Attribute::SanEmail => &attributes.san_emails,
        };
        values.contains(wanted)
    };
    !group.matches.is_empty() && group.matches.iter().all(holds)
}

fn matched(group: &GroupRecord) -> String {
    if group.matches.is_empty() {
        return "nothing: its members are listed".to_owned();
    }
    let pairs = group.matches.iter().map(|(attribute, value)| format!("{}={value}", attribute.as_str()));
    pairs.collect::<Vec<_>>().join(", ")
}
