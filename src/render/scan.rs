//! What a scan of many logs came to: a row for each boot of each host, worst first, or counts alone.
//!
//! There may be a hundred thousand rows, so each is made when its report is at hand, and keeps little of it.

use std::cmp::Reverse;
use std::fmt::Write as _;

use chrono::{Datelike as _, NaiveDateTime};

use super::brief::{blind, cause, cut, joined, words, wrong};
use super::layout::{fit, paragraph, width};
use super::table::{Style, paint, plural};
use super::text::escape;
use super::time;
use crate::record::{Stamp, Wall};
use crate::report::{Code, Evidence, Finding, Report, Run, Status, Totals, Verdict, Verdicts};

const HEADING: [&str; 5] = ["HOST", "BOOT", "VERDICT", "SEIZED", "FOUND"];

/// Blanks between columns.
const GAP: usize = 2;

/// Widest column of hosts. What is behind it says more than the end of a domain.
const HOST: usize = 32;

/// Narrowest column of words, on a page of whatever width.
const NARROWEST: usize = 20;

/// Most letters of what was found: what does not fit is counted.
const WORDS: usize = 72;

/// One boot of one host.
#[derive(Clone, Debug)]
pub struct Row {
    host: Box<str>,
    found: Box<str>,
    boot: Boot,
    back: u32,
    verdict: Verdict,
    seized: u32,
    wanted: u32,
}

/// What a boot is called.
#[derive(Clone, Copy, Debug)]
enum Boot {
    Utc(NaiveDateTime),
    Local(NaiveDateTime),
    /// The first digits of its id.
    Id(u32),
    /// By its distance from the last one.
    Back,
    /// It is none: something could not be read.
    None,
}

impl Row {
    /// What is shown of a report.
    pub fn of(report: &Report, run: &Run, style: &Style) -> Self {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            host: escape(report.host.as_deref().unwrap_or("-")).into(),
            found: found(report, style.width.clamp(NARROWEST, WORDS)).into(),
            boot: boot(report, run.first.as_ref()),
            back: number(run.back),
            verdict: report.verdict,
            seized: number(report.count("seized")),
            wanted: number(report.wanted()),
        }
    }

    fn boot(&self) -> String {
        let date = |local: NaiveDateTime| match local.year() {
            Wall::NO_YEAR => local.format("%b %e %H:%M"),
            _ => local.format("%Y-%m-%d %H:%M"),
        };
        match self.boot {
            Boot::Utc(time) => format!("{}Z", date(time)),
            Boot::Local(time) => date(time).to_string(),
            Boot::Id(digits) => format!("{digits:08x}"),
            Boot::Back if self.back == 0 => "0".to_owned(),
            Boot::Back => format!("-{}", self.back),
            Boot::None => "-".to_owned(),
        }
    }

    fn seized(&self) -> String {
        if self.wanted == 0 { "-".to_owned() } else { format!("{}/{}", self.seized, self.wanted) }
    }
}

fn boot(report: &Report, first: Option<&Stamp>) -> Boot {
    if report.logs.is_empty() {
        return Boot::None;
    }
    let utc = first.and_then(time::instant).map(|time| Boot::Utc(time.naive_utc()));
    let local = || first.and_then(|stamp| stamp.wall).map(|wall| Boot::Local(wall.local));
    let id = || report.boot_id.and_then(|id| u32::try_from(id.0 >> 96).ok()).map(Boot::Id);
    utc.or_else(local).or_else(id).unwrap_or(Boot::Back)
}

/// What keeps a report from being ok, in one phrase, worst first.
fn found(report: &Report, room: usize) -> String {
    let parts = match cause(report) {
        _ if report.silent => vec!["nothing is requested".to_owned()],
        Some(cause) => [reason(report, cause)].into_iter().chain(blind(report)).collect(),
        None => {
            let (wrong, accepted) = wrong(report);
            wrong.into_iter().chain((accepted > 0).then(|| format!("{accepted} accepted"))).collect()
        }
    };
    let parts: Vec<String> = parts.into_iter().map(|part| escape(&cut(part, room))).collect();
    match (report.requested(), report.wanted()) {
        _ if !parts.is_empty() => joined(String::new(), parts, 1, room),
        (0, _) => "no device is requested".to_owned(),
        (_, 0) => "only bridges are requested".to_owned(),
        _ => String::new(),
    }
}

