//! A scan as metrics, for the textfile collector of a log server. Their names are not those of an audit of the server itself.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::super::prometheus::{Metric, Sample, block, single};
use crate::report::{Totals, Verdicts};

/// What a scan came to, made at this time by a program of this `version` in `took`; no counts where it came to nothing.
pub fn scan_metrics(totals: Option<&Totals>, time: Option<DateTime<Utc>>, version: &str, took: Duration) -> String {
    let mut metrics = totals.map(counts).unwrap_or_default();
    let ran = time.map(|time| time.timestamp().to_string());
    metrics.extend(
        ran.map(|time| {
            single("scan_last_run_timestamp_seconds", "When the scan was made, in seconds since 1970.", time)
        }),
    );
    let took = format!("{:.6}", took.as_secs_f64());
    metrics.push(single("scan_run_duration_seconds", "How long the scan took.", took));
    let version = vec![(vec![("version", version.to_owned())], "1".to_owned())];
    metrics.push(Metric {
        name: "scan_build_info",
        help: "The version of pciback-audit that scanned.",
        samples: version,
    });
    metrics.iter().map(block).collect()
}

fn counts(totals: &Totals) -> Vec<Metric> {
    let verdicts = |name, help, counts: &Verdicts| {
        let sample = |(verdict, count): (crate::report::Verdict, u64)| {
            (vec![("verdict", verdict.name().to_owned())], count.to_string())
        };
        Metric { name, help, samples: counts.worst_first().map(sample).to_vec() }
    };
    let mut metrics = vec![
        verdicts("scan_hosts", "Hosts by the verdict of their last boot.", &totals.last),
        verdicts("scan_boots", "Boots by verdict.", &totals.all),
    ];
    let numbers = [
        ("scan_devices_requested", "Requested devices, boot by boot.", totals.requested),
        ("scan_devices_seized", "Seized devices, boot by boot.", totals.seized),
        ("scan_silent_hosts", "Hosts of which no log says anything of pciback.", totals.silent_hosts),
        ("scan_files", "Files that were read.", totals.files),
        ("scan_unreadable", "Files, and pieces of files, that could not be read.", totals.unreadable),
        ("scan_records_unattributed", "Records of pciback that belong to no known host or boot.", totals.unattributed),
        ("scan_interrupted", "Whether the scan was stopped before its end.", u64::from(totals.partial)),
    ];
    metrics.extend(numbers.map(|(name, help, number)| single(name, help, number.to_string())));
    if let Some(changes) = totals.changes {
        let sample = |(name, number): (&str, u64)| -> Sample { (vec![("since", name.to_owned())], number.to_string()) };
        metrics.push(Metric {
            name: "scan_problems",
            help: "What is wrong in the last boots, compared with the baseline.",
            samples: changes.named().map(sample).to_vec(),
        });
    }
    metrics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_has_a_number_and_what_was_not_counted_has_none() {
        let totals = Totals { last: Verdicts { critical: 88, ok: 412, ..Verdicts::default() }, ..Totals::default() };
        let time = "2026-11-22T12:00:00Z".parse().ok();
        let text = scan_metrics(Some(&totals), time, "1.2.3", Duration::from_millis(1_234));
        for line in [
            "pciback_audit_scan_hosts{verdict=\"critical\"} 88",
            "pciback_audit_scan_hosts{verdict=\"unknown\"} 0",
            "pciback_audit_scan_hosts{verdict=\"ok\"} 412",
            "pciback_audit_scan_unreadable 0",
            "pciback_audit_scan_last_run_timestamp_seconds 1795348800",
            "pciback_audit_scan_run_duration_seconds 1.234000",
        ] {
            assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{line}\n{text}");
        }
        let nothing = scan_metrics(None, time, "1.2.3", Duration::ZERO);
        assert!(!nothing.contains("hosts") && nothing.contains("last_run"), "{nothing}");
    }
}
