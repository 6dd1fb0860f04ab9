//! Why a decision is what it is, in words an operator can act on.

use super::authorize::{Source, Standing, Stranger};
use super::decision::{Denied, Refusal};
use super::fill::{Filled, Filling};
use super::name::is_invisible;
use super::packed::RuleView;
use super::record::{Action, Effect, RetainBound};
use super::{DeviceKey, DistinguishedName, Policy, Principal};
use crate::protocol::QoS;
use crate::protocol::topic::{Level, TopicFilter, TopicName, covers, matches, overlaps};
use std::ops::ControlFlow;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// A decision told at length.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Explanation {
    /// The decision.
    pub allowed: bool,
    /// The rule that made it, where one did.
    pub rule: Option<String>,
    /// One line per rule that was looked at and what it did, then the conclusion and the remedy.
    pub lines: Vec<String>,
}

/// What is asked.
#[derive(Clone, Copy)]
enum Question<'a> {
    Publish(TopicName<'a>),
    Subscribe(&'a TopicFilter),
}

/// What one rule does to the question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    NotApplicable,
    Misses,
    Hole,
    Decides,
}

impl Policy {
    /// Explains a publish to a topic (QoS 0, not retained) or a subscribe to a filter (QoS 2).
    ///
    /// # Errors
    /// Text that is no topic name or filter: the fault.
    pub fn explain(&self, principal: &Principal, action: Action, topic: &str) -> Result<Explanation, String> {
        let fault = |fault: crate::protocol::topic::TopicError| format!("{topic:?}: {fault}");
        match action {
            Action::Publish => Ok(self.answer(principal, Question::Publish(TopicName::parse(topic).map_err(fault)?))),
            Action::Subscribe => {
                let filter = TopicFilter::parse(topic).map_err(fault)?;
                Ok(self.answer(principal, Question::Subscribe(&filter)))
            }
        }
    }

    fn answer(&self, principal: &Principal, question: Question<'_>) -> Explanation {
        let mut lines = Vec::new();
        let mut allow = None;
        match self.standing(principal) {
            Ok(standing) => {
                lines.push(self.known_line(principal, standing));
                allow = self.rule_lines(principal, standing, question, &mut lines);
            }
            Err(stranger) => lines.push(self.stranger_line(principal, stranger)),
        }
        let decision = self.decide(principal, question);
        let rule = match decision {
            Ok(()) => allow,
            Err(Denied { rule }) => rule.map(|rule| rule.to_string()),
        };
        self.conclude(principal, question, decision, rule.as_deref(), &mut lines);
        Explanation { allowed: decision.is_ok(), rule, lines }
    }

    /// The same functions decide here that decide for clients.
    fn decide(&self, principal: &Principal, question: Question<'_>) -> Result<(), Denied> {
        match question {
            Question::Publish(topic) => self.judge_publish(principal, topic, QoS::AtMostOnce, false),
            Question::Subscribe(filter) => {
                self.authorize_subscribe(principal, filter, QoS::ExactlyOnce).map(|_grant| ())
            }
        }
    }

    fn known_line(&self, principal: &Principal, standing: Standing<'_>) -> String {
        match standing {
            Standing::Recorded(record) => {
                let names = record.groups().iter().filter_map(|number| self.groups.group(*number));
                let names: Vec<&str> = names.map(|group| &*group.name).collect();
                let groups = if names.is_empty() { "no group".to_owned() } else { names.join(", ") };
                let pins = if record.pins().is_empty() { "" } else { "; pinned to certain certificates" };
                format!("device {}: has a record, enabled, lists {groups}{pins}", principal.key)
            }
            Standing::Matched => {
                format!("device {}: has no record; known because its certificate matches a group", principal.key)
            }
        }
    }

    fn stranger_line(&self, principal: &Principal, stranger: Stranger) -> String {
        let key = &principal.key;
        match stranger {
            Stranger::Unknown => format!("unknown device {key}: it has no record and its certificate matches no group"),
            Stranger::Disabled => format!("device {key} is disabled"),
            Stranger::Revoked => format!("device {key} is revoked"),
            Stranger::Lapsed(lapse) => format!("device {key}: {lapse}"),
            Stranger::ClientId => {
                format!("device {key}: client id {:?} is not its one common name", principal.client_id)
            }
        }
    }

    /// A line for each rule; the first allow that decides comes back.
    fn rule_lines(
        &self,
        principal: &Principal,
        standing: Standing<'_>,
        question: Question<'_>,
        lines: &mut Vec<String>,
    ) -> Option<String> {
        let filling = Filling::new(principal, self.settings().client_id, question.first_level());
        let mut allow = None;
        let before = lines.len();
        let _: ControlFlow<()> = self.visit(principal, standing, question.action(), |source, rule| {
            let filled = filling.fill(rule);
            let verdict = filled.map_or(Verdict::NotApplicable, |filled| question.verdict(filled, rule.effect));
            if verdict == Verdict::Decides && rule.effect == Effect::Allow && allow.is_none() {
                allow = Some(rule.id().to_string());
            }
            lines.push(rule_line(source, rule, filling, filled, verdict));
            ControlFlow::Continue(())
        });
        if lines.len() == before {
            lines.push(format!("no rule about {} is in force for it", question.action().as_str()));
        }
        allow
    }

