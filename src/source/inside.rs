//! A directory that nothing is read outside of: every path is walked name by name, and links start again inside it.
//!
//! The kernel could do this (`openat2`, `RESOLVE_IN_ROOT`), but only from 5.6 on, and XCP-ng's dom0 runs 4.19.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::error::InsideError;
use super::made_up::is_in_made_up;

/// As many links as Linux follows in one path (include/linux/namei.h, MAXSYMLINKS).
const MOST_LINKS: usize = 40;

/// The length that sysfs states for its files: a page, at least this long.
const PAGE: i64 = 4096;

/// More names than any directory of sysfs or `modprobe.d` has.
const MOST_NAMES: usize = 1 << 16;

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Never waits for a writer of a fifo, never makes a terminal ours.
const FILE: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NOCTTY);

/// An open root directory.
#[derive(Debug)]
pub struct Inside {
    root: OwnedFd,
}

/// What a path leads to.
#[derive(Debug)]
pub struct Entry {
    /// The path behind all links, from the root and without a leading slash.
    pub path: String,
    /// What is there.
    pub kind: Kind,
    above: OwnedFd,
    name: Vec<u8>,
}

/// What is at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file: the only kind that is ever opened for reading.
    File,
    /// `/dev/null`: known to be empty without opening it. A link to it is how `modprobe.d` files are masked.
    Null,
    /// A link, where the last one of a path was not to be followed.
    Link(Vec<u8>),
    /// A device, socket or fifo.
    Special,
}

/// Where walking a path ended.
#[derive(Debug)]
pub enum Place {
    /// At something.
    Found(Entry),
    /// At nothing.
    Absent,
    /// Before the end: this path could not be looked at, for this reason.
    Closed(String, InsideError),
}

impl Inside {
    /// Opens `root`, following links to it as usual.
    pub fn open(root: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { root: rustix::fs::open(root, flags, Mode::empty())? })
    }

    /// Walks `path`. Every link met is handed to `seen` with its own path. With `follow_last` false a link at the end
    /// of the path is not followed.
    pub fn walk(&self, path: &str, follow_last: bool, seen: &mut dyn FnMut(&str, &[u8])) -> Place {
        let mut left = parts(path.as_bytes());
        let mut done: Vec<(String, OwnedFd)> = Vec::new();
        let mut here: Option<Entry> = None;
        let mut links = 0;
        while let Some(name) = left.pop() {
            if name.is_empty() || name == b"." {
                continue;
            }
            if name == b".." {
                done.pop();
                here = None;
                continue;
            }
            let shown = join(done.last().map_or("", |(path, _)| path), &name);
            let above = done.last().map_or(self.root.as_fd(), |(_, fd)| fd.as_fd());
            let entry = match look(above, &name, shown) {
                Place::Found(entry) => entry,
                ended @ (Place::Absent | Place::Closed(..)) => return ended,
            };
            let last = left.iter().all(|part| part.is_empty() || part == b".");
            match &entry.kind {
                Kind::Link(target) if follow_last || !last => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Place::Closed(entry.path, InsideError::TooManyLinks);
                    }
                    seen(&entry.path, target);
                    if target.starts_with(b"/") {
                        done.clear();
                    }
                    left.extend(parts(target));
                    here = None;
                }
                Kind::Directory => {
                    match rustix::fs::openat(&entry.above, entry.name.as_slice(), DIRECTORY, Mode::empty()) {
                        Ok(fd) => {
                            done.push((entry.path.clone(), fd));
                            here = Some(entry);
                        }
                        Err(error) => return Place::Closed(entry.path, error.into()),
                    }
                }
                Kind::Link(_) | Kind::File | Kind::Null | Kind::Special if !last => return Place::Absent,
                Kind::Link(_) | Kind::File | Kind::Null | Kind::Special => here = Some(entry),
            }
        }
        match (here, done.pop()) {
            (Some(entry), _) => Place::Found(entry),
            (None, Some((path, fd))) => itself(path, fd),
            (None, None) => match self.root.try_clone() {
                Ok(fd) => itself(String::new(), fd),
                Err(error) => Place::Closed(String::new(), error.into()),
            },
        }
    }
}

/// A directory that was reached through `..` or is the root: named from inside.
fn itself(path: String, above: OwnedFd) -> Place {
    Place::Found(Entry { path, kind: Kind::Directory, above, name: b".".to_vec() })
}

