//! The text of `lspci -k`, in support archives that hold no `/sys/bus/pci`: who had each device when it was printed.
//!
//! A device is a line that begins with its address, `00:1d.0 USB controller [0c03]: Intel ... [8086:2934] (rev 02)`; what is
//! said of it stands below, indented: `Bus: primary=00, secondary=02, subordinate=02`, `Kernel driver in use: pciback`
//! (pciutils, lspci.c `show_terse`, ls-kernel.c `show_kernel`; `-D` prints the domain, which is left out where all are 0).

use std::collections::BTreeMap;

use super::device::{Device, Devices};
use crate::pci::{Address, Ids};
use crate::tree::{Known, Obstacle, Tree};

/// Where the text is put that the user named.
pub(super) const NAMED: &str = "lspci";

/// Directories with the text: of sos; of xen-bugtool and supportconfig.
const PLACES: [&str; 2] = ["sos_commands/pci", ""];

/// Files of supportconfig with the text among other things.
const TEXTS: [&str; 2] = ["hardware.txt", "pci.txt"];

/// As many devices as are taken of one text: a domain has no more.
const MOST: usize = 1 << 16;

/// Most bridges above a device: a domain has 256 buses.
const MOST_ABOVE: usize = 256;

/// The devices that a text of `lspci` in `tree` shows with their drivers, and where it is. One that was named and says nothing is
/// an obstacle; one that an archive keeps is passed over then.
pub(super) fn read(tree: &Tree) -> Known<(Devices, String)> {
    let read = |path: String| {
        let text = tree.read(&path);
        let parsed = text.map(|text| parse(text, &path));
        parsed.and_then(|devices| {
            if let Some(devices) = devices {
                Known::Is((devices, path.clone()))
            } else {
                let why = "names no driver of any device, as lspci -k does".to_owned();
                Known::Unreadable(Obstacle { path: path.clone(), why })
            }
        })
    };
    let named = read(NAMED.to_owned());
    if !matches!(named, Known::Absent) {
        return named;
    }
    let mut kept = PLACES.iter().flat_map(|directory| {
        let names = tree.list(directory).is().cloned().unwrap_or_default();
        let is_text = |name: &&str| name.starts_with("lspci") || TEXTS.contains(name);
        names.into_iter().filter(is_text).map(|name| match *directory {
            "" => name.to_owned(),
            directory => format!("{directory}/{name}"),
        })
    });
    kept.find_map(|path| read(path).is().cloned()).map_or(Known::Absent, Known::Is)
}

/// What one device's lines say.
#[derive(Default)]
struct Listed {
    driver: Option<String>,
    ids: Option<Ids>,
    class: Option<u32>,
    /// First and last bus behind it.
    behind: Option<(u8, u8)>,
}

/// The devices of a text; none where no driver is named at all, as `lspci` without `-k` or `-v` prints it.
fn parse(text: &[u8], path: &str) -> Option<Devices> {
    let mut told: BTreeMap<Address, Listed> = BTreeMap::new();
    let mut current = None;
    for line in text.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        if let Some((address, rest)) = heading(&line) {
            if told.len() == MOST {
                break;
            }
            current = Some(address);
            let about = told.entry(address).or_default();
            (about.class, about.ids) = (class(rest).or(about.class), ids(rest).or(about.ids));
        } else if line.starts_with([' ', '\t']) {
            if let Some(about) = current.and_then(|address| told.get_mut(&address)) {
                about.detail(line.trim());
            }
        } else {
            current = None;
        }
    }
    if told.values().all(|about| about.driver.is_none()) {
        return None;
    }
    let buses = Buses::of(&told);
    let device = |(address, about): (&Address, &Listed)| (*address, about.device(*address, path, &buses));
    Some(told.iter().map(device).collect())
}

/// The address at the start of a line, with or without its domain, and what follows.
fn heading(line: &str) -> Option<(Address, &str)> {
    let (word, rest) = line.split_once(' ')?;
    let whole = match word.len() {
        7 => format!("0000:{word}"),
        _ => word.to_owned(),
    };
    Some((Address::from_kernel(whole.as_bytes())?, rest))
}

/// `USB controller [0c03]: ...` by its code, `0c03: 8086:2934` of `-n`, or `PCI bridge: ...` by its name.
fn class(rest: &str) -> Option<u32> {
    let (name, _) = rest.split_once(": ")?;
    let code = name.strip_suffix(']').and_then(|name| name.rsplit_once('[')).map_or(name, |(_, code)| code);
    match u32::from_str_radix(code, 16).ok().filter(|_| code.len() == 4) {
        Some(code) => Some(code << 8),
        None => (name == "PCI bridge").then_some(0x06_0400),
    }
}

/// The last pair of ids in brackets, or the first word behind the class (`-n`).
fn ids(rest: &str) -> Option<Ids> {
    let pair = |text: &str| {
        let (vendor, device) = text.split_once(':')?;
        let number = |digits: &str| u16::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 4);
        Some(Ids { vendor: number(vendor)?, device: number(device)? })
    };
    let (_, named) = rest.split_once(": ")?;
    let bracketed = named.rsplit('[').find_map(|part| pair(part.split_once(']')?.0));
    bracketed.or_else(|| pair(named.split(' ').next()?))
}

impl Listed {
    fn detail(&mut self, line: &str) {
        if let Some(driver) = line.strip_prefix("Kernel driver in use: ") {
            self.driver = Some(driver.trim().to_owned()).filter(|name| !name.is_empty());
        } else if let Some(buses) = line.strip_prefix("Bus: ") {
            let bus = |key: &str| {
                let value = buses.split(", ").find_map(|part| part.strip_prefix(key))?;
                u8::from_str_radix(value, 16).ok()
            };
            self.behind = bus("secondary=").zip(bus("subordinate="));
        }
    }

