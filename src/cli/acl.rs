//! `certmq acl`: what a device may do, and why.

use super::ca::now;
use super::device::{ANSWERING, CODES, READING, changed};
use super::who::WhoOptions;
use super::{Context, Exit, Failure, Outcome, after_help, backend, output};
use crate::admin::reply::{ExplanationView, RulesView, SourcedRule};
use crate::admin::{Reply, Request, RuleText};
use crate::config::nearest;
use crate::config::units::parse_duration;
use crate::policy::{Action, Effect};
use output::Table;
use std::fmt::Write;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[cfg(test)]
mod tests;

/// Rules: what a device or group may publish and subscribe to, and why
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(
    &[
        ("certmq acl allow --group sensors publish 'sensors/{cn}/#' --max-qos 1", "each under its own name"),
        ("certmq acl deny dev-0001 publish 'sensors/dev-0001/config'", "a deny beats every allow"),
        ("certmq acl explain dev-0001 publish sensors/dev-0001/config", "the decision and the rule that made it"),
    ],
    CODES,
))]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Allow(Allow),
    Deny(Deny),
    List(List),
    Remove(Remove),
    Explain(Explain),
}

/// Allow somebody to publish or subscribe
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "certmq acl allow [OPTIONS] <WHO|--group NAME|--cert FILE> <publish|subscribe> <FILTER>",
    after_help = after_help(
        &[
            ("certmq acl allow dev-0001 publish 'sensors/dev-0001/#' --max-qos 1 --no-retain", "with bounds"),
            ("certmq acl allow --group sensors subscribe 'commands/{cn}/+'", "{cn} is each member's common name"),
            ("certmq acl allow dev-0001 subscribe 'debug/#' --until +2h", "for two hours"),
        ],
        CODES,
    ),
)]
struct Allow {
    /// Who, what, and a topic filter: {cn} {ou} {o} {serial} {subject} {san.uri} {san.dns} fill whole levels
    #[arg(value_names = ["WHO", "ACTION", "FILTER"], num_args = 2..=3, required = true)]
    words: Vec<String>,
    #[command(flatten)]
    who: WhoOptions,
    /// The highest QoS
    #[arg(long, value_name = "QOS", value_parser = clap::value_parser!(u8).range(0..=2))]
    max_qos: Option<u8>,
    /// Not with the retain flag
    #[arg(long)]
    no_retain: bool,
    #[command(flatten)]
    until: Until,
}

/// Deny somebody to publish or subscribe, whatever allows it
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "certmq acl deny [OPTIONS] <WHO|--group NAME|--cert FILE> <publish|subscribe> <FILTER>",
    after_help = after_help(
        &[("certmq acl deny --group sensors publish 'sensors/{cn}/config'", "for every member, whatever allows it")],
        CODES,
    ),
)]
struct Deny {
    /// Who, what, and a topic filter
    #[arg(value_names = ["WHO", "ACTION", "FILTER"], num_args = 2..=3, required = true)]
    words: Vec<String>,
    #[command(flatten)]
    who: WhoOptions,
    #[command(flatten)]
    until: Until,
}

#[derive(Debug, clap::Args)]
struct Until {
    /// When the rule ends: '2027-01-31T12:00:00Z' (RFC 3339), or from now '+2h', '+30min', '+7d'
    #[arg(long, value_name = "TIME", value_parser = end)]
    until: Option<End>,
}

/// List the rules that count for somebody
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "certmq acl list [OPTIONS] <WHO|--group NAME|--cert FILE>",
    after_help = after_help(&[("certmq acl list dev-0001", "its own rules and those of its groups, with their ids")], READING),
)]
struct List {
    /// The device's name
    #[arg(value_name = "WHO", required_unless_present_any = ["group", "cert"], conflicts_with_all = ["group", "cert"])]
    word: Option<String>,
    #[command(flatten)]
    who: WhoOptions,
}

/// Remove a rule by its id
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "certmq acl remove [OPTIONS] <RULE> [WHO]",
    after_help = after_help(
        &[
            ("certmq acl remove 3f9a0c1d2e4b", "the rule with this id (certmq acl list)"),
            ("certmq acl remove 3f9a0c1d2e4b --group sensors", "where several records hold the same rule"),
        ],
        CODES,
    ),
)]
struct Remove {
    /// Its id: 12 hexadecimal digits
    #[arg(value_name = "RULE")]
    rule: String,
    /// Whose rule, where several records hold it
    #[arg(value_name = "WHO", conflicts_with_all = ["group", "cert"])]
    word: Option<String>,
    #[command(flatten)]
    who: WhoOptions,
}

/// Say whether somebody may, which rule decides, and how its template was filled
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "certmq acl explain [OPTIONS] <WHO|--group NAME|--cert FILE> <publish|subscribe> <TOPIC>",
    after_help = after_help(
        &[
            ("certmq acl explain dev-0001 publish sensors/dev-0001/temperature", "exit code 0: allowed, 1: denied"),
            ("certmq acl explain --cert dev-0001.crt subscribe 'commands/#'", "for a device that has no record"),
        ],
        ANSWERING,
    ),
)]
struct Explain {
    /// Who, what, and a topic name to publish to or a filter to subscribe to
    #[arg(value_names = ["WHO", "ACTION", "TOPIC"], num_args = 2..=3, required = true)]
    words: Vec<String>,
    #[command(flatten)]
    who: WhoOptions,
    /// The client id it would connect with
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
}

