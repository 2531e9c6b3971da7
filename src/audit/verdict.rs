//! The one rule of the verdict, and the report it goes into.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::Claims;
use super::facts::finding;
use super::statuses::Judged;
use super::{Case, Context, FailOn};
use crate::history::{Driver, Trail};
use crate::host::{Device as HostDevice, PciIds};
use crate::pci::Address;
use crate::record::{Author, between};
use crate::report::{
    Basis, Code, Device, Evidence, EvidenceTime, Finding, LastGuest, Log, Node, Repair, Report, Request, Severity,
    Stated, Status, Verdict, Waiting,
};
use crate::request::Source;
use crate::request::policy::Accept;
use crate::timeline::LogKind;

/// The verdict is the worst of the requested devices' verdicts and the findings' severities. Where a finding about the
/// list or the driver explains the devices, it alone counts.
fn worst(devices: &[Judged<'_>], findings: &[Finding]) -> Verdict {
    let severity = |finding: &Finding| finding.severity.verdict();
    let explaining = findings.iter().filter(|finding| explains(finding)).map(severity).max();
    if let Some(verdict) = explaining {
        return verdict;
    }
    let of_findings = findings.iter().map(severity);
    let stated = Stated::by(findings);
    let of_devices = devices
        .iter()
        .filter(|judged| judged.want.is_some())
        .map(|judged| judged.status.verdict_by(judged.address, &stated));
    of_findings.chain(of_devices).max().unwrap_or(Verdict::Ok)
}

/// A list that only the next load will read is worth a warning, and explains nothing of this one.
fn explains(finding: &Finding) -> bool {
    finding.code.explains_devices() && matches!(finding.severity, Severity::Critical | Severity::Unknown)
}

/// Puts the report together, all but the request: accepts what is to be ignored, lets causes suppress their symptoms, and concludes.
pub(super) fn report(
    context: &Context<'_>,
    claims: &Claims<'_>,
    devices: Vec<Judged<'_>>,
    mut findings: Vec<Finding>,
) -> Report {
    let options = &context.case.options;
    accept(context.case, &mut findings);
    if findings.iter().any(explains) {
        findings.retain(|finding| !finding.code.states_a_device() || finding.severity == Severity::Info);
    }
    let logs = context.logs();
    findings.extend(author_unstated(context, &logs, &devices, worst(&devices, &findings)));
    accept(context.case, &mut findings);
    put_in_order(&mut findings);
    // Where nothing of the logs could be used, no list is missed.
    if context.story.doubt.is_some() && context.host.is_none() {
        let missed = findings.iter_mut().filter(|finding| finding.code == Code::NothingRequested);
        missed.for_each(|finding| finding.remedy.clear());
    }
    let verdict = worst(&devices, &findings);
    let silent = options.if_requested && nothing_is_requested(context, &findings);
    let plan = super::remedy::plan(context, &devices, &findings);
    let waiting = super::outlook::waiting(context, &devices, &findings);
    let names = names(context);
    let mut codes: BTreeMap<Address, Vec<Code>> = BTreeMap::new();
    for finding in &findings {
        finding.address.into_iter().for_each(|address| codes.entry(address).or_default().push(finding.code));
    }
    let of = |judged: Judged<'_>| {
        let codes = codes.remove(&judged.address).unwrap_or_default();
        let guests = claims.guests(judged.address);
        Device { guests: guests.into_iter().map(str::to_owned).collect(), ..device(context, judged, codes, &names) }
    };
    let devices = devices.into_iter().map(of).collect();
    let hierarchy = hierarchy(context, &names);
    Report { devices, plan, hierarchy, waiting, ..conclusion(context, logs, findings, verdict, silent) }
}

/// What every report says of the machine, its logs and the verdict. It has no devices, and no plan.
pub(super) fn conclusion(
    context: &Context<'_>,
    logs: Vec<Log>,
    findings: Vec<Finding>,
    verdict: Verdict,
    silent: bool,
) -> Report {
    let exit_status = match (verdict, context.case.options.fail_on) {
        _ if silent => 0,
        (Verdict::Warning, FailOn::Critical) => 0,
        (verdict, _) => verdict.exit_status(),
    };
    let host = context.host.as_ref().or(context.partial.as_ref());
    Report {
        verdict,
        exit_status,
        silent,
        host: host.and_then(|host| host.hostname.is().cloned()).or_else(|| context.story.hostname.clone()),
        kernel: host.and_then(|host| host.release.is().cloned()).or_else(|| context.story.release.clone()),
        boot_id: host.and_then(|host| host.boot_id.is().copied()).or(context.story.id),
        time: context.case.now,
        seen: seen(context),
        window: context.case.options.window,
        request: Request::default(),
        logs,
        devices: Vec::new(),
        findings,
        plan: Repair::default(),
        hierarchy: Vec::new(),
        guest: None,
        waiting: Waiting::default(),
    }
}

