//! Files of pciback that list devices, a line each, and are cut at one page.

use std::collections::BTreeSet;

use crate::pci::Address;

/// What such a file lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The devices in its whole lines.
    pub addresses: BTreeSet<Address>,
    /// Whether the file was long enough to have been cut, so that a device that is not listed may still be meant.
    pub whole: bool,
}

/// sysfs hands out one page, and `scnprintf` keeps its last byte (`pci_stub.c` `slots_show`, `irq_handlers_show`).
const CUT: usize = 4095;

impl Page {
    /// Reads `slots`: `0000:00:1d.0` (`%04x:%02x:%02x.%d`).
    pub fn slots(bytes: &[u8]) -> Self {
        Self::read(bytes, bytes.len() >= CUT, Address::from_kernel)
    }

    /// Reads `irq_handlers`: `0000:00:1d.0:off:not acking:0` (`%s:%s:%sing:%ld`). One that ends inside a line is cut, whatever
    /// its length.
    pub fn irq_handlers(bytes: &[u8]) -> Self {
        let cut = bytes.len() >= CUT || (!bytes.is_empty() && !bytes.ends_with(b"\n"));
        Self::read(bytes, cut, |line| match Address::peel(line)? {
            (address, [b':', ..]) => Some(address),
            _ => None,
        })
    }

    fn read(bytes: &[u8], cut: bool, line: impl Fn(&[u8]) -> Option<Address>) -> Self {
        let end = if cut { bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1) } else { bytes.len() };
        let mut strange = false;
        let mut addresses = BTreeSet::new();
        for text in bytes.get(..end).unwrap_or_default().split(|b| *b == b'\n').filter(|text| !text.is_empty()) {
            match line(text.trim_ascii_end()) {
                Some(address) => {
                    addresses.insert(address);
                }
                // A line of another shape may be about any device: the file is then no proof of absence.
                None => strange = true,
            }
        }
        Self { addresses, whole: !cut && !strange }
    }

    /// Whether `address` is listed, or `None` when the file cannot tell.
    pub fn lists(&self, address: Address) -> Option<bool> {
        if self.addresses.contains(&address) { Some(true) } else { self.whole.then_some(false) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_file_does_not_deny() {
        let line = "0000:00:00.0\n";
        let mut text = line.repeat(315);
        assert_eq!(text.len(), 4095);
        let other = "0000:00:1d.0".parse().unwrap();
        assert_eq!(Page::slots(text.as_bytes()).lists(other), None);
        text.truncate(4000);
        text.push_str("0000:00:1d.0\n");
        assert_eq!(Page::slots(text.as_bytes()).lists(other), None, "a line was broken in two");
        assert_eq!(Page::slots(b"0000:00:00.0\n").lists(other), Some(false));
        assert_eq!(Page::slots(b"").lists(other), Some(false));
    }

    #[test]
    fn a_partial_last_line_is_ignored() {
        let mut text = "0000:00:00.0:off:not acking:0\n".repeat(136);
        text.push_str("0000:00:1d.0:on");
        assert_eq!(text.len(), 4095);
        let page = Page::irq_handlers(text.as_bytes());
        assert_eq!(page.addresses.len(), 1);
        assert!(!page.whole);
        let short = Page::irq_handlers(b"0000:00:00.0:off:not acking:0\n0000:00:1d.0:on");
        assert_eq!((short.addresses.len(), short.whole), (1, false));
    }
}
