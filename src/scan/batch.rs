//! What was found in a piece of a log, on its way from the thread that reads to the one that puts hosts together.

use std::borrow::Cow;
use std::ops::Range;

use crate::event::Said;
use crate::pci::Address;
use crate::record::{Author, BootId, Gap, Place, Record, Stamp, Unparsed, Wall};

/// A batch is handed on when it holds this many bytes or things.
const FULL: (usize, usize) = (16 << 10, 128);

/// What the kernel is called in a syslog.
pub(super) const KERNEL: &[u8] = b"kernel";

/// One thing of a batch, in the order of the log.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// Records.
    Run(Run<'a>),
    /// Records are missing: of this host, or nobody knows of which.
    Gap(Gap, Option<&'a [u8]>),
    /// Another boot begins.
    Boot(Place, Option<BootId>),
    /// Bytes that are no record.
    Unparsed(Unparsed),
    /// When a line of this host was written, without its year.
    Time(Wall, &'a [u8]),
}

/// Records one behind the other of the same host, program, boot and time: what is to be found of these is looked up once.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) host: Option<&'a [u8]>,
    identifier: Option<&'a [u8]>,
    common: Common,
    kept: &'a [Kept],
    batch: &'a Batch,
}

/// Things found in a log, in its order. Their texts stand one behind the other: an allocation for each would cost more than
/// finding them does.
#[derive(Debug, Default)]
pub(super) struct Batch {
    text: Vec<u8>,
    said: Vec<Said>,
    kept: Vec<Kept>,
    items: Vec<Item>,
}

#[derive(Debug)]
enum Item {
    /// Records, and which of those kept they are.
    Run(Head, Range<u32>),
    Gap(Gap, Option<Range<u32>>),
    Boot(Place, Option<BootId>),
    Unparsed(Unparsed),
    Time(Wall, Range<u32>),
}

/// What the records of a run have in common.
#[derive(Debug)]
struct Head {
    host: Option<Range<u32>>,
    /// A program other than the kernel.
    identifier: Option<Range<u32>>,
    common: Common,
}

/// The part of it that is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Common {
    /// Whether the kernel wrote them, by their program. Mostly it did, and no texts need be compared for that.
    tagged: bool,
    boot_id: Option<BootId>,
    wall: Option<Wall>,
    level: Option<u8>,
    author: Author,
    device: Option<Address>,
    line: u64,
    sequence: Option<u64>,
}

/// The rest of a record.
#[derive(Debug)]
struct Kept {
    offset: u64,
    uptime: Option<u64>,
    words: Words,
}

/// Where the message of a record stands in its batch, and what it says.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    message: Range<u32>,
    said: Range<u32>,
}

impl Common {
    fn of(record: &Record<'_>) -> Self {
        let Record { boot_id, level, author, device, .. } = *record;
        let Place { line, sequence, .. } = record.place;
        let tagged = record.identifier.as_deref() == Some(KERNEL);
        Self { tagged, boot_id, wall: record.stamp.wall, level, author, device, line, sequence }
    }
}

impl Batch {
    /// Makes room for all that goes into one that will be full, so that it fits as well when it is used again.
    pub(super) fn make_room(&mut self) {
        let (text, items) = FULL;
        self.text.reserve(text * 2);
        self.said.reserve(items * 2);
        self.kept.reserve(items + 1);
        self.items.reserve(items + 1);
    }

