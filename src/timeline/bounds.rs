//! Keeps a log small, whatever it says: of the boots that are over the oldest are only counted past a bound, and hosts past another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::boot::Boot;
use super::log::{Keeps, Log};
use super::moment::Moment;
use super::repeats::Repeats;
use crate::event::{Event, Fact};
use crate::history::Chronicle;
use crate::pci::Address;
use crate::record::Stamp;

/// Devices that are found in the beginning: as many as one PCI segment has.
const MOST_FOUND: usize = 1 << 16;

/// A device that the PCI core found, or a bridge and the buses behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundDevice {
    pub(super) address: Address,
    pub(super) buses: Option<(u8, u8)>,
    /// Microseconds since the boot began; the largest number where they are more, or not known.
    micros: u32,
}

impl FoundDevice {
    fn new(address: Address, buses: Option<(u8, u8)>, stamp: &Stamp) -> Self {
        let micros = stamp.uptime.and_then(|micros| u32::try_from(micros).ok()).unwrap_or(u32::MAX);
        Self { address, buses, micros }
    }

    pub(super) fn uptime(self) -> Option<u64> {
        (self.micros < u32::MAX).then_some(self.micros.into())
    }
}

/// How much of a log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the boots that are over.
    pub boots: usize,
    /// Hosts that are told apart.
    pub hosts: usize,
    /// Whether the records of the devices that the PCI core finds are kept, and not their addresses only.
    pub found_with_records: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { boots: 16 << 20, hosts: 1 << 13, found_with_records: true }
    }
}

/// What is not kept of a log.
#[derive(Clone, Debug, Default)]
pub struct Beyond {
    /// Boots of which nothing is kept.
    pub boots: u64,
    /// Records in them that say something of pciback, and the last of these.
    pub records: (u64, Option<Arc<Fact>>),
    /// Records of a kernel of further hosts.
    pub of_hosts: u64,
}

impl Log {
    /// About so many bytes its boots take.
    pub fn weight(&self) -> usize {
        self.boots.iter().map(Boot::weight).sum()
    }

    /// Whether this host can be told apart. A record of a further one is counted, and nothing is kept of it.
    pub(super) fn has_room_for(&mut self, name: &[u8], own: bool) -> bool {
        let has_room = self.lanes.len() < self.bounds.hosts || self.lanes.contains_key(name);
        self.beyond.of_hosts += u64::from(own && !has_room);
        has_room
    }

    /// Notes that a boot is over, and drops the oldest ones where they take too much room. The last boot of a host stays.
    pub(super) fn weigh(&mut self, boot: usize) {
        self.weight += self.boots.get(boot).map_or(0, Boot::weight);
        if self.weight > self.bounds.boots {
            self.drop_oldest();
        }
    }

    /// Drops so many boots that half of the room is free: then the time it takes is in proportion to the log.
    fn drop_oldest(&mut self) {
        let last = self.lanes.values().filter_map(|lane| lane.boots.back());
        let current: BTreeSet<usize> = self.lanes.values().map(|lane| lane.boot).chain(last.copied()).collect();
        let mut left = self.bounds.boots / 2;
        let mut keeps: Vec<bool> = (0..self.boots.len()).map(|at| current.contains(&at)).collect();
        for (keep, boot) in keeps.iter_mut().zip(&self.boots).rev().filter(|(keep, _)| !**keep) {
            match left.checked_sub(boot.weight()) {
                Some(rest) => (left, *keep) = (rest, true),
                None => left = 0,
            }
        }
        self.weight = self.bounds.boots / 2 - left;
        let mut places = vec![None; keeps.len()];
        let mut kept = Vec::with_capacity(keeps.len() / 2);
        let mut dropped = false;
        for ((keep, place), mut boot) in keeps.iter().zip(&mut places).zip(std::mem::take(&mut self.boots)) {
            if *keep {
                *place = Some(kept.len());
                boot.is_behind_dropped |= dropped;
                kept.push(boot);
            } else {
                dropped = true;
                self.beyond.drop(&boot);
            }
        }
        self.boots = kept;
        let place = |at: usize| places.get(at).copied().flatten();
        for lane in self.lanes.values_mut() {
            lane.boot = place(lane.boot).unwrap_or(lane.boot);
            lane.boots = lane.boots.iter().filter_map(|at| place(*at)).collect();
        }
        self.ids.retain(|_, at| {
            place(*at).is_some_and(|new| {
                *at = new;
                true
            })
        });
        self.current = self.current.and_then(place);
    }
}

/// Keeps small what logs hold together that were read to their end, those of a set oldest first: of their boots the oldest are only
/// counted until the others take no more than `most` bytes. The last boot of each host in each set stays.
pub fn trim<'l>(logs: impl DoubleEndedIterator<Item = &'l mut Log>, most: usize) {
    let mut left = most;
    let mut seen = BTreeSet::new();
    for log in logs.rev() {
        let mut kept = Vec::with_capacity(log.boots.len());
        for boot in std::mem::take(&mut log.boots).into_iter().rev() {
            let is_last = boot.kernel_records > 0 && seen.insert((log.part.0, boot.hostname.clone()));
            left = left.saturating_sub(boot.weight());
            if is_last || left > 0 {
                kept.push(boot);
            } else {
                log.beyond.drop(&boot);
            }
        }
        kept.reverse();
        kept.shrink_to_fit();
        log.boots = kept;
    }
}

impl Beyond {
    fn drop(&mut self, boot: &Boot) {
        self.boots += 1;
        let (heard, last) = boot.heard();
        self.records.0 += heard;
        self.records.1 = last.or(self.records.1.take());
    }
}

