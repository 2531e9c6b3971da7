//! The PCI core about devices of pciback, and what devices there are at all.

use super::incident::{self, aer, power_stuck, reset_stalled};
use super::{Event, Message, noted};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        texts: &["{k}enabling device ({x} -> {x})"],
        read: |found| Some(Event::SettingUp { address: found.address()? }),
        levels: &[6],
        source: "drivers/pci/setup-res.c pci_enable_resources, 2.6.32 to 7.1 (info)",
        examples: &["pciback 0000:05:00.0: enabling device (0000 -> 0002)"],
    },
    Message {
        texts: &[
            "{c}Failed to add - passthrough or MSI/MSI-X might fail!",
            "{k}Failed to add - passthrough or MSI/MSI-X might fail!",
        ],
        read: |found| Some(Event::XenRefused { address: found.address()? }),
        levels: &[],
        source: "drivers/xen/pci.c xen_pci_notifier, 3.3 to 7.1 (err); under the name of a driver, where one is bound",
        examples: &["pci 0002:21:00.0: Failed to add - passthrough or MSI/MSI-X might fail!"],
    },
    Message {
        texts: &[
            "{c}not registering with Xen: invalid PCI segment",
            "{k}not registering with Xen: invalid PCI segment",
        ],
        read: |found| Some(Event::XenRefused { address: found.address()? }),
        levels: &[],
        source: "drivers/xen/pci.c xen_add_device, 6.18 to 7.1 (info)",
        examples: &["pci 10000:e1:00.0: not registering with Xen: invalid PCI segment"],
    },
    Message {
        texts: &[
            "{k}can't enable device: BAR {*}",
            "{k}BAR {n} {*}: not assigned; can't enable device",
            "{k}BAR {n} {*}: not claimed; can't enable device",
            "{k}device not available {*}",
            "{k}Error enabling bridge ({n}), continuing",
            "{k}not ready {n}ms after {*}; waiting",
            "{k}ready {n}ms after {*}",
            "{k}Required additional {*}",
            "{k}unlocked secondary bus reset via: {*}",
            "{k}resetting",
            "{k}reset done",
            "{k}Failed to delete - passthrough or MSI/MSI-X might fail!",
        ],
        read: noted,
        levels: &[],
        source: "drivers/pci/{setup-res,pci,pcie/aer}.c, drivers/xen/pci.c, each in some of 2.6.32 to 7.1",
        examples: &[
            "pciback 0000:00:0a.0: BAR 4 [mem size 0x00004000 64bit pref]: not assigned; can't enable device",
            "pciback 0000:00:0a.0: can't enable device: BAR 4 [mem size 0x00004000 64bit pref] not assigned",
            "pciback 0000:05:00.0: not ready 1023ms after FLR; waiting",
        ],
    },
    Message {
        texts: &[
            "{k}not ready {n}ms after {*}; giving up",
            "{k}timed out waiting for pending transaction; {*}",
            "{k}transaction is not cleared; {*}",
            "{k}Failed to return from FLR",
        ],
        read: reset_stalled,
        levels: &[],
        source: "drivers/pci/pci.c pci_dev_wait, pcie_flr, pci_af_flr, each in some of 2.6.32 to 7.1 (warn, err)",
        examples: &[
            "pciback 0000:05:00.0: not ready 65535ms after FLR; giving up",
            "pciback 0000:05:00.0: timed out waiting for pending transaction; performing function level reset anyway",
        ],
    },
    Message {
        texts: &[
            "{k}Refused to change power state{*}",
            "{k}refused to change power state{*}",
            "{k}can't change power state{*}",
            "{k}Unable to change power state{*}",
            "{k}invalid power transition {*}",
        ],
        read: power_stuck,
        levels: &[],
        source: "drivers/pci/pci.c pci_raw_set_power_state, pci_power_up, each in some of 2.6.32 to 7.1",
        examples: &[
            "pciback 0000:05:00.0: Unable to change power state from D3cold to D0, device inaccessible",
            "pciback 0000:05:00.0: Refused to change power state, currently in D3",
        ],
    },
    Message {
        texts: &[
            "{c}not ready {n}ms after {*}; giving up",
            "{c}timed out waiting for pending transaction; {*}",
            "{c}transaction is not cleared; {*}",
            "{c}Failed to return from FLR",
            "{c}Refused to change power state{*}",
            "{c}refused to change power state{*}",
            "{c}can't change power state{*}",
            "{c}Unable to change power state{*}",
            "{c}invalid power transition {*}",
        ],
        read: incident::of_core,
        levels: &[],
        source: "the same about a device that no driver has",
        examples: &[
            "pci 0000:05:00.0: not ready 65535ms after bus reset; giving up",
            "pci 0000:05:00.0: refused to change power state from D3hot to D0",
        ],
    },
    Message {
        texts: &["{k}AER: {*}", "{k}PCIe Bus Error: {*}"],
        read: aer,
        levels: &[],
        source: "drivers/pci/pcie/{aer,err}.c, 2.6.32 to 7.1",
        examples: &[
            "pciback 0000:05:00.0: PCIe Bus Error: severity=Uncorrected (Non-Fatal), type=Transaction Layer, (Requester ID)",
            "pciback 0000:05:00.0: AER: can't recover (no error_detected callback)",
        ],
    },
    Message {
        texts: &["{c}[{x}:{x}] type {x} class 0x{x}{+}"],
        read: |found| Some(Event::Found { address: found.address()? }),
        levels: &[],
        source: "drivers/pci/probe.c pci_setup_device, 2.6.35 to 7.1 (info; debug before)",
        examples: &[
            "pci 0000:00:1d.0: [8086:2934] type 00 class 0x0c0300",
            "pci 0000:00:02.0: [8086:100e] type 00 class 0x020000 conventional PCI endpoint",
        ],
    },
    Message {
        texts: &["{c}PCI bridge to [bus {x}]{+}", "{c}PCI bridge to [bus {x}-{x}]{+}"],
        read: |found| {
            let bus = |at| u8::from_str_radix(std::str::from_utf8(found.part(at)?).ok()?, 16).ok();
            let from = bus(0)?;
            Some(Event::Bridge { address: found.address()?, buses: (from, bus(1).unwrap_or(from)) })
        },
        levels: &[],
        source: "drivers/pci/setup-bus.c and probe.c, 2.6.32 to 7.1 (info)",
        examples: &[
            "pci 0000:00:1e.0: PCI bridge to [bus 02]",
            "pci 0000:00:1c.0: PCI bridge to [bus 03-05] (subtractive decode)",
        ],
    },
];
