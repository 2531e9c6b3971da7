//! The stretches of one host's logs put together to boots: which parts are of one boot, and in what order the boots came.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Datelike as _;

use super::boot::Boot;
use super::hosts::{MOST_NEAR, Parts, clock_goes_on, wall};
use super::identity::{HALF_YEAR, Identity, Print, Sameness};
use super::log::{Log, LogKind};
use crate::record::{BootId, Stamp, Wall, between};

/// How far the starts of two boots are apart that are compared, in microseconds.
const NEAR: i64 = 60_000_000;

/// With the clocks and records of how many parts of a boot a further one is compared: of thousands of logs of one boot, the first
/// and the last ones stand for all. Its id, banner and command line are those of all parts.
const MOST_PARTS: usize = 64;

fn first_and_last<'p, 'a>(parts: &'p [(usize, &'a Boot)]) -> impl Iterator<Item = &'p (usize, &'a Boot)> {
    let (first, rest) = parts.split_at(parts.len().min(MOST_PARTS / 2));
    first.iter().chain(rest.iter().skip(rest.len().saturating_sub(MOST_PARTS / 2)))
}

/// One boot, and what its parts say together of its id, banner and command line.
#[derive(Default)]
struct JoinedBoot<'a> {
    parts: Parts<'a>,
    names: Identity,
}

/// The boots of a host that are known so far, and by what a further part of one is found.
#[derive(Default)]
pub(super) struct Known<'a> {
    boots: Vec<JoinedBoot<'a>>,
    ids: BTreeMap<BootId, usize>,
    prints: BTreeMap<Print, usize>,
    starts: BTreeMap<i64, Vec<usize>>,
    /// The last boot of each log.
    last: BTreeMap<usize, usize>,
    /// The set of each log, and the last boot of each set.
    sets: BTreeMap<usize, usize>,
    last_of_sets: BTreeMap<usize, usize>,
    /// The logs that are ring buffers.
    rings: BTreeSet<usize>,
    /// Which boots each log tells of, in its order.
    told: BTreeMap<usize, Vec<usize>>,
}

impl<'a> Known<'a> {
    pub(super) fn take(&mut self, log: &'a Log, boot: &'a Boot) {
        let (ring, set, log) = (log.kind == LogKind::Ring, log.part.0, log.index);
        let at = self.find(log, set, boot).unwrap_or_else(|| {
            self.boots.push(JoinedBoot::default());
            self.boots.len() - 1
        });
        if let Some(JoinedBoot { parts, names }) = self.boots.get_mut(at) {
            parts.push((log, boot));
            names.join_names(&boot.identity);
        }
        self.ids.extend(boot.id.map(|id| (id, at)));
        self.prints.extend(boot.identity.prints().map(|print| (*print, at)));
        if let Some(start) = boot.identity.start() {
            let near = self.starts.entry(start).or_default();
            if near.last() != Some(&at) {
                near.push(at);
            }
        }
        // What daemons alone wrote is of no boot.
        if boot.kernel_records == 0 {
            return;
        }
        self.last.insert(log, at);
        self.rings.extend(ring.then_some(log));
        self.last_of_sets.insert(set, at);
        self.sets.insert(log, set);
        self.told.entry(log).or_default().push(at);
    }

