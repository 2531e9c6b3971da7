//! Findings of the hypervisor's own log: its IOMMU, and what it says of requested devices.
//!
//! Only Xen's own lines prove anything. A log that does not reach back to its boot proves no absence, and one of another boot
//! says nothing of the audited one.

use chrono::{DateTime, TimeDelta, Utc};

use super::Context;
use super::facts::{about, finding};
use crate::host::Distribution;
use crate::pci::Address;
use crate::record::{Stamp, Wall};
use crate::report::{Code, Evidence, Finding, Severity};
use crate::timeline::{LogKind, Moment};
use crate::xen::{Faults, Line, XenBoot, XenLog, XenOrigin};

/// Clocks and zones apart, a log whose dates are farther than this from a boot is of another one.
const APART: TimeDelta = TimeDelta::hours(15);

/// A hypervisor whose first date is not farther than this from a kernel's boot started that kernel.
const TOGETHER: TimeDelta = TimeDelta::minutes(15);

/// A boot of the hypervisor, as one log tells it.
struct Source<'a> {
    /// The log's name.
    name: &'a str,
    boot: &'a XenBoot,
    /// Whether it is known to be the boot that is audited.
    is_this_boot: bool,
    /// Whether it is a log of the kernel whose form does not say who wrote its lines.
    is_unstated: bool,
}

/// Whether a log of the hypervisor is of the audited boot.
enum Relation {
    Same,
    CannotTell,
    Other(String),
}

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    findings.extend(context.case.xen_logs.iter().filter_map(unreadable));
    let mut sources: Vec<Source<'_>> = merged(context).collect();
    for log in context.case.xen_logs.iter().rev() {
        let Some(boot) = log.hypervisor.boots.back() else { continue };
        let name = log.name.as_str();
        match relation(context, log, boot, &sources) {
            Relation::Same => sources.insert(0, Source { name, boot, is_this_boot: true, is_unstated: false }),
            Relation::CannotTell => sources.push(Source { name, boot, is_this_boot: false, is_unstated: false }),
            Relation::Other(why) => {
                let message = format!("{name} is of another boot of the hypervisor: {why}; it was left out");
                findings.push(finding(Code::StaleBoot, Severity::Info, message));
            }
        }
    }
    if let Some(found) = iommu_off(context, &sources) {
        findings.push(found);
    } else {
        findings.extend(remapping_off(context, &sources));
    }
    findings.extend(begins_late(context, &sources));
    for address in context.demand.wanted.keys() {
        findings.extend(fault(context, &sources, *address));
        let shared = reserved(context, &sources, *address);
        let is_cause = |found: &Finding| {
            found.code == Code::IommuOff || (found.code == Code::AssignFailed && found.address == Some(*address))
        };
        if shared.is_none() && !findings.iter().any(is_cause) {
            findings.extend(refused(context, &sources, *address));
        }
        findings.extend(shared);
    }
}

fn unreadable(log: &XenLog) -> Option<Finding> {
    let message = match &log.failure {
        Some(why) => format!("the hypervisor's log {} cannot be read: {why}", log.name),
        None if log.hypervisor.lines == 0 => {
            format!("{} holds no line of the hypervisor: they begin with (XEN)", log.name)
        }
        None => return None,
    };
    let severity = if log.origin == XenOrigin::Named { Severity::Unknown } else { Severity::Info };
    Some(finding(Code::LogUnreadable, severity, message))
}

/// The hypervisor's lines in serial captures that hold the audited boot: the last boot of Xen before the kernel's first record
/// that is kept.
fn merged<'a>(context: &'a Context<'_>) -> impl Iterator<Item = Source<'a>> {
    context.story.parts.iter().filter_map(|(index, kernel)| {
        let log = context.case.logs.iter().find(|log| log.index == *index)?;
        let facts = kernel.moments.iter().filter_map(|moment| match moment {
            Moment::Fact(fact) => Some(fact.place.offset),
            Moment::Gap { .. } => None,
        });
        let first = facts.min();
        let is_last = || log.boots.last().is_some_and(|last| std::ptr::eq(last, *kernel));
        let began = |boot: &&XenBoot| match first {
            Some(first) => boot.version.is_none() || boot.place.offset <= first,
            None => is_last(),
        };
        let boot = log.xen.boots.iter().rev().find(began)?;
        let is_unstated = !context.case.options.trust_log;
        Some(Source { name: &log.name, boot, is_this_boot: true, is_unstated })
    })
}

