//! Which files there are to read, and which of them are one log.
//!
//! Nothing is opened here but the file that names the host of a support archive. Of what a directory holds, only regular files are
//! taken: opening a fifo waits for ever, opening a device may do anything. The kernel's own file systems are never entered, named or
//! not: reading some of their files clears a log, or crashes the kernel. Of a copy of a root directory and of a support archive only
//! the logs are taken, not the many other texts.

mod host;
pub(super) mod rotated;
mod sets;
mod times;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::archive::{HOSTNAMES, Role, is_root, role_below_root};
use super::inside::{Inside, Kind, Place};
use super::{MADE_UP, is_made_up, words};
use crate::timeline::{Log, LogKind, is_nameless};
pub(crate) use host::{host, names_host};

/// Who logged in, and what ran: records of fixed size that the kernel's messages never get into.
const ACCOUNTS: &[&[u8]] =
    &[b"wtmp", b"btmp", b"utmp", b"lastlog", b"faillog", b"tallylog", b"pacct", b"wtmp.db", b"lastlog2.db"];

/// More than a host's name has (`HOST_NAME_MAX` is 64).
const LONGEST_HOSTNAME: u64 = 256;

/// A set of log files that one writer rotated: read in this order, oldest first, they are one log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Set {
    /// For reports: the path of the only file as it was given or found, or that of the part which is not rotated, with
    /// `*` for dates.
    pub(crate) name: String,
    /// The host by the path, for records that name none.
    pub(crate) host: Option<String>,
    /// At least one.
    pub(crate) files: Vec<FileOf>,
    /// The support archive, or copy of a root directory, that it is a part of.
    pub(crate) archive: Option<Archive>,
}

/// Logs of one host that were collected together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Archive {
    /// Its directory, or the file that holds it.
    pub(crate) top: PathBuf,
    /// The name of the host, by the file that holds it.
    pub(crate) hostname: Option<String>,
}

/// One file of a set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FileOf {
    /// As given or found; `-` for standard input.
    pub(crate) path: PathBuf,
    /// How long it was when it was looked at. 0 for a stream.
    pub(crate) bytes: u64,
    /// When it was last written; none for a stream.
    pub(crate) modified: Option<DateTime<Utc>>,
    /// Device and inode: what is behind the path may be another file by the time it is read. None for a stream.
    pub(crate) identity: Option<(u64, u64)>,
}

/// What stood in the way of a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Obstacle {
    /// As given or found.
    pub(crate) path: PathBuf,
    /// In words.
    pub(crate) why: String,
    /// Whether something that was asked for is not read. Where it is not set, this is worth a note only.
    pub(crate) counts: bool,
}

/// Every log that is meant by `paths`: files, directories with all that is below them, and `-`. A file that is named or
/// found twice, or linked, is there once.
pub(crate) fn find(paths: &[PathBuf]) -> (Vec<Set>, Vec<Obstacle>) {
    let mut finder = Finder::default();
    for path in paths {
        finder.named(path);
    }
    let mut sets = sets::of(finder.files);
    for set in &mut sets {
        let first = set.files.first();
        let holds = |archive: &&Archive| first.is_some_and(|file| file.path.starts_with(&archive.top));
        set.archive = finder.archives.iter().rev().find(holds).cloned();
    }
    let mut obstacles = finder.obstacles;
    obstacles.append(&mut times::order(&mut sets));
    (sets, obstacles)
}

/// Says of each log which rotated set it is a part of, by its name.
pub(crate) fn number_sets<'l>(logs: impl Iterator<Item = &'l mut Log>) {
    let mut logs: Vec<&mut Log> = logs.collect();
    let mut by_name: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut files = Vec::new();
    for (at, log) in logs.iter().enumerate().filter(|(_, log)| log.kind == LogKind::File && log.modified.is_some()) {
        let path = PathBuf::from(&log.name);
        files.push(FileOf { path: path.clone(), bytes: 0, modified: log.modified, identity: None });
        by_name.insert(path, at);
    }
    for set in sets::of(files).into_iter().filter(|set| set.files.len() > 1) {
        let places: Vec<usize> = set.files.iter().filter_map(|file| by_name.get(&file.path)).copied().collect();
        let first = places.first().and_then(|at| logs.get(*at)).map_or(0, |log| log.index);
        for (number, at) in places.into_iter().enumerate() {
            logs.get_mut(at).into_iter().for_each(|log| log.part = (first, number));
        }
    }
}

