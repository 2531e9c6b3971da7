//! What libxl keeps of each guest that it started, whichever toolstack asked it to: `userdata-d.DOMID.UUID.libxl-json`.

use std::borrow::Cow;

use super::super::Location;
use super::{Guest, Wanted};
use crate::pci::{Address, Pattern};
use crate::record::json::{Value, elements, members};

/// The guest of one file: a `libxl_domain_config` as JSON (`tools/libs/light/libxl_types.idl`, 4.5 and later; libxl leaves out what has its
/// default, ends the file with a NUL, and takes devices in and out as they are attached and detached).
pub(super) fn read(text: &str, path: &str) -> Vec<Guest> {
    let text = text.trim_end_matches('\0').as_bytes();
    let mut guest =
        Guest { name: String::new(), path: path.to_owned(), starts: false, domid: None, devices: Vec::new() };
    let whole = members(text, |key, value| match (&*key, value) {
        (b"c_info", Value::Object(about)) => guest.name = name(about).unwrap_or_default(),
        (b"pcidevs", Value::Array(devices)) => {
            let read = elements(devices, |value| {
                if let Value::Object(one) = value {
                    guest.devices.extend(device(one, path));
                }
            });
            if read.is_none() {
                guest.devices.clear();
            }
        }
        _ => {}
    });
    if whole.is_some() { vec![guest] } else { Vec::new() }
}

fn name(about: &[u8]) -> Option<String> {
    let mut name = None;
    members(about, |key, value| {
        if let (b"name", Value::Text(text)) = (&*key, value) {
            name = Some(String::from_utf8_lossy(&text).into_owned());
        }
    })?;
    name
}

/// `{"func": 0, "dev": 29, "bus": 0, "domain": 0, "seize": true}` among other members.
fn device(device: &[u8], path: &str) -> Option<Wanted> {
    let (mut domain, mut bus, mut slot, mut function) = (Some(0), Some(0), Some(0), Some(0));
    let mut set = |key: Cow<'_, [u8]>, value: Value<'_>| {
        let number = match &*key {
            b"domain" => &mut domain,
            b"bus" => &mut bus,
            b"dev" => &mut slot,
            b"func" => &mut function,
            _ => return,
        };
        let Value::Number(digits) = value else { return };
        *number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u32>().ok());
    };
    members(device, |key, value| match (&*key, value) {
        // From 4.16 on the numbers are a struct of their own (`libxl_pci_bdf`).
        (b"bdf", Value::Object(numbers)) => drop(members(numbers, &mut set)),
        (_, value) => set(key, value),
    })?;
    let small = |number: Option<u32>| u8::try_from(number?).ok();
    let address = Address::new(domain?, small(bus)?, small(slot)?, small(function)?)?;
    Some(Wanted {
        pattern: Pattern::from(address),
        location: Location { path: format!("/{path}"), line: None, column: None },
        seized_at_start: false,
        slot: None,
    })
}