    /// Empties it. What it took in memory is there for the next.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.said.clear();
        self.kept.clear();
        self.items.clear();
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) const fn is_full(&self) -> bool {
        self.text.len() >= FULL.0 || self.kept.len() >= FULL.1 || self.items.len() >= FULL.1
    }

    /// Adds a message and what it says.
    pub(super) fn words(&mut self, message: &[u8], said: &mut Vec<Said>) -> Words {
        let from = length(&self.said);
        self.said.append(said);
        Words { message: self.keep(message), said: from..length(&self.said) }
    }

    /// Adds a record, of which this batch has the words; of one that says nothing there are none. `same` says that its line begins
    /// as that of the record that was added last.
    pub(super) fn record(&mut self, record: &Record<'_>, words: Words, same: bool) {
        self.run(record, same);
        self.kept.push(Kept { offset: record.place.offset, uptime: record.stamp.uptime, words });
    }

    /// Makes the run that the next record goes into.
    fn run(&mut self, record: &Record<'_>, same: bool) {
        let next = length(&self.kept);
        // What its line begins with says nothing of its level: that can stand behind it (`kernel: <6>[    5.721955] text`).
        if let Some(Item::Run(head, run)) = self.items.last_mut().filter(|_| same)
            && head.common.level == record.level
        {
            run.end = next + 1;
            return;
        }
        let common = Common::of(record);
        let (host, identifier) = (record.hostname.as_deref(), record.identifier.as_deref().filter(|_| !common.tagged));
        let is = |kept: &Option<Range<u32>>, text| kept.as_ref().map(|kept| part(&self.text, kept)) == text;
        if let Some(Item::Run(head, run)) = self.items.last_mut()
            && is(&head.host, host)
            && is(&head.identifier, identifier)
            && head.common == common
        {
            run.end = next + 1;
            return;
        }
        let host = host.map(|host| self.keep(host));
        let identifier = identifier.map(|identifier| self.keep(identifier));
        self.items.push(Item::Run(Head { host, identifier, common }, next..next + 1));
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

    pub(super) fn time(&mut self, wall: Wall, host: &[u8]) {
        let host = self.keep(host);
        self.items.push(Item::Time(wall, host));
    }

    /// Everything in it, in order.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.items.iter().map(|item| match item {
            Item::Run(head, run) => {
                let text = |text: &Option<Range<u32>>| text.as_ref().map(|text| part(&self.text, text));
                let (host, identifier) =
                    (text(&head.host), if head.common.tagged { Some(KERNEL) } else { text(&head.identifier) });
                Piece::Run(Run { host, identifier, common: head.common, kept: part(&self.kept, run), batch: self })
            }
            Item::Gap(gap, host) => Piece::Gap(*gap, host.as_ref().map(|host| part(&self.text, host))),
            Item::Boot(place, id) => Piece::Boot(*place, *id),
            Item::Unparsed(unparsed) => Piece::Unparsed(*unparsed),
            Item::Time(wall, host) => Piece::Time(*wall, part(&self.text, host)),
        })
    }

    /// Keeps a text, and returns where it stands.
    fn keep(&mut self, text: &[u8]) -> Range<u32> {
        let from = length(&self.text);
        self.text.extend_from_slice(text);
        from..length(&self.text)
    }
}

impl<'a> Run<'a> {
    /// What its records are by what they have in common: without their host, in the first one's place.
    pub(super) fn common(&self) -> Record<'a> {
        let Common { boot_id, wall, level, author, device, line, sequence, .. } = self.common;
        let identifier = self.identifier.map(Cow::Borrowed);
        let offset = self.kept.first().map_or(0, |first| first.offset);
        let place = Place { line, sequence, offset, log: 0 };
        let stamp = Stamp { uptime: None, wall };
        Record { stamp, level, author, identifier, boot_id, device, ..Record::bare(place, &[]) }
    }

    /// Whether any of its records says anything.
    pub(super) fn says_something(&self) -> bool {
        self.kept.iter().any(|kept| !kept.words.said.is_empty())
    }

    /// Hands out each record, made from what they have in common, and what it says; without anything said, it only shows that its
    /// host went on.
    pub(super) fn each(&self, common: Record<'a>, mut sink: impl FnMut(&mut Record<'a>, &'a [Said])) {
        let Batch { text, said, .. } = self.batch;
        let mut record = common;
        for kept in self.kept {
            record.place.offset = kept.offset;
            record.stamp.uptime = kept.uptime;
            record.message = Cow::Borrowed(part(text, &kept.words.message));
            sink(&mut record, part(said, &kept.words.said));
        }
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
