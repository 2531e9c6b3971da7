//! Opens a regular file of a disk for reading, and nothing that could hold the program or do something by being read.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FsWord, OFlags, PROC_SUPER_MAGIC};

/// File systems whose files are made up by the kernel when they are read, which can wait for ever (`/proc/kmsg`), take
/// away what is read, or crash the kernel (`quirks` of pciback): procfs, sysfs, debugfs, tracefs, securityfs, configfs,
/// xenfs (include/uapi/linux/magic.h, Linux 6.12).
const MADE_UP: [FsWord; 7] =
    [PROC_SUPER_MAGIC, 0x6265_6572, 0x6462_6720, 0x7472_6163, 0x7363_6673, 0x6265_6570, 0xabba_1974];

/// Opens the file at `path`, behind links. A fifo, a socket, a device and a file that the kernel makes up are refused at
/// once.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Looked at before it is opened: there are devices that do something when they are opened.
    regular(&fs::metadata(path)?)?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    // It may have been replaced since.
    regular(&file.metadata()?)?;
    if MADE_UP.contains(&rustix::fs::fstatfs(&file)?.f_type) {
        return Err(io::Error::other("is made up by the kernel, not a file of a disk"));
    }
    Ok(file)
}

fn regular(about: &fs::Metadata) -> io::Result<()> {
    if about.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if about.is_file() { Ok(()) } else { Err(io::Error::other("is not a regular file")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_files_of_a_disk_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        for path in [&fifo, directory.path(), Path::new("/dev/null"), Path::new("/proc/self/status")] {
            assert!(open_regular(path).is_err(), "{}", path.display());
        }
        let file = directory.path().join("file");
        fs::write(&file, "text").unwrap();
        std::os::unix::fs::symlink("file", directory.path().join("link")).unwrap();
        assert!(open_regular(&file).is_ok() && open_regular(&directory.path().join("link")).is_ok());
        assert_eq!(open_regular(Path::new("/nowhere")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
