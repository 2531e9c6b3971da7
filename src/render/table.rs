//! The report for a person: a headline, a table of the devices, and what was found, with its proof and its remedy.

use super::brief::{cause, is_vain, meaning};
use super::findings;
use super::layout::{Column, columns, paragraph};
use super::style::{Style, paint, plural, plural_of};
use super::text::escape;
use super::{repair, screen, time};
use crate::report::{Device, EvidenceTime, Finding, Log, Report, Severity, Stated, Status, Verdict};
use crate::request::Source;

/// The report as text: one screen of what is not as it should be, or with `-v` everything.
pub fn table(report: &Report, style: &Style) -> String {
    let mut lines = heading(report, style);
    if let Some(guest) = report.guest.as_ref().filter(|guest| !guest.devices.is_empty()) {
        lines.push(String::new());
        lines.extend(super::guest::devices(guest, style));
    }
    if style.verbose && !report.devices.is_empty() {
        lines.push(String::new());
        lines.extend(devices(report, style));
    } else if !style.verbose {
        lines.extend(screen::rows(report, style));
    }
    lines.extend(tail(report, style));
    lines.join("\n") + "\n"
}

/// What stands above the devices: the outcome, and what it rests on.
pub(super) fn heading(report: &Report, style: &Style) -> Vec<String> {
    let mut lines = headline(report, style);
    let context = context(report, style);
    if !context.is_empty() {
        lines.extend(paragraph("", &escape(&context), style.width));
    }
    lines
}

/// What stands below the devices: the findings, or each cause once, and the plan.
pub(super) fn tail(report: &Report, style: &Style) -> Vec<String> {
    let shown = findings::shown(report, style);
    let mut lines = if style.verbose { findings::lines(&shown, style) } else { screen::causes(report, &shown, style) };
    lines.extend(repair::lines(&report.plan, style));
    lines.extend(more(report, &shown, style));
    lines
}

/// Where to read on.
fn more(report: &Report, shown: &[&Finding], style: &Style) -> Vec<String> {
    let is_note = |finding: &&Finding| finding.severity == Severity::Info && !finding.code.is_remark();
    let notes = report.findings.iter().filter(is_note).count();
    let mut parts = Vec::new();
    if let Some(finding) = cause(report).or(shown.first().copied()) {
        parts.push(format!("more: pciback-audit explain {}", finding.code));
    }
    if !style.verbose && (notes > 0 || !shown.is_empty()) {
        let notes = if notes > 0 { format!("{notes} {}", plural(notes, "note")) } else { String::new() };
        let both = if notes.is_empty() || shown.is_empty() { "" } else { " and " };
        let evidence = if shown.is_empty() { "" } else { "the evidence" };
        parts.push(format!("-v shows {evidence}{both}{notes}"));
    }
    if parts.is_empty() { Vec::new() } else { paragraph("", &parts.join("; "), style.width) }
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
    if let Some(finding) = cause(report) {
        // Where the whole audit is in vain, only the message says why.
        if is_vain(finding.code) {
            return escape(&finding.message);
        }
        return meaning(finding.code);
    }
    // What could not be settled must not read like a loss.
    let doubt = report.devices.iter().any(|device| device.requested && device.status == Status::Unconfirmed);
    let known = if doubt { "known to be " } else { "" };
    match (seized, wanted) {
        (_, 0) if bridges > 0 => "only bridges are requested, and nothing is behind them".to_owned(),
        (_, 0) if report.logs.is_empty() => "the audit did not come to its end".to_owned(),
        (_, 0) => "no device is requested".to_owned(),
        (1, 1) => {
            all_the_same(report, "the requested device").unwrap_or("the requested device is pciback's".to_owned())
        }
        (0, 1) => format!("the requested device is not {known}pciback's"),
        (seized, wanted) if seized == wanted => {
            let all = format!("all {wanted} requested devices");
            all_the_same(report, &all).unwrap_or(format!("{all} are pciback's"))
        }
        (1, wanted) => format!("1 of {wanted} requested devices is {known}pciback's"),
        (seized, wanted) => format!("{seized} of {wanted} requested devices are {known}pciback's"),
    }
}

/// What is wrong though pciback has every device.
fn all_the_same(report: &Report, devices: &str) -> Option<String> {
    let worst = report.findings.iter().find(|finding| finding.severity.verdict() == report.verdict);
    let worst = worst.filter(|_| report.verdict != Verdict::Ok)?;
    Some(format!("{}, though pciback has {devices}", meaning(worst.code)))
}

/// Which machine, when, by which list and which logs: without `-v` only logs with which something is wrong.
fn context(report: &Report, style: &Style) -> String {
    let mut parts = Vec::new();
    let kernel = report.kernel.as_ref().map(|kernel| format!("kernel {kernel}"));
    let machine: Vec<String> = report.host.iter().cloned().chain(kernel).chain(seen(report)).collect();
    if !machine.is_empty() {
        parts.push(machine.join(", "));
    }
    parts.extend(window(report));
    if let Some(entry) = report.request.entries.first() {
        let is_known = !style.verbose && matches!(entry.source, Source::Module | Source::CommandLine);
        let place = match entry.location.as_ref().filter(|_| !is_known) {
            Some(location) => location.to_string(),
            None => entry.source.in_words().to_owned(),
        };
        parts.push(format!("list from {place}"));
    }
    let is_whole = |log: &&Log| log.records > 0 && log.lost == 0 && log.complete;
    parts.extend(report.logs.iter().filter(|log| style.verbose || !is_whole(log)).map(log));
    parts.join("; ")
}

/// The time that was asked about.
fn window(report: &Report) -> Option<String> {
    let from = report.window.since.map(|since| format!("boots that went on after {}", time::to_the_second(since)));
    let to = report.window.until.map(|until| format!("records until {}", time::to_the_second(until)));
    let parts: Vec<String> = from.into_iter().chain(to).collect();
    (!parts.is_empty()).then(|| format!("only {}", parts.join(" and ")))
}

/// When the machine was as the report says: by the end of a saved log, else when it was looked at.
fn seen(report: &Report) -> Option<String> {
    let end = match report.seen {
        EvidenceTime::Now => return report.time.map(time::to_the_second),
        EvidenceTime::Unknown => return None,
        EvidenceTime::At(end) => end,
    };
    let uptime =
        || end.uptime.map(|micros| format!("{}.{} s after its boot", micros / 1_000_000, micros / 100_000 % 10));
    time::wall(&end).or_else(uptime)
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
    let shows_guests = devices.iter().any(|device| guest(device).is_some());
    if shows_guests {
        heading.insert(heading.len() - 1, "GUEST");
        kinds.insert(kinds.len() - 1, Column::Upto(16));
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
        if shows_guests {
            row.push(known(guest(device).as_deref()));
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

/// The guests that are to have a device, by name; where none names it, the number of the one that was given it.
pub(super) fn guest(device: &Device) -> Option<String> {
    let number = || device.last_guest.as_ref().map(|last| format!("domain {}", last.domid));
    if device.guests.is_empty() { number() } else { Some(device.guests.join(", ")) }
}

/// Whether the entry that names a device has another address than its own in it: a wildcard, or a bridge above it.
fn is_covered_from_afar(device: &Device) -> bool {
    device.covered_by.as_ref().is_some_and(|entry| {
        let own = entry.trim_matches(['(', ')', ' ']).parse();
        own != Ok(device.address)
    })
}