fn relation(context: &Context<'_>, log: &XenLog, boot: &XenBoot, known: &[Source<'_>]) -> Relation {
    // What `xl dmesg` printed when the archive was made is of the boot that it is about.
    if log.origin == XenOrigin::Ring {
        return Relation::Same;
    }
    if let (Some(logged), Some(running)) = (&boot.version, running_version(context))
        && *logged != running
    {
        return Relation::Other(format!("it is of Xen {logged}, and {running} is running"));
    }
    let lines = known.iter().filter(|source| source.is_this_boot).find_map(|source| source.boot.command_line.as_ref());
    if let (Some(own), Some(other)) = (&boot.command_line, lines)
        && own.text != other.text
    {
        return Relation::Other("its command line is another one".to_owned());
    }
    let (Some((first, last)), Some(booted)) = (boot.dates, booted(context)) else { return Relation::CannotTell };
    if instant(last) + APART < booted {
        return Relation::Other(format!("it ends at {}, before this boot began", last.local));
    }
    let began = boot.version.is_some().then(|| instant(first));
    if began.is_some_and(|began| context.story.end.wall.is_some_and(|end| instant(end) + APART < began)) {
        return Relation::Other(format!("it begins at {}, behind the audited boot", first.local));
    }
    let together = began.is_some_and(|began| (booted - began).abs() <= TOGETHER);
    if together { Relation::Same } else { Relation::CannotTell }
}

/// The version of the running hypervisor (drivers/xen/sys-hypervisor.c): `extra` holds what stands behind the minor number.
fn running_version(context: &Context<'_>) -> Option<String> {
    let tree = context.case.tree.as_ref()?;
    let read = |name: &str| tree.read_text(&format!("sys/hypervisor/version/{name}"));
    Some(format!("{}.{}{}", read("major").is()?, read("minor").is()?, read("extra").is()?))
}

/// When the audited kernel booted.
fn booted(context: &Context<'_>) -> Option<DateTime<Utc>> {
    let before = |date: DateTime<Utc>, uptime: u64| {
        date.checked_sub_signed(TimeDelta::microseconds(i64::try_from(uptime).ok()?))
    };
    let live = context.case.logs.iter().any(|log| log.kind == LogKind::Ring);
    let uptime = context.host.as_ref().and_then(|host| host.uptime.is().copied()).filter(|_| live);
    if let (Some(now), Some(uptime)) = (context.case.now, uptime) {
        return before(now, uptime);
    }
    context.story.moments.iter().find_map(|moment| {
        let stamp = moment.stamp();
        before(instant(stamp.wall.filter(|wall| wall.offset.is_some())?), stamp.uptime?)
    })
}

fn instant(wall: Wall) -> DateTime<Utc> {
    wall.utc().and_utc()
}

fn begins_late(context: &Context<'_>, sources: &[Source<'_>]) -> Option<Finding> {
    let silent = sources.iter().all(|source| source.boot.virtualisation.is_none());
    let first = sources.first().filter(|_| silent && !context.case.xen_logs.is_empty())?;
    let message =
        format!("{} does not reach back to the hypervisor's boot: whether its IOMMU is on cannot be told", first.name);
    Some(finding(Code::LogBeginsLate, Severity::Info, message))
}

fn iommu_off(context: &Context<'_>, sources: &[Source<'_>]) -> Option<Finding> {
    let (source, (on, line)) =
        sources.iter().find_map(|source| Some((source, source.boot.virtualisation.as_ref()?)))?;
    if *on {
        return None;
    }
    let mut found = state(
        context,
        source,
        line,
        finding(
            Code::IommuOff,
            Severity::Critical,
            "the hypervisor's IOMMU is off: no HVM guest can have a device, and the device of a PV guest can write to all memory",
        ),
    );
    let off = source.boot.options(&["iommu"]).into_iter().find(|option| turns_off(option));
    if let Some(option) = &off {
        found.remedy.push(format!("# take {option} off the hypervisor's command line"));
    } else {
        found
            .remedy
            .push("# turn the IOMMU on in the firmware's setup: VT-d (Intel), AMD-Vi or IOMMU (AMD)".to_owned());
    }
    found.remedy.extend(on_command_line(context, "iommu=1"));
    found.remedy.push("# after a reboot `xl dmesg` says: I/O virtualisation enabled".to_owned());
    Some(found)
}

