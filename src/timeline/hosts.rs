//! Whose boot each stretch of a log is, and which stretches of several logs are one boot.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Datelike as _;

use super::JITTER;
use super::boot::Boot;
use super::identity::Sameness;
use super::joined::Known;
use super::log::Log;
use super::story::Wanted;
use crate::record::{Stamp, Wall, between};

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

/// Before how many logs one is put that began earlier, where not all of them have years.
const MOST_PASSED: usize = 1024;

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

/// What a host is known by: its name is the same in either case (RFC 4343).
fn key(name: &str) -> Vec<u8> {
    name.as_bytes().to_ascii_lowercase()
}

/// Whether both names can be those of one host: one is the other with its domain.
pub fn is_same_name(one: impl AsRef<[u8]>, other: impl AsRef<[u8]>) -> bool {
    let (one, other) = (one.as_ref(), other.as_ref());
    let is_short = |name: &[u8]| short(name).len() == name.len();
    one.eq_ignore_ascii_case(other)
        || (short(one).eq_ignore_ascii_case(short(other)) && (is_short(one) || is_short(other)))
}

/// The stretches in which a kernel speaks, and their places: what daemons alone wrote has no clock of a boot.
fn speaking(boots: &[Boot]) -> impl Iterator<Item = (usize, &Boot)> {
    boots.iter().enumerate().filter(|(_, boot)| boot.kernel_records > 0)
}

