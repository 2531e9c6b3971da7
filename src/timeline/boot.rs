//! One boot, as one log tells it.

use std::collections::BTreeMap;

use super::JITTER;
use super::forged::Forged;
use crate::event::{Event, Fact, Said};
use crate::history::Chronicle;
use crate::pci::Address;
use crate::record::{Author, BootId, Gap, Record, Stamp, between};

/// A fact, or a place where facts may be missing.
#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    /// Something happened.
    Fact(Fact),
    /// Records are missing, or could not be read.
    Gap {
        /// Where, and how many.
        gap: Gap,
        /// Time of the first record behind it.
        stamp: Stamp,
    },
}

impl Moment {
    pub(super) fn stamp(&self) -> &Stamp {
        match self {
            Self::Fact(fact) => &fact.stamp,
            Self::Gap { stamp, .. } => stamp,
        }
    }
}

/// One boot, as one log tells it.
#[derive(Clone, Debug, Default)]
pub struct Boot {
    /// Its id, where the format has one.
    pub id: Option<BootId>,
    /// The host, where the format names it.
    pub hostname: Option<String>,
    /// Kernel release, from the banner.
    pub release: Option<String>,
    /// Whether the log holds the kernel's first record of this boot.
    pub banner: bool,
    /// Whether the log holds a record of level info or below of this boot: then the seizing lines were not filtered out.
    pub info: bool,
    /// Whether any record has a time.
    pub timed: bool,
    /// Records, of any kind.
    pub records: u64,
    /// Records that say something.
    pub notable: u64,
    /// Whether a record was seen of which the format says who wrote it, and one of ours of which it does not.
    pub trusted: (bool, bool),
    /// The first and the last record's time.
    pub span: (Stamp, Stamp),
    /// In a log that has no end, what its facts and gaps come to: there they are not kept one by one.
    pub past: Option<Chronicle>,
    /// The facts that can decide something, and the gaps, in the order of the log.
    pub moments: Vec<Moment>,
    /// Facts that user space wrote.
    pub forged: Forged,
    speakers: BTreeMap<Address, String>,
    /// The kernel's clock at the last event.
    last_event: Option<u64>,
    last_uptime: Option<u64>,
}

/// Whether the kernel prints such a record at level info, so that a log which holds it was not filtered above that.
fn is_info(event: &Event, record: &Record<'_>) -> bool {
    let always =
        matches!(event, Event::Seizing { .. } | Event::BackendReady | Event::Found { .. } | Event::Bridge { .. });
    // init/main.c prints "Kernel command line:" at level notice.
    always || (matches!(event, Event::CommandLine { .. }) && record.message.starts_with(b"Command line: "))
}

impl Boot {
    /// A boot of which nothing is known yet but what its first record says of itself.
    pub(super) fn of(id: Option<BootId>, hostname: Option<String>, past: Option<Chronicle>) -> Self {
        Self { id, hostname, past, ..Self::default() }
    }

    /// Whether records are missing somewhere.
    pub fn has_gap(&self) -> bool {
        let past = self.past.as_ref().is_some_and(|past| past.gaps().any());
        past || self.moments.iter().any(|moment| matches!(moment, Moment::Gap { .. }))
    }

    /// Whether the log holds all that the kernel said at level info and above since this boot began.
    pub fn is_complete(&self) -> bool {
        self.banner && self.info && !self.has_gap()
    }

    /// Whether this event can belong to the boot, or the clock says that it is of a later one.
    pub(super) const fn continues_with(&self, uptime: Option<u64>) -> bool {
        match (self.last_event, uptime) {
            (Some(before), Some(now)) => now.saturating_add(JITTER) >= before,
            _ => true,
        }
    }

    /// Notes a record, whatever it says. Returns whether its clock ran backwards, as it does when a new boot's first
    /// records went by without an event among them.
    pub(super) fn note(&mut self, record: &Record<'_>) -> bool {
        // Only the kernel's own clock is compared, and a boot id needs no clock.
        let own = record.author != Author::User && record.boot_id.is_none();
        let mut backwards = false;
        if let Some(now) = record.stamp.uptime.filter(|_| own) {
            backwards = self.last_uptime.is_some_and(|before| now.saturating_add(JITTER) < before);
            self.last_uptime = Some(now);
        }
        if !self.timed && (record.stamp.uptime.is_some() || record.stamp.wall.is_some()) {
            self.timed = true;
            self.span.0 = record.stamp;
        }
        // Each clock for itself: a record without the kernel's time, of the same second, would hide the later ones.
        let end = &mut self.span.1;
        end.uptime = end.uptime.max(record.stamp.uptime);
        if end.wall != record.stamp.wall {
            let wall = |stamp: &Stamp| Stamp { uptime: None, wall: stamp.wall };
            if between(&wall(end), &wall(&record.stamp)).is_none_or(|ahead| ahead > 0) {
                end.wall = record.stamp.wall.or(end.wall);
            }
        }
        self.records += 1;
        if self.id.is_none() {
            self.id = record.boot_id;
        }
        if self.hostname.is_none() {
            self.hostname = record.hostname.as_deref().map(|name| String::from_utf8_lossy(name).into_owned());
        }
        if !self.info && record.author != Author::User {
            self.info = record.level.is_some_and(|level| level >= 6);
        }
        // A numbered record is one of /dev/kmsg, which says of every record whose it is.
        self.trusted.0 |= record.author == Author::Kernel || record.place.sequence.is_some();
        backwards
    }

    /// Keeps what a record says, if it can decide anything.
    pub(super) fn keep(&mut self, record: &Record<'_>, said: &Said) {
        let event = &said.event;
        if said.author == Author::User {
            self.keep_forged(record, said);
            return;
        }
        self.trusted.1 |= said.author == Author::Unstated && event.is_pciback();
        self.last_event = record.stamp.uptime;
        self.info = self.info || is_info(event, record);
        if let Event::Booted { release } = event {
            self.banner = true;
            self.release = Some(release.clone());
        }
        if matches!(event, Event::Noted { .. } | Event::Remark | Event::Quoted { .. }) {
            return;
        }
        if let Event::Seizing { address } = event {
            self.speakers.remove(address);
        }
        // A driver says much about its device; that it has it is said once.
        if let Event::HeldBy { address, driver } = event {
            if self.speakers.get(address) == Some(driver) {
                return;
            }
            self.speakers.insert(*address, driver.clone());
        }
        match &mut self.past {
            Some(past) => past.hear(record, said),
            None => self.moments.push(Moment::Fact(Fact::of(record, said.clone()))),
        }
    }

    pub(super) fn keep_gap(&mut self, gap: Gap, stamp: Stamp) {
        match &mut self.past {
            Some(past) => past.gap(&gap),
            None => self.moments.push(Moment::Gap { gap, stamp }),
        }
    }

    fn keep_forged(&mut self, record: &Record<'_>, said: &Said) {
        let pretends = matches!(
            said.event,
            Event::Seizing { .. }
                | Event::Failed { .. }
                | Event::Refused { .. }
                | Event::ListRefused { .. }
                | Event::BackendReady
                | Event::Quoted { .. }
        );
        if pretends {
            self.forged.take(Fact::of(record, said.clone()));
        }
    }
}
