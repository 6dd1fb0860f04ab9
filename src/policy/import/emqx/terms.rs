//! Erlang terms as far as rule files hold them: tuples, lists, atoms, strings, integers, comments.

use crate::policy::import::ImportError;
use std::iter::Peekable;
use std::str::Chars;

/// How deep terms may be nested; rule files need four.
const DEPTH: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Term {
    Atom(String),
    /// `"…"` or `<<"…">>`.
    Text(String),
    Number(i64),
    Tuple(Vec<Term>),
    List(Vec<Term>),
}

/// Every term of the file that ends with a full stop, with the line it begins on.
pub(super) fn terms(text: &str) -> Result<Vec<(usize, Term)>, ImportError> {
    let mut reader = Reader { characters: text.chars().peekable(), line: 1 };
    let mut terms = Vec::new();
    loop {
        reader.skip_space();
        if reader.characters.peek().is_none() {
            return Ok(terms);
        }
        let line = reader.line;
        terms.push((line, reader.term(0)?));
        reader.skip_space();
        reader.expect('.', "a rule ends with a full stop")?;
    }
}

struct Reader<'t> {
    characters: Peekable<Chars<'t>>,
    line: usize,
}

impl Reader<'_> {
    fn term(&mut self, depth: usize) -> Result<Term, ImportError> {
        if depth > DEPTH {
            return self.fault("terms nest too deep");
        }
        self.skip_space();
        match self.characters.peek().copied() {
            Some('{') => self.sequence('}', depth).map(Term::Tuple),
            Some('[') => self.sequence(']', depth).map(Term::List),
            Some('"') => self.quoted('"').map(Term::Text),
            Some('\'') => self.quoted('\'').map(Term::Atom),
            Some('<') => self.binary(),
            Some(digit) if digit.is_ascii_digit() || digit == '-' => self.number(),
            Some(letter) if letter.is_ascii_lowercase() => Ok(Term::Atom(self.word())),
            Some(other) => self.fault(&format!("{other:?} begins no term: a tuple, list, atom, string or number")),
            None => self.fault("the file ends inside a rule"),
        }
    }

    fn sequence(&mut self, close: char, depth: usize) -> Result<Vec<Term>, ImportError> {
        self.next();
        let mut items = Vec::new();
        self.skip_space();
        if self.taken(close) {
            return Ok(items);
        }
        loop {
            items.push(self.term(depth + 1)?);
            self.skip_space();
            if self.taken(close) {
                return Ok(items);
            }
            self.expect(',', &format!("a comma or {close:?} is expected"))?;
        }
    }

    fn quoted(&mut self, close: char) -> Result<String, ImportError> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('\\') => match self.next() {
                    Some(escaped @ ('"' | '\'' | '\\')) => text.push(escaped),
                    _ => return self.fault("only \\\" \\' and \\\\ are understood in strings"),
                },
                Some(character) if character == close => return Ok(text),
                Some(character) => text.push(character),
                None => return self.fault("the file ends inside a string"),
            }
        }
    }

    fn binary(&mut self) -> Result<Term, ImportError> {
        const FORM: &str = "a binary is written <<\"…\">>";
        self.expect('<', FORM)?;
        self.expect('<', FORM)?;
        if self.characters.peek() != Some(&'"') {
            return self.fault(FORM);
        }
        let text = self.quoted('"')?;
        self.expect('>', FORM)?;
        self.expect('>', FORM)?;
        Ok(Term::Text(text))
    }

    fn number(&mut self) -> Result<Term, ImportError> {
        let mut digits = String::new();
        while let Some(digit) = self.characters.next_if(|next| next.is_ascii_digit() || *next == '-') {
            digits.push(digit);
        }
        match digits.parse() {
            Ok(number) => Ok(Term::Number(number)),
            Err(_) => self.fault(&format!("{digits} is no integer")),
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(letter) =
            self.characters.next_if(|next| next.is_ascii_alphanumeric() || matches!(next, '_' | '@'))
        {
            word.push(letter);
        }
        word
    }

    fn skip_space(&mut self) {
        while let Some(next) = self.characters.peek().copied() {
            match next {
                '%' => while self.characters.next_if(|next| *next != '\n').is_some() {},
                space if space.is_whitespace() => {
                    self.next();
                }
                _ => return,
            }
        }
    }

    fn taken(&mut self, wanted: char) -> bool {
        self.characters.next_if_eq(&wanted).is_some()
    }

    fn expect(&mut self, wanted: char, message: &str) -> Result<(), ImportError> {
        if self.taken(wanted) { Ok(()) } else { self.fault(message) }
    }

    fn next(&mut self) -> Option<char> {
        let next = self.characters.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    fn fault<T>(&self, message: &str) -> Result<T, ImportError> {
        Err(ImportError { line: self.line, message: message.to_owned() })
    }
}
