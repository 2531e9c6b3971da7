//! A tree as text, one node a line: how captures and test scenarios hold the files of a host.
//!
//! `path/` is a directory, `path -> target` a link, `path = contents` a file (backslash, line feed, carriage return and
//! tab escaped as in C, every other byte outside printable ASCII as `\xNN`), `path ! reason` something that could not be
//! read. Empty lines and lines that start with `#` say nothing.

use std::fmt;

use super::{Node, Tree};

/// A line of a manifest that says nothing understandable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    line: usize,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: expected `path/`, `path -> target`, `path = contents` or `path ! reason`", self.line)
    }
}

impl std::error::Error for ManifestError {}

impl Tree {
    /// Reads a tree from its text.
    pub fn from_manifest(text: &str) -> Result<Self, ManifestError> {
        let mut tree = Self::default();
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (path, node) = node(line).ok_or(ManifestError { line: index + 1 })?;
            tree.insert(path, node);
        }
        Ok(tree)
    }

    /// Writes the tree as text.
    pub fn to_manifest(&self) -> String {
        let mut text = String::new();
        for (path, node) in self.nodes() {
            text.push_str(path);
            match node {
                Node::Directory => text.push('/'),
                Node::Link(target) => text.extend([" -> ", &escape(target)]),
                Node::File(contents) => text.extend([" = ", &escape(contents)]),
                Node::Unreadable(why) => text.extend([" ! ", why]),
            }
            text.push('\n');
        }
        text
    }
}

fn node(line: &str) -> Option<(&str, Node)> {
    let Some(space) = line.find(' ') else {
        return Some((line.strip_suffix('/')?, Node::Directory));
    };
    let (path, rest) = line.split_at_checked(space)?;
    if let Some(target) = rest.strip_prefix(" -> ") {
        return Some((path, Node::Link(unescape(target)?)));
    }
    if let Some(why) = rest.strip_prefix(" ! ") {
        return Some((path, Node::Unreadable(why.to_owned())));
    }
    if rest == " =" {
        return Some((path, Node::File(Vec::new())));
    }
    Some((path, Node::File(unescape(rest.strip_prefix(" = ")?)?)))
}

fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.extend(["\\x", &format!("{byte:02x}")]),
        }
    }
    text
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'\\' => b'\\',
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_and_reading_is_the_identity() {
        let mut tree = Tree::default();
        tree.insert("sys/a", Node::File(b"x\\y\n\t\xff \x00".to_vec()));
        tree.insert("sys/b", Node::Link(b"../a".to_vec()));
        tree.insert("sys/c", Node::Unreadable("permission denied".to_owned()));
        tree.insert("sys/d", Node::File(Vec::new()));
        assert_eq!(Tree::from_manifest(&tree.to_manifest()), Ok(tree));
    }

    #[test]
    fn an_odd_line_is_named() {
        let error = Tree::from_manifest("sys/\nwhat is this\n").unwrap_err();
        assert!(error.to_string().starts_with("line 2: "), "{error}");
    }
}
