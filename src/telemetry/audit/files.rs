//! The folder of the trail: `00000001.jsonl`, `00000002.jsonl`, … (0600 in 0700), the last one being written.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufReader, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const ENDING: &str = "jsonl";

/// The name of file `number`.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.{ENDING}"))
}

/// The numbers of the files in `folder`, in order; none where it is not there.
///
/// # Errors
/// When the folder cannot be read.
pub fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(number) = number.filter(|number| self::path(folder, *number) == path) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Every file, oldest first, open for reading and with its path as its name. One that rotation removes meanwhile is left out.
///
/// # Errors
/// When one cannot be opened.
pub fn readers(folder: &Path) -> io::Result<Vec<(String, BufReader<File>)>> {
    let mut readers = Vec::new();
    for number in numbers(folder)? {
        let path = path(folder, number);
        match File::open(&path) {
            Ok(file) => readers.push((path.display().to_string(), BufReader::new(file))),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(readers)
}

/// Makes the folder where it is missing, for its owner alone.
pub(super) fn prepare(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700))
}

/// Makes file `number`.
pub(super) fn create(folder: &Path, number: u64) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path(folder, number))?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}

/// Opens file `number` to write on at its end.
pub(super) fn resume(folder: &Path, number: u64) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(path(folder, number))?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}
