//! Notices that certificates, keys or revocation lists on the disk are others, however they were replaced: written in
//! place, renamed over, or reached through a symbolic link that was swapped (as Kubernetes and certbot do it).
//!
//! It looks instead of being told: notifications miss what happens behind symbolic links, in mounts and on network
//! file systems, and the few files are looked at in microseconds.

use super::reload::{Cause, Reloader};
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often files are looked at. A change is acted on when two looks see the same: certificate and key are often
/// written one after the other.
const LOOK: Duration = Duration::from_millis(500);

/// Looks between two tries to issue lists of our own CA anew: a minute.
const LOOKS_BETWEEN_REFRESHES: u32 = 120;

/// What files look like from outside. Two that are equal have the same content, but for tricks with the clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fingerprint {
    files: BTreeMap<PathBuf, Option<Stamp>>,
}

/// One file behind all symbolic links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
    mode: u32,
}

impl Fingerprint {
    /// Of files, and of everything in folders.
    pub(super) fn of(paths: &[PathBuf]) -> Self {
        let mut files = BTreeMap::new();
        for path in paths {
            let found = fs::metadata(path).ok();
            if found.as_ref().is_some_and(Metadata::is_dir) {
                files.extend(entries(path).into_iter().map(|entry| {
                    let stamp = fs::metadata(&entry).ok().map(|found| Stamp::of(&found));
                    (entry, stamp)
                }));
            } else {
                files.insert(path.clone(), found.map(|found| Stamp::of(&found)));
            }
        }
        Self { files }
    }
}

/// None where the folder cannot be read: that, too, is a change.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()));
    entries.map(Iterator::collect).unwrap_or_default()
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            bytes: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
            mode: found.mode(),
        }
    }
}

/// Reloads when files have changed, until `stopped` changes.
pub(super) async fn run(reloader: Arc<Reloader>, mut stopped: watch::Receiver<bool>) {
    let mut interval = tokio::time::interval(LOOK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut before, mut looks) = (Fingerprint::default(), 0_u32);
    loop {
        tokio::select! {
            _ = interval.tick() => {
                looks = looks.wrapping_add(1);
                let (reloader, last) = (Arc::clone(&reloader), std::mem::take(&mut before));
                // Files may lie on a slow disk.
                let looked = tokio::task::spawn_blocking(move || look(&reloader, &last, looks));
                before = looked.await.unwrap_or_default();
            }
            _ = stopped.changed() => return,
        }
    }
}

/// One look; `last` is what the one before saw. Returns what this one sees.
fn look(reloader: &Reloader, last: &Fingerprint, looks: u32) -> Fingerprint {
    if looks.is_multiple_of(LOOKS_BETWEEN_REFRESHES) {
        reloader.refresh_own_lists();
    }
    let seen = Fingerprint::of(&reloader.files());
    if seen == *last && seen != reloader.fingerprint() {
        // What is wrong was logged, and stands in the status until the files are others.
        let _ = reloader.run(&Cause::Files);
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn every_way_to_replace_a_file_shows() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let watched = [path("file"), path("folder"), path("link/file"), path("missing")];
        fs::create_dir(path("folder")).unwrap();
        for name in ["one", "two"] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("file"), "same").unwrap();
        }
        symlink("one", path("link")).unwrap();
        fs::write(path("file"), "a").unwrap();
        let steps: [(&str, &dyn Fn()); 7] = [
            ("in place", &|| fs::write(path("file"), "longer").unwrap()),
            ("renamed over", &|| {
                fs::write(path("new"), "b").unwrap();
                fs::rename(path("new"), path("file")).unwrap();
            }),
            ("rights", &|| fs::set_permissions(path("file"), fs::Permissions::from_mode(0o600)).unwrap()),
            ("new in a folder", &|| fs::write(path("folder").join("x"), "").unwrap()),
            ("link swapped", &|| {
                symlink("two", path("link.new")).unwrap();
                fs::rename(path("link.new"), path("link")).unwrap();
            }),
            ("came", &|| fs::write(path("missing"), "").unwrap()),
            ("went", &|| fs::remove_file(path("file")).unwrap()),
        ];
        let mut before = Fingerprint::of(&watched);
        for (what, step) in steps {
            assert_eq!(Fingerprint::of(&watched), before, "nothing has changed");
            step();
            let after = Fingerprint::of(&watched);
            assert_ne!(after, before, "{what}");
            before = after;
        }
    }
}
