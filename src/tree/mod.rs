//! A kept set of files: what was read of a machine's `/sys`, `/proc` and `/etc`, or of a copy of them.
//!
//! The judgement never opens a file. An edge (`source::keep`) reads the few files that are known to be harmless into a
//! [`Tree`]; everything behind it works on that. The running machine, a `--root` directory and the text of a test
//! scenario are therefore the same to it, and a file that could not be read is a [`Node::Unreadable`], never a gap.

mod manifest;

pub use manifest::ManifestError;

use std::collections::BTreeMap;
use std::fmt;

/// What a witness says: something, that there is nothing, or that it could not be heard. Silence is not a no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known<T> {
    /// It is so.
    Is(T),
    /// It was looked for, and is not there.
    Absent,
    /// It is there, or may be, but could not be read.
    Unreadable(Obstacle),
}

/// What stood in the way of reading a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The file, from the root of its tree and without a leading slash.
    pub path: String,
    /// Why, in the operating system's words or ours.
    pub why: String,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}: {}", self.path, self.why)
    }
}

impl<T> Known<T> {
    /// What it is, when that is known.
    pub fn is(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }

    /// The same knowledge by reference.
    pub fn as_ref(&self) -> Known<&T> {
        match self {
            Self::Is(value) => Known::Is(value),
            Self::Absent => Known::Absent,
            Self::Unreadable(obstacle) => Known::Unreadable(obstacle.clone()),
        }
    }

    /// The same knowledge about something derived from it.
    pub fn map<U>(self, derive: impl FnOnce(T) -> U) -> Known<U> {
        self.and_then(|value| Known::Is(derive(value)))
    }

    /// What follows from it, where that may itself be unknown.
    pub fn and_then<U>(self, derive: impl FnOnce(T) -> Known<U>) -> Known<U> {
        match self {
            Self::Is(value) => derive(value),
            Self::Absent => Known::Absent,
            Self::Unreadable(obstacle) => Known::Unreadable(obstacle),
        }
    }

    /// Why it is not known, when it could not be read.
    pub fn obstacle(&self) -> Option<&Obstacle> {
        match self {
            Self::Unreadable(obstacle) => Some(obstacle),
            Self::Is(_) | Self::Absent => None,
        }
    }
}

/// One kept file, link or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory that was listed whole.
    Directory,
    /// A file with its contents.
    File(Vec<u8>),
    /// A symbolic link with its target as written.
    Link(Vec<u8>),
    /// Something that is there but could not be read, and why.
    Unreadable(String),
}

/// A kept set of files. Paths have no leading slash; links are resolved inside the set, `..` never leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
}

/// As many links as Linux follows in one path (include/linux/namei.h, MAXSYMLINKS).
const MOST_LINKS: usize = 40;

impl Tree {
    /// Keeps `node` at `path`, and the directories above it.
    pub fn insert(&mut self, path: &str, node: Node) {
        let path = path.trim_matches('/');
        for (slash, _) in path.match_indices('/') {
            if let Some(above) = path.get(..slash) {
                self.nodes.entry(above.to_owned()).or_insert(Node::Directory);
            }
        }
        self.nodes.insert(path.to_owned(), node);
    }

    /// What is below `directory`, as a set of its own.
    #[must_use]
    pub fn subtree(&self, directory: &str) -> Self {
        let depth = directory.len() + 1;
        let mut tree = Self::default();
        for (path, node) in self.below(directory) {
            if let Some(path) = path.get(depth..) {
                tree.nodes.insert(path.to_owned(), node.clone());
            }
        }
        tree
    }

    /// Forgets `path` and all that is below it.
    pub fn remove(&mut self, path: &str) {
        let path = path.trim_matches('/');
        let below: Vec<String> = self.below(path).map(|(path, _)| path.to_owned()).collect();
        for path in below {
            self.nodes.remove(&path);
        }
        self.nodes.remove(path);
    }

    /// Every kept path with its node, in order.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// Whether nothing at all is kept below `path`.
    pub fn holds_nothing_below(&self, path: &str) -> bool {
        !self.nodes.contains_key(path) && self.below(path).next().is_none()
    }

    /// The contents of the file at `path`, without NULs behind them: a file of sysfs claims 4096 bytes, and GNU tar pads what it
    /// read of one with NULs to the size it claims.
    pub fn read(&self, path: &str) -> Known<&[u8]> {
        self.resolve(path).and_then(|resolved| match self.nodes.get(&resolved) {
            Some(Node::File(bytes)) => Known::Is(without_padding(bytes)),
            Some(Node::Directory) => unreadable(path, "is a directory"),
            Some(Node::Unreadable(why)) => unreadable(path, why),
            Some(Node::Link(_)) | None => Known::Absent,
        })
    }

