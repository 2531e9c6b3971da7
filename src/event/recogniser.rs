//! From a record to its facts.

use std::sync::{LazyLock, OnceLock};

use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexSet};

use super::plain::{Opening, Plain};
use super::{Event, Found, Message, Said, messages};
use crate::pci::Address;
use crate::record::{Author, Record};

/// What the holes in a pattern stand for. A hole may have others in it, which come behind it.
const HOLES: &[(&str, &str)] = &[
    // pciback's device prefix in every era: the second prefix came with 5.8, with `-` or `_` by source file.
    ("{p}", r"pciback (?<bdf>{a}): (?:{m})?"),
    // The PCI core's, of a device (drivers/pci/probe.c).
    ("{c}", r"pci (?<bdf>{a}): "),
    // What the fake interrupt handler calls itself (`pciback_ops.c` `xen_pcibk_control_isr`, "%s[%s]").
    ("{t}", r"(?:xen-)?pciback\[{a}\]:? "),
    // `%04x:%02x:%02x.%d`, domains above `ffff` with more digits.
    ("{a}", r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"),
    ("{m}", r"xen[-_]pciback: "),
    ("{n}", r"(?<n>-?[0-9]+)"),
    ("{x}", r"[0-9a-f]{4}"),
];

/// Names that stand where a driver's stands in a message, and are none.
const NOT_DRIVERS: &[&[u8]] = &[b"pci", b"pciback", b"xen-pciback", b"device", b"for", b"bridge", b"bus", b"at"];

/// How messages begin: what begins otherwise is none.
const BEGINNINGS: [&[u8; 4]; 10] =
    [b"pcib", b"pci ", b"pci-", b"xen-", b"xen_", b"Linu", b"Kern", b"Comm", b"hide", b"****"];

/// What stands between two messages that were run together.
const BETWEEN: &str = r"\s+(?:(?:<[0-9]{1,3}>)?\[ *[0-9]+\.[0-9]{6}\] )?";

struct Row {
    message: &'static Message,
    /// Compiled when it is first needed: most rows never are.
    pattern: OnceLock<Regex>,
}

/// Knows every message of [`messages`].
pub struct Recogniser {
    rows: Vec<Row>,
    /// All patterns of the rows as one: says which of them match.
    any: RegexSet,
    /// The rows that can be read without, by the first byte behind the prefix.
    plain: [Vec<(Plain, usize)>; 256],
    between: Regex,
    seizing: Finder<'static>,
}

impl std::fmt::Debug for Recogniser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recogniser").field("messages", &self.rows.len()).finish_non_exhaustive()
    }
}

/// The pattern of a whole message, or of several that are tried in this order.
fn anchored(pattern: &str) -> String {
    let pattern = HOLES.iter().fold(pattern.to_owned(), |pattern, (hole, meaning)| pattern.replace(hole, meaning));
    format!("(?s-u)^(?:{pattern})")
}

#[expect(clippy::expect_used, reason = "the patterns are constants, and a test compiles every one of them")]
fn regex(pattern: &str) -> Regex {
    Regex::new(&anchored(pattern)).expect("a constant pattern")
}

impl Row {
    fn pattern(&self) -> &Regex {
        self.pattern.get_or_init(|| regex(self.message.pattern))
    }
}

