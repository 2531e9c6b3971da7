//! Findings about guests' configurations: devices that a guest is to be given, and what stands against it.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{about, file, some_of};
use super::statuses::Judged;
use super::{Asked, Context, remedy};
use crate::host::PCIBACK;
use crate::pci::Address;
use crate::report::{Code, Evidence, Finding, Severity, Status};
use crate::request::guests::{self, Guest, Guests, Wanted};
use crate::tree::Known;

/// Which guests are to be given which device, by address.
pub(super) struct Claims<'a> {
    by_device: BTreeMap<Address, Vec<Claim<'a>>>,
    /// Slots of which a guest is to have all functions: the addresses that were found under each.
    slots: Vec<(Claim<'a>, Vec<Address>)>,
}

/// One guest's claim to a device.
#[derive(Clone, Copy)]
struct Claim<'a> {
    guest: &'a Guest,
    wanted: &'a Wanted,
}

/// Why a device that a guest is to have cannot be given to it.
enum Lack {
    Absent,
    Unusable,
    Elsewhere(String),
}

impl<'a> Claims<'a> {
    /// Of the devices that exist, as far as the host shows them; wildcards name no others.
    pub(super) fn of(guests: &'a Guests, context: &Context<'_>) -> Self {
        let devices = context.host.as_ref().and_then(|host| host.devices.is());
        let mut claims = Self { by_device: BTreeMap::new(), slots: Vec::new() };
        for guest in &guests.found {
            for wanted in &guest.devices {
                let claim = Claim { guest, wanted };
                let exists = |address: &Address| devices.is_some_and(|devices| devices.contains_key(address));
                let is_slot = wanted.pattern.is_wildcard();
                let named: Vec<Address> =
                    wanted.pattern.addresses().filter(|address| !is_slot || exists(address)).collect();
                for address in &named {
                    claims.by_device.entry(*address).or_default().push(claim);
                }
                if is_slot {
                    claims.slots.push((claim, named));
                }
            }
        }
        claims
    }

    /// The names of the guests that are to have a device.
    pub(super) fn guests(&self, address: Address) -> Vec<&'a str> {
        let claims = self.by_device.get(&address).map(Vec::as_slice).unwrap_or_default();
        let names: BTreeSet<&str> = claims.iter().map(|claim| claim.guest.name.as_str()).collect();
        names.into_iter().collect()
    }

    /// What each guest has to do with a device, and the file that says it.
    pub(super) fn stories(&self, address: Address) -> Vec<(String, Evidence)> {
        let claims = self.by_device.get(&address).map(Vec::as_slice).unwrap_or_default();
        let story = |claim: &Claim<'a>| {
            let name = &claim.guest.name;
            let text = match claim.guest.domid {
                Some(domid) => format!("{name} ({domid}) was started with it"),
                None if claim.guest.starts => format!("{name} is to have it, and is started with dom0"),
                None => format!("{name} is to have it"),
            };
            (text, claim.named())
        };
        claims.iter().take(8).map(story).collect()
    }
}