impl Boot {
    /// Keeps a device that is found in the beginning of the boot.
    pub(super) fn finds(&mut self, event: &Event, stamp: &Stamp) -> bool {
        let found = if let Event::Found { address } = event {
            FoundDevice::new(*address, None, stamp)
        } else if let Event::Bridge { address, buses } = event {
            FoundDevice::new(*address, Some(*buses), stamp)
        } else {
            return false;
        };
        let is_early = self.banner && !self.has_spoken && self.found.len() < MOST_FOUND;
        self.found.extend(is_early.then_some(found));
        is_early
    }

    /// Another boot of the host begins behind it.
    pub(super) fn end(&mut self) {
        self.identity.end();
        self.shrink();
    }

    /// Gives back what only further records would need.
    pub(super) fn shrink(&mut self) {
        self.repeats = Repeats::default();
        self.speakers = BTreeMap::new();
        self.moments.shrink_to_fit();
        self.found.shrink_to_fit();
        self.identity.shrink();
    }

    /// About so many bytes it takes.
    fn weight(&self) -> usize {
        let moments: usize = self.moments.iter().map(Moment::weight).sum();
        let past = self.past.as_ref().map_or(0, |past| past.weight());
        let found = size_of_val(self.found.as_slice());
        size_of::<Self>() + self.identity.weight() + self.forged.weight() + found + moments + past
    }

    /// How many of its records say something of pciback, and the last of them.
    pub(super) fn heard(&self) -> (u64, Option<Arc<Fact>>) {
        let (mut number, mut last) = self.past.as_ref().map_or((0, None), |past| past.heard());
        for moment in &self.moments {
            if let Moment::Fact(fact) = moment
                && fact.event.is_pciback()
            {
                number += 1;
                last = Some(Arc::clone(fact));
            }
        }
        (number, last)
    }
}

impl Keeps {
    pub(super) fn past(self) -> Option<Chronicle> {
        match self {
            Self::Facts => None,
            Self::Past => Some(Chronicle::default().with_last()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Decoder;
    use crate::timeline::{BootChoice, Doubt, LogKind, Running, Story};

    fn log(bounds: Bounds, text: &str) -> Log {
        let mut log = Log::new(0, "log".to_owned(), LogKind::File);
        log.bounds = bounds;
        let mut decoder = Decoder::new(0);
        decoder.feed(text.as_bytes(), &mut |input| log.take(input));
        decoder.finish(&mut |input| log.take(input));
        log.end();
        log
    }

    /// Boots of which each seizes a device of its own.
    fn boots(number: usize) -> String {
        let boot = |n| {
            format!(
                "[    0.000000] Linux version 6.1.{n}\n[    5.{n:06}] pciback {:04x}:00:00.0: xen_pciback: seizing device\n",
                n + 1
            )
        };
        (0..number).map(boot).collect()
    }

    fn seized(log: &Log, back: usize) -> Vec<String> {
        let story = Story::tell(std::slice::from_ref(log), BootChoice::FromLast(back), &Running::default());
        story.history().trails.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn of_many_logs_the_last_boots_of_each_set_are_kept() {
        let mut logs: Vec<Log> = (0..40).map(|_| log(Bounds::default(), &boots(25))).collect();
        for (at, log) in logs.iter_mut().enumerate() {
            log.part = (at / 20, at);
        }
        trim(logs.iter_mut(), 64 << 10);
        let kept: Vec<usize> = logs.iter().map(|log| log.boots.len()).collect();
        assert!(kept[19] == 1 && kept[..19].iter().all(|kept| *kept == 0), "{kept:?}");
        assert!(kept[39] > 8 && kept.iter().sum::<usize>() < 200, "{kept:?}");
        assert_eq!(logs[0].beyond.boots, 25);
    }

    #[test]
    fn of_too_many_boots_the_last_ones_are_kept_and_the_others_counted() {
        let small = Bounds { boots: 64 << 10, ..Bounds::default() };
        let log = log(small, &boots(1000));
        let (kept, dropped) = (log.boots.len(), usize::try_from(log.beyond.boots).unwrap());
        assert!(kept > 8 && kept < 200, "{kept} are kept");
        assert_eq!(kept + dropped, 1000);
        assert_eq!(log.beyond.records.0, log.beyond.boots);
        assert_eq!(seized(&log, 0), ["03e8:00:00.0"]);
        assert_eq!(seized(&log, 3), ["03e5:00:00.0"]);
        assert!(seized(&log, kept).is_empty(), "nothing is known of a boot that was dropped");
        let whole = Story::tell(std::slice::from_ref(&log), BootChoice::FromLast(0), &Running::default());
        assert_eq!(whole.left_out.0, 999);
    }

    #[test]
    fn of_too_many_hosts_none_is_taken_for_the_only_one() {
        let line = |host: usize| format!("Nov 22 06:00:05 a{host} kernel: [    5.000001] usb 1-1: new device\n");
        let doubt = |hosts: usize, bounds: Bounds| {
            let log = log(bounds, &(0..hosts).map(line).collect::<String>());
            Story::tell(std::slice::from_ref(&log), BootChoice::default(), &Running::default()).doubt
        };
        assert!(doubt(1, Bounds { hosts: 1, ..Bounds::default() }).is_none());
        let found = doubt(2, Bounds { hosts: 1, ..Bounds::default() });
        assert!(matches!(found, Some(Doubt::SeveralHosts(2, _))), "{found:?}");
    }
}
