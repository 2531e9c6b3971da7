//! Findings about the evidence itself: what is missing, old, forged, or of an unknown hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Context;
use super::facts::{about, count, finding, unread};
use super::statuses::Judged;
use crate::event::{Event, Fact};
use crate::pci::Address;
use crate::record::between;
use crate::report::{Code, Finding, Severity, Status};
use crate::timeline::{Doubt, Imitation, Log, LogKind};
use crate::tree::Known;

pub(super) fn find(context: &Context<'_>, devices: &[Judged<'_>], findings: &mut Vec<Finding>) {
    let unsettled = devices.iter().any(|judged| judged.status == Status::Unconfirmed) || context.demand.open;
    let severity = if unsettled { Severity::Unknown } else { Severity::Info };
    findings.extend(doubt(context));
    findings.extend(unreadable_host(context, devices));
    findings.extend(context.case.logs.iter().filter_map(|log| unreadable(log, severity)));
    findings.extend(no_log(context, severity));
    findings.extend(lost(context, severity));
    findings.extend(begins_late(context, severity));
    findings.extend(forged(context, devices));
    findings.extend(stale(context));
    findings.extend(unrecognised(context));
    findings.extend(quoted(context));
}

/// Why the logs say nothing of the boot that is meant: then that alone counts, unless a host is audited.
pub(super) fn doubt(context: &Context<'_>) -> Option<Finding> {
    let named =
        |names: &[String]| if names.is_empty() { String::new() } else { format!(" ({}, ...)", names.join(", ")) };
    let (code, message) = match context.story.doubt.as_ref()? {
        Doubt::SeveralHosts(number, names) => (
            Code::SeveralHosts,
            format!(
                "{number} hosts speak in the log{}: --log-host NAME chooses one, `scan` audits all of them",
                named(names)
            ),
        ),
        Doubt::NoSuchHost(names) => {
            (Code::SeveralHosts, format!("no host of the name that was chosen speaks in the log{}", named(names)))
        }
        Doubt::LastBoot => (
            Code::OrderUnknown,
            "the logs tell of several boots, and have no times that would say which of them is the last".to_owned(),
        ),
        Doubt::OutOfOrder => (
            Code::OrderUnknown,
            "the kernel's clock jumps back and forth in the log: its records are out of order".to_owned(),
        ),
        Doubt::OutsideWindow => (
            Code::OutsideWindow,
            "no boot in the logs is of the time that is asked about: all of them ended before it".to_owned(),
        ),
        Doubt::Undated => (
            Code::OutsideWindow,
            "the records have no dates, so that nothing says whether they are of the time that is asked about; syslog files, `dmesg -T` \
             and the journal have dates"
                .to_owned(),
        ),
        Doubt::NotDom0(fact) => (
            Code::NotDom0,
            format!(
                "this is the log of a guest, or of a kernel without Xen (`{}`): it says nothing of pciback in dom0; for a guest there is `pciback-audit guest`",
                String::from_utf8_lossy(&fact.text)
            ),
        ),
    };
    let severity = if context.host.is_none() { Severity::Unknown } else { Severity::Info };
    if context.host.is_some() && code == Code::NotDom0 {
        // The host says that itself.
        return None;
    }
    let mut found = finding(code, severity, message);
    if let Some(Doubt::NotDom0(fact)) = &context.story.doubt {
        found.evidence.push(context.shown(fact));
    }
    Some(found)
}

/// The host's own files could not be read: every device is unconfirmed for that.
fn unreadable_host(context: &Context<'_>, devices: &[Judged<'_>]) -> Option<Finding> {
    let host = context.host.as_ref().filter(|_| context.demand.list.is_some() || !devices.is_empty())?;
    let obstacle = match &host.devices {
        Known::Is(_) => return None,
        Known::Unreadable(obstacle) => obstacle.clone(),
        Known::Absent => {
            crate::tree::Obstacle { path: "sys/bus/pci/devices".to_owned(), why: "is not there".to_owned() }
        }
    };
    let message = format!("the host cannot be audited: {obstacle}; --no-host judges by the log alone");
    let mut found = finding(Code::HostUnreadable, Severity::Unknown, message);
    found.evidence.push(unread(&obstacle));
    Some(found)
}

pub(super) fn unreadable(log: &Log, severity: Severity) -> Option<Finding> {
    let severity = if log.named { Severity::Unknown } else { severity };
    let message = match &log.failure {
        Some(why) if log.records > 0 => format!("{} was read only in part: {why}", log.name),
        Some(why) => format!("{} cannot be read: {why}", log.name),
        None if log.kernel_records > 0 => return None,
        None if log.records == 0 && log.unparsed.1 == 0 => format!("{} is empty, or holds no record", log.name),
        None if log.records == 0 => format!("{} is no log: it holds nothing that could be read as one", log.name),
        None if !log.has_known_form => format!("{} has no form of log that is known", log.name),
        None => format!("{} holds no record of a kernel", log.name),
    };
    Some(finding(Code::LogUnreadable, severity, message))
}

fn no_log(context: &Context<'_>, severity: Severity) -> Option<Finding> {
    context.case.logs.is_empty().then(|| finding(Code::LogUnreadable, severity, "there is no log to read"))
}

