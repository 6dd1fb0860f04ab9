//! Results on stdout, for people or for scripts; messages on stderr.

use super::{Exit, Failure};
use crate::telemetry::log::escape_json;
use serde::Serialize;
use std::io::{self, Write};

/// The version of every JSON document: raised when a field changes its meaning or goes, not when one is added.
pub const JSON_VERSION: u32 = 1;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Aligned text for people.
    #[default]
    Table,
    /// One JSON document for scripts: stable and versioned.
    Json,
}

/// Rows of text in aligned columns.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

#[derive(Serialize)]
struct Document<'a, T> {
    version: u32,
    #[serde(flatten)]
    content: &'a T,
}

impl Output {
    /// Writes `content` to stdout: as JSON with a `version`, or as the text that `table` makes of it. `content`
    /// serialises as a map.
    pub fn write<T: Serialize>(self, content: &T, table: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        match self {
            Self::Table => print(&table(content)),
            Self::Json => {
                let document = Document { version: JSON_VERSION, content };
                let text = serde_json::to_string_pretty(&document).map_err(|error| {
                    Failure::new(Exit::Software, format!("cannot write the result as JSON: {error}"))
                })?;
                print(&format!("{}\n", escape_json(&text)))
            }
        }
    }
}

impl Table {
    /// A table with a head line.
    pub fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(ToString::to_string).collect()] }
    }

    /// Adds a row. Control characters are escaped: cells may hold what came from a certificate.
    pub fn row<S: AsRef<str>>(&mut self, cells: &[S]) {
        self.rows.push(cells.iter().map(|cell| escape(cell.as_ref())).collect());
    }

    /// The text: columns two spaces apart, no trailing spaces.
    pub fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|column| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, wide) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', wide - width(cell) + 2));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

/// `text` with control characters written as escapes, so that a name cannot steer a terminal.
pub fn escape(text: &str) -> String {
    crate::telemetry::log::escape(text).into_owned()
}

/// Writes `text` to stdout. When its reader went away the command ends quietly.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::new(Exit::Success, ""),
        _ => Failure::new(Exit::CannotCreate, format!("standard output: cannot be written: {error}")),
    })
}

/// Writes a message line to stderr. Where stderr is gone there is nobody left to tell.
pub fn message(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
