//! Whose boot each stretch of a log is, and which stretches of several logs are one boot.

use std::collections::{BTreeMap, BTreeSet};

use super::JITTER;
use super::boot::Boot;
use super::identity::Sameness;
use super::joined::Known;
use super::log::{Log, LogKind};
use crate::record::{Stamp, between};

/// A boot as each log tells it: the log's number and the boot.
pub type Parts<'a> = Vec<(usize, &'a Boot)>;

/// One host, and its boots.
#[derive(Clone, Debug, Default)]
pub struct Host<'a> {
    /// Its name, where a log gives one.
    pub name: Option<String>,
    /// Its boots, oldest first, each once however many logs tell of it.
    pub boots: Vec<Parts<'a>>,
    /// Whether the last of them is known to be the last: of two logs without common times nobody can say.
    pub last_is_known: bool,
}

/// Every host that logs tell of.
#[derive(Clone, Debug, Default)]
pub struct Hosts<'a> {
    /// The hosts, by name; those without a name first.
    pub hosts: Vec<Host<'a>>,
    /// Records with something to say that stand in a log of several hosts without saying of which they are.
    pub unattributed: u64,
}

/// Names that a machine has before it knows its own.
const NAMELESS: &[&[u8]] = &[b"localhost", b"localhost.localdomain", b"(none)"];

/// Whether a record with this host name does not say which host it is of.
pub fn is_nameless(hostname: &[u8]) -> bool {
    NAMELESS.contains(&hostname)
}

/// How many hosts are asked whether they go on with a stretch that names none.
const MOST_ASKED: usize = 64;

/// How many boots that started at about the same time are compared.
pub(super) const MOST_NEAR: usize = 8;

/// Gives stretches without a host's name to the host that goes on with the same boot, and joins those of a host that was
/// renamed to its full name.
pub(super) fn attribute(boots: &mut Vec<Boot>) {
    if boots.len() < 2 {
        return;
    }
    let mut joins = renamed(boots);
    if boots.iter().any(|boot| boot.hostname.is_some()) {
        joins.extend(nameless(boots));
    }
    let mut taken: Vec<Option<Boot>> = boots.drain(..).map(Some).collect();
    // From the end, so that what goes on twice is joined to the first.
    joins.sort_unstable();
    for (to, from) in joins.into_iter().rev() {
        let Some(later) = taken.get_mut(from).and_then(Option::take) else { continue };
        match taken.get_mut(to) {
            Some(Some(boot)) => boot.join(later),
            Some(empty) => *empty = Some(later),
            None => {}
        }
    }
    boots.extend(taken.into_iter().flatten());
}

/// The part of a name before its domain.
pub(super) fn short(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == b'.').next().unwrap_or(name)
}

fn short_name(name: &str) -> &str {
    name.split_once('.').map_or(name, |(short, _)| short)
}

/// Whether both names can be those of one host: one is the other with its domain.
pub fn is_same_name(one: impl AsRef<[u8]>, other: impl AsRef<[u8]>) -> bool {
    let (one, other) = (one.as_ref(), other.as_ref());
    let is_short = |name: &[u8]| short(name).len() == name.len();
    one.eq_ignore_ascii_case(other)
        || (short(one).eq_ignore_ascii_case(short(other)) && (is_short(one) || is_short(other)))
}

/// Stretches of a host that goes on under its full or its short name: the earlier and the later one.
fn renamed(boots: &[Boot]) -> Vec<(usize, usize)> {
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    let mut joins = Vec::new();
    for (at, boot) in boots.iter().enumerate() {
        let Some(name) = boot.hostname.as_deref() else { continue };
        if let Some(before) = last.insert(short_name(name), at)
            && let Some(known) = boots.get(before)
            && known.hostname.as_deref().is_some_and(|known| known != name && is_same_name(known, name))
            && goes_on(known, boot)
        {
            joins.push((before, at));
        }
    }
    joins
}

