//! How many hosts have the same trouble, by what it is and by device.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::super::layout::fit;
use super::super::style::{Style, paint};
use super::super::text::escape;
use super::row::{Wrong, cause_in_words};
use crate::pci::Address;
use crate::report::{Code, Verdict};

/// How many hosts of a group are named.
const NAMED: usize = 4;

/// Lines of the groups that are none: two headings, an empty line, and two that say how many were left out.
const OTHERS: usize = 5;

/// Widest column of causes.
const CAUSE: usize = 40;

/// Hosts in groups. Hosts are counted one after the other, and each once in a group.
#[derive(Debug, Default)]
pub(super) struct Groups {
    causes: BTreeMap<(Reverse<Verdict>, String), Group>,
    devices: BTreeMap<Address, (Group, BTreeMap<String, Group>)>,
    /// Those that have nothing but the doubt that their logs do not say who wrote their lines.
    doubts: Group,
}

#[derive(Debug, Default)]
struct Group {
    hosts: u64,
    /// The number of the host that was counted last.
    last: Option<u64>,
    named: Vec<String>,
}

impl Group {
    fn count(&mut self, number: u64, host: &str) {
        if self.last.replace(number) != Some(number) {
            self.hosts += 1;
            if self.named.len() < NAMED {
                self.named.push(escape(host));
            }
        }
    }
}

impl Groups {
    /// Counts what is wrong in a boot of the host of this `number`.
    pub(super) fn count(&mut self, number: u64, host: &str, wrong: &Wrong<'_>) {
        if let Some(cause) = wrong.cause {
            let key = (Reverse(cause.severity.verdict()), cause_in_words(cause));
            return self.causes.entry(key).or_default().count(number, host);
        }
        for fault in &wrong.faults {
            if fault.code == Some(Code::AuthorUnstated) {
                self.doubts.count(number, host);
                continue;
            }
            self.causes.entry((Reverse(fault.verdict), fault.words.clone())).or_default().count(number, host);
            if let Some(address) = fault.address {
                let (all, by_words) = self.devices.entry(address).or_default();
                all.count(number, host);
                by_words.entry(fault.words.clone()).or_default().count(number, host);
            }
        }
    }

    /// The groups as lines under two headings: the largest of them where there is only so much `room`.
    pub(super) fn lines(mut self, room: Option<usize>, shared: bool, style: &Style) -> Vec<String> {
        if self.doubts.hosts > 0 && !shared {
            let words = "the log does not say who wrote its lines".to_owned();
            self.causes.insert((Reverse(Verdict::Warning), words), std::mem::take(&mut self.doubts));
        }
        // What one kind does not need, the other one may have.
        let room = room.map_or(usize::MAX, |room| room.saturating_sub(OTHERS));
        let most = |others: usize| (room / 2).max(room.saturating_sub(others)).max(1);
        let mut lines = self.of_causes(most(self.devices.len()), style);
        if !self.devices.is_empty() {
            lines.push(String::new());
            lines.extend(self.of_devices(most(self.causes.len()), style));
        }
        lines
    }

    fn of_causes(&self, most: usize, style: &Style) -> Vec<String> {
        let mut causes: Vec<_> = self.causes.iter().collect();
        causes.sort_by_key(|((verdict, _), group)| (*verdict, Reverse(group.hosts)));
        let most = fitting(causes.len(), most);
        let shown = causes.iter().take(most);
        let widest = shown.clone().map(|((_, words), _)| words.chars().count()).max().unwrap_or(0).clamp(5, CAUSE);
        let mut lines = vec![format!("{:>5}  {:<8}  {:<widest$}  SUCH AS", "HOSTS", "VERDICT", "CAUSE")];
        for ((Reverse(verdict), words), group) in shown {
            let words = format!("{:<widest$}", fit(&escape(words), widest, ellipsis(style)));
            let more = if group.hosts > group.named.len() as u64 && !group.named.is_empty() { ", ..." } else { "" };
            let start = format!("{:>5}  {:<8}  {words}  ", group.hosts, verdict.name());
            let names = format!("{}{more}", group.named.join(", "));
            let line = fit(&format!("{start}{names}"), style.width, ellipsis(style));
            lines.push(line.replacen(verdict.name(), &paint(verdict.name(), *verdict, style), 1).trim_end().to_owned());
        }
        lines.extend(left_out(causes.len(), most, "causes"));
        lines
    }

    fn of_devices(&self, most: usize, style: &Style) -> Vec<String> {
        let mut devices: Vec<_> = self.devices.iter().collect();
        devices.sort_by_key(|(_, (all, _))| Reverse(all.hosts));
        let most = fitting(devices.len(), most);
        let names: Vec<String> = devices.iter().take(most).map(|(address, _)| address.short()).collect();
        let widest = names.iter().map(String::len).max().unwrap_or(0).max("DEVICE".len());
        let mut lines = vec![format!("{:>5}  {:<widest$}  HOW", "HOSTS", "DEVICE")];
        for (name, (_, (all, by_words))) in names.iter().zip(&devices) {
            let mut words: Vec<_> = by_words.iter().collect();
            words.sort_by_key(|(_, group)| Reverse(group.hosts));
            let words: Vec<String> =
                words.iter().map(|(words, group)| format!("{} {}", group.hosts, escape(words))).collect();
            let line = format!("{:>5}  {name:<widest$}  {}", all.hosts, words.join(", "));
            lines.push(fit(&line, style.width, ellipsis(style)));
        }
        lines.extend(left_out(devices.len(), most, "devices"));
        lines
    }
}

/// How many of `all` groups are shown where there is room for `most`: the line that counts one more could as well show it.
const fn fitting(all: usize, most: usize) -> usize {
    if all == most.saturating_add(1) { all } else { most }
}

fn left_out(all: usize, most: usize, what: &str) -> Option<String> {
    (all > most).then(|| format!("{:>5}  more {what}", all - most))
}

const fn ellipsis(style: &Style) -> char {
    if style.ascii { '~' } else { '…' }
}
