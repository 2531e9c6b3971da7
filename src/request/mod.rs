//! What was asked for: every place where a hide list is written, and the kernel's own grammar to read it by.
//!
//! One file per place. A place yields [`Written`] lists, not devices: which one is in force, and what it means to the
//! kernel of that era, is decided later by the one judge.

pub mod hide;

use std::fmt;

use crate::tree::{Known, Tree};

/// A kind of place where a hide list can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// `--hide` or `--device`.
    Argument,
    /// `/sys/module/xen_pciback/parameters/hide`: what the module was really given.
    Module,
    /// `/proc/cmdline`.
    CommandLine,
    /// `options` lines of `modprobe.d`.
    Modprobe,
    /// `/sys/bus/pci/drivers/pciback/slots`: pciback's own list of what it wants.
    Slots,
    /// The "Command line:" record of the log.
    Log,
}

impl Source {
    /// Its name on the command line and in the JSON report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Argument => "argument",
            Self::Module => "module",
            Self::CommandLine => "cmdline",
            Self::Modprobe => "modprobe",
            Self::Slots => "slots",
            Self::Log => "log",
        }
    }
}

/// Where exactly a list is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file, without a leading slash as in a [`Tree`].
    pub path: String,
    /// Line, counted from 1, in a file of several lines.
    pub line: Option<usize>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "/{}:{line}", self.path),
            None => write!(f, "/{}", self.path),
        }
    }
}

/// A hide list as it is written somewhere, before anyone judged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The list as the kernel would get it: quotes and continuation lines undone.
    pub text: Vec<u8>,
    /// The kind of place.
    pub source: Source,
    /// The file and line, where there is one.
    pub location: Option<Location>,
    /// The key it was written under (`xen-pciback.hide`, `options xen_pciback hide`), to quote in a message.
    pub key: String,
    /// Whether a kernel from 3.1 on reads the key at all: `pciback.hide` it does not.
    pub effective: bool,
}

/// What a place says: the lists it holds, in the order the kernel meets them (the last one wins), or why it is silent.
pub type Said = Known<Vec<Written>>;