/// Stretches of a host that goes on under its full or its short name: the earlier and the later one.
fn renamed(boots: &[Boot]) -> Vec<(usize, usize)> {
    let mut last: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    let mut joins = Vec::new();
    for (at, boot) in speaking(boots) {
        let Some(name) = boot.hostname.as_deref() else { continue };
        if let Some(before) = last.insert(short(&key(name)).to_vec(), at)
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
    for (at, boot) in speaking(boots).filter(|(_, boot)| boot.hostname.is_none() && boot.id.is_none()) {
        let mut asked: BTreeSet<&str> = BTreeSet::new();
        let mut found: Option<usize> = None;
        let mut several = false;
        for (next, later) in speaking(boots).skip_while(|(next, _)| *next <= at) {
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

/// Every host that `logs` tell of, with its boots. A log that names no host is that of the host by which it is kept, or else of a host
/// of its own, but for boots that are another host's.
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
    log: &'a Log,
    boot: &'a Boot,
}

/// The stretches of each host, and its name as it is first written, by its key.
type Named<'a> = BTreeMap<Vec<u8>, (&'a str, Vec<Stretch<'a>>)>;

fn group(logs: &[Log], together: bool) -> Hosts<'_> {
    let ordered = in_time(logs);
    let mut named: Named<'_> = BTreeMap::new();
    let mut unnamed: BTreeMap<usize, Vec<Stretch<'_>>> = BTreeMap::new();
    let set_of = |log: &Log| if together { 0 } else { log.part.0 };
    // A set in which one host has a name is that host's, as far as nothing else is known.
    let mut names: BTreeMap<usize, Names<'_>> = BTreeMap::new();
    let stretches = ordered.iter().flat_map(|log| log.boots.iter().map(|boot| (*log, boot)));
    for (number, (log, boot)) in stretches.enumerate() {
        let stretch = Stretch { number, log, boot };
        match &boot.hostname {
            Some(name) => {
                named.entry(key(name)).or_insert_with(|| (name, Vec::new())).1.push(stretch);
                names.entry(set_of(log)).or_default().add(name);
            }
            None => unnamed.entry(set_of(log)).or_default().push(stretch),
        }
    }
    let mut unattributed = 0;
    let (mut hosts, mut kept) = (Vec::new(), Vec::new());
    for (set, boots) in unnamed {
        let names = names.get(&set).copied().unwrap_or_default();
        let mut own = Vec::new();
        for stretch in boots {
            let owner = if let Names::One(only) = names { Some(key(only)) } else { owner(&named, stretch.boot) };
            match owner.and_then(|name| named.get_mut(&name)) {
                Some((_, known)) => known.push(stretch),
                None if names == Names::Several && stretch.boot.kernel_records > 0 => {
                    unattributed += stretch.boot.notable;
                }
                None => {
                    if let Some(name) = &stretch.log.host {
                        kept.push((name, stretch))
                    } else {
                        own.push(stretch)
                    }
                }
            }
        }
        if !own.is_empty() {
            hosts.push(Host::of(None, own));
        }
    }
    for (name, stretch) in kept {
        named.entry(key(name)).or_insert_with(|| (name, Vec::new())).1.push(stretch);
    }
    hosts.extend(full_names(named).into_values().map(|(name, boots)| Host::of(Some(name.to_owned()), boots)));
    Hosts { hosts, unattributed }
}

/// The hosts that are named somewhere; a short name and its full one are one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Names<'a> {
    #[default]
    None,
    One(&'a str),
    Several,
}

impl<'a> Names<'a> {
    fn add(&mut self, name: &'a str) {
        *self = match *self {
            Self::None => Self::One(name),
            Self::One(first) if is_same_name(first, name) => Self::One(first),
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

/// The host of which this boot of a log without names is.
fn owner(named: &Named<'_>, boot: &Boot) -> Option<Vec<u8>> {
    // In logs of many hosts nobody asks whose a nameless file is.
    let mut same = named.iter().take(MOST_ASKED).filter(|(_, (_, boots))| {
        boots.iter().rev().take(MOST_ASKED).any(|known| known.boot.identity.compare(&boot.identity) == Sameness::Same)
    });
    let first = same.next()?;
    same.next().is_none().then(|| first.0.clone())
}

/// Joins a host's short name and its full one, where one boot is told under both.
fn full_names(named: Named<'_>) -> Named<'_> {
    let mut full: Named<'_> = BTreeMap::new();
    // A short name comes before its full ones.
    for (key, (name, boots)) in named {
        let short = short(&key);
        let is_one = full.get(short).is_some_and(|(_, known)| is_one_host(known, &boots));
        let mut all = if is_one { full.remove(short).map(|(_, known)| known).unwrap_or_default() } else { Vec::new() };
        all.extend(boots);
        full.insert(key, (name, all));
    }
    full
}

/// Whether one boot is told under both names.
fn is_one_host<'a>(known: &[Stretch<'a>], boots: &[Stretch<'a>]) -> bool {
    if known.iter().chain(boots).any(|stretch| stretch.boot.renamed) {
        return true;
    }
    let last = |of: &[Stretch<'a>]| of.iter().rev().take(MOST_NEAR).map(|stretch| stretch.boot).collect();
    let (known, boots): (Vec<&Boot>, Vec<&Boot>) = (last(known), last(boots));
    boots.iter().any(|boot| known.iter().any(|known| known.identity.compare(&boot.identity) == Sameness::Same))
}

impl<'a> Host<'a> {
    fn of(name: Option<String>, mut stretches: Vec<Stretch<'a>>) -> Self {
        stretches.sort_by_key(|stretch| stretch.number);
        let mut known = Known::default();
        for Stretch { log, boot, .. } in stretches {
            known.take(log, boot);
        }
        let (boots, last_is_known) = known.in_order();
        Self { name, boots, last_is_known }
    }

    /// The places of those boots of which a log holds records of a kernel, of dom0's or of a guest's as it is wanted: what
    /// others tell in the same file is none of them. Where none is wanted, all; where no kernel speaks, every one.
    pub fn boots_of(&self, wanted: Wanted) -> Vec<usize> {
        let kept = |keep: &dyn Fn(&Parts<'_>) -> bool| -> Vec<usize> {
            self.boots.iter().enumerate().filter(|(_, parts)| keep(parts)).map(|(at, _)| at).collect()
        };
        let speaks = |parts: &Parts<'_>| parts.iter().any(|(_, boot)| boot.kernel_records > 0);
        let is_wanted = |parts: &Parts<'_>| {
            let foreign = parts.iter().any(|(_, boot)| boot.not_dom0.proof().is_some());
            speaks(parts) && foreign == (wanted == Wanted::Guest)
        };
        let ways: [&dyn Fn(&Parts<'_>) -> bool; 2] = [&is_wanted, &speaks];
        ways.into_iter().map(kept).find(|kept| !kept.is_empty()).unwrap_or_else(|| (0..self.boots.len()).collect())
    }

    /// Records of it that the kernel may have written.
    pub fn kernel_records(&self) -> u64 {
        self.boots.iter().flatten().map(|(_, boot)| boot.kernel_records).sum()
    }
}

/// The logs, those that say when they were written in that order: a rotated set is rarely named oldest first. The names count where
/// there are no times.
fn in_time(logs: &[Log]) -> Vec<&Log> {
    let start = |log: &Log| log.boots.iter().find_map(|boot| boot.span.0.wall);
    let has_year = |log: &Log| start(log).is_some_and(|wall| wall.local.year() != Wall::NO_YEAR);
    if logs.iter().all(has_year) {
        let mut ordered: Vec<&Log> = logs.iter().collect();
        ordered.sort_by_cached_key(|log| start(log).map(|wall| wall.utc()));
        return ordered;
    }
    let mut by_name: Vec<&Log> = logs.iter().collect();
    by_name.sort_by_key(|log| log.part);
    let mut ordered: Vec<&Log> = Vec::with_capacity(logs.len());
    for log in by_name {
        // Times without years are in no order that a sort could rely on.
        let stamp = |log: &Log| Stamp { uptime: None, wall: start(log) };
        let later = |known: &&&Log| between(&stamp(log), &stamp(known)).is_some_and(|ahead| ahead > 0);
        let behind = ordered.iter().rev().take(MOST_PASSED).take_while(later).count();
        ordered.insert(ordered.len() - behind, log);
    }
    ordered
}

pub(super) const fn wall(stamp: &Stamp) -> Stamp {
    Stamp { uptime: None, wall: stamp.wall }
}
