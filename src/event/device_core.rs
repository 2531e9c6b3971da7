//! The driver core and the PCI core about devices of pciback, and what devices there are at all.

use super::{Event, Found, Message, Stage, address, noted, number};
use crate::pci::Errno;

pub(super) const MESSAGES: &[Message] = &[
    Message {
        pattern: r"pciback: probe of (?<bdf>{a}) failed with error (?<errno>-?[0-9]+)",
        read: probe_failed,
        levels: &[],
        source: "drivers/base/dd.c really_probe, 2.6.18 to 6.8 (warn); not printed for ENODEV and ENXIO",
        examples: &["pciback: probe of 0000:00:0a.0 failed with error -22"],
    },
    Message {
        pattern: r"(?:pciback|pci) (?<bdf>{a}): probe with driver pciback failed with error (?<errno>-?[0-9]+)",
        read: probe_failed,
        levels: &[],
        source: "drivers/base/dd.c call_driver_probe, 6.12 to 7.1 (err)",
        examples: &[
            "pciback 0000:00:0a.0: probe with driver pciback failed with error -22",
            "pci 0000:00:0a.0: probe with driver pciback failed with error -22",
        ],
    },
    Message {
        pattern: r"{p}enabling device \({x} -> {x}\)",
        read: |found| Some(Event::SettingUp { address: address(found)? }),
        levels: &[],
        source: "drivers/pci/setup-res.c pci_enable_resources, 2.6.32 to 7.1 (info)",
        examples: &["pciback 0000:05:00.0: enabling device (0000 -> 0002)"],
    },
    Message {
        pattern: r"{p}(?:can't enable device: BAR .*|.*: not (?:assigned|claimed); can't enable device|device not available .*|Error enabling bridge \(-?[0-9]+\), continuing|(?:not )?ready [0-9]+ms after .*|timed out waiting for pending transaction; .*|transaction is not cleared; .*|[Rr]efused to change power state.*|(?:can't|Unable to) change power state.*|invalid power transition .*|Failed to return from FLR|Required additional .*|unlocked secondary bus reset via: .*|resetting|reset done|AER: .*|PCIe Bus Error: .*|Failed to (?:add|delete) - passthrough or MSI/MSI-X might fail!)",
        read: noted,
        levels: &[],
        source: "drivers/pci/{setup-res,pci,pcie/aer}.c, drivers/xen/pci.c, each in some of 2.6.32 to 7.1",
        examples: &[
            "pciback 0000:00:0a.0: BAR 4 [mem size 0x00004000 64bit pref]: not assigned; can't enable device",
            "pciback 0000:00:0a.0: can't enable device: BAR 4 [mem size 0x00004000 64bit pref] not assigned",
            "pciback 0000:05:00.0: not ready 65535ms after FLR; giving up",
            "pciback 0000:05:00.0: Unable to change power state from D3cold to D0, device inaccessible",
        ],
    },
    Message {
        pattern: r"{c}\[{x}:{x}\] type [0-9a-f]{2} class 0x[0-9a-f]{6}(?: .*)?",
        read: |found| Some(Event::Found { address: address(found)? }),
        levels: &[],
        source: "drivers/pci/probe.c pci_setup_device, 2.6.35 to 7.1 (info; debug before)",
        examples: &[
            "pci 0000:00:1d.0: [8086:2934] type 00 class 0x0c0300",
            "pci 0000:00:02.0: [8086:100e] type 00 class 0x020000 conventional PCI endpoint",
        ],
    },
    Message {
        pattern: r"{c}PCI bridge to \[bus (?<from>[0-9a-f]{2})(?:-(?<to>[0-9a-f]{2}))?\](?: .*)?",
        read: |found| {
            let bus = |name| {
                let digits = std::str::from_utf8(found.name(name)?).ok()?;
                u8::from_str_radix(digits, 16).ok()
            };
            let from = bus("from")?;
            Some(Event::Bridge { address: address(found)?, buses: (from, bus("to").unwrap_or(from)) })
        },
        levels: &[],
        source: "drivers/pci/setup-bus.c and probe.c, 2.6.32 to 7.1 (info)",
        examples: &[
            "pci 0000:00:1e.0: PCI bridge to [bus 02]",
            "pci 0000:00:1c.0: PCI bridge to [bus 03-05] (subtractive decode)",
        ],
    },
];

fn probe_failed(found: &Found<'_>) -> Option<Event> {
    let errno = number::<i32>(found, "errno")?.checked_abs()?;
    Some(Event::Failed { address: address(found)?, errno: Errno(errno), stage: Stage::Probe })
}
