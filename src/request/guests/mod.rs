//! Guests' configurations: which devices each guest is to be given.
//!
//! One file per form. A configuration yields the devices that it names and how the guest is started; what dom0 makes of it is
//! judged elsewhere.

mod libvirt;
mod libxl;
mod markup;
mod qubes;
mod spec;
mod xapi;
mod xl;

use std::collections::{BTreeMap, BTreeSet};

use super::{Location, Said, Source, Written};
use crate::pci::{Address, Pattern};
use crate::tree::{Known, Obstacle, Tree};

/// One guest as a file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Its name.
    pub name: String,
    /// The file, from its root and without a leading slash.
    pub path: String,
    /// Whether dom0 starts it by itself.
    pub starts: bool,
    /// Its number, where the file is one that xl or libxl keeps of a guest that was started.
    pub domid: Option<u32>,
    /// The devices that it names.
    pub devices: Vec<Wanted>,
}

/// A device that a guest is to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The device, or all functions of a slot.
    pub pattern: Pattern,
    /// Where it is named.
    pub location: Location,
    /// Whether the toolstack itself takes the device from dom0's driver when the guest is started.
    pub seized_at_start: bool,
    /// The slot where an HVM guest is to see it.
    pub slot: Option<u8>,
}

/// All that the files of a machine say of its guests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guests {
    /// The guests that are to be given a device, by their files' names.
    pub found: Vec<Guest>,
    /// What could not be read.
    pub obstacles: Vec<Obstacle>,
}

/// Endings of files that editors and packages leave beside the real one.
const COPIES: [&str; 9] = ["~", ".bak", ".old", ".orig", ".save", ".swp", ".rpmnew", ".rpmsave", ".dpkg-old"];

/// The most guests that are read of one machine.
const MOST: usize = 4096;

/// Reads every configuration below the directories where toolstacks look for them.
pub fn read(tree: &Tree) -> Guests {
    let mut guests = Guests::default();
    guests.folder(tree, "etc/xen", "etc/xen/auto", &xl::read);
    guests.folder(tree, "etc/libvirt/libxl", "etc/libvirt/libxl/autostart", &libvirt::read);
    guests.file(tree, "var/lib/qubes/qubes.xml", &|text, path| qubes::read(text, path, tree));
    let own = tree.read_text("etc/xensource-inventory").is().and_then(|text| own_uuid(text));
    for path in XAPI {
        guests.file(tree, path, &|text, path| xapi::read(text, path, own.as_deref()));
    }
    guests.running(tree);
    guests.found.truncate(MOST);
    guests
}

/// The guest of a file that the user named: xl's, xm's or libvirt's.
pub fn of_file(text: &str, path: &str) -> Option<Guest> {
    let guests = match text.trim_start_matches('\u{feff}').trim_start().chars().next() {
        Some('<') => libvirt::read(text, path),
        _ => xl::read(text, path),
    };
    let mut guest = guests.into_iter().next()?;
    for wanted in &mut guest.devices {
        path.clone_into(&mut wanted.location.path);
    }
    Some(guest)
}

/// What guests want of pciback, as a list, and where each entry of it is named. `exists` says which functions of a slot there are.
///
/// A device that the toolstack takes from dom0's driver itself, when it starts the guest, is not wanted of pciback before.
pub fn wanted(tree: &Tree, exists: &dyn Fn(Address) -> bool) -> (Said, Vec<Location>) {
    let guests = read(tree);
    let mut said = Said::nothing(Source::Guests);
    let mut named: BTreeMap<Address, &Location> = BTreeMap::new();
    for guest in &guests.found {
        for wanted in guest.devices.iter().filter(|wanted| guest.domid.is_some() || !wanted.seized_at_start) {
            let all = || wanted.pattern.addresses();
            let there = all().filter(|address| !wanted.pattern.is_wildcard() || exists(*address));
            let first = all().next().filter(|_| !all().any(exists));
            for address in there.chain(first) {
                named.entry(address).or_insert(&wanted.location);
            }
        }
    }
    let text = named.keys().map(|address| format!("({address})")).collect::<Vec<_>>().concat();
    let locations: Vec<Location> = named.into_values().cloned().collect();
    if let Some(location) = locations.first().cloned() {
        let (source, location) = (Source::Guests, Some(location));
        let key = "pci".to_owned();
        said.written.push(Written { text: text.into_bytes(), source, location, key, effective: true });
    } else if !FOLDERS.iter().any(|folder| tree.list(folder).is().is_some()) {
        said.not_seen("etc/xen", "is not there, and no other toolstack's configurations are");
    }
    said.obstacles = guests.obstacles;
    (said, locations)
}

/// What is kept of XAPI's database: what says which guests are to have which devices.
pub fn abridged(database: &[u8]) -> Vec<u8> {
    xapi::abridged(&String::from_utf8_lossy(database)).into_bytes()
}

/// Where toolstacks keep the configurations of guests.
const FOLDERS: [&str; 3] = ["etc/xen", "etc/libvirt/libxl", "var/lib/qubes"];

