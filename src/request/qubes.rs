//! The devices that Qubes' dracut module takes: `rd.qubes.hide_pci=` and `rd.qubes.hide_all_usb` on the command line
//! (qubes-core-admin-linux, dracut/modules.d/90qubes-pciback). It writes them to pciback's `new_slot`; there is no `hide=`.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::arguments::arguments;
use super::{Location, Said, Source, Written};
use crate::pci::{Address, Pattern};
use crate::tree::{Known, Obstacle, Tree};

const LINE: &str = "proc/cmdline";
const DEVICES: &str = "sys/bus/pci/devices";

/// Class 0c03: USB controllers.
const USB: u32 = 0x0c03;

/// Class 02: network controllers.
const NETWORK: u32 = 0x02;

/// What the running kernel's line names, as a list.
pub fn written(tree: &Tree) -> Said {
    match tree.read(LINE) {
        Known::Is(line) => in_line(line, tree, Some(&Location::on_host(LINE, None))),
        Known::Absent | Known::Unreadable(_) => Said::nothing(Source::Qubes),
    }
}

/// What a line of the kernel names, as a list, on the machine that `tree` is of.
pub fn in_line(line: &[u8], tree: &Tree, location: Option<&Location>) -> Said {
    let mut said = Said::nothing(Source::Qubes);
    let list = |addresses: &[Address], key: &str, effective: bool| {
        let text: String = addresses.iter().map(|address| Pattern::from(*address).to_string()).collect();
        Written {
            text: text.into_bytes(),
            source: Source::Qubes,
            location: location.cloned(),
            key: key.to_owned(),
            effective,
        }
    };
    let paths = Paths { tree, secondary: OnceCell::new() };
    let mut lists: Vec<Vec<Address>> = Vec::new();
    let mut all_usb = false;
    let mut misspelt = Vec::new();
    let mut except: BTreeSet<Address> = BTreeSet::new();
    for argument in arguments(line) {
        let value = String::from_utf8_lossy(argument.value.as_deref().unwrap_or_default()).into_owned();
        let items = value.split(',').filter(|item| !item.is_empty());
        let known = || items.clone().filter_map(|item| paths.address(item).ok()).collect::<Vec<Address>>();
        match argument.key.as_slice() {
            b"rd.qubes.hide_pci" => {
                // Of several, the last one counts (dracut, 99base/dracut-lib.sh, `getarg`).
                said.obstacles = items
                    .clone()
                    .filter_map(|item| paths.address(item).err())
                    .map(|why| Obstacle { path: LINE.to_owned(), why })
                    .collect();
                lists.push(known());
            }
            b"rd.qubes.dom0_usb" => except = known().into_iter().collect(),
            b"rd.qubes.hide_all_usb" => all_usb = !matches!(value.as_str(), "0" | "no" | "off"),
            key if is_misspelt(key) => misspelt.push(list(&known(), &String::from_utf8_lossy(key), false)),
            _ => {}
        }
    }
    if lists.is_empty() && !all_usb {
        said.written = misspelt.into_iter().filter(|list| !list.text.is_empty()).collect();
        return said;
    }
    let mut keys = Vec::new();
    let mut addresses = lists.pop().unwrap_or_default();
    said.written.extend(lists.iter().map(|earlier| list(earlier, HIDE_PCI, true)));
    if !addresses.is_empty() || !all_usb {
        keys.push(HIDE_PCI);
    }
    if all_usb {
        keys.push("rd.qubes.hide_all_usb");
        match usb(tree) {
            Ok(found) => addresses.extend(found),
            Err(obstacle) => said.obstacles.push(obstacle),
        }
    }
    addresses.retain(|address| !except.contains(address));
    addresses.sort();
    addresses.dedup();
    said.written.push(list(&addresses, &keys.join(" "), true));
    said
}

const HIDE_PCI: &str = "rd.qubes.hide_pci";

/// Network controllers: the same hook takes them all, whether or not a list names them.
pub fn takes_unlisted(class: u32) -> bool {
    class >> 16 == NETWORK
}

/// Whether a key is meant to be `rd.qubes.hide_pci`, and is none that anything reads: `qubes.rd.hide_pci`, `rd.qubes.hide-pci`.
fn is_misspelt(key: &[u8]) -> bool {
    let key = String::from_utf8_lossy(key).to_ascii_lowercase().replace('-', "_");
    key.contains("qubes") && (key.contains("hide_pci") || key.contains("hidepci"))
}

/// Every USB controller.
fn usb(tree: &Tree) -> Result<Vec<Address>, Obstacle> {
    let names = match tree.list(DEVICES) {
        Known::Is(names) => names,
        Known::Absent => {
            let why = "is not there, so that rd.qubes.hide_all_usb names nobody knows which devices".to_owned();
            return Err(Obstacle { path: DEVICES.to_owned(), why });
        }
        Known::Unreadable(obstacle) => return Err(obstacle),
    };
    let class = |name: &&str| {
        let text = tree.read_text(&format!("{DEVICES}/{name}/class"));
        text.is().and_then(|text| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok())
    };
    let controllers = names.iter().filter(|name| class(name).is_some_and(|class| class >> 8 == USB));
    Ok(controllers.filter_map(|name| Address::from_kernel(name.as_bytes())).collect())
}

