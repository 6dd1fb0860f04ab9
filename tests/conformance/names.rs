//! From the name of a test to its source: `CRATE::MODULE::…::FUNCTION`, where the crate is a file or folder of
//! `tests/`, or `certmq` for the unit tests in `src/`.

use std::path::{Path, PathBuf};

/// The folder that holds `src/` and `tests/`.
pub(crate) struct Tree(PathBuf);

/// Where a crate's or module's source is, and where its modules are.
struct Place {
    source: String,
    modules: PathBuf,
}

impl Tree {
    pub(crate) fn at(root: &Path) -> Self {
        Self(root.to_owned())
    }

    /// Looks the test up.
    pub(crate) fn find(&self, name: &str) -> Result<(), String> {
        let mut parts: Vec<&str> = name.split("::").collect();
        let function = parts.pop().filter(|_| !parts.is_empty()).ok_or("not of the form crate::module::function")?;
        let mut path = parts.into_iter();
        let mut place = self.root_of(path.next().unwrap_or_default())?;
        for module in path {
            place = place.enter(module)?;
        }
        declares_test(&place.source, function)
    }

    fn root_of(&self, name: &str) -> Result<Place, String> {
        let (folder, tests) = (self.0.join("src"), self.0.join("tests"));
        match name {
            "certmq" => Place::read(&[folder.join("lib.rs")], folder),
            _ => Place::read(&[tests.join(format!("{name}.rs")), tests.join(name).join("main.rs")], tests.join(name)),
        }
    }

    /// The modules of a test crate that is a folder, with their sources.
    pub(crate) fn modules(&self, name: &str) -> Vec<(String, String)> {
        let folder = std::fs::read_dir(self.0.join("tests").join(name)).expect("the folder of a test crate");
        let mut modules: Vec<_> = folder
            .filter_map(|entry| {
                let path = entry.expect("a readable folder").path();
                let stem = path.file_stem()?.to_str()?.to_owned();
                (path.extension()? == "rs").then(|| (stem, std::fs::read_to_string(&path).expect("a source")))
            })
            .collect();
        modules.sort();
        modules
    }
}

impl Place {
    fn read(candidates: &[PathBuf], modules: PathBuf) -> Result<Self, String> {
        match candidates.iter().find_map(|file| std::fs::read_to_string(file).ok()) {
            Some(source) => Ok(Self { source, modules }),
            None => Err(format!("no {}", candidates[0].display())),
        }
    }

    /// A file that nobody declares is a file that nobody compiles.
    fn enter(self, module: &str) -> Result<Self, String> {
        let declares = |ending: &str| {
            self.source.lines().any(|line| {
                let line = line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
                line == format!("mod {module}{ending}")
            })
        };
        if declares(" {") {
            return Ok(self);
        }
        if !declares(";") {
            return Err(format!("no module `{module}` is declared where it should be"));
        }
        let folder = self.modules.join(module);
        Self::read(&[self.modules.join(format!("{module}.rs")), folder.join("mod.rs")], folder.clone())
    }
}

/// Whether `source` has this function as a test that runs.
pub(crate) fn declares_test(source: &str, function: &str) -> Result<(), String> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let declared = |line: &&str| {
        let line = line.trim_start_matches("async ");
        line.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(function)).is_some_and(|rest| rest.starts_with('('))
    };
    let at = lines.iter().position(declared).ok_or("there is no such function")?;
    let above = || lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    if above().any(|line| line.starts_with("#[ignore")) {
        return Err("the test is ignored".to_owned());
    }
    match above().any(|line| *line == "#[test]" || line.starts_with("#[tokio::test")) {
        true => Ok(()),
        false => Err("the function is no test".to_owned()),
    }
}
