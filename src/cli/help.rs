//! The end of every `--help`: EXAMPLES and EXIT CODES.

use super::Exit;
use std::fmt::Write;

/// Renders examples (command line, what it does) and the exit codes a command can end with. Success and 64 are
/// added: every command has them.
pub(super) fn after_help(examples: &[(&str, &str)], codes: &[Exit]) -> String {
    let mut text = String::from("EXAMPLES\n");
    for (line, meaning) in examples {
        let _ = writeln!(text, "  {line}\n      {meaning}");
    }
    let mut codes = codes.to_vec();
    codes.extend([Exit::Success, Exit::Usage]);
    codes.sort_unstable();
    codes.dedup();
    text.push_str("\nEXIT CODES\n");
    for code in codes {
        let _ = writeln!(text, "  {:<3} {}", code as u8, code.meaning());
    }
    text.truncate(text.trim_end().len());
    text
}
