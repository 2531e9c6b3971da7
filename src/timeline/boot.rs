//! One boot, as one log tells it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bounds::FoundDevice;
use super::forged::Forged;
use super::identity::Identity;
use super::levels::{is_info, silences};
use super::moment::{Moment, Text, tell};
use super::not_dom0::NotDom0;
use super::repeats::Repeats;
use crate::event::{Event, Fact, Said, WRAPPED};
use crate::history::Chronicle;
use crate::host::PCIBACK;
use crate::pci::Address;
use crate::record::{Author, BootId, Gap, Place, Record, Stamp, between};

/// One boot, as one log tells it.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that the log holds or not")]
pub struct Boot {
    /// What tells it from other boots.
    pub identity: Identity,
    /// Its id, where the format has one.
    pub id: Option<BootId>,
    /// The host, where the format names it.
    pub hostname: Option<String>,
    /// Whether the host changed its name to the full one, or to the short one, within this boot.
    pub renamed: bool,
    /// Kernel release, from the banner.
    pub release: Option<String>,
    /// Whether the log holds the kernel's first record of this boot.
    pub banner: bool,
    /// Whether the log holds a record of level info or below of this boot: then the seizing lines were not filtered out.
    pub info: bool,
    /// The same, by a record that a console with `quiet` would not have printed.
    pub info_later: bool,
    /// Whether the kernel's command line silences the console.
    pub quiet: bool,
    /// Whether any record has a time.
    pub timed: bool,
    /// Whether the kernel's clock jumps back and forth: the records are in no order that is known.
    pub disordered: bool,
    /// Whether user space said that the system is up.
    pub is_up: bool,
    /// What shows that this is no dom0.
    pub not_dom0: NotDom0,
    /// Records, of any kind.
    pub records: u64,
    /// Records that the kernel may have written.
    pub kernel_records: u64,
    /// Records that say something.
    pub notable: u64,
    /// Whether a record was seen of which the format says who wrote it, and one of ours of which it does not.
    pub trusted: (bool, bool),
    /// The first and the last record's time.
    pub span: (Stamp, Stamp),
    /// In a log that has no end, or holds very many facts, what they come to: there they are not kept one by one.
    pub past: Option<Box<Chronicle>>,
    /// The facts that can decide something, and the gaps, in the order of the log.
    pub moments: Vec<Moment>,
    /// The devices that the PCI core found, and the buses behind bridges, as it said in the beginning of the boot: there are many, and
    /// that they are there is all they say.
    pub(super) found: Vec<FoundDevice>,
    /// Whether a driver spoke of a device, or records are missing. A device that is found then may be found again.
    pub(super) has_spoken: bool,
    /// Whether the log told of older boots of which nothing is kept.
    pub(super) is_behind_dropped: bool,
    /// The command line of the host's boot before, where the log begins behind this one's own.
    pub earlier_line: Option<Arc<Fact>>,
    /// Facts that user space wrote.
    pub forged: Forged,
    /// Where its first and its last record stand.
    pub(super) places: (u64, u64),
    /// Whether the kernel said that the boot ends.
    pub(super) ended: bool,
    /// Whether it may have gone on behind the time that is asked about.
    pub(super) is_cut: bool,
    pub(super) repeats: Repeats,
    /// Whether a record stands behind a later one.
    pub(super) unsorted: bool,
    /// Whether its banner was told once more, and nothing since that another boot would not say.
    pub(super) repeats_start: bool,
    pub(super) speakers: BTreeMap<Address, String>,
    /// The number of the last record, where they are numbered.
    pub(super) last_sequence: Option<u64>,
    /// The last clock of a record of the kernel.
    pub(super) last_uptime: Option<u64>,
    /// How often the clock fell and rose from record to record.
    pub(super) falls: (u64, u64),
    /// About so many bytes the facts take.
    pub(super) weight_of_moments: usize,
}

