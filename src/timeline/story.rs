//! The logs of a case laid over each other: which boots there were, and what is known of the asked one.

use std::borrow::Cow;
use std::str::FromStr;

use super::boot::{Boot, Moment};
use super::log::{Log, LogKind};
use crate::event::Fact;
use crate::history::{Chronicle, History};
use crate::record::{BootId, Gap, Place, Stamp, between};

/// Which boot to audit, counted as journalctl does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootChoice {
    /// 0 is the last one, -1 the one before.
    FromLast(usize),
}

impl Default for BootChoice {
    fn default() -> Self {
        Self::FromLast(0)
    }
}

impl FromStr for BootChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let back = text.strip_prefix('-').unwrap_or(text);
        let number: usize = back.parse().map_err(|_not_a_number| "expected 0, -1, -2, ...")?;
        if number != 0 && back == text {
            Err("boots are counted back from the last: 0, -1, -2, ...")
        } else {
            Ok(Self::FromLast(number))
        }
    }
}

/// What the logs of a case say about the asked boot.
#[derive(Clone, Debug, Default)]
pub struct Story<'a> {
    /// The boot's id, where a log has it.
    pub id: Option<BootId>,
    /// The host, where a log names it.
    pub hostname: Option<String>,
    /// Kernel release, where a log has the banner.
    pub release: Option<String>,
    /// The boot as each log tells it: the log's number and the boot.
    pub parts: Vec<(usize, &'a Boot)>,
    /// What those facts and gaps come to that a log did not keep one by one.
    pub past: Cow<'a, Chronicle>,
    /// Facts and gaps of all logs in order, each record once.
    pub moments: Vec<&'a Moment>,
    /// Time of the last record.
    pub end: Stamp,
    /// Whether any record has a time.
    pub timed: bool,
    /// Facts about pciback in other boots, which were left out: how many, and the last of them.
    pub left_out: (u64, Option<Fact>),
}

/// What is known of the running boot from elsewhere, to tell it from an old one in a saved log.
#[derive(Clone, Debug, Default)]
pub struct Running<'a> {
    /// Its id.
    pub id: Option<BootId>,
    /// Its kernel release.
    pub release: Option<&'a str>,
}

impl<'a> Story<'a> {
    /// Picks the asked boot out of `logs`.
    ///
    /// `running` is what the host itself says, where a host is audited: a last boot that contradicts it is an old one.
    pub fn tell(logs: &'a [Log], choice: BootChoice, running: &Running<'_>) -> Self {
        let mut boots = together(logs);
        // The ring buffer is of the running boot, whatever order the logs were named in.
        let rings: Vec<usize> = logs.iter().filter(|log| log.kind == LogKind::Ring).map(|log| log.index).collect();
        boots.sort_by_key(|parts| parts.iter().any(|(log, _)| rings.contains(log)));
        let BootChoice::FromLast(back) = choice;
        let asked = boots.len().checked_sub(back + 1).filter(|at| {
            let parts = boots.get(*at).map(Vec::as_slice).unwrap_or_default();
            back > 0 || parts.iter().all(|(_, boot)| running.agrees(boot))
        });
        let mut story = Self::default();
        for (at, parts) in boots.iter().enumerate() {
            if Some(at) == asked {
                story.lay(parts);
            } else {
                story.leave_out(parts);
            }
        }
        story
    }

    /// Whether the logs hold all that the kernel said at level info and above since the boot began.
    pub fn is_complete(&self) -> bool {
        let info = self.parts.iter().any(|(_, boot)| boot.info);
        let gap = self.past.gaps().any() || self.moments.iter().any(|moment| matches!(moment, Moment::Gap { .. }));
        self.has_banner() && info && !gap
    }

    /// What happened to each device.
    pub fn history(&self) -> History {
        let mut chronicle = Chronicle::clone(&self.past).with_start(self.has_banner() && !self.past.gaps().any());
        for moment in &self.moments {
            match moment {
                Moment::Fact(fact) => chronicle.fact(fact),
                Moment::Gap { gap, .. } => chronicle.gap(gap),
            }
        }
        chronicle.close(&self.end, self.timed)
    }

    /// Whether a log reaches back to the start of the boot.
    pub fn has_banner(&self) -> bool {
        self.parts.iter().any(|(_, boot)| boot.banner)
    }

