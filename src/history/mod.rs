//! What happened to each device in one boot: the loads of the module, and the trail of every device through them.
//!
//! A load is an unbroken run of seizing lines in bus order, at most a second apart, ended by `backend is`; a refusal of
//! the list ends the load before it. What an earlier load had seized proves nothing about now.

mod chronicle;
mod heard;
mod trail;

pub use chronicle::{Chronicle, is_settled};
pub use trail::Trail;

use std::collections::{BTreeMap, BTreeSet};

use crate::event::Fact;
use crate::pci::Address;

/// What the log says about pciback as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Driver {
    /// Nothing.
    #[default]
    Unheard,
    /// Seizing lines, and no end of the load yet.
    Loading,
    /// A load came to its end.
    Ready(Fact),
    /// The last load was refused for its list.
    Refused(Fact),
}

/// One boot's history of pciback.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The driver, after the last event about it.
    pub driver: Driver,
    /// The kernel's command line, from its own record.
    pub command_line: Option<Fact>,
    /// Every device that a record speaks about.
    pub trails: BTreeMap<Address, Trail>,
    /// Every device that the PCI core found.
    pub found: BTreeSet<Address>,
    /// Every bridge that the PCI core set up, and the buses behind it.
    pub bridges: BTreeMap<Address, (u8, u8)>,
    /// Records of earlier loads that were left out: how many, and the last of them.
    pub stale: (u64, Option<Fact>),
    /// Parameters that the kernel refused, the last ones.
    pub parameters: Vec<Fact>,
    /// Where records are missing.
    pub gaps: Gaps,
    /// Whether a device was seized behind the end of the last load: bound at run time, or another load is running.
    pub seizing: bool,
}

/// The places in a boot where records are missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// How many.
    pub places: u64,
    /// Records that are known to be missing in them.
    pub lost: u64,
    /// Whether more may be missing than could be counted.
    pub uncounted: bool,
}

impl Gaps {
    /// Whether records are missing at all.
    pub const fn any(self) -> bool {
        self.places > 0
    }
}

impl History {
    /// Whether `address` is behind `bridge`, by what the log says of the buses.
    pub fn is_behind(&self, address: Address, bridge: Address) -> bool {
        let buses = self.bridges.get(&bridge);
        address.domain() == bridge.domain() && buses.is_some_and(|(from, to)| (*from..=*to).contains(&address.bus()))
    }
}
