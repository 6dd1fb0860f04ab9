//! Built-in default < file < environment < flags -> [`Settings`].

use super::Settings;
use super::strict::{self, Fault};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// The prefix of environment variables; sections and keys follow, each after two underscores.
const PREFIX: &str = "CERTMQ__";

/// Where settings come from, from the weakest to the strongest.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// What a command presets below the file, as (dotted key, value).
    pub presets: Vec<(&'static str, String)>,
    /// The settings file.
    pub file: Option<PathBuf>,
    /// Environment variables; others than `CERTMQ__…` are passed over.
    pub environment: Vec<(String, String)>,
    /// Flags, as `section.key=value`.
    pub overrides: Vec<String>,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What stands in the sources is wrong; every fault is listed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<Fault>),
}

impl Sources {
    /// The environment of this process. Variables that are not UTF-8 cannot be ours.
    pub fn process_environment() -> Vec<(String, String)> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }
}

/// Reads, merges and judges the settings; all or nothing.
pub fn load(sources: &Sources) -> Result<Settings, SettingsError> {
    let mut layers = Layers::default();
    for (key, value) in &sources.presets {
        layers.add("built-in", strict::read_assignment(key, value, "built-in"));
    }
    if let Some(path) = &sources.file {
        let text =
            std::fs::read_to_string(path).map_err(|source| SettingsError::Unreadable { path: path.clone(), source })?;
        let name = path.display().to_string();
        let folder = path.parent().unwrap_or(Path::new(""));
        layers.add(&name, strict::read_file(&text, &name, folder));
    }
    for (variable, value) in environment(&sources.environment) {
        let place = format!("environment variable {variable}");
        let read = strict::read_assignment(&dotted(variable), value, &place).map_err(in_variables);
        layers.add(&place, read);
    }
    for text in &sources.overrides {
        let place = format!("--set {text}");
        layers.add(&place, assignment(text, &place));
    }
    layers.merge()
}

/// Sorted, so that of a listener and its keys the listener comes first and the narrower key wins.
fn environment(variables: &[(String, String)]) -> BTreeMap<&str, &str> {
    let ours = variables.iter().filter(|(name, _)| name.starts_with(PREFIX));
    ours.map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// `CERTMQ__LOG__LEVEL` -> `log.level`.
fn dotted(variable: &str) -> String {
    variable.strip_prefix(PREFIX).unwrap_or(variable).to_lowercase().replace("__", ".")
}

/// A suggestion for a variable is a variable.
fn in_variables(faults: Vec<Fault>) -> Vec<Fault> {
    let rewrite = |mut fault: Fault| {
        if let Some((before, key)) = fault.message.split_once("did you mean ") {
            let name = key.trim_end_matches('?').to_uppercase().replace('.', "__");
            fault.message = format!("{before}did you mean {PREFIX}{name}?");
        }
        fault
    };
    faults.into_iter().map(rewrite).collect()
}

fn assignment(text: &str, place: &str) -> Result<toml::Table, Vec<Fault>> {
    match text.split_once('=') {
        Some((key, value)) => strict::read_assignment(key.trim(), value.trim(), place),
        None => {
            let message = "write SECTION.KEY=VALUE, as in --set log.level=debug".to_owned();
            Err(vec![Fault { place: place.to_owned(), key: String::new(), message }])
        }
    }
}

/// The sources read so far.
#[derive(Default)]
struct Layers {
    builder: config::ConfigBuilder<config::builder::DefaultState>,
    faults: Vec<Fault>,
}

impl Layers {
    fn add(&mut self, origin: &str, read: Result<toml::Table, Vec<Fault>>) {
        match read {
            Ok(table) => {
                let layer = Layer { origin: origin.to_owned(), table };
                self.builder = std::mem::take(&mut self.builder).add_source(layer);
            }
            Err(faults) => self.faults.extend(faults),
        }
    }

    fn merge(self) -> Result<Settings, SettingsError> {
        if !self.faults.is_empty() {
            return Err(SettingsError::Faults(self.faults));
        }
        self.builder.build().and_then(config::Config::try_deserialize).map_err(|error| {
            // Each source was judged alone; what is left are contradictions between them.
            let fault = Fault { place: "settings".to_owned(), key: String::new(), message: error.to_string() };
            SettingsError::Faults(vec![fault])
        })
    }
}

/// One checked source, for the `config` crate to merge.
#[derive(Clone, Debug)]
struct Layer {
    origin: String,
    table: toml::Table,
}

impl config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<config::Map<String, config::Value>, config::ConfigError> {
        Ok(self.table.iter().map(|(name, value)| (name.clone(), self.value(value))).collect())
    }
}

impl Layer {
    fn value(&self, value: &toml::Value) -> config::Value {
        let kind = match value {
            toml::Value::String(text) => config::ValueKind::String(text.clone()),
            toml::Value::Integer(number) => config::ValueKind::I64(*number),
            toml::Value::Float(number) => config::ValueKind::Float(*number),
            toml::Value::Boolean(truth) => config::ValueKind::Boolean(*truth),
            toml::Value::Datetime(date) => config::ValueKind::String(date.to_string()),
            toml::Value::Array(items) => config::ValueKind::Array(items.iter().map(|item| self.value(item)).collect()),
            toml::Value::Table(table) => {
                config::ValueKind::Table(table.iter().map(|(name, value)| (name.clone(), self.value(value))).collect())
            }
        };
        config::Value::new(Some(&self.origin), kind)
    }
}
