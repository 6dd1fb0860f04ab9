//! `certmq session`: the sessions of the running broker.

use super::who::WhoOptions;
use super::{Context, Exit, Failure, Outcome, after_help, backend, output};
use crate::admin::reply::SessionsView;
use crate::admin::{DeviceRef, Reply, Request, SessionChoice, SessionCursor, Who};

mod text;

/// Sessions: who is connected, what waits for whom
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq session list", "every session of the running broker"),
        ("certmq session show dev-0001", "subscriptions, queue, drops by reason, expiry, will"),
        ("certmq session disconnect dev-0001", "close its connections; its sessions stay"),
        ("certmq session remove dev-0001 --all", "its sessions go, with everything that waits in them"),
    ],
    CODES,
))]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Disconnect(Disconnect),
    Remove(Remove),
}

/// List sessions: all, or those of a device or of the members of a group
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "certmq session list [OPTIONS] [WHO|--group NAME|--cert FILE]",
    after_help = after_help(
        &[
            ("certmq session list", "connected or away since when, from where, what waits"),
            ("certmq session list --group sensors --output json", "those of a group's members, for scripts"),
        ],
        CODES,
    ),
)]
struct List {
    /// The device's name
    #[arg(value_name = "WHO", conflicts_with_all = ["group", "cert"])]
    word: Option<String>,
    #[command(flatten)]
    who: WhoOptions,
}

/// Show everything about one session
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "certmq session show [OPTIONS] <WHO|--cert FILE> [CLIENT_ID]",
    after_help = after_help(
        &[
            ("certmq session show dev-0001", "the device's only session"),
            ("certmq session show dev-0001 pump-2", "the one with the client id pump-2"),
        ],
        CODES,
    ),
)]
struct Show {
    /// The device's name, and a client id where it has several sessions
    #[arg(value_names = ["WHO", "CLIENT_ID"], num_args = 0..=2)]
    words: Vec<String>,
    #[command(flatten)]
    who: WhoOptions,
}

/// Close connections; the sessions stay and wills are published
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "certmq session disconnect [OPTIONS] <WHO|--group NAME|--cert FILE> [CLIENT_ID]",
    after_help = after_help(
        &[
            ("certmq session disconnect dev-0001", "every connection of the device"),
            ("certmq session disconnect dev-0001 pump-2", "the one with the client id pump-2"),
            ("certmq session disconnect --group sensors", "every connection of the group's members"),
        ],
        CODES,
    ),
)]
struct Disconnect {
    /// The device's name, and a client id for one of several connections
    #[arg(value_names = ["WHO", "CLIENT_ID"], num_args = 0..=2)]
    words: Vec<String>,
    #[command(flatten)]
    who: WhoOptions,
}

/// Remove sessions with their subscriptions and what waits in them; connected clients are disconnected first
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "certmq session remove [OPTIONS] <WHO|--cert FILE> <CLIENT_ID|--all>",
    after_help = after_help(
        &[
            ("certmq session remove dev-0001 pump-2", "the one with the client id pump-2"),
            ("certmq session remove dev-0001 --all", "every session of the device"),
        ],
        CODES,
    ),
)]
struct Remove {
    /// The device's name and a client id
    #[arg(value_names = ["WHO", "CLIENT_ID"], num_args = 0..=2)]
    words: Vec<String>,
    #[command(flatten)]
    who: WhoOptions,
    /// Every session of the device
    #[arg(long)]
    all: bool,
}

/// How these commands can end.
const CODES: &[Exit] =
    &[Exit::Data, Exit::Missing, Exit::Unavailable, Exit::Software, Exit::NotPermitted, Exit::Configuration];

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let settings = || context.settings();
        match self.command {
            Command::List(List { word, who }) => {
                let who = if word.is_some() || who.given() { Some(who.who(word)?) } else { None };
                let sessions = every_page(&mut backend::running_broker(&settings()?)?, who.as_ref())?;
                context.output.write(&sessions, text::list)?;
            }
            Command::Show(Show { words, who }) => {
                let (who, client_id) = split(words, who, "show")?;
                let request = Request::ShowSession { device: device(who, "show")?, client_id };
                match backend::running_broker(&settings()?)?.ask(request)? {
                    Reply::Session(session) => context.output.write(&*session, text::show)?,
                    _ => return Err(backend::unexpected()),
                }
            }
            Command::Disconnect(Disconnect { words, who }) => {
                let (who, client_id) = split(words, who, "disconnect")?;
                return end(context, Request::DisconnectSessions { who, client_id });
            }
            Command::Remove(Remove { words, who, all }) => {
                let (who, client_id) = split(words, who, "remove")?;
                let choice = match (client_id, all) {
                    (Some(client_id), false) => SessionChoice::ClientId(client_id),
                    (None, true) => SessionChoice::All,
                    (Some(_), true) => return Err(usage("a CLIENT_ID or --all, not both")),
                    (None, false) => return Err(usage("give a CLIENT_ID, or --all for every session of the device")),
                };
                return end(context, Request::RemoveSessions { device: device(who, "remove")?, choice });
            }
        }
        Ok(Exit::Success)
    }
}

fn end(context: &Context, request: Request) -> Outcome {
    match backend::running_broker(&context.settings()?)?.ask(request)? {
        Reply::SessionsEnded(ended) => {
            context.output.write(&ended, |ended| format!("{}\n", output::escape(&ended.summary)))?;
            Ok(Exit::Success)
        }
        _ => Err(backend::unexpected()),
    }
}

/// The whole list, sorted by device and client id.
fn every_page(broker: &mut backend::Backend, who: Option<&Who>) -> Result<SessionsView, Failure> {
    let mut all = SessionsView::default();
    let mut after = Some(SessionCursor::default());
    while let Some(cursor) = after {
        match broker.ask(Request::ListSessions { who: who.cloned(), after: cursor })? {
            Reply::Sessions(mut page) => {
                all.sessions.append(&mut page.sessions);
                after = page.next;
            }
            _ => return Err(backend::unexpected()),
        }
    }
    all.sessions.sort_by(|left, right| {
        (&left.trust, &left.device, &left.client_id).cmp(&(&right.trust, &right.device, &right.client_id))
    });
    Ok(all)
}

/// WHO and the client id: WHO is a word unless an option names somebody.
fn split(words: Vec<String>, who: WhoOptions, command: &str) -> Result<(Who, Option<String>), Failure> {
    let mut words = words.into_iter();
    let word = if who.given() { None } else { words.next() };
    if word.is_none() && !who.given() {
        return Err(usage(&format!("say whose session: `certmq session {command} WHO`, or --cert FILE")));
    }
    let client_id = words.next();
    if words.next().is_some() {
        return Err(usage("--group or --cert names who is meant: leave WHO out"));
    }
    Ok((who.who(word)?, client_id))
}

/// The one device that a command takes.
fn device(who: Who, command: &str) -> Result<DeviceRef, Failure> {
    match who {
        Who::Device(device) => Ok(device),
        Who::Group(_) => Err(usage(&format!("`certmq session {command}` takes a device, not a group"))),
    }
}

fn usage(message: &str) -> Failure {
    Failure::new(Exit::Usage, message)
}
