//! pciback's own messages about taking devices (drivers/xen/xen-pciback/pci_stub.c and xenbus.c).

use super::{Event, Message, Stage, address, noted, number};
use crate::pci::Errno;

pub(super) const MESSAGES: &[Message] = &[
    Message {
        pattern: r"{p}seizing device",
        read: |found| Some(Event::Seizing { address: address(found)? }),
        levels: &[6],
        source: "pci_stub.c pcistub_probe, 2.6.18-xen to 7.1 (dev_info); with the second prefix from 5.8",
        examples: &[
            "pciback 0000:00:1d.0: seizing device",
            "pciback 0000:00:1d.0: xen_pciback: seizing device",
            "pciback 10000:e1:00.0: xen_pciback: seizing device",
        ],
    },
    Message {
        pattern: r"{p}error {n} initializing device",
        read: |found| {
            let errno = number::<i32>(found, "n")?.checked_abs()?;
            Some(Event::Failed { address: address(found)?, errno: Errno(errno), stage: Stage::Load })
        },
        levels: &[],
        source: "pci_stub.c pcistub_init_devices_late, all versions (err)",
        examples: &[
            "pciback 0000:00:0a.0: xen_pciback: error -22 initializing device",
            "pciback 0000:00:0a.0: error -22 initializing device",
        ],
    },
    Message {
        pattern: r"{p}can't export pci devices that don't have a normal \(0\) or bridge \(1\) header type!",
        read: |found| Some(Event::Refused { address: address(found)? }),
        levels: &[],
        source: "pci_stub.c pcistub_match/pcistub_probe, all versions (err); printed instead of \"seizing device\"",
        examples: &[
            "pciback 0000:05:04.0: can't export pci devices that don't have a normal (0) or bridge (1) header type!",
        ],
    },
    Message {
        // The list is repeated as given, cut where printk cuts; everything behind the quote is the list's, not ours.
        pattern: r#"(?:xen[-_]pciback|pciback): Error parsing pci_devs_to_hide at "(?<rest>.*)"#,
        read: |found| {
            let rest = found.name("rest")?;
            Some(Event::ListRefused { rest: rest.strip_suffix(b"\"").unwrap_or(rest).to_vec() })
        },
        levels: &[],
        source: "pci_stub.c pcistub_init, all versions (err)",
        examples: &[
            "xen_pciback: Error parsing pci_devs_to_hide at \"(0000:82.0.0)\"",
            "xen-pciback: Error parsing pci_devs_to_hide at \"pciback 0000:00:1d.1: seizing device\"",
            "pciback: Error parsing pci_devs_to_hide at \"(00:1d.0\"",
        ],
    },
    Message {
        pattern: r"hide: string parameter too long",
        read: |found| Some(Event::ParameterRefused { text: found.whole()?.to_vec(), too_long: true }),
        levels: &[],
        source: "kernel/params.c param_set_charp, all versions (err)",
        examples: &["hide: string parameter too long"],
    },
    Message {
        pattern: r"(?:xen[-_])?pciback: `.*' (?<why>too large|invalid) for parameter `(?<name>[^']*)'",
        read: |found| {
            let too_long = found.name("why")? == b"too large" && found.name("name")? == b"hide";
            Some(Event::ParameterRefused { text: found.whole()?.to_vec(), too_long })
        },
        levels: &[],
        source: "kernel/params.c parse_args, all versions (err)",
        examples: &[
            "xen_pciback: `' invalid for parameter `hide'",
            "xen_pciback: `(0000:00:1e.3)' too large for parameter `hide'",
        ],
    },
    Message {
        pattern: r"(?:xen[-_])?pciback: [Uu]nknown parameter [`'].*'(?: ignored)?",
        read: |_| Some(Event::Remark),
        levels: &[],
        source: "kernel/module.c unknown_module_param_cb, 4.9 and later (warn); the load goes on",
        examples: &["xen_pciback: unknown parameter 'hides' ignored"],
    },
    Message {
        pattern: r"{m}backend is vpci",
        read: |_| Some(Event::BackendReady),
        levels: &[6],
        source: "xenbus.c xen_pcibk_xenbus_register, 3.1 to 7.1 (info)",
        examples: &["xen_pciback: backend is vpci", "xen-pciback: backend is vpci"],
    },
    Message {
        pattern: r"{m}backend is passthrough",
        read: |_| Some(Event::BackendReady),
        levels: &[6],
        source: "as above, with the module's parameter passthrough=1",
        examples: &["xen-pciback: backend is passthrough"],
    },
    Message {
        pattern: r"(?:{p}|(?:xen[-_])?pciback: )?\*{6} removing device (?<other>{a}) while still in-use(?: by domain [0-9]+)?! \*{6}",
        read: |found| {
            let address = crate::pci::Address::from_kernel(found.name("other")?)?;
            Some(Event::RemovedInUse { address })
        },
        levels: &[],
        source: "pci_stub.c pcistub_remove, all versions (warn); with the domain from 3.19",
        examples: &[
            "pciback 0000:00:1d.0: xen_pciback: ****** removing device 0000:00:1d.0 while still in-use by domain 2! ******",
            "xen-pciback: ****** removing device 0000:00:1d.0 while still in-use! ******",
        ],
    },
    Message {
        pattern: r"(?:{p}|(?:xen[-_])?pciback: )?\*{6} (?:driver domain may still access this device's i/o resources!|shutdown driver domain before binding device|to other drivers or domains)",
        read: |_| Some(Event::Remark),
        levels: &[],
        source: "pci_stub.c pcistub_remove, all versions (warn): the three records after the one above",
        examples: &["pciback 0000:00:1d.0: xen_pciback: ****** to other drivers or domains"],
    },
    Message {
        pattern: r"{p}(?:MSI-X preparation failed \(-?[0-9]+\)|MSI-X release failed \(-?[0-9]+\)|Could not store PCI conf saved state!|Could not reload PCI state|Fail to get gsi info!|enabling permissive mode configuration space accesses!|permissive mode is potentially unsafe!)",
        read: noted,
        levels: &[],
        source: "pci_stub.c and conf_space.c: warnings while a device is taken, given back or opened up, 3.4 to 7.1",
        examples: &[
            "pciback 0000:00:0a.0: xen_pciback: MSI-X release failed (-16)",
            "pciback 0000:00:1d.0: xen_pciback: permissive mode is potentially unsafe!",
            "pciback 0000:00:1d.0: MSI-X preparation failed (-6)",
        ],
    },
    Message {
        pattern: r"{p}(?:(?:pciback |xen-pciback )?device is not found/assigned|(?:pciback |xen-pciback )?device is not connected or owned by HVM, kill it|guest with no AER driver should have been killed|(?:(?:xen-)?pciback: )?failed to get pcifront device|pcifront aer process not responding!|error -?[0-9]+ when (?:start|end) xenbus transaction|device is NULL when do AER recovery/kill_domain)",
        read: noted,
        levels: &[],
        source: "pci_stub.c, AER recovery callbacks, 2.6.32 to 7.1 (err)",
        examples: &[
            "pciback 0000:05:00.0: xen_pciback: device is not found/assigned",
            "pciback 0000:05:00.0: xen-pciback device is not connected or owned by HVM, kill it",
        ],
    },
    Message {
        pattern: r"(?:{p}|(?:xen[-_])?pciback: )(?:wants to seize .*|removed .* from seize list|probing\.\.\.|pcistub_(?:device_alloc|device_release|init_devices_late)|initializing\.\.\.|initializing config|enabling device|save state of device|rese(?:t)?ting \(FLR, D3, etc\) the device|reset device|deferring initialization|removing|found device to remove.*|unregistering for [0-9]+|exporting dom .*|removing dom .*|(?:set|clear) bus master|(?:enable|disable)|set power state to .*|added config field at offset .*|Found capability .*|(?:read|write request) [0-9]+ bytes at .*)$",
        read: |_| Some(Event::Remark),
        levels: &[],
        source: "pci_stub.c, xenbus.c, conf_space.c and others, dev_dbg and pr_debug: printed only where dynamic debugging is on",
        examples: &[
            "xen_pciback: wants to seize 0000:00:1d.0",
            "pciback 0000:00:1d.0: xen_pciback: probing...",
            "pciback 0000:00:1d.0: xen_pciback: deferring initialization",
            "pciback 0000:00:1d.0: xen_pciback: enabling device",
        ],
    },
];
