//! One device as a guest's configuration names it.

use crate::pci::{Address, Pattern};

/// What one text of a `pci=` list names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spec {
    /// The devices: one, those of a list of functions, or all of a slot.
    pub(super) patterns: Vec<Pattern>,
    /// `seize=1`: xl takes the device from dom0's driver.
    pub(super) seize: Option<bool>,
    /// `@VSLOT`, from 4.15 on also `vslot=VSLOT`: the slot in an HVM guest, always in hexadecimal.
    pub(super) slot: Option<u8>,
}

/// Reads `[bdf=]BDF[@VSLOT][,key=value]...` (docs/man/xl-pci-configuration.5.pod, 4.2 and later), and xend's form of it with
/// lists of functions (`01:00.0-3`, `01:00.0,2`, `01:00.0=1`). A device that is named by `name=` (4.16) is nowhere in a file.
pub(super) fn read(text: &str) -> Spec {
    let mut spec = Spec::default();
    let mut functions = String::new();
    let mut slot = None;
    for part in text.split(',').map(str::trim) {
        match part.split_once('=') {
            Some(("bdf", bdf)) => slot = split(bdf, &mut functions),
            Some(("seize", value)) => spec.seize = Some(value.trim() != "0"),
            Some(("vslot", value)) => spec.slot = vslot(value),
            _ if slot.is_none() => slot = split(part, &mut functions),
            // xend's list of functions goes on.
            _ if part.starts_with(|first: char| first.is_ascii_digit()) => {
                functions.push(',');
                functions.push_str(part);
            }
            _ => {}
        }
    }
    let Some(slot) = slot else { return spec };
    let (functions, at) = functions.split_once('@').unwrap_or((&functions, ""));
    spec.slot = vslot(at).or(spec.slot);
    spec.patterns = patterns(slot, functions);
    spec
}

fn vslot(text: &str) -> Option<u8> {
    u8::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok().filter(|slot| *slot < 32)
}

/// Splits `0000:01:00.0@5` into its slot, as the address of the slot's function 0, and the text of its functions.
fn split(bdf: &str, functions: &mut String) -> Option<Address> {
    let (slot, rest) = bdf.trim().split_once('.')?;
    let slot = slot.strip_prefix("0x").unwrap_or(slot);
    rest.trim().clone_into(functions);
    format!("{slot}.0").parse().ok()
}

fn patterns(slot: Address, functions: &str) -> Vec<Pattern> {
    let whole = Pattern::from(slot);
    let one = |function: u8| Pattern { function: Some(function), ..whole };
    let number = |text: &str| text.trim().parse::<u8>().ok().filter(|function| *function <= 7);
    if functions.trim() == "*" {
        return vec![Pattern { function: None, ..whole }];
    }
    let mut patterns = Vec::new();
    for part in functions.split(',') {
        // `0=1` puts function 0 at the guest's function 1.
        let real = part.split('=').next().unwrap_or_default();
        match real.split_once('-') {
            Some((from, to)) => {
                if let (Some(from), Some(to)) = (number(from), number(to)) {
                    patterns.extend((from..=to).map(one));
                }
            }
            None => patterns.extend(number(real).map(one)),
        }
    }
    patterns.truncate(8);
    patterns
}
