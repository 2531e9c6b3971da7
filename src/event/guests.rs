//! pciback's messages about guests: who was given what, and what went wrong with it.

use super::incident::{irq_unmapped, msi_failed, msi_failed_for_some, ownership_stolen, write_blocked};
use super::{Event, Found, Message, noted};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        texts: &[
            "{p}vpci: assign to virtual slot {n}",
            "{p}vpci: assign to virtual slot {n} func {n}",
            "{m}vpci: {a}: assign to virtual slot {n}",
            "{m}vpci: {a}: assign to virtual slot {n} func {n}",
            "{m}slot: {a}: assign to virtual slot {n}, bus {n}",
        ],
        read: |found| Some(Event::Assigned { address: found.address()?, domid: None }),
        levels: &[6],
        source: "vpci.c __xen_pcibk_add_pci_dev, all versions (info), with the device in front from 5.8 on; slot.c, 2.6.18 and 2.6.32; the guest is not named",
        examples: &[
            "pciback 0000:00:1d.0: xen_pciback: vpci: assign to virtual slot 0",
            "pciback 0000:00:1d.1: xen_pciback: vpci: assign to virtual slot 0 func 1",
            "xen_pciback: vpci: 0000:00:1d.0: assign to virtual slot 0 func 1",
            "xen-pciback: vpci: 0000:00:1d.0: assign to virtual slot 0",
            "pciback: vpci: 0000:02:02.0: assign to virtual slot 0",
            "pciback: slot: 0000:00:1d.0: assign to virtual slot 2, bus 0",
        ],
    },
    Message {
        texts: &["{p}registering for {n}"],
        read: |found| Some(Event::Assigned { address: found.address()?, domid: Some(found.number(0)?) }),
        levels: &[6, 7],
        source: "xenbus.c xen_pcibk_export_device, 3.19 to 7.1 (info; debug before)",
        examples: &["pciback 0000:00:1d.0: registering for 2"],
    },
    Message {
        texts: &["{p}Stealing ownership from dom{n}.", "{p}device has been assigned to another domain! {*}"],
        read: ownership_stolen,
        levels: &[],
        source: "xenbus.c xen_pcibk_export_device, 3.3 to 7.1 (err); the other text 2.6.32 and 3.1",
        examples: &[
            "pciback 0000:00:1d.0: Stealing ownership from dom3.",
            "pciback 0000:00:1d.0: device has been assigned to another domain! Over-writting the ownership, but beware.",
        ],
    },
    Message {
        texts: &["{b}pci-{n}-{n}: {n} Couldn't locate PCI device ({a})! perhaps already in-use?"],
        read: |found| Some(Event::AssignFailed { address: Some(found.named?), domid: found.number(0)? }),
        levels: &[],
        source: "xenbus.c xen_pcibk_export_device, all versions (err)",
        examples: &[
            "xen-pciback pci-2-0: 22 Couldn't locate PCI device (0000:00:1d.0)! perhaps already in-use?",
            "pciback pci-1-0: 22 Couldn't locate PCI device (0000:00:1d.0)! perhaps already in-use?",
        ],
    },
    Message {
        texts: &["{b}pci-{n}-{n}: {n} {*}"],
        read: |found| Some(Event::AssignFailed { address: None, domid: found.number(0)? }),
        levels: &[],
        source: "xenbus.c, every other xenbus_dev_fatal, all versions (err)",
        examples: &["xen-pciback pci-5-0: 2 Error reading number of devices"],
    },
    Message {
        texts: &[
            "pciback_xenbus_register: createpciback_workqueue failed",
            "xen_pcibk_xenbus_register: createxen_pciback_workqueue failed",
            "xen_pcibk_xenbus_register: create xen_pciback_workqueue failed",
            "{m}xen_pcibk_xenbus_register: create xen_pciback_workqueue failed",
        ],
        read: |_| Some(Event::Unrecognised { address: None, failing: true }),
        levels: &[],
        source: "xenbus.c xen_pcibk_xenbus_register, 2.6.32 to 4.4 (err): the module does not load",
        examples: &["xen_pciback: xen_pcibk_xenbus_register: create xen_pciback_workqueue failed"],
    },
    Message {
        // It goes on with advice, over several lines.
        texts: &["{p}Driver tried to write to a read-only configuration space field at offset {*}"],
        read: write_blocked,
        levels: &[],
        source: "conf_space.c xen_pcibk_config_write, 2.6.18 to 7.1 (warn)",
        examples: &[
            "pciback 0000:00:1d.0: xen-pciback: Driver tried to write to a read-only configuration space field at offset 0x4, size 2. This may be harmless, but if you have problems with your device:\n1) see permissive attribute in sysfs\n2) report problems to the xen-devel mailing list along with details of your device obtained from lspci.",
        ],
    },
    Message {
        texts: &[
            "{p}error enabling MSI for guest {n}: err {n}",
            "{p}error enabling MSI-X for guest {n}: err {n}!",
            "{m}error enabling MSI for guest {n}: err {n}",
            "{m}error enabling MSI-X for guest {n}: err {n}!",
        ],
        read: msi_failed,
        levels: &[],
        source: "pciback_ops.c, 3.8 to 7.1 (warn; up to 5.7 printk with the device in the text)",
        examples: &[
            "pciback 0000:00:1d.0: xen_pciback: error enabling MSI for guest 3: err -22",
            "xen_pciback: 0000:00:1d.0: error enabling MSI-X for guest 4: err -28!",
        ],
    },
    Message {
        texts: &["{m}failed to enable MSI-X: err {n}!"],
        read: msi_failed_for_some,
        levels: &[],
        source: "pciback_ops.c xen_pcibk_enable_msix, 3.1 to 3.6 (err)",
        examples: &["xen-pciback: 0000:00:1d.0: failed to enable MSI-X: err -22!"],
    },
    Message {
        texts: &["{p}xen map irq failed {n} for {n} domain", "{p}xen map irq failed {n}"],
        read: irq_unmapped,
        levels: &[],
        source: "arch/x86/pci/xen.c xen_initdom_setup_msi_irqs, 3.1 to 7.1 (warn); drivers/xen/events.c xen_map_pirq_gsi, before",
        examples: &[
            "pciback 0000:00:14.3: xen map irq failed -19 for 1 domain",
            "pciback 0000:00:14.3: xen map irq failed -28",
        ],
    },
    Message {
        texts: &[
            "{p}driver data not found{+}",
            "{p}cannot enable memory-write-invalidate {*}",
            "{p}Unsupported header type {n}!",
            "{p}xen-pciback[{a}] IRQ line is not shared with other domains. Turning ISR off",
            "{p}xen-pciback[{a}]: failed to install fake IRQ handler for IRQ {n}! (rc:{n})",
            "{p}pciback[{a}] IRQ line is not shared with other domains. Turning ISR off",
            "{p}pciback[{a}]: failed to install fake IRQ handler for IRQ {n}! (rc:{n})",
            "{m}xen-pciback[{a}] IRQ line is not shared with other domains. Turning ISR off",
            "{m}xen-pciback[{a}]: failed to install fake IRQ handler for IRQ {n}! (rc:{n})",
            "xen-pciback[{a}] IRQ line is not shared with other domains. Turning ISR off",
            "xen-pciback[{a}]: failed to install fake IRQ handler for IRQ {n}! (rc:{n})",
            "pciback[{a}] IRQ line is not shared with other domains. Turning ISR off",
            "pciback[{a}]: failed to install fake IRQ handler for IRQ {n}! (rc:{n})",
        ],
        read: noted,
        levels: &[],
        source: "conf_space_header.c, pciback_ops.c, each in some of 2.6.18 to 7.1: before 5.8 printk with the module's name, up to 3.10 with nothing in front",
        examples: &[
            "pciback 0000:00:1d.0: xen_pciback: xen-pciback[0000:00:1d.0] IRQ line is not shared with other domains. Turning ISR off",
            "xen_pciback: xen-pciback[0000:00:1d.0]: failed to install fake IRQ handler for IRQ 17! (rc:-16)",
            "xen-pciback[0000:00:1d.0] IRQ line is not shared with other domains. Turning ISR off",
        ],
    },
    Message {
        texts: &[
            "{m}driver data not found for {a}",
            "{m}cannot enable memory-write-invalidate {*}",
            "{m}Unsupported header type {n}!",
        ],
        read: noted_or_remark,
        levels: &[],
        source: "pciback_ops.c, conf_space_header.c, 3.1 to 5.7 (printk with the address in the text)",
        examples: &["xen_pciback: xen-pciback: driver data not found for 0000:00:1d.0"],
    },
    Message {
        texts: &["error enable msi for guest {x} status {x}", "error enable msi-x for guest {x} status {x}"],
        read: |found| {
            let domid = u32::from_str_radix(std::str::from_utf8(found.part(0)?).ok()?, 16).ok()?;
            Some(Event::GuestMsiFailed { domid })
        },
        levels: &[],
        source: "pciback_ops.c, conf_space_capability_msi.c, 2.6.18 to 3.6 (err): no prefix, and the guest in hexadecimal",
        examples: &["error enable msi for guest a status ffffffea"],
    },
];

#[expect(clippy::unnecessary_wraps, reason = "a row reads an event or none")]
fn noted_or_remark(found: &Found<'_>) -> Option<Event> {
    Some(found.address().map_or(Event::Remark, |address| Event::Noted { address }))
}
