//! Records that a log tells twice: two collectors write into one file, or a daemon reads the ring again.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hasher as _};

use crate::event::Said;
use crate::pci::Address;
use crate::record::{Record, Stamp};

/// How many facts are remembered by their kernel clock. Two collectors are seconds apart.
const MOST: usize = 1 << 15;

/// How many facts without a kernel clock are remembered.
const MOST_UNCLOCKED: usize = 64;

/// The facts of a boot that were told already.
#[derive(Clone, Debug, Default)]
pub(super) struct Repeats {
    /// Hashes of those with a kernel clock.
    clocked: BTreeSet<u64>,
    /// The last ones without: when, and hashes of the text and of what it is about.
    unclocked: VecDeque<(Stamp, u64, u64)>,
}

impl Repeats {
    /// Whether the same record was there before. Without a kernel clock only of the same second of the wall clock, and only
    /// while nothing else was said about the same device.
    pub(super) fn holds(&self, record: &Record<'_>, heard: &[Said]) -> bool {
        match RepeatKey::of(record, heard) {
            Some(RepeatKey::Clocked(hash)) => self.clocked.contains(&hash),
            Some(RepeatKey::Unclocked(stamp, text, subject)) => {
                let last = self.unclocked.iter().rev().find(|(_, _, known)| *known == subject);
                last.is_some_and(|(known, told, _)| *told == text && *known == stamp)
            }
            None => false,
        }
    }

    /// Remembers a record.
    pub(super) fn remember(&mut self, record: &Record<'_>, heard: &[Said]) {
        match RepeatKey::of(record, heard) {
            Some(RepeatKey::Clocked(hash)) if self.clocked.len() < MOST => drop(self.clocked.insert(hash)),
            Some(RepeatKey::Unclocked(stamp, text, subject)) => {
                if self.unclocked.len() == MOST_UNCLOCKED {
                    self.unclocked.pop_front();
                }
                self.unclocked.push_back((stamp, text, subject));
            }
            Some(RepeatKey::Clocked(_)) | None => {}
        }
    }
}

/// What a record is known by.
enum RepeatKey {
    Clocked(u64),
    Unclocked(Stamp, u64, u64),
}

impl RepeatKey {
    fn of(record: &Record<'_>, heard: &[Said]) -> Option<Self> {
        if heard.is_empty() {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        hasher.write(&record.message);
        if let Some(uptime) = record.stamp.uptime {
            hasher.write_u64(uptime);
            return Some(Self::Clocked(hasher.finish()));
        }
        record.stamp.wall?;
        let text = hasher.finish();
        let about = heard.iter().find_map(|said| said.event.address());
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(about.map_or(u64::MAX, Address::number));
        Some(Self::Unclocked(record.stamp, text, hasher.finish()))
    }
}