fn lost(context: &Context<'_>, severity: Severity) -> Option<Finding> {
    let gaps = context.history.gaps;
    if !gaps.any() {
        return beyond(context).or_else(|| damaged(context, severity)).or_else(|| filtered(context, severity));
    }
    let places = count(gaps.places, "place");
    let flaws: Vec<String> =
        context.case.logs.iter().flat_map(|log| &log.unparsed.0).map(|flaw| flaw.why.words().to_owned()).collect();
    let unnumbered = context.case.logs.iter().find_map(|log| log.unnumbered.as_ref().map(|why| (&log.name, why)));
    let mut message = match (gaps.lost, unnumbered) {
        (0, Some((name, why))) => {
            format!("{name} numbers no records, so that a missing one cannot be seen (/dev/kmsg: {why})")
        }
        (0, None) => format!("log records are missing or cannot be read, in {places}"),
        (known, _) if !gaps.uncounted => format!("{} missing from the log, in {places}", count_are(known)),
        (known, _) => format!("at least {} missing from the log, in {places}", count_are(known)),
    };
    if !flaws.is_empty() {
        message = format!("{message} ({})", flaws.join(", "));
    }
    Some(finding(Code::RecordsLost, severity, message))
}

/// More devices than are told apart.
fn beyond(context: &Context<'_>) -> Option<Finding> {
    let number = context.history.beyond;
    let message = format!(
        "the log names more devices than any machine has: {} about further ones not kept",
        count(number, "record")
    );
    (number > 0).then(|| finding(Code::RecordsLost, Severity::Unknown, message))
}

/// Records of pciback that are there and cannot be read.
fn damaged(context: &Context<'_>, severity: Severity) -> Option<Finding> {
    let of_devices = context.history.trails.values().filter_map(|trail| trail.damaged.as_ref());
    let facts = context.history.damaged.iter().chain(of_devices);
    let facts: Vec<&Arc<Fact>> = facts.filter(|fact| matches!(fact.event, Event::Damaged { .. })).collect();
    let message = format!("{} of pciback cut or damaged, and cannot be read", count_are(facts.len() as u64));
    let mut found = finding(Code::RecordsLost, severity, message);
    found.evidence = facts.iter().take(3).map(|fact| context.shown(fact)).collect();
    (!facts.is_empty()).then_some(found)
}

fn count_are(number: u64) -> String {
    if number == 1 { "1 record is".to_owned() } else { format!("{number} records are") }
}

/// A log that was filtered by level holds the banner, and none of the seizing lines.
fn filtered(context: &Context<'_>, severity: Severity) -> Option<Finding> {
    let info = context.story.parts.iter().any(|(_, boot)| boot.has_info());
    let quiet = context.story.parts.iter().any(|(_, boot)| boot.quiet);
    (context.story.has_banner() && !info).then(|| {
        let message = if quiet {
            "the kernel's command line silences the console, and the log holds no record of level info behind it: seizing lines would be missing"
        } else {
            "the log holds no record of level info, as a console at loglevel 6 prints it: seizing lines would be missing"
        };
        finding(Code::RecordsLost, severity, message)
    })
}

fn begins_late(context: &Context<'_>, severity: Severity) -> Option<Finding> {
    let anything = context.case.logs.iter().any(|log| log.kernel_records > 0);
    if !anything || context.story.has_banner() || context.story.doubt.is_some() {
        return None;
    }
    if context.story.parts.is_empty() {
        let message = "no log holds the boot that is audited";
        return Some(finding(Code::LogBeginsLate, severity, message));
    }
    let spoke = |log: &&Log| log.kernel_records > 0;
    if let Some(log) = context.case.logs.iter().find(spoke)
        && !context.case.logs.iter().filter(spoke).any(|log| log.has_known_form)
    {
        let message =
            format!("{} has no form of log that is known: neither times nor anything else before its lines", log.name);
        return Some(finding(Code::LogUnreadable, severity, message));
    }
    let first = context.case.logs.iter().filter_map(|log| log.first_sequence).min().filter(|first| *first > 0);
    let message = match first {
        Some(first) => format!(
            "the log does not reach back to the start of this boot: {} before its first one are gone",
            count(first, "record")
        ),
        None => "the log does not reach back to the start of this boot".to_owned(),
    };
    Some(finding(Code::LogBeginsLate, severity, message))
}