/// Stretches without a name, and the stretch of the one host that goes on with the same boot.
fn nameless(boots: &[Boot]) -> Vec<(usize, usize)> {
    let mut joins = Vec::new();
    for (at, boot) in boots.iter().enumerate().filter(|(_, boot)| boot.hostname.is_none() && boot.id.is_none()) {
        let mut asked: BTreeSet<&str> = BTreeSet::new();
        let mut found: Option<usize> = None;
        let mut several = false;
        for (next, later) in boots.iter().enumerate().skip(at + 1) {
            let Some(name) = later.hostname.as_deref() else { continue };
            if asked.len() == MOST_ASKED {
                several = true;
                break;
            }
            if asked.insert(name) && goes_on(boot, later) {
                several |= found.is_some();
                found = found.or(Some(next));
            }
        }
        joins.extend(found.filter(|_| !several).map(|next| (at, next)));
    }
    joins
}

/// Whether `later` can be what follows in the same boot.
fn goes_on(earlier: &Boot, later: &Boot) -> bool {
    clock_goes_on(earlier, later) && earlier.identity.compare(&later.identity) != Sameness::Different
}

/// Whether `later` can be what follows in the same boot by the kernel's clock. Where no other host could be meant, that says enough.
pub(super) fn clock_goes_on(earlier: &Boot, later: &Boot) -> bool {
    let clock = match (earlier.span.1.uptime, later.span.0.uptime) {
        (Some(end), Some(start)) => start.saturating_add(JITTER) >= end,
        _ => true,
    };
    !later.banner && later.id.is_none() && clock
}

/// Every host that `logs` tell of, with its boots. Logs that name no host are each of a host of their own, unless one of
/// their boots is another host's.
pub fn hosts(logs: &[Log]) -> Hosts<'_> {
    group(logs, false)
}

/// The same, where all logs were named as those of one host: what names no host is that of the only one that is named.
pub fn hosts_of_case(logs: &[Log]) -> Hosts<'_> {
    group(logs, true)
}

/// A stretch of a log that is of one boot, and its place among all.
#[derive(Clone, Copy)]
struct Stretch<'a> {
    number: usize,
    log: usize,
    boot: &'a Boot,
}

fn group<'a>(logs: &'a [Log], together: bool) -> Hosts<'a> {
    let ordered = in_time(logs);
    let mut named: BTreeMap<&'a str, Vec<Stretch<'a>>> = BTreeMap::new();
    let mut unnamed: BTreeMap<usize, Vec<Stretch<'a>>> = BTreeMap::new();
    let stretches = ordered.iter().flat_map(|log| log.boots.iter().map(|boot| (log.index, boot)));
    // By its name in small letters, a host's name as it is first written.
    let mut written: BTreeMap<String, &'a str> = BTreeMap::new();
    for (number, (log, boot)) in stretches.enumerate() {
        let stretch = Stretch { number, log, boot };
        match &boot.hostname {
            Some(name) => {
                let name: &str = written.entry(name.to_ascii_lowercase()).or_insert(name);
                named.entry(name).or_default().push(stretch);
            }
            None => unnamed.entry(if together { 0 } else { log }).or_default().push(stretch),
        }
    }
    let mut unattributed = 0;
    // A log in which one host has a name is that host's, as far as nothing else is known; of logs that are all one host's, only
    // where none of them names another.
    let all: Names<'a> = Names::of(named.keys().copied());
    let of_log = |log: &&'a Log| {
        let names = log.boots.iter().filter_map(|boot| boot.hostname.as_deref());
        (log.index, if together { all } else { Names::of(names) })
    };
    let names: BTreeMap<usize, Names<'a>> = ordered.iter().map(of_log).collect();
    let mut hosts = Vec::new();
    for (_, boots) in unnamed {
        let mut own = Vec::new();
        for stretch in boots {
            let names = names.get(&stretch.log).copied().unwrap_or(Names::None);
            let owner = if let Names::One(only) = names { Some(only) } else { owner(&named, stretch.boot) };
            match owner.and_then(|name| named.get_mut(name)) {
                Some(known) => known.push(stretch),
                None if names == Names::Several => unattributed += stretch.boot.notable,
                None => own.push(stretch),
            }
        }
        if !own.is_empty() {
            hosts.push(Host::of(None, own, logs));
        }
    }
    hosts.extend(full_names(named).into_iter().map(|(name, boots)| Host::of(Some(name), boots, logs)));
    Hosts { hosts, unattributed }
}