pub(super) fn find(context: &Context<'_>, claims: &Claims<'_>, devices: &[Judged<'_>], findings: &mut Vec<Finding>) {
    let only_named = matches!(context.case.asked, Asked::Devices(_) | Asked::Policy(_));
    let judged = |address: Address| {
        devices.binary_search_by_key(&address, |judged| judged.address).ok().and_then(|at| devices.get(at))
    };
    let counts = |address: Address| !only_named || judged(address).is_some_and(|judged| judged.want.is_some());
    for (address, claims) in claims.by_device.iter().filter(|(address, _)| counts(**address)) {
        findings.extend(clash(*address, claims));
        let single = |claim: &&Claim<'_>| !claim.wanted.pattern.is_wildcard();
        let singles: Vec<&Claim<'_>> = claims.iter().filter(single).collect();
        findings.extend(unseized(context, *address, judged(*address), &singles));
    }
    for (claim, named) in &claims.slots {
        let lacks = |address: &Address| lack(context, *address, judged(*address)).is_some();
        // xl passes over functions that pciback does not have, unless it has none of them.
        if let Some(first) = named.first().filter(|first| counts(**first) && named.iter().all(lacks)) {
            findings.extend(unseized(context, *first, judged(*first), &[claim]));
        }
    }
    for judged in
        devices.iter().filter(|judged| matches!(judged.status, Status::Seized(_) | Status::Unrequested { .. }))
    {
        findings.extend(in_use(context, claims, judged.address));
    }
}

/// What is known to stand against giving the device to a guest.
fn lack(context: &Context<'_>, address: Address, judged: Option<&Judged<'_>>) -> Option<Lack> {
    let host = context.host.as_ref();
    let devices = host.and_then(|host| host.devices.is());
    let device = devices.and_then(|devices| devices.get(&address));
    let holder = || match device.map(|device| &device.driver) {
        Some(Known::Is(driver)) => format!("{driver} has it"),
        _ => "pciback does not have it".to_owned(),
    };
    if let Some(judged) = judged {
        return match judged.status {
            Status::Absent => Some(Lack::Absent),
            Status::Failed => Some(Lack::Unusable),
            Status::Held | Status::Unbound | Status::Lost { .. } | Status::Missing => Some(Lack::Elsewhere(holder())),
            Status::Seized(_) | Status::Bridge | Status::Unconfirmed | Status::Unrequested { .. } => None,
        };
    }
    match device.map(|device| &device.driver) {
        Some(Known::Is(driver)) if driver == PCIBACK => None,
        Some(Known::Is(_) | Known::Absent) => Some(Lack::Elsewhere(holder())),
        Some(Known::Unreadable(_)) => None,
        None => (devices.is_some() && host.is_some_and(|host| host.lspci.is_none())).then_some(Lack::Absent),
    }
}

/// A guest that cannot start, since pciback does not have its device. Files of running guests say what was, not what is to be.
fn unseized(
    context: &Context<'_>,
    address: Address,
    judged: Option<&Judged<'_>>,
    claims: &[&Claim<'_>],
) -> Option<Finding> {
    let lack = lack(context, address, judged)?;
    // A toolstack that takes devices at the guest's start needs no more than that the device is there.
    let needs = |claim: &&&Claim<'_>| {
        claim.guest.domid.is_none() && (matches!(lack, Lack::Absent) || !claim.wanted.seized_at_start)
    };
    let claims: Vec<&Claim<'_>> = claims.iter().filter(needs).copied().collect();
    if claims.is_empty() {
        return None;
    }
    let why = match &lack {
        Lack::Absent => "there is no such device",
        Lack::Unusable => "pciback could not set it up",
        Lack::Elsewhere(holder) => holder,
    };
    let guests: BTreeSet<&str> = claims.iter().map(|claim| claim.guest.name.as_str()).collect();
    let names = some_of(&guests.iter().collect::<Vec<_>>());
    let noun = if guests.len() == 1 { "guest" } else { "guests" };
    let message = format!("{noun} {names} cannot start with it: {why}");
    let mut found = about(address, Code::GuestWantsUnseized, Severity::Critical, message);
    found.evidence = claims.iter().take(3).map(|claim| claim.named()).collect();
    let device = context.host.as_ref().and_then(|host| host.devices.is()).and_then(|devices| devices.get(&address));
    let asked = judged.is_some_and(|judged| judged.want.is_some());
    found.remedy = match lack {
        // The finding about the device itself says how.
        Lack::Elsewhere(_) if !asked => remedy::take(context, address, device),
        Lack::Elsewhere(_) | Lack::Unusable => Vec::new(),
        Lack::Absent => {
            vec!["# correct the guest's configuration: lspci -D lists the devices that there are".to_owned()]
        }
    };
    Some(found)
}

/// Several guests that are to have one device: only one of them can run.
fn clash(address: Address, claims: &[Claim<'_>]) -> Option<Finding> {
    let mut guests: BTreeMap<&str, bool> = BTreeMap::new();
    for claim in claims {
        *guests.entry(&claim.guest.name).or_default() |= claim.guest.starts;
    }
    if guests.len() < 2 {
        return None;
    }
    let starting = guests.values().filter(|starts| **starts).count();
    let severity = if starting > 1 { Severity::Critical } else { Severity::Warning };
    let when = if starting > 1 { "more than one of them is started with dom0" } else { "they cannot run at once" };
    let names = some_of(&guests.keys().collect::<Vec<_>>());
    let mut found = about(address, Code::GuestClash, severity, format!("guests {names} name it, and {when}"));
    found.evidence = claims.iter().take(4).map(|claim| claim.named()).collect();
    found.remedy = vec!["# leave it to one of them; or never start more than one".to_owned()];
    Some(found)
}

/// Which guest has the device, or had it last: that it was given back is not logged, and only seen in sysfs.
fn in_use(context: &Context<'_>, claims: &Claims<'_>, address: Address) -> Option<Finding> {
    let given = context.history.trails.get(&address).and_then(|trail| trail.guest.as_ref());
    let is_gone = |domid| context.case.tree.as_ref().is_some_and(|tree| guests::is_gone(tree, domid));
    let given = given.filter(|(domid, _)| !is_gone(*domid));
    let of_device = claims.by_device.get(&address).map(Vec::as_slice).unwrap_or_default();
    let running = of_device.iter().find(|claim| match (given, claim.guest.domid) {
        (Some((domid, _)), Some(own)) => *domid == own,
        (_, domid) => given.is_none() && domid.is_some(),
    });
    let message = match (given, running) {
        (Some((domid, _)), Some(claim)) => format!("guest {} ({domid}) was given it", claim.guest.name),
        (Some((domid, _)), None) => format!("guest {domid} was given it; that it gave it back would not be logged"),
        (None, Some(claim)) => {
            let domid = claim.guest.domid.unwrap_or_default();
            format!("guest {} ({domid}) was started with it", claim.guest.name)
        }
        (None, None) => return None,
    };
    let mut found = about(address, Code::InUse, Severity::Info, message);
    if let Some((_, fact)) = given {
        found.evidence.push(context.shown(fact));
    }
    found.evidence.extend(running.map(|claim| claim.named()));
    Some(found)
}

impl Claim<'_> {
    fn named(self) -> Evidence {
        let line = self.wanted.location.line.map_or_else(String::new, |line| format!(" (line {line})"));
        file(self.guest.path.clone(), Some(&format!("guest {} names it{line}", self.guest.name)))
    }
}
