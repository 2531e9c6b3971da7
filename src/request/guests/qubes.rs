//! Guests of Qubes OS: `/var/lib/qubes/qubes.xml`.

use super::super::{Location, qubes};
use super::markup::{tags, unescaped};
use super::{Guest, Wanted};
use crate::pci::{Address, Pattern};
use crate::tree::Tree;

/// Every guest of the file. A device is `<device backend-domain="dom0" id="00_19.0">` in `<devices class="pci">` (from 4.0 on), from
/// 4.3 on the path over bridges that leads to it on this machine (qubes-core-admin, `qubes/ext/pci.py`); before 4.0 an element
/// named by the guest's class has `pcidevs="['00:19.0']"`. Qubes takes it from dom0's driver when the guest is started.
pub(super) fn read(text: &str, path: &str, tree: &Tree) -> Vec<Guest> {
    let mut guests: Vec<Guest> = Vec::new();
    let mut is_pci = false;
    let wanted = |address: Address, line: usize| Wanted {
        pattern: Pattern::from(address),
        location: Location { path: format!("/{path}"), line: Some(line), column: None },
        seized_at_start: true,
        slot: None,
    };
    for tag in tags(text) {
        if let (Some(list), Some(name)) = (tag.attribute("pcidevs"), tag.attribute("name")) {
            let list = unescaped(list);
            let devices = list.split(['[', ']', ',', '\'', ' ']).filter_map(|word| word.parse().ok());
            guests.push(Guest {
                name: unescaped(name),
                path: path.to_owned(),
                starts: tag.attribute("autostart") == Some("True"),
                domid: None,
                devices: devices.map(|address| wanted(address, tag.line)).collect(),
            });
            continue;
        }
        match tag.name {
            "domain" => guests.push(Guest {
                name: String::new(),
                path: path.to_owned(),
                starts: false,
                domid: None,
                devices: Vec::new(),
            }),
            "devices" => is_pci = tag.attribute("class") == Some("pci") && !tag.empty,
            "/devices" => is_pci = false,
            "property" => {
                let Some(guest) = guests.last_mut() else { continue };
                match tag.attribute("name") {
                    Some("name") => tag.text.trim().clone_into(&mut guest.name),
                    Some("autostart") => guest.starts = tag.text.trim() == "True",
                    _ => {}
                }
            }
            "device" if is_pci => {
                let Some(guest) = guests.last_mut() else { continue };
                let address = tag.attribute("id").and_then(|id| address(id, tree));
                guest.devices.extend(address.map(|address| wanted(address, tag.line)));
            }
            _ => {}
        }
    }
    guests
}

/// `00_19.0`, `0000_00_19.0`, and a path: `00_1c.0-00_00.0`. What the device is may stand behind a colon.
fn address(id: &str, tree: &Tree) -> Option<Address> {
    let port = id.split(':').next()?;
    if port.contains('-') { qubes::at_path(tree, port) } else { port.replace('_', ":").parse().ok() }
}
