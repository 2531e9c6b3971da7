//! One PCI device as sysfs shows it.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::{Linkage, Modules};
use super::uses::{self, Use};
use crate::pci::{Address, Ids};
use crate::tree::{Known, Obstacle, Tree};

/// Every PCI device of a host, by address.
pub type Devices = BTreeMap<Address, Device>;

/// What sysfs says about one device.
#[derive(Clone, Debug)]
pub struct Device {
    /// The driver it is bound to; [`Known::Absent`]: to none.
    pub driver: Known<String>,
    /// Where that driver's code is; [`Known::Absent`]: there is no driver.
    pub linkage: Known<Linkage>,
    /// The only driver that may take it, where one was set. The kernel prints `(null)` for none.
    pub driver_override: Known<String>,
    /// Its ids.
    pub ids: Known<Ids>,
    /// Class code, 24 bits: `0x0c0300`.
    pub class: Known<u32>,
    /// The bridges above it, nearest first.
    pub bridges: Vec<Address>,
    /// Whether other devices' directories are inside its own, as those of what is behind a bridge are.
    pub nests: bool,
    /// What dom0 uses it for now, as far as that can be told.
    pub uses: Known<Vec<Use>>,
}

impl Device {
    /// Whether it is a PCI-to-PCI bridge (class 0604), which can have devices behind it. Where its class cannot be read, sysfs'
    /// directories say whether something is behind it.
    pub fn is_bridge(&self) -> bool {
        self.class.is().map_or(self.nests, |class| class >> 8 == 0x0604)
    }
}

const DEVICES: &str = "sys/bus/pci/devices";
const DRIVERS: &str = "sys/bus/pci/drivers";

/// Every device of `tree`. A directory that is there but empty says nothing: it is taken as unreadable.
pub(super) fn read(tree: &Tree, modules: &Modules) -> Known<Devices> {
    let listed = match tree.list(DEVICES) {
        Known::Is(names) => names,
        Known::Absent => return Known::Absent,
        Known::Unreadable(obstacle) => return Known::Unreadable(obstacle),
    };
    let addresses: Vec<Address> = listed.iter().filter_map(|name| Address::from_kernel(name.as_bytes())).collect();
    if addresses.is_empty() {
        let why = "lists no device at all, which no dom0 does".to_owned();
        return Known::Unreadable(Obstacle { path: DEVICES.to_owned(), why });
    }
    let sysfs = Sysfs { tree, modules, bound: bound(tree), using: uses::Machine::read(tree) };
    let mut devices: Devices = addresses.into_iter().map(|address| (address, sysfs.device(address))).collect();
    let above: BTreeSet<Address> = devices.values().flat_map(|device| &device.bridges).copied().collect();
    for (address, device) in &mut devices {
        device.nests = above.contains(address);
    }
    unlinked(&mut devices, tree.list(DRIVERS).is().is_some());
    Known::Is(devices)
}

/// Where no driver is linked with any device, and the drivers are not there either, the links were not copied: then nobody knows
/// which device is bound.
fn unlinked(devices: &mut Devices, drivers_seen: bool) {
    if drivers_seen || devices.values().any(|device| device.driver.is().is_some()) {
        return;
    }
    for (address, device) in devices.iter_mut().filter(|(_, device)| device.driver == Known::Absent) {
        let why = "no driver is linked with any device, and no driver is there".to_owned();
        device.driver = Known::Unreadable(Obstacle { path: format!("{DEVICES}/{address}/driver"), why });
    }
}

/// The files of a machine that are looked at for each device.
struct Sysfs<'a> {
    tree: &'a Tree,
    modules: &'a Modules,
    bound: BTreeMap<Address, String>,
    using: uses::Machine,
}

