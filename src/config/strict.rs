//! TOML text -> checked values. Every fault is told, each with its place and key; nothing is coerced.

use super::keys::{self, Kind};
use super::nearest;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

#[cfg(test)]
mod tests;

/// One fault of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `FILE:LINE`, `environment variable NAME` or `--set`.
    pub place: String,
    /// The dotted key; empty where the text is no TOML at all.
    pub key: String,
    /// What was found and what to write.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.place, self.message),
            key => write!(f, "{}: {key}: {}", self.place, self.message),
        }
    }
}

/// Reads a settings file. Relative paths in it are taken from `folder`, that of the file.
pub(super) fn read_file(text: &str, name: &str, folder: &Path) -> Result<toml::Table, Vec<Fault>> {
    let mut reader = Reader { place: Place::File { name, text }, folder, faults: Vec::new() };
    let table = match DeTable::parse(text) {
        Ok(table) => reader.table(table.get_ref(), ""),
        Err(error) => {
            reader.fault(error.span().unwrap_or(0..0), "", error.message().to_owned());
            toml::Table::new()
        }
    };
    if reader.faults.is_empty() { Ok(table) } else { Err(reader.into_faults()) }
}

/// Reads one `value` for the dotted `path` from the environment or a flag, by the kind of the key. `place` names
/// the variable or flag. Relative paths stay as they are: the working directory is meant.
pub(super) fn read_assignment(path: &str, value: &str, place: &str) -> Result<toml::Table, Vec<Fault>> {
    let mut reader = Reader { place: Place::Named(place), folder: Path::new(""), faults: Vec::new() };
    let read = match keys::kind(path) {
        _ if path.starts_with("tls.trust.") => {
            reader.fault(0..0, path, "set tls.trust as a whole, as a list of tables".to_owned());
            None
        }
        Some(kind) => reader.assigned(kind, path, value),
        None => {
            reader.unknown(0..0, path);
            None
        }
    };
    match read {
        Some(value) if reader.faults.is_empty() => Ok(nest(path, value)),
        _ => Err(reader.into_faults()),
    }
}

/// Where faults are.
enum Place<'a> {
    File { name: &'a str, text: &'a str },
    Named(&'a str),
}