impl Entry {
    /// The contents of a regular file of at most `most` bytes.
    pub fn read(&self, most: u64) -> Result<Vec<u8>, InsideError> {
        let mut bytes = Vec::new();
        let limit = most.saturating_add(1);
        self.open()?.take(limit).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > most) {
            return Err(InsideError::TooLong(most));
        }
        Ok(bytes)
    }

    /// Opens a regular file for reading.
    pub fn open(&self) -> Result<File, InsideError> {
        if self.kind != Kind::File {
            return Err(InsideError::NotRegular);
        }
        let fd = rustix::fs::openat(&self.above, self.name.as_slice(), FILE, Mode::empty())?;
        // It may have been replaced since it was looked at.
        let is_regular = FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) == FileType::RegularFile;
        if is_regular { Ok(File::from(fd)) } else { Err(InsideError::NotRegular) }
    }

    /// Opens a regular file that somebody saved, not one that the running kernel makes up: that is not opened.
    pub(super) fn open_saved(&self) -> Result<File, InsideError> {
        let look = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let looked_at = rustix::fs::openat(&self.above, self.name.as_slice(), look, Mode::empty())?;
        if is_in_made_up(&looked_at)? { Err(InsideError::MadeUp) } else { self.open() }
    }

    /// The names in a directory, in order.
    pub fn list(&self) -> Result<Vec<Vec<u8>>, InsideError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(&self.above, self.name.as_slice(), flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in Dir::new(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if names.len() == MOST_NAMES {
                return Err(InsideError::TooManyNames(MOST_NAMES));
            }
            names.push(name.to_vec());
        }
        names.sort();
        Ok(names)
    }
}

fn look(above: BorrowedFd<'_>, name: &[u8], path: String) -> Place {
    let found = || -> rustix::io::Result<Entry> {
        let stat = rustix::fs::statat(above, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Kind::Directory,
            FileType::RegularFile => link_kept_as_text(above, name, &path, &stat).map_or(Kind::File, Kind::Link),
            FileType::Symlink => Kind::Link(rustix::fs::readlinkat(above, name, Vec::new())?.into_bytes()),
            FileType::CharacterDevice if is_null(&stat) => Kind::Null,
            FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Fifo
            | FileType::Socket
            | FileType::Unknown => Kind::Special,
        };
        let above = rustix::io::fcntl_dupfd_cloexec(above, 0)?;
        Ok(Entry { path: path.clone(), kind, above, name: name.to_vec() })
    };
    match found() {
        Ok(entry) => Place::Found(entry),
        Err(Errno::NOENT | Errno::NOTDIR) => Place::Absent,
        Err(error) => Place::Closed(path, error.into()),
    }
}

/// The target of a link of sysfs that a copy holds as a file: `git` without `core.symlinks`, `zip` and copies to file
/// systems without links write the target as text.
///
/// No file of a running sysfs is opened here: those state the length of a page (fs/sysfs/group.c, `sysfs_add_file`).
fn link_kept_as_text(above: BorrowedFd<'_>, name: &[u8], path: &str, stat: &Stat) -> Option<Vec<u8>> {
    let is_short = (1..PAGE).contains(&stat.st_size);
    if !is_short || !path.starts_with("sys/") {
        return None;
    }
    let file = File::from(rustix::fs::openat(above, name, FILE, Mode::empty()).ok()?);
    let mut text = Vec::new();
    file.take(PAGE.unsigned_abs()).read_to_end(&mut text).ok()?;
    (text.starts_with(b"../") && !text.iter().any(u8::is_ascii_control)).then_some(text)
}

/// Device 1:3 (Documentation/admin-guide/devices.txt).
fn is_null(stat: &Stat) -> bool {
    rustix::fs::major(stat.st_rdev) == 1 && rustix::fs::minor(stat.st_rdev) == 3
}

/// What the operating system says, in lower case and without its number: "permission denied".
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// The names of a path, last one first.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    path.rsplit(|byte| *byte == b'/').map(<[u8]>::to_vec).collect()
}

fn join(above: &str, name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    if above.is_empty() { name.into_owned() } else { format!("{above}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_of_sysfs_that_was_kept_as_text_is_a_link() {
        let copy = tempfile::tempdir().unwrap();
        let file = |path: &str, text: &str| {
            let path = copy.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        file("sys/bus/pci/devices/0000:00:1d.0", "../../../devices/pci0000:00/0000:00:1d.0");
        file("sys/devices/pci0000:00/0000:00:1d.0/vendor", "0x8086\n");
        file("etc/modprobe.d/a.conf", "../b");
        let inside = Inside::open(copy.path()).unwrap();
        let kind = |path: &str, follow| match inside.walk(path, follow, &mut |_, _| {}) {
            Place::Found(entry) => Some((entry.path, entry.kind)),
            Place::Absent | Place::Closed(..) => None,
        };
        let vendor = "sys/devices/pci0000:00/0000:00:1d.0/vendor".to_owned();
        assert_eq!(kind("sys/bus/pci/devices/0000:00:1d.0/vendor", true), Some((vendor, Kind::File)));
        let link = kind("sys/bus/pci/devices/0000:00:1d.0", false).unwrap().1;
        assert_eq!(link, Kind::Link(b"../../../devices/pci0000:00/0000:00:1d.0".to_vec()));
        assert_eq!(kind("etc/modprobe.d/a.conf", true).unwrap().1, Kind::File);
    }
}
