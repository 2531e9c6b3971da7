//! Findings in plain words: those of one kind together, with their proof and the commands to copy.

use super::layout::{hanging, paragraph};
use super::table::{Style, paint, place, plural};
use super::text::escape;
use super::time;
use crate::report::{Code, Evidence, Finding, Report, Severity};
use crate::request::Source;

/// How many lines of proof a kind of finding gets without `-v`.
const PROOF_LINES: usize = 6;

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
        let addresses: Vec<String> = group.iter().filter_map(|finding| Some(finding.address?.to_string())).collect();
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
    let mut proofs: Vec<String> = Vec::new();
    for evidence in group.iter().flat_map(|finding| &finding.evidence) {
        let text = words(evidence);
        if !proofs.contains(&text) {
            proofs.push(text);
        }
    }
    let most = if style.verbose { proofs.len() } else { PROOF_LINES };
    let mut lines: Vec<String> =
        proofs.iter().take(most).flat_map(|proof| paragraph("  - ", &escape(proof), style.width)).collect();
    if proofs.len() > most {
        lines.push(format!("  - and {} more; -v shows all", proofs.len() - most));
    }
    lines
}

fn words(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Host { path, value: Some(value) } if value.trim().is_empty() => format!("{path} is empty"),
        Evidence::Host { path, value: Some(value) } => match value.trim() {
            // Some values are what the file does, or why it could not be read.
            value if value.starts_with("does not ") || value.starts_with("lists ") => format!("{path} {value}"),
            value if value.contains(' ') => format!("{path}: {value}"),
            value => format!("{path} is {value}"),
        },
        Evidence::Host { path, value: None } => format!("{path} is not there"),
        Evidence::Log { source, sequence, line, stamp, text } => {
            let place = match (sequence, line) {
                (Some(sequence), _) => format!(" record {sequence}"),
                (None, Some(line)) => format!(" line {line}"),
                (None, None) => String::new(),
            };
            let at = time::as_written(stamp).map(|time| format!(" at {time}")).unwrap_or_default();
            format!("{source}{place}{at}: \"{}\"", text.trim_end())
        }
        Evidence::Request { source, location, text } => {
            let place = match (source, location) {
                (_, Some(location)) => location.to_string(),
                (Source::Argument, None) => "--hide".to_owned(),
                (source, None) => place(*source).to_owned(),
            };
            format!("{place} says \"{text}\"")
        }
    }
}

/// The commands of all of them, each once. What they all begin with and what they all end with keeps its place around
/// what differs: a module is loaded before the first device is bound, and the boot image is rebuilt after the last.
fn remedy(group: &[&Finding]) -> Vec<String> {
    let remedies: Vec<&[String]> =
        group.iter().map(|finding| finding.remedy.as_slice()).filter(|remedy| !remedy.is_empty()).collect();
    let Some((first, others)) = remedies.split_first() else { return Vec::new() };
    let shared = |number: usize, from_end: bool| {
        let line =
            |remedy: &&[String]| if from_end { remedy.iter().nth_back(number) } else { remedy.get(number) }.cloned();
        let own = line(first);
        own.is_some() && others.iter().all(|other| line(other) == own)
    };
    let shortest = remedies.iter().map(|remedy| remedy.len()).min().unwrap_or_default();
    let front = (0..shortest).take_while(|number| shared(*number, false)).count();
    let back = (0..shortest - front).take_while(|number| shared(*number, true)).count();
    let mut lines: Vec<String> = first.iter().take(front).cloned().collect();
    let mut middle: Vec<String> = Vec::new();
    for remedy in &remedies {
        for line in remedy.iter().take(remedy.len() - back).skip(front) {
            if !middle.contains(line) {
                middle.push(line.clone());
            }
        }
    }
    lines.append(&mut middle);
    lines.extend(first.iter().skip(first.len() - back).cloned());
    lines
}

/// A command is one line, however long: it is there to be copied. Advice may be broken, and stays a comment.
fn command(line: &str, style: &Style) -> Vec<String> {
    match line.strip_prefix("# ") {
        Some(advice) => hanging("    # ", "    # ", &escape(advice), style.width),
        None => vec![format!("    {}", escape(line))],
    }
}
