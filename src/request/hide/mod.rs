//! The hide list as the kernel reads it: `pcistub_init` in drivers/xen/xen-pciback/pci_stub.c, both generations.

mod advice;
mod fault;
mod scan;
mod shorten;

pub use advice::{Advice, Lookalike, advise, nearest};
pub use fault::Fault;
pub(in crate::request) use scan::is_space;
pub use shorten::{addresses, shortest};

use std::ops::Range;

use crate::pci::{Era, KernelVersion, Pattern};
use scan::{Number, Scan, Wanted, sscanf};

/// The longest list the kernel lets through to pciback, in bytes (`param_set_charp` in kernel/params.c: a longer one is
/// refused with ENOSPC before pciback sees it).
pub const LONGEST: usize = 1024;

/// How a kernel reads a hide list. An [`Era`] or a [`KernelVersion`] is turned into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grammar {
    /// The generation of pciback's parser.
    pub era: Era,
    /// What becomes of a number of more than 64 bits.
    pub wide: Wide,
}

/// What a kernel makes of a number of more than 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wide {
    /// The upper bits are lost.
    Wraps,
    /// It becomes the largest number there is, which as a slot or function is a wildcard. Seen of a 7.2 kernel, and not
    /// of 6.1 (testdata/dom0).
    Saturates,
}

impl From<Era> for Grammar {
    fn from(era: Era) -> Self {
        Self { era, wide: Wide::Wraps }
    }
}

impl From<KernelVersion> for Grammar {
    fn from(kernel: KernelVersion) -> Self {
        let wide = if kernel < (KernelVersion { major: 7, minor: 2 }) { Wide::Wraps } else { Wide::Saturates };
        Self { era: kernel.era(), wide }
    }
}

/// A part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The PCI domain.
    Domain,
    /// The bus number.
    Bus,
    /// The slot, also called device number.
    Slot,
    /// The function.
    Function,
}

impl Part {
    /// What it is called in a message.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Bus => "bus",
            Self::Slot => "slot",
            Self::Function => "function",
        }
    }

    /// The largest number pciback accepts there from 3.7 on (`pcistub_device_id_add`).
    pub const fn most(self) -> u32 {
        match self {
            Self::Domain => 0xffff,
            Self::Bus => 0xff,
            Self::Slot => 0x1f,
            Self::Function => 7,
        }
    }
}

/// A number that means something else to the kernel than what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which part of the address.
    pub part: Part,
    /// The number as written.
    pub written: String,
    /// What the kernel makes of it; `None` when it becomes the wildcard (its top bit is set).
    pub became: Option<u32>,
}

/// One entry of a hide list that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The bytes of the list it stands in, brackets included and blanks around it not.
    pub text: Range<usize>,
    /// What the kernel reads there.
    pub pattern: Pattern,
    /// The numbers that wrapped around.
    pub changed: Vec<Changed>,
    /// Whether the kernel got so far. It may have refused the whole list afterwards: see [`HideList::accepted`].
    pub reached: bool,
}

/// What the kernel of an era makes of a hide list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HideList {
    /// Every entry that can be read, in order, also those behind a fault.
    pub entries: Vec<Entry>,
    /// What is wrong with the list: the first thing the kernel meets.
    pub fault: Option<Fault>,
    text: Vec<u8>,
}

impl HideList {
    /// Whether the kernel takes the list. One that is cut short it takes, without a word about what it dropped.
    pub const fn accepted(&self) -> bool {
        matches!(self.fault, None | Some(Fault::CutShort { .. }))
    }

    /// The entries in force: none of a refused list.
    pub fn in_force(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| self.accepted() && entry.reached)
    }

    /// The entries that can be read but that the kernel never came to.
    pub fn dropped(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.reached)
    }

    /// The list up to the byte 0 that would end it.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    fn push(&mut self, entry: Entry) {
        self.entries.push(Entry { reached: self.fault.is_none(), ..entry });
    }

    /// A part of the list, to quote.
    pub fn quote(&self, part: &Range<usize>) -> String {
        String::from_utf8_lossy(self.text.get(part.clone()).unwrap_or_default()).into_owned()
    }

    /// What the record "Error parsing `pci_devs_to_hide` at" quotes (`pci_stub.c`, every version): the list from the
    /// first malformed entry on. `None` where the kernel prints no such line.
    pub fn kernel_rest(&self) -> Option<&[u8]> {
        match &self.fault {
            Some(Fault::Malformed { entry, .. }) => self.text.get(*entry..),
            Some(Fault::OutOfRange { .. } | Fault::CutShort { .. } | Fault::TooLong { .. }) | None => None,
        }
    }
}

