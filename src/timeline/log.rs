//! One log: its records counted, its facts cut into boots.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::boot::Boot;
use super::bounds::{Beyond, Bounds};
use super::direction::Direction;
use super::lanes::{Lane, is_same_moment, lane_name, without_clock};
use super::moment::{Moment, Text};
use super::window::Window;
use super::years::{Dates, says_something};
use crate::event::{Event, Fact, Joiner, Said};
use crate::record::{Author, BootId, Gap, Input, Place, Record, Stamp, Unparsed};
use crate::request::{Written, unread};
use crate::xen::Hypervisor;

/// What a log is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogKind {
    /// The kernel's own ring buffer: it is of this boot, and has no lines to count.
    Ring,
    /// A file, standard input, or the journal.
    File,
}

/// What is kept of the boots of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Every fact, so that they can be laid over those of another log.
    Facts,
    /// What the facts come to: the log has no end.
    Past,
}

/// A record with a list that nothing reads.
#[derive(Clone, Debug)]
pub struct Unheeded {
    /// Where the record stood.
    pub place: Place,
    /// When it was made.
    pub stamp: Stamp,
    /// The record.
    pub text: Arc<[u8]>,
    /// The list.
    pub written: Written,
}

/// One log of a case.
#[derive(Clone, Debug)]
pub struct Log {
    /// Its number in the case, from 0: [`crate::record::Place::log`] refers to it.
    pub index: usize,
    /// Its name in reports: `kmsg`, or the file's name as given.
    pub name: String,
    /// The log that was rotated of which it is a part, and which part of it, older ones first.
    pub part: (usize, usize),
    /// The host by where it is kept, for stretches of which nothing else tells whose they are.
    pub host: Option<String>,
    /// What it is read from.
    pub kind: LogKind,
    /// Whether the user named it: then it is an error that it cannot be read, whatever the host says.
    pub named: bool,
    /// Why it could not be read, or not to its end.
    pub failure: Option<String>,
    /// Whether any record of it has a form of log that is known: a time, a priority, a header or fields.
    pub has_known_form: bool,
    /// What is kept of its boots.
    pub keeps: Keeps,
    /// How much of it is kept.
    pub bounds: Bounds,
    /// What there was beyond these bounds.
    pub beyond: Beyond,
    /// Why a ring buffer was read without sequence numbers (syslog(2) in place of `/dev/kmsg`): then nobody knows whether
    /// records are missing.
    pub unnumbered: Option<String>,
    /// Records decoded.
    pub records: u64,
    /// Records of a kernel's log: that it may have written, or that stood among its own.
    pub kernel_records: u64,
    /// Records of pciback that are known.
    pub recognised: u64,
    /// Records of pciback that are not known.
    pub unrecognised: u64,
    /// Records with facts, gaps and pieces that could not be read: when this grows, a report may change.
    pub notable: u64,
    /// Sequence number of the first record.
    pub first_sequence: Option<u64>,
    /// Sequence number of the last record.
    pub last_sequence: Option<u64>,
    /// Records known to be missing.
    pub lost: u64,
    /// Pieces that could not be read: the first of each kind, and how many.
    pub unparsed: (Vec<Unparsed>, u64),
    /// The last record of the hypervisor that holds a list among its own arguments, which nothing reads there.
    pub hypervisor: Option<Unheeded>,
    /// What it holds of the hypervisor's own lines, as a serial capture does.
    pub xen: Hypervisor,
    /// Every boot, in the order of the log.
    pub boots: Vec<Boot>,
    /// Which of its records count by their time.
    pub window: Window,
    /// Whether there were later ones.
    pub(super) is_cut: bool,
    /// When it was last written, where it is a file: that tells the years of times without one.
    pub modified: Option<DateTime<Utc>>,
    /// The years of such times.
    pub dates: Dates,
    pub(super) joiner: Joiner,
    pub(super) direction: Direction,
    /// What is read of each host, by its name; of lines without one, by the empty name.
    pub(super) lanes: BTreeMap<Box<[u8]>, Lane>,
    pub(super) ids: BTreeMap<BootId, usize>,
    /// The boot of the last record.
    pub(super) current: Option<usize>,
    /// How often journalctl said that another boot begins, without its id.
    pub(super) reboots: u64,
    /// Pieces that could not be read, whose host is not known: how many, and the last.
    pub(super) pieces: (u64, Place),
    pub(super) waiting: Option<Gap>,
    /// About so many bytes the boots take that are over.
    pub(super) weight: usize,
}

