//! Templates: levels of a rule's filter that the certificate fills, as data and never as a filter.

use super::{ClientIdRule, Principal};

/// One template. It fills a whole topic level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Template {
    Cn,
    Ou,
    O,
    Serial,
    Subject,
    SanUri,
    /// A segment of the path of the SAN URI, counted from 1.
    SanUriPath(u8),
    SanDns,
    ClientId,
}

/// Why a template has no value to fill a level with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueFault {
    Missing,
    Ambiguous,
    Empty,
    /// It holds a character that means something in a filter.
    Special(char),
    /// It would reach topics that wildcards never reach.
    Dollar,
    /// `{client_id}` where the client chooses it.
    Chosen,
}

/// What every template is called, for messages.
pub(super) const NAMES: [&str; 9] =
    ["{cn}", "{ou}", "{o}", "{serial}", "{subject}", "{san.uri}", "{san.uri.path.N}", "{san.dns}", "{client_id}"];

impl Template {
    /// The template that a whole level stands for.
    pub(super) fn of(level: &str) -> Option<Self> {
        Some(match level {
            "{cn}" => Self::Cn,
            "{ou}" => Self::Ou,
            "{o}" => Self::O,
            "{serial}" => Self::Serial,
            "{subject}" => Self::Subject,
            "{san.uri}" => Self::SanUri,
            "{san.dns}" => Self::SanDns,
            "{client_id}" => Self::ClientId,
            path => {
                let number = path.strip_prefix("{san.uri.path.")?.strip_suffix('}')?;
                let plain = number.bytes().all(|digit| digit.is_ascii_digit()) && !number.starts_with('0');
                Self::SanUriPath(number.parse().ok().filter(|_| plain)?)
            }
        })
    }

    /// The level that `principal` fills in, at the place `index` of a filter.
    pub(super) fn value(self, principal: &Principal, rule: ClientIdRule, index: usize) -> Result<&str, ValueFault> {
        let attributes = &*principal.attributes;
        let value = match self {
            Self::Cn => only(&attributes.common_names)?,
            Self::Ou => only(&attributes.units)?,
            Self::O => only(&attributes.organisations)?,
            Self::Serial => &attributes.serial,
            Self::Subject => &attributes.subject,
            Self::SanUri => only(&attributes.san_uris)?,
            Self::SanUriPath(number) => {
                path(only(&attributes.san_uris)?).nth(usize::from(number) - 1).ok_or(ValueFault::Missing)?
            }
            Self::SanDns => only(&attributes.san_dns)?,
            Self::ClientId => match rule {
                ClientIdRule::CommonName if only(&attributes.common_names)? == &*principal.client_id => {
                    &principal.client_id
                }
                ClientIdRule::CommonName | ClientIdRule::Free => return Err(ValueFault::Chosen),
            },
        };
        fit(value, index)
    }
}

fn only(values: &[String]) -> Result<&str, ValueFault> {
    match values {
        [] => Err(ValueFault::Missing),
        [value] => Ok(value),
        _ => Err(ValueFault::Ambiguous),
    }
}

fn fit(value: &str, index: usize) -> Result<&str, ValueFault> {
    if value.is_empty() {
        return Err(ValueFault::Empty);
    }
    if let Some(special) = value.bytes().find(|octet| matches!(octet, b'/' | b'+' | b'#' | 0)) {
        return Err(ValueFault::Special(char::from(special)));
    }
    if index == 0 && value.starts_with('$') { Err(ValueFault::Dollar) } else { Ok(value) }
}

/// The segments of a URI's path (RFC 3986 section 3.3), not decoded.
fn path(uri: &str) -> impl Iterator<Item = &str> {
    let hierarchical = uri.split_once(':').map_or("", |(_, rest)| rest);
    let end = hierarchical.find(['?', '#']).unwrap_or(hierarchical.len());
    let hierarchical = hierarchical.get(..end).unwrap_or_default();
    let path = match hierarchical.strip_prefix("//") {
        Some(authority) => authority.split_once('/').map(|(_, path)| path),
        None => Some(hierarchical.strip_prefix('/').unwrap_or(hierarchical)),
    };
    path.into_iter().flat_map(|path| path.split('/'))
}

impl ValueFault {
    /// In words, for explanations.
    pub(super) fn words(self) -> String {
        match self {
            Self::Missing => "the certificate has none".to_owned(),
            Self::Ambiguous => "the certificate has more than one".to_owned(),
            Self::Empty => "its value is empty".to_owned(),
            Self::Special(special) => format!("its value contains {special:?}"),
            Self::Dollar => {
                "its value starts with '$', and only a rule that spells it out reaches such topics".to_owned()
            }
            Self::Chosen => "the client id is not the common name".to_owned(),
        }
    }
}