fn turns_off(option: &str) -> bool {
    let value = option.split_once('=').map_or("", |(_, value)| value);
    value.split(',').any(|word| matches!(word, "0" | "off" | "no" | "false" | "disable"))
}

fn remapping_off(context: &Context<'_>, sources: &[Source<'_>]) -> Option<Finding> {
    let (source, (on, line)) = sources.iter().find_map(|source| Some((source, source.boot.remapping.as_ref()?)))?;
    if *on {
        return None;
    }
    let mut found = state(
        context,
        source,
        line,
        finding(
            Code::InterruptRemappingOff,
            Severity::Warning,
            "the hypervisor does not remap interrupts: a guest that has a device can send any interrupt to dom0 and to other guests",
        ),
    );
    let off = source.boot.options(&["iommu"]).into_iter().find(|option| option.contains("no-intremap"));
    if let Some(option) = off {
        found.remedy.push(format!("# take no-intremap out of {option} on the hypervisor's command line"));
        found.remedy.extend(on_command_line(context, "iommu=1"));
    } else {
        found.remedy.push(
            "# turn interrupt remapping (and x2APIC) on in the firmware's setup; older chipsets have none that works"
                .to_owned(),
        );
    }
    Some(found)
}

/// Completes a finding about the machine as a whole. Where nothing is requested, it is worth a note.
fn state(context: &Context<'_>, source: &Source<'_>, line: &Line, mut found: Finding) -> Finding {
    if context.demand.wanted.is_empty() {
        found.severity = Severity::Info;
    }
    found.message = source.says(&found.message);
    found.evidence.push(source.shown(line));
    let also = [&source.boot.reason, &source.boot.command_line];
    found.evidence.extend(also.into_iter().flatten().map(|line| source.shown(line)));
    found
}

/// How an option gets onto the hypervisor's command line.
fn on_command_line(context: &Context<'_>, option: &str) -> Vec<String> {
    let host = context.host.as_ref().or(context.partial.as_ref());
    match host.map(|host| host.distribution) {
        Some(Distribution::XenServer) => vec![format!("/opt/xensource/libexec/xen-cmdline --set-xen {option}")],
        Some(Distribution::Debian) => vec![
            format!(
                "# the hypervisor's command line is GRUB_CMDLINE_XEN in /etc/default/grub, where {option} may stand; then:"
            ),
            "update-grub".to_owned(),
        ],
        _ => vec![format!(
            "# the hypervisor's command line is GRUB_CMDLINE_XEN in /etc/default/grub, or `options=` in xen.cfg: {option} may stand there"
        )],
    }
}

fn fault(context: &Context<'_>, sources: &[Source<'_>], address: Address) -> Option<Finding> {
    let (source, faults) = sources.iter().find_map(|source| Some((source, source.boot.faults.get(&address)?)))?;
    let what = if faults.interrupt { "interrupt" } else { "access" };
    let many = if faults.count == 1 {
        what.to_owned()
    } else {
        format!("{what}{}", if faults.interrupt { "s" } else { "es" })
    };
    let why = reason(faults).map(|why| format!(" ({why})")).unwrap_or_default();
    let behind = if faults.interrupt { "" } else { " to memory" };
    let message = format!("the IOMMU blocked {} {many} of it{behind}{why}", faults.count);
    let mut found = about(address, Code::DmaFault, Severity::Critical, source.says(&message));
    event(context, source, &mut found, &faults.last);
    found.evidence.push(source.shown(&faults.first));
    if faults.count > 1 {
        found.evidence.push(source.shown(&faults.last));
    }
    found.evidence.extend(faults.reason.as_ref().map(|line| source.shown(line)));
    found.remedy = if faults.interrupt {
        vec![
            "# the guest's driver sends an interrupt that Xen did not set up: reset the device, update the guest"
                .to_owned(),
        ]
    } else {
        vec![
            "# the device was made to use memory that its guest does not have: update the driver in the guest, and its firmware".to_owned(),
            format!("# faults at boot, at the same address, are the firmware's: name that memory on the hypervisor's command line, rmrr=START-END={address}"),
        ]
    };
    Some(found)
}

