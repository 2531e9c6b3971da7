//! Records whose line somebody broke: a mail program between two words, a terminal at its last column.
//!
//! The lines below such a record have no form of their own ([`Below`]). They are its end only where the message needs one and all is a
//! known message with them; otherwise they stay what they are, and the record stays cut.

use std::borrow::Cow;
use std::ops::Range;

use super::{Event, Recogniser, Said};
use crate::record::{Below, Record};

/// Most lines that one of pciback's messages is broken into.
const MOST: usize = 4;

/// Lengths of a line that a terminal broke at its 80th column, with its end of one or two bytes.
const TERMINAL: std::ops::RangeInclusive<u64> = 81..=82;

/// The keys that decide about devices.
const KEYS: [&[u8]; 3] = [b"xen-pciback.hide=", b"xen_pciback.hide=", b"rd.qubes.hide_pci="];

/// No program breaks a line where the next word would not have gone past this column.
const NARROWEST: u64 = 60;

/// Recognises the records of a log one by one, broken ones put together.
#[derive(Clone, Debug, Default)]
pub struct Joiner {
    /// Where the lines stand that belong to a record above them.
    lines: Range<u64>,
}

impl Joiner {
    /// Hands on a record and what it says, if it is none of another one's lines.
    pub fn hear(&mut self, record: &Record<'_>, take: &mut dyn FnMut(&Record<'_>, &[Said])) {
        if self.lines.contains(&record.place.offset) {
            return;
        }
        let mut said = Vec::new();
        Recogniser::get().hear(record, &mut |one| said.push(one));
        match unwrapped(record, &said) {
            Some(whole) => {
                self.lines = whole.lines;
                take(&whole.record, &whole.said);
            }
            None => take(record, &said),
        }
    }
}

/// A record put together out of several lines.
#[derive(Debug)]
struct Unwrapped {
    /// The record, whole.
    record: Record<'static>,
    /// What it says.
    said: Vec<Said>,
    /// Where the lines below it stand that belong to it.
    lines: Range<u64>,
}

/// Puts a record together that says `said` as it stands, if it goes on in the lines below it.
fn unwrapped(record: &Record<'_>, said: &[Said]) -> Option<Unwrapped> {
    let first = record.below.first()?;
    let takes_all = |said: &Said| matches!(said.event, Event::CommandLine { .. } | Event::Booted { .. });
    if said.iter().any(takes_all) {
        let (message, lines) = parameters(record);
        return (lines > 0).then(|| made(record, message, first.offset..u64::MAX).keep(lines, record));
    }
    let doubtful =
        |said: &Said| matches!(said.event, Event::Damaged { .. } | Event::Unrecognised { .. } | Event::Bound { .. });
    if !said.iter().any(doubtful) {
        return None;
    }
    let most = record.below.len().min(MOST);
    (1..=most).flat_map(|lines| [(lines, &b" "[..]), (lines, b"")]).find_map(|(lines, between)| {
        let mut message = record.message.trim_ascii_end().to_vec();
        for below in record.below.iter().take(lines) {
            // A break of quoted-printable (RFC 2045, section 6.7) has its own mark.
            let length = message.strip_suffix(b"=").map_or(message.len(), <[u8]>::len);
            message.truncate(length);
            message.extend_from_slice(between);
            message.extend_from_slice(below.text.trim_ascii());
        }
        let made = made(record, message, first.offset..u64::MAX).keep(lines, record);
        (!made.said.is_empty() && !made.said.iter().any(doubtful)).then_some(made)
    })
}

fn made(record: &Record<'_>, message: Vec<u8>, lines: Range<u64>) -> Unwrapped {
    let whole = Record { message: Cow::Owned(message), below: Vec::new(), ..record.clone() }.into_owned();
    let mut said = Vec::new();
    Recogniser::get().hear(&whole, &mut |one| said.push(one));
    Unwrapped { record: whole, said, lines }
}

impl Unwrapped {
    /// The first `lines` lines below the record belong to it.
    fn keep(mut self, lines: usize, record: &Record<'_>) -> Self {
        if let Some(next) = record.below.get(lines) {
            self.lines.end = next.offset;
        } else if let Some(last) = record.below.last() {
            self.lines.end = last.offset + 1;
        }
        self
    }
}

/// A command line with the lines below it, and how many of these belong to it: words are put apart, the parts of one word are not.
fn parameters(record: &Record<'_>) -> (Vec<u8>, usize) {
    let mut lines = 0;
    let mut message = record.message.to_vec();
    let mut from = record.place.offset;
    let starts = || std::iter::once(record.place.offset).chain(record.below.iter().map(|below| below.offset));
    let mut lengths = starts().zip(starts().skip(1)).map(|(from, next)| next - from);
    let width = lengths.next().filter(|width| record.below.len() > 1 && lengths.all(|length| length == *width));
    for Below { offset, text } in &record.below {
        let length = offset - from;
        from = *offset;
        let at_edge = width.is_some() || TERMINAL.contains(&length);
        let word = text.split(|byte| *byte == b' ').next().map_or(0, |word| word.len() as u64);
        if length + word < NARROWEST {
            break;
        }
        lines += 1;
        if let Some(length) = message.strip_suffix(b"=").map(<[u8]>::len).filter(|_| is_quoted_printable(&message)) {
            message.truncate(length);
        } else if !goes_on(&message, text, at_edge) {
            message.truncate(message.trim_ascii_end().len());
            message.push(b' ');
        }
        message.extend_from_slice(text.trim_ascii_end());
    }
    (message, lines)
}

