//! Findings about a device and others: functions of its slot, USB controllers that belong together, cards of the same make.

use std::collections::BTreeMap;

use super::facts::{about, device_file, file, some_of};
use super::statuses::Judged;
use super::{Asked, Context};
use crate::host::{Device, Devices, Linkage, PCIBACK, Reset};
use crate::pci::Address;
use crate::report::{Code, Finding, Moment, Severity, Status};
use crate::tree::{Known, Tree};

pub(super) fn find(context: &Context<'_>, devices: &[Judged<'_>], findings: &mut Vec<Finding>) {
    let Some(there) = context.host.as_ref().and_then(|host| host.devices.is()) else { return };
    let slots = slots(there);
    let mut virtuals: BTreeMap<Address, Vec<Address>> = BTreeMap::new();
    for (address, device) in there {
        if let Known::Is(physical) = device.physical {
            virtuals.entry(physical).or_default().push(*address);
        }
    }
    let neighbours = Neighbours { context, slots: &slots };
    let seized = devices.iter().filter(|judged| judged.want.is_some() && matches!(judged.status, Status::Seized(_)));
    let mut left: BTreeMap<Slot, Finding> = BTreeMap::new();
    for judged in seized {
        let Some(device) = there.get(&judged.address) else { continue };
        let own = virtuals.get(&judged.address).map(Vec::as_slice).unwrap_or_default();
        findings.extend(without_physical(judged.address, own));
        if let Some(found) = neighbours.left_behind(judged.address, device) {
            let known = left.entry(slot(judged.address)).or_insert_with(|| found.clone());
            if found.severity < known.severity {
                *known = found;
            }
        }
    }
    findings.extend(left.into_values());
    findings.extend(slots.values().filter_map(|functions| neighbours.companion(functions)));
    findings.extend(slots.values().filter_map(|functions| neighbours.controller(functions)));
    findings.extend(twins(context, there));
}

/// Domain, bus and slot.
type Slot = (u32, u8, u8);

/// The functions of each slot.
type Slots<'a> = BTreeMap<Slot, Vec<(Address, &'a Device)>>;

const fn slot(address: Address) -> Slot {
    (address.domain(), address.bus(), address.slot())
}

fn slots(devices: &Devices) -> Slots<'_> {
    let mut slots = Slots::new();
    for (address, device) in devices {
        slots.entry(slot(*address)).or_default().push((*address, device));
    }
    slots
}

pub(super) fn is_pcibacks(device: &Device) -> bool {
    device.driver.is().is_some_and(|driver| driver == PCIBACK)
}

struct Neighbours<'a> {
    context: &'a Context<'a>,
    slots: &'a Slots<'a>,
}

