//! Gives up the rights that the work ahead does not need, so that hostile bytes which take the process over gain little.
//!
//! Four layers, each as far as the kernel has it: `no_new_privs` (Linux 3.5), capabilities, landlock (5.13; its later parts
//! where they are known) and a seccomp filter (3.17). All of them are properties of a thread that new threads inherit:
//! [`Rights::keep_only`] is called before the process has a second thread.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
mod calls;
/// There is no filter for this architecture.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
mod calls {
    pub(super) fn allow_only(_rights: &super::Rights) -> Result<(), String> {
        Err("not for this architecture".to_owned())
    }
}

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::destination::{Destination, Existing, WriteError};

/// The newest landlock that the rules are written for. An older kernel applies what it knows of them.
const NEWEST: ABI = ABI::V6;

/// What a process may still do.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    reads: Vec<PathBuf>,
    writes: Vec<PathBuf>,
    ring: bool,
    child: bool,
    local_sockets: bool,
}

impl Rights {
    /// Reads the files at these paths, links followed, and all that is below the directories there.
    pub fn reads(&mut self, paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> &mut Self {
        self.reads.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Writes files at these paths with [`replace`](super::replace) or [`append`](super::append), and reads them.
    pub fn writes(&mut self, paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> &mut Self {
        self.writes.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Reads the kernel's ring buffer.
    pub fn ring(&mut self) -> &mut Self {
        self.ring = true;
        self.reads(["/dev/kmsg"])
    }

    /// Waits for a child that runs already, and may kill it.
    pub fn child(&mut self) -> &mut Self {
        self.child = true;
        self
    }

    /// Sends to local sockets: `NOTIFY_SOCKET` of systemd.
    pub fn local_sockets(&mut self) -> &mut Self {
        self.local_sockets = true;
        self
    }

    /// Gives up everything else, for this thread and those that it starts. Where the kernel lacks something the process goes
    /// on, and the result says so.
    pub fn keep_only(&self) -> Restrictions {
        Restrictions {
            no_new_privs: rustix::thread::set_no_new_privs(true).map_err(|error| error.to_string()),
            // Before the capabilities go: files that only they can reach may be named in the rules.
            landlock: self.restrict().map_err(|error| error.to_string()).and_then(named),
            capabilities: self.drop_capabilities().map_err(|error| error.to_string()),
            calls: calls::allow_only(self),
        }
    }

    /// The capabilities that are left: to read files whatever their mode, to write where other users do and to keep a file's
    /// owner, to ask for the ring.
    fn capabilities(&self) -> CapabilitySet {
        let mut wanted = CapabilitySet::empty();
        wanted.set(CapabilitySet::DAC_READ_SEARCH, !self.reads.is_empty());
        let writing = CapabilitySet::DAC_OVERRIDE | CapabilitySet::CHOWN | CapabilitySet::FOWNER;
        wanted.set(writing, !self.writes.is_empty());
        wanted.set(CapabilitySet::SYSLOG, self.ring);
        wanted
    }

    fn drop_capabilities(&self) -> rustix::io::Result<()> {
        let (held, wanted) = (rustix::thread::capabilities(None)?, self.capabilities());
        rustix::thread::set_capabilities(
            None,
            CapabilitySets {
                effective: held.effective & wanted,
                permitted: held.permitted & wanted,
                inheritable: CapabilitySet::empty(),
            },
        )
    }

    fn restrict(&self) -> Result<(LandlockStatus, RulesetStatus), RulesetError> {
        let mut ruleset =
            Ruleset::default().handle_access(AccessFs::from_all(NEWEST))?.handle_access(AccessNet::from_all(NEWEST))?;
        // A child that was started before is outside.
        if !self.child {
            ruleset = ruleset.scope(Scope::Signal)?;
        }
        let reading = AccessFs::ReadFile | AccessFs::ReadDir;
        let mut created = ruleset.create()?.add_rules(path_beneath_rules(&self.reads, reading))?;
        for path in &self.writes {
            created = match Destination::find(path) {
                Ok(Destination { existing: Existing::Sink, .. }) => {
                    created.add_rules(path_beneath_rules([path], AccessFs::WriteFile))?
                }
                // Files there are replaced: the rule is the directory's.
                Ok(place) => created.add_rule(PathBeneath::new(place.directory, writing()))?,
                // Somebody may still make its directory. What is refused is never written.
                Err(WriteError::Io(_)) => created.add_rules(path_beneath_rules(nearest(path), writing()))?,
                Err(WriteError::Refused(_)) => created,
            };
        }
        let status = created.restrict_self()?;
        Ok((status.landlock, status.ruleset))
    }
}

/// What [`replace`](super::replace) does in a directory: it lists it, makes a scratch file and renames that.
fn writing() -> BitFlags<AccessFs> {
    AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::RemoveFile
}

/// The directory in which the one of `path` may still be made.
fn nearest(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|above| fs::symlink_metadata(above).is_ok())
}

fn named((landlock, ruleset): (LandlockStatus, RulesetStatus)) -> Result<String, String> {
    match (landlock, ruleset) {
        (
            LandlockStatus::Available { effective_abi, .. },
            RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced,
        ) => Ok(format!("{}", effective_abi as i32)),
        (LandlockStatus::NotEnabled, _) => Err("not enabled in this kernel".to_owned()),
        _ => Err("not in this kernel".to_owned()),
    }
}

/// What of the sandbox is in force, and why the rest is not.
#[derive(Clone, Debug)]
pub struct Restrictions {
    /// `no_new_privs`.
    pub no_new_privs: Result<(), String>,
    /// The capabilities that are not needed are gone.
    pub capabilities: Result<(), String>,
    /// The version of landlock that restricts files.
    pub landlock: Result<String, String>,
    /// The seccomp filter.
    pub calls: Result<(), String>,
}

impl Restrictions {
    /// What this kernel allows, tried on a thread that ends.
    pub fn tried() -> Self {
        std::thread::spawn(|| Rights::default().keep_only()).join().unwrap_or_else(|_defect| {
            let why = || "cannot be tried".to_owned();
            Self { no_new_privs: Err(why()), capabilities: Err(why()), landlock: Err(why()), calls: Err(why()) }
        })
    }
}

impl fmt::Display for Restrictions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let landlock = self.landlock.as_ref().map(|version| format!("version {version}"));
        let parts = [
            ("no_new_privs", self.no_new_privs.as_ref().map(|()| String::new())),
            ("capabilities", self.capabilities.as_ref().map(|()| String::new())),
            ("landlock", landlock),
            ("seccomp", self.calls.as_ref().map(|()| String::new())),
        ];
        for (index, (name, state)) in parts.into_iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            match state {
                Ok(detail) if detail.is_empty() => write!(formatter, "{separator}{name}")?,
                Ok(detail) => write!(formatter, "{separator}{name} ({detail})")?,
                Err(why) => write!(formatter, "{separator}no {name} ({why})")?,
            }
        }
        Ok(())
    }
}
