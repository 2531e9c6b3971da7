//! Writes a file whole or not at all.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::destination::{Destination, Existing, WriteError, existing_file};

/// How the names of scratch files begin and end. `node_exporter` reads names in `.prom`; these never are.
const SCRATCH: (&str, &str) = (".pciback-audit.", ".tmp");

/// Names looked at when old scratch files are searched, so that a full `/tmp` costs nothing.
const MOST_NAMES: usize = 1 << 12;

/// How often another name is tried.
const MOST_SCRATCH: u32 = 100;

/// Never follows a link, never waits for the reader of a fifo, never makes a terminal ours.
const WRITE: OFlags =
    OFlags::WRONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC).union(OFlags::NOCTTY);

/// Scratch files that are not renamed yet.
static UNFINISHED: Mutex<Vec<Name>> = Mutex::new(Vec::new());

/// The number of the next scratch file: none has the name of another one of this process.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A name in a directory.
type Name = (Arc<OwnedFd>, OsString);

/// Who may read a file that did not exist before. One that did keeps its mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// As the umask has it.
    #[default]
    Umask,
    /// All may read it, whatever the umask says.
    All,
    /// This user only.
    Private,
}

/// Replaces the file at `path` by `text`: a reader finds the old one or the new one, never half of it.
///
/// It is written under another name beside it, flushed to disk and renamed. An older file keeps its mode and, where the
/// system allows it, its owner. A link of this user or of root stays a link; links and files that another user may have
/// planted, fifos and devices are refused (only `/dev/null` and `/dev/full` are written to as they are).
pub fn replace(path: &Path, text: &[u8], access: Access) -> Result<(), WriteError> {
    let place = Destination::find(path)?;
    let old = match &place.existing {
        Existing::Sink => return Ok(open(&place, WRITE, Mode::empty())?.write_all(text)?),
        Existing::File(stat) => Some(stat),
        Existing::Nothing => None,
    };
    remove_old_scratch(&place.directory);
    let mut scratch = Scratch::create(&place.directory, if access == Access::Umask { 0o666 } else { 0o600 })?;
    match (old, access) {
        (Some(old), _) => keep_owner_and_mode(&scratch.file, old)?,
        (None, Access::All) => rustix::fs::fchmod(&scratch.file, Mode::from_raw_mode(0o644))?,
        (None, Access::Umask | Access::Private) => {}
    }
    scratch.file.write_all(text)?;
    scratch.file.sync_all()?;
    Ok(rustix::fs::renameat(&place.directory, &scratch.name, &place.directory, &place.name)?)
}

/// Opens the file at `path` to append to it, by the same rules.
pub fn append(path: &Path) -> Result<File, WriteError> {
    let place = Destination::find(path)?;
    let flags = match place.existing {
        // Whoever makes the name in between is not followed.
        Existing::Nothing => OFlags::CREATE | OFlags::EXCL,
        Existing::File(_) | Existing::Sink => OFlags::empty(),
    };
    let file = open(&place, WRITE | OFlags::APPEND | flags, Mode::from_raw_mode(0o666))?;
    // It may have been replaced since it was looked at.
    if let Existing::File(stat) = Existing::of(rustix::fs::fstat(&file)?)? {
        existing_file(&place.directory, &stat)?;
    }
    Ok(file)
}

/// Why nothing may be written at `path`, where that is known before anything is written.
pub fn refusal(path: &Path) -> Option<String> {
    match Destination::find(path) {
        Err(WriteError::Refused(why)) => Some(why),
        Ok(_) | Err(WriteError::Io(_)) => None,
    }
}

/// Removes the scratch files of this process, which is about to end in the middle of its work.
pub(super) fn discard_unfinished() {
    let unfinished = std::mem::take(&mut *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner));
    for (directory, name) in unfinished {
        // There is nobody left to tell, and the next run tries again.
        rustix::fs::unlinkat(&directory, &name, AtFlags::empty()).unwrap_or_default();
    }
}

fn open(place: &Destination, flags: OFlags, mode: Mode) -> Result<File, WriteError> {
    Ok(rustix::fs::openat(&place.directory, &place.name, flags, mode)?.into())
}

/// A file under another name, which is removed again unless it is renamed. It is locked, so that no other run takes it for
/// an old one.
struct Scratch {
    file: File,
    name: OsString,
}

