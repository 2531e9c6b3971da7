//! The report as one JSON object: schema `pciback-audit/report/1`, `schema/report-1.json`.
//!
//! These structs are the wire form, in the order of the contract; the report's own types may change without them.

use serde::Serialize;

use super::{text, time};
use crate::pci::Address;
use crate::record::Stamp;
use crate::report::{self, Report, Run};

/// Stays the same as long as readers of it need not change.
const SCHEMA: &str = "pciback-audit/report/1";

#[derive(Serialize)]
pub(super) struct Object<'a> {
    schema: &'static str,
    tool: Tool<'a>,
    verdict: &'static str,
    exit_status: u8,
    host: Option<&'a str>,
    kernel: Option<&'a str>,
    boot_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boot: Option<Boot>,
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<time::PrintedTimes>,
    request: Request<'a>,
    logs: Vec<Log<'a>>,
    devices: Vec<Device<'a>>,
    findings: Vec<Finding<'a>>,
    plan: Plan<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guest: Option<Guest<'a>>,
    summary: Summary,
}

/// A guest's end.
#[derive(Serialize)]
struct Guest<'a> {
    kind: Option<&'static str>,
    frontend: &'static str,
    devices: Vec<GuestDevice<'a>>,
}

#[derive(Serialize)]
struct GuestDevice<'a> {
    address: String,
    host_address: Option<String>,
    expected: bool,
    state: &'static str,
    driver: Option<&'a str>,
    id: Option<String>,
}

/// Each part as lines for a shell, and the files of the last but one as such.
#[derive(Serialize)]
struct Plan<'a> {
    first: &'a [String],
    now: &'a [String],
    for_good: Vec<String>,
    files: Vec<File<'a>>,
    promise: Option<Promise<'a>>,
    check: &'a [String],
}

/// The next boot with all that is for good.
#[derive(Serialize)]
struct Promise<'a> {
    wanted: usize,
    seized: usize,
    others: Vec<Other<'a>>,
}

#[derive(Serialize)]
struct Other<'a> {
    address: String,
    why: &'a str,
}

#[derive(Serialize)]
struct File<'a> {
    path: &'a str,
    content: &'a str,
}

/// The boot of a host that a report of a scan is about.
#[derive(Serialize)]
struct Boot {
    /// 0 is the last one, -1 the one before.
    number: i64,
    began: Option<String>,
    ended: Option<String>,
    id: Option<String>,
    last: bool,
}

#[derive(Serialize)]
pub(super) struct Tool<'a> {
    pub(super) name: &'static str,
    pub(super) version: &'a str,
}

#[derive(Serialize)]
struct Request<'a> {
    accepted: bool,
    entries: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    text: &'a str,
    source: &'static str,
    location: Option<String>,
    addresses: Vec<String>,
}

#[derive(Serialize)]
struct Log<'a> {
    source: &'a str,
    records: u64,
    recognised: u64,
    unrecognised: u64,
    first_sequence: Option<u64>,
    lost: u64,
    unparsed: u64,
    complete: bool,
    trusted: bool,
}

#[derive(Serialize)]
struct Device<'a> {
    address: String,
    requested: bool,
    covered_by: Option<&'a str>,
    status: &'static str,
    basis: &'static str,
    driver: Option<&'a str>,
    id: Option<String>,
    name: Option<&'a str>,
    label: Option<&'a str>,
    guests: Vec<&'a str>,
    last_guest: Option<LastGuest>,
    seized_at: Option<String>,
    findings: Vec<&'static str>,
}

#[derive(Serialize)]
struct LastGuest {
    domid: u32,
    at: Option<String>,
}

#[derive(Serialize)]
struct Finding<'a> {
    code: &'static str,
    severity: &'static str,
    address: Option<String>,
    time: Option<String>,
    message: &'a str,
    evidence: Vec<Evidence<'a>>,
    remedy: &'a [String],
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Evidence<'a> {
    Host {
        path: &'a str,
        value: Option<&'a str>,
    },
    Log {
        source: &'a str,
        sequence: Option<u64>,
        line: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        offset: Option<u64>,
        uptime_us: Option<u64>,
        time: Option<String>,
        text: &'a str,
    },
    Request {
        source: &'static str,
        location: Option<String>,
        text: &'a str,
    },
}