/// The kernel's own ring goes on until now; a saved log ends when it ends.
fn seen(context: &Context<'_>) -> EvidenceTime {
    if context.case.listening.is_some() || context.case.logs.iter().any(|log| log.kind == LogKind::Ring) {
        return EvidenceTime::Now;
    }
    if context.story.timed { EvidenceTime::At(context.story.end) } else { EvidenceTime::Unknown }
}

/// Makes notes of the findings that are to be ignored, and of those that the policy accepts, with its reason.
pub(super) fn accept(case: &Case, findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|finding| finding.severity != Severity::Info) {
        if case.options.ignore.iter().any(|ignore| ignore.covers(finding)) {
            finding.severity = Severity::Info;
        }
        let Some(policy) = case.asked.policy() else { continue };
        let accepts = |accept: &&Accept| accept.covers(finding.code.name(), finding.address, case.now);
        if let Some(accept) = policy.accepts.iter().find(accepts) {
            finding.severity = Severity::Info;
            let location = Some(policy.at(accept.line));
            let text = format!("accepted: {}", accept.reason);
            finding.evidence.push(Evidence::Request { source: Source::Policy, location, text });
        }
    }
}

/// Brings findings into the order of a report, and keeps every line of a remedy one line.
pub(super) fn put_in_order(findings: &mut [Finding]) {
    let remedies = findings.iter_mut().flat_map(|finding| &mut finding.remedy);
    remedies.filter(|line| line.contains(char::is_control)).for_each(super::remedy::to_one_line);
    findings.sort_by(|a, b| (a.severity, a.address, a.code.name()).cmp(&(b.severity, b.address, b.code.name())));
}

/// Whether no place holds a list, and every place could be read.
fn nothing_is_requested(context: &Context<'_>, findings: &[Finding]) -> bool {
    let has = |code| findings.iter().any(|finding| finding.code == code);
    has(Code::NothingRequested)
        && !has(Code::ListNotEffective)
        && context.story.doubt.is_none()
        && context.demand.places.iter().all(|said| said.obstacles.is_empty())
}

/// An ok that rests on a log of unknown hand is a warning; elsewhere it is worth knowing.
fn author_unstated(context: &Context<'_>, logs: &[Log], devices: &[Judged<'_>], so_far: Verdict) -> Option<Finding> {
    if context.case.options.trust_log {
        return None;
    }
    let unstated = logs.iter().find(|log| !log.trusted && log.records > 0)?;
    let resting = devices.iter().any(|judged| judged.want.is_some() && judged.on_unstated);
    let severity = if resting && so_far <= Verdict::Warning { Severity::Warning } else { Severity::Info };
    // Another log of the boot says who wrote the same lines.
    let stated = |log: &Log| {
        context
            .story
            .parts
            .iter()
            .any(|(index, _)| context.case.logs.get(*index).is_some_and(|own| own.name == log.source))
    };
    if severity == Severity::Info && logs.iter().any(|log| log.trusted && stated(log)) {
        return None;
    }
    let message =
        format!("the form of {} does not say who wrote its lines, and any user can write such a line", unstated.source);
    let mut found = finding(Code::AuthorUnstated, severity, message);
    found.remedy = vec![
        "# save the log in a form that says it: dmesg -x, journalctl -k -o export, or /dev/kmsg itself".to_owned(),
        "# or accept it: --trust-log".to_owned(),
    ];
    Some(found)
}

fn names(context: &Context<'_>) -> PciIds {
    let devices = context.host.as_ref().and_then(|host| host.devices.is());
    let ids: BTreeSet<(u16, u16)> = devices
        .into_iter()
        .flatten()
        .filter_map(|(_, device)| device.ids.is())
        .map(|ids| (ids.vendor, ids.device))
        .collect();
    context.case.tree.as_ref().map(|tree| PciIds::read(tree, &ids)).unwrap_or_default()
}

