//! The one order of statuses: for each device the first line of the contract's table that applies.

use super::Context;
use super::demand::Want;
use super::facts::finding;
use crate::history::{Driver, Trail, is_settled};
use crate::host::{Device as HostDevice, Distribution, Host, PCIBACK};
use crate::pci::Address;
use crate::record::Author;
use crate::report::{Basis, Code, Finding, Proof, Severity, Status};
use crate::request::{Source, qubes};
use crate::tree::Known;

/// How many devices that nobody asked for are told one by one. No host has so many: whoever can write to a log invents them.
const MOST_UNREQUESTED: usize = 1 << 12;

/// One device, judged.
pub(super) struct Judged<'a> {
    pub address: Address,
    pub want: Option<&'a Want>,
    pub status: Status,
    pub basis: Basis,
    /// Whether the status rests on a log that does not say who wrote its lines.
    pub on_unstated: bool,
}

/// Every requested device, and every other that pciback holds, by address. The number of those that are too many is a finding.
pub(super) fn judge<'a>(context: &'a Context<'_>, findings: &mut Vec<Finding>) -> Vec<Judged<'a>> {
    let mut judged: Vec<Judged<'_>> =
        context.demand.wanted.iter().map(|(address, want)| requested(context, *address, want)).collect();
    if !matches!(context.case.asked, super::Asked::Devices(_)) {
        let mut others = unrequested(context);
        // The failed ones first: they are worse.
        others.sort_by_key(|device| device.status != Status::Failed);
        let beyond = others.len().saturating_sub(MOST_UNREQUESTED);
        if beyond > 0 {
            let message =
                format!("the records of pciback name {beyond} further devices that no list names: too many to show");
            findings.push(finding(Code::Unrequested, Severity::Warning, message));
        }
        judged.extend(others.into_iter().take(MOST_UNREQUESTED));
    }
    judged.sort_by_key(|device| device.address);
    judged
}

fn requested<'a>(context: &Context<'_>, address: Address, want: &'a Want) -> Judged<'a> {
    let empty = Trail::default();
    let trail = context.history.trails.get(&address).unwrap_or(&empty);
    // `lspci` says nothing of a device that it was not asked for.
    let shows =
        |host: &&Host| host.lspci.is_none() || host.devices.is().is_some_and(|devices| devices.contains_key(&address));
    let (status, basis) = match context.host.as_ref().filter(shows) {
        Some(host) => (by_host(host, address, trail), Basis::Host),
        None => (by_log(context, address, trail), Basis::Log),
    };
    // Where the host proved it without the log, nothing rests on the log.
    let log_needed = context.host.as_ref().is_none_or(|host| proof_by_host(host, address).is_none());
    let unstated = trail.proof().is_some_and(|fact| fact.author == Author::Unstated);
    let on_unstated = matches!(status, Status::Seized(_)) && log_needed && unstated;
    Judged { address, want: Some(want), status, basis, on_unstated }
}

/// Lines 1 to 7: the host decides the state now, the log why and when.
fn by_host(host: &Host, address: Address, trail: &Trail) -> Status {
    let Known::Is(devices) = &host.devices else { return Status::Unconfirmed };
    // 1
    let Some(device) = devices.get(&address) else { return Status::Absent };
    match &device.driver {
        Known::Unreadable(_) => Status::Unconfirmed,
        // 2
        Known::Is(driver) if driver == PCIBACK => bound(host, address, trail),
        // 3
        _ if device.is_bridge() => Status::Bridge,
        // 4
        _ if trail.trouble.is_some() => Status::Failed,
        // 5
        _ if trail.was_seized() && !trail.unsure && !trail.lossy => {
            Status::Lost { by_hand: released_by_hand(host, address) }
        }
        // 6
        Known::Is(_) => Status::Held,
        // 7
        Known::Absent => Status::Unbound,
    }
}

/// Line 2: bound to pciback, which is not yet of use to any guest.
fn bound(host: &Host, address: Address, trail: &Trail) -> Status {
    if let Some(proof) = proof_by_host(host, address) {
        return Status::Seized(proof);
    }
    let listed = host.pciback.is().and_then(|pciback| pciback.irq_handlers.is()).and_then(|page| page.lists(address));
    match (listed, Proof::by_log(trail)) {
        (Some(false), _) => Status::Failed,
        _ if trail.trouble.is_some() => Status::Failed,
        (_, Some(proof)) => Status::Seized(proof),
        (_, None) => Status::Unconfirmed,
    }
}