#[derive(Serialize)]
struct Summary {
    requested: usize,
    seized: usize,
    bridge: usize,
    held: usize,
    unbound: usize,
    absent: usize,
    failed: usize,
    lost: usize,
    missing: usize,
    unconfirmed: usize,
    unrequested: usize,
}

/// The report as JSON for a person as well, with a line end.
pub fn json(report: &Report, tool_version: &str) -> String {
    // Writing plain structs into a string cannot fail; were it ever to, half an object must not pass for a report.
    let text = serde_json::to_string_pretty(&object(report, tool_version)).unwrap_or_default();
    spell_out(text) + "\n"
}

/// The same object on one line, with a line end: for streams of reports. Of a scan it says which boot of its host it is about.
pub fn json_line(report: &Report, run: Option<&Run>, tool_version: &str) -> String {
    // A report without a log is of a file that could not be read, and about no boot.
    let run = run.filter(|_| !report.logs.is_empty());
    let object = Object { boot: run.map(|run| boot(report, run)), ..object(report, tool_version) };
    let text = serde_json::to_string(&object).unwrap_or_default();
    spell_out(text) + "\n"
}

pub(super) fn object<'a>(report: &'a Report, tool_version: &'a str) -> Object<'a> {
    Object {
        schema: SCHEMA,
        tool: Tool { name: "pciback-audit", version: tool_version },
        verdict: report.verdict.name(),
        exit_status: report.exit_status,
        host: report.host.as_deref(),
        kernel: report.kernel.as_deref(),
        boot_id: report.boot_id.map(|id| id.to_string()),
        boot: None,
        time: report.time.map(time::date),
        window: time::window(report.window),
        request: request(&report.request),
        logs: report.logs.iter().map(log).collect(),
        devices: report.devices.iter().map(device).collect(),
        findings: report.findings.iter().map(finding).collect(),
        plan: plan(&report.plan),
        guest: report.guest.as_ref().map(guest),
        summary: summary(report),
    }
}

/// JSON itself escapes only the controls of ASCII. The others can stand nowhere but inside strings, where `\u` is good.
pub(super) fn spell_out(text: String) -> String {
    if text.split('\n').all(text::is_plain) {
        return text;
    }
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '\n' || !text::is_harmful(letter) {
            safe.push(letter);
        } else {
            let mut units = [0; 2];
            safe.extend(letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    safe
}

fn boot(report: &Report, run: &Run) -> Boot {
    // Without a year or a zone, the log names no instant.
    let time = |stamp: Option<&Stamp>| stamp.and_then(time::instant).map(time::date);
    Boot {
        number: i64::try_from(run.back).map_or(i64::MIN, |back| -back),
        began: time(run.first.as_ref()),
        ended: time(run.last.as_ref()),
        id: report.boot_id.map(|id| id.to_string()),
        last: run.back == 0,
    }
}

fn request(request: &report::Request) -> Request<'_> {
    Request { accepted: request.accepted, entries: request.entries.iter().map(entry).collect() }
}

fn plan(plan: &report::Repair) -> Plan<'_> {
    Plan {
        first: &plan.first,
        now: &plan.now,
        for_good: plan.for_good_lines(),
        files: plan.files().map(|file| File { path: &file.path, content: &file.content }).collect(),
        promise: plan.promise.as_ref().map(promise),
        check: &plan.check,
    }
}

fn promise(promise: &report::Promise) -> Promise<'_> {
    let others = promise.others.iter().map(|(address, why)| Other { address: address.to_string(), why });
    Promise { wanted: promise.wanted, seized: promise.seized, others: others.collect() }
}

fn entry(entry: &report::Entry) -> Entry<'_> {
    Entry {
        text: &entry.text,
        source: entry.source.name(),
        location: entry.location.as_ref().map(ToString::to_string),
        addresses: entry.addresses.iter().map(Address::to_string).collect(),
    }
}

