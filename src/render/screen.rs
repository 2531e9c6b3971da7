//! What a person needs first: devices that are not as they should be, by who has them, the others on one line, and why.

use std::collections::BTreeMap;

use super::brief::is_vain;
use super::findings::words;
use super::layout::{fit, paragraph, width};
use super::style::{Style, paint, plural};
use super::text::escape;
use crate::pci::Address;
use crate::report::{Code, Device, Evidence, Finding, Report, Severity, Stated, Status, Verdict};

/// How addresses are written: without their domain where all are of the first one.
struct ShortNames {
    short: bool,
}

impl ShortNames {
    fn for_report(report: &Report) -> Self {
        Self { short: report.devices.iter().all(|device| device.address.domain() == 0) }
    }

    fn of(&self, address: Address) -> String {
        if self.short { address.short() } else { address.to_string() }
    }

    /// Addresses in order; three or more that follow each other as a range.
    fn list(&self, addresses: &[Address]) -> Vec<String> {
        let mut runs: Vec<Vec<Address>> = Vec::new();
        for address in addresses {
            match runs.last_mut() {
                Some(run) if run.last().is_some_and(|last| follows(*last, *address)) => run.push(*address),
                Some(_) | None => runs.push(vec![*address]),
            }
        }
        let name = |run: &Vec<Address>| match run.as_slice() {
            [first, .., last] if run.len() > 3 => vec![format!("{}-{}", self.of(*first), self.of(*last))],
            all => all.iter().map(|address| self.of(*address)).collect(),
        };
        runs.iter().flat_map(name).collect()
    }
}

/// Whether an address is the next function of a slot, or the first one of the next slot.
fn follows(before: Address, after: Address) -> bool {
    let place = |address: Address| (address.domain(), address.bus());
    let number = |address: Address| u16::from(address.slot()) * 8 + u16::from(address.function());
    let next_slot = after.function() == 0 && before.slot() + 1 == after.slot();
    place(before) == place(after) && (number(before) + 1 == number(after) || next_slot)
}

/// Devices that share a row.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    /// Worst first.
    verdict: std::cmp::Reverse<Verdict>,
    holder: String,
}

/// A row for each holder of devices that are not as they should be, behind an empty line; then the others.
pub(super) fn rows(report: &Report, style: &Style) -> Vec<String> {
    let names = &ShortNames::for_report(report);
    let stated = Stated::by(&report.findings);
    let mut groups: BTreeMap<Group, Vec<&Device>> = BTreeMap::new();
    let mut fine: BTreeMap<&str, Vec<Address>> = BTreeMap::new();
    for device in &report.devices {
        match device.status.verdict_by(device.address, &stated) {
            Verdict::Ok => fine.entry(device.status.name()).or_default().push(device.address),
            verdict @ (Verdict::Warning | Verdict::Unknown | Verdict::Critical) => {
                let row = Group { verdict: std::cmp::Reverse(verdict), holder: holder(device) };
                groups.entry(row).or_default().push(device);
            }
        }
    }
    let widest = groups.keys().map(|row| width(&row.holder)).max().unwrap_or_default().min(24);
    let mut lines: Vec<String> =
        groups.iter().flat_map(|(row, devices)| bad(row, devices, widest, names, style)).collect();
    lines.extend(fine.iter().flat_map(|(status, addresses)| good(status, addresses, names, style)));
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}

/// Who has a device, or what became of it.
fn holder(device: &Device) -> String {
    let driver = device.driver.as_deref().map(escape);
    match (&device.status, driver) {
        (Status::Held, Some(driver)) => driver,
        (Status::Lost { by_hand: true }, _) => "released by hand".to_owned(),
        (Status::Lost { by_hand: false }, Some(driver)) => format!("lost to {driver}"),
        (status, _) => status.name().to_owned(),
    }
}

fn bad(row: &Group, devices: &[&Device], widest: usize, names: &ShortNames, style: &Style) -> Vec<String> {
    let addresses: Vec<Address> = devices.iter().map(|device| device.address).collect();
    let label = fit(&row.holder, 24, mark(style));
    let label = format!("{}{}", paint(&label, row.verdict.0, style), " ".repeat(widest.saturating_sub(width(&label))));
    let mut front = format!("  {}", names.list(&addresses).join(" "));
    let room = style.width.saturating_sub(widest);
    if front.len() > room {
        let lines = paragraph("  ", front.trim_start(), room);
        let indent = " ".repeat(widest);
        let numbered = lines.iter().enumerate();
        let line = |(number, line): (usize, &String)| format!("{}{line}", if number == 0 { &label } else { &indent });
        return numbered.map(line).collect();
    }
    let before = before(devices);
    let parts = |what: Option<&String>, more: &str| {
        let before = before.as_ref().map(|time| format!("{time} before pciback{more}"));
        what.cloned().into_iter().chain(before).map(|part| format!("  {part}")).collect::<Vec<_>>().concat()
    };
    let (what, kind) = what(devices);
    let forms = [(what.as_ref(), " was loaded"), (what.as_ref(), ""), (kind.as_ref(), ""), (None, "")];
    let whole = forms.into_iter().map(|(what, more)| parts(what, more)).find(|text| front.len() + width(text) <= room);
    front.push_str(&whole.unwrap_or_else(|| fit(&parts(None, ""), room.saturating_sub(front.len()), mark(style))));
    vec![format!("{label}{front}")]
}

const fn mark(style: &Style) -> char {
    if style.ascii { '~' } else { '…' }
}

