//! Source files, and their text with strings blanked and comments taken out, so that rules judge code and not prose.

use std::path::Path;

/// One Rust file.
pub(crate) struct Source {
    /// Relative to the root of the repository, with forward slashes.
    pub(crate) path: String,
    /// As it was read.
    pub(crate) text: String,
    /// As long and with the same lines as `text`: strings, characters and comments are blanks.
    pub(crate) code: String,
    /// The comments that are not documentation: line number (from 1) and text without the slashes.
    pub(crate) comments: Vec<(usize, String)>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let (code, comments) = separate(text);
        Self { path: path.to_owned(), text: text.to_owned(), code, comments }
    }

    /// Unit tests live in files of their own and may use openssl, files and threads to check the pure code.
    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/") || self.path.starts_with("tests/")
    }
}

/// Every Rust file below `folder`, in the order of their names.
pub(crate) fn read_tree(root: &Path, folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut waiting = vec![root.join(folder)];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a folder entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file in UTF-8");
                let relative = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
                found.push(Source::new(&relative, &text));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Blanks strings and comments; collects the comments that are not documentation.
fn separate(text: &str) -> (String, Vec<(usize, String)>) {
    let mut scanner = Scanner { rest: text, line: 1, code: String::with_capacity(text.len()), comments: Vec::new() };
    while let Some(next) = scanner.rest.chars().next() {
        scanner.step(next);
    }
    (scanner.code, scanner.comments)
}

struct Scanner<'a> {
    rest: &'a str,
    line: usize,
    code: String,
    comments: Vec<(usize, String)>,
}

impl Scanner<'_> {
    fn step(&mut self, next: char) {
        if self.rest.starts_with("//") {
            let length = self.rest.find('\n').unwrap_or(self.rest.len());
            self.comment(length);
        } else if self.rest.starts_with("/*") {
            let length = block_comment_length(self.rest);
            self.comment(length);
        } else if let Some(length) = string_length(self.rest, self.after_identifier()) {
            self.blank(length);
        } else if next == '\'' {
            let length = character_length(self.rest);
            if length == 1 { self.keep(1) } else { self.blank(length) }
        } else {
            self.keep(next.len_utf8());
        }
    }

    fn after_identifier(&self) -> bool {
        self.code.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
    }

    fn comment(&mut self, length: usize) {
        let comment = &self.rest[..length];
        let documentation = ["///", "//!", "/**", "/*!"].iter().any(|mark| comment.starts_with(mark));
        if !documentation {
            for (offset, line) in comment.lines().enumerate() {
                let line = line.trim().trim_start_matches(['/', '*']).trim_end_matches("*/").trim();
                self.comments.push((self.line + offset, line.to_owned()));
            }
        }
        self.blank(length);
    }

    fn blank(&mut self, length: usize) {
        let blanks: String = self.rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        self.code.push_str(&blanks);
        self.advance(length);
    }

    fn keep(&mut self, length: usize) {
        self.code.push_str(&self.rest[..length]);
        self.advance(length);
    }

    fn advance(&mut self, length: usize) {
        self.line += self.rest[..length].matches('\n').count();
        self.rest = &self.rest[length..];
    }
}

fn block_comment_length(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of the string literal at the front, with its prefix and hashes; `None` where none begins.
fn string_length(text: &str, after_identifier: bool) -> Option<usize> {
    let prefix = if after_identifier { 0 } else { text.find(|c| !matches!(c, 'b' | 'c' | 'r')).unwrap_or(0) };
    let (prefix_text, literal) = text.split_at(prefix.min(2));
    let hashes = if prefix_text.ends_with('r') { literal.len() - literal.trim_start_matches('#').len() } else { 0 };
    let body = literal[hashes..].strip_prefix('"')?;
    let opened = prefix_text.len() + hashes + 1;
    if prefix_text.ends_with('r') {
        let close = format!("\"{}", "#".repeat(hashes));
        return Some(body.find(&close).map_or(text.len(), |end| opened + end + close.len()));
    }
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match c {
            '"' if !escaped => return Some(opened + at + 1),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    Some(text.len())
}

/// The length of the character literal at the front, or 1 for the quote of a lifetime.
fn character_length(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(1, |end| end + 4),
        Some((at, c)) if text[at + c.len_utf8()..].starts_with('\'') => at + c.len_utf8() + 1,
        _ => 1,
    }
}
