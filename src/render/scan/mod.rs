//! What a scan of many logs came to: for a person what is not ok, worst first, and how often; for programs CSV, counts
//! and metrics.
//!
//! There may be a hundred thousand rows, so each is made when its report is at hand, and keeps little of it.

mod changes;
mod csv;
mod groups;
mod metrics;
mod row;
mod totals;

pub use csv::{CSV_HEADING, csv};
pub use metrics::scan_metrics;
pub use totals::scan_summary;

use std::cmp::Reverse;

use super::layout::paragraph;
use super::style::{Style, plural};
use super::table::table;
use super::text::escape;
use crate::report::{Changed, Choice, Counted, Report, Run, Totals, Verdict, Verdicts};
use groups::Groups;
use row::{Row, Rows, Wrong};
use totals::footer;

/// So many rows speak for themselves; of more of them it is said what they have in common.
const FEW: usize = 10;

/// Fewest rows on a short page.
const FEWEST: usize = 3;

/// Lines of the table that are no rows: an empty one before and behind it, its heading, and how many rows there are more.
const OTHERS: usize = 4;

/// Lines of a terminal that the command and the next prompt take.
const PROMPT: usize = 2;

/// How much of what could not be read is named.
const NAMED: usize = 3;

/// Columns of the report of a single host on a page that is no terminal, as `check` has them.
const PAGE: usize = 80;

/// What is to be on the page.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// How it is laid out.
    pub style: Style,
    /// How many lines the terminal has, where it is one: long lists are cut to fit.
    pub lines: Option<usize>,
    /// Whether every row is shown, ok or not.
    pub all: bool,
    /// Which rows are chosen.
    pub choice: Choice,
    /// Which boots count.
    pub counted: Counted,
}

/// The page of a scan, as it is being filled.
#[derive(Debug)]
pub struct Overview {
    sheet: Sheet,
    rows: Vec<Row>,
    groups: Groups,
    unread: Vec<Box<str>>,
    unread_count: usize,
    /// The host of the last report and which of its boots that was about; and how many hosts there were.
    host: Option<(Box<str>, usize)>,
    hosts: u64,
    /// The report of the last boot, as long as there is one host only.
    only: Option<Box<(Report, bool)>>,
    /// Whether any log says who wrote its lines.
    stated: bool,
    /// Boots that are ok but for that doubt: all of them, and last ones.
    doubtful: (u64, u64),
    /// Hosts that are fine.
    fine: u64,
}

impl Overview {
    /// An empty page.
    pub fn new(sheet: Sheet) -> Self {
        Self {
            sheet,
            rows: Vec::new(),
            groups: Groups::default(),
            unread: Vec::new(),
            unread_count: 0,
            host: None,
            hosts: 0,
            only: None,
            stated: false,
            doubtful: (0, 0),
            fine: 0,
        }
    }

    /// Takes a report. Those of a host come one after the other, its last boot last.
    pub fn take(&mut self, report: &Report, run: &Run) {
        let wrong = Wrong::of(report, &self.sheet.choice);
        let is_newest = run.back == self.sheet.counted.newest();
        let doubtful = report.verdict == Verdict::Warning && wrong.is_only_doubt();
        self.stated |= report.logs.iter().any(|log| log.trusted && log.records > 0);
        if doubtful && !report.logs.is_empty() {
            self.doubtful.0 += 1;
            self.doubtful.1 += u64::from(is_newest);
        }
        if report.silent || !self.sheet.choice.takes(report) {
            return;
        }
        if report.logs.is_empty() {
            return self.unread(report);
        }
        let name = report.host.as_deref().unwrap_or("-");
        // Of several hosts without a name, each one begins with its earliest boot.
        if self.host.as_ref().is_none_or(|(host, back)| **host != *name || *back <= run.back) {
            self.hosts += 1;
        }
        self.host = Some((name.into(), run.back));
        let is_fine = self.is_fine(report, &wrong);
        self.fine += u64::from(is_newest && (is_fine || doubtful));
        let row = Row::of(report, run, &wrong, &self.sheet.style);
        if self.sheet.counted.has(run) && !is_fine {
            self.groups.count(self.hosts, name, &wrong);
        }
        let is_shown = self.sheet.all || !self.sheet.choice.verdicts.is_empty() || !is_fine;
        if is_shown {
            self.rows.push(row);
        }
        if !self.sheet.choice.hosts.is_empty() {
            self.only = (self.hosts == 1).then(|| Box::new((report.clone(), is_shown)));
        }
    }