/// How many facts of a boot are kept one by one, and about how many bytes. A boot that is not forged has some hundreds.
const MOST_MOMENTS: usize = 1 << 15;
const MOST_BYTES: usize = 12 << 20;

/// The command line is among the first facts of a boot.
const FIRST: usize = 16;

/// Among so many facts a gap is looked for that is told again.
const LAST: usize = 64;

/// A wall clock that is set back by more than this, in microseconds, was set; less is a record that came late.
const SET_BACK: i64 = 60_000_000;

impl Boot {
    /// A boot of which nothing is known yet but what its first record says of itself.
    pub(super) fn of(id: Option<BootId>, past: Option<Chronicle>) -> Self {
        let identity = Identity::of(id);
        Self { identity, id, past: past.map(Box::new), ..Self::default() }
    }

    /// Whether records are missing somewhere.
    pub fn has_gap(&self) -> bool {
        let past = self.past.as_ref().is_some_and(|past| past.gaps().any());
        past || self.moments.iter().any(|moment| matches!(moment, Moment::Gap { .. }))
    }

    /// Whether records of level info were printed throughout.
    pub const fn has_info(&self) -> bool {
        if self.quiet { self.info_later } else { self.info }
    }

    /// Whether the log holds all that the kernel said at level info and above since this boot began.
    pub fn is_complete(&self) -> bool {
        self.banner && self.has_info() && !self.disordered && !self.has_gap()
    }

    /// Notes a record, whatever it says. `own` says whether the kernel may have written it.
    pub(super) fn note(&mut self, record: &Record<'_>, own: bool) {
        if let Some(now) = record.stamp.uptime.filter(|_| own) {
            match self.last_uptime {
                Some(before) if now + super::JITTER < before => {
                    self.unsorted = true;
                    self.falls.0 += 1;
                    self.disordered |= self.id.is_none() && self.falls.0 > 8 && self.falls.0 * 4 > self.falls.1;
                }
                Some(before) => {
                    self.unsorted |= now <= before;
                    self.falls.1 += u64::from(now > before);
                }
                None => {}
            }
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
            if between(&wall(end), &wall(&record.stamp)).is_none_or(|ahead| !(-SET_BACK..=0).contains(&ahead)) {
                end.wall = record.stamp.wall.or(end.wall);
            }
        }
        if self.records == 0 {
            self.places.0 = record.place.offset;
        }
        self.places.1 = record.place.offset;
        self.last_sequence = record.place.sequence.or(self.last_sequence);
        self.records += 1;
        self.kernel_records += u64::from(own);
        if self.id.is_none() {
            self.id = record.boot_id;
            self.identity.id = record.boot_id;
        }
        if self.hostname.is_none() {
            let name = record.hostname.as_deref().filter(|name| !super::is_nameless(name));
            self.hostname = name.map(|name| String::from_utf8_lossy(name).into_owned());
        }
        if own {
            let info = record.level.is_some_and(|level| level >= 6);
            self.info |= info;
            self.info_later |= info;
            self.identity.note(record);
        }
        // A numbered record is one of /dev/kmsg, which says of every record whose it is.
        self.trusted.0 |= record.author == Author::Kernel || record.place.sequence.is_some();
    }

