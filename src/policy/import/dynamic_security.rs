//! mosquitto's dynamic security plugin: clients, groups and roles in a JSON document.
//!
//! Each role becomes a group of ours, and each client is listed in the groups of its roles, its own and those of its
//! groups there. Rules there are tried by priority and the first match decides; here every deny beats every allow.

use super::draft::{Draft, Line, Owner, Placeholder, Placeholders, overlap};
use super::{Carried, ImportError, Names, Translation};
use crate::policy::{Action, Bounds, Effect, Rule};
use serde::Deserialize;
use std::collections::BTreeMap;

const PLACEHOLDERS: Placeholders = &[("%c", Placeholder::ClientId), ("%u", Placeholder::UserName)];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default, rename = "defaultACLAccess")]
    defaults: Defaults,
    clients: Vec<Client>,
    #[serde(default)]
    groups: Vec<Group>,
    roles: Vec<Role>,
    #[serde(default)]
    anonymous_group: Option<String>,
}

/// What is decided where no rule matches. Where the document is silent the plugin's own default stands.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Defaults {
    publish_client_send: bool,
    publish_client_receive: bool,
    subscribe: bool,
}

#[derive(Deserialize)]
struct Client {
    username: String,
    #[serde(default)]
    clientid: Option<String>,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    roles: Vec<RoleName>,
    #[serde(default)]
    groups: Vec<GroupName>,
}

#[derive(Deserialize)]
struct Group {
    groupname: String,
    #[serde(default)]
    roles: Vec<RoleName>,
    #[serde(default)]
    clients: Vec<ClientName>,
}

#[derive(Deserialize)]
struct Role {
    rolename: String,
    #[serde(default)]
    acls: Vec<Acl>,
}

#[derive(Deserialize)]
struct RoleName {
    rolename: String,
}

#[derive(Deserialize)]
struct GroupName {
    groupname: String,
}

#[derive(Deserialize)]
struct ClientName {
    username: String,
}

#[derive(Deserialize)]
struct Acl {
    acltype: String,
    topic: String,
    #[serde(default)]
    priority: i64,
    allow: bool,
}

/// A rule as carried over, with the priority it had.
struct Ranked {
    rule: Rule,
    priority: i64,
    place: String,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { publish_client_send: false, publish_client_receive: true, subscribe: false }
    }
}

/// Translates the document.
///
/// # Errors
/// Text that is not such a document.
pub fn dynamic_security(text: &str, names: &Names) -> Result<Translation, ImportError> {
    let document: Document = serde_json::from_str(text).map_err(|error| ImportError {
        line: error.line().max(1),
        message: format!("no dynamic security document: {error}"),
    })?;
    let mut draft = Draft::new(names);
    for role in &document.roles {
        translate_role(&mut draft, role, document.defaults);
    }
    translate_clients(&mut draft, &document);
    tell_defaults(&mut draft, &document);
    draft.finish().map_err(|error| ImportError { line: 1, message: error.to_string() })
}

fn translate_role(draft: &mut Draft<'_>, role: &Role, defaults: Defaults) {
    let group = Owner::Group(draft.group(&role.rolename));
    let mut carried: Vec<Ranked> = Vec::new();
    for (index, acl) in role.acls.iter().enumerate() {
        let place = format!("role {:?}, acls[{index}]", role.rolename);
        if let Some(rule) = translate_acl(draft, &group, &place, acl, defaults) {
            carried.push(Ranked { rule, priority: acl.priority, place });
        }
    }
    for allow in carried.iter().filter(|ranked| ranked.rule.effect == Effect::Allow) {
        let beaten = carried.iter().find(|deny| {
            deny.rule.effect == Effect::Deny && deny.priority < allow.priority && overlap(&allow.rule, &deny.rule)
        });
        if let Some(deny) = beaten {
            let text = format!(
                "allow {} went before the deny of {} by its priority; here the deny wins where both match",
                allow.rule.filter, deny.place
            );
            draft.note(Carried::Differs, &allow.place, text);
        }
    }
}