    fn lay(&mut self, parts: &[(usize, &'a Boot)]) {
        for (_, boot) in parts {
            self.id = self.id.or(boot.id);
            self.hostname = self.hostname.take().or_else(|| boot.hostname.clone());
            self.release = self.release.take().or_else(|| boot.release.clone());
            self.timed |= boot.timed;
            if between(&self.end, &boot.span.1).is_none_or(|ahead| ahead > 0) {
                self.end = boot.span.1;
            }
        }
        let mut chronicles = parts.iter().filter_map(|(log, boot)| Some((*log, boot.past.as_ref()?)));
        if let Some((log, past)) = chronicles.next_back() {
            self.past = Cow::Borrowed(past);
            // Two pasts cannot be laid over each other. What is left of one of them proves nothing against the other.
            if chronicles.next().is_some() {
                self.past.to_mut().gap(&Gap { place: Place { log, ..Place::default() }, lost: None });
            }
        }
        self.moments = merge(parts);
        self.parts = parts.to_vec();
    }

    fn leave_out(&mut self, parts: &[(usize, &Boot)]) {
        for (number, last) in parts.iter().filter_map(|(_, boot)| boot.past.as_ref()).map(Chronicle::heard) {
            self.left_out.0 += number;
            self.left_out.1 = last.or(self.left_out.1.take());
        }
        for moment in parts.iter().flat_map(|(_, boot)| &boot.moments) {
            if let Moment::Fact(fact) = moment
                && fact.event.is_pciback()
            {
                self.left_out.0 += 1;
                self.left_out.1 = Some(fact.clone());
            }
        }
    }
}

impl Running<'_> {
    fn agrees(&self, boot: &Boot) -> bool {
        let id = !matches!((self.id, boot.id), (Some(running), Some(logged)) if running != logged);
        let release = !matches!((self.release, &boot.release), (Some(running), Some(logged)) if running != logged);
        id && release
    }
}

/// The hosts of logs.
#[derive(Clone, Debug, Default)]
pub struct Hosts<'a> {
    /// Each host once.
    pub hosts: Vec<Host<'a>>,
    /// Records about pciback of which nobody knows the host.
    pub unattributed: u64,
}

/// The boots of one host.
#[derive(Clone, Debug, Default)]
pub struct Host<'a> {
    /// Its name, where a record has it.
    pub name: Option<String>,
    /// Every boot once, oldest first: its parts by the number of the log.
    pub boots: Vec<Vec<(usize, &'a Boot)>>,
}

/// The boots of several logs, host by host.
pub fn hosts(logs: &[Log]) -> Hosts<'_> {
    let mut names: std::collections::BTreeMap<(Option<&str>, usize), Vec<(usize, Vec<&Boot>)>> =
        std::collections::BTreeMap::new();
    let mut unattributed = 0;
    for log in logs {
        let named: std::collections::BTreeSet<&str> =
            log.boots.iter().filter_map(|boot| boot.hostname.as_deref()).collect();
        let only = named.first().copied().filter(|_| named.len() == 1);
        for boot in &log.boots {
            let name = boot.hostname.as_deref().or(only);
            if name.is_none() && named.len() > 1 {
                unattributed += boot.notable;
                continue;
            }
            let host = names.entry((name, name.map_or(log.index, |_| 0))).or_default();
            match host.last_mut() {
                Some((index, boots)) if *index == log.index => boots.push(boot),
                _ => host.push((log.index, vec![boot])),
            }
        }
    }
    let hosts = names
        .into_iter()
        .map(|((name, _), logs)| Host { name: name.map(str::to_owned), boots: joined(logs) })
        .collect();
    Hosts { hosts, unattributed }
}

/// Every boot that `logs` tell of, oldest first where they say when: its part in each log, by the log's number.
fn together(logs: &[Log]) -> Vec<Vec<(usize, &Boot)>> {
    joined(logs.iter().map(|log| (log.index, log.boots.iter().collect())).collect())
}

fn joined(mut logs: Vec<(usize, Vec<&Boot>)>) -> Vec<Vec<(usize, &Boot)>> {
    let mut boots: Vec<Vec<(usize, &Boot)>> = Vec::new();
    in_time(&mut logs);
    for (index, log) in logs {
        for boot in log {
            match boots.iter().rposition(|known| known.iter().any(|(other, known)| same(known, boot, *other != index))) {
                Some(at) => boots.get_mut(at).into_iter().for_each(|known| known.push((index, boot))),
                None => boots.push(vec![(index, boot)]),
            }
        }
    }
    boots
}

/// Puts the logs in the order of their times, where all have them: a rotated set is rarely named oldest first.
fn in_time(logs: &mut [(usize, Vec<&Boot>)]) {
    let wall = |stamp: &Stamp| stamp.wall.map(|wall| Stamp { uptime: None, wall: Some(wall) });
    let span = |boots: &[&Boot]| Some((wall(&boots.first()?.span.0)?, wall(&boots.last()?.span.1)?));
    if logs.iter().all(|(_, boots)| span(boots).is_some()) {
        let order = |one: &Stamp, other: &Stamp| 0.cmp(&between(one, other).unwrap_or(0));
        logs.sort_by(|(_, one), (_, other)| match (span(one), span(other)) {
            (Some(one), Some(other)) => order(&one.0, &other.0).then(order(&one.1, &other.1)),
            _ => std::cmp::Ordering::Equal,
        });
    }
}