/// What the devices of a row are: the name of a single one, and the kind of all.
fn what(devices: &[&Device]) -> (Option<String>, Option<String>) {
    let [first, others @ ..] = devices else { return (None, None) };
    let kind = first.kind.filter(|kind| others.iter().all(|device| device.kind == Some(*kind)));
    let kind = kind.map(|kind| plural(devices.len(), kind));
    let name = first.label.as_deref().or(first.model.as_deref()).filter(|_| others.is_empty()).map(escape);
    (name.or_else(|| kind.clone()), kind)
}

/// How long before pciback's load their driver had them: the shortest time of all.
fn before(devices: &[&Device]) -> Option<String> {
    let held = devices.iter().filter(|device| device.status == Status::Held);
    let micros = held.filter_map(|device| device.before_load).min()?;
    let tenths = micros / 100_000;
    let time = if tenths == 0 { "just".to_owned() } else { format!("{}.{} s", tenths / 10, tenths % 10) };
    Some(time)
}

fn good(status: &str, addresses: &[Address], names: &ShortNames, style: &Style) -> Vec<String> {
    let mut lines =
        paragraph("", &format!("{} {status}: {}", addresses.len(), names.list(addresses).join(" ")), style.width);
    if lines.len() > 2 {
        lines.truncate(1);
        if let Some(line) = lines.first_mut() {
            *line = format!("{} ...", fit(line, style.width.saturating_sub(4), ' ').trim_end());
        }
    }
    lines
}

/// Each cause once: findings of one kind together.
pub(super) fn causes(report: &Report, findings: &[&Finding], style: &Style) -> Vec<String> {
    let names = &ShortNames::for_report(report);
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    // The headline says what makes the audit vain, and a list is not missed then.
    let vain = findings.iter().any(|finding| is_vain(finding.code));
    let is_said = |finding: &Finding| vain && (is_vain(finding.code) || finding.code == Code::NothingRequested);
    for finding in findings.iter().filter(|finding| !is_said(finding)) {
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| same_kind(first, finding))) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    let drivers: BTreeMap<Address, &str> =
        report.devices.iter().filter_map(|device| Some((device.address, device.driver.as_deref()?))).collect();
    let mut lines: Vec<String> = groups.iter().flat_map(|group| cause(group, &drivers, names, style)).collect();
    // Below rows it needs no empty line.
    if report.devices.is_empty() && !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}

fn same_kind(one: &Finding, other: &Finding) -> bool {
    (one.severity, one.code) == (other.severity, other.code)
}

fn cause(group: &[&Finding], drivers: &BTreeMap<Address, &str>, names: &ShortNames, style: &Style) -> Vec<String> {
    let Some(first) = group.first() else { return Vec::new() };
    let mut messages: Vec<(String, Vec<Address>)> = Vec::new();
    for finding in group {
        let message = general(finding, group.len(), drivers);
        let addresses = finding.address.into_iter();
        match messages.iter_mut().find(|(said, _)| *said == message) {
            Some((_, all)) => all.extend(addresses),
            None => messages.push((message, addresses.collect())),
        }
    }
    let severity = paint(first.severity.name(), first.severity.verdict(), style);
    let title = format!("{severity} {}", first.code);
    // Escape codes take no columns.
    let spare = severity.len() - first.severity.name().len();
    let is_named = !first.code.states_a_device() || messages.len() > 1;
    let is_counted = group.len() > 1 && first.address.is_some() && !is_named;
    let of = if is_counted { format!(": {} devices", group.len()) } else { String::new() };
    let mut lines = Vec::new();
    for (message, addresses) in messages.iter().take(MESSAGES) {
        let whose = if is_named { names.list(addresses).join(" ") } else { String::new() };
        let whose = if whose.is_empty() { whose } else { format!(" {whose}") };
        let text = format!("{title}{of}{whose}: {}", escape(message));
        lines.extend(hung(&text, style.width + spare));
    }
    if messages.len() > MESSAGES {
        lines.push(format!("  and {} more; -v shows all", messages.len() - MESSAGES));
    }
    // What is about no device is shown by nothing else.
    let proof = first.evidence.first().filter(|_| first.address.is_none() && first.severity != Severity::Info);
    lines.extend(proof.map(|proof| fit(&format!("  {}", escape(&quoted(proof))), style.width, mark(style))));
    lines
}

/// A proof in short: of a record its text alone.
fn quoted(proof: &Evidence) -> String {
    match proof {
        Evidence::Log { text, .. } => format!("\"{}\"", text.trim_end()),
        Evidence::Host { .. } | Evidence::Request { .. } => words(proof),
    }
}

/// How many messages of one kind are shown.
const MESSAGES: usize = 2;

fn hung(text: &str, width: usize) -> Vec<String> {
    let mut lines = paragraph("", text, width);
    if lines.len() > 1 {
        lines = paragraph("  ", text, width);
        if let Some(first) = lines.first_mut() {
            *first = first.trim_start().to_owned();
        }
    }
    lines
}

/// What a finding says, so that those of several drivers say the same.
fn general(finding: &Finding, of: usize, drivers: &BTreeMap<Address, &str>) -> String {
    let driver = finding.address.and_then(|address| drivers.get(&address));
    match driver.filter(|_| of > 1 && finding.code == Code::HeldByDriver) {
        Some(driver) => {
            let single = format!("{driver} already had it, so pciback passed over it without a word");
            let all = finding.message.replacen(&single, "silently passed over, as drivers had them", 1);
            all.replacen(*driver, "its driver", 1)
        }
        None => finding.message.clone(),
    }
}
