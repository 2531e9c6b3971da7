//! The report as metrics: Prometheus' text format 0.0.4, for the textfile collector of `node_exporter`.
//!
//! No sample has a timestamp: the collector drops a whole file for one. A metric without samples is left out, and so is
//! every count of an audit that came to nothing: series that end say "not known", and a zero would not.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::looked_at_anything;
use super::text::escape;
use crate::report::{Code, Device, Report, Status};

/// One metric: its name behind the prefix, what it means, and its samples.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) samples: Vec<Sample>,
}

/// Label names and values, and the value.
pub(super) type Sample = (Vec<(&'static str, String)>, String);

/// The report as metrics of a program of this `version` that took `duration`.
pub fn prometheus(report: &Report, version: &str, duration: Duration) -> String {
    let mut metrics = Vec::new();
    if looked_at_anything(report) {
        metrics.extend(devices(report));
        metrics.extend(logs(report));
        metrics.push(requested(report));
    }
    metrics.extend(run(report, version, duration));
    metrics.iter().filter(|metric| !metric.samples.is_empty()).map(block).collect()
}

fn devices(report: &Report) -> [Metric; 3] {
    // A bridge that pciback does not hold is judged by what is behind it: a 0 would raise an alarm over nothing.
    let judged = report.devices.iter().filter(|device| device.requested && device.status != Status::Bridge);
    let seized = |device: &Device| {
        let is_seized = matches!(device.status, Status::Seized(_));
        (vec![("address", device.address.to_string())], u8::from(is_seized).to_string())
    };
    let info = |device: &Device| {
        let labels = vec![
            ("address", device.address.to_string()),
            ("status", device.status.name().to_owned()),
            ("driver", device.driver.clone().unwrap_or_default()),
            ("id", device.id.map(|id| id.to_string()).unwrap_or_default()),
            ("label", device.label.clone().unwrap_or_default()),
        ];
        (labels, "1".to_owned())
    };
    let count = |status: &&'static str| (vec![("status", (*status).to_owned())], report.count(status).to_string());
    [
        Metric {
            name: "device_seized",
            help: "Whether a requested PCI device is pciback's and set up.",
            samples: judged.map(seized).collect(),
        },
        Metric {
            name: "device_info",
            help: "What is known about a PCI device that is requested or pciback's.",
            samples: report.devices.iter().map(info).collect(),
        },
        Metric { name: "devices", help: "PCI devices by status.", samples: Status::NAMES.iter().map(count).collect() },
    ]
}

fn logs(report: &Report) -> [Metric; 3] {
    let sum = |number: fn(&crate::report::Log) -> u64| report.logs.iter().map(number).sum::<u64>().to_string();
    let complete = !report.logs.is_empty() && report.logs.iter().all(|log| log.complete);
    [
        single("log_records", "Log records that were read.", sum(|log| log.records)),
        single("log_records_lost", "Log records that are known to be missing.", sum(|log| log.lost)),
        single(
            "log_complete",
            "Whether the logs hold all that the kernel said since the audited boot began.",
            u8::from(complete).to_string(),
        ),
    ]
}

/// A list that has vanished is to be told from one that never was, which no count of devices does.
fn requested(report: &Report) -> Metric {
    let missed = report.findings.iter().any(|finding| finding.code == Code::NothingRequested);
    single("requested", "Whether a list of devices for pciback was found or given.", u8::from(!missed).to_string())
}

fn run(report: &Report, version: &str, duration: Duration) -> Vec<Metric> {
    let mut findings: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for finding in &report.findings {
        *findings.entry((finding.code.name(), finding.severity.name())).or_default() += 1;
    }
    let found = |((code, severity), count): ((&str, &str), u64)| {
        (vec![("code", code.to_owned()), ("severity", severity.to_owned())], count.to_string())
    };
    // Where nothing is requested and the user says that this is fine, nothing must alarm.
    let verdict = if report.silent { report.exit_status } else { report.verdict.exit_status() };
    let mut metrics = vec![
        Metric {
            name: "findings",
            help: "Findings of the audit by code and severity.",
            samples: findings.into_iter().map(found).collect(),
        },
        single("verdict", "What the audit concludes: 0 ok, 1 warning, 2 critical, 3 unknown.", verdict.to_string()),
    ];
    let ran = report.time.map(|time| time.timestamp().to_string());
    metrics.extend(
        ran.map(|time| single("last_run_timestamp_seconds", "When the audit was made, in seconds since 1970.", time)),
    );
    metrics.push(single("run_duration_seconds", "How long the audit took.", format!("{:.6}", duration.as_secs_f64())));
    metrics.push(Metric {
        name: "build_info",
        help: "The version of pciback-audit.",
        samples: vec![(vec![("version", version.to_owned())], "1".to_owned())],
    });
    metrics
}

/// A metric of one sample.
pub(super) fn single(name: &'static str, help: &'static str, value: String) -> Metric {
    Metric { name, help, samples: vec![(Vec::new(), value)] }
}

/// A metric as text.
pub(super) fn block(metric: &Metric) -> String {
    let Metric { name, help, samples } = metric;
    let mut text = format!("# HELP pciback_audit_{name} {help}\n# TYPE pciback_audit_{name} gauge\n");
    for (labels, value) in samples {
        let labels: Vec<String> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", quote(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        // Writing into a string cannot fail.
        writeln!(text, "pciback_audit_{name}{labels} {value}").unwrap_or_default();
    }
    text
}

/// A label's value: what a terminal would act on is spelt out first, so that only these two are left to quote.
fn quote(text: &str) -> String {
    escape(text).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::super::sample::{device, finding, report};
    use super::*;
    use crate::report::Severity;

    fn text(report: &Report) -> String {
        prometheus(report, "1.2.3", Duration::from_millis(1_234))
    }

    #[test]
    fn labels_are_quoted_and_harmless() {
        let evil = "a\"} 1\n# \\n\u{1b}\u{2028}";
        let found = text(&report(2, vec![device(1, Status::Held, Some(evil))], vec![]));
        let line = found.lines().find(|line| line.contains("driver=")).unwrap();
        let driver = r#"driver="a\"} 1\\x0a# \\n\\x1b\\u{2028}""#;
        assert_eq!(
            line,
            format!(r#"pciback_audit_device_info{{address="0000:00:01.0",status="held",{driver},id="",label=""}} 1"#)
        );
        assert_eq!(found.lines().filter(|line| line.starts_with('#')).count(), 2 * 10);
    }

    #[test]
    fn every_metric_says_once_what_it_is() {
        let late = || finding(Code::HeldByDriver, Severity::Critical, Some(1), "late");
        let mut found = report(2, vec![device(1, Status::Held, None), device(2, Status::Bridge, None)], vec![late()]);
        found.findings.push(late());
        found.time = "2026-11-22T12:00:00.5Z".parse().ok();
        let text = text(&found);
        for line in [
            "pciback_audit_device_seized{address=\"0000:00:01.0\"} 0",
            "pciback_audit_devices{status=\"held\"} 1",
            "pciback_audit_devices{status=\"missing\"} 0",
            "pciback_audit_findings{code=\"held-by-driver\",severity=\"critical\"} 2",
            "pciback_audit_verdict 2",
            "pciback_audit_requested 1",
            "pciback_audit_log_records 8",
            "pciback_audit_log_records_lost 7",
            "pciback_audit_log_complete 1",
            "pciback_audit_last_run_timestamp_seconds 1795348800",
            "pciback_audit_run_duration_seconds 1.234000",
            "pciback_audit_build_info{version=\"1.2.3\"} 1",
        ] {
            assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{line}\n{text}");
        }
        assert!(!text.contains("device_seized{address=\"0000:00:02.0\"}"), "a bridge is judged by what is behind it");
    }

    #[test]
    fn several_logs_are_complete_only_together() {
        let mut found = report(3, vec![], vec![]);
        found.logs.extend(found.logs.clone());
        assert!(text(&found).contains("\npciback_audit_log_records_lost 14\n"));
        assert!(text(&found).contains("\npciback_audit_log_complete 1\n"));
        found.logs[1].complete = false;
        assert!(text(&found).contains("\npciback_audit_log_complete 0\n"));
    }

    #[test]
    fn what_was_not_looked_at_is_not_counted() {
        let mut found = report(3, vec![], vec![finding(Code::LogUnreadable, Severity::Unknown, None, "time is up")]);
        found.logs.clear();
        let text = text(&found);
        assert!(text.contains("\npciback_audit_verdict 3\n"), "{text}");
        assert!(!text.contains("pciback_audit_requested"), "{text}");
        assert!(!text.contains("pciback_audit_devices") && !text.contains("pciback_audit_log_"), "{text}");
    }

    #[test]
    fn a_fleet_where_nothing_is_requested_does_not_alarm() {
        let nothing = finding(Code::NothingRequested, Severity::Unknown, None, "no list");
        let mut found = report(3, vec![], vec![nothing]);
        assert!(text(&found).contains("\npciback_audit_requested 0\n"));
        assert!(text(&found).contains("\npciback_audit_verdict 3\n"));
        (found.silent, found.exit_status) = (true, 0);
        assert!(text(&found).contains("\npciback_audit_verdict 0\n"));
    }
}
