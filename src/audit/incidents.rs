//! Findings about incidents: what happened to a device without changing who has it.
//!
//! They are events: they count while they are newer than the device's last seizing and than the event window, and are worth
//! knowing after that.

use std::collections::BTreeMap;

use super::evidence::is_recent;
use super::facts::{about, finding};
use super::statuses::Judged;
use super::{Asked, Context};
use crate::event::{Event, Incident, Refusal};
use crate::history::Incidents;
use crate::pci::{Address, register};
use crate::report::{Code, Finding, Severity, Status};

/// What is said of one kind of incident.
struct IncidentKind {
    code: Code,
    severity: Severity,
    message: String,
    remedy: Vec<String>,
}

pub(super) fn find(context: &Context<'_>, devices: &[Judged<'_>], findings: &mut Vec<Finding>) {
    let mut writes: BTreeMap<Address, Vec<(u16, u8, &Incidents)>> = BTreeMap::new();
    for (address, kind, incidents) in context.history.incidents.iter() {
        let at = devices.binary_search_by_key(&address, |judged| judged.address);
        let judged = at.ok().and_then(|at| devices.get(at));
        let only_named = matches!(context.case.asked, Asked::Devices(_) | Asked::Policy(_));
        let is_refusal = matches!(kind, Incident::AssignFailed(_));
        if judged.is_none() && (only_named || !is_refusal) {
            continue;
        }
        if let Incident::WriteBlocked { offset, size } = kind {
            writes.entry(address).or_default().push((offset, size, incidents));
            continue;
        }
        let lost = judged.is_some_and(|judged| matches!(judged.status, Status::Lost { .. }));
        if kind == Incident::RemovedInUse && lost {
            continue;
        }
        let requested = judged.is_some_and(|judged| judged.want.is_some());
        findings.extend(of(address, kind, incidents, requested).map(|kind| made(context, address, kind, &[incidents])));
    }
    let opened = |address: Address| {
        context.history.incidents.get(address, Incident::Permissive).is_some_and(|incidents| !incidents.outdated)
    };
    findings.extend(writes.iter().map(|(address, writes)| blocked(context, *address, writes, opened(*address))));
    findings.extend(set_ups(context));
    findings.extend(interrupts(context));
}

/// The finding, with the records that it rests on.
fn made(context: &Context<'_>, address: Address, kind: IncidentKind, incidents: &[&Incidents]) -> Finding {
    let counts = incidents.iter().any(|incidents| !incidents.outdated && is_recent(context, &incidents.last));
    let severity = if counts { kind.severity } else { Severity::Info };
    let mut found = about(address, kind.code, severity, kind.message);
    let total: u64 = incidents.iter().map(|incidents| incidents.count).sum();
    if total > 1 {
        found.message = format!("{} ({total} times)", found.message);
    }
    if let Some(last) = incidents.last().map(|incidents| &incidents.last) {
        found.stamp = last.stamp;
        found.time = context.date(&last.stamp);
        if severity != Severity::Info {
            found.message.push_str(context.whose_hand(last));
        }
    }
    found.evidence = incidents.iter().take(4).map(|incidents| context.shown(&incidents.last)).collect();
    found.remedy = if severity == Severity::Info { Vec::new() } else { kind.remedy };
    found
}

fn of(address: Address, kind: Incident, incidents: &Incidents, requested: bool) -> Option<IncidentKind> {
    let note = |text: &str| vec![format!("# {text}")];
    let (code, severity, message, remedy) = match kind {
        Incident::WriteBlocked { .. } => return None,
        Incident::AssignFailed(refusal) => return Some(refused(address, refusal, incidents, requested)),
        Incident::Permissive => (
            Code::PermissiveOn,
            Severity::Info,
            "a guest that has it may write to all of its configuration space",
            Vec::new(),
        ),
        Incident::MsiFailed => (
            Code::MsiFailed,
            Severity::Warning,
            "its message-signalled interrupts (MSI, MSI-X) could not be set up",
            note(for_interrupts(&String::from_utf8_lossy(&incidents.last.text))),
        ),
        Incident::OwnershipStolen => (
            Code::OwnershipStolen,
            Severity::Critical,
            "it was given to a guest while another one was still noted as its owner",
            note("shut both guests down, then start one of them"),
        ),
        Incident::ResetStalled => (
            Code::ResetStalled,
            Severity::Warning,
            "it did not come back from a reset, or did not finish its transactions before it",
            note("a device that hangs needs its power off: shut the machine down, not only reboot it"),
        ),
        Incident::PowerStuck => (
            Code::PowerStuck,
            Severity::Warning,
            "it did not change its power state when it was told to",
            note("a device that hangs needs its power off: shut the machine down, not only reboot it"),
        ),
        Incident::Aer => (
            Code::AerError,
            Severity::Warning,
            "PCI Express reported an error of it, or a recovery from one that failed",
            note("check the card's seat, riser and cable; lspci -vvv shows what it reports (UESta, CESta)"),
        ),
        Incident::RemovedInUse => (
            Code::UnsafeRemoval,
            Severity::Critical,
            "pciback was unbound from it while a guest had it, and the guest may still reach it",
            note("shut that guest down before anything else uses the device"),
        ),
    };
    Some(IncidentKind { code, severity, message: message.to_owned(), remedy })
}

