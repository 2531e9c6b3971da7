//! Findings in plain words: those of one kind together, with their proof and the commands to copy.

use std::collections::BTreeSet;

use super::layout::{hanging, paragraph};
use super::style::{Style, paint, plural};
use super::text::escape;
use super::time;
use crate::report::{Code, Evidence, Finding, Report, Severity};
use crate::request::Source;

/// How many lines of proof a kind of finding gets without `-v`.
const PROOF_LINES: usize = 6;

/// How many addresses are repeated without `-v`: the table has them all.
const ADDRESSES: usize = 12;

/// The findings to show: notes only when asked for.
pub(super) fn shown<'a>(report: &'a Report, style: &Style) -> Vec<&'a Finding> {
    report.findings.iter().filter(|finding| style.verbose || finding.severity != Severity::Info).collect()
}

/// The findings, worst first, each kind behind an empty line.
pub(super) fn lines(findings: &[&Finding], style: &Style) -> Vec<String> {
    let mut groups: Vec<(Severity, Code, Vec<&Finding>)> = Vec::new();
    for finding in findings {
        match groups.iter_mut().find(|(severity, code, _)| (*severity, *code) == (finding.severity, finding.code)) {
            Some((.., group)) => group.push(finding),
            None => groups.push((finding.severity, finding.code, vec![finding])),
        }
    }
    groups.iter().flat_map(|(.., group)| kind(group, style)).collect()
}

fn kind(group: &[&Finding], style: &Style) -> Vec<String> {
    let Some(first) = group.first() else { return Vec::new() };
    let mut lines = vec![String::new(), title(first, group, style)];
    lines.extend(messages(group, style));
    lines.extend(proof(group, style));
    lines.extend(remedy(group).iter().flat_map(|line| command(line, style)));
    lines
}

fn title(first: &Finding, group: &[&Finding], style: &Style) -> String {
    let what = match (group, first.address, first.time) {
        ([_], Some(address), Some(at)) => format!(": {address}, {}", time::date(at)),
        ([_], Some(address), None) => format!(": {address}"),
        ([_], None, Some(at)) => format!(": {}", time::date(at)),
        ([_], None, None) => String::new(),
        _ if group.iter().all(|finding| finding.address.is_some()) => {
            format!(": {} {}", group.len(), plural(group.len(), "device"))
        }
        _ => format!(": {} times", group.len()),
    };
    format!("{} {}{what}", paint(first.severity.name(), first.severity.verdict(), style), first.code)
}

/// What each finding says. What all of them say is said once, behind their addresses.
fn messages(group: &[&Finding], style: &Style) -> Vec<String> {
    let Some(first) = group.first() else { return Vec::new() };
    if group.iter().all(|finding| finding.message == first.message) {
        let mut addresses: Vec<String> =
            group.iter().filter_map(|finding| Some(finding.address?.to_string())).collect();
        if addresses.len() > ADDRESSES && !style.verbose {
            let more = addresses.split_off(ADDRESSES).len();
            addresses.push(format!("and {more} more"));
        }
        let mut lines = Vec::new();
        if group.len() > 1 && !addresses.is_empty() {
            lines = paragraph("  ", &addresses.join(" "), style.width);
        }
        lines.extend(paragraph("  ", &sentence(&first.message), style.width));
        return lines;
    }
    let line = |finding: &&Finding| {
        let start = finding.address.map_or_else(|| "  ".to_owned(), |address| format!("  {address}  "));
        paragraph(&start, &sentence(&finding.message), style.width)
    };
    group.iter().flat_map(line).collect()
}

fn sentence(message: &str) -> String {
    escape(message)
}

fn proof(group: &[&Finding], style: &Style) -> Vec<String> {
    let mut proofs: Vec<String> = group.iter().flat_map(|finding| &finding.evidence).map(words).collect();
    let mut said = BTreeSet::new();
    proofs.retain(|proof| said.insert(proof.clone()));
    let most = if style.verbose { proofs.len() } else { PROOF_LINES };
    let mut lines: Vec<String> =
        proofs.iter().take(most).flat_map(|proof| paragraph("  - ", &escape(proof), style.width)).collect();
    if proofs.len() > most {
        lines.push(format!("  - and {} more; -v shows all", proofs.len() - most));
    }
    lines
}

pub(super) fn words(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Host { path, value: Some(value) } if value.trim().is_empty() => format!("{path} is empty"),
        Evidence::Host { path, value: Some(value) } => match value.trim() {
            // Some values are what the file does, or why it could not be read.
            value if value.starts_with("does not ") || value.starts_with("lists ") => format!("{path} {value}"),
            value if value.contains(' ') => format!("{path}: {value}"),
            value => format!("{path} is {value}"),
        },
        Evidence::Host { path, value: None } => format!("{path} is not there"),
        Evidence::Log { source, sequence, line, offset, stamp, text } => {
            let place = match (sequence, line, offset) {
                (Some(sequence), ..) => format!(" record {sequence}"),
                (None, Some(line), _) => format!(" line {line}"),
                (None, None, Some(offset)) => format!(" byte {offset}"),
                (None, None, None) => String::new(),
            };
            let at = time::as_written(stamp).map(|time| format!(" at {time}")).unwrap_or_default();
            format!("{source}{place}{at}: \"{}\"", text.trim_end())
        }
        Evidence::Request { source, location, text } => {
            let place = match (source, location) {
                (_, Some(location)) => location.to_string(),
                (Source::Argument, None) => "--hide".to_owned(),
                (source, None) => source.in_words().to_owned(),
            };
            format!("{place} says \"{text}\"")
        }
    }
}

