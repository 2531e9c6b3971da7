//! Which file systems the running kernel makes up: reading some of their files clears a log, or crashes the kernel.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// File systems whose files the kernel makes up (include/uapi/linux/magic.h, and xenfs in drivers/xen/xenfs/super.c).
/// pstore is not among them: it holds logs.
const KERNELS: &[i128] = &[
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x6265_6570, // configfs
    0xabba_1974, // xenfs
    0xcafe_4a11, // bpf
    0xde5e_81e4, // efivarfs
    0x1cd1,      // devpts
    0x4249_4e4d, // binfmt_misc
    0xf97c_ff8c, // selinuxfs
    0x4341_5d53, // smackfs
    0x1980_0202, // mqueue
    0x6573_5543, // fusectl
    0x6759_6969, // rpc_pipefs
    0x6e66_7364, // nfsd
];

/// What is said of such a file.
pub(crate) const MADE_UP: &str = "is made up by the running kernel, and is no saved log";

/// A path without opening what is there: neither a driver nor a writer of a fifo hears of it.
const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Whether the kernel makes up the file system where `path` is, links followed; nothing there is opened.
pub(crate) fn is_made_up(path: &Path) -> rustix::io::Result<bool> {
    is_in_made_up(&rustix::fs::open(path, LOOK, Mode::empty())?)
}

/// The same for what was opened with `O_PATH` already.
pub(super) fn is_in_made_up(looked_at: &OwnedFd) -> rustix::io::Result<bool> {
    let system = rustix::fs::fstatfs(looked_at.as_fd())?;
    Ok(KERNELS.contains(&(i128::from(system.f_type) & 0xffff_ffff)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_decides_and_not_the_name() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("kern.log");
        std::os::unix::fs::symlink("/proc/version", &link).unwrap();
        assert_eq!(is_made_up(&link), Ok(true));
        assert_eq!(is_made_up(directory.path()), Ok(false));
        assert!(is_made_up(&directory.path().join("nothing")).is_err());
    }
}
