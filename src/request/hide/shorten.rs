//! A shorter list that means exactly the same.

use std::collections::BTreeMap;

use crate::pci::{Address, Era, Pattern};

/// The functions of every slot of a bus, a bit each.
type Bus = [u8; 32];

/// The shortest list that names exactly the addresses of `patterns`: each once, in bus order, domain 0 left out, and
/// from 3.7 on all functions of a slot, or all of a bus, as one entry.
pub fn shortest(patterns: &[Pattern], era: Era) -> String {
    let mut buses: BTreeMap<(u32, u8), Bus> = BTreeMap::new();
    for address in patterns.iter().flat_map(|pattern| pattern.addresses()) {
        let bus = buses.entry((address.domain(), address.bus())).or_default();
        if let Some(functions) = bus.get_mut(usize::from(address.slot())) {
            *functions |= 1 << address.function();
        }
    }
    let wildcards = era == Era::From3_7;
    let entries = buses.into_iter().flat_map(|((domain, bus), slots)| of_bus(domain, bus, &slots, wildcards));
    entries.map(short).collect()
}

/// The fewest patterns for one bus.
fn of_bus(domain: u32, bus: u8, slots: &Bus, wildcards: bool) -> Vec<Pattern> {
    if wildcards && slots.iter().all(|functions| *functions == u8::MAX) {
        return vec![Pattern { domain, bus, slot: None, function: None }];
    }
    let of_slot = |(slot, functions): (u8, &u8)| {
        let pattern = |function| Pattern { domain, bus, slot: Some(slot), function };
        match functions {
            &u8::MAX if wildcards => vec![pattern(None)],
            functions => (0..8).filter(|bit| functions & (1 << bit) != 0).map(|bit| pattern(Some(bit))).collect(),
        }
    };
    (0..32).zip(slots).flat_map(of_slot).collect()
}

/// The entry without its domain when that is 0.
fn short(entry: Pattern) -> String {
    entry.to_string().replacen("(0000:", "(", 1)
}

/// Every address that `patterns` name, once, in bus order.
pub fn addresses(patterns: &[Pattern]) -> Vec<Address> {
    let mut all: Vec<_> = patterns.iter().flat_map(|pattern| pattern.addresses()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::hide::read;

    fn patterns(list: &str) -> Vec<Pattern> {
        read(list.as_bytes(), Era::From3_7).entries.into_iter().map(|entry| entry.pattern).collect()
    }

    #[test]
    fn wildcards_are_used_only_where_they_name_the_same() {
        let all_of =
            |slot: &str| (0..8).map(|function| format!("(0000:00:{slot}.{function})")).collect::<Vec<_>>().concat();
        for (list, shorter, without_wildcards) in [
            ("(0000:00:1d.0)(0:1D.0)", "(00:1d.0)", "(00:1d.0)"),
            ("(0001:00:1d.7)(00:1d.0)", "(00:1d.0)(0001:00:1d.7)", "(00:1d.0)(0001:00:1d.7)"),
            (&all_of("1d"), "(00:1d.*)", &all_of("1d").replace("0000:", "")),
            ("(00:1d.*)(00:1d.3)", "(00:1d.*)", &all_of("1d").replace("0000:", "")),
            ("(2:*.*)(2:1.0)", "(02:*.*)", ""),
            ("", "", ""),
        ] {
            assert_eq!(shortest(&patterns(list), Era::From3_7), shorter);
            if !without_wildcards.is_empty() {
                assert_eq!(shortest(&patterns(list), Era::UpTo3_6), without_wildcards);
            }
        }
        assert_eq!(addresses(&patterns("(0:1d.1)(0:1d.*)")).len(), 8);
    }

    #[test]
    fn the_function_of_every_slot_stays_that_function() {
        let every_slot = patterns("(0:0:ffffffff.0)");
        let shorter = shortest(&every_slot, Era::From3_7);
        assert_eq!(addresses(&patterns(&shorter)), addresses(&every_slot));
        assert!(shorter.starts_with("(00:00.0)(00:01.0)"));
    }
}
