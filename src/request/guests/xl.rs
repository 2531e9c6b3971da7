//! Configuration files of xl, and of xm, whose files were Python.

use std::iter::Peekable;
use std::str::CharIndices;

use super::super::Location;
use super::{Guest, Wanted, spec};

/// A value: the texts of it, each with its line. A word or a text is a list of one.
type Value = Vec<(String, usize)>;

/// The guest of one file. A file that gives no name is none of a guest, but for one in `auto`, or one that names devices.
pub(super) fn read(text: &str, path: &str) -> Vec<Guest> {
    let mut settings = Settings { lines: Lines::of(text), name: None, pci: Vec::new(), seize: false };
    settings.read();
    let Settings { name, pci, seize, .. } = settings;
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let devices = pci.iter().flat_map(|(text, line)| {
        let spec = spec::read(text);
        let location = Location { path: format!("/{path}"), line: Some(*line), column: None };
        let (seized_at_start, slot) = (spec.seize.unwrap_or(seize), spec.slot);
        let wanted = move |pattern| Wanted { pattern, location: location.clone(), seized_at_start, slot };
        spec.patterns.into_iter().map(wanted)
    });
    let devices = devices.collect();
    vec![Guest {
        name: name.unwrap_or_else(|| stem.to_owned()),
        path: path.to_owned(),
        starts: false,
        domid: None,
        devices,
    }]
}

/// What is wanted of a file: `key = value` lines (`tools/libs/util/libxlu_cfg_l.l`). Of a key that is given twice the last
/// counts; everything else is passed over line by line.
struct Settings<'a> {
    lines: Lines<'a>,
    name: Option<String>,
    pci: Value,
    seize: bool,
}

impl Settings<'_> {
    fn read(&mut self) {
        while let Some(first) = self.lines.skip_blank() {
            if !(first.is_ascii_alphabetic() || first == '_') {
                self.lines.skip_setting();
                continue;
            }
            let key = self.lines.word();
            let Some(append) = self.lines.assignment() else {
                self.lines.skip_setting();
                continue;
            };
            match key.as_str() {
                "name" => {
                    self.name =
                        self.lines.value().into_iter().next().map(|(text, _)| text).filter(|text| !text.is_empty());
                }
                "pci" if append => self.pci.append(&mut self.lines.value()),
                "pci" => self.pci = self.lines.value(),
                "pci_seize" => self.seize = self.lines.value().first().is_some_and(|(text, _)| text != "0"),
                _ => drop(self.lines.value()),
            }
            self.lines.skip_setting();
        }
    }
}

/// The characters of a file, and the line that they are in.
struct Lines<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
    line: usize,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, rest: text.char_indices().peekable(), line: 1 }
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().map(|(_, c)| *c)
    }

    fn next(&mut self) -> Option<char> {
        let (_, c) = self.rest.next()?;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn comment(&mut self) {
        while self.peek().is_some_and(|c| c != '\n') {
            self.next();
        }
    }

    /// Skips white space, empty statements and comments; returns what comes then.
    fn skip_blank(&mut self) -> Option<char> {
        loop {
            match self.peek()? {
                '#' => self.comment(),
                c if c.is_whitespace() || c == ';' => drop(self.next()),
                c => return Some(c),
            }
        }
    }

    fn skip_spaces(&mut self) -> Option<char> {
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.next();
        }
        self.peek()
    }

    /// Skips to the end of a line or statement, quoted texts and lists as a whole.
    fn skip_setting(&mut self) {
        loop {
            match self.peek() {
                None | Some('\n' | ';') => return,
                Some('#') => self.comment(),
                Some('\'' | '"') => drop(self.quoted()),
                Some('[' | '(' | '{') => drop(self.list()),
                Some(_) => drop(self.next()),
            }
        }
    }

    fn word(&mut self) -> String {
        let from = self.rest.peek().map_or(self.text.len(), |(at, _)| *at);
        while self.peek().is_some_and(|c| {
            !c.is_whitespace() && !matches!(c, '=' | ',' | ']' | ')' | '}' | ';' | '#' | '\'' | '"' | '[' | '(' | '+')
        }) {
            self.next();
        }
        let to = self.rest.peek().map_or(self.text.len(), |(at, _)| *at);
        self.text.get(from..to).unwrap_or_default().to_owned()
    }

    /// `=` or `+=`; whether it is the second. `None` where neither stands.
    fn assignment(&mut self) -> Option<bool> {
        let append = self.skip_spaces()? == '+';
        if append {
            self.next();
        }
        (self.peek()? == '=').then(|| {
            self.next();
            append
        })
    }

    fn value(&mut self) -> Value {
        match self.skip_spaces() {
            Some('[' | '(') => self.list(),
            Some('\'' | '"') => {
                let line = self.line;
                vec![(self.quoted(), line)]
            }
            Some(_) => {
                let line = self.line;
                vec![(self.word(), line)]
            }
            None => Vec::new(),
        }
    }

    /// A list over any number of lines. Lists inside it count as parts of it.
    fn list(&mut self) -> Value {
        let mut depth = 0_usize;
        let mut value = Value::new();
        loop {
            let line = self.line;
            match self.peek() {
                None => return value,
                Some('#') => self.comment(),
                Some('\'' | '"') => value.push((self.quoted(), line)),
                Some('[' | '(' | '{') => {
                    depth += 1;
                    self.next();
                }
                Some(']' | ')' | '}') => {
                    self.next();
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return value;
                    }
                }
                Some(_) => drop(self.next()),
            }
        }
    }

    /// A quoted text: it ends at its quote, or with the line. Python's three quotes hold several lines.
    fn quoted(&mut self) -> String {
        let Some(quote) = self.next() else { return String::new() };
        let mut text = String::new();
        if self.peek() == Some(quote) {
            self.next();
            if self.peek() != Some(quote) {
                return text;
            }
            self.next();
            let mut run = 0;
            while let Some(c) = self.next() {
                run = if c == quote { run + 1 } else { 0 };
                text.push(c);
                if run == 3 {
                    text.truncate(text.len() - 3);
                    break;
                }
            }
            return text;
        }
        while let Some(c) = self.peek() {
            if c == '\n' {
                break;
            }
            self.next();
            match c {
                c if c == quote => break,
                '\\' => text.extend(self.next()),
                c => text.push(c),
            }
        }
        text
    }
}