/// The finding that explains every device. Where no list was found, what pciback did is all there is to say.
fn reason(report: &Report, cause: &Finding) -> String {
    if cause.code != Code::NothingRequested {
        return words(cause);
    }
    if cause.evidence.iter().any(|proof| matches!(proof, Evidence::Request { .. })) {
        return "the list requests no device".to_owned();
    }
    let held = report.devices.iter().filter(|device| matches!(device.status, Status::Unrequested { .. })).count();
    let failed = report.count("failed");
    let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    format!("request unknown: {held} seized{failed}")
}

/// The rows, worst first, then by host, its last boot first; and what they come to.
pub fn scan_table(mut rows: Vec<Row>, totals: &Totals, style: &Style) -> String {
    rows.sort_unstable_by(|one, other| {
        let worst = |row: &Row| Reverse(row.verdict);
        worst(one).cmp(&worst(other)).then_with(|| one.host.cmp(&other.host)).then(one.back.cmp(&other.back))
    });
    let widths = widths(&rows, style);
    let line = widths.iter().map(|width| width + GAP).sum::<usize>();
    // Grown step by step, it would be there twice for a moment.
    let found: usize = rows.iter().map(|row| row.host.len() + row.found.len().min(style.width * 4)).sum();
    let mut page = String::with_capacity(found + (rows.len() + 1) * (line + 16) + 1024);
    if !rows.is_empty() {
        push(&mut page, HEADING.map(str::to_owned), &widths, style, None);
    }
    for row in rows {
        let cells =
            [row.host.as_ref().to_owned(), row.boot(), row.verdict.name().to_owned(), row.seized(), row.found.into()];
        push(&mut page, cells, &widths, style, Some(row.verdict));
    }
    if !page.is_empty() {
        page.push('\n');
    }
    for line in paragraph("", &footer(totals), style.width) {
        page.push_str(&line);
        page.push('\n');
    }
    page
}

/// The widths of all columns but the last, which has the rest of the page.
fn widths(rows: &[Row], style: &Style) -> [usize; 4] {
    let mut widths = HEADING.map(str::len);
    for row in rows {
        let cells = [width(&row.host), row.boot().len(), row.verdict.name().len(), row.seized().len(), 0];
        for (widest, cell) in widths.iter_mut().zip(cells) {
            *widest = cell.max(*widest);
        }
    }
    let [host, boot, verdict, seized, _] = widths;
    let others = boot + verdict + seized + 4 * GAP;
    let left = style.width.saturating_sub(others + NARROWEST).max(HEADING[0].len() * 2);
    [host.min(HOST).min(left), boot, verdict, seized]
}

/// One line. Escape codes would count as columns, so they come last.
fn push(page: &mut String, cells: [String; 5], widths: &[usize; 4], style: &Style, verdict: Option<Verdict>) {
    let ellipsis = if style.ascii { '~' } else { '…' };
    let [host, boot, name, seized, found] = cells;
    let [of_host, of_boot, of_name, of_seized] = *widths;
    let rest = style.width.saturating_sub(widths.iter().map(|width| width + GAP).sum()).max(NARROWEST);
    let host = fit(&host, of_host, ellipsis);
    let blanks = |text: &str, column: usize| " ".repeat((column + GAP).saturating_sub(width(text)));
    let painted = verdict.map_or_else(|| name.clone(), |verdict| paint(&name, verdict, style));
    let line = [
        host.as_str(),
        &blanks(&host, of_host),
        &boot,
        &blanks(&boot, of_boot),
        &painted,
        &blanks(&name, of_name),
        &seized,
        &blanks(&seized, of_seized),
        &fit(&found, rest, ellipsis),
    ];
    page.push_str(line.concat().trim_end());
    page.push('\n');
}

/// What the rows come to, in one sentence.
fn footer(totals: &Totals) -> String {
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
    write!(text, "; {} read, {}", some(totals.files, "file"), size(totals.bytes)).unwrap_or_default();
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
fn size(bytes: u64) -> String {
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
    let mut page = String::new();
    for (name, count) in counts {
        writeln!(page, "{name:<20} {count:>12}").unwrap_or_default();
    }
    page
}

#[cfg(test)]
mod tests;
