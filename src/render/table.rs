//! The report for a person: a headline, a table of the devices, and what was found, with its proof and its remedy.

use super::findings;
use super::layout::{Column, columns, paragraph};
use super::text::escape;
use super::time;
use crate::report::{Device, Log, Report, Severity, Stated, Status, Verdict};

/// How a report is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Columns of the terminal or page.
    pub width: usize,
    /// Whether the terminal understands colours.
    pub colour: bool,
    /// Whether notes are shown, and every proof.
    pub verbose: bool,
    /// Whether only ASCII can be shown.
    pub ascii: bool,
}

/// The report as text.
pub fn table(report: &Report, style: &Style) -> String {
    let mut lines = heading(report, style);
    if let Some(guest) = report.guest.as_ref().filter(|guest| !guest.devices.is_empty()) {
        lines.push(String::new());
        lines.extend(super::guest::devices(guest, style));
    }
    if !report.devices.is_empty() {
        lines.push(String::new());
        lines.extend(devices(report, style));
    }
    lines.extend(tail(report, style));
    lines.join("\n") + "\n"
}

/// What stands above the devices: the outcome, and what it rests on.
pub(super) fn heading(report: &Report, style: &Style) -> Vec<String> {
    let mut lines = headline(report, style);
    let context = context(report);
    if !context.is_empty() {
        lines.extend(paragraph("", &escape(&context), style.width));
    }
    lines
}

/// What stands below the devices: the findings.
pub(super) fn tail(report: &Report, style: &Style) -> Vec<String> {
    let shown = findings::shown(report, style);
    let mut lines = findings::lines(&shown, style);
    let notes = report.findings.iter().filter(|finding| finding.severity == Severity::Info).count();
    let mut last = Vec::new();
    if notes > 0 && !style.verbose {
        last.push(format!("{notes} {}; -v shows {}", plural(notes, "note"), if notes == 1 { "it" } else { "them" }));
    }
    if let Some(finding) = shown.first() {
        last.push(format!("more: pciback-audit explain {}", finding.code));
    }
    if !last.is_empty() {
        lines.push(String::new());
        lines.append(&mut last);
    }
    lines
}

fn headline(report: &Report, style: &Style) -> Vec<String> {
    let verdict = report.verdict.name().to_uppercase();
    let mut lines = paragraph("", &format!("{verdict}: {}", outcome(report)), style.width);
    if let Some(first) = lines.first_mut() {
        *first = first.replacen(&verdict, &paint(&verdict, report.verdict, style), 1);
    }
    lines
}

/// What came out, in one sentence.
fn outcome(report: &Report) -> String {
    if let Some(guest) = &report.guest {
        return super::guest::outcome(report, guest);
    }
    let bridges = report.devices.iter().filter(|device| device.requested && device.status == Status::Bridge).count();
    let wanted = report.requested().saturating_sub(bridges);
    let is_seized = |device: &&Device| device.requested && matches!(device.status, Status::Seized(_));
    let seized = report.devices.iter().filter(is_seized).count();
    let cause =
        report.findings.iter().find(|finding| finding.code.explains_devices() && finding.severity != Severity::Info);
    if let Some(finding) = cause {
        let summary = finding.code.summary();
        let mut letters = summary.trim_end_matches('.').chars();
        return letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default();
    }
    // What could not be settled must not read like a loss.
    let doubt = report.devices.iter().any(|device| device.requested && device.status == Status::Unconfirmed);
    let known = if doubt { "known to be " } else { "" };
    match (seized, wanted) {
        (_, 0) if bridges > 0 => "only bridges are requested, and nothing is behind them".to_owned(),
        (_, 0) => "no device is requested".to_owned(),
        (1, 1) => "the requested device is pciback's".to_owned(),
        (0, 1) => format!("the requested device is not {known}pciback's"),
        (seized, wanted) if seized == wanted => format!("all {wanted} requested devices are pciback's"),
        (1, wanted) => format!("1 of {wanted} requested devices is {known}pciback's"),
        (seized, wanted) => format!("{seized} of {wanted} requested devices are {known}pciback's"),
    }
}

/// Which machine, by which list and which logs.
fn context(report: &Report) -> String {
    let mut parts = Vec::new();
    let kernel = report.kernel.as_ref().map(|kernel| format!("kernel {kernel}"));
    let machine: Vec<String> =
        report.host.iter().cloned().chain(kernel).chain(report.time.map(time::to_the_second)).collect();
    if !machine.is_empty() {
        parts.push(machine.join(", "));
    }
    if let Some(entry) = report.request.entries.first() {
        let place = match &entry.location {
            Some(location) => location.to_string(),
            None => entry.source.in_words().to_owned(),
        };
        parts.push(format!("list from {place}"));
    }
    parts.extend(report.logs.iter().map(log));
    parts.join("; ")
}

fn log(log: &Log) -> String {
    if log.records == 0 {
        return format!("log {}: no records", log.source);
    }
    let lost = if log.lost > 0 { format!(", {} lost", log.lost) } else { String::new() };
    let complete = if log.complete { "" } else { ", not complete" };
    format!("log {}: {} {}{lost}{complete}", log.source, log.records, plural_of(log.records, "record"))
}

fn devices(report: &Report, style: &Style) -> Vec<String> {
    let devices = &report.devices;
    let shows_entries = devices.iter().any(is_covered_from_afar);
    let mut heading = vec!["ADDRESS", "STATUS", "DRIVER", "DEVICE"];
    let mut kinds = vec![Column::Whole, Column::Whole, Column::Upto(16), Column::Rest];
    if shows_entries {
        heading.insert(3, "REQUESTED BY");
        kinds.insert(3, Column::Upto(22));
    }
    let mut rows = vec![heading.into_iter().map(str::to_owned).collect()];
    for device in devices {
        let known = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), escape);
        let id = device.id.map(|id| id.to_string());
        let name = device.label.as_deref().or(device.name.as_deref()).or(id.as_deref());
        let mut row =
            vec![device.address.to_string(), device.status.name().to_owned(), known(device.driver.as_deref())];
        if shows_entries {
            row.push(known(device.covered_by.as_deref()));
        }
        row.push(known(name));
        rows.push(row);
    }
    let mut lines = columns(&kinds, rows, style.width, if style.ascii { "~" } else { "…" });
    // Escape codes would count as columns, so they come last: the status is the first word behind the address.
    let stated = Stated::by(&report.findings);
    for (line, device) in lines.iter_mut().skip(1).zip(devices) {
        let status = device.status.name();
        let verdict = device.status.verdict_by(device.address, &stated);
        *line = line.replacen(status, &paint(status, verdict, style), 1);
    }
    lines
}

/// Whether the entry that names a device has another address than its own in it: a wildcard, or a bridge above it.
fn is_covered_from_afar(device: &Device) -> bool {
    device.covered_by.as_ref().is_some_and(|entry| {
        let own = entry.trim_matches(['(', ')', ' ']).parse();
        own != Ok(device.address)
    })
}

/// `text` in the colour of a verdict, where colours are wanted.
pub(super) fn paint(text: &str, verdict: Verdict, style: &Style) -> String {
    if !style.colour {
        return text.to_owned();
    }
    let code = match verdict {
        Verdict::Ok => 32,
        Verdict::Warning => 33,
        Verdict::Unknown => 35,
        Verdict::Critical => 31,
    };
    format!("\x1b[1;{code}m{text}\x1b[0m")
}

pub(super) fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

fn plural_of(count: u64, noun: &str) -> String {
    plural(usize::try_from(count).unwrap_or(usize::MAX), noun)
}