    /// Whether there is nothing to show of a boot: it is ok, or the devices that are asked for are.
    fn is_fine(&self, report: &Report, wrong: &Wrong<'_>) -> bool {
        let asked_for = !self.sheet.choice.only.is_empty();
        report.verdict == Verdict::Ok || (asked_for && wrong.cause.is_none() && wrong.faults.is_empty())
    }

    /// Takes the report of what could not be read.
    fn unread(&mut self, report: &Report) {
        self.unread_count += 1;
        if self.sheet.style.verbose || self.unread.len() < NAMED {
            self.unread.extend(report.findings.first().map(|finding| escape(&finding.message).into()));
        }
    }

    /// How many hosts have a row, shown or not.
    pub fn hosts(&self) -> u64 {
        self.hosts
    }

    /// The page, with what came of the comparison with a baseline: the changes, and how many hosts of it there are no more.
    pub fn page(&mut self, totals: &Totals, changes: Option<(Vec<Changed>, usize)>) -> String {
        if let Some(only) = self.only.take() {
            return self.of_one_host(&only.0, only.1, totals, changes);
        }
        let shared = self.settle_doubt();
        let tail = self.tail(totals, shared);
        self.sort();
        let mut page = Vec::new();
        let room = self.room(tail.len());
        if let Some((changes, unseen)) = changes {
            let changes = changes.into_iter().filter(|change| chosen(&self.sheet.choice, change)).collect();
            page.extend(changes::lines(
                changes,
                unseen,
                room.map(|room| room.saturating_sub(4).max(FEWEST)),
                &self.sheet.style,
            ));
            if !self.sheet.all {
                self.rows.clear();
            }
        } else if self.rows.len() > FEW {
            let room = room.map(|room| room.saturating_sub(FEWEST + OTHERS));
            page.extend(std::mem::take(&mut self.groups).lines(room, shared, &self.sheet.style));
        }
        if !page.is_empty() && !self.rows.is_empty() {
            page.push(String::new());
        }
        // The empty line before it is there already.
        let most = room.map(|room| room.saturating_sub(page.len() + OTHERS - 1).max(FEWEST));
        let mut text = self.table(&page, most, shared);
        if !text.is_empty() {
            text.push('\n');
        }
        push_lines(&mut text, &tail);
        text
    }

    /// How many lines there are on a terminal beside the last ones. Who chooses rows wants to see them.
    fn room(&self, tail: usize) -> Option<usize> {
        let Sheet { choice, all, style, lines, .. } = &self.sheet;
        let chosen = !(choice.hosts.is_empty() && choice.verdicts.is_empty() && choice.only.is_empty());
        let wants_all = *all || style.verbose || chosen;
        lines.filter(|_| !wants_all).map(|lines| lines.saturating_sub(PROMPT + tail))
    }

    /// What counts for the exit status first, the worst of it first, then by host, its last boot first.
    fn sort(&mut self) {
        let counts = |row: &Row| match self.sheet.counted {
            Counted::All => true,
            Counted::Back(back) => usize::try_from(row.back) == Ok(back),
        };
        self.rows.sort_unstable_by(|one, other| {
            let order = |row: &Row| (!counts(row), Reverse(row.verdict));
            order(one).cmp(&order(other)).then_with(|| one.host.cmp(&other.host)).then(one.back.cmp(&other.back))
        });
    }

    /// The rows below `head`, at most so many.
    fn table(&mut self, head: &[String], most: Option<usize>, shared: bool) -> String {
        let mut rows = std::mem::take(&mut self.rows);
        let all = rows.len();
        // The line that says how many there are more could as well be the last row.
        if let Some(most) = most.filter(|most| most + 1 < all) {
            rows.truncate(most);
        }
        let style = &self.sheet.style;
        let table = Rows::new(&rows, shared, style);
        // Grown step by step, it would be there twice for a moment.
        let found: usize = rows.iter().map(|row| row.length(style)).sum();
        let head_length: usize = head.iter().map(|line| line.len() + 1).sum();
        let mut page = String::with_capacity(head_length + found + (rows.len() + 1) * (table.line() + 16) + 1024);
        push_lines(&mut page, head);
        if !rows.is_empty() {
            table.heading(&mut page);
        }
        let left = all - rows.len();
        for row in rows {
            table.row(&mut page, &row);
        }
        if left > 0 {
            let hint = "--verdict VERDICT, --host NAME or --all";
            push_lines(&mut page, &[format!("{left} more {}: {hint}", plural(left, "row"))]);
        }
        page
    }

