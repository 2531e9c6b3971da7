//! The incidents of one boot: what happened to devices without changing who has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Trail;
use super::observation::Observation;
use crate::event::{Event, Fact, Incident, Refusal};
use crate::pci::Address;
use crate::record::{Stamp, between};

/// How many kinds of incidents of devices are told apart in one boot. The rest is counted.
const MOST: usize = 2048;

/// The records of one kind of incident of one device, or of a guest's set-up.
#[derive(Clone, Debug)]
pub struct Incidents {
    /// How many since the device was last seized.
    pub count: u64,
    /// The last of them.
    pub last: Arc<Fact>,
    /// Whether the device was seized again behind the last of them, or what they tell of was allowed.
    pub outdated: bool,
}

/// Every incident of a boot, by device and kind.
#[derive(Clone, Debug, Default)]
pub struct IncidentLog {
    devices: BTreeMap<(Address, Incident), Incidents>,
    /// Set-ups of guests that failed without naming a device.
    pub guests: Option<Incidents>,
    /// Interrupts of guests that could not be set up, without naming a device.
    pub interrupts: Option<Incidents>,
}

impl IncidentLog {
    /// Every incident of a device, by address and kind.
    pub fn iter(&self) -> impl Iterator<Item = (Address, Incident, &Incidents)> {
        self.devices.iter().map(|((address, kind), incidents)| (*address, *kind, incidents))
    }

    /// The incidents of one kind of a device.
    pub fn get(&self, address: Address, kind: Incident) -> Option<&Incidents> {
        self.devices.get(&(address, kind))
    }

    /// Notes what a finding may be about. Returns whether there was room for it.
    pub(super) fn hear(&mut self, heard: &Observation<'_>, address: Address, trail: &Trail) -> bool {
        if matches!(heard.event, Event::Seizing { .. }) {
            self.outdate(address, |_| true);
        } else if matches!(heard.event, Event::Incident { kind: Incident::Permissive, .. }) {
            // From here on its guest may write (drivers/xen/xen-pciback/conf_space.c, `xen_pcibk_config_write`).
            self.outdate(address, |kind| matches!(kind, Incident::WriteBlocked { .. }));
        }
        let kind = if let Event::Incident { kind, .. } = heard.event {
            *kind
        } else if let Event::AssignFailed { domid, .. } = heard.event {
            Incident::AssignFailed(refusal(trail, *domid, heard.stamp))
        } else if matches!(heard.event, Event::RemovedInUse { .. }) {
            Incident::RemovedInUse
        } else {
            return true;
        };
        self.note(address, kind, heard)
    }

    fn note(&mut self, address: Address, kind: Incident, heard: &Observation<'_>) -> bool {
        let is_full = self.devices.len() >= MOST;
        match self.devices.get_mut(&(address, kind)) {
            Some(incidents) => incidents.again(heard),
            None if is_full => return false,
            None => {
                self.devices.insert((address, kind), Incidents::of(heard));
            }
        }
        true
    }

    /// Notes what failed of a guest's devices, where none is named.
    pub(super) fn note_guest(&mut self, heard: &Observation<'_>) {
        let kept = if matches!(heard.event, Event::AssignFailed { .. }) {
            &mut self.guests
        } else if matches!(heard.event, Event::GuestMsiFailed { .. }) {
            &mut self.interrupts
        } else {
            return;
        };
        match kept {
            Some(incidents) => incidents.again(heard),
            None => *kept = Some(Incidents::of(heard)),
        }
    }

    /// What happened before of such kinds says nothing of the device now.
    fn outdate(&mut self, address: Address, is_over: impl Fn(Incident) -> bool) {
        let of_device = self.devices.range_mut((address, Incident::FIRST)..);
        for ((_, kind), incidents) in of_device.take_while(|((of, _), _)| *of == address) {
            incidents.outdated |= is_over(*kind);
        }
    }
}

impl Incidents {
    fn of(heard: &Observation<'_>) -> Self {
        Self { count: 1, last: heard.fact(), outdated: false }
    }

    fn again(&mut self, heard: &Observation<'_>) {
        self.count = if self.outdated { 1 } else { self.count.saturating_add(1) };
        (self.last, self.outdated) = (heard.fact(), false);
    }
}

/// Why the guest `domid` could not have the device. A set-up takes moments; a number is given to one guest only until the next
/// boot (Xen, `xen/common/domctl.c`, goes round after 32,752).
fn refusal(trail: &Trail, domid: u32, at: &Stamp) -> Refusal {
    const SET_UP: i64 = 10_000_000;
    let Some(exported) = &trail.exported else { return Refusal::NotHeld };
    let is_set_up = matches!(exported.event, Event::Assigned { .. });
    let near = is_set_up && between(&exported.stamp, at).is_none_or(|apart| apart <= SET_UP);
    match &trail.guest {
        Some((owner, _)) if *owner == domid => Refusal::NamedTwice,
        None if near => Refusal::NamedTwice,
        Some(_) | None => Refusal::InUse,
    }
}
