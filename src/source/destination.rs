//! Where a file is to be written: its directory, which is held open, and its name there.
//!
//! Every link on the way is read here and not by the kernel, so that a link of another user is never followed. The kernel
//! itself refuses such links only in sticky directories, and only while `fs.protected_symlinks` is 1 (`may_follow_link` in
//! fs/namei.c, Linux 3.6). `openat2` could walk without links, but only from Linux 5.6 on, and XCP-ng's dom0 runs 4.19.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, PROC_SUPER_MAGIC, Stat};
use rustix::io::Errno;
use rustix::process::geteuid;

/// As many links as Linux follows in one path (include/linux/namei.h, MAXSYMLINKS).
const MOST_LINKS: usize = 40;

/// Permission to write for the group and for all others.
const WRITTEN_BY_OTHERS: u32 = 0o022;

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

const LINK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Why a file was not written.
#[derive(Debug)]
pub enum WriteError {
    /// The place is refused, for this reason. Trying again changes nothing unless somebody changes the place.
    Refused(String),
    /// The operating system's reason.
    Io(io::Error),
}

impl fmt::Display for WriteError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => formatter.write_str(why),
            Self::Io(error) => error.fmt(formatter),
        }
    }
}

impl From<Errno> for WriteError {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A name in an open directory, and the file that has this name now.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) directory: Arc<OwnedFd>,
    pub(super) name: OsString,
    pub(super) existing: Existing,
}

/// What is at a destination.
#[derive(Debug)]
pub(super) enum Existing {
    /// Nothing.
    Nothing,
    /// A regular file.
    File(Stat),
    /// `/dev/null` or `/dev/full`, under any name: devices that take or refuse bytes at once.
    Sink,
}

impl Destination {
    /// Walks `path`, and refuses what must not be written to: a fifo, a socket or a device, and in a directory where others
    /// can write their links and files.
    pub(super) fn find(path: &Path) -> Result<Self, WriteError> {
        let start = if path.is_absolute() { "/" } else { "." };
        let mut directory = rustix::fs::open(start, DIRECTORY, Mode::empty())?;
        let mut names = names(path);
        let mut links = 0;
        while let Some(name) = names.pop() {
            let existing = match rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => Some(stat),
                Err(Errno::NOENT) if names.is_empty() => None,
                Err(error) => return Err(error.into()),
            };
            match existing {
                Some(stat) if kind(&stat) == FileType::Symlink => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let target = read_link(&directory, &name)?;
                    if target.is_absolute() {
                        directory = rustix::fs::open("/", DIRECTORY, Mode::empty())?;
                    }
                    names.extend(self::names(&target));
                }
                existing if names.is_empty() && name != ".." => return Self::of(directory, name, existing),
                _ => directory = rustix::fs::openat(&directory, &name, DIRECTORY, Mode::empty())?,
            }
        }
        Err(Errno::ISDIR.into())
    }

    fn of(directory: OwnedFd, name: OsString, existing: Option<Stat>) -> Result<Self, WriteError> {
        if rustix::fs::fstatfs(&directory)?.f_type == PROC_SUPER_MAGIC {
            return Err(refused("a pipe, or a file of the kernel's, is not written to; leave the flag out to print"));
        }
        let existing = match existing {
            None => Existing::Nothing,
            Some(stat) => {
                let existing = Existing::of(stat)?;
                if let Existing::File(stat) = &existing {
                    existing_file(&directory, stat)?;
                }
                existing
            }
        };
        Ok(Self { directory: Arc::new(directory), name, existing })
    }
}

impl Existing {
    /// What is there, unless it must not be written to.
    pub(super) fn of(stat: Stat) -> Result<Self, WriteError> {
        match kind(&stat) {
            FileType::RegularFile => Ok(Self::File(stat)),
            FileType::Directory => Err(Errno::ISDIR.into()),
            FileType::CharacterDevice if is_sink(&stat) => Ok(Self::Sink),
            FileType::Fifo => Err(refused("is a fifo, which could hold the program for ever")),
            FileType::Socket => Err(refused("is a socket, not a file")),
            FileType::CharacterDevice | FileType::BlockDevice => Err(refused("is a device, not a file")),
            FileType::Symlink | FileType::Unknown => Err(refused("is not a file")),
        }
    }
}

/// Refuses a file that another user put into a directory where others can write (as `fs.protected_regular`), and one there
/// that has a second name, which may be a file of ours elsewhere (as `fs.protected_hardlinks`).
pub(super) fn existing_file(directory: &OwnedFd, file: &Stat) -> Result<(), WriteError> {
    let above = rustix::fs::fstat(directory)?;
    if is_closed(&above) {
        return Ok(());
    }
    if !is_trusted(file.st_uid) && file.st_uid != above.st_uid {
        return Err(refused(&format!("is a file of another user (uid {}), where others can write", file.st_uid)));
    }
    if file.st_nlink > 1 {
        return Err(refused("is a file with a second name, where others can write"));
    }
    Ok(())
}

/// Where the link `name` points, if it may be followed: it belongs to us or to root, or nobody else can put a link there.
fn read_link(directory: &OwnedFd, name: &OsStr) -> Result<std::path::PathBuf, WriteError> {
    let link = rustix::fs::openat(directory, name, LINK, Mode::empty())?;
    let about = rustix::fs::fstat(&link)?;
    if !is_trusted(about.st_uid) && !is_closed(&rustix::fs::fstat(directory)?) {
        let name = name.to_string_lossy();
        return Err(refused(&format!(
            "`{name}` is a link of another user (uid {}), and is not followed",
            about.st_uid
        )));
    }
    let target = rustix::fs::readlinkat(&link, "", Vec::new())?;
    Ok(OsString::from_vec(target.into_bytes()).into())
}

/// Whether nobody but this user and root can make files in a directory.
fn is_closed(directory: &Stat) -> bool {
    is_trusted(directory.st_uid) && directory.st_mode & WRITTEN_BY_OTHERS == 0
}

/// Whether a file of this user can be no trap: it is the user that this program runs as, or root.
fn is_trusted(user: u32) -> bool {
    user == 0 || user == geteuid().as_raw()
}

/// Devices 1:3 and 1:7 (Documentation/admin-guide/devices.txt).
fn is_sink(stat: &Stat) -> bool {
    rustix::fs::major(stat.st_rdev) == 1 && matches!(rustix::fs::minor(stat.st_rdev), 3 | 7)
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn refused(why: &str) -> WriteError {
    WriteError::Refused(why.to_owned())
}

/// The names of a path, last one first.
fn names(path: &Path) -> Vec<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(name).collect()
}
