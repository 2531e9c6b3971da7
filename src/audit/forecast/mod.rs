//! What would be: the files of a machine as they would be after a load of the module, or after the next boot. The judge is
//! then asked about these as about any other, so that a forecast and an audit cannot differ in their rules.

mod boot;
mod sysfs;

use crate::host::Host;
use crate::pci::{Address, Pattern};
use crate::request::hide::{self, Grammar};
use crate::tree::{Known, Tree};
use sysfs::Sysfs;

pub use boot::next_boot;
pub(super) use boot::{maker, next_list};

/// The files as they would be, and what that rests on.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// The files.
    pub tree: Tree,
    /// What is taken to be so, or cannot be known, in words.
    pub notes: Vec<String>,
}

/// The files of `tree` after `modprobe` with this list.
///
/// A device is seized only where no driver has it (drivers/base/dd.c, `__driver_attach`); a list with a fault, a kernel that is not
/// dom0's, and a driver that is there already leave everything as it is (drivers/xen/xen-pciback/pci_stub.c, `xen_pcibk_init`).
pub fn after_load(tree: &Tree, list: &[u8], grammar: Grammar) -> Forecast {
    let host = Host::read(tree);
    let mut notes = Vec::new();
    let read = hide::read(list, grammar);
    if host.pciback.is().is_some() {
        notes.push("pciback is there already: modprobe does nothing, and its list stays as it is".to_owned());
    } else if !read.accepted() {
        notes.push("the kernel refuses the list: the module is not loaded, and takes nothing".to_owned());
    } else {
        let patterns: Vec<Pattern> = read.in_force().map(|entry| entry.pattern).collect();
        let mut sysfs = Sysfs::of(tree);
        for (address, device) in host.devices.is().into_iter().flatten() {
            let free = matches!(device.driver, Known::Absent);
            if free && is_named(&patterns, *address, &device.bridges) && sysfs.may_probe(device) {
                sysfs.seize(*address);
            }
        }
        return Forecast { tree: sysfs.finish(host.modules.pciback(), list, &patterns), notes };
    }
    Forecast { tree: tree.clone(), notes }
}

/// Whether a list names a device, or a bridge above it (`pcistub_match`).
fn is_named(patterns: &[Pattern], address: Address, bridges: &[Address]) -> bool {
    patterns.iter().any(|pattern| pattern.matches(address) || bridges.iter().any(|bridge| pattern.matches(*bridge)))
}

#[cfg(test)]
mod tests;