impl Log {
    /// An empty log.
    pub fn new(index: usize, name: String, kind: LogKind) -> Self {
        Self {
            index,
            name,
            part: (index, 0),
            host: None,
            kind,
            named: false,
            failure: None,
            has_known_form: true,
            keeps: Keeps::Facts,
            bounds: Bounds::default(),
            beyond: Beyond::default(),
            unnumbered: None,
            records: 0,
            kernel_records: 0,
            recognised: 0,
            unrecognised: 0,
            notable: 0,
            first_sequence: None,
            last_sequence: None,
            lost: 0,
            unparsed: (Vec::new(), 0),
            hypervisor: None,
            xen: Hypervisor::default(),
            boots: Vec::new(),
            window: Window::default(),
            is_cut: false,
            modified: None,
            dates: Dates::default(),
            joiner: Joiner::default(),
            direction: if kind == LogKind::Ring { Direction::forwards() } else { Direction::default() },
            lanes: BTreeMap::new(),
            ids: BTreeMap::new(),
            current: None,
            reboots: 0,
            pieces: (0, Place::default()),
            waiting: None,
            weight: 0,
        }
    }

    /// What this log says of one of its boots, as a log of its own, in which only records count that say something.
    #[must_use]
    pub fn only(&self, boot: &Boot) -> Self {
        let mut alone = Self::new(self.index, self.name.clone(), self.kind);
        let facts =
            || boot.moments.iter().filter_map(|moment| if let Moment::Fact(fact) = moment { Some(fact) } else { None });
        let unknown = |fact: &&Arc<Fact>| matches!(fact.event, Event::Unrecognised { .. });
        let lost =
            boot.moments.iter().filter_map(|moment| if let Moment::Gap { gap, .. } = moment { gap.lost } else { None });
        alone.part = self.part;
        // Which boot of the hypervisor is this boot's is told by where both stand.
        alone.xen.clone_from(&self.xen);
        (alone.records, alone.kernel_records) = (boot.notable, boot.notable);
        alone.recognised = facts().filter(|fact| fact.event.is_pciback() && !unknown(fact)).count() as u64;
        alone.unrecognised = facts().filter(unknown).count() as u64;
        alone.lost = lost.fold(0, u64::saturating_add);
        alone.boots.push(boot.clone());
        alone
    }

    /// Notes that the log could not be read, or not to its end.
    pub fn fail(&mut self, why: String) {
        let gap = Gap { place: Place { log: self.index, ..Place::default() }, lost: None };
        self.failure = Some(why);
        self.take(Input::Gap(gap));
    }

    /// Takes what the decoder found next.
    pub fn take(&mut self, mut input: Input<'_>) {
        if self.leaves_out(&mut input) {
            return;
        }
        if self.direction.is_forwards() || self.keeps != Keeps::Facts {
            self.take_next(input);
            return;
        }
        let matters = if let Input::Record(record) = &input { says_something(record) } else { true };
        self.direction.hold(input, matters);
        self.release(false);
    }

    /// Ends the log: a gap behind its last record counts as well, and lines without a host go to theirs.
    pub fn end(&mut self) {
        self.release(true);
        self.mark_cut();
        // Without numbers nobody can see whether records are missing.
        if self.unnumbered.is_some() && self.records > 0 {
            self.waiting.get_or_insert(Gap { place: Place { log: self.index, ..Place::default() }, lost: None });
        }
        if let Some(gap) = self.waiting.take() {
            self.take_gap(gap);
        }
        let names: Vec<Box<[u8]>> = self.lanes.keys().cloned().collect();
        for name in names {
            self.count_pieces(&name, None);
        }
        if self.keeps == Keeps::Facts {
            super::hosts::attribute(&mut self.boots);
            self.look_back();
            self.date();
            self.boots.iter_mut().for_each(Boot::shrink);
            // The places of boots have changed: nothing more can be taken.
            self.lanes.clear();
            self.ids.clear();
            self.current = None;
        }
    }

    /// Tells each boot what the host's boot before it leaves to it, and a kernel's boot where its end may be missing.
    fn look_back(&mut self) {
        let mut lines: BTreeMap<Option<String>, Arc<Fact>> = BTreeMap::new();
        let mut before: BTreeMap<Option<String>, usize> = BTreeMap::new();
        let mut unended = Vec::new();
        for (at, boot) in self.boots.iter_mut().enumerate() {
            boot.sort();
            match boot.command_line() {
                Some(line) => drop(lines.insert(boot.hostname.clone(), line)),
                None if !boot.banner => boot.earlier_line = lines.get(&boot.hostname).cloned(),
                None => {}
            }
            if boot.kernel_records > 0 {
                unended.extend(before.insert(boot.hostname.clone(), at).filter(|_| !boot.banner));
            }
        }
        // A log that holds banners lost the one between two boots, and perhaps the end of the first boot with it.
        let place = Place { log: self.index, ..Place::default() };
        for at in unended {
            if let Some(boot) = self.boots.get_mut(at).filter(|boot| boot.banner && !boot.ended) {
                boot.keep_gap(Gap { place, lost: None }, boot.span.1);
            }
        }
    }

    fn release(&mut self, at_end: bool) {
        for held in self.direction.release(at_end) {
            self.take_next(held);
        }
    }

