//! The driver core about pciback's probe routine.

use super::{Event, Found, Message};
use crate::pci::Errno;

/// When a set-up failed, which decides whether the device stays bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// While the module was loading: stays bound, on no list, of no use to any guest.
    Load,
    /// In the probe routine: the driver core undoes the binding.
    Probe,
}

pub(super) const MESSAGES: &[Message] = &[
    Message {
        texts: &["{m}probe of {a} failed with error {n}"],
        read: probe_failed,
        levels: &[],
        source: "drivers/base/dd.c really_probe, 2.6.18 to 6.8 (warn); not printed for ENODEV and ENXIO",
        examples: &["pciback: probe of 0000:00:0a.0 failed with error -22"],
    },
    Message {
        texts: &[
            "{k}probe with driver pciback failed with error {n}",
            "{c}probe with driver pciback failed with error {n}",
        ],
        read: probe_failed,
        levels: &[],
        source: "drivers/base/dd.c call_driver_probe, 6.12 to 7.1 (err)",
        examples: &[
            "pciback 0000:00:0a.0: probe with driver pciback failed with error -22",
            "pci 0000:00:0a.0: probe with driver pciback failed with error -22",
        ],
    },
    Message {
        // ENODEV: the device is on no list, or another text says why.
        texts: &[
            "{m}probe of {a} rejects match {n}",
            "{k}probe with driver pciback rejects match {n}",
            "{c}probe with driver pciback rejects match {n}",
        ],
        read: |_| Some(Event::Remark),
        levels: &[],
        source: "drivers/base/dd.c really_probe and call_driver_probe, 2.6.32 to 7.1 (debug): pciback does not take the device",
        examples: &[
            "pciback: probe of 0000:00:0a.0 rejects match -19",
            "pciback 0000:00:0a.0: probe with driver pciback rejects match -19",
        ],
    },
    Message {
        // Printed while the probe routine has not yet been called, under pciback's name all the same.
        texts: &[
            "{m}driver_sysfs_add({a}) failed",
            "{k}pciback: driver_sysfs_add failed",
            "{k}driver_sysfs_add({a}) failed",
            "{k}device_add_groups() failed",
            "{k}dev_groups() failed",
            "{k}Driver pciback requests probe deferral",
        ],
        read: |found| Some(Event::Unrecognised { address: found.address(), failing: true }),
        levels: &[],
        source: "drivers/base/dd.c really_probe, each in some of 2.6.32 to 7.1: the binding is undone, without an error number",
        examples: &[
            "pciback: driver_sysfs_add(0000:00:0a.0) failed",
            "pciback 0000:00:0a.0: pciback: driver_sysfs_add failed",
        ],
    },
];

fn probe_failed(found: &Found<'_>) -> Option<Event> {
    let errno = found.number::<i32>(0)?.checked_abs()?;
    Some(Event::Failed { address: found.address()?, errno: Errno(errno), stage: Stage::Probe })
}
