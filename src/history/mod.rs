//! What happened to each device in one boot: the loads of the module, and the trail of every device through them.
//!
//! A load is an unbroken run of seizing lines in bus order, at most a second apart, ended by `backend is`; a refusal of
//! the list ends the load before it. What an earlier load had seized proves nothing about now.

mod chronicle;
mod incidents;
mod line;
mod observation;
mod trail;
mod unrecognised;

pub use chronicle::Chronicle;
use chronicle::MOST_DEVICES;
pub use incidents::{IncidentLog, Incidents};
pub use trail::{Trail, is_settled};
pub use unrecognised::Unrecognised;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::Fact;
use crate::pci::Address;
use crate::record::{Stamp, between};

/// What the log says about pciback as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Driver {
    /// Nothing.
    #[default]
    Unheard,
    /// Seizing lines, and no end of the load yet.
    Loading,
    /// A load came to its end.
    Ready(Arc<Fact>),
    /// The last load was refused for its list.
    Refused(Arc<Fact>),
}

/// One boot's history of pciback.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The driver, after the last event about it.
    pub driver: Driver,
    /// The kernel's command line, from its own record.
    pub command_line: Option<Arc<Fact>>,
    /// That of an earlier boot of the host, where the log begins behind this boot's own.
    pub earlier_line: Option<Arc<Fact>>,
    /// Every device that a record speaks about.
    pub trails: BTreeMap<Address, Trail>,
    /// Every device that the PCI core found.
    pub found: BTreeSet<Address>,
    /// Every bridge that the PCI core set up, and the buses behind it.
    pub bridges: BTreeMap<Address, (u8, u8)>,
    /// Records of earlier loads that were left out: how many, and the last of them.
    pub stale: (u64, Option<Arc<Fact>>),
    /// Parameters that the kernel refused, the last ones.
    pub parameters: Vec<Arc<Fact>>,
    /// Where records are missing.
    pub gaps: Gaps,
    /// Whether a device was seized behind the end of the last load: bound at run time, or another load is running.
    pub seizing: bool,
    /// The last seizing line since the last load ended.
    pub last_seizing: Option<Stamp>,
    /// Records of pciback that cannot be read, or tell of a failure that nobody knows, and name no device: any device may be meant. The
    /// first of them.
    pub damaged: Option<Arc<Fact>>,
    /// What happened to devices without changing who has them.
    pub incidents: IncidentLog,
    /// Records of pciback that are none of its known messages.
    pub unrecognised: Unrecognised,
    /// Records about devices beyond the number that is kept.
    pub beyond: u64,
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
    /// Whether every record of pciback could be read, and was kept.
    pub fn is_whole(&self) -> bool {
        self.damaged.is_none() && self.beyond == 0 && self.trails.values().all(|trail| trail.damaged.is_none())
    }

    /// Says of each device what only the end of the boot shows.
    fn finish(&mut self, end: &Stamp, timed: bool) {
        let settled = |fact: &Fact| match between(&fact.stamp, end) {
            Some(_) => is_settled(&fact.stamp, end),
            None => !timed,
        };
        let mut fresh: Option<usize> = None;
        let gaps = self.gaps.places;
        for trail in self.trails.values_mut() {
            trail.lossy = trail.gaps < gaps;
            if let Some(seizing) = &trail.seizing
                && !trail.over
            {
                trail.over = settled(seizing);
                if !trail.over {
                    fresh = Some(fresh.map_or(trail.order, |order| order.min(trail.order)));
                }
            }
        }
        // A log that ends just behind a seizing line may end inside a new load, which the older ones would not survive.
        for trail in self.trails.values_mut() {
            trail.doubtful |= fresh.is_some_and(|order| trail.order < order);
        }
    }

    /// Notes a device that the PCI core found, and the buses behind it where it is a bridge.
    pub(crate) fn find(&mut self, (address, buses): (Address, Option<(u8, u8)>)) {
        if let Some(buses) = buses {
            if self.bridges.len() < MOST_DEVICES {
                self.bridges.insert(address, buses);
            }
        } else if self.found.len() < MOST_DEVICES {
            self.found.insert(address);
        } else if !self.found.contains(&address) {
            self.beyond += 1;
        }
    }

    /// Whether `address` is behind `bridge`, by what the log says of the buses.
    pub fn is_behind(&self, address: Address, bridge: Address) -> bool {
        let buses = self.bridges.get(&bridge);
        address.domain() == bridge.domain() && buses.is_some_and(|(from, to)| (*from..=*to).contains(&address.bus()))
    }
}
