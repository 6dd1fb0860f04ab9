//! A line: number, time and event, sealed.

use super::chain::{ChainHash, Head, hash_of, seal, unseal};
use super::event::Event;
use crate::telemetry::log::escape_json;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;
use time::OffsetDateTime;
use time::macros::format_description;

/// A line as it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its number in the trail, from 1.
    pub n: u64,
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// The part of a line that its place in the chain needs, whatever version wrote its event.
#[derive(Deserialize)]
pub(super) struct Numbered {
    pub(super) n: u64,
}

/// The line that follows `head`, and the head after it.
pub(super) fn write(head: Head, event: &Event, time: SystemTime) -> Result<(String, Head), serde_json::Error> {
    let line = Line { n: head.count + 1, time: time_text(time), event: event.clone() };
    let body = escape_json(&serde_json::to_string(&line)?).into_owned();
    let (text, hash) = seal(head.hash, &body);
    Ok((text, Head { count: line.n, hash }))
}

/// A line whose hash is what it should be behind `before`, with its body.
pub(super) fn read(line: &[u8], before: ChainHash) -> Result<(String, ChainHash), Unbelieved> {
    let (body, stated) = unseal(line).map_err(|fault| Unbelieved { fault, stated: None })?;
    if hash_of(before, &body) != stated {
        let fault = "its hash does not follow from the line before: one of the two was altered, or a line is missing";
        return Err(Unbelieved { fault: fault.to_owned(), stated: Some((body, stated)) });
    }
    Ok((body, stated))
}

/// A line that cannot be believed.
pub(super) struct Unbelieved {
    pub(super) fault: String,
    /// What it says all the same, with its hash.
    pub(super) stated: Option<(String, ChainHash)>,
}

/// RFC 3339 in UTC with milliseconds: as texts they sort like the times.
pub fn time_text(time: SystemTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from(time).format(format).unwrap_or_default()
}
