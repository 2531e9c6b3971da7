//! What became of a device.

use std::collections::BTreeMap;

use super::{Finding, Verdict};
use crate::history::Trail;
use crate::host::Page;
use crate::pci::Address;

/// The status of a device. Which one applies is decided in one place: `audit::statuses`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// There is no such device.
    Absent,
    /// It is pciback's, and set up.
    Seized(Proof),
    /// pciback tried and failed, or holds it without having set it up: no guest can have it.
    Failed,
    /// A requested bridge that pciback does not hold: judged by what is behind it.
    Bridge,
    /// Seized by this load of the module, and not pciback's now.
    Lost {
        /// Taken off pciback's own list, as `xl pci-assignable-remove` does: by hand, and so on purpose.
        by_hand: bool,
    },
    /// Bound to another driver.
    Held,
    /// Bound to nothing.
    Unbound,
    /// The log is complete, and does not say that it was seized.
    Missing,
    /// The evidence does not allow to say.
    Unconfirmed,
    /// pciback's, though the request does not name it.
    Unrequested {
        /// Another source explains it.
        explained: bool,
    },
}

/// That a device is seized. Can only be had from evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof(());

impl Proof {
    /// The host says so: pciback's `irq_handlers` lists exactly the devices that it holds and set up.
    pub fn by_host(driver_is_pciback: bool, irq_handlers: &Page, address: Address) -> Option<Self> {
        (driver_is_pciback && irq_handlers.lists(address) == Some(true)).then_some(Self(()))
    }

    /// The log says so: a seizing line of this load, settled, with nothing against it.
    pub fn by_log(trail: &Trail) -> Option<Self> {
        trail.is_settled().then_some(Self(()))
    }
}

impl Status {
    /// Every name, in the order of the contract.
    pub const NAMES: [&'static str; 10] =
        ["seized", "bridge", "held", "unbound", "absent", "failed", "lost", "missing", "unconfirmed", "unrequested"];

    /// Its name in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Seized(_) => "seized",
            Self::Failed => "failed",
            Self::Bridge => "bridge",
            Self::Lost { .. } => "lost",
            Self::Held => "held",
            Self::Unbound => "unbound",
            Self::Missing => "missing",
            Self::Unconfirmed => "unconfirmed",
            Self::Unrequested { .. } => "unrequested",
        }
    }

    /// What it does to the verdict.
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Seized(_) | Self::Bridge | Self::Unrequested { explained: true } => Verdict::Ok,
            Self::Lost { by_hand: true } | Self::Unrequested { explained: false } => Verdict::Warning,
            Self::Unconfirmed => Verdict::Unknown,
            Self::Absent
            | Self::Failed
            | Self::Lost { by_hand: false }
            | Self::Held
            | Self::Unbound
            | Self::Missing => Verdict::Critical,
        }
    }

    /// What a status of this name does to the verdict. `lost` may have been by hand: only a finding says so. Of a name that is
    /// not known, nothing is.
    pub fn verdict_named(name: &str) -> Verdict {
        match name {
            "seized" | "bridge" => Verdict::Ok,
            "unrequested" => Verdict::Warning,
            "held" | "unbound" | "absent" | "failed" | "lost" | "missing" => Verdict::Critical,
            _ => Verdict::Unknown,
        }
    }

    /// What it does to the verdict beside these findings, as the status of the device at `address`. One that says what the
    /// status says speaks for it: an accepted one is accepted for both, one that a policy weighs is weighed for both.
    pub fn verdict_by(&self, address: Address, stated: &Stated) -> Verdict {
        stated.0.get(&address).copied().unwrap_or(self.verdict())
    }
}

/// What findings that say why a device has its status do to the verdict, device by device.
#[derive(Clone, Debug, Default)]
pub struct Stated(BTreeMap<Address, Verdict>);

impl Stated {
    /// Those of these findings.
    pub fn by(findings: &[Finding]) -> Self {
        let mut stated = BTreeMap::new();
        for finding in findings.iter().filter(|finding| finding.code.states_a_device()) {
            let Some(address) = finding.address else { continue };
            let verdict = finding.severity.verdict();
            stated.entry(address).and_modify(|worst: &mut Verdict| *worst = verdict.max(*worst)).or_insert(verdict);
        }
        Self(stated)
    }
}

/// Which witness a status rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// sysfs.
    Host,
    /// The log.
    Log,
}

impl Basis {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Log => "log",
        }
    }
}