/// The hosts that are named somewhere; a short name and its full one are one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names<'a> {
    None,
    One(&'a str),
    Several,
}

impl<'a> Names<'a> {
    fn of(mut names: impl Iterator<Item = &'a str>) -> Self {
        let Some(first) = names.next() else { return Self::None };
        if names.all(|name| is_same_name(first, name)) { Self::One(first) } else { Self::Several }
    }
}

/// The host of which this boot of a log without names is.
fn owner<'n>(named: &BTreeMap<&'n str, Vec<Stretch<'_>>>, boot: &Boot) -> Option<&'n str> {
    // In logs of many hosts nobody asks whose a nameless file is.
    let mut same = named.iter().take(MOST_ASKED).filter(|(_, boots)| {
        boots.iter().rev().take(MOST_ASKED).any(|known| known.boot.identity.compare(&boot.identity) == Sameness::Same)
    });
    let first = same.next()?;
    same.next().is_none().then_some(*first.0)
}

/// Joins a host's short name and its full one, where one boot is told under both.
fn full_names<'a>(named: BTreeMap<&'a str, Vec<Stretch<'a>>>) -> BTreeMap<String, Vec<Stretch<'a>>> {
    let mut full: BTreeMap<String, Vec<Stretch<'_>>> = BTreeMap::new();
    // A short name comes before its full ones.
    for (name, boots) in named {
        let shorter = full.get(short_name(name)).filter(|_| short_name(name) != name).is_some_and(|known| {
            let last = |boots: &[Stretch<'a>]| boots.iter().rev().take(MOST_NEAR).map(|stretch| stretch.boot).collect();
            if known.iter().chain(&boots).any(|stretch| stretch.boot.renamed) {
                return true;
            }
            let (known, boots): (Vec<&Boot>, Vec<&Boot>) = (last(known), last(&boots));
            let same =
                |boot: &&Boot| known.iter().any(|known| known.identity.compare(&boot.identity) == Sameness::Same);
            boots.iter().any(same)
        });
        let mut all = if shorter { full.remove(short_name(name)).unwrap_or_default() } else { Vec::new() };
        all.extend(boots);
        full.insert(name.to_owned(), all);
    }
    full
}

impl<'a> Host<'a> {
    fn of(name: Option<String>, mut stretches: Vec<Stretch<'a>>, logs: &[Log]) -> Self {
        stretches.sort_by_key(|stretch| stretch.number);
        let mut known = Known::default();
        for Stretch { log, boot, .. } in stretches {
            known.take(log, boot);
        }
        let ring = |log: usize| logs.iter().any(|known| known.index == log && known.kind == LogKind::Ring);
        let (boots, last_is_known) = known.in_order(&ring);
        Self { name, boots, last_is_known }
    }

    /// Records of it that the kernel may have written.
    pub fn kernel_records(&self) -> u64 {
        self.boots.iter().flatten().map(|(_, boot)| boot.kernel_records).sum()
    }
}

/// The logs, those that say when they were written in that order: a rotated set is rarely named oldest first.
fn in_time(logs: &[Log]) -> Vec<&Log> {
    let mut ordered: Vec<&Log> = Vec::with_capacity(logs.len());
    let start = |log: &Log| log.boots.iter().map(|boot| wall(&boot.span.0)).find(|stamp| stamp.wall.is_some());
    for log in logs {
        // Times without years are in no order that a sort could rely on.
        let later = |known: &&&Log| match (start(known), start(log)) {
            (Some(known), Some(own)) => between(&own, &known).is_some_and(|ahead| ahead > 0),
            _ => false,
        };
        let behind = ordered.iter().rev().take_while(later).count();
        ordered.insert(ordered.len() - behind, log);
    }
    ordered
}

pub(super) const fn wall(stamp: &Stamp) -> Stamp {
    Stamp { uptime: None, wall: stamp.wall }
}