    fn parts(&self, at: usize) -> &[(usize, &'a Boot)] {
        self.boots.get(at).map(|told| told.parts.as_slice()).unwrap_or_default()
    }

    /// Puts the boots into the order of their starts, unless a log says that the year turns between them.
    fn sort(&mut self) {
        let dated = |told: &JoinedBoot<'_>| told.parts.iter().filter_map(|(_, boot)| boot.identity.dated).min();
        let folded = |told: &JoinedBoot<'_>| told.parts.iter().filter_map(|(_, boot)| boot.identity.start()).min();
        let has_years = self.boots.iter().all(|told| dated(told).is_some());
        let start = |told: &JoinedBoot<'_>| if has_years { dated(told) } else { folded(told) };
        // A boot without times stays behind the one before it.
        let mut before = i64::MIN;
        let filled = self.boots.iter().map(|told| {
            before = start(told).unwrap_or(before);
            before
        });
        let starts: Vec<i64> = filled.collect();
        let mut order: Vec<usize> = (0..self.boots.len()).collect();
        order.sort_by_key(|at| starts.get(*at));
        let mut place = vec![0; order.len()];
        for (new, old) in order.iter().enumerate() {
            place.get_mut(*old).into_iter().for_each(|place| *place = new);
        }
        let new = |at: &usize| place.get(*at).copied().unwrap_or_default();
        // A log that goes on from December into January, without years.
        let turns = |told: &Vec<usize>| {
            let starts = told.iter().filter_map(|at| starts.get(*at));
            starts.clone().zip(starts.skip(1)).any(|(one, next)| next < one && one.abs_diff(*next) > HALF_YEAR)
        };
        if self.told.values().any(turns) {
            return;
        }
        self.last.values_mut().for_each(|at| *at = new(at));
        let mut taken: Vec<Option<JoinedBoot<'a>>> = std::mem::take(&mut self.boots).into_iter().map(Some).collect();
        self.boots = order.into_iter().filter_map(|at| taken.get_mut(at)?.take()).collect();
    }

    /// The boot that another part is of. Where times without years fit several, it is the first behind the last one that its
    /// log told of.
    fn find(&self, log: usize, set: usize, boot: &Boot) -> Option<usize> {
        if let Some(at) = boot.id.and_then(|id| self.ids.get(&id)) {
            return Some(*at);
        }
        let before = self.last.get(&log).copied();
        let first = before.unwrap_or(0);
        if let Some(at) = self.last_of_sets.get(&set).filter(|_| before.is_none())
            && self.is_followed_by(*at, set, boot)
        {
            return Some(*at);
        }
        let shared = boot.identity.prints().filter_map(|print| self.prints.get(print)).copied();
        let shared: BTreeSet<usize> = shared.collect();
        let start = boot.identity.start();
        let range = start.map(|start| self.starts.range(start - NEAR..=start + NEAR));
        let near = |ahead: bool| -> BTreeSet<usize> {
            let boots = |boots: &'_ Vec<usize>| {
                let (behind, own) = boots.split_at(boots.partition_point(|at| *at < first));
                let boots: Vec<usize> = (if ahead { own } else { behind }).iter().take(MOST_NEAR).copied().collect();
                boots
            };
            range.clone().into_iter().flatten().flat_map(|(_, found)| boots(found)).take(MOST_NEAR).collect()
        };
        let near = near(true).into_iter().chain(near(false));
        let candidates = shared.into_iter().rev().take(MOST_NEAR).chain(near).chain(before);
        candidates.chain(self.boots.len().checked_sub(1)).find(|at| self.is_of(*at, log, boot))
    }

    /// Whether the boot at this place goes on in the next log of its set, where no two clocks tell.
    fn is_followed_by(&self, at: usize, set: usize, boot: &Boot) -> bool {
        let Some(JoinedBoot { parts, names }) = self.boots.get(at) else { return false };
        let is_of_set = |(log, _): &&(usize, &Boot)| self.sets.get(log) == Some(&set);
        parts.iter().rfind(is_of_set).is_some_and(|(_, known)| {
            let rises = between(&wall(&known.span.1), &wall(&boot.span.0)).is_none_or(|ahead| ahead >= 0);
            let told = known.identity.has_instant() && boot.identity.has_instant();
            let differ = names.compare_names(&boot.identity) == Sameness::Different;
            rises && !told && !differ && !known.ended && clock_goes_on(known, boot)
        })
    }