impl Recogniser {
    /// The one recogniser, compiled when first used.
    pub fn get() -> &'static Self {
        static ONE: LazyLock<Recogniser> = LazyLock::new(Recogniser::compile);
        &ONE
    }

    #[expect(clippy::expect_used, reason = "the patterns are constants, and a test compiles every one of them")]
    fn compile() -> Self {
        let mut plain = [const { Vec::new() }; 256];
        for (at, message) in messages().enumerate() {
            if let Some(row) = Plain::of(message.pattern)
                && let Some(rows) = row.first().and_then(|first| plain.get_mut(usize::from(first)))
            {
                rows.push((row, at));
            }
        }
        Self {
            rows: messages().map(|message| Row { message, pattern: OnceLock::new() }).collect(),
            any: RegexSet::new(messages().map(|message| anchored(message.pattern))).expect("constant patterns"),
            plain,
            between: regex(BETWEEN),
            seizing: Finder::new("seizing device"),
        }
    }

    /// Hands everything that `record` says to `sink`.
    pub fn hear(&self, record: &Record<'_>, sink: &mut dyn FnMut(Said)) {
        let message = record.message.as_ref();
        if let Some((event, levels)) = self.plain(message) {
            self.state(record, event, levels, sink);
            return;
        }
        let events = self.events(message);
        if events.is_empty()
            && let Some(event) = self.not_an_event(record).or_else(|| speaker(record))
        {
            self.state(record, event, &[], sink);
        }
        for (event, levels) in events {
            self.state(record, event, levels, sink);
        }
    }

    /// Reads a message that needs no regular expression and fills the record.
    fn plain(&self, message: &[u8]) -> Option<(Event, &'static [u8])> {
        if !begins(message) {
            return None;
        }
        let opening = Opening::of(message)?;
        let rows = self.plain.get(usize::from(opening.first()?))?;
        let (found, at) = rows.iter().find_map(|(plain, at)| Some((plain.read(&opening)?, *at)))?;
        let message = self.rows.get(at)?.message;
        Some(((message.read)(&found)?, message.levels))
    }

    /// The events that fill `message` from its first byte to its last, or none at all.
    fn events(&self, message: &[u8]) -> Vec<(Event, &'static [u8])> {
        let mut events = Vec::new();
        let mut rest = message;
        while !rest.is_empty() {
            let Some((event, row, behind)) = self.first(rest) else { return Vec::new() };
            events.push((event, row.message.levels));
            let skip = self.between.find(behind).map_or(0, |found| found.end());
            rest = if behind.trim_ascii().is_empty() { &[] } else { behind.get(skip..).unwrap_or_default() };
            if skip == 0 && !rest.is_empty() {
                return Vec::new();
            }
        }
        events
    }

    /// The message that `text` begins with, and what stands behind it.
    fn first<'a>(&self, text: &'a [u8]) -> Option<(Event, &Row, &'a [u8])> {
        if !begins(text) {
            return None;
        }
        self.any.matches(text).into_iter().find_map(|at| {
            let row = self.rows.get(at)?;
            let found = row.pattern().captures(text)?;
            let end = found.get(0)?.end();
            Some(((row.message.read)(&Found::Parts(found))?, row, text.get(end..)?))
        })
    }

    /// A record that names pciback without being one of our messages.
    fn not_an_event(&self, record: &Record<'_>) -> Option<Event> {
        let message = record.message.as_ref();
        // Debug messages are many, change with every version, and carry no state.
        if is_ours(message) && record.author != Author::User && record.level != Some(7) {
            let device = message.strip_prefix(b"pciback ").and_then(Address::peel);
            return Some(Event::Unrecognised { address: device.map(|(address, _)| address), failing: true });
        }
        let at = self.seizing.find(message)?;
        let before = message.get(..at)?;
        let from = memchr::memmem::rfind(before, b"pciback ")?;
        let address = message.get(from + 8..).and_then(Address::peel).map(|(address, _)| address);
        Some(Event::Quoted { address })
    }

    #[expect(clippy::unused_self, reason = "reads as a step of the recogniser")]
    fn state(&self, record: &Record<'_>, event: Event, levels: &[u8], sink: &mut dyn FnMut(Said)) {
        // The record's own dictionary is written by the kernel, never by a message: where both speak they must agree.
        if record.device.is_some() && event.address().is_some() && record.device != event.address() {
            return;
        }
        let wrong_level = record.level.is_some_and(|level| !levels.is_empty() && !levels.contains(&level));
        sink(Said { event, author: if wrong_level { Author::User } else { record.author } });
    }
}

/// Whether a text can be one of our messages.
fn begins(text: &[u8]) -> bool {
    text.first_chunk().is_some_and(|start| BEGINNINGS.contains(&start))
}

/// Whether a message begins as pciback's do, whatever it says: `pciback 0000:00:1d.0`, `xen_pciback: `, `xen-pciback pci-1-0`.
fn is_ours(message: &[u8]) -> bool {
    let prefix = message.strip_prefix(b"xen-").or_else(|| message.strip_prefix(b"xen_"));
    let Some(rest) = prefix.unwrap_or(message).strip_prefix(b"pciback") else { return false };
    let domain = rest.strip_prefix(b" ").and_then(|rest| rest.get(..memchr::memchr(b':', rest)?));
    let digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    rest.starts_with(b": ")
        || rest.starts_with(b" pci-")
        || domain.is_some_and(|domain| (4..=8).contains(&domain.len()) && domain.iter().all(digit))
}

