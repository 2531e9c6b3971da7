//! Which files there are to read, and which of them are one log.
//!
//! Nothing is opened here but what may be a journal file, for its first bytes. Of what a directory holds, only regular
//! files are taken: opening a fifo waits for ever, opening a device may do anything. The kernel's own file systems are
//! never entered, named or not: reading some of their files clears a log, or crashes the kernel.

mod host;
mod rotated;
mod sets;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustix::fs::OFlags;

use super::{MADE_UP, is_made_up, words};

/// Who logged in, and what ran: records of fixed size that the kernel's messages never get into.
const ACCOUNTS: &[&[u8]] =
    &[b"wtmp", b"btmp", b"utmp", b"lastlog", b"faillog", b"tallylog", b"pacct", b"wtmp.db", b"lastlog2.db"];

/// The first bytes of a journal file (systemd src/libsystemd/sd-journal/journal-def.h).
const JOURNAL: [u8; 8] = *b"LPKSHHRH";

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
    (sets::of(finder.files), finder.obstacles)
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
    /// Files of journald below the directory that is being walked.
    journals: usize,
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
            Err(error) => return self.obstacle(path, &words(&error)),
        };
        let kind = about.file_type();
        if kind.is_char_device() || kind.is_block_device() || kind.is_socket() {
            self.obstacle(path, "is a device, not a log");
        } else if self.is_kernels(path, &about) {
            self.obstacle(path, MADE_UP);
        } else if kind.is_dir() {
            self.directory(path);
        } else if kind.is_file() && is_journal(path) {
            let command = "journalctl -k -o export --file FILE | pciback-audit scan -";
            self.obstacle(path, &format!("is a journal file, which this program does not read: {command}"));
        } else {
            // A fifo or a pipe is what `<(...)` makes, and may be waited for.
            self.take(path, &about, false);
        }
    }

    /// Everything below a directory that was named.
    fn directory(&mut self, top: &Path) {
        self.journals = 0;
        let (files, obstacles) = (self.seen.len(), self.obstacles.len());
        // The next one is the last one.
        let mut left = vec![top.to_owned()];
        while let Some(path) = left.pop() {
            self.found(&path, path == top, &mut left);
        }
        let command = "journalctl -k -o export --directory DIRECTORY | pciback-audit scan -";
        let nothing = self.seen.len() == files && self.obstacles.len() == obstacles && self.is_empty(top);
        let (why, counts) = match (self.journals, nothing) {
            (0, true) => ("holds no file".to_owned(), true),
            (0, false) => return,
            (1, counts) => (format!("holds 1 journal file, which this program does not read: {command}"), counts),
            (some, counts) => {
                (format!("holds {some} journal files, which this program does not read: {command}"), counts)
            }
        };
        self.obstacles.push(Obstacle { path: top.to_owned(), why, counts });
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
        } else if about.is_dir() && !self.is_kernels(path, &about) {
            // Mounted twice, a directory has the same files twice.
            if !self.directories.insert((about.dev(), about.ino())) {
                return;
            }
            match list(path) {
                Ok(names) => left.extend(names),
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
        if is_journal(path) {
            self.journals += 1;
            return;
        }
        self.take(path, about, link);
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
            self.obstacle(path, &words(error));
        }
    }

    fn obstacle(&mut self, path: &Path, why: &str) {
        self.obstacles.push(Obstacle { path: path.to_owned(), why: why.to_owned(), counts: true });
    }
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

/// Whether a regular file that is called like one of journald's is one. What `journalctl` printed may be called so, too.
fn is_journal(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    if !name.ends_with(b".journal") && !name.ends_with(b".journal~") {
        return false;
    }
    // It may have become a fifo since it was looked at.
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or(0);
    let first = |mut file: File| {
        let mut first = [0; JOURNAL.len()];
        file.read_exact(&mut first).map(|()| first)
    };
    fs::OpenOptions::new().read(true).custom_flags(flags).open(path).and_then(first).is_ok_and(|first| first == JOURNAL)
}

#[cfg(test)]
mod tests;