/// XAPI's database: of XenServer up to 6.0, since then, and in the archives of xen-bugtool.
const XAPI: [&str; 3] = ["var/xapi/state.db", "var/lib/xcp/state.db", "xapi-db.xml"];

/// The uuid of the host itself (xen-api, `scripts/xensource-inventory`): `INSTALLATION_UUID='...'`.
fn own_uuid(inventory: &str) -> Option<String> {
    let value = inventory.lines().find_map(|line| line.strip_prefix("INSTALLATION_UUID="))?;
    Some(value.trim().trim_matches(['\'', '"']).to_owned())
}

/// Reads the guests of one file: its text, its path from the root, and its name.
type GuestReader<'a> = dyn Fn(&str, &str) -> Vec<Guest> + 'a;

impl Guests {
    /// The files of a folder, and of the one that names those that are started with dom0, which mostly holds links.
    fn folder(&mut self, tree: &Tree, folder: &str, auto: &str, read: &GuestReader<'_>) {
        let linked = names(tree, auto).map(|name| tree.resolve(&format!("{auto}/{name}")).is().cloned());
        let started: BTreeSet<String> = linked.flatten().collect();
        let own = names(tree, folder).map(|name| format!("{folder}/{name}")).filter(|path| *path != auto);
        let paths: BTreeSet<String> = own.chain(started.iter().cloned()).collect();
        for path in paths {
            let from = self.found.len();
            self.file(tree, &path, read);
            if started.contains(&path) {
                self.found.iter_mut().skip(from).for_each(|guest| guest.starts = true);
            }
        }
    }

    fn file(&mut self, tree: &Tree, path: &str, read: &GuestReader<'_>) {
        match tree.read(path) {
            Known::Is(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                self.found.extend(read(&text, path).into_iter().filter(|guest| !guest.devices.is_empty()));
            }
            Known::Absent => {}
            Known::Unreadable(obstacle) => self.obstacles.push(obstacle),
        }
    }

    /// What is kept of the guests that were started (`libxl__userdata_path`): `userdata-d.DOMID.UUID.libxl-json` by libxl, whichever
    /// toolstack it serves, from 4.5 on; `.xl` by xl until 4.4, later by `xl config-update` only.
    fn running(&mut self, tree: &Tree) {
        const KEPT: &str = "var/lib/xen";
        const LIBVIRT: &str = "run/libvirt/libxl";
        for name in names(tree, KEPT) {
            let Some((domid, rest)) = name.strip_prefix("userdata-d.").and_then(|rest| rest.split_once('.')) else {
                continue;
            };
            let Ok(domid) = domid.parse() else { continue };
            let read: &GuestReader<'_> = match rest.rsplit('.').next() {
                // libxl's file comes first, and is kept up to date.
                Some("xl") if self.found.iter().any(|guest| guest.domid == Some(domid)) => continue,
                Some("xl") => &xl::read,
                Some("libxl-json") => &libxl::read,
                _ => continue,
            };
            // Left behind, by a crash or by an earlier boot.
            if is_gone(tree, domid) {
                continue;
            }
            let from = self.found.len();
            self.file(tree, &format!("{KEPT}/{name}"), read);
            self.found.iter_mut().skip(from).for_each(|guest| guest.domid = Some(domid));
        }
        for name in names(tree, LIBVIRT) {
            self.file(tree, &format!("{LIBVIRT}/{name}"), &libvirt::read);
        }
        self.drop_contradicting();
    }

    /// Of files that give one number to guests of several names, one is left over, and nothing shows which.
    fn drop_contradicting(&mut self) {
        let mut names: BTreeMap<u32, Option<String>> = BTreeMap::new();
        for guest in &self.found {
            let Some(domid) = guest.domid else { continue };
            let known = names.entry(domid).or_insert_with(|| Some(guest.name.clone()));
            if known.as_ref() != Some(&guest.name) {
                *known = None;
            }
        }
        let is_known = |domid: u32| names.get(&domid).is_some_and(Option::is_some);
        self.found.retain(|guest| guest.domid.is_none_or(is_known));
    }
}

/// Whether dom0 is seen to have no end of pciback for a guest, so that none of its devices is in use. xenbus names what serves a guest
/// by its kind, the guest and a number (`drivers/xen/xenbus/xenbus_probe_backend.c`, `backend_bus_id`).
pub fn is_gone(tree: &Tree, domid: u32) -> bool {
    let serving = tree.list("sys/bus/xen-backend/devices");
    serving.is().is_some_and(|names| !names.contains(&format!("pci-{domid}-0").as_str()))
}

/// The names of a folder's files, without copies and hidden ones.
fn names<'a>(tree: &'a Tree, folder: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let listed = tree.list(folder).is().cloned().unwrap_or_default();
    let copy = |name: &str| name.starts_with('.') || COPIES.iter().any(|end| name.ends_with(end));
    listed.into_iter().filter(move |name| !copy(name))
}

#[cfg(test)]
mod tests;