/// The driver that speaks about a device in `dev_*` form: `uhci_hcd 0000:00:1d.0: UHCI Host Controller`.
///
/// The kernel prints the name of the driver that is bound at that moment (drivers/base/core.c `dev_driver_string`).
fn speaker(record: &Record<'_>) -> Option<Event> {
    let message = record.message.as_ref();
    let space = memchr::memchr(b' ', message.get(..32).unwrap_or(message))?;
    let (driver, rest) = message.split_at_checked(space)?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if record.author == Author::User || NOT_DRIVERS.contains(&driver) || !driver.iter().all(plain) {
        return None;
    }
    let (address, rest) = Address::peel(rest.get(1..)?)?;
    if !matches!(rest.first(), Some(b':' | b' ')) {
        return None;
    }
    Some(Event::HeldBy { address, driver: String::from_utf8_lossy(driver).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Place;

    fn facts(level: Option<u8>, author: Author, text: &str) -> Vec<Said> {
        let mut record = Record::bare(Place::default(), text.as_bytes());
        record.level = level;
        record.author = author;
        let mut facts = Vec::new();
        Recogniser::get().hear(&record, &mut |said| facts.push(said));
        facts
    }

    fn events(text: &str) -> Vec<Event> {
        facts(None, Author::Kernel, text).into_iter().map(|fact| fact.event).collect()
    }

    #[test]
    fn every_example_of_every_message_is_read_by_its_own_row() {
        let recogniser = Recogniser::get();
        for row in &recogniser.rows {
            for example in row.message.examples {
                let (event, found, rest) = recogniser.first(example.as_bytes()).expect(example);
                let plain = recogniser.plain(example.as_bytes());
                assert!(plain.is_none_or(|plain| plain == (event, row.message.levels)), "{example}");
                assert_eq!(found.message.pattern, row.message.pattern, "{example}");
                assert_eq!(rest, b"", "{example}");
            }
            assert!(!row.message.examples.is_empty() && !row.message.source.is_empty());
        }
    }

    #[test]
    fn what_the_kernel_says_of_itself_is_the_same_without_regular_expressions() {
        let recogniser = Recogniser::get();
        for (text, plain) in [
            ("Linux version 6.1.0-56-amd64 (x) #1 SMP", true),
            ("Linux version 6.1.0", true),
            ("Linux version 6.1.0 \n", true),
            ("Linux version 6.1.0\n", true),
            ("Linux version 6.1.0\u{b}", false),
            ("Linux version 6.1.0\tx", false),
            ("Linux version x", false),
            ("Linux version ", false),
            ("Linux  version 6", false),
            ("Command line: ", true),
            ("Command line: a\nb  ", true),
            ("Kernel command line: pciback 0000:00:1d.0: seizing device", true),
            ("Kernel command line:", false),
            ("Kernel Command line: x", false),
        ] {
            let read: Vec<_> = recogniser.plain(text.as_bytes()).into_iter().collect();
            assert_eq!(!read.is_empty(), plain, "{text:?}");
            if plain {
                assert_eq!(recogniser.events(text.as_bytes()), read, "{text:?}");
            }
        }
    }

    #[test]
    fn several_messages_run_together_are_all_found() {
        let found = events("pciback 0000:00:1d.0: seizing device pciback 0000:00:1d.1: seizing device");
        let addresses: Vec<String> = found.iter().filter_map(Event::address).map(|a| a.to_string()).collect();
        assert_eq!(addresses, ["0000:00:1d.0", "0000:00:1d.1"]);
        assert_eq!(
            events("pciback 0000:00:1d.0: seizing device [    1.648270] pciback 0000:00:1d.1: seizing device").len(),
            2
        );
    }

    #[test]
    fn quoting_the_driver_is_no_event() {
        for quote in [
            "usb 1-1: Product: pciback 0000:00:1d.0: xen_pciback: seizing device",
            "pciback 0000:00:1d.0: xen_pciback: seizing device\")",
            "note: pciback 0000:00:1d.2: xen_pciback: seizing device (quoted)",
            "pciback 0000:00:1d.0: xen_pciback: seizing devices",
        ] {
            assert!(!events(quote).iter().any(|event| matches!(event, Event::Seizing { .. })), "{quote}");
        }
        let refusal = events(
            "xen_pciback: Error parsing pci_devs_to_hide at \"pciback 0000:00:1d.1: xen_pciback: seizing device\"",
        );
        assert_eq!(
            refusal,
            [Event::ListRefused { rest: b"pciback 0000:00:1d.1: xen_pciback: seizing device".to_vec() }]
        );
    }

    #[test]
    fn a_seizing_line_at_another_level_is_not_the_drivers() {
        let line = "pciback 0000:00:1d.0: xen_pciback: seizing device";
        assert_eq!(facts(Some(6), Author::Kernel, line)[0].author, Author::Kernel);
        assert_eq!(facts(Some(3), Author::Kernel, line)[0].author, Author::User);
    }

    #[test]
    fn new_wording_is_noticed_and_debug_messages_are_not() {
        assert_eq!(
            events("pciback 0000:00:1d.0: xen_pciback: grabbing gadget"),
            [Event::Unrecognised { address: "00:1d.0".parse().ok(), failing: true }]
        );
        assert_eq!(events("pciback 0000:00:1d.0: xen_pciback: probing..."), [Event::Remark]);
        assert!(facts(Some(7), Author::Kernel, "pciback 0000:00:1d.0: xen_pciback: mumbling...").is_empty());
    }

    #[test]
    fn the_driver_that_speaks_holds_the_device() {
        let held = |text| matches!(events(text).as_slice(), [Event::HeldBy { driver, .. }] if driver == "uhci_hcd");
        assert!(held("uhci_hcd 0000:00:1d.0: UHCI Host Controller"));
        for other in [
            "pci 0000:00:1d.0: BAR 4: assigned",
            "uhci_hcd 0000:00:1d.0x",
            "pciback 0000:00:1d.0: enabling device (0000 -> 0002)",
        ] {
            assert!(!held(other), "{other}");
        }
    }
}
