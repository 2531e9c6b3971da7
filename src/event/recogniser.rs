//! From a record to its events.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::frontend::lacks_interrupts;
use super::holders::{failed_probe, is_failed_probe, speaker};
use super::opening::Opening;
use super::template::{Match, Template};
use super::unknown::{is_begun, priority, stamp};
use super::{DECISIVE, Event, Frontend, Hold, Message, OTHERS, Said, incident, user_space};
use crate::pci::Address;
use crate::record::{Author, Record};

/// Longest record in which messages are looked for. printk's own limit is 2 KiB at most (kernel/printk/printk.c
/// `LOG_LINE_MAX`, `PRINTKRB_RECORD_MAX`): what is longer is no record of the kernel's alone.
const LONGEST: usize = 16 << 10;

/// Most messages that are read from one record.
pub(super) const MOST: usize = 64;

/// What the hypervisor's refusal of a device reads like, under the name of any driver (see `device_core.rs`).
const REFUSED: [&[u8]; 2] =
    [b"Failed to add - passthrough or MSI/MSI-X might fail!", b"not registering with Xen: invalid PCI segment"];

/// One text of a message.
pub(super) struct Row {
    pub(super) template: Template,
    message: &'static Message,
    /// Whether the text is pciback's, or decides about a device of its.
    pub(super) decisive: bool,
}

/// Knows every message of [`super::messages`].
pub struct Recogniser {
    pub(super) rows: Vec<Row>,
    /// The rows by the first byte of their text.
    by_first: [Vec<usize>; 256],
    pub(super) pciback: Finder<'static>,
    seizing: Finder<'static>,
}

impl std::fmt::Debug for Recogniser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recogniser").field("texts", &self.rows.len()).finish_non_exhaustive()
    }
}

/// A message that was read.
#[derive(Debug)]
pub(super) struct Heard<'a> {
    pub(super) event: Event,
    levels: &'static [u8],
    /// What stands behind it.
    pub(super) rest: &'a [u8],
}

/// The messages that a record begins with.
struct Run<'a> {
    events: Vec<(Event, &'static [u8])>,
    /// What stands behind the last one.
    rest: &'a [u8],
    /// Whether the rest begins as a record of its own.
    begins: bool,
}

