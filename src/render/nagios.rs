//! The report for Nagios and its kin: one line that stands alone, performance data behind `|`, and details below it.
//!
//! The monitor judges by the exit status, so the word on the line is that of the exit status. It differs from the verdict
//! where the user asked for it: a warning under `--fail-on critical` is OK, and is still named; nothing requested under
//! `--if-requested` is OK.

use super::brief::{blind, cause, cut, joined, outcome, words, wrong};
use super::looked_at_anything;
use super::text::is_harmful;
use crate::report::{Code, Finding, GuestState, Report, Severity, Status, Verdict};

/// Columns of the first line in front of the performance data, where its first two parts leave the choice.
const LINE: usize = 79;

/// The least room for a reason: a shorter beginning would say nothing.
const LEAST: usize = 20;

/// Longest single part of that line: a name or a message of any length may stand in it.
const PART: usize = 100;

/// The report as a plugin prints it, with a line end: with `verbose`, what was found stands below the first line. What
/// went wrong on the way always does, since such a program looks at standard output only.
pub fn nagios(report: &Report, complaints: &[String], verbose: bool) -> String {
    let mut lines = vec![format!("{} | {}", first(report, complaints), performance(report))];
    if verbose {
        lines.extend(report.findings.iter().flat_map(details).map(|line| harmless(&line)));
    }
    lines.extend(complaints.iter().map(|complaint| harmless(complaint)));
    lines.join("\n") + "\n"
}

/// A finding and what would mend it.
fn details(finding: &Finding) -> Vec<String> {
    let about = finding.address.map(|address| format!(" {}", address.short())).unwrap_or_default();
    let mut lines = vec![format!("{} {}{about}: {}", finding.severity, finding.code, finding.message)];
    lines.extend(finding.remedy.iter().map(|line| format!("    {line}")));
    lines
}

/// What a plugin prints when it could not even begin: the first line of `why` behind the word, the others below.
pub fn nagios_unknown(why: &str) -> String {
    let mut lines = why.trim().lines().map(harmless);
    let first = lines.next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(&first);
    let begin = "PCIBACK UNKNOWN - ";
    let short = shortened(first, LINE - begin.len());
    let whole = (short != first).then(|| first.to_owned());
    let lines = std::iter::once(format!("{begin}{short}")).chain(whole).chain(lines);
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// `text` without what ends a line, begins performance data, or is acted on where a terminal or a page shows it. A
/// backslash goes too: monitors turn `\n` into a line end when results travel as text.
fn harmless(text: &str) -> String {
    let letter = |letter| match letter {
        '|' => '¦',
        '\\' => '/',
        letter if is_harmful(letter) => '?',
        letter => letter,
    };
    text.chars().map(letter).collect()
}

/// The line without its performance data: as many parts as it has room for, worst first.
fn first(report: &Report, complaints: &[String]) -> String {
    let word = match report.exit_status {
        0 => "OK",
        1 => "WARNING",
        2 => "CRITICAL",
        _ => "UNKNOWN",
    };
    let begin = format!("PCIBACK {word} - ");
    let mut parts: Vec<String> = parts(report, complaints).into_iter().map(|part| harmless(&cut(part, PART))).collect();
    // The first two are the outcome and its worst reason: without them the line says little.
    let count = parts.len();
    let others = |of: usize| parts_more(count.saturating_sub(of));
    let room = LINE.saturating_sub(begin.len());
    let (first, second) = (room.saturating_sub(others(1)), room.saturating_sub(others(2)));
    let mut always = 1;
    if let Some((one, rest)) = parts.split_first_mut() {
        *one = shortened(one, first);
        let left = second.saturating_sub(one.chars().count() + 2);
        if let Some(two) = rest.first_mut().filter(|_| left >= LEAST) {
            *two = shortened(two, left);
            always = 2;
        }
    }
    joined(begin, parts, always, LINE)
}

/// How long it is to say that so many parts are left out.
fn parts_more(parts: usize) -> usize {
    if parts > 0 { format!("; and {parts} more").len() } else { 0 }
}

/// `text`, or its first words where it has more than `most` letters.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let start: String = text.chars().take(most.saturating_sub(3)).collect();
    let end = start.rfind(' ').filter(|end| *end > most / 2).unwrap_or(start.len());
    format!("{}...", start.get(..end).unwrap_or(&start))
}