    /// Keeps what a record says, if it can decide anything.
    pub(super) fn keep(&mut self, record: &Record<'_>, said: &Said, text: &mut Text, found_with_records: bool) {
        let event = &said.event;
        if matches!(event, Event::UserSpaceUp) {
            self.is_up = true;
            return;
        }
        if said.author == Author::User {
            self.keep_forged(record, said);
            return;
        }
        self.trusted.1 |= said.author == Author::Unstated && event.is_pciback();
        let info = is_info(event, record);
        self.info |= info;
        self.info_later |= info && !matches!(event, Event::CommandLine { .. });
        self.not_dom0.note(event, || Arc::new(Fact::of(record, said.clone())));
        if let Event::Booted { release } = event {
            self.banner = true;
            self.release = Some(release.clone());
            self.identity.begin(text.of(record), &record.stamp);
        }
        if let Event::CommandLine { text: line } = event {
            self.quiet |= silences(line);
            let cut = record.message.len() >= LONGEST_LINE || line.ends_with(WRAPPED);
            self.identity.command_line.get_or_insert_with(|| (line.as_slice().into(), cut));
        }
        self.ended |= matches!(event, Event::BootEnds);
        if matches!(event, Event::Remark | Event::Quoted { .. } | Event::NotDom0 { .. } | Event::BootEnds) {
            return;
        }
        if self.says_nothing_new(event)
            || (!found_with_records && self.past.is_none() && self.finds(event, &record.stamp))
        {
            return;
        }
        match &mut self.past {
            Some(past) => past.hear(record, said),
            // That is known of the boot, and a log may hold a hundred thousand of them.
            None if matches!(event, Event::Booted { .. }) => {}
            None => self.push(Moment::Fact(Arc::new(Fact::with_text(record, said.clone(), text.of(record))))),
        }
    }

    /// The kernel's command line, from its own record.
    pub(super) fn command_line(&self) -> Option<Arc<Fact>> {
        let is = |fact: &&Arc<Fact>| matches!(fact.event, Event::CommandLine { .. });
        let facts = self.moments.iter().filter_map(|moment| match moment {
            Moment::Fact(fact) => Some(fact),
            Moment::Gap { .. } => None,
        });
        let past = || self.past.as_ref().and_then(|past| past.command_line().cloned().map(Arc::new));
        facts.take(FIRST).find(is).cloned().or_else(past)
    }

    /// Takes a record that was told before: of two equal ones the one counts of which it is known better who wrote it.
    pub(super) fn repeat(&mut self, record: &Record<'_>, heard: &[Said]) {
        if record.author != Author::Kernel {
            return;
        }
        let same = |moment: &&mut Moment| match moment {
            Moment::Fact(fact) => fact.stamp.uptime == record.stamp.uptime && *fact.text == *record.message,
            Moment::Gap { .. } => false,
        };
        for moment in self.moments.iter_mut().rev().take(heard.len() + 64).filter(same) {
            if let Moment::Fact(fact) = moment {
                Arc::make_mut(fact).author = Author::Kernel;
            }
        }
    }

    /// A driver says much about its device; that it has it is said once.
    fn says_nothing_new(&mut self, event: &Event) -> bool {
        let Some(address) = event.address() else { return false };
        let is_bound = matches!(event, Event::Bound { .. } | Event::Noted { .. } | Event::SettingUp { .. });
        let holder = if let Event::HeldBy { driver, .. } = event { Some(driver.as_str()) } else { None };
        let driver = holder.or(is_bound.then_some(PCIBACK));
        let Some(driver) = driver else {
            self.speakers.remove(&address);
            return false;
        };
        let known = self.speakers.get(&address).is_some_and(|known| known == driver);
        if !known && self.speakers.len() < MOST_MOMENTS {
            self.speakers.insert(address, driver.to_owned());
        }
        known
    }

    /// Whether a gap before this record is known: then it is told again.
    pub(super) fn tells_of_gap_before(&self, record: &Record<'_>) -> bool {
        let is_same = |moment: &Moment| matches!(moment, Moment::Gap { stamp, .. } if *stamp == record.stamp);
        record.stamp.uptime.is_some() && self.moments.iter().rev().take(LAST).any(is_same)
    }

    pub(super) fn keep_gap(&mut self, gap: Gap, stamp: Stamp) {
        // Behind a gap, what was said before is worth saying again.
        self.speakers.clear();
        match &mut self.past {
            Some(past) => past.gap(&gap),
            None => self.push(Moment::Gap { gap, stamp }),
        }
    }

