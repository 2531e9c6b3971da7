//! The error numbers that pciback and the driver core print, and what they mean for a PCI device.

use std::fmt;

/// A positive Linux error number (include/uapi/asm-generic/errno-base.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Errno(pub i32);

impl Errno {
    /// Its symbol, such as `EINVAL`.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "EPERM",
            2 => "ENOENT",
            5 => "EIO",
            6 => "ENXIO",
            11 => "EAGAIN",
            12 => "ENOMEM",
            13 => "EACCES",
            14 => "EFAULT",
            16 => "EBUSY",
            17 => "EEXIST",
            19 => "ENODEV",
            22 => "EINVAL",
            25 => "ENOTTY",
            28 => "ENOSPC",
            38 => "ENOSYS",
            110 => "ETIMEDOUT",
            517 => "EPROBE_DEFER",
            _ => return None,
        })
    }

    /// What it usually means when a device cannot be set up for pciback.
    pub const fn meaning(self) -> &'static str {
        match self.0 {
            12 => "dom0 has no memory left",
            16 => "something else still holds the device or one of its resources",
            19 | 6 => "the device does not answer, or the driver refused it",
            22 => "a memory or I/O window (BAR) of the device has no address, or its header is of an unknown kind",
            28 => "no room left for a memory or I/O window of the device",
            38 => "the hypervisor does not know the call",
            110 => "the device did not answer in time",
            1 | 13 => "the hypervisor refused the call",
            _ => "the kernel gives no more detail; the records just before it often do",
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "error -{} ({name})", self.0),
            None => write!(f, "error -{}", self.0),
        }
    }
}