    /// What stands below everything else.
    fn tail(&self, totals: &Totals, shared: bool) -> Vec<String> {
        let width = self.sheet.style.width;
        let mut lines = Vec::new();
        if shared {
            lines.extend(paragraph("* ", DOUBT, width));
        }
        if !self.unread.is_empty() {
            let left = self.unread_count - self.unread.len();
            lines.push("could not be read:".to_owned());
            let names = self.unread.iter();
            if self.sheet.style.verbose {
                lines.extend(names.map(|name| format!("  {name}")));
            } else {
                lines.extend(names.map(|name| super::layout::fit(&format!("  {name}"), width, '~')));
            }
            if left > 0 {
                lines.push(format!("  and {left} more; -v names all"));
            }
        }
        let hint = if self.sheet.all || self.fine == 0 { "" } else { "; --all shows them" };
        let (count, fine) = (self.fine, if self.fine == 1 { "host is" } else { "hosts are" });
        lines.extend(paragraph(
            "",
            &format!("{count} {fine} fine{hint}. {}", footer(&self.forgiven(totals, shared))),
            width,
        ));
        lines
    }

    /// The counts with the boots as ok that are but for the doubt that all logs share.
    fn forgiven(&self, totals: &Totals, shared: bool) -> Totals {
        let forgive = |counts: Verdicts, doubtful: u64| {
            let doubtful = if shared { doubtful } else { 0 };
            Verdicts { warning: counts.warning.saturating_sub(doubtful), ok: counts.ok + doubtful, ..counts }
        };
        Totals { all: forgive(totals.all, self.doubtful.0), last: forgive(totals.last, self.doubtful.1), ..*totals }
    }

    /// Whether all logs share the doubt who wrote their lines. What is ok but for it is not shown then, unless it was asked for.
    fn settle_doubt(&mut self) -> bool {
        let shared = !self.stated && self.doubtful.0 > 0;
        if shared && !self.sheet.all && self.sheet.choice.verdicts.is_empty() {
            self.rows.retain(|row| !row.only_doubt);
        }
        shared
    }

    /// The report of the last boot of the only host, as `check` writes it; its other boots below.
    fn of_one_host(
        &mut self,
        report: &Report,
        is_shown: bool,
        totals: &Totals,
        changes: Option<(Vec<Changed>, usize)>,
    ) -> String {
        let style = self.sheet.style;
        let width = if self.sheet.lines.is_some() { style.width } else { style.width.min(PAGE) };
        let mut text = table(report, &Style { width, ..style });
        // Its own row comes last.
        if is_shown {
            self.rows.pop();
        }
        let shared = self.settle_doubt();
        self.sort();
        if let Some((changes, _)) = changes {
            let changes = changes.into_iter().filter(|change| chosen(&self.sheet.choice, change)).collect();
            text.push('\n');
            push_lines(&mut text, &changes::lines(changes, 0, None, &style));
        }
        if !self.rows.is_empty() {
            text.push_str("\nearlier boots:\n");
            text.push_str(&self.table(&[], None, shared));
        }
        text.push('\n');
        push_lines(&mut text, &paragraph("", &footer(&self.forgiven(totals, shared)), width));
        text
    }
}

/// What all logs have in common.
const DOUBT: &str = "no log says who wrote its lines (author-unstated): for the exit status ok* is a warning, unless \
                     --trust-log";

fn chosen(choice: &Choice, change: &Changed) -> bool {
    let subject = &change.subject;
    let host = || subject.host.as_deref().is_some_and(|host| choice.hosts.iter().any(|glob| glob.matches(host)));
    let address = || subject.address.as_ref().and_then(|address| address.parse().ok());
    (choice.hosts.is_empty() || host())
        && (choice.verdicts.is_empty() || choice.verdicts.contains(&change.verdict))
        && (choice.only.is_empty() || address().is_some_and(|address| choice.names(address)))
}

fn push_lines(page: &mut String, lines: &[String]) {
    for line in lines {
        page.push_str(line);
        page.push('\n');
    }
}

#[cfg(test)]
mod tests;