    fn push(&mut self, moment: Moment) {
        self.has_spoken |= if let Moment::Fact(fact) = &moment { fact.event.address().is_some() } else { true };
        self.weight_of_moments += moment.weight();
        if self.moments.len() < MOST_MOMENTS && self.weight_of_moments < MOST_BYTES {
            self.moments.push(moment);
            return;
        }
        self.sort();
        let mut past = Chronicle::default().with_last();
        for moment in self.moments.drain(..).chain([moment]) {
            tell(&mut past, &moment);
        }
        self.moments.shrink_to_fit();
        self.past = Some(Box::new(past));
    }

    /// Puts the facts into the order of their own times, where a record stood behind a later one.
    pub(super) fn sort(&mut self) {
        if self.unsorted && self.moments.iter().all(|moment| moment.stamp().uptime.is_some()) {
            self.moments.sort_by_key(|moment| moment.stamp().uptime);
        }
        if self.unsorted {
            self.drop_retold();
        }
        self.unsorted = false;
    }

    /// Drops the facts of records that were told before: files of a set may overlap.
    fn drop_retold(&mut self) {
        let mut told: BTreeMap<(u64, Arc<[u8]>), Place> = BTreeMap::new();
        self.moments.retain(|moment| {
            let Moment::Fact(fact) = moment else { return true };
            let Some(uptime) = fact.stamp.uptime else { return true };
            // A record may make several facts.
            *told.entry((uptime, Arc::clone(&fact.text))).or_insert(fact.place) == fact.place
        });
    }

    /// Takes in what the same log says of the same boot further on, under the host's name.
    pub(super) fn join(&mut self, later: Self) {
        self.identity.join(&later.identity);
        self.id = self.id.or(later.id);
        self.renamed |= later.renamed;
        self.is_behind_dropped |= later.is_behind_dropped;
        self.renamed |= matches!((&self.hostname, &later.hostname), (Some(one), Some(other)) if one != other);
        self.hostname = later.hostname.or(self.hostname.take());
        self.release = self.release.take().or(later.release);
        self.banner |= later.banner;
        self.info |= later.info;
        self.info_later |= later.info_later;
        self.quiet |= later.quiet;
        self.disordered |= later.disordered;
        self.is_up |= later.is_up;
        self.is_cut |= later.is_cut;
        self.not_dom0.join(later.not_dom0);
        self.records += later.records;
        self.kernel_records += later.kernel_records;
        self.notable += later.notable;
        self.trusted = (self.trusted.0 | later.trusted.0, self.trusted.1 | later.trusted.1);
        if later.timed {
            if !self.timed {
                self.span.0 = later.span.0;
            }
            self.timed = true;
            let (end, own) = (&mut self.span.1, later.span.1);
            *end = Stamp { uptime: own.uptime.or(end.uptime), wall: own.wall.or(end.wall) };
            self.places.1 = later.places.1;
        }
        self.found.extend(later.found);
        self.has_spoken |= later.has_spoken;
        self.ended = later.ended;
        self.forged.join(later.forged);
        if let Some(past) = later.past {
            // What two of them come to cannot be laid over each other: what came before is a gap.
            self.past = Some(past);
            self.keep_gap(Gap { place: Place::default(), lost: None }, later.span.0);
        }
        for moment in later.moments {
            match &mut self.past {
                Some(past) => tell(past, &moment),
                None => self.push(moment),
            }
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
                | Event::Released { .. }
                | Event::Quoted { .. }
        );
        if pretends {
            self.forged.take(Fact::of(record, said.clone()));
        }
    }
}

/// A command line record of this length, in bytes, may have been cut by printk: it keeps at most 1,024 bytes less its own
/// prefix, which takes up to 51 (kernel/printk/printk.c, `LOG_LINE_MAX`, and `PRINTKRB_RECORD_MAX` from 6.3).
pub(crate) const LONGEST_LINE: usize = 1024 - 54;
