//! pciback's own messages about taking devices and letting them go (drivers/xen/xen-pciback/pci_stub.c and xenbus.c).

use super::incident::{aer, msi_unprepared, permissive};
use super::{Event, Found, Message, Stage, noted};
use crate::pci::Errno;

pub(super) const MESSAGES: &[Message] = &[
    Message {
        texts: &["{p}seizing device"],
        read: |found| Some(Event::Seizing { address: found.address()? }),
        levels: &[6],
        source: "pci_stub.c pcistub_probe, 2.6.18-xen to 7.1 (dev_info); with the second prefix from 5.8",
        examples: &[
            "pciback 0000:00:1d.0: seizing device",
            "pciback 0000:00:1d.0: xen_pciback: seizing device",
            "pciback 10000:e1:00.0: xen_pciback: seizing device",
        ],
    },
    Message {
        texts: &["{p}error {n} initializing device"],
        read: |found| {
            let errno = found.number::<i32>(0)?.checked_abs()?;
            Some(Event::Failed { address: found.address()?, errno: Errno(errno), stage: Stage::Load })
        },
        levels: &[],
        source: "pci_stub.c pcistub_init_devices_late, all versions (err)",
        examples: &[
            "pciback 0000:00:0a.0: xen_pciback: error -22 initializing device",
            "pciback 0000:00:0a.0: error -22 initializing device",
        ],
    },
    Message {
        texts: &["{p}can't export pci devices that don't have a normal (0) or bridge (1) header type!"],
        read: |found| Some(Event::Refused { address: found.address()? }),
        levels: &[],
        source: "pci_stub.c pcistub_match/pcistub_probe, all versions (err); printed instead of \"seizing device\"",
        examples: &[
            "pciback 0000:05:04.0: can't export pci devices that don't have a normal (0) or bridge (1) header type!",
        ],
    },
    Message {
        // The list is repeated as given, cut where printk cuts: everything behind the quote belongs to the list.
        texts: &["{m}Error parsing pci_devs_to_hide at \"{*}"],
        read: |found| {
            let rest = found.part(0)?;
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
        texts: &["hide: string parameter too long"],
        read: |found| Some(Event::ParameterRefused { text: found.whole.to_vec(), too_long: true }),
        levels: &[],
        source: "kernel/params.c param_set_charp, all versions (err)",
        examples: &["hide: string parameter too long"],
    },
    Message {
        texts: &["{m}`{*}' too large for parameter `hide'"],
        read: |found| parameter_refused(found, true),
        levels: &[],
        source: "kernel/params.c parse_args, all versions (err)",
        examples: &["xen_pciback: `(0000:00:1e.3)' too large for parameter `hide'"],
    },
    Message {
        texts: &["{m}`{*}' too large for parameter `{w}", "{m}`{*}' invalid for parameter `{w}"],
        read: |found| parameter_refused(found, false),
        levels: &[],
        source: "kernel/params.c parse_args, all versions (err)",
        examples: &["xen_pciback: `' invalid for parameter `hide'", "xen_pciback: `x' too large for parameter `hides'"],
    },
    Message {
        texts: &[
            "{m}Unknown parameter `{*}'",
            "{m}unknown parameter '{*}' ignored",
            "{m}unknown parameter `{*}' ignored",
            "{m}Unknown parameter '{*}'",
        ],
        read: |found| Some(Event::ParameterRefused { text: found.whole.to_vec(), too_long: false }),
        levels: &[],
        source: "kernel/module.c unknown_module_param_cb, 4.9 and later (warn; the load goes on); kernel/params.c before (err)",
        examples: &["xen_pciback: unknown parameter 'hides' ignored", "pciback: Unknown parameter `hides'"],
    },
    Message {
        texts: &[
            "{m}module verification failed: {*}",
            "{m}loading out-of-tree module taints kernel.",
            "{m}module license {*}",
            "{m}disagrees about version of symbol {*}",
            "{m}Unknown symbol {*}",
            "{m}no symbol version for {*}",
            "{m}version magic {*}",
        ],
        read: |_| Some(Event::Remark),
        levels: &[],
        source: "kernel/module.c, each in some of 2.6.18 to 7.1: while the module is loaded, before it does anything",
        examples: &[
            "xen_pciback: module verification failed: signature and/or required key missing - tainting kernel",
            "xen_pciback: Unknown symbol xen_register_device_domain_owner (err -2)",
        ],
    },
    Message {
        texts: &["{m}backend is vpci", "{m}backend is passthrough"],
        read: |_| Some(Event::BackendReady),
        levels: &[6],
        source: "xenbus.c xen_pcibk_xenbus_register, 3.1 to 7.1 (info); passthrough with the module's parameter passthrough=1",
        examples: &[
            "xen_pciback: backend is vpci",
            "xen-pciback: backend is vpci",
            "xen-pciback: backend is passthrough",
        ],
    },
    Message {
        texts: &[
            "{p}****** removing device {a} while still in-use! ******",
            "{p}****** removing device {a} while still in-use by domain {n}! ******",
            "{m}****** removing device {a} while still in-use! ******",
            "{m}****** removing device {a} while still in-use by domain {n}! ******",
            "****** removing device {a} while still in-use! ******",
            "****** removing device {a} while still in-use by domain {n}! ******",
        ],
        read: |found| Some(Event::RemovedInUse { address: found.address()?, domid: found.number(0) }),
        levels: &[],
        source: "pci_stub.c pcistub_remove, all versions (warn); with the domain from 3.19",
        examples: &[
            "pciback 0000:00:1d.0: xen_pciback: ****** removing device 0000:00:1d.0 while still in-use by domain 2! ******",
            "xen-pciback: ****** removing device 0000:00:1d.0 while still in-use! ******",
            "****** removing device 0000:00:1d.0 while still in-use! ******",
        ],
    },
    Message {
        texts: &[
            "{p}****** driver domain may still access this device's i/o resources!",
            "{p}****** shutdown driver domain before binding device",
            "{p}****** to other drivers or domains",
            "{m}****** driver domain may still access this device's i/o resources!",
            "{m}****** shutdown driver domain before binding device",
            "{m}****** to other drivers or domains",
            "****** driver domain may still access this device's i/o resources!",
            "****** shutdown driver domain before binding device",
            "****** to other drivers or domains",
        ],
        read: |_| Some(Event::Remark),
        levels: &[],
        source: "pci_stub.c pcistub_remove, all versions (warn): the three records after the one above",
        examples: &[
            "pciback 0000:00:1d.0: xen_pciback: ****** to other drivers or domains",
            "****** shutdown driver domain before binding device",
        ],
    },
    Message {
        texts: &["{p}MSI-X release failed ({n})"],
        read: released,
        levels: &[],
        source: "pci_stub.c pcistub_device_release, 3.8 to 7.1 (warn)",
        examples: &[
            "pciback 0000:00:0a.0: xen_pciback: MSI-X release failed (-16)",
            "pciback 0000:00:0a.0: MSI-X release failed (-22)",
        ],
    },
    Message {
        // `found device to remove` goes on with the pointer or with " - in-use".
        texts: &["{p}removing", "{p}pcistub_device_release", "{p}found device to remove{+}"],
        read: released,
        levels: &[],
        source: "pci_stub.c pcistub_remove and pcistub_device_release, all versions (debug)",
        examples: &[
            "pciback 0000:00:0a.0: xen_pciback: removing",
            "pciback 0000:00:0a.0: pcistub_device_release",
            "pciback 0000:00:0a.0: xen_pciback: found device to remove  - in-use",
            "pciback 0000:00:0a.0: found device to remove - in use? ffff880003c5f800",
        ],
    },
    Message {
        texts: &["{p}Could not reload PCI state"],
        read: |found| Some(Event::MaybeReleased { address: found.address()? }),
        levels: &[],
        source: "pci_stub.c pcistub_device_release and pcistub_put_pci_dev, 3.4 to 7.1 (info; debug up to 3.18)",
        examples: &["pciback 0000:00:0a.0: xen_pciback: Could not reload PCI state"],
    },
    Message {
        texts: &[
            "{p}Could not store PCI conf saved state!",
            "{p}Fail to get gsi info!",
            "{p}permissive mode is potentially unsafe!",
        ],
        read: noted,
        levels: &[],
        source: "pci_stub.c: warnings while a device is taken or opened up, in all versions or from 3.4 on",
        examples: &["pciback 0000:00:1d.0: xen_pciback: Could not store PCI conf saved state!"],
    },
    Message {
        texts: &["{p}MSI-X preparation failed ({n})"],
        read: msi_unprepared,
        levels: &[],
        source: "pci_stub.c pcistub_init_device, 3.8 to 7.1 (err)",
        examples: &["pciback 0000:00:1d.0: MSI-X preparation failed (-6)"],
    },
    Message {
        texts: &["{p}enabling permissive mode configuration space accesses!"],
        read: permissive,
        levels: &[],
        source: "pci_stub.c permissive_store, all versions (warn)",
        examples: &["pciback 0000:00:1d.0: xen_pciback: enabling permissive mode configuration space accesses!"],
    },
    Message {
        texts: &[
            "{p}device is not found/assigned",
            "{p}pciback device is not found/assigned",
            "{p}xen-pciback device is not found/assigned",
            "{p}device is not connected or owned by HVM, kill it",
            "{p}pciback device is not connected or owned by HVM, kill it",
            "{p}xen-pciback device is not connected or owned by HVM, kill it",
            "{p}guest with no AER driver should have been killed",
            "{p}failed to get pcifront device",
            "{p}pciback: failed to get pcifront device",
            "{p}pcifront aer process not responding!",
            "{p}error {n} when start xenbus transaction",
            "{p}error {n} when end xenbus transaction",
            "{p}device is NULL when do AER recovery/kill_domain",
        ],
        read: aer,
        levels: &[],
        source: "pci_stub.c, AER recovery callbacks, 2.6.32 to 7.1 (err)",
        examples: &[
            "pciback 0000:05:00.0: xen_pciback: device is not found/assigned",
            "pciback 0000:05:00.0: xen-pciback device is not connected or owned by HVM, kill it",
            "pciback 0000:05:00.0: xen-pciback: failed to get pcifront device",
        ],
    },
];

fn released(found: &Found<'_>) -> Option<Event> {
    Some(Event::Released { address: found.address()? })
}

/// A word behind the quote that opens a name ends with the quote that closes it.
fn parameter_refused(found: &Found<'_>, too_long: bool) -> Option<Event> {
    let closed = too_long || found.part(1).is_some_and(|name| name.ends_with(b"'"));
    closed.then(|| Event::ParameterRefused { text: found.whole.to_vec(), too_long })
}