fn proof_by_host(host: &Host, address: Address) -> Option<Proof> {
    let device = host.devices.is()?.get(&address)?;
    let bound = device.driver.is().is_some_and(|driver| driver == PCIBACK);
    Proof::by_host(bound, host.pciback.is()?.irq_handlers.is()?, address)
}

fn released_by_hand(host: &Host, address: Address) -> bool {
    host.pciback.is().and_then(|pciback| pciback.slots.is()).and_then(|slots| slots.lists(address)) == Some(false)
}

/// Lines 8 to 11: the log alone.
fn by_log(context: &Context<'_>, address: Address, trail: &Trail) -> Status {
    if context.story.doubt.is_some() {
        return Status::Unconfirmed;
    }
    // A record that cannot be read, and may be about any device.
    let settled = Proof::by_log(trail).filter(|_| context.history.damaged.is_none());
    // 8
    if let Some(proof) = settled {
        return Status::Seized(proof);
    }
    // 9
    if trail.trouble.is_some() {
        return Status::Failed;
    }
    if trail.is_lost() {
        return Status::Lost { by_hand: false };
    }
    if trail.seizing.is_none() && context.demand.bridges.contains(&address) {
        return Status::Bridge;
    }
    // 10
    let silent = trail.proof().is_none() && trail.bound.is_none() && trail.damaged.is_none();
    if silent && context.is_complete && is_past_load(context) {
        return Status::Missing;
    }
    // 11
    Status::Unconfirmed
}

/// Whether the log goes on past the module's load, so that what it does not say did not happen.
fn is_past_load(context: &Context<'_>) -> bool {
    match &context.history.driver {
        Driver::Ready(_) | Driver::Refused(_) => true,
        Driver::Loading => {
            let last = context.history.last_seizing;
            last.is_some_and(|last| is_settled(&last, &context.story.end) || !context.story.timed)
        }
        Driver::Unheard => context.story.is_long(),
    }
}

/// What pciback holds without being asked.
fn unrequested(context: &Context<'_>) -> Vec<Judged<'static>> {
    let extra = |address: Address, basis, explained| Judged {
        address,
        want: None,
        status: Status::Unrequested { explained },
        basis,
        on_unstated: false,
    };
    let asked = |address: &Address| context.demand.wanted.contains_key(address);
    let Some(host) = &context.host else {
        if context.story.doubt.is_some() {
            return Vec::new();
        }
        let trails = context.history.trails.iter().filter(|(address, _)| !asked(address));
        // Where nobody knows what was asked for, what failed was, as surely as what was seized.
        let unknown = context.demand.list.is_none() && context.demand.wanted.is_empty();
        let by_qubes = context.demand.source() == Some(Source::Qubes);
        let judged = trails.filter_map(|(address, trail)| match trail {
            trail if trail.is_settled() => {
                Some(extra(*address, Basis::Log, by_qubes || context.demand.is_named_somewhere(*address)))
            }
            trail if unknown && trail.trouble.is_some() => {
                Some(Judged { status: Status::Failed, ..extra(*address, Basis::Log, false) })
            }
            _ => None,
        });
        return judged.collect();
    };
    let Known::Is(devices) = &host.devices else { return Vec::new() };
    let is_pcibacks = |device: &HostDevice| device.driver.is().is_some_and(|driver| driver == PCIBACK);
    let held = devices.iter().filter(|(address, device)| is_pcibacks(device) && !asked(address));
    held.map(|(address, device)| extra(*address, Basis::Host, why(context, *address, device).is_some())).collect()
}

/// What explains that pciback has a device which the list in force does not name.
pub(super) fn why(context: &Context<'_>, address: Address, device: &HostDevice) -> Option<String> {
    let listed = |address: Address| context.demand.is_named_somewhere(address);
    if device.driver_override.is().is_some_and(|name| name == PCIBACK) {
        return Some("its driver_override is pciback".to_owned());
    }
    if let Some(bridge) = device.bridges.iter().find(|bridge| listed(**bridge)) {
        return Some(format!("it is behind the bridge {bridge}, which a list names"));
    }
    let is_qubes = context.host.as_ref().is_some_and(|host| host.distribution == Distribution::Qubes);
    let source = context.demand.named_by(address);
    let by_hook = is_qubes && device.class.is().is_some_and(|class| qubes::takes_unlisted(*class));
    if by_hook && source.is_none_or(|source| source == Source::Slots) {
        return Some("it is a network controller, and the hook of Qubes' boot image takes them all".to_owned());
    }
    let source = source?;
    Some(if source == Source::Slots {
        "pciback's slots names it: xl, XAPI or a script asked for it at run time".to_owned()
    } else {
        format!("the list of another place names it ({})", source.name())
    })
}