/// What the line says: the cause that explains everything, or the outcome and what keeps it from being better.
fn parts(report: &Report, complaints: &[String]) -> Vec<String> {
    if report.silent {
        return vec!["nothing is requested".to_owned()];
    }
    if let Some(guest) = &report.guest {
        let counts = |finding: &&Finding| finding.severity != Severity::Info;
        let reasons = report.findings.iter().filter(counts).map(|finding| finding.message.clone());
        return [super::guest::outcome(report, guest)].into_iter().chain(reasons).collect();
    }
    if let Some(cause) = cause(report) {
        let mut parts: Vec<String> = [words(cause)].into_iter().chain(outcome(report)).collect();
        if cause.code == Code::NothingRequested {
            // It may be that nothing could be read.
            parts.extend(blind(report).or_else(|| complaints.first().cloned()));
        }
        return parts;
    }
    let (mut wrong, accepted) = wrong(report);
    // The word says OK, and the line goes on with what is not.
    if let (Verdict::Warning, 0, Some(first)) = (report.verdict, report.exit_status, wrong.first_mut()) {
        first.insert_str(0, "warning: ");
    }
    let accepted = (accepted > 0).then(|| format!("{accepted} accepted"));
    let mut parts: Vec<String> = outcome(report).into_iter().chain(wrong).chain(accepted).collect();
    if parts.is_empty() {
        parts.push("no device is requested".to_owned());
    }
    parts
}