impl Neighbours<'_> {
    fn is_asked_for(&self, address: Address) -> bool {
        self.context.demand.wanted.contains_key(&address)
    }

    /// Other functions of a seized device's slot that drivers of dom0 have. Bridges are no functions of a card, and virtual
    /// functions and their parents need each other.
    fn left_behind(&self, address: Address, device: &Device) -> Option<Finding> {
        if device.is_virtual() {
            return None;
        }
        let is_left = |other: Address, sibling: &Device| {
            other != address
                && sibling.driver.is().is_some_and(|driver| driver != PCIBACK)
                && !is_of_bridges(sibling)
                && !sibling.is_virtual()
                && !self.is_asked_for(other)
        };
        let functions = self.slots.get(&slot(address))?;
        let left: Vec<(Address, &str)> = functions
            .iter()
            .filter(|(other, sibling)| is_left(*other, sibling))
            .filter_map(|(other, sibling)| Some((*other, sibling.driver.is()?.as_str())))
            .collect();
        let (first, _) = left.first()?;
        let names: Vec<String> = left.iter().map(|(other, driver)| format!("{} ({driver})", other.short())).collect();
        let by_bus = device.reset == Known::Is(Reset::By(vec!["bus".to_owned()]));
        let (severity, message) = if by_bus {
            let what = "only a reset of its bus can reset it, which takes functions with it that dom0's drivers have";
            (Severity::Warning, format!("{what}: {}", some_of(&names)))
        } else {
            (Severity::Info, format!("dom0's drivers have other functions of its slot: {}", some_of(&names)))
        };
        let mut found = about(address, Code::SiblingLeftBehind, severity, message);
        let link = |(other, driver): &(Address, &str)| file(device_file(*other, "driver"), Some(driver));
        found.evidence = left.iter().take(3).map(link).collect();
        if by_bus {
            found.evidence.push(file(device_file(address, "reset_method"), Some("bus")));
        }
        // An entry for the whole slot would name its bridges as well, with all that is behind them.
        let has_bridge = functions.iter().any(|(_, sibling)| is_of_bridges(sibling));
        found.remedy = if has_bridge {
            vec![format!("# give {} to pciback as well, or leave {address} to dom0", first.short())]
        } else {
            let (domain, bus, slot) = slot(address);
            vec![format!(
                "# give the whole slot to pciback, ({domain:04x}:{bus:02x}:{slot:02x}.*), or leave {address} to dom0"
            )]
        };
        Some(found)
    }

    /// A USB function that pciback has, and another one of its slot for which a driver may still come. The core looks at the
    /// driver data of all UHCI, OHCI and EHCI functions of a slot when one of them is probed, whoever put it there
    /// (drivers/usb/core/hcd-pci.c, `for_each_companion`; seen to crash on 5.10 when ehci-pci was loaded; pciback puts its own
    /// there, drivers/xen/xen-pciback/pci_stub.c, `pcistub_init_device`).
    fn companion(&self, functions: &[(Address, &Device)]) -> Option<Finding> {
        let of_usb = || functions.iter().filter(|(_, device)| companion_drivers(device).is_some());
        let Some((address, _)) = of_usb().find(|(_, device)| is_pcibacks(device)) else {
            return self.companion_of_wanted(of_usb().find(|(address, _)| self.is_asked_for(*address))?.0);
        };
        let mut awaiting: Vec<(Severity, Address, Option<&str>)> = Vec::new();
        for (other, device) in of_usb().filter(|(other, _)| !self.is_asked_for(*other)) {
            let severity = self.awaits_driver(device);
            awaiting.extend(severity.map(|severity| (severity, *other, device.driver.is().map(String::as_str))));
        }
        let severity = awaiting.iter().map(|(severity, ..)| *severity).min()?;
        let names: Vec<String> = awaiting.iter().map(|(_, other, _)| other.short()).collect();
        let message = format!(
            "pciback has this USB controller, and no driver has {} in its slot yet: the kernel may crash when one takes it",
            some_of(&names)
        );
        let mut found = about(*address, Code::UsbCompanion, severity, message);
        found.evidence.push(file(device_file(*address, "driver"), Some(PCIBACK)));
        found
            .evidence
            .extend(awaiting.iter().take(3).map(|(_, other, driver)| file(device_file(*other, "driver"), *driver)));
        found.remedy = vec![format!(
            "# load no USB driver for {} while pciback has {address}: give it all USB functions of the slot, or none",
            some_of(&names)
        )];
        Some(found)
    }

    /// The same before it happens: a USB function that pciback is to have, and others of its slot whose drivers come behind it.
    fn companion_of_wanted(&self, address: Address) -> Option<Finding> {
        let later = later_companions(self.context, address, self.context.case.options.foretold == Some(Moment::Boot));
        if later.is_empty() {
            return None;
        }
        let names = some_of(&later.iter().map(|(other, _)| other.short()).collect::<Vec<_>>());
        let message = format!(
            "pciback is to have this USB controller, and not {names} of its slot: the kernel may crash when a driver takes what pciback was not given"
        );
        let mut found = about(address, Code::UsbCompanion, Severity::Warning, message);
        let link = |(other, device): &(Address, &Device)| {
            file(device_file(*other, "driver"), device.driver.is().map(String::as_str))
        };
        found.evidence = later.iter().take(3).map(link).collect();
        found.remedy = vec![format!("# give pciback all USB functions of the slot, {names} as well, or none")];
        Some(found)
    }

    /// An EHCI controller that is asked for and has its driver, and a companion that pciback has: when that driver lets go, the core of
    /// USB writes into the driver data of the companions (drivers/usb/core/hcd-pci.c, `usb_hcd_pci_remove`; seen to crash on 6.1).
    /// Nothing makes it let go where nobody asks for the controller.
    fn controller(&self, functions: &[(Address, &Device)]) -> Option<Finding> {
        let is_companion = |device: &Device| matches!(device.class.is(), Some(&(UHCI | OHCI)));
        let (companion, _) = functions.iter().find(|(_, device)| is_companion(device) && is_pcibacks(device))?;
        let is_bound = |device: &Device| device.class.is() == Some(&EHCI) && !is_pcibacks(device);
        let asked_for = functions.iter().filter(|(address, _)| self.is_asked_for(*address));
        let (address, driver) = asked_for
            .filter(|(_, device)| is_bound(device))
            .find_map(|(at, device)| Some((at, device.driver.is()?)))?;
        let message = format!(
            "{driver} has this EHCI controller, and pciback {} of its slot: the kernel may crash when {driver} lets go",
            companion.short()
        );
        let mut found = about(*address, Code::UsbCompanion, Severity::Warning, message);
        found.evidence.push(file(device_file(*address, "driver"), Some(driver)));
        found.evidence.push(file(device_file(*companion, "driver"), Some(PCIBACK)));
        Some(found)
    }

    /// How likely a driver is to be bound to the device that is not bound yet. At the next boot pciback comes before modules, as
    /// otherwise it would not have the other function. On a machine that runs, a driver that is there has looked at the device when
    /// it was registered (drivers/base/bus.c, `bus_add_driver`), and does not do so again by itself; one whose module can be loaded
    /// may come at any time.
    fn awaits_driver(&self, device: &Device) -> Option<Severity> {
        let names = companion_drivers(device)?;
        let can_come = || {
            let is_there = |tree: &Tree| names.iter().any(|name| has_driver(tree, name));
            let tree = self.context.case.tree.as_ref().filter(|tree| !is_there(tree));
            tree.is_some_and(|tree| is_installed(self.context, tree, names))
        };
        match (&device.driver, self.context.case.options.foretold) {
            (Known::Absent, _) if device.driver_override.is().is_some_and(|name| !name.contains("hci")) => None,
            (Known::Absent, Some(Moment::Now | Moment::Boot)) => Some(Severity::Warning),
            (Known::Absent, None) => Some(if can_come() { Severity::Warning } else { Severity::Info }),
            (Known::Is(driver), Some(Moment::Boot)) => {
                let comes_later = driver != PCIBACK && matches!(device.linkage, Known::Is(Linkage::Module(_)));
                comes_later.then_some(Severity::Warning)
            }
            (Known::Is(_), Some(Moment::Now) | None) | (Known::Unreadable(_), _) => None,
        }
    }
}

