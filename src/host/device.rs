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
    /// The ids of its board's maker, which tell cards with the same chip apart.
    pub board: Known<Ids>,
    /// How the kernel can reset it; [`Known::Absent`]: nothing shows it, of no device.
    pub reset: Known<Reset>,
    /// The physical function whose virtual function it is.
    pub physical: Known<Address>,
}

/// How the kernel can reset a device (drivers/pci/pci-sysfs.c and pci.c).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Not at all: it has no `reset`, or all methods were taken away.
    None,
    /// By these methods, the first that works: `reset_method`, 5.15 and later.
    By(Vec<String>),
    /// Somehow: before 5.15 only that `reset` is there tells.
    Somehow,
}

impl Device {
    /// Whether it is a PCI-to-PCI bridge (class 0604), which can have devices behind it. Where its class cannot be read, sysfs'
    /// directories say whether something is behind it.
    pub fn is_bridge(&self) -> bool {
        self.class.is().map_or(self.nests, |class| class >> 8 == 0x0604)
    }

    /// Whether it is a virtual function.
    pub const fn is_virtual(&self) -> bool {
        matches!(self.physical, Known::Is(_))
    }
}

const DEVICES: &str = "sys/bus/pci/devices";
const DRIVERS: &str = "sys/bus/pci/drivers";

/// Every device of `tree`. A directory that is there but empty says nothing: it is taken as unreadable.
pub(super) fn read(tree: &Tree, modules: &Modules, using: &uses::Machine) -> Known<Devices> {
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
    let sysfs = Sysfs { tree, modules, bound: bound(tree), using };
    let mut devices: Devices = addresses.into_iter().map(|address| (address, sysfs.device(address))).collect();
    let above: BTreeSet<Address> = devices.values().flat_map(|device| &device.bridges).copied().collect();
    for (address, device) in &mut devices {
        device.nests = above.contains(address);
    }
    unlinked(&mut devices, tree.list(DRIVERS).is().is_some());
    unreset(&mut devices);
    carry_functions(&mut devices);
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

/// A device without `reset` cannot be reset where that file is shown of others: else it was not copied, or is not to be seen.
fn unreset(devices: &mut Devices) {
    if devices.values().any(|device| device.reset.is().is_some()) {
        for device in devices.values_mut().filter(|device| device.reset == Known::Absent) {
            device.reset = Known::Is(Reset::None);
        }
    }
}

/// A physical function that loses its driver takes its virtual ones along (drivers/pci/iov.c, `pci_disable_sriov`): those that a
/// driver has are uses of it. One of them says enough.
fn carry_functions(devices: &mut Devices) {
    let hosted = |(address, device): (&Address, &Device)| {
        let driver = device.driver.is()?.clone();
        Some((*device.physical.is()?, Use::VirtualFunction { address: *address, driver }))
    };
    let hosted: BTreeMap<Address, Use> = devices.iter().rev().filter_map(hosted).collect();
    for (physical, used) in hosted {
        match devices.get_mut(&physical).map(|device| &mut device.uses) {
            Some(Known::Is(uses)) => uses.push(used),
            Some(unknown) => *unknown = Known::Is(vec![used]),
            None => {}
        }
    }
}

/// The files of a machine that are looked at for each device.
struct Sysfs<'a> {
    tree: &'a Tree,
    modules: &'a Modules,
    bound: BTreeMap<Address, String>,
    using: &'a uses::Machine,
}

impl Sysfs<'_> {
    fn device(&self, address: Address) -> Device {
        let tree = self.tree;
        let listed = format!("{DEVICES}/{address}");
        let path = tree.resolve(&listed).is().cloned().unwrap_or_default();
        let hex = |file: &str| tree.read_text(&format!("{path}/{file}")).and_then(|text| hexadecimal(&text));
        let pair = |vendor: &str, device: &str| {
            hex(vendor).and_then(|vendor| hex(device).and_then(|device| ids(vendor, device)))
        };
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
            ids: pair("vendor", "device"),
            board: pair("subsystem_vendor", "subsystem_device"),
            reset: reset(tree, &path),
            physical: tree.link(&format!("{path}/physfn")).and_then(|target| {
                let name = target.rsplit('/').next().unwrap_or_default();
                Address::from_kernel(name.as_bytes()).map_or(Known::Absent, Known::Is)
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

/// `reset` is written to, never read: that it is there says that the kernel found a way. `reset_method` is empty where somebody
/// took all ways away (Documentation/ABI/testing/sysfs-bus-pci).
fn reset(tree: &Tree, path: &str) -> Known<Reset> {
    let methods = tree.read_text(&format!("{path}/reset_method")).map(|text| {
        let methods: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        if methods.is_empty() { Reset::None } else { Reset::By(methods) }
    });
    match methods {
        Known::Is(reset) => Known::Is(reset),
        Known::Absent | Known::Unreadable(_) => match tree.read(&format!("{path}/reset")) {
            Known::Absent => Known::Absent,
            Known::Is(_) | Known::Unreadable(_) => Known::Is(Reset::Somehow),
        },
    }
}

fn ids(vendor: u32, device: u32) -> Known<Ids> {
    match (u16::try_from(vendor), u16::try_from(device)) {
        (Ok(vendor), Ok(device)) => Known::Is(Ids { vendor, device }),
        _ => Known::Absent,
    }
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
        super::read(tree, &Modules::read(tree, None), &uses::Machine::read(tree))
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
    fn a_reset_is_missing_only_where_others_have_one() {
        let of = |text: &str, address: &str| {
            read(&Tree::from_manifest(text).unwrap()).is().unwrap()[&address.parse().unwrap()].reset.clone()
        };
        assert_eq!(of(TREE, "02:01.0"), Known::Absent);
        let card = "sys/devices/pci0000:00/0000:00:1e.0/0000:02:01.0/";
        let old = format!("{TREE}{card}reset ! is not a link\n");
        assert_eq!(of(&old, "02:01.0"), Known::Is(Reset::Somehow));
        assert_eq!(of(&old, "00:1e.0"), Known::Is(Reset::None));
        let new = format!("{old}{card}reset_method = flr bus\\n\n");
        assert_eq!(of(&new, "02:01.0"), Known::Is(Reset::By(vec!["flr".to_owned(), "bus".to_owned()])));
        let taken = format!("{old}{card}reset_method = \\n\n");
        assert_eq!(of(&taken, "02:01.0"), Known::Is(Reset::None));
    }

    #[test]
    fn a_virtual_function_knows_its_physical_one() {
        let text = format!("{TREE}sys/devices/pci0000:00/0000:00:1e.0/0000:02:01.0/physfn -> ../0000:02:00.0\n");
        let devices = read(&Tree::from_manifest(&text).unwrap());
        assert_eq!(devices.is().unwrap()[&"02:01.0".parse().unwrap()].physical, Known::Is("02:00.0".parse().unwrap()));
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
