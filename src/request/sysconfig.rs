//! `/etc/sysconfig/pciback` of SUSE's xen package: `XEN_PCI_HIDE_LIST` holds pairs of a driver and an address, which a
//! service takes from that driver and gives to pciback, once the system is up.

use std::collections::{BTreeMap, BTreeSet};

use super::hide::{self, Grammar};
use super::{Location, Said, Source, Written};
use crate::pci::{Address, Pattern};
use crate::tree::{Known, Obstacle, Tree};

/// The file.
pub const PATH: &str = "etc/sysconfig/pciback";

const KEY: &str = "XEN_PCI_HIDE_LIST";

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
        let Some(pairs) = pairs(line) else { continue };
        let mut list = String::new();
        for pair in pairs {
            if let Some(address) = address(pair) {
                list.push_str(&Pattern::from(address).to_string());
            } else {
                let why = format!("line {number} names `{pair}`, which is no driver and address");
                said.obstacles.push(Obstacle { path: PATH.to_owned(), why });
            }
        }
        let column = line.find('=').map_or(1, |at| at + 2);
        let location = Some(Location::at(PATH, number, column));
        let key = KEY.to_owned();
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

/// The pairs of the line that holds them.
fn pairs(line: &str) -> Option<Vec<&str>> {
    let value = line.trim_start().strip_prefix(KEY)?.strip_prefix('=')?;
    let value = value.split(" #").next().unwrap_or_default();
    Some(value.split(['"', '\'', ' ', '\t']).filter(|pair| !pair.is_empty()).collect())
}

fn address(pair: &str) -> Option<Address> {
    pair.rsplit(',').next()?.parse().ok()
}

/// The file with these devices named as well, each with its driver, and with the nearest valid spelling of what is no driver and
/// address. `None`: there is no such file, or it is right as it is.
pub fn mended(tree: &Tree, devices: &BTreeMap<Address, String>, grammar: Grammar) -> Option<String> {
    let text = tree.read(PATH).is().and_then(|text| std::str::from_utf8(text).ok())?;
    let (index, old) = text.lines().enumerate().filter_map(|(index, line)| Some((index, pairs(line)?))).last()?;
    let spelled = |pair: &&str| match address(pair) {
        Some(_) => Some((*pair).to_owned()),
        None => nearest(pair, grammar),
    };
    let mut new: Vec<String> = old.iter().filter_map(spelled).collect();
    let named: BTreeSet<Address> = new.iter().filter_map(|pair| address(pair)).collect();
    let lacking = devices.iter().filter(|(address, _)| !named.contains(address));
    new.extend(lacking.map(|(address, driver)| format!("{driver},{address}")));
    if new == old {
        return None;
    }
    let line = format!("{KEY}=\"{}\"", new.join(" "));
    let lines = text.lines().enumerate().map(|(at, text)| if at == index { line.as_str() } else { text });
    Some(lines.flat_map(|line| [line, "\n"]).collect())
}

/// A driver and the address that was probably meant.
fn nearest(pair: &str, grammar: Grammar) -> Option<String> {
    let (driver, rest) = pair.split_once([',', ';', '='])?;
    let list = hide::nearest(format!("({rest})").as_bytes(), grammar)?;
    let address: Address = list.strip_prefix('(')?.strip_suffix(')')?.parse().ok()?;
    Some(format!("{driver},{address}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pci::Era;

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
        assert_eq!(of("\"e1000,02:00.0\" # the second port"), ("(0000:02:00.0)".to_owned(), 0));
    }

    #[test]
    fn the_file_is_mended_where_it_lacks_a_device_or_is_malformed() {
        let devices = BTreeMap::from([("02:00.0".parse().unwrap(), "igb".to_owned())]);
        let of = |text: &str| {
            let tree = Tree::from_manifest(&format!("{PATH} = {text}\n")).unwrap();
            mended(&tree, &devices, Era::From3_7.into())
        };
        for (text, wanted) in [
            ("# x\\nXEN_PCI_HIDE_LIST=\"\"\\n", Some("# x\nXEN_PCI_HIDE_LIST=\"igb,0000:02:00.0\"\n")),
            ("XEN_PCI_HIDE_LIST='e1000,3:0.0'\\n", Some("XEN_PCI_HIDE_LIST=\"e1000,3:0.0 igb,0000:02:00.0\"\n")),
            ("XEN_PCI_HIDE_LIST=\"igb,02:00,0 e1000\"\\nA=1\\n", Some("XEN_PCI_HIDE_LIST=\"igb,0000:02:00.0\"\nA=1\n")),
            ("XEN_PCI_HIDE_LIST=\"igb;02.00.0\"\\n", Some("XEN_PCI_HIDE_LIST=\"igb,0000:02:00.0\"\n")),
            ("XEN_PCI_HIDE_LIST=\"igb,02:00.0\"\\n", None),
            ("# XEN_PCI_HIDE_LIST=\"\"\\n", None),
        ] {
            assert_eq!(of(text).as_deref(), wanted, "{text}");
        }
    }
}