    fn conclude(
        &self,
        principal: &Principal,
        question: Question<'_>,
        decision: Result<(), Denied>,
        rule: Option<&str>,
        lines: &mut Vec<String>,
    ) {
        let asked = format!("{} {:?}", question.action().as_str(), question.text());
        let remedy = decision.err().and_then(|denied| self.remedy_of(principal, question, denied));
        match (decision, rule) {
            (Ok(()), Some(rule)) => lines.push(format!("allowed: {asked}, by rule {rule}")),
            (Ok(()), None) => lines.push(format!("allowed: {asked}")),
            (Err(_), Some(rule)) => {
                lines.push(format!("denied: {asked}, by deny rule {rule}; a deny beats every allow"));
            }
            (Err(_), None) => self.conclude_default(principal, question, &asked, lines),
        }
        lines.extend(remedy.map(|remedy| format!("remedy: {remedy}")));
    }

    fn conclude_default(&self, principal: &Principal, question: Question<'_>, asked: &str, lines: &mut Vec<String>) {
        match self.standing(principal) {
            Err(Stranger::Unknown) => {
                lines.push(format!("denied: {asked}: the device is unknown"));
                lines.extend(self.did_you_mean(&principal.key));
            }
            Err(Stranger::Disabled) => lines.push(format!("denied: {asked}: the device is disabled")),
            Err(Stranger::Revoked) => lines.push(format!("denied: {asked}: the device is revoked")),
            Err(Stranger::Lapsed(lapse)) => lines.push(format!("denied: {asked}: its certificate: {lapse}")),
            Err(Stranger::ClientId) => {
                lines.push(format!("denied: {asked}: identity.client_id = \"cn\" demands the common name"));
            }
            Ok(_) if question.is_reserved() => {
                lines.push(format!("denied: {asked}: only the broker publishes to $SYS"));
            }
            Ok(_) => lines.push(format!("denied: {asked}: no allow matches, and what is not allowed is denied")),
        }
    }

    /// What an operator can do about a denial of `topic`, a topic name or filter: a line to paste, or words. None where
    /// nothing helps.
    pub fn remedy(&self, principal: &Principal, action: Action, topic: &str, denied: Denied) -> Option<String> {
        match action {
            Action::Publish => self.remedy_of(principal, Question::Publish(TopicName::parse(topic).ok()?), denied),
            Action::Subscribe => {
                self.remedy_of(principal, Question::Subscribe(&TopicFilter::parse(topic).ok()?), denied)
            }
        }
    }

    /// Looks at no rule: cheap enough for the way of a packet.
    fn remedy_of(&self, principal: &Principal, question: Question<'_>, denied: Denied) -> Option<String> {
        if let Some(rule) = denied.rule {
            return Some(format!("certmq acl remove {rule}"));
        }
        match self.standing(principal) {
            Err(stranger) => self.remedy_of_stranger(stranger, &principal.key),
            Ok(_) if question.is_reserved() => None,
            Ok(_) => {
                let (action, topic) = (question.action().as_str(), shell_word(question.inner()));
                Some(format!("certmq acl allow {} {action} {topic}", shell_who(&principal.key)))
            }
        }
    }

    /// A name typed from the front of the certificate.
    fn did_you_mean(&self, key: &DeviceKey) -> Option<String> {
        let reversed = DistinguishedName::parse(&key.name).ok()?.reversed();
        let key = DeviceKey { trust: Arc::clone(&key.trust), name: Arc::from(reversed.as_str()) };
        self.device(&key).map(|_| format!("did you mean {key}?"))
    }
}

impl Policy {
    fn remedy_of_stranger(&self, stranger: Stranger, key: &DeviceKey) -> Option<String> {
        Some(match stranger {
            Stranger::Unknown => format!("certmq device add {}", shell_who(key)),
            Stranger::Disabled => format!("certmq device enable {}", shell_who(key)),
            Stranger::Revoked => format!("certmq revoke --undo {}", self.denied.device(key)?),
            Stranger::ClientId => "let the client connect with its common name as client id".to_owned(),
            Stranger::Lapsed(lapse) => lapse.remedy().to_owned(),
        })
    }

    /// What an operator can do about a device that is not admitted: a line to paste, or words.
    pub fn remedy_of_refusal(&self, refusal: &Refusal, key: &DeviceKey) -> Option<String> {
        let stranger = match refusal {
            Refusal::Unknown(_) => Stranger::Unknown,
            Refusal::Disabled(_) => Stranger::Disabled,
            Refusal::Revoked(_) => Stranger::Revoked,
            Refusal::Lapsed { lapse, .. } => Stranger::Lapsed(*lapse),
            Refusal::ClientId { .. } => Stranger::ClientId,
            Refusal::NotPinned(_) => {
                return Some("if the device may use this certificate: certmq device add --cert FILE --pin".to_owned());
            }
        };
        self.remedy_of_stranger(stranger, key)
    }
}