/// What to do about an interrupt that could not be set up, by the error number that its record names (`conf_space_capability.c`,
/// arch/x86/pci/xen.c).
fn for_interrupts(record: &str) -> &'static str {
    // Up to 3.6 the number is in hexadecimal.
    let words = || record.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let names = |number: &str, hexadecimal: &str| words().any(|word| word == number || word == hexadecimal);
    if record.contains("preparation failed") {
        return if names("-38", "ffffffda") {
            "this hypervisor is older than the call that prepares MSI-X: take a newer Xen (4.3 or later)"
        } else {
            "the hypervisor could not prepare the device's table of interrupts: xl dmesg says why; a device that hangs needs its power off"
        };
    }
    if names("-28", "ffffffe4") {
        "the device has more vectors than Xen keeps for a guest: raise extra_guest_irqs on Xen's line of the boot loader, then reboot"
    } else if names("-19", "ffffffed") {
        "Xen still counts the device as another domain's: xl pci-assignable-remove and add it again, or reboot"
    } else if names("-22", "ffffffea") {
        "older kernels have faults here: take a newer one"
    } else {
        "for many queues: raise extra_guest_irqs on Xen's line of the boot loader; else a newer kernel may help"
    }
}

/// `Couldn't locate PCI device`: the guest's set-up ends there, and it gets none of its devices.
fn refused(address: Address, refusal: Refusal, incidents: &Incidents, requested: bool) -> IncidentKind {
    let guest = if let Event::AssignFailed { domid, .. } = &incidents.last.event {
        format!("guest {domid}")
    } else {
        "a guest".to_owned()
    };
    let (why, remedy) = match refusal {
        Refusal::NotHeld => (
            "pciback did not have it, or could not set it up",
            format!("# before the guest is started: xl pci-assignable-list must name {address}"),
        ),
        Refusal::InUse => (
            "another guest may have had it: it had been given away before",
            "# find the guest that has it: xl pci-list GUEST; xl shows no more than one owner".to_owned(),
        ),
        Refusal::NamedTwice => (
            "it had just been given to the same guest, so that guest's configuration names it twice",
            "# name the device once in the guest's pci= list".to_owned(),
        ),
    };
    let severity = if requested { Severity::Critical } else { Severity::Warning };
    let message = format!("{guest} could not have it (Couldn't locate PCI device): {why}");
    IncidentKind { code: Code::AssignFailed, severity, message, remedy: vec![remedy] }
}

/// Writes that pciback dropped, by the registers that they were meant for, and whether it was made permissive for the device.
fn blocked(context: &Context<'_>, address: Address, writes: &[(u16, u8, &Incidents)], opened: bool) -> Finding {
    const SHOWN: usize = 6;
    let each = |(offset, size, _): &(u16, u8, &Incidents)| {
        let bytes = if *size == 1 { "1 byte".to_owned() } else { format!("{size} bytes") };
        format!("{} (offset {offset:#x}, {bytes})", register::at(*offset))
    };
    let mut registers: Vec<String> = writes.iter().take(SHOWN).map(each).collect();
    if writes.len() > SHOWN {
        registers.push(format!("{} more", writes.len() - SHOWN));
    }
    let since = if opened { "; since then pciback is permissive for it" } else { "" };
    let message = format!("a guest's driver tried to write to what it may only read: {}{since}", registers.join(", "));
    let remedy = vec![
        "# harmless where the guest's driver works; if it does not, and the guest is trusted with the whole device:"
            .to_owned(),
        format!(
            "# echo {address} > /sys/bus/pci/drivers/pciback/permissive   (before the guest starts; or permissive=1 behind the device in the guest's pci= list)"
        ),
        "# it lets the guest write to any register, those that move the device's memory and interrupts included"
            .to_owned(),
    ];
    let kind = IncidentKind { code: Code::ConfigWriteBlocked, severity: Severity::Warning, message, remedy };
    let incidents: Vec<&Incidents> = writes.iter().map(|(_, _, incidents)| *incidents).collect();
    made(context, address, kind, &incidents)
}

/// Set-ups of guests that failed without a word about a device.
fn set_ups(context: &Context<'_>) -> Option<Finding> {
    let incidents = context.history.incidents.guests.as_ref()?;
    let Event::AssignFailed { domid, .. } = incidents.last.event else { return None };
    let message = format!("pciback could not set up the devices of guest {domid}");
    of_guest(context, incidents, Code::AssignFailed, message, Vec::new())
}

/// Interrupts that could not be set up, of a device that the kernel does not name (up to 3.6).
fn interrupts(context: &Context<'_>) -> Option<Finding> {
    let incidents = context.history.incidents.interrupts.as_ref()?;
    let Event::GuestMsiFailed { domid } = incidents.last.event else { return None };
    let message = format!("the message-signalled interrupts (MSI) of a device of guest {domid} could not be set up");
    let remedy = vec![format!("# {}", for_interrupts(&String::from_utf8_lossy(&incidents.last.text)))];
    of_guest(context, incidents, Code::MsiFailed, message, remedy)
}

/// A finding about a guest, which counts like one about a device.
fn of_guest(
    context: &Context<'_>,
    incidents: &Incidents,
    code: Code,
    message: String,
    remedy: Vec<String>,
) -> Option<Finding> {
    if matches!(context.case.asked, Asked::Devices(_) | Asked::Policy(_)) {
        return None;
    }
    let last = &incidents.last;
    let severity = if is_recent(context, last) { Severity::Warning } else { Severity::Info };
    let mut found = finding(code, severity, message + context.whose_hand(last));
    (found.stamp, found.time) = (last.stamp, context.date(&last.stamp));
    found.evidence.push(context.shown(last));
    found.remedy = if severity == Severity::Info { Vec::new() } else { remedy };
    Some(found)
}
