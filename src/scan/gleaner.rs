//! Picks out of the records of a log those that matter.

use super::batch::{Batch, Words};
use super::repeats::{Repeats, Sign};
use super::seen::{Hosts, Mark, Seen};
use super::window::BLOCK;
use crate::history::is_settled;
use crate::record::{Author, Gap, Input, Record, Stamp, Wall};
use crate::timeline::JITTER;

/// How many seizing lines are followed up at a time. On a log of nothing but seizing lines following costs the most, and
/// there the next line of the host settles each.
const MOST_OPEN: usize = 8;

/// Takes what is in a batch, and leaves an empty one in its place. Says whether more is wanted.
pub(super) type Sink<'a> = dyn FnMut(&mut Batch) -> bool + 'a;

/// Which records of the log are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Every one: those that say nothing of ours still tell how long their boot went on, and that its clock ran backwards.
    All,
    /// Those that the search found. What the others tell of their boots is asked for where it can matter.
    Found,
    /// Records that were passed over, for what they tell of their boots.
    Passed,
}

/// A seizing line behind which its load has not come to its end yet.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) host: Vec<u8>,
    stamp: Stamp,
    /// Where to look for the host's next record: behind the line itself.
    pub(super) from: u64,
    /// Where the line began.
    pub(super) since: u64,
}

/// Picks out of the records of a log those that matter.
pub(super) struct Gleaner<'a> {
    look: Look,
    batch: Batch,
    sink: &'a mut Sink<'a>,
    wanted: bool,
    repeats: Repeats,
    hosts: Hosts,
    open: Vec<Open>,
    /// Missing records, until it is known whose they are: those of the host that the next record is of.
    gap: Option<Gap>,
    /// What the last record said.
    sign: Sign,
    /// The header of the last record, where it was one that said something and nothing else came behind it.
    header: Option<u64>,
    /// From here on the next record is asked for its time, where every one is looked at.
    sample: u64,
    /// Whether the search found the line that is decoded. One that it passes over says nothing of its neighbours either, or
    /// the outcome would hang on whether it is decoded.
    found: bool,
}

impl std::fmt::Debug for Gleaner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gleaner").field("look", &self.look).field("batch", &self.batch).finish_non_exhaustive()
    }
}

impl<'a> Gleaner<'a> {
    pub(super) fn new(look: Look, sink: &'a mut Sink<'a>) -> Self {
        Self {
            look,
            batch: Batch::default(),
            sink,
            wanted: true,
            repeats: Repeats::default(),
            hosts: Hosts::default(),
            open: Vec::new(),
            gap: None,
            sign: Sign::Nothing,
            header: None,
            sample: 0,
            found: true,
        }
    }

    /// Whether anybody still wants what is found.
    pub(super) const fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Takes what the decoder found.
    pub(super) fn take(&mut self, input: &Input<'_>) {
        self.header = None;
        let host = if let Input::Record(record) = input { record.hostname.as_deref() } else { None };
        // What was passed over may stand before what is missing.
        if self.found && self.look != Look::Passed {
            self.end_gap(host);
        }
        match input {
            Input::Record(record) => {
                self.sign = self.repeats.hear(record);
                self.record(record);
            }
            _ if self.look == Look::Passed => {}
            _ if !self.found => {}
            Input::Gap(gap) => self.gap = Some(*gap),
            Input::Boot(place, id) => self.batch.boot(*place, *id),
            Input::Unparsed(unparsed) => self.batch.unparsed(*unparsed),
        }
        self.hand_on_if_full();
    }

    /// Takes a record if it says something, and says whether it does: then the search would have found it. If records of the
    /// same `header` are offered one behind the other, they have the same host, program and time.
    pub(super) fn offer(&mut self, record: &Record<'_>, header: u64) -> bool {
        self.sign = self.repeats.hear(record);
        if self.heard() {
            let same = self.header == Some(header);
            if !same {
                self.end_gap(record.hostname.as_deref());
            }
            self.follow(record, same);
            self.repeats.tell(record, &mut self.batch, same);
            self.header = Some(header);
            self.hand_on_if_full();
        }
        self.heard()
    }

    /// Tells of the records that are missing before one of this host, if any are.
    fn end_gap(&mut self, host: Option<&[u8]>) {
        if let Some(gap) = self.gap.take() {
            self.batch.gap(gap, host);
        }
    }

    /// Notes when a line of a host was written, without its year: by these the years are counted.
    pub(super) fn time(&mut self, wall: Wall, host: &[u8]) {
        self.batch.time(wall, host);
        self.hand_on_if_full();
    }

    /// Says whether the search found the line that is decoded next.
    pub(super) const fn found(&mut self, found: bool) {
        self.found = found;
    }

    /// Looks at records in another way from now on.
    pub(super) fn look(&mut self, look: Look) {
        self.look = look;
    }

    /// Hands on what is left. What was last seen of each host tells when its boot was still going on.
    pub(super) fn finish(mut self) {
        self.end_gap(None);
        let Hosts { names, seen, .. } = std::mem::take(&mut self.hosts);
        for (host, at) in names {
            if let Some(last) = seen.get(at).and_then(|seen| seen.last) {
                self.batch.record(&last.record(&host), Words::default(), false);
            }
        }
        self.hand_on();
    }

    fn hand_on(&mut self) {
        if !self.batch.is_empty() && self.wanted {
            self.wanted = (self.sink)(&mut self.batch);
        }
        self.batch.clear();
        self.repeats.forget_batch();
    }

