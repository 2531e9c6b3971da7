//! What one set of log files holds of one host, in few bytes: a central log has a hundred thousand hosts, and none of them is
//! done with before its last file was read.
//!
//! Records with something to say are written down one behind the other, as differences from the one before, and read again
//! as records when the host is judged. That is by the code that reads a log from a file, so nothing can be judged otherwise.

use std::borrow::Cow;

use chrono::{DateTime, FixedOffset};
use memchr::memchr_iter;

use super::shapes::{MARK, Number, Shapes, put_back, take_out};
use crate::pci::Address;
use crate::record::{Author, BootId, Gap, Place, Record, Stamp, Wall};

/// The last values, from which the next ones differ.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    offset: u64,
    uptime: u64,
    /// Microseconds since 1970, local.
    wall: i64,
    address: u64,
    line: u64,
    sequence: u64,
    zone: Option<i32>,
    boot: Number,
    year: u32,
}

/// Records of one host, written down.
#[derive(Clone, Debug, Default)]
pub(super) struct Strand {
    bytes: Vec<u8>,
    last: Last,
}

/// What a strand gives back.
#[derive(Debug)]
pub(super) enum Thing<'a> {
    /// A record, and which year of its file it is of where it has none.
    Record(Record<'a>, u32),
    /// Records are missing here.
    Gap(Gap),
    /// Another boot begins here.
    Boot(Place, Option<BootId>),
}

/// What stands in front of a record: which parts it has.
mod flag {
    pub(super) const UPTIME: u64 = 1;
    pub(super) const WALL: u64 = 1 << 1;
    pub(super) const ZONE: u64 = 1 << 2;
    pub(super) const KERNEL_TAG: u64 = 1 << 3;
    pub(super) const TAG: u64 = 1 << 4;
    pub(super) const AUTHOR: u64 = 5;
    pub(super) const MESSAGE: u64 = 1 << 7;
    pub(super) const LEVEL: u64 = 1 << 8;
    pub(super) const DEVICE: u64 = 1 << 9;
    pub(super) const SEQUENCE: u64 = 1 << 10;
    pub(super) const LINE: u64 = 1 << 11;
    pub(super) const BOOT: u64 = 1 << 12;
    pub(super) const YEAR: u64 = 1 << 13;
    /// No record: another boot begins.
    pub(super) const CUT: u64 = 1 << 14;
    /// No record: some are missing.
    pub(super) const GAP: u64 = 1 << 15;
}

impl Strand {
    /// How many bytes it takes.
    pub(super) const fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Writes down a record of the file's year number `year`. Not inlined, so that what has a log instead can be.
    #[inline(never)]
    pub(super) fn record(&mut self, record: &Record<'_>, year: u32, shapes: &mut Shapes) {
        let mut flags = match record.author {
            Author::Kernel => 0,
            Author::User => 1,
            Author::Unstated => 2,
        } << flag::AUTHOR;
        let boot = record.boot_id.and_then(|id| shapes.number(&id.0.to_be_bytes())).map_or(0, |number| number + 1);
        let zone = record.stamp.wall.map(|wall| wall.offset.map(|offset| offset.local_minus_utc()));
        let set = |condition: bool, bit: u64| if condition { bit } else { 0 };
        flags |= set(record.stamp.uptime.is_some(), flag::UPTIME) | set(zone.is_some(), flag::WALL);
        flags |= set(zone.is_some_and(|zone| zone != self.last.zone), flag::ZONE);
        flags |= match record.identifier.as_deref() {
            None => 0,
            Some(b"kernel") => flag::KERNEL_TAG,
            Some(_) => flag::TAG,
        };
        flags |= set(!record.message.is_empty(), flag::MESSAGE) | set(record.level.is_some(), flag::LEVEL);
        flags |= set(record.device.is_some(), flag::DEVICE) | set(record.place.sequence.is_some(), flag::SEQUENCE);
        flags |= set(record.place.line > 0, flag::LINE) | set(boot != self.last.boot, flag::BOOT);
        flags |= set(year != self.last.year, flag::YEAR);
        self.unsigned(flags);
        self.place(&record.place, flags);
        self.stamp(&record.stamp, zone.flatten(), flags);
        if flags & flag::LEVEL > 0 {
            self.unsigned(record.level.unwrap_or_default().into());
        }
        if flags & flag::BOOT > 0 {
            self.last.boot = boot;
            self.unsigned(boot.into());
        }
        if flags & flag::YEAR > 0 {
            self.last.year = year;
            self.unsigned(year.into());
        }
        if let Some(device) = record.device {
            self.address(device);
        }
        if flags & flag::TAG > 0 {
            self.text(record.identifier.as_deref().unwrap_or_default(), shapes);
        }
        if flags & flag::MESSAGE > 0 {
            self.text(&record.message, shapes);
        }
    }

