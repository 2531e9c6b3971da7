//! The facts of one boot out of several logs, in one order, each record once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::boot::Boot;
use super::moment::Moment;
use crate::event::Fact;
use crate::record::{Author, Stamp, Wall, between};

/// The facts of all parts in order, each record once. Where there is no clock to order all of them by, what only one log
/// has stands before what both have next.
pub(super) fn merge(parts: &[(usize, &Boot)]) -> Vec<Moment> {
    let [(_, only)] = parts else { return several(parts) };
    only.moments.clone()
}

fn several(parts: &[(usize, &Boot)]) -> Vec<Moment> {
    let mut moments: Vec<Moment> = Vec::new();
    for (_, boot) in parts {
        let mut places: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
        let before = moments.clone();
        for (at, moment) in before.iter().enumerate() {
            if let Moment::Fact(fact) = moment {
                places.entry(&fact.text).or_default().push(at);
            }
        }
        // What stands before each fact that is known already, and behind the last.
        let mut between: BTreeMap<usize, Vec<Moment>> = BTreeMap::new();
        let mut own = Vec::new();
        for moment in boot.moments.iter().filter(|moment| !is_healed(moment, parts)) {
            let known = if let Moment::Fact(fact) = moment {
                let same = |at: &&usize| matches!(before.get(**at), Some(Moment::Fact(known)) if is_same(known, fact));
                let found = places.get(&*fact.text).and_then(|found| found.iter().take(MOST_ALIKE).find(same));
                found.map(|at| (*at, fact))
            } else {
                None
            };
            match known {
                Some((at, fact)) => {
                    between.entry(at).or_default().append(&mut own);
                    moments.get_mut(at).into_iter().for_each(|moment| prove(moment, fact.author));
                }
                None => own.push(moment.clone()),
            }
        }
        between.entry(moments.len()).or_default().append(&mut own);
        moments = weave(moments, between);
    }
    sort(&mut moments);
    moments
}

fn weave(moments: Vec<Moment>, mut between: BTreeMap<usize, Vec<Moment>>) -> Vec<Moment> {
    let mut woven = Vec::with_capacity(moments.len());
    let end = moments.len();
    for (at, moment) in moments.into_iter().enumerate() {
        woven.extend(between.remove(&at).unwrap_or_default());
        woven.push(moment);
    }
    woven.extend(between.remove(&end).unwrap_or_default());
    woven
}

/// Of two equal records the one counts of which it is known better who wrote it.
fn prove(moment: &mut Moment, author: Author) {
    if let Moment::Fact(fact) = moment
        && author == Author::Kernel
        && fact.author != Author::Kernel
    {
        Arc::make_mut(fact).author = author;
    }
}

/// How many facts of the same text are compared with another one.
const MOST_ALIKE: usize = 64;

/// How far apart, in microseconds, two log daemons write down one record.
const APART: i64 = 2_000_000;

/// Whether two facts of the same text are one record: by the kernel's clock, or where one of them lacks that by the wall clock.
fn is_same(one: &Fact, other: &Fact) -> bool {
    if let (Some(one), Some(other)) = (one.stamp.uptime, other.stamp.uptime) {
        return one == other;
    }
    let wall = |fact: &Fact| Stamp { uptime: None, wall: fact.stamp.wall.map(|wall| fold(&wall)) };
    between(&wall(one), &wall(other)).is_some_and(|apart| apart.abs() <= APART)
}

/// A time in the year of those that are written without one: not every log has years.
fn fold(wall: &Wall) -> Wall {
    use chrono::Datelike as _;
    Wall { local: wall.local.with_year(Wall::NO_YEAR).unwrap_or(wall.local), ..*wall }
}

/// By the kernel's clock where all have it, else by whole seconds of the wall clock, since not every log has parts of them.
fn sort(moments: &mut [Moment]) {
    if moments.iter().all(|moment| moment.stamp().uptime.is_some()) {
        moments.sort_by_key(|moment| moment.stamp().uptime);
    } else if moments.iter().all(|moment| moment.stamp().wall.is_some()) {
        moments.sort_by_key(|moment| moment.stamp().wall.map(|wall| wall.utc().and_utc().timestamp()));
    }
}

/// Whether another log that holds the whole boot goes on beyond this gap, and so holds what is missing here.
fn is_healed(moment: &Moment, parts: &[(usize, &Boot)]) -> bool {
    let Moment::Gap { stamp, .. } = moment else { return false };
    let beyond = |boot: &Boot| between(stamp, &end(boot)).is_some_and(|ahead| ahead >= 0);
    parts.iter().any(|(_, other)| other.is_complete() && beyond(other))
}

const fn end(boot: &Boot) -> Stamp {
    boot.span.1
}
