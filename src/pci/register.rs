//! Names of the registers of configuration space.

/// The register at `offset`, by the layout of a device that is no bridge (PCI Local Bus Specification 3.0, 6.1; the names are
/// those of `include/uapi/linux/pci_regs.h`). From 0x40 on the layout is the device's own: only its list of capabilities tells.
pub const fn at(offset: u16) -> &'static str {
    match offset {
        0x00..=0x01 => "vendor ID",
        0x02..=0x03 => "device ID",
        0x04..=0x05 => "Command",
        0x06..=0x07 => "Status",
        0x08 => "revision",
        0x09..=0x0b => "class code",
        0x0c => "cache line size",
        0x0d => "latency timer",
        0x0e => "header type",
        0x0f => "BIST",
        0x10..=0x13 => "BAR 0",
        0x14..=0x17 => "BAR 1",
        0x18..=0x1b => "BAR 2",
        0x1c..=0x1f => "BAR 3",
        0x20..=0x23 => "BAR 4",
        0x24..=0x27 => "BAR 5",
        0x28..=0x2b => "CardBus CIS pointer",
        0x2c..=0x2f => "subsystem IDs",
        0x30..=0x33 => "expansion ROM address",
        0x34 => "capabilities pointer",
        0x3c => "interrupt line",
        0x3d => "interrupt pin",
        0x3e => "minimum grant",
        0x3f => "maximum latency",
        0x35..=0x3b => "a reserved register",
        0x40..=0xff => "a capability or a register of the device's own",
        0x100.. => "an extended capability",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_part_has_names_and_the_rest_has_none() {
        assert_eq!(
            [at(4), at(6), at(0x10), at(0x27), at(0x3c)],
            ["Command", "Status", "BAR 0", "BAR 5", "interrupt line"]
        );
        assert!(at(0xe0).contains("capability") && at(0x100).contains("extended"));
    }
}