/// Whether two logs tell of the same boot: by its id, by an event that both hold, or because one goes on where the
/// other ended.
fn same(one: &Boot, other: &Boot, apart: bool) -> bool {
    if let (Some(one), Some(other)) = (one.id, other.id) {
        return one == other;
    }
    if matches!((&one.hostname, &other.hostname), (Some(a), Some(b)) if a != b) {
        return false;
    }
    let shared = || one.moments.iter().any(|moment| other.moments.iter().any(|second| same_record(moment, second)));
    (apart && shared()) || goes_on(one, other)
}

/// Whether `later` has no start of its own, and goes on where `earlier` ended by both clocks.
fn goes_on(earlier: &Boot, later: &Boot) -> bool {
    let (end, start) = (&earlier.span.1, &later.span.0);
    let ahead = matches!((end.uptime, start.uptime), (Some(end), Some(start)) if start >= end);
    let wall = matches!((end.wall, start.wall), (Some(_), Some(_)));
    let only_wall = |stamp: &Stamp| Stamp { uptime: None, wall: stamp.wall };
    let by_wall = between(&only_wall(end), &only_wall(start));
    let only_uptime = |stamp: &Stamp| Stamp { uptime: stamp.uptime, wall: None };
    let by_uptime = between(&only_uptime(end), &only_uptime(start));
    // Both clocks must have gone on by the same time: a later boot starts again from zero.
    let alike = by_wall.zip(by_uptime).is_some_and(|(wall, uptime)| (wall - uptime).abs() <= 2_000_000 + uptime / 1000);
    !later.banner && ahead && wall && alike
}

/// One record in two logs: the same message at the same moment of the kernel's clock, or of the wall clock.
fn same_record(one: &Moment, other: &Moment) -> bool {
    let (Moment::Fact(one), Moment::Fact(other)) = (one, other) else { return false };
    if one.text != other.text || one.place.log == other.place.log {
        return false;
    }
    match (one.stamp.uptime, other.stamp.uptime) {
        // Early records all have the time 0: there the clock tells nothing.
        (Some(a), Some(b)) => a == b && a > 0 && walls_agree(one, other),
        _ => one.stamp.wall.is_some() && other.stamp.wall.is_some() && walls_agree(one, other),
    }
}

fn walls_agree(one: &Fact, other: &Fact) -> bool {
    let wall = |fact: &Fact| Stamp { uptime: None, wall: fact.stamp.wall };
    between(&wall(one), &wall(other)).is_none_or(|apart| apart.abs() <= 2_000_000)
}

/// The facts of all parts in order, each record once. Where there is no clock to order all of them by, what only one log
/// has stands before what both have next.
fn merge<'a>(parts: &[(usize, &'a Boot)]) -> Vec<&'a Moment> {
    let mut moments: Vec<&Moment> = Vec::new();
    for (_, boot) in parts {
        let mut own: Vec<&Moment> = Vec::new();
        for moment in boot.moments.iter().filter(|moment| !is_healed(moment, parts)) {
            match moments.iter().position(|known| same_record(known, moment)) {
                Some(at) if !own.is_empty() => drop(moments.splice(at..at, own.drain(..))),
                Some(_) => {}
                None => own.push(moment),
            }
        }
        moments.append(&mut own);
    }
    if parts.len() > 1 && moments.iter().all(|moment| moment.stamp().uptime.is_some()) {
        moments.sort_by_key(|moment| moment.stamp().uptime);
    }
    moments
}

/// Whether another log that holds the whole boot goes on beyond this gap, and so holds what is missing here.
fn is_healed(moment: &Moment, parts: &[(usize, &Boot)]) -> bool {
    let Moment::Gap { stamp, .. } = moment else { return false };
    let beyond = |boot: &Boot| between(stamp, &boot.span.1).is_some_and(|ahead| ahead >= 0);
    parts.iter().any(|(_, other)| other.is_complete() && beyond(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boots_are_counted_back_from_the_last() {
        assert_eq!("0".parse(), Ok(BootChoice::FromLast(0)));
        assert_eq!("-1".parse(), Ok(BootChoice::FromLast(1)));
        for wrong in ["1", "", "-", "all", "--1"] {
            assert!(wrong.parse::<BootChoice>().is_err(), "{wrong}");
        }
    }
}