impl Recogniser {
    /// The one recogniser, made when first used.
    pub fn get() -> &'static Self {
        static ONE: LazyLock<Recogniser> = LazyLock::new(Recogniser::new);
        &ONE
    }

    fn new() -> Self {
        let families = DECISIVE.iter().map(|family| (family, true)).chain(OTHERS.iter().map(|family| (family, false)));
        let mut rows = Vec::new();
        for (family, decisive) in families {
            for message in *family {
                let templates = message.texts.iter().filter_map(|text| Template::of(text));
                rows.extend(templates.map(|template| Row { template, message, decisive }));
            }
        }
        let mut by_first = [const { Vec::new() }; 256];
        for (at, row) in rows.iter().enumerate() {
            if let Some(list) = row.template.first().and_then(|first| by_first.get_mut(usize::from(first))) {
                list.push(at);
            }
        }
        Self { rows, by_first, pciback: Finder::new("pciback"), seizing: Finder::new("seizing device") }
    }

    /// Hands everything that `record` says to `sink`.
    pub fn hear(&self, record: &Record<'_>, sink: &mut dyn FnMut(Said)) {
        let message = record.message.as_ref();
        if message.len() > LONGEST {
            if record.author != Author::User && self.pciback.find(message).is_some() {
                state(record, Event::Damaged { address: None }, &[], sink);
            }
            return;
        }
        let run = self.run(message);
        if run.rest.is_empty() {
            // The end of another's message may be one of pciback's, which lost its beginning.
            let others = record.author == Author::Unstated && run.events.iter().all(|(event, _)| !event.is_pciback());
            let merged = if others && self.pciback.find(message).is_some() { self.quoted(message) } else { Vec::new() };
            let unsaid = merged.into_iter().map(|event| (event, &[][..]));
            for (event, levels) in run.events.into_iter().chain(unsaid) {
                state(record, event, levels, sink);
            }
        } else if record.author == Author::User {
            let up = user_space::is_up(record).then_some(Event::UserSpaceUp);
            if let Some(event) = up.or_else(|| self.quotes_seizing(message)) {
                state(record, event, &[], sink);
            }
        } else if run.events.is_empty() {
            self.hear_other(record, sink);
        } else {
            self.hear_merged(record, run, sink);
        }
    }

    /// A record that begins with no known message.
    fn hear_other(&self, record: &Record<'_>, sink: &mut dyn FnMut(Said)) {
        let message = record.message.as_ref();
        if user_space::is_up(record) {
            return state(record, Event::UserSpaceUp, &[], sink);
        }
        let mut events = Vec::new();
        if self.pciback.find(message).is_some() {
            events = self.unknown(message, record.level == Some(7));
            if events.is_empty() && record.author == Author::Kernel {
                events.extend(self.quotes_seizing(message));
            } else if events.is_empty() {
                events = self.quoted(message);
                if events.is_empty() {
                    events.extend(self.torn(message));
                }
            }
        } else if is_begun(message) && record.author != Author::User {
            events.push(Event::Damaged { address: None });
        }
        if events.is_empty()
            && let Some((address, driver, text)) = speaker(record)
        {
            if REFUSED.contains(&text.trim_ascii_end()) {
                events.push(Event::XenRefused { address });
            }
            events.extend(incident::reported(address, text).or_else(|| incident::stuck(address, text)));
            if lacks_interrupts(text) {
                events.push(Event::Frontend { said: Frontend::NoInterrupts { address } });
            }
            events.push(if text.starts_with(b"xen_pciback: ") || text.starts_with(b"xen-pciback: ") {
                // The name of the driver in front is what is left of pciback's.
                Event::Damaged { address: Some(address) }
            } else if is_failed_probe(text) {
                Event::Probed { address }
            } else {
                Event::HeldBy { address, driver: String::from_utf8_lossy(driver).into_owned() }
            });
        }
        if events.is_empty() {
            events.extend(failed_probe(record).map(|address| Event::Probed { address }));
        }
        for event in events {
            state(record, event, &[], sink);
        }
    }

    /// A record that begins with known messages and goes on with something else.
    fn hear_merged(&self, record: &Record<'_>, run: Run<'_>, sink: &mut dyn FnMut(Said)) {
        let debug = record.level == Some(7);
        let mut behind = if run.begins { self.unknown(run.rest, debug) } else { Vec::new() };
        if run.events.len() >= MOST {
            behind = vec![Event::Damaged { address: None }];
        }
        if behind.is_empty() {
            // Nobody can tell whether these are the driver's words or a quotation of them.
            let own = run
                .events
                .iter()
                .map(|(event, _)| event)
                .filter(|event| event.is_pciback() && !matches!(event, Event::BackendReady | Event::Remark));
            behind.extend(own.map(|event| Event::Damaged { address: event.address() }));
            behind.extend(self.quoted(run.rest));
            behind.dedup();
            if behind.is_empty() {
                behind = self.unknown(record.message.as_ref(), debug);
            }
        } else {
            for (event, levels) in run.events {
                state(record, event, levels, sink);
            }
        }
        for event in behind {
            state(record, event, &[], sink);
        }
    }

    /// The messages that `message` begins with. One that is repeated at once counts once.
    fn run<'a>(&self, message: &'a [u8]) -> Run<'a> {
        let mut run = Run { events: Vec::new(), rest: message, begins: true };
        while begins(run.rest) && run.events.len() < MOST {
            let Some(heard) = Opening::of(run.rest).and_then(|opening| self.first(&opening)) else { break };
            if run.events.last().is_none_or(|(event, _)| *event != heard.event) {
                run.events.push((heard.event, heard.levels));
            }
            let next = between(heard.rest);
            run.begins = next.is_some();
            run.rest = if heard.rest.trim_ascii().is_empty() { &[] } else { next.unwrap_or(heard.rest) };
            if !run.begins {
                break;
            }
        }
        run
    }

    /// The message that begins the text behind `opening`. Of several, the longest that ends where a message can end; one
    /// that takes all that comes only where there is no other.
    pub(super) fn first<'a>(&self, opening: &Opening<'a>) -> Option<Heard<'a>> {
        let rows = self.by_first.get(usize::from(*opening.text.first()?))?;
        let mut best: Option<((bool, usize), Heard<'a>)> = None;
        for row in rows.iter().filter_map(|at| self.rows.get(*at)) {
            let Match::Whole { found, rest, open } = row.template.compare(opening) else { continue };
            let rank =
                (!open && (rest.trim_ascii().is_empty() || between(rest).is_some()), opening.text.len() - rest.len());
            if best.as_ref().is_some_and(|(best, _)| *best >= rank) {
                continue;
            }
            if let Some(event) = (row.message.read)(&found) {
                best = Some((rank, Heard { event, levels: row.message.levels, rest }));
            }
        }
        best.map(|(_, heard)| heard)
    }

    /// A record that has a seizing line somewhere inside it.
    fn quotes_seizing(&self, message: &[u8]) -> Option<Event> {
        let before = message.get(..self.seizing.find(message)?)?;
        let from = memchr::memmem::rfind(before, b"pciback ")?;
        let address = message.get(from + 8..).and_then(Address::peel).map(|(address, _)| address);
        Some(Event::Quoted { address })
    }
}

