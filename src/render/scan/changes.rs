//! What is new, gone and as before since an earlier scan.

use std::cmp::Reverse;
use std::fmt::Write as _;

use super::super::layout::fit;
use super::super::style::{Style, paint, plural};
use super::super::text::escape;
use crate::report::{Changed, Since};

/// Widest column of hosts.
const HOST: usize = 32;

/// The changes, new ones first, the worst of them first; what is as before is counted. At most so many lines of changes.
pub(super) fn lines(mut changes: Vec<Changed>, unseen: usize, most: Option<usize>, style: &Style) -> Vec<String> {
    let same = changes.iter().filter(|change| change.since == Since::Same).count();
    changes.retain(|change| change.since != Since::Same);
    changes.sort_by_key(|change| (change.since, Reverse(change.verdict)));
    let ellipsis = if style.ascii { '~' } else { '…' };
    let hosts: Vec<String> = changes.iter().map(|change| fit(&host(change), HOST, ellipsis)).collect();
    let widest = hosts.iter().map(|host| host.chars().count()).max().unwrap_or(0).max("HOST".len());
    let mut lines = Vec::new();
    if !changes.is_empty() {
        lines.push(format!("{:<6}  {:<widest$}  {:<8}  WHAT", "SINCE", "HOST", "VERDICT"));
    }
    let shown = most.filter(|most| *most < changes.len()).unwrap_or(changes.len());
    for (change, host) in changes.iter().zip(&hosts).take(shown) {
        let name = change.verdict.name();
        let line = format!("{:<6}  {host:<widest$}  {name:<8}  {}", change.since.name(), what(change));
        // The host may be called like a verdict.
        let at = 6 + 2 + widest.max(host.chars().count()) + 2;
        let line = fit(&line, style.width, ellipsis);
        let split = line.char_indices().nth(at).map_or(line.len(), |(at, _)| at);
        let (start, rest) = line.split_at_checked(split).unwrap_or((&line, ""));
        lines.push(format!("{start}{}", rest.replacen(name, &paint(name, change.verdict, style), 1)));
    }
    if shown < changes.len() {
        lines.push(format!("{} more changes; --all shows every one", changes.len() - shown));
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.push(counts(&changes, same, unseen));
    lines
}

fn counts(changes: &[Changed], same: usize, unseen: usize) -> String {
    let count = |since| changes.iter().filter(|change| change.since == since).count();
    let mut text =
        format!("since the baseline: {} new, {} gone, {same} as before", count(Since::New), count(Since::Gone));
    if unseen > 0 {
        let lost = count(Since::Unseen);
        write!(text, "; {unseen} {} of it not in these logs", plural(unseen, "host")).unwrap_or_default();
        if lost > 0 {
            write!(text, ", with {lost} {}", plural(lost, "problem")).unwrap_or_default();
        }
    }
    text
}

fn host(change: &Changed) -> String {
    change.subject.host.as_deref().map_or_else(|| "-".to_owned(), escape)
}

fn what(change: &Changed) -> String {
    let subject = &change.subject;
    let code = subject.code.as_deref().filter(|code| *code != change.what);
    let address = subject.address.as_deref().map(|address| address.strip_prefix("0000:").unwrap_or(address));
    let parts = address.into_iter().chain([change.what.as_str()]).chain(code);
    let words = parts.collect::<Vec<_>>().join(" ");
    let before = change.before.as_ref().map(|before| format!(" (was {before})")).unwrap_or_default();
    escape(&format!("{words}{before}"))
}