impl Sysfs<'_> {
    fn device(&self, address: Address) -> Device {
        let tree = self.tree;
        let listed = format!("{DEVICES}/{address}");
        let path = tree.resolve(&listed).is().cloned().unwrap_or_default();
        let hex = |file: &str| tree.read_text(&format!("{path}/{file}")).and_then(|text| hexadecimal(&text));
        let ids = hex("vendor").and_then(|vendor| hex("device").map(|device| (vendor, device)));
        let class = hex("class");
        let driver = match self.hidden(&listed, &path, class.is()) {
            Some(why) if !self.bound.contains_key(&address) || path == listed => {
                Known::Unreadable(Obstacle { path: format!("{listed}/driver"), why })
            }
            _ => driver(tree, &path, self.bound.get(&address)),
        };
        Device {
            linkage: driver.as_ref().and_then(|driver| self.modules.of_driver(tree, driver)),
            driver,
            driver_override: driver_override(tree, &path),
            ids: ids.and_then(|(vendor, device)| match (u16::try_from(vendor), u16::try_from(device)) {
                (Ok(vendor), Ok(device)) => Known::Is(Ids { vendor, device }),
                _ => Known::Absent,
            }),
            class,
            bridges: path.rsplit('/').skip(1).map_while(|name| Address::from_kernel(name.as_bytes())).collect(),
            nests: false,
            uses: if path.starts_with("sys/devices/") { self.using.of(tree, &path) } else { unplaced(address) },
        }
    }

    /// Why a device's own directory does not tell what it tells on a running machine: its link leads to what was not copied, or it
    /// is a bridge in a copy without links, whose directories are not inside each other.
    fn hidden(&self, listed: &str, path: &str, class: Option<&u32>) -> Option<String> {
        if path == listed {
            let bridge = class.is_some_and(|class| class >> 8 == 0x0604);
            let copied = self.tree.link(listed).obstacle().is_some();
            return (bridge && copied)
                .then(|| "it is a directory in this copy, which does not show what is behind a bridge".to_owned());
        }
        let gone = matches!(self.tree.list(path), Known::Absent);
        gone.then(|| format!("its device's link leads to /{path}, which is not there"))
    }
}

/// What is used of a device whose own directory is not known: everything else of the machine is found by that.
fn unplaced(address: Address) -> Known<Vec<Use>> {
    let why = "does not lead to a device's directory".to_owned();
    Known::Unreadable(Obstacle { path: format!("{DEVICES}/{address}"), why })
}

/// Which driver's directory links to which device: the same fact as the device's own link, seen from the other end.
fn bound(tree: &Tree) -> BTreeMap<Address, String> {
    let drivers = tree.list(DRIVERS).is().cloned().unwrap_or_default();
    let mut bound = BTreeMap::new();
    for driver in drivers {
        for name in tree.list(&format!("{DRIVERS}/{driver}")).is().into_iter().flatten() {
            if let Some(address) = Address::from_kernel(name.as_bytes()) {
                bound.insert(address, driver.to_owned());
            }
        }
    }
    bound
}

fn driver(tree: &Tree, path: &str, bound: Option<&String>) -> Known<String> {
    match (tree.link(&format!("{path}/driver")), bound) {
        (Known::Is(target), _) => {
            let name = target.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
            Known::Is(name.to_owned())
        }
        // The other end shows a binding that this end does not: a copy that lost its links, or a moment in between.
        (Known::Absent | Known::Unreadable(_), Some(driver)) => Known::Is(driver.clone()),
        (other, None) => other,
    }
}

fn driver_override(tree: &Tree, path: &str) -> Known<String> {
    tree.read_text(&format!("{path}/driver_override")).and_then(|name| match name.as_str() {
        "" | "(null)" => Known::Absent,
        _ => Known::Is(name),
    })
}

