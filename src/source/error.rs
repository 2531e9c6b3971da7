//! Why a file that was named, a place below a root, or the kernel could not be read.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::inside::words;
use super::made_up::MADE_UP;

/// Why a file could not be read, or not be written: which one, and what is wrong with it or has to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    path: PathBuf,
    what: String,
}

impl FileError {
    pub(super) fn of(path: &Path, what: impl fmt::Display) -> Self {
        Self { path: path.to_owned(), what: what.to_string() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what)
    }
}

impl std::error::Error for FileError {}

/// Why something in a directory could not be read ([`super::Inside`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InsideError {
    /// The operating system's reason.
    Os(Errno),
    /// The path goes through more links than Linux follows.
    TooManyLinks,
    /// It is no regular file, and is not opened.
    NotRegular,
    /// The running kernel makes it up, so that nobody saved it.
    MadeUp,
    /// The file is longer than this, in bytes.
    TooLong(u64),
    /// The directory has more names than this.
    TooManyNames(usize),
}

impl From<Errno> for InsideError {
    fn from(error: Errno) -> Self {
        Self::Os(error)
    }
}

impl From<io::Error> for InsideError {
    fn from(error: io::Error) -> Self {
        Self::Os(Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }
}

impl fmt::Display for InsideError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Os(error) => f.write_str(&words(&(*error).into())),
            Self::TooManyLinks => f.write_str("too many links"),
            Self::NotRegular => f.write_str("is not a regular file"),
            Self::MadeUp => f.write_str(MADE_UP),
            Self::TooLong(most) => write!(f, "is longer than {most} bytes"),
            Self::TooManyNames(most) => write!(f, "has more than {most} entries"),
        }
    }
}

impl std::error::Error for InsideError {}

/// Why the kernel's ring buffer gives nothing, or nothing more ([`super::Kmsg`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KmsgError {
    /// The operating system's reason.
    Os(Errno),
    /// The device ended, which the kernel's never does.
    Ended,
}

impl fmt::Display for KmsgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Os(error) = self else { return f.write_str("the device ended") };
        f.write_str(&words(&(*error).into()))?;
        // `check_syslog_permissions` in kernel/printk/printk.c, Linux 6.12.
        if matches!(*error, Errno::PERM | Errno::ACCESS) {
            f.write_str(": reading it needs the capability CAP_SYSLOG while kernel.dmesg_restrict is 1; run as root")?;
        }
        Ok(())
    }
}

impl std::error::Error for KmsgError {}

/// Why uevents are not heard, or not any more ([`super::Uevents`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UeventsError {
    /// The operating system's reason.
    Os(Errno),
    /// The kernel sends none when a driver takes or leaves a device (drivers/base/dd.c, before Linux 4.14).
    Untold,
}

impl fmt::Display for UeventsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Os(error) => write!(f, "uevents: {}", words(&(*error).into())),
            Self::Untold => f.write_str("kernels before 4.14 send none when a driver takes or leaves a device"),
        }
    }
}

impl std::error::Error for UeventsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_says_what_is_wrong_and_what_to_do() {
        for (said, expected) in [
            (InsideError::Os(Errno::ACCESS).to_string(), "permission denied"),
            (InsideError::from(io::Error::other("odd")).to_string(), "input/output error"),
            (InsideError::TooLong(4096).to_string(), "is longer than 4096 bytes"),
            (InsideError::TooManyNames(9).to_string(), "has more than 9 entries"),
            (KmsgError::Os(Errno::NOENT).to_string(), "no such file or directory"),
            (KmsgError::Ended.to_string(), "the device ended"),
            (UeventsError::Os(Errno::AFNOSUPPORT).to_string(), "uevents: address family not supported by protocol"),
        ] {
            assert_eq!(said, expected);
        }
        for error in [Errno::PERM, Errno::ACCESS] {
            assert!(KmsgError::Os(error).to_string().contains("CAP_SYSLOG"), "{error}");
        }
    }
}
