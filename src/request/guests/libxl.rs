//! What libxl keeps of a guest that runs: `userdata-d.DOMID.UUID.libxl-json`, from Xen 4.5 on.

use super::super::Location;
use super::{Guest, Wanted};
use crate::pci::{Address, Pattern};

/// Deeper files are none of libxl's.
const DEEPEST: usize = 32;

/// The guest of one file, or of what `xl list -l` prints of one: the name in `c_info`, and the devices in `pcidevs`
/// (tools/libs/light/libxl_types.idl, `domain_config` and `device_pci`; from 4.16 on the numbers are in `bdf`). A field that is 0 or
/// false is not written.
pub(super) fn read(text: &str, path: &str) -> Vec<Guest> {
    let mut guest =
        Guest { name: String::new(), path: path.to_owned(), starts: false, domid: None, devices: Vec::new() };
    let mut device = Numbers::default();
    let _whole = walk(text, |keys, step, line| match (keys.strip_prefix(&["", "config"]).unwrap_or(keys), step) {
        (["c_info", "name"], Token::Scalar(name)) => name.clone_into(&mut guest.name),
        (["pcidevs", "", key] | ["pcidevs", "", "bdf", key], Token::Scalar(value)) => device.set(key, value),
        (["pcidevs", ""], Token::End) => {
            let device = std::mem::take(&mut device);
            guest.devices.extend(device.address().map(|address| Wanted {
                pattern: Pattern::from(address),
                location: Location { path: format!("/{path}"), line: Some(line), column: None },
                seized_at_start: device.seize,
                slot: None,
            }));
        }
        _ => {}
    });
    vec![guest]
}

/// The fields of one device.
#[derive(Default)]
struct Numbers {
    domain: u32,
    bus: u32,
    slot: u32,
    function: u32,
    seize: bool,
}

impl Numbers {
    fn set(&mut self, key: &str, value: &str) {
        // What is no number is outside any range, and makes no address.
        let number = || value.parse().unwrap_or(u32::MAX);
        match key {
            "domain" => self.domain = number(),
            "bus" => self.bus = number(),
            "dev" => self.slot = number(),
            "func" => self.function = number(),
            "seize" => self.seize = value == "true",
            _ => {}
        }
    }

    fn address(&self) -> Option<Address> {
        let small = |number: u32| u8::try_from(number).ok();
        Address::new(self.domain, small(self.bus)?, small(self.slot)?, small(self.function)?)
    }
}

/// What a walk over JSON meets.
enum Token<'a> {
    /// A text without its quotes and with its escapes, a number or a word.
    Scalar(&'a str),
    /// The end of an object or array.
    End,
}

/// Walks over a JSON text: `each` gets the keys that lead to a value (an empty one for an array's), the value, and its line.
/// `None` where the text is not JSON; what was read until there has been told.
fn walk(text: &str, mut each: impl FnMut(&[&str], Token<'_>, usize)) -> Option<()> {
    let mut keys: Vec<&str> = Vec::new();
    let (mut rest, mut line) = (text, 1);
    loop {
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n', ',']);
        line += rest.get(..rest.len() - trimmed.len())?.matches('\n').count();
        rest = trimmed;
        match rest.chars().next()? {
            open @ ('{' | '[') if keys.len() < DEEPEST => {
                keys.push(if open == '{' { "?" } else { "" });
                rest = rest.get(1..)?;
            }
            '}' | ']' => {
                keys.pop()?;
                each(&keys, Token::End, line);
                rest = rest.get(1..)?;
            }
            '"' => {
                let (value, behind) = quoted(rest)?;
                let behind = behind.trim_start();
                match behind.strip_prefix(':') {
                    Some(behind) => {
                        *keys.last_mut()? = value;
                        rest = behind;
                    }
                    None => {
                        each(&keys, Token::Scalar(value), line);
                        rest = behind;
                    }
                }
            }
            _ => {
                let end = rest.find([',', '}', ']', ' ', '\n', '\r', '\t']).filter(|end| *end > 0)?;
                let (value, behind) = rest.split_at_checked(end)?;
                each(&keys, Token::Scalar(value), line);
                rest = behind;
            }
        }
        if keys.is_empty() {
            return Some(());
        }
    }
}

/// What stands in quotes, and what follows. A text with escapes is told as it is written.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = inside.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some((inside.get(..end)?, inside.get(end + 1..)?))
}
