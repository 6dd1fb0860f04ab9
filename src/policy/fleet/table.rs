//! Strict reading of TOML tables: every key is known, every value has its type, every fault has its line.

use super::FleetError;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The whole text, to turn offsets into lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'t>(pub(super) &'t str);

/// One table and what it is called in messages.
#[derive(Clone, Debug)]
pub(super) struct Table<'t> {
    source: Source<'t>,
    /// Offset of the table, for what is missing in it.
    start: usize,
    what: String,
    table: &'t DeTable<'t>,
}

/// One value with its key.
#[derive(Clone, Debug)]
pub(super) struct Value<'t> {
    source: Source<'t>,
    key: String,
    value: &'t Spanned<DeValue<'t>>,
}

impl Source<'_> {
    pub(super) fn fault<T>(self, offset: usize, message: impl Into<String>) -> Result<T, FleetError> {
        let before = self.0.as_bytes().iter().take(offset);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        Err(FleetError { line, message: message.into() })
    }
}

impl<'t> Table<'t> {
    /// `keys` are all that it may have.
    pub(super) fn new(
        source: Source<'t>,
        start: usize,
        what: impl Into<String>,
        table: &'t DeTable<'t>,
        keys: &[&str],
    ) -> Result<Self, FleetError> {
        let table = Self { source, start, what: what.into(), table };
        match table.table.iter().find(|(key, _)| !keys.contains(&key.get_ref().as_ref())) {
            None => Ok(table),
            Some((key, _)) => {
                let nearest = nearest(key.get_ref(), keys);
                let hint = nearest.map_or_else(|| keys.join(", "), |nearest| format!("did you mean {nearest:?}?"));
                source.fault(key.span().start, format!("unknown key {:?} in {}; {hint}", key.get_ref(), table.what))
            }
        }
    }

    pub(super) fn find(&self, key: &str) -> Option<Value<'t>> {
        let (_, value) = self.table.iter().find(|(other, _)| other.get_ref() == key)?;
        Some(Value { source: self.source, key: key.to_owned(), value })
    }

    pub(super) fn require(&self, key: &str) -> Result<Value<'t>, FleetError> {
        match self.find(key) {
            Some(value) => Ok(value),
            None => self.fault(format!("{} has no {key}", self.what)),
        }
    }

    pub(super) fn fault<T>(&self, message: impl Into<String>) -> Result<T, FleetError> {
        self.source.fault(self.start, message)
    }
}

impl<'t> Value<'t> {
    pub(super) fn fault<T>(&self, message: impl std::fmt::Display) -> Result<T, FleetError> {
        self.source.fault(self.value.span().start, format!("{}: {message}", self.key))
    }

    fn wrong<T>(&self, wanted: &str) -> Result<T, FleetError> {
        self.fault(format!("{wanted} is expected, not a value of type {}", self.value.get_ref().type_str()))
    }

    pub(super) fn string(&self) -> Result<&'t str, FleetError> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => self.wrong("a string"),
        }
    }

    pub(super) fn boolean(&self) -> Result<bool, FleetError> {
        match self.value.get_ref() {
            DeValue::Boolean(value) => Ok(*value),
            _ => self.wrong("true or false"),
        }
    }

    pub(super) fn number(&self) -> Result<u64, FleetError> {
        match self.value.get_ref() {
            DeValue::Integer(number) => match u64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Ok(number),
                Err(_) => self.fault(format!("{} is no number from 0 to {}", number.as_str(), u64::MAX)),
            },
            _ => self.wrong("a whole number"),
        }
    }

    /// A TOML date-time or a string, as the text of RFC 3339.
    pub(super) fn time(&self) -> Result<String, FleetError> {
        match self.value.get_ref() {
            DeValue::Datetime(time) => Ok(time.to_string()),
            DeValue::String(text) => Ok(text.to_string()),
            _ => self.wrong("a time such as 2027-01-01T00:00:00Z"),
        }
    }

    pub(super) fn list(&self) -> Result<Vec<Self>, FleetError> {
        match self.value.get_ref() {
            DeValue::Array(values) => {
                Ok(values.iter().map(|value| Self { source: self.source, key: self.key.clone(), value }).collect())
            }
            _ => self.wrong("a list"),
        }
    }

    /// A list, or a single string that stands for a list of one.
    pub(super) fn strings(&self) -> Result<Vec<(Self, &'t str)>, FleetError> {
        let values = match self.value.get_ref() {
            DeValue::String(_) => vec![self.clone()],
            _ => self.list()?,
        };
        values.into_iter().map(|value| value.string().map(|text| (value.clone(), text))).collect()
    }

    pub(super) fn table(&self, what: &str, keys: &[&str]) -> Result<Table<'t>, FleetError> {
        match self.value.get_ref() {
            DeValue::Table(table) => Table::new(self.source, self.value.span().start, what, table, keys),
            _ => self.wrong("a table"),
        }
    }

    /// The values of a table whose keys the author chooses.
    pub(super) fn named(&self) -> Result<Vec<(&'t str, Self)>, FleetError> {
        let DeValue::Table(table) = self.value.get_ref() else { return self.wrong("a table") };
        let mut values: Vec<_> = table
            .iter()
            .map(|(key, value)| {
                let name: &'t str = key.get_ref();
                (key.span().start, name, Self { source: self.source, key: name.to_owned(), value })
            })
            .collect();
        values.sort_by_key(|(start, ..)| *start);
        Ok(values.into_iter().map(|(_, name, value)| (name, value)).collect())
    }
}

/// The one of `known` that `word` was probably meant to be.
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let distances = known.iter().map(|other| (distance(word, other), *other));
    distances.filter(|(distance, other)| *distance <= 1 + other.len() / 4).min().map(|(_, other)| other)
}

/// Insertions, deletions and replacements that turn `left` into `right`.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    // A word far longer than any key is none, and must not cost its length times theirs.
    for (index, a) in left.chars().take(64).enumerate() {
        let mut next = vec![index + 1];
        let mut before = index + 1;
        for (b, pair) in right.chars().zip(row.windows(2)) {
            let [diagonal, above] = pair else { continue };
            before = (diagonal + usize::from(a != b)).min(above + 1).min(before + 1);
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
