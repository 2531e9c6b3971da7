//! What the earlier records of a log say about the later ones, and the order in which all come out.

use super::collected::{Origin, Table};
use super::container::{Container, Heading};
use super::dmesg_json::Array;
use super::journal_short::Names;
use super::kmsg::{Fragment, Kmsg};
use super::lead::Lead;
use super::netconsole::Parts;
use super::torn::Head;
use super::wrapped::Held;
use super::{Author, BootId, Decoder, Flaw, Gap, Input, Place, Record, Unparsed, losses};

/// State of a log between two records.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The names behind the times of `journalctl -o short-monotonic`.
    pub(super) names: Names,
    /// The kind of log, by its records so far.
    pub(super) container: Container,
    /// The message of a syslog file that the next line may belong to.
    pub(super) heading: Heading,
    /// Whether a record of any known form was seen.
    pub(super) known: bool,
    /// Lines with the kernel's time in their middle.
    pub(super) stamped: u64,
    /// What stands before every line, by the first one of a known form.
    pub(super) lead: Option<Lead>,
    /// The columns, where the log is a table of lines.
    pub(super) table: Option<Table>,
    /// What stands before the messages of the kernel's lines.
    pub(super) head: Head,
    /// What a collector says of the line that is read.
    pub(super) origin: Origin,
    /// Whether the last thing was a `/dev/kmsg` record.
    pub(super) kmsg: bool,
    /// Where the log is in the output of `dmesg -J`.
    pub(super) array: Array,
    /// Whether the last thing was no record.
    pub(super) flawed: bool,
    /// The boot that journalctl named between records.
    boot: Option<BootId>,
    /// Sequence number of the last `/dev/kmsg` record.
    sequence: Option<u64>,
    /// The fragments of a netconsole message, until all are there.
    pub(super) parts: Option<Parts>,
    /// The first part of a line, until it is known whether more parts follow.
    fragment: Option<Record<'static>>,
    /// A record of one line, until it is known whether lines without a form stand below it.
    pub(super) held: Option<Held>,
    /// Binary bytes, until it is known where they end.
    binary: Option<Unparsed>,
    /// Records whose format says who wrote them, and lines of bare text.
    stated: u64,
    pub(super) bare: u64,
}

impl Stream {
    /// Whether the bytes before `place` are binary ones.
    pub(super) fn is_binary(&self, place: Place) -> bool {
        self.binary.is_some_and(|binary| binary.place.offset + binary.length == place.offset)
    }

