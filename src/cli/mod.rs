//! The command line: one file per command.

use std::process::ExitCode;

/// Runs the program and maps its outcome to an exit code (sysexits).
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