/// When a rule ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Unix seconds.
    At(i64),
    /// Seconds from now.
    After(i64),
}

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let request = self.command.request()?;
        match backend::ask(&context.settings()?, request)? {
            Reply::Changed(change) => changed(context, &change),
            Reply::Rules(rules) => {
                context.output.write(&rules, rules_table)?;
                Ok(Exit::Success)
            }
            Reply::Explanation(explanation) => {
                context.output.write(&explanation, explanation_text)?;
                Ok(if explanation.explanation.allowed { Exit::Success } else { Exit::Denied })
            }
            _ => Err(backend::unexpected()),
        }
    }
}

impl Command {
    fn request(self) -> Result<Request, Failure> {
        Ok(match self {
            Self::Allow(Allow { words, who, max_qos, no_retain, until }) => {
                let (word, action, filter) = split(words, &who, "allow", "FILTER")?;
                let rule = RuleText {
                    effect: Effect::Allow,
                    action,
                    filter,
                    max_qos,
                    retain: no_retain.then_some(false),
                    until: until.seconds(),
                };
                Request::AddRule { who: who.who(word)?, rule }
            }
            Self::Deny(Deny { words, who, until }) => {
                let (word, action, filter) = split(words, &who, "deny", "FILTER")?;
                let until = until.seconds();
                let rule = RuleText { effect: Effect::Deny, action, filter, max_qos: None, retain: None, until };
                Request::AddRule { who: who.who(word)?, rule }
            }
            Self::List(List { word, who }) => Request::ListRules { who: who.who(word)? },
            Self::Remove(Remove { rule, word, who }) => {
                let who = if word.is_some() || who.given() { Some(who.who(word)?) } else { None };
                Request::RemoveRule { rule, who }
            }
            Self::Explain(Explain { words, who, client_id }) => {
                let (word, action, topic) = split(words, &who, "explain", "TOPIC")?;
                Request::Explain { who: who.who(word)?, action, topic, client_id }
            }
        })
    }
}

/// WHO (unless an option names it), the action and the topic.
fn split(
    words: Vec<String>,
    who: &WhoOptions,
    command: &str,
    last: &str,
) -> Result<(Option<String>, Action, String), Failure> {
    let count = words.len();
    let mut words = words.into_iter();
    let word = match (who.given(), count) {
        (true, 2) => None,
        (false, 3) => words.next(),
        (true, _) => {
            let fault = format!("--group or --cert names who is meant; write only publish|subscribe {last} beside it");
            return Err(Failure::new(Exit::Usage, fault));
        }
        (false, _) => {
            let fault = format!("say who, what and where: certmq acl {command} WHO publish|subscribe {last}");
            return Err(Failure::new(Exit::Usage, fault));
        }
    };
    let action = action(&words.next().unwrap_or_default())?;
    Ok((word, action, words.next().unwrap_or_default()))
}

fn action(text: &str) -> Result<Action, Failure> {
    match text {
        "publish" => Ok(Action::Publish),
        "subscribe" => Ok(Action::Subscribe),
        _ => {
            let near = nearest(text, ["publish", "subscribe"]);
            let suggestion = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            let fault = format!("{text:?} is not an action: write publish or subscribe{suggestion}");
            Err(Failure::new(Exit::Usage, fault))
        }
    }
}

impl Until {
    fn seconds(&self) -> Option<i64> {
        self.until.map(|end| match end {
            End::At(seconds) => seconds,
            End::After(seconds) => now().saturating_add(seconds),
        })
    }
}

fn end(text: &str) -> Result<End, String> {
    let fault =
        || "write a time as '2027-01-31T12:00:00Z' (RFC 3339), or from now as '+2h', '+30min', '+7d'".to_owned();
    match text.strip_prefix('+') {
        Some(span) => {
            let span = parse_duration(span).map_err(|_| fault())?;
            i64::try_from(span.as_secs()).map(End::After).map_err(|_| fault())
        }
        None => OffsetDateTime::parse(text, &Rfc3339).map(|time| End::At(time.unix_timestamp())).map_err(|_| fault()),
    }
}

fn rules_table(view: &RulesView) -> String {
    let mut table = Table::new(&["RULE", "EFFECT", "ACTION", "FILTER", "QOS", "RETAIN", "UNTIL", "FROM"]);
    for SourcedRule { source, rule } in &view.rules {
        let retain = match rule.retain {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        let qos = rule.max_qos.map(|qos| format!("0-{qos}")).unwrap_or_default();
        let until = rule.until.as_deref().unwrap_or_default();
        let (effect, action) = (rule.effect.as_str(), rule.action.as_str());
        table.row(&[&rule.id, effect, action, &rule.filter, &qos, retain, until, source]);
    }
    table.render()
}

fn explanation_text(view: &ExplanationView) -> String {
    let decision = if view.explanation.allowed { "allowed" } else { "denied" };
    let (who, topic) = (output::escape(&view.who), output::escape(&view.topic));
    let mut text = format!("{decision}: {who} {} {topic}\n", view.action.as_str());
    if let Some(rule) = &view.explanation.rule {
        let _ = writeln!(text, "rule: {rule}");
    }
    for line in &view.explanation.lines {
        let _ = writeln!(text, "  {}", output::escape(line));
    }
    text
}
