//! Names of devices, from the system's `pci.ids` (<https://pci-ids.ucw.cz>).

use std::collections::{BTreeMap, BTreeSet};

use crate::pci::Ids;
use crate::tree::{Known, Tree};

/// Where distributions keep the file.
const FILES: [&str; 2] = ["usr/share/hwdata/pci.ids", "usr/share/misc/pci.ids"];

/// The names of the devices that were asked for.
#[derive(Clone, Debug, Default)]
pub struct PciIds {
    names: BTreeMap<(u16, u16), (String, String)>,
}

impl PciIds {
    /// Reads the names of `wanted` (vendor and device id) from the file of `tree`; empty where there is none.
    pub fn read(tree: &Tree, wanted: &BTreeSet<(u16, u16)>) -> Self {
        let file = FILES.iter().find_map(|path| match tree.read(path) {
            Known::Is(bytes) => Some(bytes),
            Known::Absent | Known::Unreadable(_) => None,
        });
        let mut names = BTreeMap::new();
        let mut vendor: Option<(u16, &[u8])> = None;
        for line in file.unwrap_or_default().split(|byte| *byte == b'\n') {
            match line {
                // Classes follow the vendors, and look alike but for the letter in front.
                [b'C', b' ', ..] => break,
                [b'#' | b'\t', ..] | [] if !matches!(line, [b'\t', c, ..] if *c != b'\t') => {}
                [b'\t', device @ ..] => {
                    if let (Some((vendor, vendor_name)), Some((device, name))) = (vendor, entry(device))
                        && wanted.contains(&(vendor, device))
                    {
                        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
                        names.insert((vendor, device), (text(vendor_name), text(name)));
                    }
                }
                _ => vendor = entry(line),
            }
        }
        Self { names }
    }

    /// The name of the device with these ids: vendor and device.
    pub fn name(&self, ids: Ids) -> Option<String> {
        self.names.get(&(ids.vendor, ids.device)).map(|(maker, model)| format!("{maker} {model}"))
    }

    /// The same without its maker's.
    pub fn model(&self, ids: Ids) -> Option<&str> {
        self.names.get(&(ids.vendor, ids.device)).map(|(_, model)| model.as_str())
    }
}

/// `8086  Intel Corporation`.
fn entry(line: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, name) = line.split_at_checked(4)?;
    let id = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some((id, name.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_vendor_and_device() {
        let mut tree = Tree::default();
        let text = "# list\n8086  Intel Corporation\n\t2934  82801I USB UHCI #1\n\t\t103c 2a6f  Board\n\t2935  other\nC 0c  Serial\n\t2934  no\n";
        tree.insert("usr/share/misc/pci.ids", crate::tree::Node::File(text.as_bytes().to_vec()));
        let names = PciIds::read(&tree, &BTreeSet::from([(0x8086, 0x2934)]));
        assert_eq!(
            names.name(Ids { vendor: 0x8086, device: 0x2934 }).as_deref(),
            Some("Intel Corporation 82801I USB UHCI #1")
        );
        assert_eq!(names.name(Ids { vendor: 0x8086, device: 0x2935 }), None);
    }
}
