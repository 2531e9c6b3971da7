//! What a report comes to in a few words: for forms that have one line for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::pci::Address;
use crate::report::{Code, Device, Finding, Report, Severity, Stated, Status, Verdict};

/// What explains every device, and what else is often met, in fewer words than elsewhere.
const REASONS: &[(Code, &str)] = &[
    (Code::ListMalformed, "the kernel cannot read the list"),
    (Code::ListOutOfRange, "a number of the list is too large for the kernel"),
    (Code::ListCutShort, "an entry without its bracket ends the list"),
    (Code::ListTooLong, "the list is too long for the kernel"),
    (Code::NothingRequested, "no list of devices was found"),
    (Code::NotDom0, "this is no dom0 as far as can be told"),
    (Code::OutsideWindow, "no boot is known to be of that time"),
    (Code::DriverAbsent, "no pciback driver is running"),
    (Code::RecordsLost, "log records are missing"),
    (Code::LogBeginsLate, "the log begins too late"),
    (Code::AuthorUnstated, "the log does not say who wrote its lines"),
];

/// What could not be read. Only its message says why.
const BLIND: &[Code] = &[Code::LogUnreadable, Code::HostUnreadable, Code::PolicyUnreadable];

/// `text`, or its beginning where it has more than `most` letters: a name or a message of any length may stand in it.
pub(super) fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => text.get(..end).map(|start| format!("{start}...")).unwrap_or_default(),
        None => text,
    }
}

/// `parts` behind `line`: the first of them always, of the others as many as leave the line at most `room` letters long,
/// and how many are left out.
pub(super) fn joined(mut line: String, parts: Vec<String>, always: usize, room: usize) -> String {
    let mut parts = parts.into_iter();
    line.push_str(&parts.by_ref().take(always).collect::<Vec<_>>().join("; "));
    let others: Vec<String> = parts.collect();
    for (number, part) in others.iter().enumerate() {
        let left = others.len() - number;
        let more = if left > 1 { format!("; and {} more", left - 1) } else { String::new() };
        if line.chars().count() + 2 + part.chars().count() + more.chars().count() > room {
            return format!("{line}; and {left} more");
        }
        line.push_str("; ");
        line.push_str(part);
    }
    line
}

/// The finding that explains what became of every device. Where another one does as well, a list is not missed.
pub(super) fn cause(report: &Report) -> Option<&Finding> {
    let explaining = report.findings.iter().filter(|finding| counts(finding) && finding.code.explains_devices());
    explaining.min_by_key(|finding| finding.code == Code::NothingRequested)
}

/// The worst of what could not be read, beside what explains every device.
pub(super) fn blind(report: &Report) -> Option<String> {
    let blind = |finding: &&Finding| BLIND.contains(&finding.code) && !finding.code.explains_devices();
    report.findings.iter().filter(|finding| counts(finding)).find(blind).map(words)
}

fn counts(finding: &Finding) -> bool {
    finding.severity != Severity::Info
}

/// A finding in words that need no address: shorter than its message, unless only that says why.
pub(super) fn words(finding: &Finding) -> String {
    if let Some((_, reason)) = REASONS.iter().find(|(code, _)| *code == finding.code) {
        return (*reason).to_owned();
    }
    let summary = finding.code.summary().trim_end_matches('.');
    if BLIND.contains(&finding.code) || finding.message.len() <= summary.len() {
        return finding.message.clone();
    }
    meaning(finding.code)
}

/// What a finding means, inside a sentence: its first letter is small, unless it begins an abbreviation.
pub(super) fn meaning(code: Code) -> String {
    let summary = code.summary().trim_end_matches('.');
    let mut letters = summary.chars();
    let Some(first) = letters.next().filter(|_| !summary.chars().nth(1).is_some_and(char::is_uppercase)) else {
        return summary.to_owned();
    };
    first.to_lowercase().chain(letters).collect()
}

/// How many of the requested devices are seized.
pub(super) fn outcome(report: &Report) -> Option<String> {
    match report.wanted() {
        0 if report.requested() == 0 => None,
        0 => Some("only bridges are requested".to_owned()),
        wanted => Some(format!("{}/{wanted} seized", report.count("seized"))),
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fault {
    pub(super) verdict: Verdict,
    /// The device it is about; none for what may explain all of them.
    pub(super) address: Option<Address>,
    pub(super) words: String,
    /// The finding that says it; none for the status of a device.
    pub(super) code: Option<Code>,
}

/// What is not as it should be, worst first, and how many devices are not but were accepted, of the devices that `asked` says.
/// What is about no device comes before the devices that it may explain; a finding that only says why a device has its status
/// is not said again.
pub(super) fn faults(report: &Report, asked: &dyn Fn(Address) -> bool) -> (Vec<Fault>, usize) {
    let mut found: Vec<Fault> = Vec::new();
    let mut accepted = 0;
    let stated = Stated::by(&report.findings);
    let mut shown = BTreeMap::new();
    for device in report.devices.iter().filter(|device| device.requested && asked(device.address)) {
        if device.status.verdict() == Verdict::Ok {
            continue;
        }
        let verdict = device.status.verdict_by(device.address, &stated);
        if verdict == Verdict::Ok {
            accepted += 1;
            continue;
        }
        shown.insert(device.address, verdict);
        found.push(Fault { verdict, address: Some(device.address), words: state(device), code: None });
    }
    let mut said: BTreeSet<_> = found.iter().cloned().collect();
    for finding in report.findings.iter().filter(|finding| counts(finding)) {
        let verdict = finding.severity.verdict();
        let words = match finding.address {
            Some(address) if !asked(address) => continue,
            Some(address) if shown.get(&address).is_some_and(|worst| *worst >= verdict) => continue,
            Some(_) => finding.code.name().to_owned(),
            None => words(finding),
        };
        let fault = Fault { verdict, address: finding.address, words, code: Some(finding.code) };
        if said.insert(fault.clone()) {
            found.push(fault);
        }
    }
    // Stable: within these, devices stay in the order of their addresses and findings in that of the report.
    found.sort_by_key(|fault| (std::cmp::Reverse(fault.verdict), fault.address.is_some()));
    (found, accepted)
}

/// The faults of all devices in words.
pub(super) fn wrong(report: &Report) -> (Vec<String>, usize) {
    let (found, accepted) = faults(report, &|_| true);
    (found.iter().map(phrase).collect(), accepted)
}

/// A fault, and of which device.
pub(super) fn phrase(fault: &Fault) -> String {
    fault.address.map_or_else(|| fault.words.clone(), |address| format!("{} {}", address.short(), fault.words))
}

fn state(device: &Device) -> String {
    match (&device.status, &device.driver) {
        (Status::Held, Some(driver)) => format!("held by {driver}"),
        (Status::Missing, Some(driver)) => format!("missing, {driver} has it"),
        (Status::Lost { by_hand: true }, _) => "released by hand".to_owned(),
        (Status::Lost { by_hand: false }, Some(driver)) => format!("lost to {driver}"),
        (status, _) => status.name().to_owned(),
    }
}

/// Whether nothing of the report is about a dom0's pciback where there is such a finding.
pub(super) const fn is_vain(code: Code) -> bool {
    matches!(code, Code::NotDom0 | Code::SeveralHosts | Code::OrderUnknown | Code::OutsideWindow)
}