/// Records of user space that look like the driver's, a finding for each device they name.
fn forged(context: &Context<'_>, devices: &[Judged<'_>]) -> Vec<Finding> {
    let mut by_device: BTreeMap<Option<Address>, Vec<&Imitation>> = BTreeMap::new();
    for (address, found) in context.story.parts.iter().flat_map(|(_, boot)| boot.forged.pretended()) {
        by_device.entry(address).or_default().push(found);
    }
    let finding = |(address, found): (Option<Address>, Vec<&Imitation>)| {
        let last = &found.last()?.last;
        let at = address.and_then(|address| devices.binary_search_by_key(&address, |judged| judged.address).ok());
        let judged = at.and_then(|at| devices.get(at)).filter(|judged| judged.want.is_some());
        let counts = judged.is_some_and(|judged| contradicts(context, judged, last)) && is_recent(context, last);
        let severity = if counts { Severity::Warning } else { Severity::Info };
        let look = count_look(found.iter().map(|found| found.count).sum());
        let message = format!("{look} like the driver's, but not from the kernel: not used as evidence");
        let mut finding = finding(Code::ForgedRecord, severity, message);
        finding.address = address;
        finding.stamp = last.stamp;
        finding.time = context.date(&last.stamp);
        let first = found.iter().flat_map(|found| &found.first);
        finding.evidence = first.take(3).map(|fact| context.shown(fact)).collect();
        Some(finding)
    };
    by_device.into_iter().filter_map(finding).collect()
}

fn count_look(number: u64) -> String {
    if number == 1 { "a record looks".to_owned() } else { format!("{number} records look") }
}

/// Whether what the record pretends is not so, as far as the host shows; without a host it may be anything.
fn contradicts(context: &Context<'_>, judged: &Judged<'_>, fact: &Fact) -> bool {
    let seized = matches!(judged.status, Status::Seized(_));
    let pretends_success = matches!(fact.event, Event::Seizing { .. });
    let pretends_failure = matches!(fact.event, Event::Failed { .. } | Event::Refused { .. });
    (pretends_success && (context.host.is_none() || !seized) && !is_copy(context, fact))
        || (pretends_failure && (context.host.is_none() || seized))
}

/// Whether the kernel's own record says the same at the same time: imjournal writes it without the kernel's clock beside imklog,
/// which keeps the clock (rsyslog plugins/imjournal, plugins/imklog).
fn is_copy(context: &Context<'_>, fact: &Fact) -> bool {
    let trail = fact.event.address().and_then(|address| context.history.trails.get(&address));
    let seizing = trail.and_then(|trail| trail.seizing.as_ref());
    seizing.is_some_and(|own| {
        own.text == fact.text && between(&own.stamp, &fact.stamp).is_some_and(|apart| apart.abs() <= 1_000_000)
    })
}

/// Events count while they are newer than the device's last seizing, and than the event window.
pub(super) fn is_recent(context: &Context<'_>, fact: &Fact) -> bool {
    let trail = fact.event.address().and_then(|address| context.history.trails.get(&address));
    let seized = trail.and_then(|trail| trail.seizing.as_ref());
    if seized.is_some_and(|seized| between(&fact.stamp, &seized.stamp).is_some_and(|behind| behind > 0)) {
        return false;
    }
    let uptime = context
        .host
        .as_ref()
        .and_then(|host| host.uptime.is())
        .filter(|_| context.case.logs.iter().any(|log| log.kind == LogKind::Ring));
    let now = uptime.map_or(context.story.end, |uptime| crate::record::Stamp { uptime: Some(*uptime), wall: None });
    let age = between(&fact.stamp, &now).and_then(|age| u64::try_from(age).ok());
    age.is_none_or(|age| u128::from(age) <= context.case.options.event_window.as_micros())
}

fn stale(context: &Context<'_>) -> Vec<Finding> {
    let kinds = [
        (Code::StaleBoot, &context.story.left_out, "of another boot"),
        (Code::StaleLoad, &context.history.stale, "of an earlier load of the module"),
    ];
    let finding = |(code, (number, last), of): (Code, &(u64, Option<Arc<Fact>>), &str)| {
        let message = match number {
            1 => format!("1 record {of} was left out"),
            number => format!("{number} records {of} were left out"),
        };
        let mut found = finding(code, Severity::Info, message);
        found.evidence.extend(last.as_ref().map(|fact| context.shown(fact)));
        found
    };
    kinds.into_iter().filter(|(_, (number, _), _)| *number > 0).map(finding).collect()
}

/// What pciback says and nobody knows.
fn unrecognised(context: &Context<'_>) -> Option<Finding> {
    let unrecognised = &context.history.unrecognised;
    let message = match unrecognised.count {
        0 => return None,
        1 => "pciback says something that this program does not know".to_owned(),
        number => format!("pciback says something that this program does not know, in {number} records"),
    };
    let mut found = finding(Code::UnrecognisedRecord, Severity::Info, message);
    found.evidence = unrecognised.first.iter().map(|fact| context.shown(fact)).collect();
    Some(found)
}

fn quoted(context: &Context<'_>) -> Vec<Finding> {
    if !context.case.options.verbose {
        return Vec::new();
    }
    let quotation = |fact: &Fact| {
        let program = fact.program.as_deref().unwrap_or("user space");
        let mut found = match fact.event.address() {
            Some(address) => {
                about(address, Code::UserQuoted, Severity::Info, format!("{program} quotes a seizing line"))
            }
            None => finding(Code::UserQuoted, Severity::Info, format!("{program} quotes a seizing line")),
        };
        found.evidence.push(context.shown(fact));
        found
    };
    let quoted = context.story.parts.iter().flat_map(|(_, boot)| boot.forged.quoted());
    quoted.flat_map(|(_, found)| &found.first).map(quotation).collect()
}
