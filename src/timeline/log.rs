//! One log: its records counted, its facts cut into boots.

use std::sync::Arc;

use super::boot::{Boot, Moment};
use crate::event::{Event, Fact, Recogniser, Said};
use crate::history::Chronicle;
use crate::record::{Author, BootId, Gap, Input, Place, Record, Stamp, Unparsed};
use crate::request::{Written, unread};

/// What a log is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// The same, where each boot is judged for itself: no report tells of the last record of one that was left out.
    PastAlone,
}

impl Keeps {
    fn past(self) -> Option<Chronicle> {
        match self {
            Self::Facts => None,
            Self::Past => Some(Chronicle::default().with_last()),
            Self::PastAlone => Some(Chronicle::default()),
        }
    }
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
    /// The files of a rotated set that is one log: where each begins among its bytes, and its name. Empty for a single file.
    pub files: Arc<[(u64, String)]>,
    /// What it is read from.
    pub kind: LogKind,
    /// Whether the user named it: then it is an error that it cannot be read, whatever the host says.
    pub named: bool,
    /// Why it could not be read, or not to its end.
    pub failure: Option<String>,
    /// What is kept of its boots.
    pub keeps: Keeps,
    /// Why a ring buffer was read without sequence numbers (syslog(2) in place of `/dev/kmsg`): then nobody knows whether
    /// records are missing.
    pub unnumbered: Option<String>,
    /// Records decoded.
    pub records: u64,
    /// Records of a kernel's log: that it may have written, or that stood among its own.
    pub kernel_records: u64,
    /// Records of pciback that are known.
    pub recognised: u64,
    /// Records of pciback that are not known: the first of them, and how many.
    pub unrecognised: (Vec<Fact>, u64),
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
    /// Every boot, in the order of the log.
    pub boots: Vec<Boot>,
    current: Option<usize>,
    rebooted: bool,
    waiting: Option<Gap>,
}

/// How many unknown messages are kept for the report; the rest is counted.
const UNRECOGNISED_KEPT: usize = 16;

const fn is_unknown(said: &Said) -> bool {
    matches!(said.event, Event::Unrecognised { .. })
}

/// Names that a machine has before it knows its own.
const NAMELESS: &[&[u8]] = &[b"localhost", b"localhost.localdomain", b"(none)"];

/// Whether a record with this host name does not say which host it is of.
pub fn is_nameless(hostname: &[u8]) -> bool {
    NAMELESS.contains(&hostname)
}

impl Log {
    /// An empty log.
    pub fn new(index: usize, name: String, kind: LogKind) -> Self {
        Self {
            index,
            name,
            files: Arc::default(),
            kind,
            named: false,
            failure: None,
            keeps: Keeps::Facts,
            unnumbered: None,
            records: 0,
            kernel_records: 0,
            recognised: 0,
            unrecognised: (Vec::new(), 0),
            notable: 0,
            first_sequence: None,
            last_sequence: None,
            lost: 0,
            unparsed: (Vec::new(), 0),
            hypervisor: None,
            boots: Vec::new(),
            current: None,
            rebooted: false,
            waiting: None,
        }
    }

    /// What this log says of one of its boots, as a log of its own, in which only records count that say something.
    #[must_use]
    pub fn only(&self, boot: &Boot) -> Self {
        let mut alone = Self::new(self.index, self.name.clone(), self.kind);
        let facts =
            || boot.moments.iter().filter_map(|moment| if let Moment::Fact(fact) = moment { Some(fact) } else { None });
        let unknown = |fact: &&Fact| matches!(fact.event, Event::Unrecognised { .. });
        let lost =
            boot.moments.iter().filter_map(|moment| if let Moment::Gap { gap, .. } = moment { gap.lost } else { None });
        alone.files = Arc::clone(&self.files);
        (alone.records, alone.kernel_records) = (boot.notable, boot.notable);
        alone.recognised = facts().filter(|fact| fact.event.is_pciback() && !unknown(fact)).count() as u64;
        alone.unrecognised.0 = facts().filter(unknown).take(UNRECOGNISED_KEPT).cloned().collect();
        alone.unrecognised.1 = facts().filter(unknown).count() as u64;
        alone.lost = lost.fold(0, u64::saturating_add);
        alone.boots.push(boot.clone());
        alone
    }

    /// Takes out the boots that are over: another one of the host began behind them. What has an id may come back.
    pub fn take_finished(&mut self) -> Vec<Boot> {
        let last = self.boots.len().saturating_sub(1);
        if last == 0 || self.current != Some(last) || self.boots.iter().any(|boot| boot.id.is_some()) {
            return Vec::new();
        }
        self.current = Some(0);
        self.boots.drain(..last).collect()
    }

    /// The file of the set that holds the byte at `offset`, and where in it that is.
    pub fn file_at(&self, offset: u64) -> (&str, u64) {
        let file = self.files.iter().take_while(|(from, _)| *from <= offset).last();
        file.map_or((self.name.as_str(), offset), |(from, name)| (name.as_str(), offset - from))
    }

    /// Notes that the log could not be read, or not to its end.
    pub fn fail(&mut self, why: String) {
        let gap = Gap { place: Place { log: self.index, ..Place::default() }, lost: None };
        self.failure = Some(why);
        self.take_gap(gap);
    }

    /// Takes what the decoder found next.
    pub fn take(&mut self, input: Input<'_>) {
        match input {
            Input::Record(record) => self.take_record(&record),
            Input::Gap(gap) => {
                self.lost += gap.lost.unwrap_or(0);
                self.notable += 1;
                self.waiting = Some(gap);
            }
            Input::Unparsed(unparsed) => self.take_unparsed(unparsed),
            Input::Boot(_, id) => self.rebooted |= id.is_none(),
        }
    }

