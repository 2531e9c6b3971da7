//! Guests' configurations: which devices each guest is to be given.
//!
//! One file per form. A configuration yields the devices that it names and how the guest is started; what dom0 makes of it is
//! judged elsewhere.

mod libvirt;
mod markup;
mod qubes;
mod spec;
mod xl;

use std::collections::BTreeSet;

use super::Location;
use crate::pci::Pattern;
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
    /// Its number, where the file is the one that xl keeps of a guest that it started.
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
    guests.file(tree, "var/lib/qubes/qubes.xml", &qubes::read);
    guests.running(tree);
    guests.found.truncate(MOST);
    guests
}

/// Reads the guests of one file: its text, its path from the root, and its name.
type Reader = dyn Fn(&str, &str) -> Vec<Guest>;

impl Guests {
    /// The files of a folder, and of the one that names those that are started with dom0, which mostly holds links.
    fn folder(&mut self, tree: &Tree, folder: &str, auto: &str, read: &Reader) {
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

    fn file(&mut self, tree: &Tree, path: &str, read: &Reader) {
        match tree.read(path) {
            Known::Is(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                self.found.extend(read(&text, path).into_iter().filter(|guest| !guest.devices.is_empty()));
            }
            Known::Absent => {}
            Known::Unreadable(obstacle) => self.obstacles.push(obstacle),
        }
    }

    /// What xl keeps of the guests that it started: `userdata-d.DOMID.UUID.xl` (libxl, `libxl__userdata_path`).
    fn running(&mut self, tree: &Tree) {
        const KEPT: &str = "var/lib/xen";
        for name in names(tree, KEPT) {
            let mut parts = name.split('.');
            let is_kept = parts.next() == Some("userdata-d") && name.strip_suffix(".xl").is_some();
            let Some(domid) = parts.next().filter(|_| is_kept).and_then(|number| number.parse().ok()) else { continue };
            let from = self.found.len();
            self.file(tree, &format!("{KEPT}/{name}"), &xl::read);
            self.found.iter_mut().skip(from).for_each(|guest| guest.domid = Some(domid));
        }
    }
}

/// The names of a folder's files, without copies and hidden ones.
fn names<'a>(tree: &'a Tree, folder: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let listed = tree.list(folder).is().cloned().unwrap_or_default();
    let copy = |name: &str| name.starts_with('.') || COPIES.iter().any(|end| name.ends_with(end));
    listed.into_iter().filter(move |name| !copy(name))
}

#[cfg(test)]
mod tests;