impl<'a> Question<'a> {
    fn action(self) -> Action {
        match self {
            Self::Publish(_) => Action::Publish,
            Self::Subscribe(_) => Action::Subscribe,
        }
    }

    fn text(self) -> &'a str {
        match self {
            Self::Publish(topic) => topic.as_str(),
            Self::Subscribe(filter) => filter.as_str(),
        }
    }

    /// What rights are about: the filter without `$share/GROUP/`.
    fn inner(self) -> &'a str {
        match self {
            Self::Publish(topic) => topic.as_str(),
            Self::Subscribe(filter) => filter.inner(),
        }
    }

    fn is_reserved(self) -> bool {
        matches!(self, Self::Publish(topic) if super::record::is_system(topic.as_str()))
    }

    fn first_level(self) -> Option<Level<'a>> {
        match self {
            Self::Publish(topic) => topic.levels().next().map(Level::Literal),
            Self::Subscribe(filter) => filter.levels().next(),
        }
    }

    fn verdict(self, filled: Filled<'_>, effect: Effect) -> Verdict {
        let whole = match self {
            Self::Publish(topic) => matches(filled.levels(), topic),
            Self::Subscribe(filter) => covers(filled.levels(), filter.levels()),
        };
        match self {
            _ if whole => Verdict::Decides,
            Self::Subscribe(filter) if effect == Effect::Deny && overlaps(filled.levels(), filter.levels()) => {
                Verdict::Hole
            }
            Self::Publish(_) | Self::Subscribe(_) => Verdict::Misses,
        }
    }
}

fn rule_line(
    source: Source<'_>,
    rule: RuleView<'_>,
    filling: Filling<'_>,
    filled: Option<Filled<'_>>,
    verdict: Verdict,
) -> String {
    let source = match source {
        Source::Own => "own rule".to_owned(),
        Source::Listed(group) => format!("group {} (listed)", group.name),
        Source::Matched(group) => {
            let pairs = group.matches.iter().map(|(attribute, value)| format!("{} = {value:?}", attribute.as_str()));
            format!("group {} (matched by {})", group.name, pairs.collect::<Vec<_>>().join(", "))
        }
    };
    let (effect, action) = (rule.effect.as_str(), rule.action.as_str());
    let mut line = format!("{source}: {} {effect} {action} {:?}", rule.id(), rule.filter);
    let values: Vec<String> = filling
        .values(rule.filter)
        .map(|(template, value)| match (value, rule.effect) {
            (Ok(value), _) => format!("{template} = {value:?}"),
            (Err(fault), Effect::Allow) => format!("{template} fills nothing: {}", fault.words()),
            (Err(fault), Effect::Deny) => format!("{template} stands for every level: {}", fault.words()),
        })
        .collect();
    if !values.is_empty() {
        line.push_str(&format!(" ({})", values.join("; ")));
    }
    if let Some(filled) = filled.filter(|_| !values.is_empty()) {
        line.push_str(&format!(", that is {:?}", filled.text()));
    }
    line.push_str(": ");
    line.push_str(&outcome(rule, verdict));
    line
}

fn outcome(rule: RuleView<'_>, verdict: Verdict) -> String {
    let matched = match rule.action {
        Action::Publish => "matches",
        Action::Subscribe => "covers it",
    };
    match (verdict, rule.effect) {
        (Verdict::NotApplicable, _) => "does not apply".to_owned(),
        (Verdict::Misses, _) if rule.action == Action::Publish => "does not match".to_owned(),
        (Verdict::Misses, Effect::Deny) => "does not touch it".to_owned(),
        (Verdict::Misses, Effect::Allow) => "does not cover it whole".to_owned(),
        (Verdict::Hole, _) => "touches a part: what matches there is not delivered".to_owned(),
        (Verdict::Decides, Effect::Deny) => format!("{matched}, denies"),
        (Verdict::Decides, Effect::Allow) => format!("{matched}, allows{}", bounds(rule)),
    }
}

fn bounds(rule: RuleView<'_>) -> String {
    let mut text = match rule.bounds.max_qos.0 {
        QoS::ExactlyOnce => String::new(),
        QoS::AtLeastOnce => " up to QoS 1".to_owned(),
        QoS::AtMostOnce => " QoS 0 only".to_owned(),
    };
    if rule.bounds.retain == RetainBound::NotRetained {
        text.push_str(", never retained");
    }
    text
}

/// A device as an argument of a command.
fn shell_who(key: &DeviceKey) -> String {
    let name = shell_word(&key.name);
    if &*key.trust == DeviceKey::DEFAULT_TRUST { name } else { format!("{name} --trust {}", shell_word(&key.trust)) }
}

/// One word of a shell, whatever it contains: people paste these lines.
fn shell_word(text: &str) -> String {
    if !text.contains(is_invisible) {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    let escaped = text.chars().map(|character| match character {
        '\\' | '\'' => format!("\\{character}"),
        invisible if is_invisible(invisible) => format!("\\U{:08x}", u32::from(invisible)),
        plain => plain.to_string(),
    });
    format!("$'{}'", escaped.collect::<String>())
}