    /// Whether a part is of the boot at this place.
    fn is_of(&self, at: usize, log: usize, boot: &Boot) -> bool {
        let Some(JoinedBoot { parts, names }) = self.boots.get(at) else { return false };
        let is_current = self.last.get(&log) == Some(&at);
        // Another boot of this log stands between, or it has a banner of its own: only the same records make it the same. What daemons
        // alone wrote is of no boot.
        let is_other = |(known, part): &(usize, &Boot)| {
            let clocks = part.identity.has_instant() && boot.identity.has_instant();
            let begins = part.banner && boot.banner && clocks && !part.identity.shares_records(&boot.identity);
            *known == log && part.kernel_records > 0 && (!is_current || begins)
        };
        if names.compare_names(&boot.identity) == Sameness::Different || parts.iter().any(is_other) {
            return false;
        }
        if first_and_last(parts).any(|(_, known)| known.identity.goes_on_in(&boot.identity)) {
            return true;
        }
        // The clock may have been set when the host got its name.
        let last = parts.iter().rfind(|(known, _)| *known == log).filter(|_| is_current);
        if last
            .is_some_and(|(_, known)| known.hostname.is_none() && boot.hostname.is_some() && clock_goes_on(known, boot))
        {
            return true;
        }
        let answers = || first_and_last(parts).map(|(_, known)| known.compare(boot));
        answers().any(|answer| answer == Sameness::Same) && answers().all(|answer| answer != Sameness::Different)
    }

    /// Whether a stretch that stands before the last boot in its log can be what followed in the same boot: it has no beginning,
    /// and its clock goes on where that of the last boot ends. Only other times or an id tell.
    fn may_come_before(&self, last: usize) -> bool {
        let Some(before) = last.checked_sub(1) else { return false };
        let clock_only = |boot: &Boot| boot.id.is_none() && boot.span.0.wall.is_none() && boot.span.1.wall.is_none();
        self.parts(last).iter().any(|(log, boot)| {
            self.parts(before).iter().any(|(other, earlier)| {
                let goes_on =
                    earlier.span.0.uptime.is_some_and(|start| boot.span.1.uptime.is_some_and(|end| start >= end));
                log == other && clock_only(boot) && clock_only(earlier) && boot.banner && !earlier.banner && goes_on
            })
        })
    }

    /// Whether a log of the same set tells of both boots: then its parts are in their order.
    fn share_set(&self, one: usize, other: usize) -> bool {
        let sets = |at: usize| -> BTreeSet<usize> {
            self.parts(at).iter().filter_map(|(log, _)| self.sets.get(log)).copied().collect()
        };
        !sets(one).is_disjoint(&sets(other))
    }

    /// The boots, the last one behind all others, and whether it is known which that is.
    pub(super) fn in_order(mut self) -> (Vec<Parts<'a>>, bool) {
        self.sort();
        let lasts: BTreeSet<usize> = self.last.values().copied().collect();
        // The ring buffer is of the running boot, whatever order the logs were named in.
        let rings = self.rings.iter().filter_map(|log| self.last.get(log)).copied().max();
        let end = |at: usize| {
            let has_year = |stamp: &Stamp| stamp.wall.is_some_and(|wall| wall.local.year() != Wall::NO_YEAR);
            let ends =
                || self.parts(at).iter().map(|(_, boot)| wall(&boot.span.1)).filter(|stamp| stamp.wall.is_some());
            ends().find(has_year).or_else(|| ends().next())
        };
        let mut known = true;
        let mut last: Option<usize> = rings;
        if rings.is_none() {
            for at in lasts {
                let later = match last.map(|last| (end(last), end(at))) {
                    None => true,
                    Some((Some(one), Some(other))) => between(&one, &other).is_none_or(|ahead| ahead >= 0),
                    Some(_) => {
                        known &= last.is_some_and(|last| self.share_set(last, at));
                        true
                    }
                };
                last = if later { Some(at) } else { last };
            }
        }
        known &= !last.is_some_and(|last| self.may_come_before(last));
        if let Some(last) = last.filter(|last| last + 1 < self.boots.len()) {
            let told = self.boots.remove(last);
            self.boots.push(told);
        }
        (self.boots.into_iter().map(|told| told.parts).collect(), known)
    }
}