    /// Passes on a record from any format but `/dev/kmsg`.
    pub(super) fn record(&mut self, record: Record<'_>, sink: &mut dyn FnMut(Input<'_>)) {
        self.begin(sink);
        self.emit(record, sink);
    }

    /// Hands on what is before a record from any format but `/dev/kmsg`.
    pub(super) fn begin(&mut self, sink: &mut dyn FnMut(Input<'_>)) {
        self.kmsg = false;
        self.flawed = false;
        self.release(sink);
    }

    /// A record came whose format carries the facility.
    pub(super) fn framed(&mut self) {
        self.known = true;
        if self.container == Container::Undecided {
            self.container = Container::Stated;
        }
    }

    /// Whether the next bytes may be a record of a format of several lines, rather than a line of the message above them.
    pub(super) fn takes_frames(&self) -> bool {
        self.container != Container::Call
            && self.table.is_none()
            && (self.container != Container::Syslog || self.heading.author().is_none())
    }

    /// Another part of the log may begin here: an empty line, a comment, a line between the entries of journalctl.
    pub(super) fn section(&mut self) {
        self.end_lines();
        self.heading.close();
        if matches!(self.names, Names::Absent) {
            self.names = Names::Undecided;
        }
    }

    /// Passes on a record of `/dev/kmsg`: its parts put together, the missing ones noticed.
    pub(super) fn kmsg(&mut self, kmsg: Kmsg<'_>, sink: &mut dyn FnMut(Input<'_>)) {
        self.framed();
        self.kmsg = true;
        self.flawed = false;
        self.drop_parts(sink);
        let next = self.sequence.and_then(|last| last.checked_add(1));
        let missing = self.missing(kmsg.sequence);
        if let Some(first) = &mut self.fragment
            && kmsg.fragment == Fragment::Next
            && next == Some(kmsg.sequence)
            && first.author == kmsg.record.author
            && first.message.len() + kmsg.record.message.len() <= Decoder::LONGEST
        {
            first.message.to_mut().extend_from_slice(&kmsg.record.message);
            first.device = first.device.or(kmsg.record.device);
            return;
        }
        self.release(sink);
        if missing.is_some() {
            sink(Input::Gap(Gap { place: kmsg.record.place, lost: missing }));
        }
        if kmsg.fragment == Fragment::First {
            self.fragment = Some(kmsg.record.into_owned());
        } else {
            self.emit(kmsg.record, sink);
        }
    }

    /// Passes on a record of `/dev/kmsg` whose end is missing: it is there, but nobody knows what it says.
    pub(super) fn cut(&mut self, sequence: u64, unparsed: Unparsed, sink: &mut dyn FnMut(Input<'_>)) {
        let missing = self.missing(sequence);
        self.release(sink);
        if missing.is_some() {
            sink(Input::Gap(Gap { place: unparsed.place, lost: missing }));
        }
        self.unparsed(unparsed, sink);
    }

    /// How many records are missing before the one with this number, if any.
    pub(super) fn missing(&mut self, sequence: u64) -> Option<u64> {
        let last = self.sequence.replace(sequence)?;
        sequence.checked_sub(last.checked_add(1)?).filter(|missing| *missing > 0)
    }

    /// Notes that records are missing before `place`.
    pub(super) fn gap(&mut self, place: Place, lost: Option<u64>, sink: &mut dyn FnMut(Input<'_>)) {
        self.release(sink);
        sink(Input::Gap(Gap { place, lost }));
    }

    /// A boot begins, of which the log gives the id or not.
    pub(super) fn boot(&mut self, place: Place, boot: Option<BootId>, sink: &mut dyn FnMut(Input<'_>)) {
        self.release(sink);
        self.boot = boot;
        sink(Input::Boot(place, boot));
    }

    /// Passes on bytes that are no record. Binary ones are put together, so that a file of them gives few inputs.
    pub(super) fn unparsed(&mut self, unparsed: Unparsed, sink: &mut dyn FnMut(Input<'_>)) {
        self.kmsg = false;
        self.flawed = true;
        if unparsed.why == Flaw::Binary
            && self.is_binary(unparsed.place)
            && let Some(binary) = &mut self.binary
        {
            binary.length += unparsed.length;
            return;
        }
        self.release(sink);
        if unparsed.why == Flaw::Binary {
            self.binary = Some(unparsed);
        } else {
            sink(Input::Unparsed(unparsed));
        }
    }

    /// Hands out what was kept back.
    pub(super) fn release(&mut self, sink: &mut dyn FnMut(Input<'_>)) {
        if let Some(binary) = self.binary.take() {
            sink(Input::Unparsed(binary));
        }
        self.drop_parts(sink);
        for record in self.fragment.take().into_iter().chain(self.waited()) {
            self.emit(record, sink);
        }
    }

    fn emit(&mut self, mut record: Record<'_>, sink: &mut dyn FnMut(Input<'_>)) {
        if let Some(gap) = self.complete(&mut record) {
            sink(Input::Gap(gap));
        }
        sink(Input::Record(record));
    }

    /// Adds to a record what those before it say. Returns what it says itself of others that are missing.
    fn complete(&mut self, record: &mut Record<'_>) -> Option<Gap> {
        // journalctl writes no /dev/kmsg records: one behind its output is of a boot of its own.
        if record.place.sequence.is_none() {
            record.boot_id = record.boot_id.or(self.boot);
        }
        let lost = losses::lost(record).map(|loss| Gap { place: record.place, lost: loss.count() });
        if record.author == Author::Kernel {
            // In a log of bare text (dmesg -t, journalctl -o cat) such a line is a message that looks like a record.
            // Whoever could write the one could write the other, so it proves no more than its neighbours do.
            if self.bare > self.stated {
                record.author = Author::Unstated;
            }
            self.stated = self.stated.saturating_add(1);
        }
        if !self.container.is_trusted() {
            record.place.sequence = None;
            record.device = None;
            if record.author == Author::Kernel {
                record.author = Author::Unstated;
            }
        }
        lost
    }
}