fn hexadecimal(text: &str) -> Known<u32> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u32::from_str_radix(digits, 16).map_or(Known::Absent, Known::Is)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
        sys/bus/pci/devices/0000:00:1e.0 -> ../../../devices/pci0000:00/0000:00:1e.0\n\
        sys/bus/pci/devices/0000:02:01.0 -> ../../../devices/pci0000:00/0000:00:1e.0/0000:02:01.0\n\
        sys/devices/pci0000:00/0000:00:1e.0/class = 0x060400\\n\n\
        sys/devices/pci0000:00/0000:00:1e.0/driver_override = (null)\\n\n\
        sys/devices/pci0000:00/0000:00:1e.0/0000:02:01.0/vendor = 0x8086\\n\n\
        sys/devices/pci0000:00/0000:00:1e.0/0000:02:01.0/device = 0x100e\\n\n\
        sys/devices/pci0000:00/0000:00:1e.0/0000:02:01.0/driver -> ../../../../bus/pci/drivers/e1000\n";

    fn read(tree: &Tree) -> Known<Devices> {
        super::read(tree, &Modules::read(tree, None))
    }

    #[test]
    fn a_device_knows_its_bridge_driver_and_ids() {
        let devices = read(&Tree::from_manifest(TREE).unwrap());
        let devices = devices.is().unwrap();
        let bridge = &devices[&"00:1e.0".parse().unwrap()];
        let card = &devices[&"02:01.0".parse().unwrap()];
        assert!(bridge.is_bridge() && bridge.driver == Known::Absent && bridge.driver_override == Known::Absent);
        assert_eq!(card.driver, Known::Is("e1000".to_owned()));
        assert_eq!(card.ids.is().unwrap().to_string(), "8086:100e");
        assert_eq!(card.bridges, ["00:1e.0".parse().unwrap()]);
    }

    #[test]
    fn an_empty_directory_is_no_proof_of_absence() {
        assert!(read(&Tree::from_manifest("sys/bus/pci/devices/\n").unwrap()).obstacle().is_some());
        assert!(matches!(read(&Tree::default()), Known::Absent));
    }

    #[test]
    fn a_bridge_without_a_class_is_known_by_what_is_inside_it() {
        let text = TREE.replace("class = 0x060400\\n", "vendor = 0x8086\\n");
        let devices = read(&Tree::from_manifest(&text).unwrap());
        let devices = devices.is().unwrap();
        assert!(devices[&"00:1e.0".parse().unwrap()].is_bridge());
        assert!(!devices[&"02:01.0".parse().unwrap()].is_bridge());
    }

    #[test]
    fn a_link_out_of_the_copy_is_not_unbound() {
        let text = "sys/bus/pci/devices/0000:00:1d.0 -> ../../../devices/pci0000:00/0000:00:1d.0\n\
                    sys/bus/pci/devices/0000:00:1d.1 -> ../../../devices/pci0000:00/0000:00:1d.1\n\
                    sys/bus/pci/drivers/ahci/0000:00:1d.1 -> ../../../../devices/pci0000:00/0000:00:1d.1\n";
        let devices = read(&Tree::from_manifest(text).unwrap());
        let devices = devices.is().unwrap();
        assert!(devices[&"00:1d.0".parse().unwrap()].driver.obstacle().is_some());
        assert_eq!(devices[&"00:1d.1".parse().unwrap()].driver, Known::Is("ahci".to_owned()));
    }

    #[test]
    fn a_copy_without_links_shows_no_bindings_and_nothing_behind_a_bridge() {
        let text = "sys/bus/pci/devices/0000:00:1e.0/class = 0x060400\\n\n\
                    sys/bus/pci/devices/0000:00:1f.0/class = 0x060100\\n\nsys/bus/pci/drivers/ahci/bind = \n";
        let unread = |text: &str| {
            let devices = read(&Tree::from_manifest(text).unwrap());
            devices.is().unwrap().values().map(|device| device.driver.obstacle().is_some()).collect::<Vec<_>>()
        };
        assert_eq!(unread(text), [true, false]);
        assert_eq!(unread(text.split("sys/bus/pci/drivers").next().unwrap()), [true, true]);
    }

    #[test]
    fn an_unreadable_driver_link_is_not_unbound() {
        let text = format!("{TREE}sys/devices/pci0000:00/0000:00:1e.0/driver ! permission denied\n");
        let devices = read(&Tree::from_manifest(&text).unwrap());
        assert!(devices.is().unwrap()[&"00:1e.0".parse().unwrap()].driver.obstacle().is_some());
    }
}