    fn hand_on_if_full(&mut self) {
        if self.batch.is_full() {
            self.hand_on();
            self.batch.make_room();
        }
    }

    fn record(&mut self, record: &Record<'_>) {
        if self.look == Look::Found && (self.found || self.heard()) && is_no_line(record) {
            // What belongs to it, or stands before it by its number, was passed over.
            self.batch.gap(Gap { place: record.place, lost: None }, None);
        }
        match self.look {
            Look::All => {
                self.sample(record);
                self.witness(record);
            }
            Look::Passed if !self.heard() => self.witness(record),
            Look::Found if self.heard() => self.follow(record, false),
            Look::Found | Look::Passed => return,
        }
        if self.heard() && self.look != Look::Passed {
            self.repeats.tell(record, &mut self.batch, false);
        }
    }

    /// Where every record is looked at, one of each [`BLOCK`] tells its time, as one line of each does elsewhere.
    fn sample(&mut self, record: &Record<'_>) {
        if record.place.offset >= self.sample
            && let Some(wall) = record.stamp.wall
        {
            self.sample = record.place.offset + BLOCK as u64;
            self.batch.time(wall, record.hostname.as_deref().unwrap_or_default());
        }
    }

    /// Notes that a record was there, and tells of it where that says more than the records with something to say do.
    fn witness(&mut self, record: &Record<'_>) {
        let heard = self.heard();
        let host = record.hostname.as_deref().unwrap_or_default();
        let seen = self.hosts.of(host);
        if self.look == Look::Passed {
            // It was seen already, or says nothing new.
            if seen.at.is_some_and(|at| record.place.offset <= at) {
                return;
            }
            seen.at = Some(record.place.offset);
        }
        let own = record.author != Author::User;
        let clocks = seen.uptime.zip(record.stamp.uptime).filter(|_| own);
        let backwards = clocks.is_some_and(|(before, now)| now.saturating_add(JITTER) < before);
        if self.sign == Sign::Booted || backwards || seen.boot_id != record.boot_id {
            if let Some(last) = seen.last.take() {
                self.batch.record(&last.record(host), Words::default(), false);
            }
            *seen = Seen { boot_id: record.boot_id, at: seen.at, ..Seen::default() };
        }
        if own {
            seen.uptime = record.stamp.uptime.or(seen.uptime);
        }
        let info = own && record.level.is_some_and(|level| level >= 6);
        let mark = Mark::of(record);
        let kernel = mark.is_kernels();
        if heard || !seen.told || (info && !seen.info) || (kernel && !seen.kernel) {
            (seen.told, seen.last) = (true, None);
            if !heard {
                self.batch.record(&mark.record(host), Words::default(), false);
            }
        } else {
            seen.last = Some(mark.behind(seen.last));
        }
        seen.info |= info;
        seen.kernel |= kernel;
    }

    /// Keeps an eye on seizing lines until something of their host is heard a second later. `same` says that this is the last
    /// record's host.
    fn follow(&mut self, record: &Record<'_>, same: bool) {
        let Some(host) = record.hostname.as_deref() else { return };
        let seen = if same { self.hosts.same() } else { self.hosts.of(host) };
        // It may be the last of its boot.
        if let Some(last) = seen.last.take() {
            self.batch.record(&last.record(host), Words::default(), false);
        }
        seen.at = Some(record.place.offset);
        seen.uptime = record.stamp.uptime.or(seen.uptime);
        let seizing = self.sign == Sign::Seizing;
        if self.open.is_empty() && !seizing {
            return;
        }
        let ends = self.ends();
        let mut name = None;
        self.open.retain_mut(|open| {
            let done = open.host == host && (ends || open.is_settled_by(record));
            if done {
                name = Some(std::mem::take(&mut open.host));
            }
            !done
        });
        if seizing {
            if self.open.len() == MOST_OPEN {
                self.open.remove(0);
            }
            let since = record.place.offset;
            let host = name.unwrap_or_else(|| host.to_vec());
            self.open.push(Open { host, stamp: record.stamp, from: since + 1, since });
        }
    }

    /// Whether the last record said anything.
    pub(super) fn heard(&self) -> bool {
        self.sign != Sign::Nothing
    }

    /// Whether the last record ends what its host's seizing line before it left open.
    pub(super) fn ends(&self) -> bool {
        self.sign >= Sign::Ready
    }

    /// Whether any seizing line is followed up.
    pub(super) const fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The seizing lines that are followed up.
    pub(super) fn open(&mut self) -> Vec<Open> {
        std::mem::take(&mut self.open)
    }

    /// Takes back those that are still to be followed.
    pub(super) fn keep_open(&mut self, open: Vec<Open>) {
        self.open = open;
    }
}

/// Whether a record, met among lines, is one of those that must all be read: it has a number, or is a field of a journal entry.
fn is_no_line(record: &Record<'_>) -> bool {
    let field = record.stamp == Stamp::default() && record.message.trim_ascii_start().starts_with(b"MESSAGE=");
    record.place.sequence.is_some() || field
}

impl Open {
    /// Whether `record` is the host's, and made late enough.
    pub(super) fn is_settled_by(&self, record: &Record<'_>) -> bool {
        self.is_of(record) && is_settled(&self.stamp, &record.stamp)
    }

    /// Whether `record` is of the same host.
    pub(super) fn is_of(&self, record: &Record<'_>) -> bool {
        record.hostname.as_deref() == Some(&self.host)
    }
}
