//! Which settings a command works with.

use super::{Context, Exit, Failure};
use crate::config::{self, Settings, SettingsError, Sources};
use std::path::{Path, PathBuf};

/// Read when no `--config` is given and it is there.
const USUAL_FILE: &str = "config/certmq.toml";

impl Context {
    /// The settings: of `--config`, else of `config/certmq.toml` if it exists, else the defaults, which name the
    /// folders of quickstart; then the environment, then `--set`.
    ///
    /// # Errors
    /// 66 when the file is not there, 78 when anything in the settings is wrong.
    pub fn settings(&self) -> Result<Settings, Failure> {
        self.load(self.settings_file(), Vec::new())
    }

    /// As [`Context::settings`], with other defaults below a file that was asked for by name.
    pub(super) fn preset_settings(&self, presets: Vec<(&'static str, String)>) -> Result<Settings, Failure> {
        self.load(self.config.clone(), presets)
    }

    /// The file that is read, if one is.
    pub(super) fn settings_file(&self) -> Option<PathBuf> {
        let usual = || Path::new(USUAL_FILE).is_file().then(|| PathBuf::from(USUAL_FILE));
        self.config.clone().or_else(usual)
    }

    fn load(&self, file: Option<PathBuf>, presets: Vec<(&'static str, String)>) -> Result<Settings, Failure> {
        let sources =
            Sources { presets, file, environment: Sources::process_environment(), overrides: self.overrides.clone() };
        config::load(&sources).map_err(|error| match error {
            SettingsError::Unreadable { path, source } => Failure::reading(&path, &source),
            SettingsError::Faults(_) => Failure::new(Exit::Configuration, error.to_string()),
        })
    }
}
