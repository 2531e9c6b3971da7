//! Which devices a guest is to have, and where it sees them.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::facts::finding;
use crate::audit::{Asked, Case};
use crate::event::GuestKind;
use crate::pci::Address;
use crate::report::{Code, Finding, Severity};
use crate::request::guests::Wanted;

/// Where the guest is to have each device, with its address in dom0 where that is known; and those of dom0 of which nobody knows
/// where the guest has them.
pub(super) fn of(
    case: &Case,
    kind: Option<GuestKind>,
    seen: &BTreeSet<Address>,
) -> (BTreeMap<Address, Option<Address>>, Vec<Address>) {
    match (&case.guest, &case.asked) {
        (Some(config), _) if kind == Some(GuestKind::Hvm) => by_qemu(&config.devices, seen),
        (Some(config), _) => (by_pciback(&config.devices, seen), Vec::new()),
        (None, Asked::Devices(addresses)) => (addresses.iter().map(|address| (*address, None)).collect(), Vec::new()),
        (None, Asked::Found { .. } | Asked::List(_) | Asked::Policy(_)) => (BTreeMap::new(), Vec::new()),
    }
}

/// A device of an HVM guest of which only QEMU knows where it is.
pub(super) fn unplaced(real: Address) -> Finding {
    let message = format!(
        "QEMU chooses the slot in which an HVM guest sees dom0's {real}: look for it there by lspci -nn; `@SLOT` behind the device in pci= fixes it"
    );
    finding(Code::Unsettled, Severity::Unknown, message)
}

/// The slot that the configuration names (`@VSLOT`, docs/man/xl-pci-configuration.5.pod), on bus 0. A single function is function 0
/// there; those of a whole slot keep their numbers (`tools/libs/util/libxlu_pci.c`, `vfunc_mask`).
fn by_qemu(devices: &[Wanted], seen: &BTreeSet<Address>) -> (BTreeMap<Address, Option<Address>>, Vec<Address>) {
    let (mut placed, mut unplaced) = (BTreeMap::new(), Vec::new());
    for wanted in devices {
        let is_whole = wanted.pattern.is_wildcard();
        let Some(first) = wanted.pattern.addresses().next() else { continue };
        let Some(slot) = wanted.slot else {
            unplaced.push(first);
            continue;
        };
        let at = |real: Address| Address::new(0, 0, slot, if is_whole { real.function() } else { 0 });
        let all = wanted.pattern.addresses().filter_map(|real| Some((at(real)?, Some(real))));
        placed.extend(all.filter(|(at, real)| *real == Some(first) || seen.contains(at)));
    }
    (placed, unplaced)
}

/// Where pciback's virtual bus has the devices of a PV guest (drivers/xen/xen-pciback/vpci.c, `__xen_pcibk_add_pci_dev`): slots
/// are counted in the order of the list, functions of one slot of dom0 stay together and keep their number. Its parameter
/// `passthrough=1` leaves addresses as they are (passthrough.c). Virtual functions are numbered otherwise: where as many devices
/// are in other places as are missing from theirs, they are those.
fn by_pciback(devices: &[Wanted], seen: &BTreeSet<Address>) -> BTreeMap<Address, Option<Address>> {
    let single = |wanted: &Wanted| wanted.pattern.addresses().next().filter(|_| !wanted.pattern.is_wildcard());
    let reals: Vec<Address> = devices.iter().filter_map(single).collect();
    if !reals.is_empty() && reals.iter().all(|real| seen.contains(real)) {
        return reals.into_iter().map(|real| (real, Some(real))).collect();
    }
    let mut slots: Vec<(u32, u8, u8)> = Vec::new();
    let mut placed = BTreeMap::new();
    for wanted in devices {
        let Some(first) = wanted.pattern.addresses().next() else { continue };
        let slot = (first.domain(), first.bus(), first.slot());
        let number = slots.iter().position(|known| *known == slot).unwrap_or_else(|| {
            slots.push(slot);
            slots.len() - 1
        });
        let at =
            |real: Address| u8::try_from(number).ok().and_then(|number| Address::new(0, 0, number, real.function()));
        let there = wanted.pattern.addresses().filter_map(|real| Some((at(real)?, real)));
        let is_whole = wanted.pattern.is_wildcard();
        let known: Vec<(Address, Address)> = there.filter(|(at, _)| !is_whole || seen.contains(at)).collect();
        let first = at(first).map(|at| (at, first)).filter(|_| known.is_empty());
        placed.extend(known.into_iter().chain(first).map(|(at, real)| (at, Some(real))));
    }
    renumbered(placed, seen)
}