    /// Writes down that another boot begins.
    pub(super) fn boot(&mut self, place: &Place, id: Option<BootId>, shapes: &mut Shapes) {
        let boot = id.and_then(|id| shapes.number(&id.0.to_be_bytes())).map_or(0, |number| number + 1);
        self.unsigned(flag::CUT);
        self.place(place, 0);
        self.unsigned(boot.into());
    }

    /// Writes down that records are missing.
    pub(super) fn gap(&mut self, gap: &Gap) {
        self.unsigned(flag::GAP);
        self.place(&gap.place, 0);
        self.unsigned(gap.lost.map_or(0, |lost| lost.saturating_add(1)));
    }

    fn place(&mut self, place: &Place, flags: u64) {
        self.signed(difference(place.offset, self.last.offset));
        self.last.offset = place.offset;
        if flags & flag::LINE > 0 {
            self.signed(difference(place.line, self.last.line));
            self.last.line = place.line;
        }
        if let Some(sequence) = place.sequence.filter(|_| flags & flag::SEQUENCE > 0) {
            self.signed(difference(sequence, self.last.sequence));
            self.last.sequence = sequence;
        }
    }

    fn stamp(&mut self, stamp: &Stamp, zone: Option<i32>, flags: u64) {
        if let Some(uptime) = stamp.uptime {
            self.signed(difference(uptime, self.last.uptime));
            self.last.uptime = uptime;
        }
        if let Some(wall) = stamp.wall {
            let micros = wall.local.and_utc().timestamp_micros();
            self.signed(micros.wrapping_sub(self.last.wall));
            self.last.wall = micros;
        }
        if flags & flag::ZONE > 0 {
            self.last.zone = zone;
            self.signed(zone.map_or(i64::MAX, i64::from));
        }
    }

    /// A text by its number, or where there is none, as it is.
    fn text(&mut self, text: &[u8], shapes: &mut Shapes) {
        let (mut shape, mut addresses) = (Vec::with_capacity(text.len()), Vec::new());
        let number = take_out(text, &mut shape, &mut addresses).then(|| shapes.number(&shape)).flatten();
        if let Some(number) = number {
            self.unsigned(u64::from(number) + 1);
            for address in addresses {
                self.address(address);
            }
        } else {
            self.unsigned(0);
            self.unsigned(text.len() as u64);
            self.bytes.extend_from_slice(text);
        }
    }

    fn address(&mut self, address: Address) {
        let number = address.number();
        self.signed(difference(number, self.last.address));
        self.last.address = number;
    }

