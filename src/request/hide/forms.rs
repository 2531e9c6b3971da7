//! One entry of a hide list: the forms that `pcistub_init` tries, and what `pcistub_device_id_add` makes of the numbers
//! (drivers/xen/xen-pciback/pci_stub.c of 3.6 and of 7.1).

use std::ops::Range;

use super::scan::{Expected, Number, Scanner, is_space, sscanf};
use super::{Changed, Entry, Fault, Grammar, Part, Wide};
use crate::pci::{Era, Pattern};

/// One turn of the kernel's loop.
pub(super) enum EntryOutcome {
    /// An entry, and where the next one begins.
    Entry { entry: Entry, next: usize },
    /// An entry without its bracket, which is missing at `at`: up to 3.6 it counts, and is the last.
    Unclosed { entry: Entry, at: usize },
    /// An entry with a number that is too large. Behind `next` there may be others.
    OutOfRange { fault: Fault, next: usize },
    /// No entry: nothing of what was wanted stands at `at`, which is the furthest any form came.
    Malformed { at: usize, wanted: Vec<Expected> },
}

/// Reads the entry that begins at the byte `from`, blanks before it included.
pub(super) fn read_entry(text: &[u8], from: usize, grammar: Grammar) -> EntryOutcome {
    let mut tried = Tried { text, from, wide: grammar.wide, stops: Vec::new() };
    let matched = match grammar.era {
        Era::UpTo3_6 => tried.forms_up_to_3_6(),
        Era::From3_7 => tried.forms_from_3_7(),
    };
    let (furthest, wanted) = tried.furthest();
    let Some((parts, end)) = matched else { return EntryOutcome::Malformed { at: furthest, wanted } };
    let start = from + blanks(text, from);
    let kept = text.get(start..end.unwrap_or(furthest)).unwrap_or_default();
    let trailing = kept.iter().rev().take_while(|byte| is_space(**byte)).count();
    let range = start..start + kept.len() - trailing;
    match (parts.pattern(text, grammar.era, &range), end) {
        (Err(fault), end) => EntryOutcome::OutOfRange { fault, next: end.unwrap_or(furthest) },
        (Ok((pattern, changed)), end) => {
            let entry = Entry { text: range, pattern, changed, reached: true };
            match end {
                Some(next) => EntryOutcome::Entry { entry, next },
                None => EntryOutcome::Unclosed { entry, at: furthest },
            }
        }
    }
}

/// The numbers of an entry; a part without one is a wildcard, a domain without one is 0.
struct EntryParts {
    domain: Option<Number>,
    bus: Number,
    slot: Option<Number>,
    function: Option<Number>,
}

impl EntryParts {
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

/// The forms tried on one entry, and where each stopped that did not match.
struct Tried<'a> {
    text: &'a [u8],
    from: usize,
    wide: Wide,
    stops: Vec<(usize, Expected)>,
}

impl Tried<'_> {
    fn scan(&mut self, format: &str) -> Scanner {
        let scan = sscanf(self.text, self.from, format, self.wide);
        self.stops.extend(scan.stopped);
        scan
    }

    /// The loop of 2.6.18-xen, 2.6.32 and 3.1 to 3.6: only the numbers count, not whether the bracket was there.
    fn forms_up_to_3_6(&mut self) -> Option<(EntryParts, Option<usize>)> {
        let full = self.scan(" (%x:%x:%x.%x) %n");
        if let Ok([domain, bus, slot, function]) = <[Number; 4]>::try_from(full.numbers) {
            let parts = EntryParts { domain: Some(domain), bus, slot: Some(slot), function: Some(function) };
            return Some((parts, full.end));
        }
        let short = self.scan(" (%x:%x.%x) %n");
        let [bus, slot, function] = <[Number; 3]>::try_from(short.numbers).ok()?;
        Some((EntryParts { domain: None, bus, slot: Some(slot), function: Some(function) }, short.end))
    }

    /// The loop from 3.7 on: a form counts when all of it matched. A wildcard form is only tried after exactly as many
    /// numbers as it has, and the forms without a domain only after none with one.
    fn forms_from_3_7(&mut self) -> Option<(EntryParts, Option<usize>)> {
        let mut full = self.scan(" (%x:%x:%x.%x) %n");
        match full.numbers.len() {
            3 => full = self.scan(" (%x:%x:%x.*) %n"),
            2 => full = self.scan(" (%x:%x:*.*) %n"),
            _ => {}
        }
        if full.end.is_some() {
            let mut numbers = full.numbers.into_iter();
            let (domain, bus) = (numbers.next(), numbers.next()?);
            return Some((EntryParts { domain, bus, slot: numbers.next(), function: numbers.next() }, full.end));
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
        Some((EntryParts { domain: None, bus, slot: numbers.next(), function: numbers.next() }, Some(end)))
    }

    /// The furthest place where a form stopped, and what was wanted there.
    fn furthest(&self) -> (usize, Vec<Expected>) {
        let at = self.stops.iter().map(|(at, _)| *at).max().unwrap_or(self.from);
        let furthest = self.stops.iter().filter(|(stop, _)| *stop == at);
        let mut wanted: Vec<_> = furthest.map(|(_, wanted)| *wanted).collect();
        wanted.sort_unstable();
        wanted.dedup();
        (at, wanted)
    }
}

/// How many blanks there are from the byte `from` on.
pub(super) fn blanks(text: &[u8], from: usize) -> usize {
    text.iter().skip(from).take_while(|byte| is_space(**byte)).count()
}
