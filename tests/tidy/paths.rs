//! Every path that a piece of code names, with `use` trees unfolded and `self` and `super` resolved.

/// A path such as `crate::policy::Permit`, and the line it stands on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NamedPath {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
}

impl NamedPath {
    /// Whether the path is `prefix` or lies below it.
    pub(crate) fn starts_with(&self, prefix: &str) -> bool {
        let mut segments = self.segments.iter();
        prefix.split("::").all(|wanted| segments.next().is_some_and(|segment| segment == wanted))
    }
}

/// The paths of `code` (strings and comments already blank) in the module `module`, given as `["policy", "name"]`.
pub(crate) fn named_paths(code: &str, module: &[&str]) -> Vec<NamedPath> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = if begins_path(&tokens, at) { collect(&tokens, at, &[], &mut found) } else { at + 1 };
    }
    found.iter_mut().for_each(|path| resolve(&mut path.segments, module));
    found
}

struct Token {
    line: usize,
    text: String,
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = code;
    let mut line = 1;
    while let Some(next) = rest.chars().next() {
        let length = if next.is_alphanumeric() || next == '_' {
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            next.len_utf8()
        };
        if !next.is_whitespace() {
            tokens.push(Token { line, text: rest[..length].to_owned() });
        }
        line += usize::from(next == '\n');
        rest = &rest[length..];
    }
    tokens
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words that may stand before `::name` without being part of the path.
const NOT_IN_A_PATH: [&str; 13] =
    ["use", "as", "in", "return", "mut", "dyn", "impl", "where", "for", "else", "match", "if", "while"];

/// An identifier, but not the `name` of `<T as Trait>::name`; that of `::name` begins at the root of the crates.
fn begins_path(tokens: &[Token], at: usize) -> bool {
    let before = |distance: usize| at.checked_sub(distance).map_or("", |index| tokens[index].text.as_str());
    let name = tokens[at].text.as_str();
    is_identifier(name) && !NOT_IN_A_PATH.contains(&name) && (before(1) != "::" || before(2) != ">")
}

/// Collects the path that begins at `at` behind `prefix`, unfolding braces; returns where it ends.
fn collect(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<NamedPath>) -> usize {
    let line = tokens[at].line;
    let mut segments = prefix.to_vec();
    loop {
        segments.push(tokens[at].text.clone());
        at += 1;
        if tokens.get(at).is_none_or(|token| token.text != "::") {
            break;
        }
        match tokens.get(at + 1).map(|token| token.text.as_str()) {
            Some("{") => return collect_group(tokens, at + 2, &segments, found),
            Some(next) if is_identifier(next) || next == "*" => at += 1,
            _ => break,
        }
    }
    found.push(NamedPath { line, segments });
    at
}

fn collect_group(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<NamedPath>) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "}" => return at + 1,
            "as" => at += 2,
            "*" => {
                found.push(NamedPath { line: token.line, segments: [prefix, &["*".to_owned()]].concat() });
                at += 1;
            }
            text if is_identifier(text) => at = collect(tokens, at, prefix, found),
            _ => at += 1,
        }
    }
    at
}

/// `self::x` and `super::x` become `crate::…::x`.
fn resolve(segments: &mut Vec<String>, module: &[&str]) {
    let mut depth = module.len();
    let mut taken = 0;
    for segment in segments.iter() {
        match segment.as_str() {
            "self" => {}
            "super" => depth = depth.saturating_sub(1),
            _ => break,
        }
        taken += 1;
    }
    if taken > 0 && segments.len() > 1 {
        let base = std::iter::once("crate").chain(module[..depth].iter().copied()).map(str::to_owned);
        *segments = base.chain(segments[taken..].iter().cloned()).collect();
    }
}