    fn device(&self, address: Address, path: &str, buses: &Buses) -> Device {
        let unread = |why: &str| Obstacle { path: path.to_owned(), why: why.to_owned() };
        let is_bridge = self.class.is_some_and(|class| class >> 8 == 0x0604);
        let driver = match &self.driver {
            _ if is_bridge && self.behind.is_none() => {
                Known::Unreadable(unread("lspci without -v does not show what is behind a bridge"))
            }
            Some(driver) => Known::Is(driver.clone()),
            None => Known::Absent,
        };
        Device {
            driver,
            linkage: Known::Absent,
            driver_override: Known::Unreadable(unread("lspci does not show it")),
            ids: self.ids.map_or(Known::Absent, Known::Is),
            class: self.class.map_or_else(|| Known::Unreadable(unread("its class is not shown by number")), Known::Is),
            bridges: buses.above(address),
            nests: false,
            uses: Known::Unreadable(unread("lspci does not show what a device is used for")),
            board: Known::Absent,
            reset: Known::Absent,
            physical: Known::Unreadable(unread("lspci does not show whether it is a virtual function")),
        }
    }
}

/// The bridge right above each bus.
#[derive(Default)]
struct Buses(BTreeMap<(u32, u8), Address>);

impl Buses {
    fn of(told: &BTreeMap<Address, Listed>) -> Self {
        // The secondary bus is what is right behind a bridge; those up to the subordinate one are behind bridges there.
        let behind = told.iter().filter_map(|(address, about)| Some((*address, about.behind?)));
        let right = behind.filter(|(_, (secondary, subordinate))| *secondary > 0 && secondary <= subordinate);
        Self(right.map(|(address, (secondary, _))| ((address.domain(), secondary), address)).collect())
    }

    /// Every bridge above a device, nearest first.
    fn above(&self, address: Address) -> Vec<Address> {
        let up = |below: &Address| self.0.get(&(below.domain(), below.bus())).copied();
        // A bridge that claims to be behind itself has no top.
        let mut above: Vec<Address> = std::iter::successors(up(&address), up).take(MOST_ABOVE).collect();
        if above.len() == MOST_ABOVE {
            above.clear();
        }
        above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NNVV: &str = "\
00:1c.0 PCI bridge [0604]: Intel Corporation 82801I (ICH9 Family) PCI Express Port 1 [8086:2940] (rev 02) (prog-if 00 [Normal decode])
	Bus: primary=00, secondary=02, subordinate=03, sec-latency=0
	Kernel driver in use: pcieport
00:1d.0 USB controller [0c03]: Intel Corporation 82801I (ICH9 Family) USB UHCI Controller #1 [8086:2934] (rev 03)
	Subsystem: Red Hat, Inc. QEMU Virtual Machine [1af4:1100]
	Kernel driver in use: pciback
	Kernel modules: uhci_hcd

02:00.0 Ethernet controller [0200]: Intel Corporation I350 Gigabit Network Connection [8086:1521] (rev 01)
	Kernel modules: igb
";

    fn devices(text: &str) -> Devices {
        parse(text.as_bytes(), "lspci").unwrap()
    }

    #[test]
    fn drivers_ids_and_bridges_are_read() {
        let devices = devices(NNVV);
        let [bridge, usb, card] = ["00:1c.0", "00:1d.0", "02:00.0"].map(|at| &devices[&at.parse().unwrap()]);
        assert_eq!(usb.driver, Known::Is("pciback".to_owned()));
        assert_eq!(usb.ids.is().unwrap().to_string(), "8086:2934");
        assert_eq!((&card.driver, card.ids.is().unwrap().to_string().as_str()), (&Known::Absent, "8086:1521"));
        assert_eq!(card.bridges, ["00:1c.0".parse().unwrap()]);
        assert!(bridge.is_bridge() && bridge.driver == Known::Is("pcieport".to_owned()));
    }

    #[test]
    fn every_form_of_the_first_line_is_read() {
        for (text, driver) in [
            ("00:1d.0 0c03: 8086:2934 (rev 03)\n\tKernel driver in use: uhci_hcd\n", "uhci_hcd"),
            ("0000:00:1d.0 USB controller: Intel Corporation\n\tKernel driver in use: uhci_hcd\n", "uhci_hcd"),
            (
                "#==[ Command ]===#\n# /sbin/lspci -k\n00:1d.0 USB: x\n        Kernel driver in use: pciback\n",
                "pciback",
            ),
        ] {
            let devices = devices(text);
            assert_eq!(devices[&"00:1d.0".parse().unwrap()].driver, Known::Is(driver.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_it_does_not_show_is_not_known() {
        assert!(parse(b"00:1d.0 USB controller: Intel Corporation\n", "lspci").is_none());
        let bridge = "00:1c.0 PCI bridge: Intel\n\tKernel driver in use: pciback\n";
        assert!(devices(bridge)[&"00:1c.0".parse().unwrap()].driver.obstacle().is_some());
    }

    #[test]
    fn bridges_in_a_circle_end() {
        let text = "01:00.0 PCI bridge [0604]: x\n\tBus: primary=01, secondary=01, subordinate=01\n\tKernel driver in use: y\n";
        assert!(devices(text)[&"01:00.0".parse().unwrap()].bridges.is_empty());
    }
}
