//! Guests of Qubes OS: `/var/lib/qubes/qubes.xml`.

use super::super::Location;
use super::markup::tags;
use super::{Guest, Wanted};
use crate::pci::{Address, Pattern};

/// Every guest of the file. A device is `<device backend-domain="dom0" id="00_19.0">` in `<devices class="pci">` (4.0 to 4.2; 4.3
/// writes the domain in front). Qubes takes it from dom0's driver when the guest is started.
pub(super) fn read(text: &str, path: &str) -> Vec<Guest> {
    let mut guests: Vec<Guest> = Vec::new();
    let mut is_pci = false;
    for tag in tags(text) {
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
                let address = tag.attribute("id").and_then(address);
                guest.devices.extend(address.map(|address| Wanted {
                    pattern: Pattern::from(address),
                    location: Location { path: format!("/{path}"), line: Some(tag.line), column: None },
                    seized_at_start: true,
                    slot: None,
                }));
            }
            _ => {}
        }
    }
    guests
}

/// `00_19.0`, `0000_00_19.0`; a path over bridges (4.3) names no address.
fn address(id: &str) -> Option<Address> {
    id.split(':').next()?.replace('_', ":").parse().ok()
}