    fn take_next(&mut self, input: Input<'_>) {
        match input {
            Input::Record(record) => self.take_record(&record),
            Input::Gap(gap) => {
                self.lost += gap.lost.unwrap_or(0);
                self.notable += 1;
                self.waiting = Some(gap);
            }
            Input::Unparsed(unparsed) => self.take_unparsed(unparsed),
            Input::Boot(_, id) => self.reboots += u64::from(id.is_none()),
        }
    }

    fn take_unparsed(&mut self, unparsed: Unparsed) {
        self.unparsed.1 += 1;
        self.notable += 1;
        if !self.unparsed.0.iter().any(|known| known.why == unparsed.why) {
            self.unparsed.0.push(unparsed);
        }
        // What could not be read may have been the record that contradicts, of whichever host.
        self.pieces = (self.pieces.0 + 1, unparsed.place);
    }

    /// A gap behind the last record so far.
    pub(super) fn take_gap(&mut self, gap: Gap) {
        if let Some(boot) = self.current.and_then(|at| self.boots.get_mut(at)) {
            boot.keep_gap(gap, boot.span.1);
        }
    }

    fn take_record(&mut self, record: &Record<'_>) {
        if record.author != Author::User {
            self.take_hypervisor(record);
            self.xen.take_merged(record);
        }
        let mut joiner = std::mem::take(&mut self.joiner);
        joiner.hear(record, &mut |record, said| self.hear(record, said));
        self.joiner = joiner;
    }

    fn take_hypervisor(&mut self, record: &Record<'_>) {
        if let Some(written) = unread::logged(&record.message).pop() {
            let (place, stamp, text) = (record.place, record.stamp, record.message.as_ref().into());
            self.hypervisor = Some(Unheeded { place, stamp, text, written });
        }
    }

    /// Takes a record of which is known already what it says.
    pub fn hear(&mut self, record: &Record<'_>, heard: &[Said]) {
        let from_kernel = self.count(record, heard);
        let name = &*lane_name(record);
        if !self.has_room_for(name, from_kernel && record.author != Author::User) {
            return;
        }
        let clocked = self.clocked(name, record, from_kernel);
        let unclocked = clocked && record.stamp.uptime.is_none() && record.author == Author::Unstated;
        // Where the kernel's lines carry its clock, a line without it is not the kernel's.
        let by_user: Vec<Said>;
        let heard = if unclocked {
            by_user = heard.iter().cloned().map(|said| without_clock(record, said)).collect();
            by_user.as_slice()
        } else {
            heard
        };
        let own = record.author != Author::User && !unclocked && (from_kernel || self.is_behind_end(record));
        self.note_unknown(heard);
        let at = self.boot_of(name, record, heard, own);
        let Some(boot) = self.boots.get_mut(at) else { return };
        boot.notable += u64::from(!heard.is_empty());
        boot.note(record, own);
        if let Some(gap) = self.waiting.take().filter(|_| !boot.tells_of_gap_before(record)) {
            boot.keep_gap(gap, record.stamp);
        }
        self.count_pieces(name, Some(record.stamp));
        let Some(boot) = self.boots.get_mut(at) else { return };
        // A record of the kernel that breaks off, and the next one in the same line: more may be missing between.
        let is_read = heard.iter().any(|said| said.event.is_pciback());
        if (record.cut || (record.damaged && !is_read)) && own && record.stamp.uptime.is_some() {
            boot.keep_gap(Gap { place: record.place, lost: None }, record.stamp);
        }
        if boot.repeats.holds(record, heard) && is_same_moment(boot, record) {
            boot.repeat(record, heard);
            return;
        }
        boot.repeats.remember(record, heard);
        let mut text = Text::default();
        for said in heard {
            boot.keep(record, said, &mut text, self.bounds.found_with_records);
        }
    }

    /// Counts messages of pciback, those that are known and those that are not.
    fn note_unknown(&mut self, heard: &[Said]) {
        let mut recognised = false;
        for said in heard {
            let unknown = said.author != Author::User && matches!(said.event, Event::Unrecognised { .. });
            recognised |= said.author != Author::User && !unknown && said.event.is_pciback();
            self.unrecognised += u64::from(unknown);
        }
        self.recognised += u64::from(recognised);
    }

    /// Counts a record. Returns whether it stands in a kernel's log.
    fn count(&mut self, record: &Record<'_>, heard: &[Said]) -> bool {
        self.records += 1;
        if record.place.sequence.is_some() {
            self.first_sequence = self.first_sequence.or(record.place.sequence);
            self.last_sequence = record.place.sequence;
        }
        self.notable += u64::from(!heard.is_empty());
        let from_kernel = match record.author {
            Author::Kernel => true,
            Author::User => record.place.sequence.is_some(),
            Author::Unstated => {
                !heard.is_empty() || record.stamp.uptime.is_some() || record.identifier.as_deref() == Some(b"kernel")
            }
        };
        self.kernel_records += u64::from(from_kernel);
        from_kernel
    }
}