/// The name of a host that a file holds, if it is one.
pub(crate) fn hostname(reader: impl Read) -> Option<String> {
    let mut text = Vec::new();
    reader.take(LONGEST_HOSTNAME).read_to_end(&mut text).ok()?;
    let name = text.split(|byte| *byte == b'\n').next()?.trim_ascii();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let plain = !name.is_empty() && name.iter().all(is_name) && !is_nameless(name);
    plain.then(|| String::from_utf8_lossy(name).into_owned())
}

#[derive(Default)]
struct Finder {
    files: Vec<FileOf>,
    obstacles: Vec<Obstacle>,
    /// By device and inode: where a file stands in `files`, and whether it was a link that led to it.
    seen: BTreeMap<(u64, u64), (usize, bool)>,
    directories: BTreeSet<(u64, u64)>,
    /// By device: whether the kernel makes its files up.
    kernels: BTreeMap<u64, bool>,
    archives: Vec<Archive>,
    /// How many archives there were before the directory that is being walked.
    before: usize,
    has_input: bool,
}

impl Finder {
    fn named(&mut self, path: &Path) {
        if path.as_os_str() == "-" {
            if !std::mem::replace(&mut self.has_input, true) {
                self.files.push(FileOf { path: path.to_owned(), bytes: 0, modified: None, identity: None });
            }
            return;
        }
        let about = match fs::metadata(path) {
            Ok(about) => about,
            Err(error) => return self.obstacle(path, &format!("cannot be read: {}", words(&error))),
        };
        let kind = about.file_type();
        if kind.is_char_device() || kind.is_block_device() || kind.is_socket() {
            self.obstacle(path, "is a device, not a log");
        } else if self.is_kernels(path, &about) {
            self.obstacle(path, MADE_UP);
        } else if kind.is_dir() {
            self.directory(path);
        } else {
            // A fifo or a pipe is what `<(...)` makes, and may be waited for.
            self.take(path, &about, false);
        }
    }

    /// Everything below a directory that was named.
    fn directory(&mut self, top: &Path) {
        self.before = self.archives.len();
        let (files, obstacles) = (self.seen.len(), self.obstacles.len());
        // The next one is the last one.
        let mut left = vec![top.to_owned()];
        while let Some(path) = left.pop() {
            self.found(&path, path == top, &mut left);
        }
        if self.seen.len() == files && self.obstacles.len() == obstacles && self.is_empty(top) {
            self.obstacle(top, if self.archives.len() > self.before { "holds no log" } else { "holds no file" });
        }
    }

    /// Whether nothing below a directory is read: what is there may have been named before.
    fn is_empty(&self, top: &Path) -> bool {
        !self.files.iter().any(|file| file.path.starts_with(top))
    }

    /// Something in a directory, or the directory itself that was named.
    fn found(&mut self, path: &Path, is_top: bool, left: &mut Vec<PathBuf>) {
        let about = if is_top { fs::metadata(path) } else { fs::symlink_metadata(path) };
        let about = match about {
            Ok(about) if about.is_symlink() => match fs::metadata(path) {
                // Links to directories lead in circles, and mostly to what is found anyway.
                Ok(target) if target.is_file() => return self.file(path, &target, true),
                Ok(_) => return,
                Err(error) => return self.gone(path, &error),
            },
            Ok(about) => about,
            Err(error) => return self.gone(path, &error),
        };
        if about.is_file() {
            self.file(path, &about, false);
        } else if about.is_dir() && self.role(path, "/") != Role::Other && !self.is_kernels(path, &about) {
            // Mounted twice, a directory has the same files twice.
            if !self.directories.insert((about.dev(), about.ino())) {
                return;
            }
            match list(path) {
                Ok(names) => {
                    let plain = names.iter().filter_map(|name| name.file_name()?.to_str());
                    if self.archive(path).is_none() && is_root(plain) {
                        self.archives.push(Archive { top: path.to_owned(), hostname: hostname_below(path) });
                    }
                    left.extend(names);
                }
                Err(error) => self.gone(path, &error),
            }
        }
    }

