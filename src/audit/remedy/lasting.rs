//! Whether the list outlives a reboot: what pciback is given then, and what has to be written down.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Context;
use super::super::forecast::next_list;
use super::safe::{Hindrance, crash, hindrance};
use crate::host::PCIBACK;
use crate::pci::{Address, Pattern};
use crate::request::hide::{self, LONGEST};
use crate::request::{Source, Written, unmade};
use crate::tree::Tree;

/// What pciback is given.
pub(super) enum Lasting {
    /// A list that names the devices.
    Holds(Written),
    /// A list that does not name them all.
    Elsewhere {
        /// That list.
        place: Written,
        /// The same with the missing devices, where the kernel takes so long a list.
        merged: Option<String>,
    },
    /// No list: this one has to be written down, unless the kernel would not take it.
    Nowhere(Option<String>),
}

/// What modprobe gives pciback now, as far as these devices go.
pub(super) fn now<'b>(context: &Context<'_>, devices: impl Iterator<Item = &'b Address>) -> Lasting {
    of(context, in_force(context), devices)
}

/// What the next boot of a machine with these files gives pciback, as far as these devices go. A list that a program has yet to
/// make the boot loader's file of is one of them.
pub(super) fn next<'b>(context: &Context<'_>, tree: &Tree, devices: impl Iterator<Item = &'b Address>) -> Lasting {
    let place = match next_list(tree) {
        Ok(place) => place.or_else(|| unmade_list(context, tree)),
        Err(_unknown) => in_force(context),
    };
    of(context, place, devices)
}

/// The order of strength of kmod: the kernel's command line, which the log may tell as well, then modprobe.d.
fn in_force(context: &Context<'_>) -> Option<Written> {
    let places = [Source::CommandLine, Source::Log, Source::Modprobe];
    places.iter().find_map(|source| context.demand.effective(*source)).cloned()
}

fn unmade_list(context: &Context<'_>, tree: &Tree) -> Option<Written> {
    let key = format!("{}.hide", super::module(context));
    let text = unmade::argument(tree, &key).filter(|text| !text.is_empty())?.into_bytes();
    Some(Written { text, source: Source::BootLoader, location: None, key, effective: true })
}

fn of<'b>(context: &Context<'_>, place: Option<Written>, devices: impl Iterator<Item = &'b Address>) -> Lasting {
    let Some(place) = place else { return Lasting::Nowhere(harmless(context)) };
    let list = place.read(context.demand.grammar);
    let nearest = if list.accepted() { None } else { hide::nearest(&place.text, context.demand.grammar) };
    if !list.accepted() && nearest.is_none() {
        return Lasting::Elsewhere { place, merged: None };
    }
    let list = nearest.as_ref().map_or(list, |text| hide::read(text.as_bytes(), context.demand.grammar));
    let patterns: Vec<Pattern> = list.in_force().map(|entry| entry.pattern).collect();
    let names = |address: &Address| patterns.iter().any(|pattern| pattern.matches(*address));
    let bridge = |address: &Address| context.demand.wanted.get(address).and_then(|want| want.behind);
    let is_named = |address: &&Address| names(address) || bridge(address).is_some_and(|bridge| names(&bridge));
    let missing: Vec<Pattern> = devices.filter(|address| !is_named(address)).map(|a| Pattern::from(*a)).collect();
    match nearest {
        None if missing.is_empty() => Lasting::Holds(place),
        Some(_) if missing.is_empty() => Lasting::Elsewhere { place, merged: nearest },
        None | Some(_) => {
            let merged = hide::shortest(&[patterns, missing].concat(), context.demand.grammar.era);
            Lasting::Elsewhere { place, merged: short_enough(merged) }
        }
    }
}

/// The devices of this machine that a list in force means which the kernel refuses.
pub(super) fn corrected(context: &Context<'_>) -> Vec<Address> {
    let refused = context.demand.list.as_ref().filter(|(_, list)| list.fault.is_some());
    let nearest = refused.and_then(|(place, _)| hide::nearest(&place.text, context.demand.grammar)).unwrap_or_default();
    let list = hide::read(nearest.as_bytes(), context.demand.grammar);
    let patterns: Vec<Pattern> = list.in_force().map(|entry| entry.pattern).collect();
    let there = context.host.as_ref().and_then(|host| host.devices.is());
    let is_meant = |address: &&Address| patterns.iter().any(|pattern| pattern.matches(**address));
    there.into_iter().flat_map(|devices| devices.keys()).filter(is_meant).copied().collect()
}

