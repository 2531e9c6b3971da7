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
    Gap(Gap, Option<Range<usize>>),
    Boot(Place, Option<BootId>),
    Unparsed(Unparsed),
}

/// A record whose texts are in the batch.
#[derive(Debug)]
struct Kept {
    place: Place,
    stamp: Stamp,
    level: Option<u8>,
    author: Author,
    boot_id: Option<BootId>,
    device: Option<Address>,
    hostname: Option<Range<usize>>,
    identifier: Option<Range<usize>>,
    message: Range<usize>,
    said: Range<usize>,
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
        let hostname = record.hostname.as_deref().map(|name| self.keep(name));
        let identifier = record.identifier.as_deref().map(|name| self.keep(name));
        let message = self.keep(if said.is_empty() { &[] } else { &record.message });
        let from = self.said.len();
        self.said.append(said);
        self.items.push(Item::Record(Kept {
            place: record.place,
            stamp: record.stamp,
            level: record.level,
            author: record.author,
            boot_id: record.boot_id,
            device: record.device,
            hostname,
            identifier,
            message,
            said: from..self.said.len(),
        }));
    }

    pub(super) fn gap(&mut self, gap: Gap, host: Option<&[u8]>) {
        let host = host.map(|host| self.keep(host));
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
        let text = |range: &Range<usize>| Cow::Borrowed(self.text.get(range.clone()).unwrap_or_default());
        self.items.iter().map(move |item| match item {
            Item::Record(kept) => {
                let record = Record {
                    place: kept.place,
                    stamp: kept.stamp,
                    level: kept.level,
                    author: kept.author,
                    hostname: kept.hostname.as_ref().map(text),
                    identifier: kept.identifier.as_ref().map(text),
                    boot_id: kept.boot_id,
                    device: kept.device,
                    message: text(&kept.message),
                };
                Piece::Record(record, self.said.get(kept.said.clone()).unwrap_or_default())
            }
            Item::Gap(gap, host) => {
                Piece::Gap(*gap, host.as_ref().map(|range| self.text.get(range.clone()).unwrap_or_default()))
            }
            Item::Boot(place, id) => Piece::Boot(*place, *id),
            Item::Unparsed(unparsed) => Piece::Unparsed(*unparsed),
        })
    }

    fn keep(&mut self, text: &[u8]) -> Range<usize> {
        let from = self.text.len();
        self.text.extend_from_slice(text);
        from..self.text.len()
    }
}