struct Reader<'a> {
    place: Place<'a>,
    folder: &'a Path,
    /// With the byte they are at: the TOML table forgets the order of the file.
    faults: Vec<(usize, Fault)>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, prefix: &str) -> toml::Table {
        let mut read = toml::Table::new();
        for (name, value) in table {
            let path =
                if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
            let value = match (keys::kind(&path), value.get_ref()) {
                (Some(kind), _) => self.value(kind, &path, name.span(), value),
                (None, DeValue::Table(section)) if !keys::below(&path).is_empty() => {
                    Some(toml::Value::Table(self.table(section, &path)))
                }
                (None, _) if !keys::below(&path).is_empty() => {
                    self.fault(name.span(), &path, format!("is a section: write [{path}] and its keys below"));
                    None
                }
                (None, _) => {
                    self.unknown(name.span(), &path);
                    None
                }
            };
            if let Some(value) = value {
                read.insert(name.get_ref().to_string(), value);
            }
        }
        self.judge_trust(table, prefix);
        read
    }

    /// Plain keys and blocks together would leave open which of them counts.
    fn judge_trust(&mut self, table: &DeTable<'_>, prefix: &str) {
        let find = |wanted: &str| table.iter().find(|(name, _)| name.get_ref() == wanted).map(|(name, _)| name.span());
        if prefix == "tls"
            && find("trust").is_some()
            && let Some(span) = find("client_ca").or_else(|| find("crl"))
        {
            let fault =
                "stands beside [[tls.trust]]: move its files into a block (the plain keys are the block \"default\")";
            self.fault(span, "tls.client_ca", fault.to_owned());
        }
        if prefix == "tls.trust" {
            for wanted in ["name", "ca"] {
                if find(wanted).is_none() {
                    let span = table.iter().next().map_or(0..0, |(name, _)| name.span());
                    self.fault(span, "tls.trust", format!("this block lacks its {wanted}"));
                }
            }
        }
    }

    fn value(&mut self, kind: Kind, path: &str, at: Range<usize>, value: &Spanned<DeValue<'_>>) -> Option<toml::Value> {
        match (kind, value.get_ref()) {
            (Kind::Boolean, DeValue::Boolean(truth)) => Some(toml::Value::Boolean(*truth)),
            (Kind::Integer(..), DeValue::Integer(number)) => {
                self.number(kind, path, at, number.as_str(), number.radix())
            }
            (
                Kind::Paths | Kind::Texts | Kind::HttpNames | Kind::Origins | Kind::Subjects | Kind::Addresses,
                DeValue::Array(items),
            ) => {
                match kind {
                    Kind::Addresses if items.is_empty() => {
                        self.fault(at.clone(), path, "is empty: name at least one address".to_owned());
                    }
                    Kind::Subjects if items.is_empty() => {
                        let fault =
                            "is empty, so nobody would pass: name one, or leave the key out to let everyone pass";
                        self.fault(at.clone(), path, fault.to_owned());
                    }
                    _ => {}
                }
                let read = items.iter().filter_map(|item| match item.get_ref() {
                    DeValue::String(text) => self.text(kind, path, item.span(), text),
                    other => self.wrong_type(kind, path, item.span(), other),
                });
                Some(toml::Value::Array(read.collect()))
            }
            (Kind::Blocks, DeValue::Array(items)) => {
                let read = items.iter().filter_map(|item| match item.get_ref() {
                    DeValue::Table(block) => Some(toml::Value::Table(self.table(block, path))),
                    other => self.wrong_type(kind, path, item.span(), other),
                });
                Some(toml::Value::Array(read.collect()))
            }
            (Kind::Listener, DeValue::Table(listener)) => Some(toml::Value::Table(self.table(listener, path))),
            (Kind::Listener, DeValue::String(address)) => {
                let address = self.text(kind, path, value.span(), address)?;
                Some(toml::Value::Table(toml::Table::from_iter([(
                    "bind".to_owned(),
                    toml::Value::Array(vec![address]),
                )])))
            }
            (
                Kind::Path | Kind::Text | Kind::Size(..) | Kind::Span(..) | Kind::Choice(_) | Kind::LogLevel,
                DeValue::String(text),
            ) => self.text(kind, path, value.span(), text),
            (_, other) => self.wrong_type(kind, path, value.span(), other),
        }
    }

    fn text(&mut self, kind: Kind, path: &str, at: Range<usize>, text: &str) -> Option<toml::Value> {
        if let Err(fault) = kind.judge(text) {
            self.fault(at, path, fault);
            return None;
        }
        let text = match kind {
            Kind::Path | Kind::Paths => self.folder.join(text).to_string_lossy().into_owned(),
            _ => text.to_owned(),
        };
        Some(toml::Value::String(text))
    }

    fn number(&mut self, kind: Kind, path: &str, at: Range<usize>, text: &str, radix: u32) -> Option<toml::Value> {
        let judged = i64::from_str_radix(text, radix)
            .map_err(|_| format!("{text} is too large"))
            .and_then(|number| kind.judge_number(number).map(|()| number));
        match judged {
            Ok(number) => Some(toml::Value::Integer(number)),
            Err(fault) => {
                self.fault(at, path, fault);
                None
            }
        }
    }

    /// A value as environment and flags write it: plain text where the kind is a text, else TOML.
    fn assigned(&mut self, kind: Kind, path: &str, value: &str) -> Option<toml::Value> {
        let plain = match kind {
            Kind::Listener => !value.trim_start().starts_with(['{', '[', '"']),
            Kind::Path | Kind::Text | Kind::Size(..) | Kind::Span(..) | Kind::Choice(_) | Kind::LogLevel => true,
            Kind::Paths
            | Kind::Texts
            | Kind::HttpNames
            | Kind::Origins
            | Kind::Subjects
            | Kind::Addresses
            | Kind::Blocks
            | Kind::Boolean
            | Kind::Integer(..) => false,
        };
        if plain {
            let text = Spanned::new(0..0, DeValue::String(value.into()));
            return self.value(kind, path, 0..0, &text);
        }
        match DeValue::parse(value) {
            Ok(parsed) => self.value(kind, path, 0..0, &parsed),
            Err(_) => {
                self.fault(0..0, path, format!("{value:?} is not {}", kind.wanted()));
                None
            }
        }
    }

    fn wrong_type(&mut self, kind: Kind, path: &str, at: Range<usize>, found: &DeValue<'_>) -> Option<toml::Value> {
        let found = match found {
            DeValue::String(text) => format!("the text {text:?}"),
            DeValue::Integer(number) => format!("the number {number}"),
            DeValue::Float(number) => format!("the number {number}"),
            DeValue::Boolean(truth) => format!("{truth}"),
            DeValue::Datetime(_) => "a date".to_owned(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.fault(at, path, format!("found {found}; write {}", kind.wanted()));
        None
    }

    fn unknown(&mut self, at: Range<usize>, path: &str) {
        let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
        let same_section = nearest(name, keys::below(section)).map(|near| match section {
            "" => near.to_owned(),
            _ => format!("{section}.{near}"),
        });
        let elsewhere = || keys::KEYS.iter().map(|key| key.path).find(|key| key.rsplit('.').next() == Some(name));
        let anywhere = || nearest(path, keys::KEYS.iter().map(|key| key.path));
        let suggestion =
            same_section.or_else(|| elsewhere().map(str::to_owned)).or_else(|| anywhere().map(str::to_owned));
        let message = match (suggestion, keys::below(section).is_empty()) {
            (Some(key), _) => format!("unknown key; did you mean {key}?"),
            (None, true) => format!("unknown key; the sections are {}", keys::below("").join(", ")),
            (None, false) if section.is_empty() => {
                format!("unknown key; the sections are {}", keys::below("").join(", "))
            }
            (None, false) => format!("unknown key; [{section}] has {}", keys::below(section).join(", ")),
        };
        self.fault(at, path, message);
    }

    fn fault(&mut self, at: Range<usize>, key: &str, message: String) {
        let place = match self.place {
            Place::File { name, text } => {
                let before = text.as_bytes().iter().take(at.start);
                format!("{name}:{}", before.filter(|byte| **byte == b'\n').count() + 1)
            }
            Place::Named(name) => name.to_owned(),
        };
        self.faults.push((at.start, Fault { place, key: key.to_owned(), message }));
    }

    fn into_faults(mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|(start, _)| *start);
        self.faults.into_iter().map(|(_, fault)| fault).collect()
    }
}

/// `a.b` and a value as nested tables.
fn nest(path: &str, value: toml::Value) -> toml::Table {
    let (last, outer) = match path.rsplit_once('.') {
        Some((outer, last)) => (last, Some(outer)),
        None => (path, None),
    };
    let table = toml::Table::from_iter([(last.to_owned(), value)]);
    match outer {
        Some(outer) => nest(outer, toml::Value::Table(table)),
        None => table,
    }
}
