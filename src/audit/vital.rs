//! Requested devices that dom0 itself cannot do without: the disk it runs from, its only console, its only network link.

use std::collections::BTreeSet;

use super::Context;
use super::facts::{about, device_file, file, some_of};
use super::statuses::Judged;
use crate::host::{Device, Host, PCIBACK, Use};
use crate::pci::Address;
use crate::report::{Code, Evidence, Finding, Severity, Status};
use crate::tree::Known;

/// File systems without which no dom0 starts, and all below them.
const SYSTEM: &[&str] = &["/boot", "/usr"];

/// Devices that a driver of dom0 has, or that pciback would have in a forecast; pciback's own are used by nothing. And devices
/// that only the list of the next boot names, if pciback will have them then.
pub(super) fn find(context: &Context<'_>, devices: &[Judged<'_>], findings: &mut Vec<Finding>) {
    let Some(host) = &context.host else { return };
    let at_stake = |judged: &&Judged<'_>| {
        let foretold = context.case.options.foretold.is_some() && matches!(judged.status, Status::Seized(_));
        judged.want.is_some() && (judged.status == Status::Held || foretold)
    };
    let mut used = used(host, devices.iter().filter(at_stake).map(|judged| judged.address));
    let machine = VitalUses::of(host, &used);
    let found = used.iter().filter_map(|(address, device, uses)| machine.vital(*address, device, uses, ""));
    findings.extend(found);
    let then = used_then(context, host);
    if then.is_empty() {
        return;
    }
    used.extend(&then);
    let machine = VitalUses::of(host, &used);
    let found = then.iter().filter_map(|(address, device, uses)| {
        machine.vital(*address, device, uses, ", and the next boot gives it to pciback")
    });
    findings.extend(found);
}

/// A device, and what dom0 uses it for.
type Used<'a> = (Address, &'a Device, &'a [Use]);

fn used(host: &Host, addresses: impl Iterator<Item = Address>) -> Vec<Used<'_>> {
    let there = host.devices.is();
    let used = |address: Address| {
        let device = there?.get(&address)?;
        Some((address, device, device.uses.is()?.as_slice()))
    };
    addresses.filter_map(used).filter(|(.., uses)| !uses.is_empty()).collect()
}

/// Devices in use that nobody asks for now, and that the next boot gives to pciback as it is foretold.
fn used_then<'a>(context: &Context<'_>, host: &'a Host) -> Vec<Used<'a>> {
    let Some(tree) = context.case.tree.as_ref().filter(|_| context.case.options.foretold.is_none()) else {
        return Vec::new();
    };
    let named = super::next_list::named_then(context);
    let new = named.into_iter().filter(|address| !context.demand.wanted.contains_key(address));
    let mut used = used(host, new);
    if used.is_empty() {
        return used;
    }
    let then = Host::read(&super::forecast::next_boot(tree, None, context.demand.grammar).tree);
    let is_pcibacks = |address: &Address| {
        let device = then.devices.is().and_then(|devices| devices.get(address));
        device.and_then(|device| device.driver.is()).is_some_and(|driver| driver == PCIBACK)
    };
    used.retain(|(address, ..)| is_pcibacks(address));
    used
}

/// What of the machine's consoles and links would be left.
struct VitalUses {
    /// Whether all consoles are on devices that are asked for.
    consoles: bool,
    /// The same of network links.
    links: bool,
}

impl VitalUses {
    fn of(host: &Host, used: &[Used<'_>]) -> Self {
        let all = || used.iter().flat_map(|(_, _, uses)| *uses);
        let consoles: BTreeSet<&str> =
            all().filter_map(|used| if let Use::Console(name) = used { Some(name.as_str()) } else { None }).collect();
        let links: BTreeSet<&str> =
            all().filter_map(|used| if let Use::Interface(name) = used { Some(name.as_str()) } else { None }).collect();
        let covers = |taken: &BTreeSet<&str>, there: &Known<Vec<String>>| {
            there.is().is_some_and(|there| there.iter().all(|name| taken.contains(name.as_str())))
        };
        Self { consoles: covers(&consoles, &host.consoles), links: covers(&links, &host.links) }
    }

    fn vital(&self, address: Address, device: &Device, uses: &[Use], when: &str) -> Option<Finding> {
        let mut needs: Vec<String> = uses.iter().filter_map(|used| self.need(used)).collect();
        needs.sort();
        needs.dedup();
        if needs.is_empty() {
            return None;
        }
        let message = format!("dom0 cannot do without it{when}: {}; take it off the list", some_of(&needs));
        let mut found = about(address, Code::BootCritical, Severity::Critical, message);
        found.evidence = uses.iter().filter_map(shown).take(3).collect();
        let driver = device.driver.is().map(String::as_str);
        found.evidence.push(file(device_file(address, "driver"), driver));
        Some(found)
    }

    /// What dom0 loses, where it needs that.
    fn need(&self, used: &Use) -> Option<String> {
        match used {
            Use::Mounted { name, at } => {
                let at = at.iter().find(|at| is_system(at))?;
                Some(format!("{at} is on it ({name})"))
            }
            Use::Swap(name) => Some(format!("swap space is on it ({name})")),
            // That is a guest's need, not dom0's.
            Use::GuestDisk { .. } | Use::VirtualFunction { .. } => None,
            Use::Interface(name) => self.links.then(|| format!("no other network link is up than {name}")),
            Use::Console(name) => self.consoles.then(|| format!("it carries the only console ({name})")),
        }
    }
}

fn is_system(at: &str) -> bool {
    at == "/"
        || SYSTEM
            .iter()
            .any(|above| at.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

fn shown(used: &Use) -> Option<Evidence> {
    let (path, value) = match used {
        Use::Mounted { name, at } => {
            let at = at.iter().find(|at| is_system(at))?;
            ("proc/self/mountinfo", format!("{name} is mounted at {at}"))
        }
        Use::Swap(name) => ("proc/swaps", format!("{name} is swap space")),
        Use::VirtualFunction { address, .. } => return Some(file(device_file(*address, "physfn"), None)),
        Use::GuestDisk { name, guest } => ("sys/bus/xen-backend/devices", format!("{name} is a disk of guest {guest}")),
        Use::Interface(name) => ("sys/class/net", format!("{name} is up")),
        Use::Console(name) => ("proc/consoles", format!("{name} is a console")),
    };
    Some(file(path, Some(&value)))
}