/// The commands of all of them, each once. What they all begin with and what they all end with keeps its place around
/// what differs: a module is loaded before the first device is bound, and the boot image is rebuilt after the last.
fn remedy(group: &[&Finding]) -> Vec<String> {
    let remedies = remedies(group);
    let Some((first, others)) = remedies.split_first() else { return Vec::new() };
    let shared = |number: usize, from_end: bool| {
        let line =
            |remedy: &Vec<String>| if from_end { remedy.iter().nth_back(number) } else { remedy.get(number) }.cloned();
        let own = line(first);
        own.is_some() && others.iter().all(|other| line(other) == own)
    };
    let shortest = remedies.iter().map(Vec::len).min().unwrap_or_default();
    let front = (0..shortest).take_while(|number| shared(*number, false)).count();
    let back = (0..shortest - front).take_while(|number| shared(*number, true)).count();
    let mut lines: Vec<String> = first.iter().take(front).cloned().collect();
    let mut middle = BTreeSet::new();
    for remedy in &remedies {
        let own = remedy.iter().take(remedy.len() - back).skip(front);
        lines.extend(own.filter(|line| middle.insert(line.as_str())).cloned());
    }
    lines.extend(first.iter().skip(first.len() - back).cloned());
    lines
}

/// What each finding says to do. Advice that is the same for all of them but for the address is made the same.
fn remedies(group: &[&Finding]) -> Vec<Vec<String>> {
    let group: Vec<&Finding> = group.iter().copied().filter(|finding| !finding.remedy.is_empty()).collect();
    let general = |finding: &Finding, line: &str| match finding.address {
        Some(address) if line.starts_with('#') => line.replace(&address.to_string(), "each of them"),
        _ => line.to_owned(),
    };
    let generals = |finding: &&Finding| finding.remedy.iter().map(|line| general(finding, line)).collect();
    let all = group.iter().map(generals);
    let common = all.reduce(|common: BTreeSet<String>, lines| &common & &lines).filter(|_| group.len() > 1);
    let line = |finding: &Finding, line: &String| {
        let general = general(finding, line);
        if common.as_ref().is_some_and(|common| common.contains(&general)) { general } else { line.clone() }
    };
    group.iter().map(|finding| finding.remedy.iter().map(|own| line(finding, own)).collect()).collect()
}

/// A command is one line, however long: it is there to be copied. Advice may be broken, and stays a comment.
fn command(line: &str, style: &Style) -> Vec<String> {
    match line.strip_prefix("# ") {
        Some(advice) => hanging("    # ", "    # ", &escape(advice), style.width),
        None => vec![format!("    {}", escape(line))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Stamp;

    const PLAIN: Style = Style { width: 80, colour: false, verbose: false, ascii: false };

    fn held(function: u8, remedy: &[&str]) -> Finding {
        let address = format!("0000:00:1d.{function}");
        Finding {
            code: Code::HeldByDriver,
            severity: Severity::Critical,
            address: address.parse().ok(),
            time: None,
            stamp: Stamp::default(),
            message: "uhci_hcd already had it".to_owned(),
            evidence: vec![Evidence::Host { path: format!("/sys/{address}"), value: Some("uhci_hcd".to_owned()) }],
            remedy: remedy.iter().map(|line| line.replace('B', &address)).collect(),
        }
    }

    fn shown(findings: &[Finding], style: &Style) -> String {
        lines(&findings.iter().collect::<Vec<_>>(), style).join("\n")
    }

    #[test]
    fn what_all_have_in_common_is_said_once_and_in_its_place() {
        let remedy = ["modprobe xen-pciback", "# look after B", "xl add B", "# for good:", "update-initramfs -u"];
        let text = shown(&[held(0, &remedy), held(1, &remedy), held(2, &[])], &PLAIN);
        let expected = "
critical held-by-driver: 3 devices
  0000:00:1d.0 0000:00:1d.1 0000:00:1d.2
  uhci_hcd already had it
  - /sys/0000:00:1d.0 is uhci_hcd
  - /sys/0000:00:1d.1 is uhci_hcd
  - /sys/0000:00:1d.2 is uhci_hcd
    modprobe xen-pciback
    # look after each of them
    xl add 0000:00:1d.0
    xl add 0000:00:1d.1
    # for good:
    update-initramfs -u";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_single_finding_keeps_its_own_words() {
        let text = shown(&[held(0, &["# look after B", "xl add B"])], &PLAIN);
        assert!(text.contains("critical held-by-driver: 0000:00:1d.0\n  uhci_hcd"), "{text}");
        assert!(text.ends_with("    # look after 0000:00:1d.0\n    xl add 0000:00:1d.0"), "{text}");
    }

    #[test]
    fn proof_is_cut_unless_it_is_asked_for() {
        let many: Vec<Finding> = (0..8).map(|function| held(function, &[])).collect();
        assert!(shown(&many, &PLAIN).ends_with("  - and 2 more; -v shows all"));
        assert!(shown(&many, &Style { verbose: true, ..PLAIN }).ends_with("  - /sys/0000:00:1d.7 is uhci_hcd"));
    }

    #[test]
    fn records_are_quoted_with_their_place_and_time() {
        let stamp = Stamp { uptime: Some(24_787_468), wall: None };
        let log = |sequence, line| Evidence::Log {
            source: "kmsg".to_owned(),
            sequence,
            line,
            offset: Some(5),
            stamp,
            text: "\u{1b}[2Jseizing".to_owned(),
        };
        assert_eq!(escape(&words(&log(Some(494), Some(7)))), "kmsg record 494 at 24.787468: \"\\x1b[2Jseizing\"");
        assert_eq!(escape(&words(&log(None, Some(7)))), "kmsg line 7 at 24.787468: \"\\x1b[2Jseizing\"");
    }
}
