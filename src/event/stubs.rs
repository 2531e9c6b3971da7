//! Stub drivers that claim devices in pciback's place.

use super::{Event, Message, address};

pub(super) const MESSAGES: &[Message] = &[Message {
    pattern: r"pci-stub (?<bdf>{a}): claimed by stub",
    read: |found| Some(Event::HeldBy { address: address(found)?, driver: "pci-stub".to_owned() }),
    levels: &[],
    source: "drivers/pci/pci-stub.c pci_stub_probe, 2.6.32 to 7.1 (info)",
    examples: &["pci-stub 0000:00:1d.0: claimed by stub"],
}];
