//! What a scan came to, in counts.

use std::fmt::Write as _;

use super::super::style::plural;
use crate::report::{Totals, Verdicts};

/// What the rows come to, in one sentence.
pub(super) fn footer(totals: &Totals) -> String {
    let some = |count: u64, noun: &str| format!("{count} {}", plural(usize::try_from(count).unwrap_or(0), noun));
    let mut text = if totals.partial { "INTERRUPTED, so far: ".to_owned() } else { String::new() };
    write!(text, "{} of {}", some(totals.boots, "boot"), some(totals.hosts, "host")).unwrap_or_default();
    text.push_str(&verdicts(": ", &totals.all));
    if totals.boots != totals.hosts {
        text.push_str(&verdicts("; last boots: ", &totals.last));
    }
    if totals.requested > 0 {
        write!(text, "; {} of {} seized", totals.seized, some(totals.requested, "device")).unwrap_or_default();
    }
    let more = |count: u64, noun: &str| (count > 0).then(|| some(count, &format!("more {noun}")));
    let silent = [more(totals.silent_boots, "boot"), more(totals.silent_hosts, "host")];
    let silent: Vec<String> = silent.into_iter().flatten().collect();
    if !silent.is_empty() {
        write!(text, "; nothing of pciback in {}", silent.join(", ")).unwrap_or_default();
    }
    if totals.files > 0 {
        write!(text, "; {} read, {}", some(totals.files, "file"), size(totals.bytes)).unwrap_or_default();
    }
    if totals.passed_over > 0 {
        write!(text, ", {} passed over", totals.passed_over).unwrap_or_default();
    }
    if totals.unreadable > 0 {
        let what = if totals.unreadable == 1 { "file or part of one" } else { "files or parts of them" };
        write!(text, "; {} {what} could not be read", totals.unreadable).unwrap_or_default();
    }
    if totals.unattributed > 0 {
        write!(text, "; {} of no known host or boot", some(totals.unattributed, "record")).unwrap_or_default();
    }
    text
}

/// Those that are not zero.
fn verdicts(before: &str, counts: &Verdicts) -> String {
    let some = counts.worst_first().into_iter().filter(|(_, count)| *count > 0);
    let parts: Vec<String> = some.map(|(verdict, count)| format!("{count} {verdict}")).collect();
    if parts.is_empty() { String::new() } else { format!("{before}{}", parts.join(", ")) }
}

/// A number of bytes, as a person reads it.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} {}", plural(usize::try_from(bytes).unwrap_or(0), "byte"));
    }
    // In tenths, and never more of them than there are.
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while tenths >= 10_240 {
        let Some(next) = units.next() else { break };
        (tenths, unit) = (tenths / 1024, Some(next));
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, unit.unwrap_or(&"KiB"))
}

/// Every count on a line of its own, zeros too: for scripts as well.
pub fn scan_summary(totals: &Totals) -> String {
    let mut counts = vec![("hosts".to_owned(), totals.hosts), ("boots".to_owned(), totals.boots)];
    for (of, verdicts) in [("boots", &totals.all), ("last boots", &totals.last)] {
        counts.extend(verdicts.worst_first().map(|(verdict, count)| (format!("{of} {verdict}"), count)));
    }
    let others = [
        ("devices requested", totals.requested),
        ("devices seized", totals.seized),
        ("silent hosts", totals.silent_hosts),
        ("silent boots", totals.silent_boots),
        ("files", totals.files),
        ("files passed over", totals.passed_over),
        ("unreadable", totals.unreadable),
        ("bytes", totals.bytes),
        ("records unattributed", totals.unattributed),
        ("interrupted", u64::from(totals.partial)),
    ];
    counts.extend(others.map(|(name, count)| (name.to_owned(), count)));
    if let Some(changes) = totals.changes {
        counts.extend(changes.named().map(|(name, count)| (format!("problems {name}"), count)));
    }
    let mut page = String::new();
    for (name, count) in counts {
        writeln!(page, "{name:<20} {count:>12}").unwrap_or_default();
    }
    page
}