    /// The contents of the file at `path` as text without white space around it.
    pub fn read_text(&self, path: &str) -> Known<String> {
        self.read(path).map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned())
    }

    /// The names in the directory at `path`, in order.
    pub fn list(&self, path: &str) -> Known<Vec<&str>> {
        self.resolve(path).and_then(|resolved| match self.nodes.get(&resolved) {
            Some(Node::Directory) => {
                let depth = resolved.len() + usize::from(!resolved.is_empty());
                let names = self.below(&resolved).filter_map(|(path, _)| path.get(depth..));
                Known::Is(names.filter(|name| !name.contains('/')).collect())
            }
            Some(Node::File(_)) => unreadable(path, "is not a directory"),
            Some(Node::Unreadable(why)) => unreadable(path, why),
            Some(Node::Link(_)) | None => Known::Absent,
        })
    }

    /// Where the link at `path` points, as written.
    pub fn link(&self, path: &str) -> Known<String> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.resolve(above).and_then(|above| match self.nodes.get(&join(&above, name)) {
            Some(Node::Link(target)) => Known::Is(String::from_utf8_lossy(target).into_owned()),
            Some(Node::Unreadable(why)) => unreadable(path, why),
            Some(Node::Directory | Node::File(_)) => unreadable(path, "is not a link"),
            None => Known::Absent,
        })
    }

    /// The path behind all links of `path`, whether anything is kept there or not.
    pub fn resolve(&self, path: &str) -> Known<String> {
        let mut left: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut done = String::new();
        let mut links = 0;
        while let Some(name) = left.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    done.truncate(done.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let here = join(&done, &name);
            match self.nodes.get(&here) {
                Some(Node::Link(target)) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return unreadable(path, "too many links");
                    }
                    let target = String::from_utf8_lossy(target);
                    if target.starts_with('/') {
                        done.clear();
                    }
                    left.extend(target.split('/').rev().map(str::to_owned));
                }
                Some(Node::Unreadable(why)) if !left.is_empty() => return unreadable(path, why),
                Some(Node::File(_)) if left.iter().any(|name| !name.is_empty()) => return Known::Absent,
                _ => done = here,
            }
        }
        Known::Is(done)
    }

    fn below(&self, directory: &str) -> impl Iterator<Item = (&str, &Node)> {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let from = prefix.clone();
        self.nodes
            .range(from..)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(path, node)| (path.as_str(), node))
            .filter(|(path, _)| !path.is_empty())
    }
}

fn without_padding(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

fn unreadable<T>(path: &str, why: &str) -> Known<T> {
    Known::Unreadable(Obstacle { path: path.trim_matches('/').to_owned(), why: why.to_owned() })
}

fn join(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(manifest: &str) -> Tree {
        Tree::from_manifest(manifest).unwrap()
    }

    #[test]
    fn links_are_resolved_inside_the_tree() {
        let tree = tree(
            "sys/bus/pci/devices/0000:00:1d.0 -> ../../../devices/pci0000:00/0000:00:1d.0\n\
             sys/devices/pci0000:00/0000:00:1d.0/vendor = 0x8086\\n\n\
             etc/outside -> /../../proc/version\n\
             proc/version = Linux\n\
             loop -> loop\n",
        );
        assert_eq!(tree.read_text("sys/bus/pci/devices/0000:00:1d.0/vendor"), Known::Is("0x8086".to_owned()));
        assert_eq!(tree.read("etc/outside"), Known::Is(&b"Linux"[..]));
        assert_eq!(tree.list("sys/bus/pci/devices"), Known::Is(vec!["0000:00:1d.0"]));
        assert_eq!(tree.list("sys/bus/pci/devices/0000:00:1d.0"), Known::Is(vec!["vendor"]));
        assert!(tree.read("loop").obstacle().is_some());
    }

    #[test]
    fn what_tar_pads_with_nuls_is_read_without_them() {
        let tree = tree("sys/class = 0x060400\\n\\x00\\x00\nsys/empty = \\x00\n");
        assert_eq!(tree.read("sys/class"), Known::Is(&b"0x060400\n"[..]));
        assert_eq!(tree.read("sys/empty"), Known::Is(&b""[..]));
    }

    #[test]
    fn unreadable_is_neither_absent_nor_empty() {
        let tree = tree("sys/slots ! permission denied\nsys/closed ! permission denied\nsys/empty/\n");
        assert_eq!(tree.read("sys/slots").obstacle().unwrap().to_string(), "/sys/slots: permission denied");
        assert!(tree.list("sys/closed").obstacle().is_some());
        assert!(tree.read("sys/closed/inside").obstacle().is_some());
        assert_eq!(tree.list("sys/empty"), Known::Is(vec![]));
        assert_eq!(tree.read("sys/other"), Known::Absent);
        assert_eq!(tree.list("nowhere"), Known::Absent);
    }
}
