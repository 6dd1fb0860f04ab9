//! The process that the other tests kill, trace and run out of room: this test program itself, told by its
//! environment what to do.

use super::{NOW, changes_of};
use certmq::store::policy_store::PolicyStore;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const FOLDER: &str = "CERTMQ_TEST_CHILD_FOLDER";
const COMMITS: &str = "CERTMQ_TEST_CHILD_COMMITS";

/// How often the child writes a snapshot, so that it is also killed within one.
const SNAPSHOT_EVERY: u64 = 7;

/// Commits and acknowledges each generation with a line on stdout, when asked to; else there is nothing to test.
#[test]
fn commits() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let commits: u64 = std::env::var(COMMITS).unwrap().parse().unwrap();
    let store = PolicyStore::open(Path::new(&folder)).unwrap();
    for _ in 0..commits {
        let generation = store.commit(&changes_of(store.generation() + 1), "child", NOW).unwrap();
        // One write, past the capture of the test harness.
        std::io::stdout().write_all(format!("acknowledged {generation}\n").as_bytes()).unwrap();
        if generation.is_multiple_of(SNAPSHOT_EVERY) {
            store.snapshot_now(NOW).unwrap();
        }
    }
}

/// The child's command line, perhaps behind `wrapper`.
pub(crate) fn command(wrapper: &[&str], folder: &Path, commits: u64) -> Command {
    this_test(wrapper, "child::commits", &[(FOLDER, folder.to_str().unwrap()), (COMMITS, &commits.to_string())])
}

/// One test of this program in a process of its own.
pub(crate) fn this_test(wrapper: &[&str], test: &str, environment: &[(&str, &str)]) -> Command {
    let program = std::env::current_exe().unwrap();
    let words: Vec<_> = wrapper.iter().copied().chain([program.to_str().unwrap()]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args([test, "--exact", "--nocapture"]).envs(environment.iter().copied());
    command.stdout(Stdio::piped());
    command
}

/// The generations that the child acknowledges, as they come; ends when the child does.
pub(crate) fn acknowledged(child: &mut Child) -> impl Iterator<Item = u64> + Send + use<> {
    BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.split_once("acknowledged ")?.1.parse().ok())
}
