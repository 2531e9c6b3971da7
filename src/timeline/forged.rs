//! Records of user space that look like the driver's.

use std::collections::BTreeMap;

use crate::event::{Event, Fact};
use crate::pci::Address;

/// How many records about one device are kept whole, from the first on.
const KEPT: usize = 3;

/// How many devices are told apart. Whoever writes such records can name as many as there are addresses.
const MOST_DEVICES: usize = 256;

/// What user space wrote about one device.
#[derive(Clone, Debug)]
pub struct Imitation {
    /// How many records.
    pub count: u64,
    /// The first of them.
    pub first: Vec<Fact>,
    /// The last.
    pub last: Fact,
}

/// Whether the records only quote the driver, and the device that they name.
type Key = (bool, Option<Address>);

/// Every record of user space that looks like the driver's, device by device: bounded, however many come.
#[derive(Clone, Debug, Default)]
pub struct Forged {
    devices: BTreeMap<Key, Imitation>,
}

impl Forged {
    /// Those that pretend to be the driver's, with the device that they name; of the devices beyond a limit, without.
    pub fn pretended(&self) -> impl Iterator<Item = (Option<Address>, &Imitation)> {
        self.of(false)
    }

    /// Those of a program that tells its own log about the driver, which forges nothing.
    pub fn quoted(&self) -> impl Iterator<Item = (Option<Address>, &Imitation)> {
        self.of(true)
    }

    fn of(&self, quotation: bool) -> impl Iterator<Item = (Option<Address>, &Imitation)> {
        self.devices
            .iter()
            .filter(move |((quotes, _), _)| *quotes == quotation)
            .map(|((_, device), found)| (*device, found))
    }

    /// About so many bytes they take.
    pub(super) fn weight(&self) -> usize {
        self.devices.values().flat_map(|found| found.first.iter().chain([&found.last])).map(Fact::weight).sum()
    }

    pub(super) fn join(&mut self, other: Self) {
        for found in other.devices.into_values() {
            for fact in found.first {
                self.take(fact);
            }
        }
    }

    pub(super) fn take(&mut self, fact: Fact) {
        let quotes = fact.program.is_some() || matches!(fact.event, Event::Quoted { .. });
        let mut key = (quotes, fact.event.address());
        if self.devices.len() >= MOST_DEVICES && !self.devices.contains_key(&key) {
            key.1 = None;
        }
        match self.devices.get_mut(&key) {
            Some(known) => {
                known.count += 1;
                if known.first.len() < KEPT {
                    known.first.push(fact.clone());
                }
                known.last = fact;
            }
            None => {
                self.devices.insert(key, Imitation { count: 1, first: vec![fact.clone()], last: fact });
            }
        }
    }
}
