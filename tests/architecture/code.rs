//! Rust source as the rules need it: tokens without comments and literals, the paths that they name, functions and sizes.
//!
//! No parser: `syn` would bring a dozen crates into `cargo test` for what a page of code can say. What it cannot see is
//! paths that a macro puts together, and the house writes no such macros.

#![expect(unreachable_pub, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

/// A token with the line it stands on. Comments are gone; every string, character and number is one `""`.
#[derive(Clone, Debug)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// A path as written, with `use` trees spelt out: `use a::{b, c::*}` names `a::b` and `a::c::*`.
#[derive(Clone, Debug)]
pub struct Named {
    pub segments: Vec<String>,
    pub line: usize,
    /// Whether a `use` brings it in under a name of its own.
    pub used: bool,
    /// The inline modules around it.
    pub inside: Vec<String>,
}

/// The tokens of a source file.
pub fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < bytes.len() {
        let rest = &text[at..];
        let (length, shown) = match bytes[at] {
            b'/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), None),
            b'/' if rest.starts_with("/*") => (block_comment(rest), None),
            byte if byte.is_ascii_whitespace() => (1, None),
            _ => match literal(rest) {
                Some(length) => (length, Some("\"\"")),
                None if rest.starts_with("::") => (2, Some("::")),
                None => {
                    let length = word(rest).max(rest.chars().next().map_or(1, char::len_utf8));
                    (length, Some(&rest[..length]))
                }
            },
        };
        tokens.extend(shown.map(|shown| Token { text: shown.to_owned(), line }));
        line += rest[..length].matches('\n').count();
        at += length;
    }
    tokens
}

fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while let Some(mark) = text.as_bytes().get(at..at + 2) {
        depth += i32::from(mark == b"/*") - i32::from(mark == b"*/");
        at += if matches!(mark, b"/*" | b"*/") { 2 } else { 1 };
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of the string, character or number that `text` begins with. A lifetime is none.
fn literal(text: &str) -> Option<usize> {
    let quote = text.trim_start_matches(['b', 'c', 'r']);
    let prefix = text.len() - quote.len();
    let hashes = quote.len() - quote.trim_start_matches('#').len();
    if prefix <= 2 && text[..prefix].contains('r') && quote[hashes..].starts_with('"') {
        let end = format!("\"{}", &quote[..hashes]);
        return quote[hashes + 1..].find(&end).map(|found| prefix + hashes + 1 + found + end.len());
    }
    if prefix <= 1 && quote.starts_with('"') {
        return Some(prefix + closed(quote, '"'));
    }
    if prefix <= 1 && quote.starts_with('\'') {
        let escaped = quote[1..].starts_with('\\');
        let closes = quote[1..].chars().nth(1) == Some('\'');
        return (escaped || closes).then(|| prefix + closed(quote, '\''));
    }
    text.starts_with(|c: char| c.is_ascii_digit()).then(|| word(text))
}

fn closed(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Every path of two segments or more, and everything that is used.
pub fn paths(tokens: &[Token]) -> Vec<Named> {
    let (mut named, mut inside, mut depth, mut at) = (Vec::new(), Vec::new(), 0_usize, 0);
    while let Some(token) = tokens.get(at) {
        let next = |ahead: usize| tokens.get(at + ahead).map_or("", |token| token.text.as_str());
        match token.text.as_str() {
            "mod" if next(2) == "{" => inside.push((next(1).to_owned(), depth)),
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                inside.retain(|(_, outside)| *outside < depth);
            }
            _ => {}
        }
        let modules = || inside.iter().map(|(name, _)| name.clone()).collect();
        // `use` in `fn() -> impl Trait + use<'a>` lists lifetimes.
        if token.text == "use" && next(1) != "<" {
            let mut found = Vec::new();
            at = tree(tokens, at + 1, &[], &mut found);
            named.extend(found.into_iter().map(|segments| Named {
                segments,
                line: token.line,
                used: true,
                inside: modules(),
            }));
        } else if is_name(&token.text) && next(1) == "::" {
            let mut segments = vec![token.text.clone()];
            while tokens.get(at + 1).is_some_and(|token| token.text == "::")
                && tokens.get(at + 2).is_some_and(|token| is_name(&token.text))
            {
                segments.push(tokens[at + 2].text.clone());
                at += 2;
            }
            named.push(Named { segments, line: token.line, used: false, inside: modules() });
            at += 1;
        } else {
            at += 1;
        }
    }
    named
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Spells out the `use` tree at `at`; returns where it ends.
fn tree(tokens: &[Token], mut at: usize, above: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = above.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "{" => loop {
                at = tree(tokens, at + 1, &path, found);
                match tokens.get(at).map(|token| token.text.as_str()) {
                    Some(",") => {}
                    Some("}") => return at + 1,
                    _ => return at,
                }
            },
            "," | ";" | "}" => break,
            "as" => at += 1,
            "::" => {}
            "self" if !path.is_empty() => {}
            name => path.push(name.to_owned()),
        }
        at += 1;
    }
    if path.len() > above.len() || tokens.get(at.wrapping_sub(1)).is_some_and(|token| token.text == "self") {
        found.push(path);
    }
    at
}

/// The functions with their first line and how many lines of code stand between their braces.
pub fn functions(tokens: &[Token]) -> Vec<(String, usize, usize)> {
    let mut functions = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Some(name) = tokens.get(at + 1).filter(|name| token.text == "fn" && is_name(&name.text)) else { continue };
        let mut brackets = 0;
        let body = tokens[at..].iter().position(|token| {
            brackets += i32::from(matches!(token.text.as_str(), "(" | "["));
            brackets -= i32::from(matches!(token.text.as_str(), ")" | "]"));
            brackets == 0 && matches!(token.text.as_str(), "{" | ";")
        });
        let Some(body) = body else { continue };
        let mut depth = 0;
        let mut lines: Vec<usize> = Vec::new();
        for token in &tokens[at + body..] {
            depth += i32::from(token.text == "{") - i32::from(token.text == "}");
            lines.push(token.line);
            if depth == 0 {
                break;
            }
        }
        lines.dedup();
        functions.push((name.text.clone(), token.line, lines.len().saturating_sub(2)));
    }
    functions
}

/// How many lines a file has before its tests.
pub fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|two| two[0] == "#[cfg(test)]" && two[1].starts_with("mod tests"));
    tests.unwrap_or(lines.len())
}

/// The types that a file defines outside of functions, modules and implementations.
pub fn types(tokens: &[Token]) -> Vec<String> {
    let mut depth = 0;
    let mut types = Vec::new();
    for pair in tokens.windows(2) {
        depth += i32::from(pair[0].text == "{") - i32::from(pair[0].text == "}");
        let defines = matches!(pair[0].text.as_str(), "struct" | "enum" | "trait" | "type" | "union");
        if defines && depth == 0 && pair[1].text.starts_with(char::is_uppercase) {
            types.push(pair[1].text.clone());
        }
    }
    types
}
