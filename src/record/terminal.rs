//! What terminals get beside the text: colours, titles, character sets, returns of the carriage (ECMA-48, section 8.3; xterm's
//! control sequences).
//!
//! `dmesg --color=always` puts it around parts of a line, `journalctl` with `SYSTEMD_COLORS` around messages, and what reads
//! a serial line finds all of it.

use std::borrow::Cow;

use memchr::{memchr, memchr3};

use super::peel::{run, split};

const ESCAPE: u8 = 0x1b;
const SHIFT_OUT: u8 = 0x0e;
const SHIFT_IN: u8 = 0x0f;
const BELL: u8 = 0x07;

/// The text without control sequences.
pub(super) fn plain(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = next(text) else { return Cow::Borrowed(text) };
    let mut plain = Vec::with_capacity(text.len());
    let (mut rest, mut at) = (text, Some(first));
    while let Some(found) = at {
        let (before, sequence) = split(rest, found);
        plain.extend_from_slice(before);
        rest = behind(sequence);
        at = next(rest);
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

fn next(text: &[u8]) -> Option<usize> {
    let other = memchr3(ESCAPE, b'\r', SHIFT_OUT, text);
    let shift = memchr(SHIFT_IN, other.map_or(text, |at| split(text, at).0));
    shift.or(other)
}

/// What stands behind the sequence at the front.
fn behind(sequence: &[u8]) -> &[u8] {
    match sequence {
        [ESCAPE, b'[', rest @ ..] => {
            let (_, end) = run(rest, |byte| matches!(byte, 0x20..=0x3f));
            match end {
                [0x40..=0x7e, rest @ ..] => rest,
                _ => end,
            }
        }
        [ESCAPE, b']', rest @ ..] => match memchr::memchr2(BELL, ESCAPE, rest).map(|end| split(rest, end).1) {
            Some([BELL, rest @ ..] | [ESCAPE, b'\\', rest @ ..]) => rest,
            // A title without an end: only its start is taken off.
            _ => rest,
        },
        [ESCAPE, rest @ ..] => match run(rest, |byte| matches!(byte, 0x20..=0x2f)) {
            // Other bytes behind a lone escape are text.
            ([], [b'7' | b'8' | b'=' | b'>' | b'c' | b'D' | b'E' | b'H' | b'M' | b'\\', rest @ ..])
            | ([b'(' | b')' | b'*' | b'+' | b'#' | b'%', ..], [0x30..=0x7e, rest @ ..]) => rest,
            _ => rest,
        },
        [_, rest @ ..] => rest,
        [] => sequence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_sequence_is_taken_off() {
        for (text, expected) in [
            ("plain", "plain"),
            ("\x1b[0;1;31mred\x1b[0m", "red"),
            ("\x1b[0;38;5;245mgrey\x1b[0m\x1b[K", "grey"),
            ("\x1b[?25lhidden", "hidden"),
            ("\x1b]0;title\x07text", "text"),
            ("\x1b]8;;file:///x\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\x1b(Btext\x0f", "text"),
            ("\x0etext\x1bM", "text"),
            ("one\rtwo", "onetwo"),
            ("\x1b", ""),
            ("\x1b[", ""),
            ("\x1b[1", ""),
            ("\x1b]no end", "no end"),
        ] {
            assert_eq!(&*plain(text.as_bytes()), expected.as_bytes(), "{text:?}");
        }
    }
}
