//! The other end: a guest's messages about the PCI devices that it was given, and what kind of guest it is.

use super::{Event, Found, Mark, Message};
use crate::pci::Address;

/// What a guest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frontend {
    /// pcifront took the guest's virtual bus.
    Installed,
    /// A bus of it was made, or looked through again.
    Bus,
    /// A device is there.
    Device {
        /// Where the guest sees it.
        address: Address,
    },
    /// A resource of a device could not be had: the device is offline.
    Unclaimed {
        /// Where the guest sees it.
        address: Address,
    },
    /// Interrupts of a device could not be set up.
    NoInterrupts {
        /// Where the guest sees it.
        address: Address,
    },
    /// dom0 names no bus: pcifront tries the first one.
    NoRoots,
    /// Something failed.
    Failed,
    /// The devices went back to dom0.
    Released,
    /// No driver took the virtual bus.
    NoDriver,
    /// The virtual bus stays in a state: its own and dom0's (include/xen/interface/io/xenbus.h, `enum xenbus_state`).
    Stuck {
        /// The guest's.
        local: u8,
        /// dom0's.
        remote: u8,
    },
    /// The kernel's kind of guest.
    Kind(GuestKind),
}

/// What kind of guest a kernel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestKind {
    /// Paravirtualised: its devices come through pcifront.
    Pv,
    /// With QEMU: its devices come through QEMU, as ordinary PCI devices.
    Hvm,
    /// Without QEMU: Xen gives such a guest no PCI devices (docs/misc/pvh.pandoc, until 4.20).
    Pvh,
}

impl GuestKind {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pv => "PV",
            Self::Hvm => "HVM",
            Self::Pvh => "PVH",
        }
    }

    /// By the name that the kernel gives itself.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Xen" | "Xen PV" | "PV" => Self::Pv,
            "Xen HVM" | "HVM" => Self::Hvm,
            "Xen PVH" | "PVH" => Self::Pvh,
            _ => return None,
        })
    }
}

pub(super) const MESSAGES: &[Message] = &[
    Message {
        texts: &["pcifront pci-{n}: {*}"],
        read: |found| {
            let text = found.part(1)?;
            Some(frontend(text).map_or(Event::NotDom0 { mark: Mark::Guest }, |said| Event::Frontend { said }))
        },
        levels: &[],
        source: "drivers/pci/xen-pcifront.c, 2.6.18 to 7.1: it is registered in PV domains other than dom0 only",
        examples: &[
            "pcifront pci-0: Installing PCI frontend",
            "pcifront pci-0: Creating PCI Frontend Bus 0000:00",
            "pcifront pci-0: New device on 0000:00:00.00 found.",
            "pcifront pci-0: claiming resource 0000:83:00.0/0",
            "pcifront pci-0: Could not claim resource 0000:83:00.0/0! Device offline. Try using e820_host=1 in the guest config.",
            "pcifront pci-0: 2 No PCI Roots found, trying 0000:00",
            "pcifront pci-0: 12 Error reading number of PCI roots",
            "pcifront pci-0: pciback not responding!!!",
            "pcifront pci-0: backend going away!",
            "pcifront pci-0: xenbus: state reset occurred, reconnecting",
            "pcifront pci-0: 22 freeing event channel 8",
        ],
    },
    Message {
        texts: &[
            "XENBUS: Device with no driver: device/pci/{n}",
            "xenbus_probe_frontend: Device with no driver: device/pci/{n}",
        ],
        read: |_| Some(Event::Frontend { said: Frontend::NoDriver }),
        levels: &[],
        source: "drivers/xen/xenbus/xenbus_probe_frontend.c print_device_status, 2.6.18 to 7.1 (info)",
        examples: &[
            "XENBUS: Device with no driver: device/pci/0",
            "xenbus_probe_frontend: Device with no driver: device/pci/0",
        ],
    },
    Message {
        texts: &[
            "XENBUS: Timeout connecting to device: device/pci/{n} (local state {n}, remote state {n})",
            "xenbus_probe_frontend: Timeout connecting to device: device/pci/{n} (local state {n}, remote state {n})",
        ],
        read: |found| {
            Some(Event::Frontend { said: Frontend::Stuck { local: found.number(1)?, remote: found.number(2)? } })
        },
        levels: &[],
        source: "drivers/xen/xenbus/xenbus_probe_frontend.c print_device_status, 2.6.28 to 7.1 (warning)",
        examples: &["XENBUS: Timeout connecting to device: device/pci/0 (local state 3, remote state 1)"],
    },
    Message {
        texts: &["Booting paravirtualized kernel on {*}", "Booting kernel on {*}", "Hypervisor detected: {*}"],
        read: kind,
        levels: &[],
        source: "arch/x86/kernel/paravirt.c default_banner, arch/x86/xen/enlighten_pv.c xen_banner, arch/x86/kernel/cpu/hypervisor.c init_hypervisor_platform, 2.6.20 to 7.1 (info): the name of another hypervisor, or of bare hardware, is no Xen's",
        examples: &[
            "Booting paravirtualized kernel on Xen",
            "Booting paravirtualized kernel on Xen HVM",
            "Booting paravirtualized kernel on bare hardware",
            "Booting kernel on Xen",
            "Hypervisor detected: Xen PV",
            "Hypervisor detected: KVM",
        ],
    },
];

