//! pciback's messages about guests: who was given what, and what went wrong with it.

use super::{Event, Message, address, noted, number};
use crate::pci::Address;

pub(super) const MESSAGES: &[Message] = &[
    Message {
        pattern: r"{p}vpci: assign to virtual slot {n}",
        read: |found| Some(Event::Assigned { address: address(found)?, domid: None }),
        levels: &[],
        source: "vpci.c __xen_pcibk_add_pci_dev, 5.8 to 7.1 (info); the guest is not named",
        examples: &["pciback 0000:00:1d.0: xen_pciback: vpci: assign to virtual slot 0"],
    },
    Message {
        pattern: r"(?:{p}vpci: |(?:xen[-_])?pciback: (?:vpci|slot): (?<other>{a}): )assign to virtual slot [0-9]+(?: func [0-9]+|, bus [0-9]+)?",
        read: |found| {
            let address = match found.name("other") {
                Some(other) => Address::from_kernel(other)?,
                None => address(found)?,
            };
            Some(Event::Assigned { address, domid: None })
        },
        levels: &[],
        source: "as above before 5.8, and slot.c; with the function or the bus where the device is not alone",
        examples: &[
            "xen_pciback: vpci: 0000:00:1d.0: assign to virtual slot 0 func 1",
            "pciback: slot: 0000:00:1d.0: assign to virtual slot 2, bus 0",
        ],
    },
    Message {
        pattern: r"{p}registering for {n}",
        read: |found| Some(Event::Assigned { address: address(found)?, domid: Some(number(found, "n")?) }),
        levels: &[],
        source: "xenbus.c xen_pcibk_export_device, 3.19 to 7.1 (info; debug before)",
        examples: &["pciback 0000:00:1d.0: registering for 2"],
    },
    Message {
        pattern: r"(?:xen-)?pciback pci-(?<domid>[0-9]+)-[0-9]+: [0-9]+ Couldn't locate PCI device \((?<bdf>{a})\)! perhaps already in-use\?",
        read: |found| Some(Event::AssignFailed { address: Some(address(found)?), domid: number(found, "domid")? }),
        levels: &[],
        source: "xenbus.c xen_pcibk_export_device, all versions (err)",
        examples: &[
            "xen-pciback pci-2-0: 22 Couldn't locate PCI device (0000:00:1d.0)! perhaps already in-use?",
            "pciback pci-1-0: 22 Couldn't locate PCI device (0000:00:1d.0)! perhaps already in-use?",
        ],
    },
    Message {
        pattern: r"(?:xen-)?pciback pci-(?<domid>[0-9]+)-[0-9]+: [0-9]+ .*",
        read: |found| Some(Event::AssignFailed { address: None, domid: number(found, "domid")? }),
        levels: &[],
        source: "xenbus.c, every other xenbus_dev_fatal, all versions (err)",
        examples: &["xen-pciback pci-5-0: 2 Error reading number of devices"],
    },
    Message {
        // It goes on with advice, over several lines.
        pattern: r"{p}Driver tried to write to a read-only configuration space field at offset .*",
        read: noted,
        levels: &[],
        source: "conf_space.c xen_pcibk_config_write, 2.6.18 to 7.1 (warn)",
        examples: &[
            "pciback 0000:00:1d.0: xen-pciback: Driver tried to write to a read-only configuration space field at offset 0x4, size 2. This may be harmless, but if you have problems with your device:\n1) see permissive attribute in sysfs\n2) report problems to the xen-devel mailing list along with details of your device obtained from lspci.",
        ],
    },
    Message {
        pattern: r"{p}(?:Stealing ownership from dom[0-9]+\.|device has been assigned to another domain! .*|error enabling MSI(?:-X)? for guest [0-9]+: err -?[0-9]+!?|driver data not found.*|cannot enable memory-write-invalidate .*|Unsupported header type .*|{t}IRQ line is not shared with other domains\. Turning ISR off|{t}failed to install fake IRQ handler .*)",
        read: noted,
        levels: &[],
        source: "xenbus.c, conf_space_header.c, pciback_ops.c, each in some of 2.6.18 to 7.1",
        examples: &[
            "pciback 0000:00:1d.0: Stealing ownership from dom3.",
            "pciback 0000:00:1d.0: xen_pciback: error enabling MSI for guest 3: err -22",
            "pciback 0000:00:1d.0: xen_pciback: xen-pciback[0000:00:1d.0] IRQ line is not shared with other domains. Turning ISR off",
        ],
    },
    Message {
        pattern: r"(?:xen[-_])?pciback: (?:(?<bdf>{a}): )?(?:error enabling MSI(?:-X)? for guest [0-9]+: err -?[0-9]+!?|failed to enable MSI-X: err -?[0-9]+!|(?:xen-pciback: )?driver data not found for {a}|cannot enable memory-write-invalidate .*|Unsupported header type .*)",
        read: |found| Some(address(found).map_or(Event::Remark, |address| Event::Noted { address })),
        levels: &[],
        source: "pciback_ops.c, conf_space_header.c, 3.1 to 5.7 (printk with the address in the text)",
        examples: &["xen_pciback: 0000:00:1d.0: error enabling MSI-X for guest 4: err -28!"],
    },
];