/// The other USB functions of the slot that are not asked for, and whose drivers are yet to come once pciback has the device at
/// `address`. Those that have a driver get it anew at the next boot (`at_boot`), behind pciback where that driver is a module.
pub(super) fn later_companions<'a>(
    context: &'a Context<'_>,
    address: Address,
    at_boot: bool,
) -> Vec<(Address, &'a Device)> {
    let Some(devices) = context.host.as_ref().and_then(|host| host.devices.is()) else { return Vec::new() };
    if devices.get(&address).and_then(companion_drivers).is_none() {
        return Vec::new();
    }
    let is_later = |(other, device): &(Address, &Device)| {
        let stays_away = device.driver_override.is().is_some_and(|name| !name.contains("hci"));
        let Some(names) = companion_drivers(device).filter(|_| !stays_away && *other != address) else { return false };
        !context.demand.wanted.contains_key(other)
            && match &device.driver {
                Known::Is(driver) => {
                    at_boot && driver != PCIBACK && matches!(device.linkage, Known::Is(Linkage::Module(_)))
                }
                Known::Absent => context.case.tree.as_ref().is_some_and(|tree| is_installed(context, tree, names)),
                Known::Unreadable(_) => false,
            }
    };
    let functions =
        (0..8).filter_map(|function| Address::new(address.domain(), address.bus(), address.slot(), function));
    functions.filter_map(|other| Some((other, devices.get(&other)?))).filter(is_later).collect()
}

/// Whether the module of one of these drivers is there for the running kernel.
fn is_installed(context: &Context<'_>, tree: &Tree, drivers: &[&str]) -> bool {
    let Some(release) = context.host.as_ref().and_then(|host| host.release.is()) else { return false };
    ["lib", "usr/lib"].iter().any(|above| {
        let files = tree.list(&format!("{above}/modules/{release}/kernel/drivers/usb/host"));
        let is_of = |file: &&str| {
            let module = file.split(".ko").next().unwrap_or_default().replace('-', "_");
            drivers.iter().any(|driver| driver.replace('-', "_") == module)
        };
        files.is().is_some_and(|files| files.iter().any(is_of))
    })
}

