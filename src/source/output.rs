//! Writes a file whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Replaces the file at `path` by `text`: a reader finds the old one or the new one, never half of it.
///
/// It is written under another name beside it, flushed to disk and renamed. That name never ends in `.prom`, which
/// `node_exporter` would read. Where `path` is a device or a fifo (`/dev/stdout`, `/dev/null`) it is written to as it is.
/// With a `mode` the file has it whatever the umask says, before it can be seen under its name.
pub fn replace(path: &Path, text: &[u8], mode: Option<u32>) -> io::Result<()> {
    let path = behind_links(path)?;
    if let Ok(about) = fs::metadata(&path) {
        if about.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        if !about.is_file() {
            return OpenOptions::new().write(true).open(&path)?.write_all(text);
        }
    }
    let (file, beside) = create_beside(&path)?;
    let written = fill(file, text, mode).and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        // The error to report is the first one; what is left behind is only a file of ours.
        fs::remove_file(&beside).unwrap_or_default();
    }
    written
}

/// The file that a link stands for, so that a link stays one.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    if path.is_symlink() { fs::canonicalize(path) } else { Ok(path.to_owned()) }
}

fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    for number in 0..100 {
        let mut beside = std::ffi::OsString::from(".");
        beside.push(name);
        beside.push(format!(".{}-{number}.tmp", std::process::id()));
        let beside = path.with_file_name(beside);
        match File::create_new(&beside) {
            Ok(file) => return Ok((file, beside)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn fill(mut file: File, text: &[u8], mode: Option<u32>) -> io::Result<()> {
    if let Some(mode) = mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    file.write_all(text)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.prom");
        replace(&path, b"one", None).unwrap();
        replace(&path, b"two", None).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("report.prom", &link).unwrap();
        replace(&link, b"three", None).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_mode_is_what_was_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.prom");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        for wanted in [0o644, 0o600, 0o666] {
            replace(&path, b"text", Some(wanted)).unwrap();
            assert_eq!(mode(), wanted);
        }
    }

    #[test]
    fn devices_are_never_renamed_over() {
        replace(Path::new("/dev/null"), b"text", None).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        assert!(replace(Path::new("/nowhere/at/all"), b"", None).is_err());
        assert!(replace(Path::new("/"), b"", None).is_err());
    }
}