/// The list that is asked for, without the devices that dom0 uses: written down, it would take them at the next boot.
fn harmless(context: &Context<'_>) -> Option<String> {
    let risk = at_risk(context, context.demand.wanted.keys().copied());
    let is_used = |(address, risk): (Address, Hindrance)| matches!(risk, Hindrance::Used(_)).then_some(address);
    let used: BTreeSet<Address> = risk.into_iter().filter_map(is_used).collect();
    if used.is_empty() {
        return asked(context);
    }
    let rest = context.demand.wanted.keys().filter(|address| !used.contains(address));
    let rest = rest.filter(|address| !context.demand.bridges.contains(address));
    let rest: Vec<Pattern> = rest.map(|address| Pattern::from(*address)).collect();
    short_enough(hide::shortest(&rest, context.demand.grammar.era))
}

/// Those of these devices that another driver has and that dom0 uses, or may use, each with the reason: what a list names that
/// is read before that driver comes, dom0 loses at the next boot.
pub(super) fn at_risk(context: &Context<'_>, devices: impl Iterator<Item = Address>) -> BTreeMap<Address, Hindrance> {
    let there = context.host.as_ref().and_then(|host| host.devices.is());
    let risk = |address: Address| {
        let device = there?.get(&address)?;
        device.driver.is().filter(|driver| *driver != PCIBACK && !device.is_bridge())?;
        let hindrance = crash(context, address, true).unwrap_or_else(|| hindrance(context, address, device));
        (hindrance != Hindrance::None).then_some((address, hindrance))
    };
    devices.filter_map(risk).collect()
}

/// The same of every device that a list names, or that is behind a bridge that it names.
pub(super) fn at_risk_of(context: &Context<'_>, list: &str) -> BTreeMap<Address, Hindrance> {
    let list = hide::read(list.as_bytes(), context.demand.grammar);
    let patterns: Vec<Pattern> = list.in_force().map(|entry| entry.pattern).collect();
    let there = context.host.as_ref().and_then(|host| host.devices.is());
    let named = |address: &Address| patterns.iter().any(|pattern| pattern.matches(*address));
    let named =
        there.into_iter().flatten().filter(|(address, device)| named(address) || device.bridges.iter().any(named));
    at_risk(context, named.map(|(address, _)| *address))
}

/// The whole list that is asked for, in a form that shell, modprobe and kernel all take as it is. None where nothing is
/// asked for, or more than a list can hold.
pub(super) fn asked(context: &Context<'_>) -> Option<String> {
    let refused = context.demand.list.as_ref().filter(|(_, list)| list.fault.is_some());
    if let Some(nearest) = refused.and_then(|(place, _)| hide::nearest(&place.text, context.demand.grammar)) {
        return Some(nearest);
    }
    let list = context.demand.list.as_ref().map(|(_, list)| list).filter(|list| list.fault.is_none());
    let patterns: Vec<Pattern> = if let Some(list) = list {
        // A tab between two entries and no blank makes kmod's argument end there, so all white space goes.
        let bytes = list.text().iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != 0x0b);
        let text: String = bytes.map(|byte| char::from(*byte)).collect();
        let is_plain = text.bytes().all(|byte| byte.is_ascii_hexdigit() || b"()*:.xX".contains(&byte));
        let meant = |list: &hide::HideList| list.in_force().map(|entry| entry.pattern).collect::<Vec<_>>();
        let same = hide::read(text.as_bytes(), context.demand.grammar);
        if is_plain && text.len() <= LONGEST && same.fault.is_none() && meant(&same) == meant(list) {
            let short = hide::shortest(&meant(list), context.demand.grammar.era);
            let is_long = text.len() > LINE && short.len() < text.len() && !short.is_empty();
            return Some(if is_long { short } else { text }).filter(|text| !text.is_empty());
        }
        meant(list)
    } else {
        let wanted = context.demand.wanted.iter().filter(|(_, want)| want.behind.is_none());
        wanted.map(|(address, _)| Pattern::from(*address)).collect()
    };
    short_enough(hide::shortest(&patterns, context.demand.grammar.era))
}

/// A list that is longer is written as short as it can be: behind `options xen-pciback hide=` it fills a line of 80 columns.
const LINE: usize = 55;

fn short_enough(list: String) -> Option<String> {
    Some(list).filter(|list| !list.is_empty() && list.len() <= LONGEST)
}