/// Reads the value of `hide=` as a kernel does.
pub fn read(list: &[u8], grammar: impl Into<Grammar>) -> HideList {
    let mut read = read_of_any_length(list, grammar.into());
    let length = read.text.len();
    if length > LONGEST {
        read.fault = Some(Fault::TooLong { length });
        read.entries.iter_mut().for_each(|entry| entry.reached = false);
    }
    read
}

/// The same for a list that no kernel parameter has to carry.
pub(in crate::request) fn read_of_any_length(list: &[u8], grammar: Grammar) -> HideList {
    let text = list.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut read = HideList { entries: Vec::new(), fault: None, text: text.to_vec() };
    let mut from = 0;
    while from < text.len() {
        let behind = match read_entry(text, from, grammar) {
            Outcome::Entry { entry, next } => {
                read.push(entry);
                from = next;
                continue;
            }
            Outcome::Unclosed { entry, at } => {
                read.push(entry);
                let entry = read.entries.len() - 1;
                read.fault.get_or_insert(Fault::CutShort { entry, rest: at..text.len() });
                at
            }
            Outcome::OutOfRange { fault, next } => {
                read.fault.get_or_insert(fault);
                next
            }
            Outcome::Malformed { at, wanted } => {
                read.fault.get_or_insert_with(|| Fault::malformed(text, from, at, &wanted));
                let start = from + blanks(text, from);
                at.max(start + 1)
            }
        };
        from = text.iter().skip(behind).position(|byte| *byte == b'(').map_or(text.len(), |bracket| behind + bracket);
    }
    read
}

/// How many blanks there are from the byte `from` on.
fn blanks(text: &[u8], from: usize) -> usize {
    text.iter().skip(from).take_while(|byte| is_space(**byte)).count()
}

/// One turn of the kernel's loop.
enum Outcome {
    /// An entry, and where the next one begins.
    Entry { entry: Entry, next: usize },
    /// An entry without its bracket, which is missing at `at`: up to 3.6 it counts, and is the last.
    Unclosed { entry: Entry, at: usize },
    /// An entry with a number that is too large. Behind `next` there may be others.
    OutOfRange { fault: Fault, next: usize },
    /// No entry: nothing of what was wanted stands at `at`, which is the furthest any form came.
    Malformed { at: usize, wanted: Vec<Wanted> },
}

fn read_entry(text: &[u8], from: usize, grammar: Grammar) -> Outcome {
    let mut tried = Tried { text, from, wide: grammar.wide, scans: Vec::new() };
    let matched = match grammar.era {
        Era::UpTo3_6 => tried.forms_up_to_3_6(),
        Era::From3_7 => tried.forms_from_3_7(),
    };
    let (furthest, wanted) = tried.furthest();
    let Some((parts, end)) = matched else { return Outcome::Malformed { at: furthest, wanted } };
    let start = from + blanks(text, from);
    let kept = text.get(start..end.unwrap_or(furthest)).unwrap_or_default();
    let trailing = kept.iter().rev().take_while(|byte| is_space(**byte)).count();
    let range = start..start + kept.len() - trailing;
    match (parts.pattern(text, grammar.era, &range), end) {
        (Err(fault), end) => Outcome::OutOfRange { fault, next: end.unwrap_or(furthest) },
        (Ok((pattern, changed)), end) => {
            let entry = Entry { text: range, pattern, changed, reached: true };
            match end {
                Some(next) => Outcome::Entry { entry, next },
                None => Outcome::Unclosed { entry, at: furthest },
            }
        }
    }
}

/// The numbers of an entry; a part without one is a wildcard, a domain without one is 0.
#[derive(Default)]
struct Parts {
    domain: Option<Number>,
    bus: Number,
    slot: Option<Number>,
    function: Option<Number>,
}