    /// A regular file in a directory, or a link to one.
    fn file(&mut self, path: &Path, about: &Metadata, link: bool) {
        let name = path.file_name().unwrap_or_default().as_bytes();
        if ACCOUNTS.contains(&rotated::member(name).base.as_slice()) || self.is_kernels(path, about) {
            return;
        }
        if self.role(path, "") == Role::Log {
            self.take(path, about, link);
        }
    }

    /// The archive that is being walked, where `path` is a part of it.
    fn archive(&self, path: &Path) -> Option<&Archive> {
        let archives = self.archives.get(self.before..)?;
        archives.last().filter(|archive| path != archive.top && path.starts_with(&archive.top))
    }

    /// What a file is for, or with `end` a directory. Outside an archive everything may be a log.
    fn role(&self, path: &Path, end: &str) -> Role {
        let Some(archive) = self.archive(path) else { return Role::Log };
        let below = path.strip_prefix(&archive.top).unwrap_or(path);
        role_below_root(&format!("{}{end}", below.to_string_lossy()))
    }

    fn take(&mut self, path: &Path, about: &Metadata, link: bool) {
        let modified = DateTime::from_timestamp(about.mtime(), u32::try_from(about.mtime_nsec()).unwrap_or(0));
        let (bytes, modified) = if about.is_file() { (about.len(), modified) } else { (0, None) };
        let identity = (about.dev(), about.ino());
        let file = FileOf { path: path.to_owned(), bytes, modified, identity: about.is_file().then_some(identity) };
        match self.seen.get_mut(&identity) {
            None => {
                self.seen.insert(identity, (self.files.len(), link));
                self.files.push(file);
            }
            // Its own name says more than that of a link to it: `current` may lead to `kern.log-20261122`.
            Some((index, was_link)) if *was_link && !link => {
                *was_link = false;
                if let Some(known) = self.files.get_mut(*index) {
                    *known = file;
                }
            }
            Some(_) => {}
        }
    }

    /// Whether the kernel makes up the files of the file system where this is. What cannot be asked is taken as made up.
    fn is_kernels(&mut self, path: &Path, about: &Metadata) -> bool {
        let ask = || is_made_up(path).unwrap_or_else(|_unasked| about.is_dir() || about.is_file());
        *self.kernels.entry(about.dev()).or_insert_with(ask)
    }

    /// What went away while we looked, or is a link to nothing, was no log any more; what is closed may be one.
    fn gone(&mut self, path: &Path, error: &std::io::Error) {
        if error.kind() != std::io::ErrorKind::NotFound {
            self.obstacle(path, &format!("cannot be read: {}", words(error)));
        }
    }

    fn obstacle(&mut self, path: &Path, why: &str) {
        self.obstacles.push(Obstacle { path: path.to_owned(), why: why.to_owned(), counts: true });
    }
}

/// The name of the host that a file in an archive holds. No link leads out of the archive.
fn hostname_below(top: &Path) -> Option<String> {
    let inside = Inside::open(top).ok()?;
    HOSTNAMES.iter().find_map(|path| match inside.walk(path, true, &mut |_, _| {}) {
        Place::Found(entry) if entry.kind == Kind::File => entry.open_saved().ok().and_then(hostname),
        Place::Found(_) | Place::Absent | Place::Closed(..) => None,
    })
}

/// What is in a directory, the first name last. Hidden names are left out: editors and `rsync` keep half-written copies
/// under them, and file systems their snapshots, which hold every log once more.
fn list(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if !name.as_bytes().starts_with(b".") {
            names.push(name);
        }
    }
    names.sort_unstable_by(|one, other| other.cmp(one));
    Ok(names.into_iter().map(|name| path.join(name)).collect())
}

#[cfg(test)]
mod tests;
