//! What was asked for: every place where a hide list is written, and the kernel's own grammar to read it by.
//!
//! One file per place. A place yields [`Written`] lists, not devices: which one is in force, and what it means to the
//! kernel of that era, is decided later by the one judge.

pub mod argument;
pub mod arguments;
pub mod boot_loader;
pub mod cmdline;
pub mod guests;
pub mod hide;
pub mod install_lines;
pub mod late_service;
pub mod loading;
pub mod logged;
mod misspelt;
pub mod modprobe;
pub mod module;
pub mod modules;
pub mod overrides;
pub mod policy;
pub mod qubes;
pub mod register;
pub mod slots;
pub mod sysconfig;
pub mod unmade;
pub mod unread;
pub mod xapi;

use std::fmt;

use crate::tree::{Obstacle, Tree};
use hide::{Grammar, HideList};

/// A kind of place where a hide list can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// `--hide` or `--device`.
    Argument,
    /// `--policy`: what a site wrote down about its devices.
    Policy,
    /// `/sys/module/xen_pciback/parameters/hide`: what the module was really given.
    Module,
    /// `/proc/cmdline`.
    CommandLine,
    /// `options` lines of `modprobe.d`.
    Modprobe,
    /// Arguments behind the module's name in a list of modules to load.
    Modules,
    /// `rd.qubes.hide_pci` and `rd.qubes.hide_all_usb`.
    Qubes,
    /// SUSE's `/etc/sysconfig/pciback`.
    Sysconfig,
    /// The line that `xen-cmdline` of XCP-ng and XenServer writes for the next boot.
    Xapi,
    /// The file of a boot loader: what the next boot gives dom0's kernel.
    BootLoader,
    /// The configuration of NixOS.
    NixOs,
    /// The configurations of guests.
    Guests,
    /// A driver that driverctl or a udev rule forces on a device.
    Override,
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
            Self::Policy => "policy",
            Self::Module => "module",
            Self::CommandLine => "cmdline",
            Self::Modprobe => "modprobe",
            Self::Modules => "modules",
            Self::Qubes => "qubes",
            Self::Sysconfig => "sysconfig",
            Self::Xapi => "xapi",
            Self::BootLoader => "bootloader",
            Self::NixOs => "nixos",
            Self::Guests => "guests",
            Self::Override => "override",
            Self::Slots => "slots",
            Self::Log => "log",
        }
    }

    /// Whether only some hosts have such a place, so that it is not named where it holds nothing.
    pub const fn is_of_some_hosts(self) -> bool {
        matches!(self, Self::Modules | Self::Qubes | Self::Sysconfig | Self::Xapi)
    }

    /// The place in words, as in "a list from ...".
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Argument => "the arguments",
            Self::Policy => "the policy",
            Self::Module => "the module parameter",
            Self::CommandLine => "the kernel command line",
            Self::Modprobe => "modprobe.d",
            Self::Modules => "the lists of modules to load",
            Self::Qubes => "Qubes' rd.qubes.hide_pci",
            Self::Sysconfig => "/etc/sysconfig/pciback",
            Self::Xapi => "the line that xen-cmdline writes",
            Self::BootLoader => "the boot loader's file",
            Self::NixOs => "the configuration of NixOS",
            Self::Guests => "the configurations of guests",
            Self::Override => "the overrides of drivers",
            Self::Slots => "pciback's slots",
            Self::Log => "the log's \"Command line:\" record",
        }
    }
}

/// Where exactly a list is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file: of a host from its root, `/proc/cmdline`; one that the user named as it was given.
    pub path: String,
    /// Line, counted from 1, in a file of several lines.
    pub line: Option<usize>,
    /// Column, counted from 1, where a line holds more than the list.
    pub column: Option<usize>,
}

impl Location {
    /// A line of a file of the host, or all of it; `path` as in a [`Tree`].
    fn on_host(path: &str, line: Option<usize>) -> Self {
        Self { path: format!("/{path}"), line, column: None }
    }

    /// A place inside a line.
    fn at(path: &str, line: usize, column: usize) -> Self {
        Self { path: format!("/{path}"), line: Some(line), column: Some(column) }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(f, "{}:{line}:{column}", self.path),
            (Some(line), None) => write!(f, "{}:{line}", self.path),
            (None, _) => f.write_str(&self.path),
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

impl Written {
    /// Whether its key is that of the module: `classic` where that is called `pciback`, as in 2.6.18-xen and its kin.
    pub fn is_read(&self, classic: bool) -> bool {
        if classic { !self.key.replace('_', "-").contains("xen-pciback") } else { self.effective }
    }

    /// What a kernel of some era or version makes of it.
    ///
    /// pciback's `slots` and what guests want are no parameters: they may be longer than one.
    pub fn read(&self, grammar: impl Into<Grammar>) -> HideList {
        let grammar = grammar.into();
        match self.source {
            Source::Slots | Source::Guests => hide::read_of_any_length(&self.text, grammar),
            Source::Argument
            | Source::Policy
            | Source::Module
            | Source::CommandLine
            | Source::Modprobe
            | Source::Modules
            | Source::Qubes
            | Source::Sysconfig
            | Source::Xapi
            | Source::BootLoader
            | Source::NixOs
            | Source::Override
            | Source::Log => hide::read(&self.text, grammar),
        }
    }
}

/// What a place says: the lists it holds, in the order the kernel meets them (the last one wins), and what could not be
/// read of it. Nothing written and no obstacle means that the place holds no list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The kind of place.
    pub source: Source,
    /// The lists. One that is empty names nothing, but still takes the place of those before it.
    pub written: Vec<Written>,
    /// What may hold a list, or hide one, and could not be read.
    pub obstacles: Vec<Obstacle>,
    /// What may hold a list and was not there to be looked at, as in a copy of a part of a machine. It does not stand against a
    /// list that is found elsewhere, but against there being none.
    pub unseen: Vec<Obstacle>,
}

impl Said {
    /// A place that holds nothing.
    pub const fn nothing(source: Source) -> Self {
        Self { source, written: Vec::new(), obstacles: Vec::new(), unseen: Vec::new() }
    }

    /// Notes that a place could not be looked at.
    pub fn not_seen(&mut self, path: &str, why: &str) {
        self.unseen.push(Obstacle { path: path.to_owned(), why: why.to_owned() });
    }
}

/// What the files of a machine say, in the order in which they are asked: its module parameter, its command line, its
/// `modprobe.d`, and the lists of those platforms that keep their own.
///
/// Choosing among them is the judge's.
pub fn find(tree: &Tree) -> Vec<Said> {
    vec![
        module::written(tree),
        cmdline::written(tree),
        modprobe::written(tree),
        modules::written(tree),
        qubes::written(tree),
        sysconfig::written(tree),
        xapi::written(tree),
    ]
}