fn log(log: &report::Log) -> Log<'_> {
    Log {
        source: &log.source,
        records: log.records,
        recognised: log.recognised,
        unrecognised: log.unrecognised,
        first_sequence: log.first_sequence,
        lost: log.lost,
        unparsed: log.unparsed,
        complete: log.complete,
        trusted: log.trusted,
    }
}

fn device(device: &report::Device) -> Device<'_> {
    Device {
        address: device.address.to_string(),
        requested: device.requested,
        covered_by: device.covered_by.as_deref(),
        status: device.status.name(),
        basis: device.basis.name(),
        driver: device.driver.as_deref(),
        id: device.id.map(|id| id.to_string()),
        name: device.name.as_deref(),
        label: device.label.as_deref(),
        guests: device.guests.iter().map(String::as_str).collect(),
        last_guest: device
            .last_guest
            .as_ref()
            .map(|guest| LastGuest { domid: guest.domid, at: guest.at.map(time::date) }),
        seized_at: device.seized_at.map(time::date),
        findings: device.findings.iter().map(|code| code.name()).collect(),
    }
}

fn guest(guest: &report::Guest) -> Guest<'_> {
    let devices = guest.devices.iter().map(|device| GuestDevice {
        address: device.address.to_string(),
        host_address: device.real.map(|real| real.to_string()),
        expected: device.expected,
        state: device.state.name(),
        driver: device.driver.as_deref(),
        id: device.id.map(|id| id.to_string()),
    });
    Guest { kind: guest.kind, frontend: guest.frontend.name(), devices: devices.collect() }
}

fn finding(finding: &report::Finding) -> Finding<'_> {
    Finding {
        code: finding.code.name(),
        severity: finding.severity.name(),
        address: finding.address.map(|address| address.to_string()),
        time: finding.time.map(time::date),
        message: &finding.message,
        evidence: finding.evidence.iter().map(evidence).collect(),
        remedy: &finding.remedy,
    }
}

fn evidence(evidence: &report::Evidence) -> Evidence<'_> {
    match evidence {
        report::Evidence::Host { path, value } => Evidence::Host { path, value: value.as_deref() },
        report::Evidence::Log { source, sequence, line, offset, stamp, text } => Evidence::Log {
            source,
            sequence: *sequence,
            line: *line,
            offset: *offset,
            uptime_us: stamp.uptime,
            time: time::instant(stamp).map(time::date),
            text,
        },
        report::Evidence::Request { source, location, text } => {
            Evidence::Request { source: source.name(), location: location.as_ref().map(ToString::to_string), text }
        }
    }
}

fn summary(report: &Report) -> Summary {
    let count = |status| report.count(status);
    Summary {
        requested: report.requested(),
        seized: count("seized"),
        bridge: count("bridge"),
        held: count("held"),
        unbound: count("unbound"),
        absent: count("absent"),
        failed: count("failed"),
        lost: count("lost"),
        missing: count("missing"),
        unconfirmed: count("unconfirmed"),
        unrequested: count("unrequested"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::report::{Code, Severity, Status};

    #[test]
    fn on_one_line_it_is_the_same_object() {
        let bad = sample::finding(Code::HeldByDriver, Severity::Critical, Some(1), "a\nb  \"c\": \u{202e}d");
        let report = sample::report(2, vec![sample::device(1, Status::Held, Some("nvme"))], vec![bad]);
        let (pretty, line) = (json(&report, "1.2.3"), json_line(&report, None, "1.2.3"));
        assert_eq!((line.matches('\n').count(), line.ends_with("}\n"), line.contains('\u{202e}')), (1, true, false));
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&line), read(&pretty));
    }

    #[test]
    fn no_control_character_stands_in_it_unescaped() {
        let text = spell_out("{\n \"a\": \"\u{9b}\u{202e}\u{7f}\u{e0041}\"\n}".to_owned());
        assert_eq!(text, "{\n \"a\": \"\\u009b\\u202e\\u007f\\udb40\\udc41\"\n}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["a"], "\u{9b}\u{202e}\u{7f}\u{e0041}");
    }
}
