//! What was seen last of each host of a log.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::batch::KERNEL;
use crate::record::{Author, BootId, Place, Record, Stamp};

/// What was seen last of a host.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The last record, while nobody was told of it.
    pub(super) last: Option<Mark>,
    pub(super) boot_id: Option<BootId>,
    pub(super) uptime: Option<u64>,
    /// Whether anything was told of this boot, and that it holds records of level info.
    pub(super) told: bool,
    pub(super) info: bool,
    /// Whether a record of the kernel was told of.
    pub(super) kernel: bool,
    /// Where its last record began that was looked at.
    pub(super) at: Option<u64>,
}

/// A record that says nothing but that it is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    place: Place,
    stamp: Stamp,
    level: Option<u8>,
    author: Author,
    boot_id: Option<BootId>,
    tagged: bool,
}

impl Mark {
    pub(super) fn of(record: &Record<'_>) -> Self {
        let Record { place, stamp, level, author, boot_id, .. } = *record;
        Self { place, stamp, level, author, boot_id, tagged: record.identifier.as_deref() == Some(KERNEL) }
    }

    /// The same, with the kernel's clock of the one before where this one lacks it: how late it was by each clock is what counts.
    pub(super) fn behind(mut self, before: Option<Self>) -> Self {
        if let Some(before) = before.filter(|_| self.stamp.uptime.is_none()) {
            (self.stamp.uptime, self.author, self.tagged) = (before.stamp.uptime, before.author, before.tagged);
        }
        self
    }

    pub(super) const fn offset(&self) -> u64 {
        self.place.offset
    }

    pub(super) fn record<'a>(&self, host: &'a [u8]) -> Record<'a> {
        let Self { place, stamp, level, author, boot_id, tagged } = *self;
        let hostname = (!host.is_empty()).then_some(Cow::Borrowed(host));
        let identifier = tagged.then_some(Cow::Borrowed(KERNEL));
        Record { stamp, level, author, hostname, identifier, boot_id, ..Record::bare(place, &[]) }
    }

    /// Whether the kernel may have written it: what has neither its name nor its clock is some daemon's.
    pub(super) fn is_kernels(&self) -> bool {
        match self.author {
            Author::Kernel => true,
            Author::Unstated => self.tagged || self.stamp.uptime.is_some(),
            Author::User => false,
        }
    }
}

/// What was seen of each host.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    pub(super) names: BTreeMap<Arc<[u8]>, usize>,
    pub(super) seen: Vec<Seen>,
    /// Who was asked for last, and mostly is again.
    last: (Arc<[u8]>, usize),
}

impl Hosts {
    pub(super) fn of(&mut self, host: &[u8]) -> &mut Seen {
        if *self.last.0 != *host || self.seen.is_empty() {
            let known = self.names.get_key_value(host).map(|(name, at)| (Arc::clone(name), *at));
            self.last = known.unwrap_or_else(|| {
                let (name, at) = (Arc::from(host), self.seen.len());
                self.names.insert(Arc::clone(&name), at);
                self.seen.push(Seen::default());
                (name, at)
            });
        }
        self.same()
    }

    /// The one that was asked for last.
    #[expect(clippy::indexing_slicing, reason = "every name has its place, and one was asked for")]
    pub(super) fn same(&mut self) -> &mut Seen {
        &mut self.seen[self.last.1]
    }
}
