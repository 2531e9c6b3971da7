//! `/etc/sysconfig/pciback` of SUSE's xen package: `XEN_PCI_HIDE_LIST` holds pairs of a driver and an address, which a
//! service takes from that driver and gives to pciback, once the system is up.

use super::{Location, Said, Source, Written};
use crate::pci::{Address, Pattern};
use crate::tree::{Known, Obstacle, Tree};

const PATH: &str = "etc/sysconfig/pciback";

/// The devices it names, as a list.
pub fn written(tree: &Tree) -> Said {
    let mut said = Said::nothing(Source::Sysconfig);
    let text = match tree.read(PATH) {
        Known::Is(text) => String::from_utf8_lossy(text).into_owned(),
        Known::Absent => return said,
        Known::Unreadable(obstacle) => {
            said.obstacles.push(obstacle);
            return said;
        }
    };
    for (number, line) in (1..).zip(text.lines()) {
        let Some(value) = line.trim_start().strip_prefix("XEN_PCI_HIDE_LIST=") else { continue };
        let mut list = String::new();
        for pair in value.split(['"', '\'', ' ', '\t']).filter(|pair| !pair.is_empty()) {
            let address = pair.rsplit(',').next().unwrap_or_default();
            match address.parse::<Address>() {
                Ok(address) => list.push_str(&Pattern::from(address).to_string()),
                Err(_no_address) => {
                    let why = format!("line {number} names `{pair}`, which is no driver and address");
                    said.obstacles.push(Obstacle { path: PATH.to_owned(), why });
                }
            }
        }
        let column = line.find('=').map_or(1, |at| at + 2);
        let location = Some(Location::at(PATH, number, column));
        let key = "XEN_PCI_HIDE_LIST".to_owned();
        said.written.push(Written {
            text: list.into_bytes(),
            source: Source::Sysconfig,
            location,
            key,
            effective: true,
        });
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pairs_become_a_list() {
        let of = |value: &str| {
            let manifest = format!("etc/sysconfig/pciback = # x\\nXEN_PCI_HIDE_LIST={value}\\n\n");
            let said = written(&Tree::from_manifest(&manifest).unwrap());
            let list = said.written.first().map(|list| String::from_utf8_lossy(&list.text).into_owned());
            (list.unwrap_or_default(), said.obstacles.len())
        };
        let list = of("\"e1000,0000:02:00.0 uhci_hcd,00:1d.0\"");
        assert_eq!(list, ("(0000:02:00.0)(0000:00:1d.0)".to_owned(), 0));
        assert_eq!(of("\"\""), (String::new(), 0));
        assert_eq!(of("\"e1000\""), (String::new(), 1));
    }
}
