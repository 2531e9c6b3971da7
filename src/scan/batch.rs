//! What was found in a piece of a log, on its way from the thread that reads to the one that puts hosts together.

use std::borrow::Cow;
use std::ops::Range;

use crate::event::Said;
use crate::pci::Address;
use crate::record::{Author, BootId, Gap, Place, Record, Stamp, Unparsed};

/// A batch is handed on when it holds this many bytes or things.
const FULL: (usize, usize) = (64 << 10, 512);

/// One thing of a batch, in the order of the log.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// A record with what it says; without anything said, it only shows that its host went on.
    Record(Record<'a>, &'a [Said]),
    /// Records are missing: of this host, or nobody knows of which.
    Gap(Gap, Option<&'a [u8]>),
    /// Another boot begins.
    Boot(Place, Option<BootId>),
    /// Bytes that are no record.
    Unparsed(Unparsed),
}

/// Things found in a log, in its order. Their texts stand one behind the other: an allocation for each would cost more than
/// finding them does.
#[derive(Debug, Default)]
pub(super) struct Batch {
    text: Vec<u8>,
    said: Vec<Said>,
    items: Vec<Item>,
}

#[derive(Debug)]
enum Item {
    Record(Kept),
    Gap(Gap, Option<Range<u32>>),
    Boot(Place, Option<BootId>),
    Unparsed(Unparsed),
}

/// A record whose texts are in the batch, one behind the other: these are where they end.
#[derive(Debug)]
struct Kept {
    place: Place,
    stamp: Stamp,
    level: Option<u8>,
    author: Author,
    boot_id: Option<Box<BootId>>,
    device: Option<Address>,
    text: u32,
    hostname: Option<u32>,
    identifier: Option<u32>,
    message: u32,
    said: Range<u32>,
}

impl Batch {
    /// Makes room for all that goes into one that will be full, so that it fits as well when it is used again.
    pub(super) fn make_room(&mut self) {
        let (text, items) = FULL;
        self.text.reserve(text * 2);
        self.said.reserve(items * 2);
        self.items.reserve(items + 1);
    }

    /// Empties it. What it took in memory is there for the next.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.said.clear();
        self.items.clear();
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) const fn is_full(&self) -> bool {
        self.text.len() >= FULL.0 || self.items.len() >= FULL.1
    }

    /// Adds a record and what it says. Of one that says nothing the message is not kept.
    pub(super) fn record(&mut self, record: &Record<'_>, said: &mut Vec<Said>) {
        let text = length(&self.text);
        let hostname = record.hostname.as_deref().map(|name| self.keep(name));
        let identifier = record.identifier.as_deref().map(|name| self.keep(name));
        let message = self.keep(if said.is_empty() { &[] } else { &record.message });
        let from = length(&self.said);
        self.said.append(said);
        self.items.push(Item::Record(Kept {
            place: record.place,
            stamp: record.stamp,
            level: record.level,
            author: record.author,
            boot_id: record.boot_id.map(Box::new),
            device: record.device,
            text,
            hostname,
            identifier,
            message,
            said: from..length(&self.said),
        }));
    }

    pub(super) fn gap(&mut self, gap: Gap, host: Option<&[u8]>) {
        let from = length(&self.text);
        let host = host.map(|host| from..self.keep(host));
        self.items.push(Item::Gap(gap, host));
    }

    pub(super) fn boot(&mut self, place: Place, id: Option<BootId>) {
        self.items.push(Item::Boot(place, id));
    }

    pub(super) fn unparsed(&mut self, unparsed: Unparsed) {
        self.items.push(Item::Unparsed(unparsed));
    }

    /// Everything in it, in order.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.items.iter().map(|item| match item {
            Item::Record(kept) => {
                let mut from = kept.text;
                let mut next = |until: u32| {
                    let text = part(&self.text, &(from..until));
                    from = until;
                    Cow::Borrowed(text)
                };
                let record = Record {
                    place: kept.place,
                    stamp: kept.stamp,
                    level: kept.level,
                    author: kept.author,
                    hostname: kept.hostname.map(&mut next),
                    identifier: kept.identifier.map(&mut next),
                    boot_id: kept.boot_id.as_deref().copied(),
                    device: kept.device,
                    message: next(kept.message),
                };
                Piece::Record(record, part(&self.said, &kept.said))
            }
            Item::Gap(gap, host) => Piece::Gap(*gap, host.as_ref().map(|host| part(&self.text, host))),
            Item::Boot(place, id) => Piece::Boot(*place, *id),
            Item::Unparsed(unparsed) => Piece::Unparsed(*unparsed),
        })
    }

    /// Keeps a text, and returns where it ends.
    fn keep(&mut self, text: &[u8]) -> u32 {
        self.text.extend_from_slice(text);
        length(&self.text)
    }
}

/// No record is longer than [`Decoder::LONGEST`](crate::record::Decoder::LONGEST), and a batch that is full takes no more.
fn length<T>(of: &[T]) -> u32 {
    u32::try_from(of.len()).unwrap_or(u32::MAX)
}

fn part<'a, T>(of: &'a [T], range: &Range<u32>) -> &'a [T] {
    let at = |place| usize::try_from(place).unwrap_or(usize::MAX);
    of.get(at(range.start)..at(range.end)).unwrap_or_default()
}
