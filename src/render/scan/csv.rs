//! A line for each device of each boot of each host, as RFC 4180 has it, but that lines end as everywhere on this system.
//!
//! Names and messages come out of logs. A field that a spreadsheet would take for a formula begins with `'`, and what a
//! terminal would act on is spelt out.

use std::collections::BTreeMap;

use super::super::text::escape;
use super::super::time;
use crate::pci::Address;
use crate::report::{Choice, Device, Finding, Report, Run, Severity};

/// The first line.
pub const CSV_HEADING: &str = "host,boot,last,began,ended,boot_id,kernel,verdict,boot_findings,address,requested,status,driver,\
                               label,seized_at,findings,message\n";

/// What a spreadsheet takes for the beginning of a formula, also in the wide form of its letters.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// The lines of a report: one for each chosen device, or one without a device where none was chosen by name and there is none.
pub fn csv(report: &Report, run: &Run, choice: &Choice) -> String {
    let devices: Vec<&Device> = report.devices.iter().filter(|device| choice.names(device.address)).collect();
    let mut found: FindingsByDevice<'_> = BTreeMap::new();
    for finding in report.findings.iter().filter(|finding| finding.severity != Severity::Info) {
        found.entry(finding.address).or_default().push(finding);
    }
    let boot = boot(report, run, &found);
    let line = |device: Option<&Device>| {
        let mut fields = boot.clone();
        fields.extend(of_device(device, &found));
        fields.join(",") + "\n"
    };
    if devices.is_empty() { line(None) } else { devices.into_iter().map(|device| line(Some(device))).collect() }
}

/// The findings that count, by the device that they are about.
type FindingsByDevice<'a> = BTreeMap<Option<Address>, Vec<&'a Finding>>;

fn boot(report: &Report, run: &Run, found: &FindingsByDevice<'_>) -> Vec<String> {
    let of_boot = !report.logs.is_empty();
    let known = |value: Option<String>| value.filter(|_| of_boot).unwrap_or_default();
    let date = |stamp: Option<crate::record::Stamp>| stamp.as_ref().and_then(time::instant).map(time::date);
    let number = i64::try_from(run.back).map_or(i64::MIN, |back| -back);
    vec![
        field(report.host.as_deref().unwrap_or_default()),
        known(Some(number.to_string())),
        known(Some((run.back == 0).to_string())),
        known(date(run.first)),
        known(date(run.last)),
        known(report.boot_id.map(|id| id.to_string())),
        field(report.kernel.as_deref().unwrap_or_default()),
        report.verdict.name().to_owned(),
        field(&codes(of(found, None))),
    ]
}

fn of_device(device: Option<&Device>, found: &FindingsByDevice<'_>) -> Vec<String> {
    let address = device.map(|device| device.address);
    let found = of(found, address);
    let text = |value: Option<&String>| field(value.map_or("", String::as_str));
    vec![
        address.map(|address| address.to_string()).unwrap_or_default(),
        device.map(|device| device.requested.to_string()).unwrap_or_default(),
        device.map(|device| device.status.name().to_owned()).unwrap_or_default(),
        text(device.and_then(|device| device.driver.as_ref())),
        text(device.and_then(|device| device.label.as_ref())),
        device.and_then(|device| device.seized_at).map(time::date).unwrap_or_default(),
        if address.is_some() { field(&codes(found)) } else { String::new() },
        field(&found.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>().join("; ")),
    ]
}

fn of<'a, 'b>(found: &'b FindingsByDevice<'a>, address: Option<Address>) -> &'b [&'a Finding] {
    found.get(&address).map(Vec::as_slice).unwrap_or_default()
}

fn codes(found: &[&Finding]) -> String {
    let mut codes: Vec<&str> = found.iter().map(|finding| finding.code.name()).collect();
    codes.dedup();
    codes.join(" ")
}

/// A text as a field.
fn field(text: &str) -> String {
    let mut safe = escape(text);
    if text.trim_start().starts_with(FORMULA) || text.starts_with(['\t', '\r']) {
        safe.insert(0, '\'');
    }
    if safe.contains([',', '"', '\'', ';']) || safe.trim() != safe {
        safe = format!("\"{}\"", safe.replace('"', "\"\""));
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::super::super::sample::{device, finding, report};
    use super::*;
    use crate::report::{Code, Status};

    #[test]
    fn a_field_is_no_formula_and_no_second_field() {
        for (text, expected) in [
            ("gaia", "gaia"),
            ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
            ("-1+1", "\"'-1+1\""),
            (" @sum", "\"' @sum\""),
            ("＝1", "\"'＝1\""),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
            ("a\r\nb\u{1b}", "a\\x0d\\x0ab\\x1b"),
            ("\t=1", "\"'\\x09=1\""),
            ("", ""),
        ] {
            assert_eq!(field(text), expected, "{text:?}");
        }
    }

    #[test]
    fn there_is_a_line_for_each_device_and_one_for_a_boot_without() {
        let found = finding(Code::Missing, Severity::Critical, Some(2), "nothing of it, so it is missing");
        let mut found =
            report(2, vec![device(1, Status::Held, Some("nvme")), device(2, Status::Missing, None)], vec![found]);
        found.host = Some("@gaia".to_owned());
        let run = Run { back: 1, ..Run::default() };
        let all = csv(&found, &run, &Choice::default());
        let expected = "\
\"'@gaia\",-1,false,,,,,critical,,0000:00:01.0,true,held,nvme,,,,
\"'@gaia\",-1,false,,,,,critical,,0000:00:02.0,true,missing,,,,missing,\"nothing of it, so it is missing\"
";
        assert_eq!(all, expected);
        let choice = Choice { only: vec!["00:01.0".parse().unwrap()], ..Choice::default() };
        assert_eq!(csv(&found, &run, &choice).lines().count(), 1);
        let unread = Report::unreadable("a cannot be read".to_owned(), None);
        let line = csv(&unread, &Run::default(), &Choice::default());
        assert_eq!(line, ",,,,,,,unknown,log-unreadable,,,,,,,,a cannot be read\n");
        let columns = CSV_HEADING.matches(',').count();
        assert!([&line, expected.lines().next().unwrap()].iter().all(|line| line.matches(',').count() == columns));
    }
}
