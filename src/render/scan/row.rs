//! One boot of one host in a table: what is kept of its report, and its line.

use chrono::{Datelike as _, NaiveDateTime};

use super::super::brief::{Fault, blind, cause, cut, faults, joined, phrase, words};
use super::super::findings;
use super::super::layout::{fit, width};
use super::super::style::{Style, paint};
use super::super::text::escape;
use super::super::time;
use crate::record::{Stamp, Wall};
use crate::report::{Choice, Code, Evidence, Finding, Report, Run, Status, Verdict};

const HEADING: [&str; 5] = ["HOST", "BOOT", "VERDICT", "SEIZED", "FOUND"];

/// Blanks between columns.
const GAP: usize = 2;

/// Widest column of hosts. What is behind it says more than the end of a domain.
const HOST: usize = 32;

/// Narrowest column of words, on a page of whatever width.
const NARROWEST: usize = 20;

/// Most letters of what was found: what does not fit is counted.
const WORDS: usize = 72;

/// Before each line of proof.
const INDENT: &str = "    ";

/// Behind the verdict of a boot that is ok but for a doubt that is said elsewhere.
const MARK: &str = "*";

/// One boot of one host.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) host: Box<str>,
    /// What was found, in one line; behind it the lines that show it, where they are asked for.
    text: Box<str>,
    boot: BootLabel,
    pub(super) back: u32,
    pub(super) verdict: Verdict,
    /// Whether nothing is wrong with it but that its log does not say who wrote its lines.
    pub(super) only_doubt: bool,
    seized: u32,
    wanted: u32,
}

/// What a boot is called.
#[derive(Clone, Copy, Debug)]
enum BootLabel {
    Utc(NaiveDateTime),
    Local(NaiveDateTime),
    /// The first digits of its id.
    Id(u32),
    /// By its distance from the last one.
    Back,
}

/// What is wrong in a boot, as far as it was asked for.
#[derive(Debug)]
pub(super) struct Wrong<'a> {
    /// What explains every device.
    pub(super) cause: Option<&'a Finding>,
    pub(super) faults: Vec<Fault>,
    accepted: usize,
}

impl<'a> Wrong<'a> {
    pub(super) fn of(report: &'a Report, choice: &Choice) -> Self {
        let (faults, accepted) = faults(report, &|address| choice.names(address));
        Self { cause: cause(report), faults, accepted }
    }

    /// Whether there is nothing but the doubt that a log does not say who wrote its lines.
    pub(super) fn is_only_doubt(&self) -> bool {
        let doubt = |fault: &Fault| fault.code == Some(Code::AuthorUnstated) && fault.verdict == Verdict::Warning;
        self.cause.is_none() && !self.faults.is_empty() && self.faults.iter().all(doubt)
    }
}

impl Row {
    /// What is shown of a report.
    pub(super) fn of(report: &Report, run: &Run, wrong: &Wrong<'_>, style: &Style) -> Self {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            host: escape(report.host.as_deref().unwrap_or("-")).into(),
            text: text(report, wrong, style).into(),
            boot: boot(report, run.first.as_ref()),
            back: number(run.back),
            verdict: report.verdict,
            only_doubt: report.verdict == Verdict::Warning && wrong.is_only_doubt(),
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
            BootLabel::Utc(time) => format!("{}Z", date(time)),
            BootLabel::Local(time) => date(time).to_string(),
            BootLabel::Id(digits) => format!("{digits:08x}"),
            BootLabel::Back if self.back == 0 => "0".to_owned(),
            BootLabel::Back => format!("-{}", self.back),
        }
    }

    /// The verdict as it is shown, where the doubt of all logs is `shared` and said once.
    pub(super) fn shown(&self, shared: bool) -> Verdict {
        if shared && self.only_doubt { Verdict::Ok } else { self.verdict }
    }

    fn verdict(&self, shared: bool) -> String {
        let mark = if shared && self.only_doubt { MARK } else { "" };
        format!("{}{mark}", self.shown(shared))
    }

    fn seized(&self) -> String {
        if self.wanted == 0 { "-".to_owned() } else { format!("{}/{}", self.seized, self.wanted) }
    }

    /// How much text it is, at most.
    pub(super) fn length(&self, style: &Style) -> usize {
        self.host.len() + if style.verbose { self.text.len() } else { self.text.len().min(style.width * 4) }
    }
}

/// Rows under their heading.
pub(super) struct Rows<'a> {
    style: &'a Style,
    shared: bool,
    /// The widths of all columns but the last, which has the rest of the page.
    widths: [usize; 4],
}

