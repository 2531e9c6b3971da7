//! sysfs as it would be: links of drivers, and pciback's own files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::host::{Device, PCIBACK};
use crate::pci::{Address, Pattern};
use crate::tree::{Known, Node, Tree};

const DEVICES: &str = "sys/bus/pci/devices";
const DRIVERS: &str = "sys/bus/pci/drivers";

/// The name that stands for a driver of which only that it comes first is known.
pub(super) const SOME_DRIVER: &str = "another-driver";

/// A tree that is being changed.
pub(super) struct Sysfs {
    tree: Tree,
    seized: BTreeSet<Address>,
    /// Whether the bus offers devices to a driver that comes.
    autoprobe: bool,
    /// The links of drivers to their devices.
    other_ends: BTreeMap<Address, Vec<String>>,
}

impl Sysfs {
    pub(super) fn of(tree: &Tree) -> Self {
        let autoprobe = tree.read_text("sys/bus/pci/drivers_autoprobe").is().is_none_or(|value| value != "0");
        let mut other_ends: BTreeMap<Address, Vec<String>> = BTreeMap::new();
        for driver in tree.list(DRIVERS).is().into_iter().flatten() {
            for name in tree.list(&format!("{DRIVERS}/{driver}")).is().into_iter().flatten() {
                if let Some(address) = Address::from_kernel(name.as_bytes()) {
                    other_ends.entry(address).or_default().push(format!("{DRIVERS}/{driver}/{name}"));
                }
            }
        }
        Self { tree: tree.clone(), seized: BTreeSet::new(), autoprobe, other_ends }
    }

    /// Whether the bus would offer the device to pciback at all.
    pub(super) fn may_probe(&self, device: &Device) -> bool {
        self.autoprobe && device.driver_override.is().is_none_or(|name| name == PCIBACK)
    }

    /// pciback takes a device.
    pub(super) fn seize(&mut self, address: Address) {
        self.bind(address, Some(PCIBACK));
        self.seized.insert(address);
    }

    /// A driver has a device, or none.
    pub(super) fn bind(&mut self, address: Address, driver: Option<&str>) {
        let link = self.link(address);
        self.tree.remove(&link);
        if let Some(driver) = driver {
            self.tree.insert(&link, Node::Link(format!("../../../../bus/pci/drivers/{driver}").into_bytes()));
        }
    }

    /// Nobody knows which driver will have a device.
    pub(super) fn doubt(&mut self, address: Address, why: &str) {
        let link = self.link(address);
        self.tree.remove(&link);
        self.tree.insert(&link, Node::Unreadable(why.to_owned()));
    }

    /// The path of a device's link to its driver, whose other end is taken away: it is of the running kernel.
    fn link(&mut self, address: Address) -> String {
        let listed = format!("{DEVICES}/{address}");
        for path in self.other_ends.remove(&address).unwrap_or_default() {
            self.tree.remove(&path);
        }
        format!("{}/driver", self.tree.resolve(&listed).is().cloned().unwrap_or(listed))
    }

    /// A file of the machine as it would be.
    pub(super) fn write(&mut self, path: &str, text: &[u8]) {
        self.tree.insert(path, Node::File(text.to_vec()));
    }

    pub(super) fn forget(&mut self, path: &str) {
        self.tree.remove(path);
    }

    /// The files without pciback: it is not loaded, or refused its list.
    pub(super) fn without_pciback(mut self) -> Tree {
        self.tree.remove(&format!("{DRIVERS}/{PCIBACK}"));
        for module in ["xen_pciback", PCIBACK] {
            self.tree.remove(&format!("sys/module/{module}"));
        }
        self.tree
    }

    /// The files with pciback's own, and its list.
    pub(super) fn finish(mut self, module: &str, list: &[u8], patterns: &[Pattern]) -> Tree {
        let driver = format!("{DRIVERS}/{PCIBACK}");
        let mut slots = String::new();
        for address in patterns.iter().flat_map(|pattern| pattern.addresses()) {
            // A write to a string cannot fail.
            writeln!(slots, "{address}").unwrap_or_default();
        }
        let mut handlers = String::new();
        for address in &self.seized {
            writeln!(handlers, "{address}:off:not acking:0").unwrap_or_default();
        }
        self.write(&format!("{driver}/slots"), slots.as_bytes());
        self.write(&format!("{driver}/irq_handlers"), handlers.as_bytes());
        let given: &[u8] = if list.is_empty() { b"(null)" } else { list };
        let parameter = format!("sys/module/{}/parameters/hide", module.replace('-', "_"));
        self.write(&parameter, &[given, b"\n"].concat());
        self.tree
    }

    /// Whether sysfs of the machine is there to be changed.
    pub(super) fn shows_devices(&self) -> bool {
        matches!(self.tree.list(DEVICES), Known::Is(_))
    }
}