/// The device at the end of a path over bridges, on the machine that `tree` is of.
pub(super) fn at_path(tree: &Tree, path: &str) -> Option<Address> {
    Paths { tree, secondary: OnceCell::new() }.follow(path)
}

/// The devices of a machine by the paths that Qubes names.
struct Paths<'a> {
    tree: &'a Tree,
    /// The bus right behind each bridge, once a path asks for it.
    secondary: OnceCell<BTreeMap<Address, u8>>,
}

impl Paths<'_> {
    /// `SSSS:BB:DD.F`, `BB:DD.F`, or a path `[SSSS_]BB_DD.F-BB_DD.F...` whose later buses count from the secondary bus of
    /// the bridge before them.
    fn address(&self, item: &str) -> Result<Address, String> {
        if !item.contains(['_', '-']) {
            return item.parse().map_err(|why| format!("rd.qubes.hide_pci names {item}, which is no address: {why}"));
        }
        self.follow(item)
            .ok_or_else(|| format!("rd.qubes.hide_pci names the path {item}, which leads to no device here"))
    }

    fn follow(&self, item: &str) -> Option<Address> {
        let mut steps = item.split('-');
        let mut at: Address = steps.next()?.replace('_', ":").parse().ok()?;
        let secondary = self.secondary.get_or_init(|| secondary(self.tree));
        for step in steps {
            let relative: Address = step.replace('_', ":").parse().ok()?;
            let bus = secondary.get(&at)?.checked_add(relative.bus())?;
            at = Address::new(at.domain(), bus, relative.slot(), relative.function())?;
        }
        self.tree.link(&format!("{DEVICES}/{at}")).is().map(|_| at)
    }
}

/// The lowest bus of what is directly behind each bridge, by the directories of sysfs.
fn secondary(tree: &Tree) -> BTreeMap<Address, u8> {
    let mut found: BTreeMap<Address, u8> = BTreeMap::new();
    for name in tree.list(DEVICES).is().into_iter().flatten() {
        let resolved = tree.resolve(&format!("{DEVICES}/{name}")).is().cloned().unwrap_or_default();
        let mut parts = resolved.rsplit('/').map(|part| Address::from_kernel(part.as_bytes()));
        if let (Some(Some(own)), Some(Some(bridge))) = (parts.next(), parts.next()) {
            let lowest = found.entry(bridge).or_insert_with(|| own.bus());
            *lowest = own.bus().min(*lowest);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: &str = "\
        sys/bus/pci/devices/0000:00:1c.0 -> ../../../devices/pci0000:00/0000:00:1c.0\n\
        sys/bus/pci/devices/0000:03:00.0 -> ../../../devices/pci0000:00/0000:00:1c.0/0000:03:00.0\n\
        sys/bus/pci/devices/0000:00:14.0 -> ../../../devices/pci0000:00/0000:00:14.0\n\
        sys/bus/pci/devices/0000:00:1a.0 -> ../../../devices/pci0000:00/0000:00:1a.0\n\
        sys/devices/pci0000:00/0000:00:14.0/class = 0x0c0330\\n\n\
        sys/devices/pci0000:00/0000:00:1a.0/class = 0x0c0320\\n\n";

    fn of(line: &str) -> (String, usize) {
        let said = written(&Tree::from_manifest(&format!("{MACHINE}proc/cmdline = {line}\\n\n")).unwrap());
        let text = said.written.last().map(|list| String::from_utf8_lossy(&list.text).into_owned());
        (text.unwrap_or_default(), said.obstacles.len())
    }

    #[test]
    fn addresses_paths_and_usb_controllers_become_a_list() {
        for (line, list, obstacles) in [
            ("ro rd.qubes.hide_pci=01:00.0,0000:02:00.1", "(0000:01:00.0)(0000:02:00.1)", 0),
            ("rd.qubes.hide_pci=00_1c.0-00_00.0", "(0000:03:00.0)", 0),
            ("rd.qubes.hide_pci=0000_00_1c.0-00_01.0", "", 1),
            ("rd.qubes.hide_all_usb rd.qubes.dom0_usb=00:1a.0", "(0000:00:14.0)", 0),
            ("rd.qubes.hide_pci=01:00.0 rd.qubes.hide_pci=02:00.0", "(0000:02:00.0)", 0),
            ("rd.qubes.hide_pci=0000_00_1c.0-00_01.0 rd.qubes.hide_pci=02:00.0", "(0000:02:00.0)", 0),
            ("rd.qubes.hide_all_usb=0", "", 0),
            ("rd.qubes.hide_pci=00:14.0,01:00.0 rd.qubes.dom0_usb=00:14.0", "(0000:01:00.0)", 0),
            ("ro quiet", "", 0),
        ] {
            assert_eq!(of(line), (list.to_owned(), obstacles), "{line}");
        }
    }
}