/// Every device of the host, and the bridge that it is behind.
fn hierarchy(context: &Context<'_>, names: &PciIds) -> Vec<Node> {
    let devices = context.host.as_ref().and_then(|host| host.devices.is());
    let node = |(address, device): (&Address, &HostDevice)| {
        let id = device.ids.is().copied();
        Node {
            address: *address,
            parent: device.bridges.first().copied(),
            driver: device.driver.is().cloned(),
            id,
            name: id.and_then(|ids| names.name(ids)),
        }
    };
    devices.into_iter().flatten().map(node).collect()
}

fn device(context: &Context<'_>, judged: Judged<'_>, mut codes: Vec<Code>, names: &PciIds) -> Device {
    let known: Option<&HostDevice> =
        context.host.as_ref().and_then(|host| host.devices.is()).and_then(|devices| devices.get(&judged.address));
    let trail = context.history.trails.get(&judged.address);
    let seizing = trail.and_then(|trail| trail.seizing.as_ref()).filter(|fact| fact.author != Author::User);
    let held = trail.and_then(|trail| trail.held.as_ref()).map(|fact| &fact.event);
    let driver = match (judged.basis, held) {
        (Basis::Host, _) => known.and_then(|device| device.driver.is().cloned()),
        (Basis::Log, _) if matches!(judged.status, Status::Seized(_)) => Some(crate::host::PCIBACK.to_owned()),
        (Basis::Log, Some(crate::event::Event::HeldBy { driver, .. })) => Some(driver.clone()),
        (Basis::Log, _) => None,
    };
    let id = known.and_then(|device| device.ids.is().copied());
    let guest = trail.and_then(|trail| trail.guest.as_ref());
    codes.dedup();
    let expected = context.expected.get(&judged.address);
    Device {
        address: judged.address,
        requested: judged.want.is_some(),
        covered_by: judged.want.map(|want| want.entry.clone()),
        status: judged.status,
        basis: judged.basis,
        driver,
        before_load: before_load(context, trail),
        kind: known.and_then(|device| device.class.is()).and_then(|class| kind(*class)),
        id,
        name: id.and_then(|ids| names.name(ids)),
        model: id.and_then(|ids| names.model(ids)).map(str::to_owned),
        label: expected.and_then(|expected| expected.label.clone()),
        last_guest: guest.map(|(domid, fact)| LastGuest { domid: *domid, at: context.date(&fact.stamp) }),
        seized_at: seizing.and_then(|fact| context.date(&fact.stamp)),
        seizing: seizing.map(|fact| fact.stamp),
        findings: codes,
        guests: Vec::new(),
    }
}

/// How long before pciback's load the driver that has a device first spoke about it.
fn before_load(context: &Context<'_>, trail: Option<&Trail>) -> Option<i64> {
    let held = trail?.held.as_ref()?;
    let ready = match &context.history.driver {
        Driver::Ready(fact) => fact,
        Driver::Unheard | Driver::Loading | Driver::Refused(_) => return None,
    };
    between(&held.stamp, &ready.stamp).filter(|ago| *ago > 0)
}

/// The kind of a device by its class (<https://pci-ids.ucw.cz>, section of the classes).
const fn kind(class: u32) -> Option<&'static str> {
    Some(match class >> 8 {
        0x0104 => "RAID controller",
        0x0106 => "SATA controller",
        0x0107 => "SAS controller",
        0x0108 => "NVMe controller",
        0x0200 => "Ethernet controller",
        0x0280 => "network controller",
        0x0300 => "VGA controller",
        0x0302 => "3D controller",
        0x0380 => "display controller",
        0x0401 | 0x0403 => "audio device",
        0x0604 => "PCI bridge",
        0x0700 => "serial controller",
        0x0c03 => "USB controller",
        0x0c04 => "Fibre Channel controller",
        0x0c05 => "SMBus controller",
        0x0c80..=0x0cff | 0x0c00 => "serial bus controller",
        other => match other >> 8 {
            0x01 => "storage controller",
            0x02 => "network controller",
            0x03 => "display controller",
            0x04 => "multimedia device",
            0x06 => "bridge",
            0x08 => "system device",
            0x0b => "processor",
            0x0d => "wireless controller",
            0x10 => "encryption controller",
            0x12 => "accelerator",
            _ => return None,
        },
    })
}