    fn signed(&mut self, value: i64) {
        self.unsigned((value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
    }

    fn unsigned(&mut self, mut value: u64) {
        // Doubling would leave half of it empty, for each of a hundred thousand hosts.
        if self.bytes.capacity() - self.bytes.len() < 10 {
            self.bytes.reserve_exact(32 + self.bytes.len() / 8);
        }
        while value >= 0x80 {
            self.bytes.push(low_byte(value) | 0x80);
            value >>= 7;
        }
        self.bytes.push(low_byte(value));
    }

    /// Everything written down, in order.
    pub(super) fn read(&self, shapes: &Shapes, sink: &mut dyn FnMut(Thing<'_>)) {
        let mut reader = Reader { rest: &self.bytes, last: Last::default(), shapes };
        let (mut message, mut addresses) = (Vec::new(), Vec::new());
        while !reader.rest.is_empty() {
            let flags = reader.unsigned();
            if flags & flag::CUT > 0 {
                let place = reader.place(0);
                let id = reader.number();
                let id = reader.boot_id(id);
                sink(Thing::Boot(place, id));
            } else if flags & flag::GAP > 0 {
                let place = reader.place(0);
                sink(Thing::Gap(Gap { place, lost: reader.unsigned().checked_sub(1) }));
            } else {
                let (record, year) = reader.record(flags, &mut message, &mut addresses);
                sink(Thing::Record(record, year));
            }
        }
    }
}

/// Reads a strand.
struct Reader<'a> {
    rest: &'a [u8],
    last: Last,
    shapes: &'a Shapes,
}

impl<'a> Reader<'a> {
    fn record<'b>(&mut self, flags: u64, message: &'b mut Vec<u8>, addresses: &mut Vec<Address>) -> (Record<'b>, u32)
    where
        'a: 'b,
    {
        let has = |bit: u64| flags & bit > 0;
        let mut place = self.place(flags);
        if !has(flag::SEQUENCE) {
            place.sequence = None;
        }
        let stamp = self.stamp(flags);
        let level = has(flag::LEVEL).then(|| low_byte(self.unsigned()));
        if has(flag::BOOT) {
            self.last.boot = self.number();
        }
        if has(flag::YEAR) {
            self.last.year = self.number();
        }
        let device = has(flag::DEVICE).then(|| self.address()).flatten();
        let identifier = if has(flag::TAG) {
            let mut tag = Vec::new();
            self.text(&mut tag, addresses);
            Some(Cow::Owned(tag))
        } else {
            has(flag::KERNEL_TAG).then_some(Cow::Borrowed(&b"kernel"[..]))
        };
        message.clear();
        if has(flag::MESSAGE) {
            self.text(message, addresses);
        }
        let author = match flags >> flag::AUTHOR & 3 {
            0 => Author::Kernel,
            1 => Author::User,
            _ => Author::Unstated,
        };
        let boot_id = self.boot_id(self.last.boot);
        let record = Record { stamp, level, author, identifier, boot_id, device, ..Record::bare(place, message) };
        (record, self.last.year)
    }

    fn place(&mut self, flags: u64) -> Place {
        let offset = sum(self.last.offset, self.signed());
        self.last.offset = offset;
        let mut place = Place { offset, ..Place::default() };
        if flags & flag::LINE > 0 {
            self.last.line = sum(self.last.line, self.signed());
            place.line = self.last.line;
        }
        if flags & flag::SEQUENCE > 0 {
            self.last.sequence = sum(self.last.sequence, self.signed());
            place.sequence = Some(self.last.sequence);
        }
        place
    }

    fn stamp(&mut self, flags: u64) -> Stamp {
        let mut stamp = Stamp::default();
        if flags & flag::UPTIME > 0 {
            self.last.uptime = sum(self.last.uptime, self.signed());
            stamp.uptime = Some(self.last.uptime);
        }
        if flags & flag::WALL > 0 {
            self.last.wall = self.last.wall.wrapping_add(self.signed());
            if flags & flag::ZONE > 0 {
                self.last.zone = i32::try_from(self.signed()).ok();
            }
            let offset = self.last.zone.and_then(FixedOffset::east_opt);
            let local = DateTime::from_timestamp_micros(self.last.wall).map(|utc| utc.naive_utc());
            stamp.wall = local.map(|local| Wall { local, offset });
        }
        stamp
    }

    fn text(&mut self, text: &mut Vec<u8>, addresses: &mut Vec<Address>) {
        if let Some(number) = self.number().checked_sub(1) {
            let shape = self.shapes.text(number);
            addresses.clear();
            for _ in memchr_iter(MARK, shape) {
                addresses.extend(self.address());
            }
            put_back(shape, addresses, text);
        } else {
            let length = usize::try_from(self.unsigned()).unwrap_or(usize::MAX);
            let (bytes, rest) = self.rest.split_at(length.min(self.rest.len()));
            self.rest = rest;
            text.clear();
            text.extend_from_slice(bytes);
        }
    }

    fn boot_id(&self, boot: Number) -> Option<BootId> {
        let bytes = self.shapes.text(boot.checked_sub(1)?).try_into().ok()?;
        Some(BootId(u128::from_be_bytes(bytes)))
    }

    fn address(&mut self) -> Option<Address> {
        self.last.address = sum(self.last.address, self.signed());
        of_number(self.last.address)
    }

    fn number(&mut self) -> Number {
        Number::try_from(self.unsigned()).unwrap_or(Number::MAX)
    }

    fn signed(&mut self) -> i64 {
        let value = self.unsigned();
        (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
    }

    fn unsigned(&mut self) -> u64 {
        let mut value = 0;
        let mut shift = 0;
        while let Some((byte, rest)) = self.rest.split_first() {
            self.rest = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
            if *byte < 0x80 {
                break;
            }
            shift += 7;
        }
        value
    }
}

const fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

const fn difference(value: u64, from: u64) -> i64 {
    value.wrapping_sub(from).cast_signed()
}

const fn sum(value: u64, difference: i64) -> u64 {
    value.wrapping_add(difference.cast_unsigned())
}

/// The address of this [number](Address::number).
fn of_number(number: u64) -> Option<Address> {
    let devfn = low_byte(number);
    Address::new(u32::try_from(number >> 16).ok()?, low_byte(number >> 8), devfn >> 3, devfn & 7)
}