fn translate_acl(draft: &mut Draft<'_>, owner: &Owner, place: &str, acl: &Acl, defaults: Defaults) -> Option<Rule> {
    let effect = if acl.allow { Effect::Allow } else { Effect::Deny };
    let wild = acl.topic.contains(['+', '#']);
    let action = match (&*acl.acltype, effect) {
        ("publishClientSend", _) => Action::Publish,
        ("subscribePattern", _) | ("publishClientReceive", Effect::Deny) => Action::Subscribe,
        ("subscribeLiteral", Effect::Allow) if wild => {
            let text =
                format!("subscribe {:?} was meant for that very filter; here narrower ones are granted too", acl.topic);
            draft.note(Carried::Differs, place, text);
            Action::Subscribe
        }
        ("subscribeLiteral", Effect::Deny) if wild => {
            let text = format!(
                "deny subscribe {:?} was meant for that very filter and left what is below it open; here it would close \
                 all of it",
                acl.topic
            );
            draft.note(Carried::LeftOut, place, text);
            return None;
        }
        ("subscribeLiteral", _) => Action::Subscribe,
        ("publishClientReceive", Effect::Allow) => {
            draft.note(Carried::Differs, place, receive_note(&acl.topic, defaults));
            return None;
        }
        ("unsubscribeLiteral" | "unsubscribePattern", _) => {
            draft.note(Carried::LeftOut, place, "every device may give up its subscriptions".to_owned());
            return None;
        }
        (other, _) => {
            draft.note(Carried::LeftOut, place, format!("{other:?} is no kind of rule that is known here"));
            return None;
        }
    };
    draft.rule(
        owner,
        Line { place, effect, action, bounds: Bounds::default(), topic: &acl.topic, placeholders: PLACEHOLDERS },
    )
}

fn receive_note(topic: &str, defaults: Defaults) -> String {
    let consequence = match defaults.publish_client_receive {
        true => "it changed nothing there either, as receiving was allowed by default",
        false => "receiving was denied by default, so look whether the subscribe rights are narrow enough",
    };
    format!("receiving {topic:?}: who may subscribe may receive here; {consequence}")
}

fn translate_clients(draft: &mut Draft<'_>, document: &Document) {
    let roles_of_group: BTreeMap<&str, &Group> =
        document.groups.iter().map(|group| (&*group.groupname, group)).collect();
    for client in &document.clients {
        let place = format!("client {:?}", client.username);
        let Some(key) = draft.user(&place, &client.username) else { continue };
        if client.disabled {
            draft.disable(&key);
        }
        if let Some(client_id) = &client.clientid {
            let text = format!("it was bound to client id {client_id:?}; here a device has its client ids for itself");
            draft.note(Carried::Differs, &place, text);
        }
        let listed = client.groups.iter().filter_map(|name| roles_of_group.get(&*name.groupname).copied());
        let listing = document
            .groups
            .iter()
            .filter(|group| group.clients.iter().any(|member| member.username == client.username));
        let roles = client.roles.iter().chain(listed.chain(listing).flat_map(|group| &group.roles));
        let names: Vec<&str> = roles.map(|role| &*role.rolename).collect();
        for role in names {
            match draft.existing_group(role) {
                Some(group) => draft.join(&key, &group),
                None => draft.note(Carried::LeftOut, &place, format!("role {role:?} is not in the document")),
            }
        }
    }
    for group in &document.groups {
        let place = format!("group {:?}", group.groupname);
        draft.note(Carried::Differs, &place, "its roles are groups here, and its clients are listed in each");
    }
}

fn tell_defaults(draft: &mut Draft<'_>, document: &Document) {
    let Defaults { publish_client_send, subscribe, publish_client_receive } = document.defaults;
    for (open, what) in [(publish_client_send, "publish"), (subscribe, "subscribe")] {
        if open {
            let text = format!("every {what} that no rule named was allowed; here it is denied until a rule allows it");
            draft.note(Carried::Differs, "defaultACLAccess", text);
        }
    }
    if !publish_client_receive {
        let text = "receiving was denied by default; here who may subscribe may receive";
        draft.note(Carried::Differs, "defaultACLAccess", text);
    }
    if let Some(group) = &document.anonymous_group {
        let text = format!("group {group:?} was for clients without a name; here every client has a certificate");
        draft.note(Carried::LeftOut, "anonymousGroup", text);
    }
    let text = "passwords are not needed: the certificate is the authentication";
    draft.note(Carried::LeftOut, "clients", text);
}