fn has_driver(tree: &Tree, name: &str) -> bool {
    tree.list(&format!("sys/bus/pci/drivers/{name}")).is().is_some()
}

/// The drivers of UHCI, OHCI and EHCI controllers (drivers/usb/host; `ehci_hcd` and `ohci_hcd` up to 3.6), by the classes of
/// drivers/usb/core/hcd-pci.c (`CL_UHCI`, `CL_OHCI`, `CL_EHCI`).
fn companion_drivers(device: &Device) -> Option<&'static [&'static str]> {
    drivers_of(*device.class.is()?)
}

/// The same by the class alone.
pub(super) const fn drivers_of(class: u32) -> Option<&'static [&'static str]> {
    match class {
        UHCI => Some(&["uhci_hcd"]),
        OHCI => Some(&["ohci-pci", "ohci_hcd"]),
        EHCI => Some(&["ehci-pci", "ehci_hcd"]),
        _ => None,
    }
}

/// Class, subclass and programming interface (`include/linux/pci_ids.h`).
pub(super) const UHCI: u32 = 0x000c_0300;
pub(super) const OHCI: u32 = 0x000c_0310;
pub(super) const EHCI: u32 = 0x000c_0320;

/// Bridges of any kind, to other buses of PCI and to the chipset.
fn is_of_bridges(device: &Device) -> bool {
    device.is_bridge() || device.class.is().is_some_and(|class| class >> 16 == 0x06)
}

/// A physical function without its driver, while its virtual functions are on.
fn without_physical(address: Address, own: &[Address]) -> Option<Finding> {
    let first = own.first()?;
    let message = format!(
        "its virtual functions are on, and without their physical function's driver they do not work: {}",
        some_of(&own.iter().map(|other| other.short()).collect::<Vec<_>>())
    );
    let mut found = about(address, Code::SiblingLeftBehind, Severity::Warning, message);
    found.evidence = vec![
        file(device_file(address, "driver"), Some(PCIBACK)),
        file(device_file(*first, "physfn"), Some(&address.to_string())),
    ];
    found.remedy = vec![format!(
        "# leave {address} to its driver in dom0 and give its virtual functions to pciback; or switch those off first"
    )];
    Some(found)
}

/// Cards of one make: those of the list, and others.
#[derive(Default)]
struct ControllerKind {
    named: Vec<Address>,
    others: Vec<Address>,
}

/// Cards of the same make that the list does not name: where addresses change, one may be taken for the other.
fn twins(context: &Context<'_>, devices: &Devices) -> Vec<Finding> {
    if matches!(context.case.asked, Asked::Devices(_)) {
        return Vec::new();
    }
    let mut kinds: BTreeMap<_, ControllerKind> = BTreeMap::new();
    for (address, device) in devices {
        let Some(ids) = device.ids.is().filter(|_| !device.is_virtual() && !is_of_bridges(device)) else { continue };
        let board = device.board.is().map(|board| (board.vendor, board.device));
        let ControllerKind { named, others } = kinds.entry((ids.vendor, ids.device, board)).or_default();
        if context.demand.wanted.contains_key(address) {
            named.push(*address);
        } else if !is_pcibacks(device) {
            others.push(*address);
        }
    }
    let twin = |((vendor, id, _), ControllerKind { named, others }): ((u16, u16, _), ControllerKind)| {
        let (first, other) = (named.first()?, others.first()?);
        let ids = format!("{vendor:04x}:{id:04x}");
        let message = format!(
            "{} with the same ids ({ids}) not on the list: {}",
            if others.len() == 1 { "a device is there" } else { "devices are there" },
            some_of(&others.iter().map(|other| other.short()).collect::<Vec<_>>())
        );
        let mut found = about(*first, Code::Twin, Severity::Info, message);
        found.evidence = [first, other].map(|at| file(format!("sys/bus/pci/devices/{at}"), Some(&ids))).to_vec();
        Some(found)
    };
    kinds.into_iter().filter_map(twin).collect()
}