    /// Ends the log: a gap behind its last record counts as well.
    pub fn end(&mut self) {
        // Without numbers nobody can see whether records are missing.
        if self.unnumbered.is_some() && self.records > 0 {
            self.waiting.get_or_insert(Gap { place: Place { log: self.index, ..Place::default() }, lost: None });
        }
        if let Some(gap) = self.waiting.take() {
            self.take_gap(gap);
        }
    }

    fn take_unparsed(&mut self, unparsed: Unparsed) {
        self.unparsed.1 += 1;
        self.notable += 1;
        if !self.unparsed.0.iter().any(|known| known.why == unparsed.why) {
            self.unparsed.0.push(unparsed);
        }
        // What could not be read may have been the record that contradicts.
        self.waiting.get_or_insert(Gap { place: unparsed.place, lost: None });
    }

    /// A gap behind the last record so far.
    fn take_gap(&mut self, gap: Gap) {
        if let Some(boot) = self.current.and_then(|at| self.boots.get_mut(at)) {
            boot.keep_gap(gap, boot.span.1);
        }
    }

    fn take_record(&mut self, record: &Record<'_>) {
        if record.author != Author::User {
            self.take_hypervisor(record);
        }
        let mut heard = Vec::new();
        Recogniser::get().hear(record, &mut |said| heard.push(said));
        self.hear(record, &heard);
    }

    fn take_hypervisor(&mut self, record: &Record<'_>) {
        if let Some(written) = unread::logged(&record.message).pop() {
            let (place, stamp, text) = (record.place, record.stamp, record.message.as_ref().into());
            self.hypervisor = Some(Unheeded { place, stamp, text, written });
        }
    }

    /// Takes a record of which is known already what it says.
    pub fn hear(&mut self, record: &Record<'_>, heard: &[Said]) {
        self.count(record, heard);
        let (mut cuts, mut banner, mut recognised) = (false, false, false);
        for said in heard {
            let unknown = is_unknown(said);
            if said.author != Author::User {
                cuts = true;
                banner |= matches!(said.event, Event::Booted { .. });
                recognised |= !unknown && said.event.is_pciback();
            }
            if unknown {
                self.take_unknown(record, said);
            }
        }
        self.recognised += u64::from(recognised);
        let hostname = record.hostname.as_deref().filter(|name| !is_nameless(name));
        // What is missing before a banner is missing from the boot before it.
        if banner && let Some(gap) = self.waiting.take() {
            self.take_gap(gap);
        }
        let at = self.boot_of(record.boot_id.as_ref(), hostname, record.stamp.uptime.filter(|_| cuts), banner);
        let Some(boot) = self.boots.get_mut(at) else { return };
        boot.notable += u64::from(!heard.is_empty());
        let backwards = boot.note(record);
        if self.waiting.is_some() || backwards {
            let gap = self.waiting.take().unwrap_or(Gap { place: record.place, lost: None });
            boot.keep_gap(gap, record.stamp);
        }
        for said in heard {
            boot.keep(record, said);
        }
    }

    fn take_unknown(&mut self, record: &Record<'_>, said: &Said) {
        self.unrecognised.1 += 1;
        if self.unrecognised.0.len() < UNRECOGNISED_KEPT {
            self.unrecognised.0.push(Fact::of(record, said.clone()));
        }
    }

    fn count(&mut self, record: &Record<'_>, heard: &[Said]) {
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
    }

    /// Which boot a record belongs to; begins a new one where an event, of this uptime, says so.
    fn boot_of(&mut self, id: Option<&BootId>, hostname: Option<&[u8]>, event: Option<u64>, banner: bool) -> usize {
        let found = self.find(id, hostname);
        let fresh = |boot: &Boot| boot.records == 0 && !boot.has_gap();
        let follows = found.and_then(|at| self.boots.get(at)).is_some_and(|boot| {
            let by_id = id.is_some() && boot.id.as_ref() == id;
            by_id || (!self.rebooted && boot.continues_with(event) && (!banner || fresh(boot)))
        });
        let at = match found {
            Some(at) if follows => at,
            _ => {
                let hostname = hostname.map(|name| String::from_utf8_lossy(name).into_owned());
                self.boots.push(Boot::of(id.copied(), hostname, self.keeps.past()));
                self.boots.len() - 1
            }
        };
        self.rebooted = false;
        self.current = Some(at);
        at
    }

    /// The last boot that a record with this id and host name can be of.
    fn find(&self, id: Option<&BootId>, hostname: Option<&[u8]>) -> Option<usize> {
        if hostname.is_none() && id.is_none() {
            return self.current;
        }
        // Nearly always it is the last of all.
        let last = self.boots.last().and_then(|boot| boot.hostname.as_deref());
        if id.is_none() && hostname == last.map(str::as_bytes) {
            return self.boots.len().checked_sub(1);
        }
        let hostname = hostname.map(String::from_utf8_lossy);
        let differ = |a: Option<&str>, b: Option<&str>| matches!((a, b), (Some(a), Some(b)) if a != b);
        let can_be = |boot: &Boot| match (id, &boot.id) {
            (Some(id), Some(known)) => id == known,
            (Some(_), None) => boot.records == 0,
            (None, _) => !differ(hostname.as_deref(), boot.hostname.as_deref()),
        };
        self.boots.iter().rposition(can_be)
    }
}
