//! A whole report as lines that a person can compare.

use std::fmt::Write as _;

use pciback_audit::report::{Device, Evidence, Finding, Report};

pub fn summary(report: &Report) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "verdict {}, exit status {}", report.verdict, report.exit_status);
    let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "?".to_owned());
    let _ = writeln!(text, "kernel {}, host {}", known(&report.kernel), known(&report.host));
    let _ = writeln!(text, "request {}", if report.request.accepted { "accepted" } else { "not accepted" });
    for entry in &report.request.entries {
        let place = entry.location.as_ref().map_or(String::new(), |location| format!(" {location}"));
        let _ = writeln!(text, "  {} ({}{place}) names {}", entry.text, entry.source.name(), entry.addresses.len());
    }
    for log in &report.logs {
        let first = log.first_sequence.map_or("-".to_owned(), |first| first.to_string());
        let _ = writeln!(
            text,
            "log {}: {} records from {first}, {} recognised, {} unrecognised, {} lost, {} unparsed, complete {}, trusted {}",
            log.source,
            log.records,
            log.recognised,
            log.unrecognised,
            log.lost,
            log.unparsed,
            log.complete,
            log.trusted
        );
    }
    report.devices.iter().for_each(|device| text.push_str(&device_line(device)));
    report.findings.iter().for_each(|finding| text.push_str(&finding_lines(finding)));
    text.push_str(&plan_lines(report));
    text
}

fn plan_lines(report: &Report) -> String {
    let plan = &report.plan;
    let parts =
        [("first", &plan.first), ("now", &plan.now), ("for good", &plan.for_good_lines()), ("check", &plan.check)].map(
            |(name, lines)| lines.iter().map(|line| format!("plan {name}: {line}\n")).collect::<Vec<_>>().concat(),
        );
    let promise = plan.promise.as_ref().map(|promise| {
        let others = promise.others.iter().map(|(address, why)| format!("plan does not help {address}: {why}\n"));
        format!("plan promises {} after a reboot\n{}", promise.count(), others.collect::<Vec<_>>().concat())
    });
    parts.concat() + &promise.unwrap_or_default()
}

fn device_line(device: &Device) -> String {
    let driver = device.driver.as_deref().unwrap_or("no driver");
    let id = device.id.map_or("?".to_owned(), |id| id.to_string());
    let covered = device.covered_by.as_deref().unwrap_or("nothing");
    let named = if device.guests.is_empty() { String::new() } else { format!(", for {}", device.guests.join(" and ")) };
    let guest = device.last_guest.as_ref().map_or(String::new(), |guest| format!(", last in guest {}", guest.domid));
    let label = device.label.as_ref().map_or(String::new(), |label| format!(", labelled {label}"));
    format!(
        "device {} {} (by {}), {driver}, {id}, covered by {covered}{guest}{named}{label}\n",
        device.address,
        device.status.name(),
        device.basis.name()
    )
}

fn finding_lines(finding: &Finding) -> String {
    let address = finding.address.map_or(String::new(), |address| format!(" {address}"));
    let mut text = format!("{} {}{address}: {}\n", finding.severity, finding.code, finding.message);
    for evidence in &finding.evidence {
        let _ = match evidence {
            Evidence::Log { source, sequence, line, text: message, .. } => {
                let sequence = sequence.map_or(String::new(), |sequence| format!(" record {sequence}"));
                let line = line.map_or(String::new(), |line| format!(":{line}"));
                writeln!(text, "  log {source}{line}{sequence}: {message}")
            }
            Evidence::Host { path, value } => {
                writeln!(text, "  host {path}: {}", value.as_deref().unwrap_or("not there"))
            }
            Evidence::Request { source, location, text: list } => {
                let place = location.as_ref().map_or(String::new(), |location| format!(" {location}"));
                writeln!(text, "  request {}{place}: {list}", source.name())
            }
        };
    }
    finding.remedy.iter().for_each(|line| {
        let _ = writeln!(text, "  remedy {line}");
    });
    text
}