/// The words of the line that says why: `[VT-D]DMAR: reason 05 - PTE Write access is not set`.
fn reason(faults: &Faults) -> Option<String> {
    let text = String::from_utf8_lossy(&faults.reason.as_ref()?.text).into_owned();
    let words = text.split_once(" - ").or_else(|| text.rsplit_once("] ")).map(|(_, words)| words.trim().to_owned());
    words.filter(|words| !words.is_empty())
}

fn reserved(context: &Context<'_>, sources: &[Source<'_>], address: Address) -> Option<Finding> {
    let (source, reserved) = sources.iter().find_map(|source| Some((source, source.boot.reserved.get(&address)?)))?;
    let (severity, message) = if reserved.refused {
        (
            Severity::Critical,
            "the hypervisor refuses to give it to a guest: it shares memory that the firmware reserved with other devices",
        )
    } else {
        (
            Severity::Warning,
            "the hypervisor gave it to a guest at a risk: it shares memory that the firmware reserved with other devices",
        )
    };
    let mut found = about(address, Code::Rmrr, severity, source.says(message));
    event(context, source, &mut found, &reserved.line);
    found.evidence.push(source.shown(&reserved.line));
    if reserved.refused {
        found.remedy = vec![
            format!(
                "# give all devices of that memory to the same guest, or take the risk in its configuration: pci = [ '{address},rdm_policy=relaxed' ]"
            ),
            "# some firmware drops the reservation when USB legacy support is off in its setup".to_owned(),
        ];
    }
    Some(found)
}

/// A device that the hypervisor did not give to a guest, where nothing else says why.
fn refused(context: &Context<'_>, sources: &[Source<'_>], address: Address) -> Option<Finding> {
    let (source, line) = sources.iter().find_map(|source| Some((source, source.boot.refused.get(&address)?)))?;
    let message = "the hypervisor failed to give it to a guest";
    let mut found = about(address, Code::AssignFailed, Severity::Critical, source.says(message));
    event(context, source, &mut found, line);
    found.evidence.push(source.shown(line));
    found.remedy = vec!["# the lines in front of it say why: its IOMMU, or another guest that has it".to_owned()];
    Some(found)
}

/// Dates an event, which counts while it is newer than the device's seizing and than the window.
fn event(context: &Context<'_>, source: &Source<'_>, found: &mut Finding, line: &Line) {
    found.stamp = Stamp { uptime: None, wall: line.wall };
    found.time = context.date(&found.stamp);
    let Some(wall) = line.wall else { return };
    let live = context.case.logs.iter().any(|log| log.kind == LogKind::Ring);
    let end = context.story.end.wall.or(source.boot.dates.map(|(_, last)| last)).map(instant);
    let now = if live { context.case.now } else { end };
    let window = TimeDelta::from_std(context.case.options.event_window).unwrap_or(TimeDelta::MAX);
    let old = now.is_some_and(|now| now - instant(wall) > window);
    let trail = found.address.and_then(|address| context.history.trails.get(&address));
    let seized = trail.and_then(|trail| context.date(&trail.seizing.as_ref()?.stamp));
    if old || seized.is_some_and(|seized| wall.offset.is_some() && instant(wall) < seized) {
        found.severity = Severity::Info;
    }
}

impl Source<'_> {
    fn shown(&self, line: &Line) -> Evidence {
        Evidence::Log {
            source: self.name.to_owned(),
            sequence: None,
            line: (line.place.line > 0).then_some(line.place.line),
            offset: None,
            stamp: Stamp { uptime: None, wall: line.wall },
            text: String::from_utf8_lossy(&line.text).into_owned(),
        }
    }

    /// A message, and whether it is known to be about the audited boot.
    fn says(&self, message: &str) -> String {
        if self.is_unstated {
            return format!("{message}; the log does not say who wrote that line: any local user could have");
        }
        if self.is_this_boot {
            return message.to_owned();
        }
        format!("{message}; nothing shows that {} is of this boot of the hypervisor", self.name)
    }
}
