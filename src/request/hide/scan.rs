//! The kernel's `sscanf`, as far as pciback's forms need it: `vsscanf` in lib/vsprintf.c. Where it matters here, only
//! [`Wide`] numbers have changed since 2.6.18.

use std::ops::Range;

use super::Wide;

/// Whether the kernel calls the byte a space: lib/ctype.c gives the class to 0x09 to 0x0d, to the blank and to 0xa0, the
/// no-break space of Latin-1.
pub(in crate::request) const fn is_space(byte: u8) -> bool {
    matches!(byte, 0x09..=0x0d | b' ' | 0xa0)
}

/// A number that `%x` converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number {
    /// What the kernel stores: 64 bits, cut to the 32 of an `int`.
    pub(super) value: u32,
    /// Whether that is the number as written.
    pub(super) exact: bool,
    /// Where its digits stand, prefix included.
    pub(super) text: Range<usize>,
}

/// What a form would have taken next, at the place where it stopped matching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Expected {
    Digit,
    Literal(u8),
}

/// How far one form got.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    /// The numbers converted: `sscanf` returns how many there are.
    pub(super) numbers: Vec<Number>,
    /// What `%n` stored: where the form ended, when all of it matched.
    pub(super) end: Option<usize>,
    /// Where the form stopped matching, and what it wanted there.
    pub(super) stopped: Option<(usize, Expected)>,
}

/// Matches `text`, from the byte `from` on, against a `format` of blanks, literals, `%x` and `%n`.
pub(super) fn sscanf(text: &[u8], from: usize, format: &str, wide: Wide) -> Scanner {
    let mut scan = Scanner { numbers: Vec::new(), end: None, stopped: None };
    let mut input = Input { rest: text.get(from..).unwrap_or_default(), at: from, wide };
    let mut format = format.bytes();
    while let Some(directive) = format.next() {
        let wanted = match directive {
            b' ' => {
                input.skip_spaces();
                continue;
            }
            b'%' if format.next() == Some(b'x') => match input.number() {
                Some(number) => {
                    scan.numbers.push(number);
                    continue;
                }
                None => Expected::Digit,
            },
            b'%' => {
                scan.end = Some(input.at);
                continue;
            }
            literal if input.take(literal) => continue,
            literal => Expected::Literal(literal),
        };
        scan.stopped = Some((input.at, wanted));
        break;
    }
    scan
}

struct Input<'a> {
    rest: &'a [u8],
    at: usize,
    wide: Wide,
}

impl Input<'_> {
    fn skip_spaces(&mut self) {
        while let Some((byte, rest)) = self.rest.split_first()
            && is_space(*byte)
        {
            (self.rest, self.at) = (rest, self.at + 1);
        }
    }

    fn take(&mut self, literal: u8) -> bool {
        let Some((byte, rest)) = self.rest.split_first() else { return false };
        if *byte == literal {
            (self.rest, self.at) = (rest, self.at + 1);
        }
        *byte == literal
    }

    fn hex_digit(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        let digit = char::from(*byte).to_digit(16)?;
        (self.rest, self.at) = (rest, self.at + 1);
        u8::try_from(digit).ok()
    }

    /// `%x`: blanks, one digit that must be there, then `simple_strtoull` with base 16. That skips `0x` without asking
    /// for a digit behind it, so that `0x` alone is 0; signs it does not know.
    fn number(&mut self) -> Option<Number> {
        self.skip_spaces();
        if !self.rest.first().is_some_and(u8::is_ascii_hexdigit) {
            return None;
        }
        let start = self.at;
        if let [b'0', b'x' | b'X', rest @ ..] = self.rest {
            (self.rest, self.at) = (rest, self.at + 2);
        }
        let (mut value, mut exact) = (0_u64, true);
        while let Some(digit) = self.hex_digit() {
            let shifted = value.checked_mul(16);
            exact &= shifted.is_some();
            value = match (shifted, self.wide) {
                (Some(shifted), _) => shifted | u64::from(digit),
                (None, Wide::Wraps) => value.wrapping_mul(16) | u64::from(digit),
                (None, Wide::Saturates) => u64::MAX,
            };
        }
        exact &= u32::try_from(value).is_ok();
        let [low @ .., _, _, _, _] = value.to_le_bytes();
        Some(Number { value: u32::from_le_bytes(low), exact, text: start..self.at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &[u8], format: &str) -> Vec<u32> {
        sscanf(text, 0, format, Wide::Wraps).numbers.into_iter().map(|number| number.value).collect()
    }

    #[test]
    fn numbers_are_read_as_the_kernel_reads_them() {
        for (text, value) in [
            ("1d", 0x1d),
            ("1D", 0x1d),
            ("0x1d", 0x1d),
            ("0X", 0),
            ("0x", 0),
            ("00x1", 0),
            ("000000000000000000001d", 0x1d),
            ("ffffffff", u32::MAX),
            ("100000000", 0),
            ("1000000000000001d", 0x1d),
            (" \t\u{b}7", 7),
        ] {
            assert_eq!(numbers(text.as_bytes(), "%x"), [value], "{text}");
        }
        for text in ["", "-1", "+1", "g", "x0", "*"] {
            assert!(numbers(text.as_bytes(), "%x").is_empty(), "{text}");
        }
        assert_eq!(numbers(b"\xa0\xa07", "%x"), [7]);
        assert!(numbers(b"\x857", "%x").is_empty());
    }

    #[test]
    fn a_form_stops_where_it_no_longer_matches() {
        let scan = sscanf(b"(00: 1d .0)", 0, " (%x:%x.%x) %n", Wide::Wraps);
        assert_eq!((scan.numbers.len(), scan.end), (2, None));
        assert_eq!(scan.stopped, Some((7, Expected::Literal(b'.'))));
        assert_eq!(sscanf(b"(00:1d.0)  (", 0, " (%x:%x.%x) %n", Wide::Wraps).end, Some(11));
        assert_eq!(sscanf(b"", 0, " (%x", Wide::Wraps).stopped, Some((0, Expected::Literal(b'('))));
    }

    #[test]
    fn a_number_that_lost_bits_says_so() {
        let exact = |text: &str| sscanf(text.as_bytes(), 0, "%x", Wide::Wraps).numbers[0].exact;
        assert!(exact("ffffffff") && exact("00000000001") && exact("0x"));
        assert!(!exact("100000000") && !exact("10000000000000001"));
    }

    #[test]
    fn more_than_64_bits_saturate_from_7_2_on() {
        let value = |text: &str, wide| sscanf(text.as_bytes(), 0, "%x", wide).numbers[0].value;
        for (text, wrapped, saturated) in [
            ("10000000000000001", 1, u32::MAX),
            ("100000000000000001d", 0x1d, u32::MAX),
            ("100000001", 1, 1),
            ("00000000000000000000000000000000000007", 7, 7),
        ] {
            assert_eq!((value(text, Wide::Wraps), value(text, Wide::Saturates)), (wrapped, saturated), "{text}");
        }
    }
}
