//! pciback's own list of what it wants: `slots` in its driver directory.

use super::{Location, Source, Written};
use crate::pci::{Address, Pattern};

/// The file: `pcistub_slot_show` in drivers/xen/xen-pciback/pci_stub.c prints an address a line, wildcards expanded.
pub const PATH: &str = "sys/bus/pci/drivers/pciback/slots";

/// What `slots` wants, as a list.
pub fn written(addresses: &[Address]) -> Written {
    let text: String = addresses.iter().map(|address| Pattern::from(*address).to_string()).collect();
    let location = Some(Location::on_host(PATH, None));
    Written { text: text.into_bytes(), source: Source::Slots, location, key: "slots".to_owned(), effective: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pci::Era;

    #[test]
    fn slots_may_be_more_than_a_parameter_can_hold() {
        let bus = Pattern { domain: 0, bus: 2, slot: None, function: None };
        let addresses: Vec<_> = bus.addresses().collect();
        let list = written(&addresses).read(Era::From3_7);
        assert!(list.accepted());
        assert!(list.in_force().map(|entry| entry.pattern).eq(addresses.into_iter().map(Pattern::from)));
    }
}