fn renumbered(
    mut placed: BTreeMap<Address, Option<Address>>,
    seen: &BTreeSet<Address>,
) -> BTreeMap<Address, Option<Address>> {
    let missing: Vec<Address> = placed.keys().filter(|at| !seen.contains(at)).copied().collect();
    let others: Vec<Address> = seen.iter().filter(|at| !placed.contains_key(at)).copied().collect();
    if missing.len() == others.len() {
        for (from, to) in missing.into_iter().zip(others) {
            if let Some(real) = placed.remove(&from) {
                placed.insert(to, real);
            }
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::guests::of_file;

    fn placed(pci: &str, seen: &[&str]) -> Vec<String> {
        let config = of_file(&format!("name = 'x'\npci = [ {pci} ]\n"), "x.cfg").unwrap();
        let seen = seen.iter().map(|address| address.parse().unwrap()).collect();
        let name = |(at, real): (Address, Option<Address>)| format!("{}={}", at.short(), real.unwrap().short());
        by_pciback(&config.devices, &seen).into_iter().map(name).collect()
    }

    #[test]
    fn slots_are_counted_and_functions_kept() {
        assert_eq!(
            placed("'05:00.1', '06:00.0', '05:00.0'", &[]),
            ["00:00.0=05:00.0", "00:00.1=05:00.1", "00:01.0=06:00.0"]
        );
        assert_eq!(placed("'05:00.*'", &["00:00.0", "00:00.3"]), ["00:00.0=05:00.0", "00:00.3=05:00.3"]);
        assert_eq!(placed("'05:00.*'", &[]), ["00:00.0=05:00.0"]);
    }

    #[test]
    fn what_pciback_may_do_otherwise_is_told_by_what_the_guest_has() {
        assert_eq!(placed("'05:00.1', '06:00.0'", &["05:00.1", "06:00.0"]), ["05:00.1=05:00.1", "06:00.0=06:00.0"]);
        assert_eq!(placed("'05:10.1', '05:10.3'", &["00:00.0", "00:01.0"]), ["00:00.0=05:10.1", "00:01.0=05:10.3"]);
        assert_eq!(placed("'05:00.0', '06:00.0'", &["00:00.0"]), ["00:00.0=05:00.0", "00:01.0=06:00.0"]);
    }

    #[test]
    fn an_hvm_guest_has_a_device_where_its_configuration_says() {
        let config = of_file("pci = ['05:00.1@7', '06:00.0']", "x").unwrap();
        let read = |text: &str| text.parse::<Address>().unwrap();
        let (placed, unplaced) = by_qemu(&config.devices, &BTreeSet::new());
        assert_eq!(placed, BTreeMap::from([(read("00:07.0"), Some(read("05:00.1")))]));
        assert_eq!(unplaced, [read("06:00.0")]);
        let config = of_file("pci = ['bdf=05:00.*,vslot=1f']", "x").unwrap();
        let (placed, _) = by_qemu(&config.devices, &BTreeSet::from([read("00:1f.1")]));
        let whole = [("00:1f.0", "05:00.0"), ("00:1f.1", "05:00.1")];
        assert_eq!(placed, whole.map(|(at, real)| (read(at), Some(read(real)))).into());
    }
}