impl Scratch {
    fn create(directory: &Arc<OwnedFd>, mode: u32) -> Result<Self, WriteError> {
        let (begin, end) = SCRATCH;
        for _ in 0..MOST_SCRATCH {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = OsString::from(format!("{begin}{}-{number}{end}", std::process::id()));
            // Noted first: a signal may come at any time.
            unfinished(|names| names.push((Arc::clone(directory), name.clone())));
            let flags = WRITE | OFlags::CREATE | OFlags::EXCL;
            let file = match rustix::fs::openat(directory, &name, flags, Mode::from_raw_mode(mode)) {
                Ok(file) => file,
                Err(error) => {
                    unfinished(|names| names.retain(|(_, noted)| *noted != name));
                    if error == Errno::EXIST {
                        continue;
                    }
                    return Err(error.into());
                }
            };
            let scratch = Self { file: file.into(), name };
            if scratch.lock() {
                return Ok(scratch);
            }
        }
        Err(Errno::EXIST.into())
    }

    /// Whether the file is locked and still has its name. Where the file system knows no locks, nobody removes it.
    fn lock(&self) -> bool {
        let locked = rustix::fs::flock(&self.file, FlockOperation::NonBlockingLockExclusive);
        locked != Err(Errno::WOULDBLOCK) && rustix::fs::fstat(&self.file).is_ok_and(|stat| stat.st_nlink > 0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        unfinished(|names| {
            let noted = names.iter().position(|(_, name)| *name == self.name);
            if let Some((directory, name)) = noted.map(|at| names.swap_remove(at)) {
                // Once it is renamed, nothing has this name. The error to report is the one that led here.
                rustix::fs::unlinkat(&directory, &name, AtFlags::empty()).unwrap_or_default();
            }
        });
    }
}

fn unfinished(change: impl FnOnce(&mut Vec<Name>)) {
    change(&mut UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Gives a new file the owner and the permissions of the old one. Only root can give files away; another user's new file
/// is that user's.
fn keep_owner_and_mode(file: &File, old: &Stat) -> Result<(), WriteError> {
    let new = rustix::fs::fstat(file)?;
    // Without the owner's group, nobody of another group may get what that group had.
    let mut mode = old.st_mode & 0o777;
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid) {
        let owner = (old.st_uid != new.st_uid).then(|| Uid::from_raw(old.st_uid));
        let group = Some(Gid::from_raw(old.st_gid));
        let group_kept =
            rustix::fs::fchown(file, owner, group).is_ok() || rustix::fs::fchown(file, None, group).is_ok();
        mode = if group_kept || new.st_gid == old.st_gid { mode } else { mode & !0o070 };
    }
    match rustix::fs::fchmod(file, Mode::from_raw_mode(mode)) {
        // The file is another user's now, and the right to change it was not given to this service.
        Err(Errno::PERM) => Err(WriteError::Refused("its mode cannot be kept: CAP_FOWNER is missing".to_owned())),
        changed => Ok(changed?),
    }
}

/// Removes scratch files of earlier runs that did not come to their end. Those that are locked are still written.
fn remove_old_scratch(directory: &OwnedFd) {
    // Who may not list the directory has nothing to remove there.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(names) = rustix::fs::openat(directory, ".", flags, Mode::empty()).and_then(Dir::new) else { return };
    for name in names.take(MOST_NAMES).map_while(Result::ok) {
        let name = name.file_name();
        if is_scratch(name.to_bytes()) {
            // The error is not of this run's work.
            remove_abandoned(directory, name).unwrap_or_default();
        }
    }
}

fn is_scratch(name: &[u8]) -> bool {
    let (begin, end) = SCRATCH;
    name.starts_with(begin.as_bytes()) && name.ends_with(end.as_bytes())
}

fn remove_abandoned(directory: &OwnedFd, name: &std::ffi::CStr) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let about = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let is_own = FileType::from_raw_mode(about.st_mode) == FileType::RegularFile && about.st_uid == geteuid().as_raw();
    if !is_own {
        return Ok(());
    }
    let file = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    rustix::fs::unlinkat(directory, name, AtFlags::empty())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.prom");
        replace(&path, b"one", Access::Umask).unwrap();
        replace(&path, b"two", Access::Umask).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let link = directory.path().join("link");
        symlink("report.prom", &link).unwrap();
        replace(&link, b"three", Access::Umask).unwrap();
        append(&link).unwrap().write_all(b"four").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"threefour");
        assert_eq!(names(directory.path()), ["link", "report.prom"]);
    }

    #[test]
    fn links_on_the_way_are_followed_as_the_kernel_follows_them() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        symlink(at("a"), at("absolute")).unwrap();
        symlink("absolute/b", at("relative")).unwrap();
        symlink("../new", at("a/b/dangling")).unwrap();
        symlink("circle", at("circle")).unwrap();
        replace(&at("relative/../b/./dangling"), b"text", Access::Umask).unwrap();
        assert_eq!(fs::read(at("a/new")).unwrap(), b"text");
        for wrong in ["circle", "relative/..", "a/new/below", "nowhere/at/all", "a"] {
            assert!(matches!(replace(&at(wrong), b"", Access::Umask), Err(WriteError::Io(_))), "{wrong}");
        }
    }

    #[test]
    fn a_new_file_has_the_mode_that_was_asked_for_and_an_old_one_keeps_its_own() {
        let directory = tempfile::tempdir().unwrap();
        for (access, wanted) in [(Access::All, 0o644), (Access::Private, 0o600)] {
            let path = directory.path().join(format!("{wanted:o}"));
            replace(&path, b"text", access).unwrap();
            assert_eq!(mode(&path), wanted);
            for kept in [0o640, 0o600, 0o604] {
                fs::set_permissions(&path, fs::Permissions::from_mode(kept)).unwrap();
                replace(&path, b"text", access).unwrap();
                assert_eq!(mode(&path), kept);
            }
        }
    }

    #[test]
    fn what_could_hold_the_program_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, 0o600.into(), 0).unwrap();
        symlink("fifo", directory.path().join("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
        for name in ["fifo", "link", "socket", "/dev/zero", "/proc/self/fd/pipe"] {
            let path = directory.path().join(name);
            assert!(matches!(replace(&path, b"", Access::Umask), Err(WriteError::Refused(_))), "{name}");
            assert!(matches!(append(&path), Err(WriteError::Refused(_))), "{name}");
            assert!(refusal(&path).is_some(), "{name}");
        }
        assert_eq!(names(directory.path()), ["fifo", "link", "socket"]);
    }

    #[test]
    fn the_null_device_takes_everything_and_is_never_renamed_over() {
        replace(Path::new("/dev/null"), b"text", Access::Umask).unwrap();
        append(Path::new("/dev/null")).unwrap().write_all(b"text").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        assert!(replace(Path::new("/"), b"", Access::Umask).is_err());
    }

    /// What another user may have put where all can write. Only root can play that user.
    #[test]
    fn links_and_files_of_another_user_are_refused_where_others_can_write() {
        let directory = tempfile::tempdir().unwrap();
        let shared = directory.path().join("shared");
        let at = |name: &str| shared.join(name);
        fs::create_dir(&shared).unwrap();
        fs::write(directory.path().join("secret"), "secret").unwrap();
        fs::create_dir(at("real")).unwrap();
        symlink("../secret", at("link")).unwrap();
        symlink("real", at("directory")).unwrap();
        fs::write(at("file"), "").unwrap();
        fs::hard_link(directory.path().join("secret"), at("second")).unwrap();
        let planted = ["link", "directory", "file"];
        if planted.iter().any(|name| std::os::unix::fs::lchown(at(name), Some(65_534), None).is_err()) {
            return;
        }
        let refused = |name: &str| [refusal(&at(name)), append(&at(name)).err().map(|why| why.to_string())];
        for (above, owner) in [(0o1777, 0), (0o775, 0), (0o777, 0), (0o1777, 65_533), (0o755, 65_533)] {
            fs::set_permissions(&shared, fs::Permissions::from_mode(above)).unwrap();
            std::os::unix::fs::chown(&shared, Some(owner), None).unwrap();
            for name in ["link", "directory/report", "file", "second"] {
                let why = refused(name);
                assert!(why.iter().all(Option::is_some), "{name} in {above:o} of {owner}: {why:?}");
            }
        }
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::chown(&shared, Some(0), None).unwrap();
        for name in ["link", "directory/report", "file", "second"] {
            assert_eq!(refused(name), [None, None], "{name} where only root can write");
        }
        replace(&at("file"), b"text", Access::All).unwrap();
        assert_eq!(fs::metadata(at("file")).unwrap().uid(), 65_534, "an older file keeps its owner");
        assert_eq!(fs::read(directory.path().join("secret")).unwrap(), b"secret");
    }

    #[test]
    fn scratch_files_of_runs_that_ended_are_removed_and_others_stay() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let (old, other) = (".pciback-audit.1-0.tmp", ".report.tmp");
        fs::write(at(old), "half a rep").unwrap();
        fs::write(at(other), "").unwrap();
        replace(&at("report"), b"text", Access::Umask).unwrap();
        assert_eq!(names(directory.path()), [other, "report"]);
        let place = Destination::find(&at("report")).unwrap();
        let scratch = Scratch::create(&place.directory, 0o600).unwrap();
        remove_old_scratch(&place.directory);
        assert_eq!(names(directory.path()).len(), 3, "another run writes it");
        drop(scratch);
        assert_eq!(names(directory.path()), [other, "report"]);
    }
}
