//! `certmq denials`: what the running broker refused last, why, and what to do about it.

use super::who::WhoOptions;
use super::{Context, Exit, Failure, Outcome, after_help, backend, output};
use crate::admin::reply::DenialsView;
use crate::admin::{Reply, Request, Wait, Who};
use crate::telemetry::denials::Denial;
use crate::telemetry::log::escape_json;
use output::{JSON_VERSION, Output, escape};
use std::fmt::Write;

/// The last refusals, each with its cause and a remedy: handshakes, CONNECTs, publishes, subscribes
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "certmq denials [OPTIONS] [WHO|--group NAME|--cert FILE]",
    after_help = after_help(
        &[
            ("certmq denials", "the last of everyone, each with a line to paste"),
            ("certmq denials dev-0001 --follow", "those of one device, and new ones as they come"),
            ("certmq denials --output json", "for scripts; with --follow one document a line"),
        ],
        CODES,
    ),
)]
pub(super) struct Arguments {
    /// The device's name
    #[arg(value_name = "WHO", conflicts_with_all = ["group", "cert"])]
    word: Option<String>,
    #[command(flatten)]
    who: WhoOptions,
    /// Go on with new refusals as they come
    #[arg(long)]
    follow: bool,
}

const CODES: &[Exit] =
    &[Exit::Data, Exit::Missing, Exit::Unavailable, Exit::Software, Exit::NotPermitted, Exit::Configuration];

impl Arguments {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let Self { word, who, follow } = self;
        let who = if word.is_some() || who.given() { Some(who.who(word)?) } else { None };
        let mut broker = backend::running_broker(&context.settings()?)?;
        match follow {
            true => follow_on(&mut broker, who.as_ref(), context.output),
            false => {
                context.output.write(&every_page(&mut broker, who.as_ref())?, text)?;
                Ok(Exit::Success)
            }
        }
    }
}

fn page(broker: &mut backend::Backend, who: Option<&Who>, after: u64, wait: Wait) -> Result<DenialsView, Failure> {
    match broker.ask(Request::Denials { who: who.cloned(), after, wait })? {
        Reply::Denials(page) => Ok(page),
        _ => Err(backend::unexpected()),
    }
}

fn every_page(broker: &mut backend::Backend, who: Option<&Who>) -> Result<DenialsView, Failure> {
    let mut all = DenialsView::default();
    loop {
        let next = page(broker, who, all.next, Wait::AtOnce)?;
        let at_end = next.denials.is_empty();
        all.denials.extend(next.denials);
        (all.next, all.skipped) = (next.next, all.skipped + next.skipped);
        if at_end {
            return Ok(all);
        }
    }
}

/// Until the broker goes, or the reader of stdout.
fn follow_on(broker: &mut backend::Backend, who: Option<&Who>, output: Output) -> Outcome {
    let mut wait = Wait::AtOnce;
    let mut after = 0;
    loop {
        let page = page(broker, who, after, wait)?;
        (after, wait) = (page.next, Wait::ForMore);
        output::print(&streamed(&page, output))?;
    }
}

fn streamed(page: &DenialsView, output: Output) -> String {
    match output {
        Output::Table => text(page),
        Output::Json => {
            let mut documents = Vec::new();
            if page.skipped > 0 {
                documents.push(serde_json::json!({ "version": JSON_VERSION, "skipped": page.skipped }));
            }
            let denials = page.denials.iter();
            documents.extend(denials.map(|denial| serde_json::json!({ "version": JSON_VERSION, "denial": denial })));
            documents.iter().map(|document| format!("{}\n", escape_json(&document.to_string()))).collect()
        }
    }
}

fn text(page: &DenialsView) -> String {
    let mut text = String::new();
    if page.skipped > 0 {
        let _ = writeln!(text, "({} refusals came and went before they could be shown)", page.skipped);
    }
    for denial in &page.denials {
        one(denial, &mut text);
    }
    text
}

fn one(denial: &Denial, text: &mut String) {
    let Denial { time, kind, device, address, client_id, topic, rule, cause, reason_code, remedy, left_out, .. } =
        denial;
    let device = if device.is_empty() { "(no certificate)" } else { device };
    let mut line = format!("{time}  {}  {device}  {address}", kind.as_str());
    if !client_id.is_empty() {
        let _ = write!(line, "  client {client_id:?}");
    }
    if let Some(topic) = topic {
        let _ = write!(line, "  {topic:?}");
    }
    let _ = write!(line, ": {cause}");
    if let Some(rule) = rule {
        let _ = write!(line, " ({rule})");
    }
    if let Some(code) = reason_code {
        let _ = write!(line, ", answered 0x{code:02X}");
    }
    let _ = writeln!(text, "{}", escape(&line));
    if let Some(remedy) = remedy {
        let _ = writeln!(text, "  remedy: {}", escape(remedy));
    }
    if *left_out > 0 {
        let _ = writeln!(text, "  {left_out} more like it came before");
    }
}
