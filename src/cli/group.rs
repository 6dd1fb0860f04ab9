//! `certmq group`: rules that many devices share.

use super::device::{CODES, READING, changed};
use super::{Context, Exit, Failure, Outcome, after_help, backend, output};
use crate::admin::reply::{GroupView, GroupsView};
use crate::admin::{Reply, Request};
use crate::config::nearest;
use crate::policy::record::Attribute;
use output::Table;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Groups: rules that many devices share
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq group add sensors --match o=acme --match ou=sensors", "every certificate with both is a member"),
        ("certmq acl allow --group sensors publish 'sensors/{cn}/#'", "one rule for all of them"),
    ],
    CODES,
))]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Add a group
    #[command(after_help = after_help(
        &[
            ("certmq group add gateways", "its members are listed: certmq device add … --group gateways"),
            ("certmq group add sensors --match o=acme --match ou=sensors", "its members are matched"),
        ],
        CODES,
    ))]
    Add {
        /// Letters, digits, '-', '_' and '.', at most 64
        name: String,
        /// An attribute every member's certificate has: cn, o, ou, san_uri, san_dns or san_email; all must hold
        #[arg(long = "match", value_name = "ATTRIBUTE=VALUE", value_parser = attribute)]
        matches: Vec<(Attribute, String)>,
    },
    /// List every group
    #[command(after_help = after_help(&[("certmq group list", "what each matches, and how many devices list it")], READING))]
    List,
    /// Show a group and its rules
    #[command(after_help = after_help(&[("certmq group show sensors", "its rules with their ids")], READING))]
    Show {
        /// Which one
        name: String,
    },
    /// Remove a group that no device lists
    #[command(after_help = after_help(&[("certmq group remove sensors", "its rules go with it")], CODES))]
    Remove {
        /// Which one
        name: String,
    },
}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let request = self.command.request()?;
        match backend::ask(&context.settings()?, request)? {
            Reply::Changed(change) => changed(context, &change),
            Reply::Groups(groups) => {
                context.output.write(&groups, groups_table)?;
                Ok(Exit::Success)
            }
            Reply::Group(group) => {
                context.output.write(&group, group_text)?;
                Ok(Exit::Success)
            }
            _ => Err(backend::unexpected()),
        }
    }
}

impl Command {
    fn request(self) -> Result<Request, Failure> {
        Ok(match self {
            Self::Add { name, matches } => {
                let count = matches.len();
                let matches: BTreeMap<Attribute, String> = matches.into_iter().collect();
                if matches.len() != count {
                    let fault = "--match: an attribute stands twice; a group matches one value of each";
                    return Err(Failure::new(Exit::Usage, fault));
                }
                Request::AddGroup { name, matches }
            }
            Self::List => Request::ListGroups {},
            Self::Show { name } => Request::ShowGroup { name },
            Self::Remove { name } => Request::RemoveGroup { name },
        })
    }
}

fn attribute(text: &str) -> Result<(Attribute, String), String> {
    let names = Attribute::ALL.map(Attribute::as_str);
    let (name, value) = text.split_once('=').ok_or("write ATTRIBUTE=VALUE, as in o=acme")?;
    match Attribute::named(&name.to_lowercase()) {
        Some(attribute) => Ok((attribute, value.to_owned())),
        None => Err(match nearest(name, names) {
            Some(near) => format!("no attribute {name:?}; did you mean {near}?"),
            None => format!("no attribute {name:?}; there are {}", names.join(", ")),
        }),
    }
}

fn groups_table(view: &GroupsView) -> String {
    let mut table = Table::new(&["NAME", "MATCH", "RULES", "LISTED BY"]);
    for group in &view.groups {
        table.row(&[
            group.name.clone(),
            matched(group),
            group.rules.len().to_string(),
            group.listed_devices.to_string(),
        ]);
    }
    table.render()
}

fn group_text(group: &GroupView) -> String {
    let mut table = Table::default();
    table.row(&["name", &group.name]);
    table.row(&["match", &matched(group)]);
    if !group.limits.is_unlimited() {
        table.row(&["limits", &group.limits.to_string()]);
    }
    table.row(&["listed by", &format!("{} device(s)", group.listed_devices)]);
    let mut text = table.render();
    for rule in &group.rules {
        let _ = writeln!(text, "{}  {}", rule.id, output::escape(&rule.to_string()));
    }
    text
}

fn matched(group: &GroupView) -> String {
    let pairs = group.matches.iter().map(|(attribute, value)| format!("{attribute}={value}"));
    pairs.collect::<Vec<_>>().join(", ")
}