/// Every count, zeros too, so that graphs have no holes; `U` where nothing was looked at.
fn performance(report: &Report) -> String {
    if let Some(guest) = &report.guest {
        let bound = guest.devices.iter().filter(|device| device.state == GuestState::Bound).count();
        return format!("devices={};;;0 bound={bound};;;0", guest.devices.len());
    }
    let looked = looked_at_anything(report);
    let value = |number: u64| if looked { number.to_string() } else { "U".to_owned() };
    let count = |number: usize| value(u64::try_from(number).unwrap_or(u64::MAX));
    let requested = report.requested();
    let mut data = vec![format!("requested={};;;0", count(requested))];
    for status in Status::NAMES {
        let most = if status == "seized" && looked { format!(";{requested}") } else { String::new() };
        data.push(format!("{status}={};;;0{most}", count(report.count(status))));
    }
    data.push(format!("log_records_lost={};;;0", value(report.logs.iter().map(|log| log.lost).sum())));
    data.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::sample::{device, finding, report};
    use super::*;
    use crate::report::{Device, Severity};

    #[test]
    fn a_line_of_long_parts_is_cut_at_a_word_and_counts_what_is_left_out() {
        let long =
            || finding(Code::LogUnreadable, Severity::Unknown, None, &"some log has a very long name ".repeat(9));
        let report = report(3, vec![device(0x1d, Status::Unconfirmed, None)], vec![long(), long(), long()]);
        let line = text(&report);
        assert!(line.len() <= LINE && line.ends_with(" more") && line.contains("..."), "{line}");
        let said = nagios_unknown(&format!("error: {}", "no such file ".repeat(20)));
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines.len() == 2 && lines[0].len() <= LINE && lines[1].len() > 200, "{said}");
        assert_eq!(
            (shortened("a bc", 4), shortened("abcdefgh", 6), shortened("ab cd ef gh", 9)),
            ("a bc".into(), "abc...".into(), "ab cd...".into())
        );
    }

    /// The first line in front of its performance data.
    fn text(report: &Report) -> String {
        nagios(report, &[], false).split(" | ").next().unwrap().to_owned()
    }

    fn held(slot: u8, driver: &str) -> Device {
        device(slot, Status::Held, Some(driver))
    }

    #[test]
    fn the_worst_comes_first_and_the_rest_is_counted() {
        let lost = Status::Lost { by_hand: true };
        let mut devices = vec![device(1, lost, None), device(2, Status::Unconfirmed, None), held(3, "uhci_hcd")];
        let found = report(2, devices.clone(), vec![]);
        assert_eq!(text(&found), "PCIBACK CRITICAL - 0/3 seized; 00:03.0 held by uhci_hcd; and 2 more");
        devices.extend((4..20).map(|slot| device(slot, Status::Absent, None)));
        let line = text(&report(2, devices, vec![]));
        assert_eq!(line, "PCIBACK CRITICAL - 0/19 seized; 00:03.0 held by uhci_hcd; and 18 more");
        let two = report(2, vec![held(1, "nvme"), held(2, "nvme")], vec![]);
        assert_eq!(text(&two), "PCIBACK CRITICAL - 0/2 seized; 00:01.0 held by nvme; 00:02.0 held by nvme");
    }

    #[test]
    fn causes_come_before_the_count() {
        let cause = finding(Code::ListMalformed, Severity::Critical, None, "column 3: expected (");
        let found = report(2, vec![device(1, Status::Unbound, None)], vec![cause]);
        assert_eq!(text(&found), "PCIBACK CRITICAL - the kernel cannot read the list; 0/1 seized");
        let nothing = finding(Code::NothingRequested, Severity::Unknown, None, "no list");
        let blind = finding(Code::HostUnreadable, Severity::Unknown, None, "/sys cannot be read");
        let mut found = report(3, vec![], vec![blind, nothing]);
        assert_eq!(text(&found), "PCIBACK UNKNOWN - no list of devices was found; /sys cannot be read");
        (found.silent, found.exit_status) = (true, 0);
        assert_eq!(text(&found), "PCIBACK OK - nothing is requested");
    }

    #[test]
    fn what_explains_a_doubt_comes_before_the_devices_in_doubt() {
        let late = finding(Code::LogBeginsLate, Severity::Unknown, None, "it does not reach back");
        let found = report(3, vec![device(1, Status::Unconfirmed, None)], vec![late]);
        assert_eq!(text(&found), "PCIBACK UNKNOWN - 0/1 seized; the log begins too late; 00:01.0 unconfirmed");
    }

    #[test]
    fn the_word_is_that_of_the_exit_status() {
        let warning = finding(Code::Unrequested, Severity::Warning, Some(4), "not in the list");
        let mut found = report(1, vec![], vec![warning]);
        assert_eq!(text(&found), "PCIBACK WARNING - 00:04.0 unrequested");
        found.exit_status = 0;
        assert_eq!(text(&found), "PCIBACK OK - warning: 00:04.0 unrequested");
        let accepted = finding(Code::HeldByDriver, Severity::Info, Some(1), "held");
        assert_eq!(text(&report(0, vec![held(1, "nvme")], vec![accepted])), "PCIBACK OK - 0/1 seized; 1 accepted");
    }

    #[test]
    fn nothing_breaks_out_of_its_line() {
        let evil = "a|b=9\n\\n\\x\nOK - fine\r\u{1b}[2J\u{2028}c|d=1 'e'=2";
        let mut bad = finding(Code::LogUnreadable, Severity::Unknown, None, evil);
        bad.remedy = vec![evil.to_owned()];
        let found = report(3, vec![held(1, evil), held(2, &"x".repeat(9999))], vec![bad]);
        let all = nagios(&found, &[evil.to_owned()], true);
        assert_eq!(all.lines().count(), 4, "{all}");
        assert_eq!(all.matches('|').count(), 1, "{all}");
        assert!(!all.contains(|letter| letter != '\n' && (is_harmful(letter) || letter == '\\')), "{all}");
        assert!(all.lines().next().is_some_and(|line| line.len() < 500), "{all}");
        assert!(!all.ends_with("\n\n") && all.ends_with('\n'));
        let refused = nagios_unknown(&format!("error: {evil}"));
        assert!(refused.starts_with("PCIBACK UNKNOWN - a¦b=9\n") && !refused.contains('|'), "{refused}");
    }

    #[test]
    fn every_count_is_there_and_what_is_not_known_is_no_zero() {
        let found = nagios(&report(2, vec![held(1, "nvme"), device(2, Status::Bridge, None)], vec![]), &[], false);
        let data = "requested=2;;;0 seized=0;;;0;2 bridge=1;;;0 held=1;;;0 unbound=0;;;0 absent=0;;;0 failed=0;;;0 \
                    lost=0;;;0 missing=0;;;0 unconfirmed=0;;;0 unrequested=0;;;0 log_records_lost=7;;;0";
        assert_eq!(found, format!("PCIBACK CRITICAL - 0/1 seized; 00:01.0 held by nvme | {data}\n"));
        let mut nothing = report(3, vec![], vec![finding(Code::LogUnreadable, Severity::Unknown, None, "time is up")]);
        nothing.logs.clear();
        let line = nagios(&nothing, &[], false);
        assert!(line.starts_with("PCIBACK UNKNOWN - time is up | requested=U;;;0 seized=U;;;0 bridge=U"), "{line}");
    }
}