impl Parts {
    /// `pcistub_device_id_add`: what becomes of the numbers.
    fn pattern(&self, text: &[u8], era: Era, entry: &Range<usize>) -> Result<(Pattern, Vec<Changed>), Fault> {
        let mut changed = Vec::new();
        let mut settle = |part: Part, number: &Number| {
            let written = || String::from_utf8_lossy(text.get(number.text.clone()).unwrap_or_default()).into_owned();
            let value = number.value;
            let became = match (era, part) {
                // struct pcistub_device_id keeps an int, an unsigned char and PCI_DEVFN(), which masks both numbers.
                (Era::UpTo3_6, Part::Bus | Part::Slot | Part::Function) => Some(value & part.most()),
                // A negative int is how a wildcard is passed on.
                (Era::From3_7, Part::Slot | Part::Function) if value > i32::MAX.unsigned_abs() => None,
                (Era::From3_7, _) if value > part.most() => {
                    let (entry, most) = (entry.clone(), part.most());
                    return Err(Fault::OutOfRange { entry, part, written: written(), value, most });
                }
                (Era::UpTo3_6, Part::Domain) | (Era::From3_7, _) => Some(value),
            };
            if !number.exact || became != Some(value) {
                changed.push(Changed { part, written: written(), became });
            }
            Ok(became)
        };
        let mut optional = |part, number: Option<&Number>| number.map_or(Ok(None), |number| settle(part, number));
        let domain = optional(Part::Domain, self.domain.as_ref())?.unwrap_or(0);
        let bus = optional(Part::Bus, Some(&self.bus))?.map_or(0, low_byte);
        let slot = optional(Part::Slot, self.slot.as_ref())?.map(low_byte);
        let function = optional(Part::Function, self.function.as_ref())?.map(low_byte);
        Ok((Pattern { domain, bus, slot, function }, changed))
    }
}

const fn low_byte(value: u32) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low
}

/// The forms tried on one entry, and how far each got.
struct Tried<'a> {
    text: &'a [u8],
    from: usize,
    wide: Wide,
    scans: Vec<Scan>,
}

impl Tried<'_> {
    fn scan(&mut self, format: &str) -> Scan {
        let scan = sscanf(self.text, self.from, format, self.wide);
        self.scans.push(scan.clone());
        scan
    }

    /// The loop of 2.6.18-xen, 2.6.32 and 3.1 to 3.6: only the numbers count, not whether the bracket was there.
    fn forms_up_to_3_6(&mut self) -> Option<(Parts, Option<usize>)> {
        let full = self.scan(" (%x:%x:%x.%x) %n");
        if let Ok([domain, bus, slot, function]) = <[Number; 4]>::try_from(full.numbers) {
            let parts = Parts { domain: Some(domain), bus, slot: Some(slot), function: Some(function) };
            return Some((parts, full.end));
        }
        let short = self.scan(" (%x:%x.%x) %n");
        let [bus, slot, function] = <[Number; 3]>::try_from(short.numbers).ok()?;
        Some((Parts { domain: None, bus, slot: Some(slot), function: Some(function) }, short.end))
    }

    /// The loop from 3.7 on: a form counts when all of it matched. A wildcard form is only tried after exactly as many
    /// numbers as it has, and the forms without a domain only after none with one.
    fn forms_from_3_7(&mut self) -> Option<(Parts, Option<usize>)> {
        let mut full = self.scan(" (%x:%x:%x.%x) %n");
        match full.numbers.len() {
            3 => full = self.scan(" (%x:%x:%x.*) %n"),
            2 => full = self.scan(" (%x:%x:*.*) %n"),
            _ => {}
        }
        if full.end.is_some() {
            let mut numbers = full.numbers.into_iter();
            let (domain, bus) = (numbers.next(), numbers.next()?);
            return Some((Parts { domain, bus, slot: numbers.next(), function: numbers.next() }, full.end));
        }
        let mut short = self.scan(" (%x:%x.%x) %n");
        match short.numbers.len() {
            2 => short = self.scan(" (%x:%x.*) %n"),
            1 => short = self.scan(" (%x:*.*) %n"),
            _ => {}
        }
        let end = short.end?;
        let mut numbers = short.numbers.into_iter();
        let bus = numbers.next()?;
        Some((Parts { domain: None, bus, slot: numbers.next(), function: numbers.next() }, Some(end)))
    }

    /// The furthest place where a form stopped, and what was wanted there.
    fn furthest(&self) -> (usize, Vec<Wanted>) {
        let stops = || self.scans.iter().filter_map(|scan| scan.stopped);
        let at = stops().map(|(at, _)| at).max().unwrap_or(self.from);
        let mut wanted: Vec<_> = stops().filter(|(stop, _)| *stop == at).map(|(_, wanted)| wanted).collect();
        wanted.sort_unstable();
        wanted.dedup();
        (at, wanted)
    }
}

#[cfg(test)]
mod tests;