/// Whether every `=` in the text is one of quoted-printable.
fn is_quoted_printable(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"=3D").is_some()
}

/// Whether a line was broken inside a word: a list of devices is in both lines, or the line ends at the edge of a terminal.
fn goes_on(line: &[u8], next: &[u8], at_edge: bool) -> bool {
    if line.ends_with(b" ") || next.starts_with(b" ") {
        return false;
    }
    let word = line.rsplit(|byte| *byte == b' ').next().unwrap_or(line);
    let opens = memchr::memrchr(b'(', word) > memchr::memrchr(b')', word);
    let splits = |key: &&[u8]| {
        let part = key.strip_prefix(word).filter(|part| !word.is_empty() && !part.is_empty());
        part.is_some_and(|part| next.starts_with(part))
    };
    let begins = KEYS.iter().any(|key| next.starts_with(key));
    let listed = matches!(next, [b'(', digit, ..] if digit.is_ascii_hexdigit());
    opens || listed || KEYS.iter().any(splits) || (at_edge && !begins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Decoder, Input};

    /// The messages of a log, wrapped ones put together.
    fn messages(log: &str) -> Vec<String> {
        let (mut found, mut joiner) = (Vec::new(), Joiner::default());
        let mut decoder = Decoder::new(0);
        let mut sink = |input: Input<'_>| {
            let Input::Record(record) = input else { return };
            joiner.hear(&record, &mut |record, _| found.push(String::from_utf8_lossy(&record.message).into_owned()));
        };
        decoder.feed(log.as_bytes(), &mut sink);
        decoder.finish(&mut sink);
        found
    }

    #[test]
    fn a_message_is_put_together_where_it_is_known_then() {
        for (log, expected) in [
            (
                "Apr 05 20:31:04 dom0 kernel: pciback 0000:00:02.0: xen_pciback:\nseizing device\n",
                vec!["pciback 0000:00:02.0: xen_pciback: seizing device"],
            ),
            (
                "> [   11.335120] pciback 0000:c3:00.4: xen_pciback: vpci: assign to vi=\n> rtual slot 0\n> prose\n",
                vec!["pciback 0000:c3:00.4: xen_pciback: vpci: assign to virtual slot 0", "prose"],
            ),
            (
                "[   11.335120] pciback 0000:c3:00.4: xen_pciback: vpci: assign to vir\ntual slot 0\n",
                vec!["pciback 0000:c3:00.4: xen_pciback: vpci: assign to virtual slot 0"],
            ),
            (
                "[    1.000000] pciback 0000:c3:00.4: xen_pciback: seizing device\nroot@dom0:~# xl list\n",
                vec!["pciback 0000:c3:00.4: xen_pciback: seizing device", "root@dom0:~# xl list"],
            ),
            (
                "[    1.000000] pciback 0000:c3:00.4: xen_pciback:\n\nseizing device\n",
                vec!["pciback 0000:c3:00.4: xen_pciback:", "seizing device"],
            ),
            (
                "[    1.000000] pciback 0000:c3:00.4: xen_pciback:\nand then it hung\n",
                vec!["pciback 0000:c3:00.4: xen_pciback:", "and then it hung"],
            ),
        ] {
            assert_eq!(messages(log), expected, "{log}");
        }
    }

    #[test]
    fn a_command_line_is_put_together_word_by_word() {
        let wide = format!("[    0.000000] Command line: {}xen-pcib\nack.hide=(01:00.0) quiet\n", "a".repeat(42) + " ");
        for (log, expected) in [
            (
                "[    0.000000] Command line: placeholder ro\nxen-pciback.hide=(01:00.0)(02:00.0)\n",
                "Command line: placeholder ro xen-pciback.hide=(01:00.0)(02:00.0)",
            ),
            (
                "[    0.000000] Command line: placeholder ro xen-pciback.hide=(01:00.0)(02\n:00.0) quiet\n",
                "Command line: placeholder ro xen-pciback.hide=(01:00.0)(02:00.0) quiet",
            ),
            (
                "[    0.000000] Command line: ro xen-pciback.hide=(01:00.0)\n(02:00.0) quiet\n",
                "Command line: ro xen-pciback.hide=(01:00.0)(02:00.0) quiet",
            ),
            (
                "[    0.000000] Command line: placeholder ro=3D1 xen-pciback.hi=\nde=3D(01:00.0)\n",
                "Command line: placeholder ro=3D1 xen-pciback.hide=3D(01:00.0)",
            ),
            (
                "[    0.000000] Command line: placeholder root=/dev/sda1 ro xen-\npciback.hide=(01:00.0) quiet\n",
                "Command line: placeholder root=/dev/sda1 ro xen-pciback.hide=(01:00.0) quiet",
            ),
            (
                "[    0.000000] Command line: placeholder root=/dev/sda1 ro quiet\npciback.hide=(01:00.0)\n",
                "Command line: placeholder root=/dev/sda1 ro quiet pciback.hide=(01:00.0)",
            ),
            (&wide, &format!("Command line: {} xen-pciback.hide=(01:00.0) quiet", "a".repeat(42))),
        ] {
            assert_eq!(messages(log), [expected], "{log}");
        }
    }
}