impl<'a> Rows<'a> {
    /// For these rows. If the doubt of all logs is `shared`, it is a mark in them.
    pub(super) fn new(rows: &[Row], shared: bool, style: &'a Style) -> Self {
        let mut widths = HEADING.map(str::len);
        for row in rows {
            let verdict = row.verdict(shared).len();
            let cells = [width(&row.host), row.boot().len(), verdict, row.seized().len(), 0];
            for (widest, cell) in widths.iter_mut().zip(cells) {
                *widest = cell.max(*widest);
            }
        }
        let [host, boot, verdict, seized, _] = widths;
        let others = boot + verdict + seized + 4 * GAP;
        let left = style.width.saturating_sub(others + NARROWEST).max(HEADING[0].len() * 2);
        Self { style, shared, widths: [host.min(HOST).min(left), boot, verdict, seized] }
    }

    /// How many columns a line has before its words.
    pub(super) fn line(&self) -> usize {
        self.widths.iter().map(|width| width + GAP).sum()
    }

    pub(super) fn heading(&self, page: &mut String) {
        self.push(page, HEADING, None);
    }

    /// The line of a row, and its proof below it.
    pub(super) fn row(&self, page: &mut String, row: &Row) {
        let verdict = row.shown(self.shared);
        let (found, proof) = row.text.split_once('\n').unwrap_or((&row.text, ""));
        let found = if self.shared && row.only_doubt { "" } else { found };
        let cells = [row.host.as_ref(), &row.boot(), &row.verdict(self.shared), &row.seized(), found];
        self.push(page, cells, Some(verdict));
        page.push_str(proof);
    }

    /// One line. Escape codes would count as columns, so they come last.
    fn push(&self, page: &mut String, cells: [&str; 5], verdict: Option<Verdict>) {
        let style = self.style;
        let ellipsis = if style.ascii { '~' } else { '…' };
        let [host, boot, name, seized, found] = cells;
        let [of_host, of_boot, of_name, of_seized] = self.widths;
        let rest = style.width.saturating_sub(self.line()).max(NARROWEST);
        let host = fit(host, of_host, ellipsis);
        let blanks = |text: &str, column: usize| " ".repeat((column + GAP).saturating_sub(width(text)));
        let painted = verdict.map_or_else(|| name.to_owned(), |verdict| paint(name, verdict, style));
        let line = [
            host.as_str(),
            &blanks(&host, of_host),
            boot,
            &blanks(boot, of_boot),
            &painted,
            &blanks(name, of_name),
            seized,
            &blanks(seized, of_seized),
            &fit(found, rest, ellipsis),
        ];
        page.push_str(line.concat().trim_end());
        page.push('\n');
    }
}

fn boot(report: &Report, first: Option<&Stamp>) -> BootLabel {
    let utc = first.and_then(time::instant).map(|time| BootLabel::Utc(time.naive_utc()));
    let local = || first.and_then(|stamp| stamp.wall).map(|wall| BootLabel::Local(wall.local));
    let id = || report.boot_id.and_then(|id| u32::try_from(id.0 >> 96).ok()).map(BootLabel::Id);
    utc.or_else(local).or_else(id).unwrap_or(BootLabel::Back)
}

fn text(report: &Report, wrong: &Wrong<'_>, style: &Style) -> String {
    let found = found(report, wrong, style.width.clamp(NARROWEST, WORDS));
    if style.verbose { format!("{found}\n{}", proof(report, style)) } else { found }
}

/// What keeps a report from being ok, in one phrase, worst first.
fn found(report: &Report, wrong: &Wrong<'_>, room: usize) -> String {
    let parts = match wrong.cause {
        _ if report.silent => vec!["nothing is requested".to_owned()],
        Some(cause) => [reason(report, cause)].into_iter().chain(blind(report)).collect(),
        None => {
            let accepted = (wrong.accepted > 0).then(|| format!("{} accepted", wrong.accepted));
            wrong.faults.iter().map(phrase).chain(accepted).collect()
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
    let held = report.devices.iter().filter(|device| matches!(device.status, Status::Unrequested { .. })).count();
    match cause_in_words(cause) {
        unknown if unknown == UNKNOWN => {
            let failed = report.count("failed");
            let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            format!("{unknown}: {held} seized{failed}")
        }
        words => words,
    }
}

const UNKNOWN: &str = "request unknown";

/// What explains every device of a boot, in words that fit other boots as well.
pub(super) fn cause_in_words(cause: &Finding) -> String {
    if cause.code != Code::NothingRequested {
        return words(cause);
    }
    let lists = cause.evidence.iter().any(|proof| matches!(proof, Evidence::Request { .. }));
    if lists { "the list requests no device" } else { UNKNOWN }.to_owned()
}

/// Every finding that counts, with what shows it.
fn proof(report: &Report, style: &Style) -> String {
    let narrow = Style { width: style.width.saturating_sub(INDENT.len()), ..*style };
    let counting = Style { verbose: false, ..narrow };
    let lines = findings::lines(&findings::shown(report, &counting), &narrow);
    lines.iter().filter(|line| !line.is_empty()).flat_map(|line| [INDENT, line, "\n"]).collect()
}
