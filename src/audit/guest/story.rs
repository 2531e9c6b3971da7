//! What a guest's log says of its end, in the order of its records.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{Event, Fact, Frontend, GuestKind};
use crate::pci::Address;
use crate::timeline::{Moment, Story};

/// How many failures are kept; further ones are symptoms.
const MOST_FAILURES: usize = 8;

/// How many devices of a guest are told apart: a bus has 32 slots of 8 functions.
const MOST_DEVICES: usize = 1024;

/// What the log of a guest comes to.
#[derive(Debug, Default)]
pub(super) struct Logged {
    /// Its kind.
    pub kind: Option<GuestKind>,
    /// pcifront took the bus.
    pub installed: Option<Arc<Fact>>,
    /// A bus was made.
    pub bus: Option<Arc<Fact>>,
    /// No driver took the bus.
    pub no_driver: Option<Arc<Fact>>,
    /// dom0 names no bus.
    pub no_roots: Option<Arc<Fact>>,
    /// What failed since pcifront took the bus.
    pub failures: Vec<Arc<Fact>>,
    /// The devices went back.
    pub released: Option<Arc<Fact>>,
    /// Every device that it has.
    pub devices: BTreeMap<Address, FrontendDevice>,
    /// A record of dom0's pciback: it is no guest's log.
    pub pciback: Option<Arc<Fact>>,
    /// A device that the kernel found before pcifront had one.
    pub own_device: Option<Arc<Fact>>,
    /// Whether records are missing behind the last one that says how things stand.
    pub lossy: bool,
}

/// A device, as the log tells.
#[derive(Debug, Default)]
pub(super) struct FrontendDevice {
    /// The record by which it is known.
    pub found: Option<Arc<Fact>>,
    /// A resource could not be had.
    pub unclaimed: Option<Arc<Fact>>,
    /// Interrupts could not be set up.
    pub no_interrupts: Option<Arc<Fact>>,
    /// The driver that spoke about it last, and its first record.
    pub driver: Option<(String, Arc<Fact>)>,
}

impl Logged {
    pub(super) fn of(story: &Story<'_>) -> Self {
        let mut logged = Self { lossy: story.past.gaps().any(), ..Self::default() };
        for moment in &story.moments {
            match moment {
                Moment::Gap { .. } => logged.lossy = true,
                Moment::Fact(fact) => logged.take(fact),
            }
        }
        logged
    }

    fn take(&mut self, fact: &Arc<Fact>) {
        if let Event::Frontend { said } = &fact.event {
            self.take_frontend(*said, fact);
        } else if let Event::Found { address } = &fact.event {
            if self.installed.is_none() && self.own_device.is_none() {
                self.own_device = Some(Arc::clone(fact));
            }
            if let Some(device) = self.device(*address) {
                device.found = Some(Arc::clone(fact));
            }
        } else if let Event::HeldBy { address, driver } = &fact.event {
            if let Some(device) = self.devices.get_mut(address) {
                device.driver = Some((driver.clone(), Arc::clone(fact)));
            }
        } else if matches!(fact.event, Event::Seizing { .. } | Event::BackendReady | Event::ListRefused { .. }) {
            self.pciback.get_or_insert_with(|| Arc::clone(fact));
        }
    }

    fn device(&mut self, address: Address) -> Option<&mut FrontendDevice> {
        if self.devices.len() >= MOST_DEVICES && !self.devices.contains_key(&address) {
            self.lossy = true;
            return None;
        }
        Some(self.devices.entry(address).or_default())
    }

    fn take_frontend(&mut self, said: Frontend, fact: &Arc<Fact>) {
        let kept = || Some(Arc::clone(fact));
        match said {
            Frontend::Kind(kind) => self.kind = Some(kind),
            Frontend::Installed => {
                let (kind, pciback) = (self.kind, self.pciback.take());
                *self = Self { kind, pciback, installed: kept(), ..Self::default() };
            }
            Frontend::Bus => (self.bus, self.no_roots) = (kept(), None),
            Frontend::NoRoots => self.no_roots = kept(),
            Frontend::NoDriver => self.no_driver = kept().filter(|_| self.installed.is_none()),
            Frontend::Released => {
                self.released = kept();
                self.devices.clear();
            }
            Frontend::Failed | Frontend::Stuck { .. } => {
                if self.failures.len() < MOST_FAILURES {
                    self.failures.push(Arc::clone(fact));
                }
            }
            Frontend::Device { address } => {
                if let Some(device) = self.device(address) {
                    device.found.get_or_insert_with(|| Arc::clone(fact));
                }
            }
            Frontend::Unclaimed { address } => {
                if let Some(device) = self.device(address) {
                    device.unclaimed = kept();
                }
            }
            Frontend::NoInterrupts { address } => {
                if let Some(device) = self.device(address) {
                    device.no_interrupts = kept();
                }
            }
        }
    }
}
