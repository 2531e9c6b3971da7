//! Guests of libvirt's driver for Xen: `/etc/libvirt/libxl/NAME.xml`; of those that run, `/run/libvirt/libxl/NAME.xml`, which has
//! their number.

use super::super::Location;
use super::markup::{Tag, tags, unescaped};
use super::{Guest, Wanted};
use crate::pci::{Address, Pattern};

/// The guest of one file: `<hostdev type='pci'>` and `<interface type='hostdev'>` with the device as their source.
pub(super) fn read(text: &str, path: &str) -> Vec<Guest> {
    let mut guest =
        Guest { name: String::new(), path: path.to_owned(), starts: false, domid: None, devices: Vec::new() };
    // What is being read: an element of a host's device, whether libvirt manages it, and whether its source is open.
    let mut open: Option<(&str, bool)> = None;
    let mut source = false;
    for tag in tags(text) {
        match tag.name {
            "domain" => guest.domid = tag.number("id").filter(|id| *id > 0),
            "name" if guest.name.is_empty() => guest.name = unescaped(tag.text.trim()),
            "hostdev" if tag.attribute("type") == Some("pci") => open = Some(("/hostdev", is_managed(&tag))),
            "interface" if tag.attribute("type") == Some("hostdev") => open = Some(("/interface", is_managed(&tag))),
            "source" => source = open.is_some() && !tag.empty,
            "/source" => source = false,
            "address" if source => {
                if let (Some(address), Some((_, managed))) = (address(&tag), open) {
                    guest.devices.push(Wanted {
                        pattern: Pattern::from(address),
                        location: Location { path: format!("/{path}"), line: Some(tag.line), column: None },
                        seized_at_start: managed,
                        slot: None,
                    });
                }
            }
            name if open.is_some_and(|(end, _)| end == name) => (open, source) = (None, false),
            _ => {}
        }
    }
    vec![guest]
}

/// With `managed='yes'` libvirt takes the device from dom0's driver when the guest is started.
fn is_managed(tag: &Tag<'_>) -> bool {
    tag.attribute("managed") == Some("yes")
}

fn address(tag: &Tag<'_>) -> Option<Address> {
    let number = |name| tag.number(name);
    let small = |name| u8::try_from(number(name)?).ok();
    Address::new(number("domain").unwrap_or(0), small("bus")?, small("slot")?, small("function").unwrap_or(0))
}