/// The kind of guest, or that it is none.
fn kind(found: &Found<'_>) -> Option<Event> {
    let name = found.part(0).filter(|name| !name.is_empty())?;
    if name.starts_with(b"Xen") {
        let kind = std::str::from_utf8(name).ok().and_then(|name| GuestKind::named(name.trim_end()))?;
        // The name that was detected is `Xen` in any domain before 4.12, and `Xen HVM` in PVH domains, too
        // (arch/x86/xen/enlighten_hvm.c, `x86_hyper_xen_hvm`).
        let sure = kind == GuestKind::Pv && name.trim_ascii_end() != b"Xen" || found.whole.starts_with(b"Booting");
        return sure.then_some(Event::Frontend { said: Frontend::Kind(kind) });
    }
    // What stands behind the name was run together with this message.
    (name.len() <= 32).then_some(Event::NotDom0 { mark: Mark::NoXen })
}

/// A text in front of a device, and what that says.
type DeviceMessage = (&'static [u8], fn(Address) -> Frontend);

/// Texts of pcifront in front of the device that they name.
const DEVICES: [DeviceMessage; 3] = [
    (b"claiming resource ", |address| Frontend::Device { address }),
    (b"New device on ", |address| Frontend::Device { address }),
    (b"Could not claim resource ", |address| Frontend::Unclaimed { address }),
];

/// What pcifront, or the bus below it, says when its devices are taken from it (drivers/pci/xen-pcifront.c;
/// `drivers/xen/xenbus/xenbus_probe_frontend.c`, "state reset occurred" from 7.0 on).
const RELEASES: [&[u8]; 4] =
    [b"backend going away!", b"backend went away!", b"Disconnecting PCI Frontend", b"xenbus: state reset occurred"];

/// What fails in pcifront, where no number of an error stands in front of it (drivers/pci/xen-pcifront.c).
const FAILURES: [&[u8]; 12] = [
    b"Error ",
    b"Could not setup SWIOTLB!",
    b"PCI frontend already installed!",
    b"PCI Root in non-zero PCI Domain!",
    b"Please compile with CONFIG_PCI_DOMAINS",
    b"Failed to bind evtchn",
    b"pciback not responding!!!",
    b"bad request in aer recovery operation!",
    b"pci frontend enable msi failed",
    b"too many vectors",
    b"too much vector",
    b"xenbus_dev_probe on ",
];

/// What a text behind `pcifront pci-0: ` says. `None` for one that changes nothing.
fn frontend(text: &[u8]) -> Option<Frontend> {
    let device = |(start, said): &DeviceMessage| {
        let named = text.strip_prefix(*start)?;
        let end = named.iter().position(|byte| matches!(byte, b'/' | b' ')).unwrap_or(named.len());
        let named = std::str::from_utf8(named.get(..end)?).ok()?;
        Some(said(named.parse().ok()?))
    };
    if let Some(said) = DEVICES.iter().find_map(device) {
        return Some(said);
    }
    let starts = |starts: &[&[u8]], text: &[u8]| starts.iter().any(|start| text.starts_with(start));
    let number = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'-').count();
    let behind = text.get(number..).unwrap_or_default().trim_ascii_start();
    Some(match text {
        _ if text.starts_with(b"Installing PCI frontend") => Frontend::Installed,
        _ if starts(&[b"Creating PCI Frontend Bus ", b"Rescanning PCI Frontend Bus "], text) => Frontend::Bus,
        _ if starts(&RELEASES, text) => Frontend::Released,
        _ if behind.starts_with(b"No PCI Roots found") => Frontend::NoRoots,
        // A number in front is that of an error (drivers/xen/xenbus/xenbus_client.c, `xenbus_va_dev_error`).
        _ if starts(&FAILURES, text) || (number > 0 && behind.len() < text.len() - number) => Frontend::Failed,
        _ => return None,
    })
}

/// What any driver of a guest prints where pcifront or dom0 did not give its device interrupts (arch/x86/pci/xen.c
/// `xen_setup_msi_irqs`, drivers/pci/xen-pcifront.c `pci_frontend_enable_msix`, 2.6.37 to 7.1).
pub(super) fn lacks_interrupts(text: &[u8]) -> bool {
    [
        &b"Xen PCI frontend error: "[..],
        b"Xen PCI frontend has not registered MSI/MSI-X support!",
        b"enable msix get err ",
        b"pci frontend enable msi failed",
    ]
    .iter()
    .any(|start| text.starts_with(start))
}
