//! Entries of a list that another entry covers: a wildcard, or a bridge above the device.

use super::Context;
use super::facts::{finding, some_of, written};
use crate::pci::Pattern;
use crate::report::{Code, Finding, Severity};
use crate::request::hide::{Entry, HideList, shortest};
use crate::request::{Source, Written};

/// One finding for all such entries.
pub(super) fn find(context: &Context<'_>, place: &Written, list: &HideList) -> Option<Finding> {
    // pciback's own list has each device, whatever named it.
    if place.source == Source::Slots || list.fault.is_some() {
        return None;
    }
    let wide: Vec<&Entry> = list.entries.iter().filter(|entry| entry.pattern.is_wildcard()).collect();
    let covered: Vec<String> = list.entries.iter().filter_map(|entry| covered(context, list, &wide, entry)).collect();
    if covered.is_empty() {
        return None;
    }
    let mut found = finding(Code::OverlappingEntry, Severity::Info, some_of(&covered));
    found.evidence.push(written(place));
    if !wide.is_empty() {
        let patterns: Vec<Pattern> = list.in_force().map(|entry| entry.pattern).collect();
        found.remedy = vec![format!(
            "# the shortest list that says the same: {}",
            shortest(&patterns, context.demand.grammar.era)
        )];
    }
    Some(found)
}

/// Which other entry covers this one.
fn covered(context: &Context<'_>, list: &HideList, wide: &[&Entry], entry: &Entry) -> Option<String> {
    let address = entry.pattern.addresses().next()?;
    let text = list.quote(&entry.text);
    let wider = |other: &&&Entry| {
        let narrower = other.pattern.slot.is_none() && entry.pattern.slot.is_some();
        (!entry.pattern.is_wildcard() || narrower) && other.pattern != entry.pattern && other.pattern.matches(address)
    };
    if let Some(other) = wide.iter().find(wider) {
        return Some(format!("{} covers {text}", list.quote(&other.text)));
    }
    let devices = context.host.as_ref().and_then(|host| host.devices.is())?;
    let bridges = &devices.get(&address).filter(|_| !entry.pattern.is_wildcard())?.bridges;
    let above = |other: &&Entry| {
        let named = other.pattern.addresses().next().filter(|_| !other.pattern.is_wildcard());
        named.is_some_and(|bridge| bridges.contains(&bridge))
    };
    let bridge = list.entries.iter().find(above)?;
    Some(format!("the bridge {} covers {text}", list.quote(&bridge.text)))
}