/// Hands on an event of `record`.
fn state(record: &Record<'_>, event: Event, levels: &[u8], sink: &mut dyn FnMut(Said)) {
    let author = record.author;
    // The dictionary is written by the kernel, never by a message: where both speak they must agree.
    let contradicted = event.address().filter(|address| record.device.is_some_and(|device| device != *address));
    // A port speaks of the device behind it.
    let contradicted = contradicted.filter(|_| !matches!(event, Event::Incident { hold: Hold::Unsaid, .. }));
    if let Some(address) = contradicted {
        if author != Author::User && (event.is_pciback() || matches!(event, Event::XenRefused { .. })) {
            for address in [Some(address), record.device] {
                sink(Said { event: Event::Damaged { address }, author });
            }
        }
        return;
    }
    let is_of_nobody = matches!(event, Event::Damaged { address: None });
    let event = if is_of_nobody { Event::Damaged { address: record.device } } else { event };
    let wrong_level = record.level.is_some_and(|level| !levels.is_empty() && !levels.contains(&level));
    sink(Said { event, author: if wrong_level { Author::User } else { author } });
}

/// Whether a text can be one of the known messages, by its first bytes.
fn begins(text: &[u8]) -> bool {
    let Some(start) = text.first_chunk::<4>() else { return false };
    match start {
        b"pcib" | b"pci " | b"xen-" | b"xen_" | b"Linu" | b"Kern" | b"Comm" | b"hide" | b"****" | b"ACPI" | b"pcif"
        | b"Xen " | b"PCI:" | b"sett" | b"Boot" | b"Hype" | b"rebo" | b"Rest" | b"Powe" | b"Syst" | b"mach"
        | b"kexe" | b"Star" | b"[drm" | b"nvme" | b"e100" | b"bttv" | b"Yent" | b"erro" | b"XENB" | b"xenb" => true,
        [b's', b'a', b'a', digit] => digit.is_ascii_digit(),
        _ => false,
    }
}

/// What stands behind the end of a message that another was run together with: blanks, or a record's own priority and
/// stamp. `None` where the text goes on otherwise, or the priority is one of user space.
fn between(text: &[u8]) -> Option<&[u8]> {
    let rest = text.trim_ascii_start();
    let (rest, numbered) = match priority(rest) {
        Some((0..=7, rest)) => (rest, true),
        Some(_) => return None,
        None => (rest, false),
    };
    match stamp(rest) {
        Some(rest) => Some(rest.trim_ascii_start()),
        None => (!numbered && rest.len() < text.len()).then_some(rest),
    }
}

#[cfg(test)]
mod tests;
