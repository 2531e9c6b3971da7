//! Logs in UTF-16: what PowerShell writes when it puts the output of a command (`ssh dom0 dmesg > log.txt`) into a file.

use std::borrow::Cow;

use super::peel::split;

/// Turns UTF-16 into UTF-8, however it is cut into reads. A log in UTF-16 begins with the mark of its byte order.
#[derive(Debug, Default)]
pub(super) struct Wide {
    order: Order,
    /// Bytes of a character that is not whole yet, at most three.
    held: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order {
    /// The log has not begun.
    #[default]
    Undecided,
    /// It is not UTF-16.
    Narrow,
    Little,
    Big,
}

impl Wide {
    /// For bytes that are not the first ones of a log.
    pub(super) const fn narrow() -> Self {
        Self { order: Order::Narrow, held: Vec::new() }
    }

    /// The next bytes are not the first ones of the log.
    pub(super) fn begin(&mut self) {
        if self.order == Order::Undecided {
            self.order = Order::Narrow;
        }
    }

    /// The next bytes of the log, in UTF-8 if they are UTF-16.
    pub(super) fn take<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.order == Order::Narrow {
            return Cow::Borrowed(bytes);
        }
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        if self.order == Order::Undecided {
            self.order = match *all.as_slice() {
                [] | [0xff | 0xfe] => {
                    self.held = all;
                    return Cow::Borrowed(&[]);
                }
                [0xff, 0xfe, ..] => Order::Little,
                [0xfe, 0xff, ..] => Order::Big,
                _ => {
                    self.order = Order::Narrow;
                    return Cow::Owned(all);
                }
            };
            all.drain(..2);
        }
        let units: Vec<u16> = all.as_chunks::<2>().0.iter().map(|unit| self.unit(*unit)).collect();
        // The first half of a character waits for the second one.
        let whole = units.len() - usize::from(matches!(units.last(), Some(0xd800..=0xdbff)));
        self.held = split(&all, whole * 2).1.to_vec();
        let text: String = char::decode_utf16(units.into_iter().take(whole))
            .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        Cow::Owned(text.into_bytes())
    }

    /// What is left at the end of the log.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    const fn unit(&self, bytes: [u8; 2]) -> u16 {
        if matches!(self.order, Order::Big) { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf_16_becomes_utf_8_however_it_is_cut() {
        let text = "[    1.000000] Mär 😀\r\n";
        let little: Vec<u8> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
        for bytes in [&little, &big, &text.as_bytes().to_vec()] {
            for length in 1..=bytes.len() {
                let mut wide = Wide::default();
                let read: Vec<u8> = bytes.chunks(length).flat_map(|part| wide.take(part).into_owned()).collect();
                assert_eq!((String::from_utf8(read).unwrap(), wide.rest()), (text.to_owned(), Vec::new()), "{length}");
            }
        }
    }

    #[test]
    fn half_a_mark_and_half_a_character_are_kept() {
        let mut wide = Wide::default();
        assert_eq!((&*wide.take(b"\xff"), wide.rest()), (&b""[..], vec![0xff]));
        let mut wide = Wide::default();
        assert_eq!((&*wide.take(b"\xff\xfea\0b"), wide.rest()), (&b"a"[..], b"b".to_vec()));
        assert_eq!(&*Wide::narrow().take(b"\xff\xfea\0"), b"\xff\xfea\0");
    }
}
