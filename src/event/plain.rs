//! Messages that can be read without a regular expression: what pciback puts before them, and one text with numbers in it.
//! Nearly all that is ours in any log is of these.

use super::Found;
use crate::pci::Address;

/// What is no text in a regular expression.
const SPECIAL: &str = r"\.^$|?*+()[]{}";

/// A pattern that leaves no choice behind the prefix.
#[derive(Debug)]
pub(super) struct Plain {
    /// Whether the prefix is a device's, not the module's.
    device: bool,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Text(Vec<u8>),
    /// `{n}`
    Number,
    /// `{x}`
    Hex,
}

impl Plain {
    /// The pattern of a [`super::Message`], if it is so simple.
    pub(super) fn of(pattern: &str) -> Option<Self> {
        let (device, mut rest) = match pattern.strip_prefix("{p}") {
            Some(rest) => (true, rest),
            None => (false, pattern.strip_prefix("{m}")?),
        };
        let mut pieces = Vec::new();
        while let Some(first) = rest.chars().next() {
            let mut holes = [("{n}", Piece::Number), ("{x}", Piece::Hex)].into_iter();
            if let Some((piece, behind)) = holes.find_map(|(name, piece)| Some((piece, rest.strip_prefix(name)?))) {
                pieces.push(piece);
                rest = behind;
                continue;
            }
            let escaped = rest.strip_prefix('\\');
            let letter = escaped.unwrap_or(rest).chars().next()?;
            // A letter behind a backslash is a class, and what needs a backslash is no text without one.
            if !first.is_ascii() || SPECIAL.contains(letter) != escaped.is_some() {
                return None;
            }
            match pieces.last_mut() {
                Some(Piece::Text(text)) => text.push(letter as u8),
                _ => pieces.push(Piece::Text(vec![letter as u8])),
            }
            rest = escaped.unwrap_or(rest).get(1..)?;
        }
        Some(Self { device, pieces })
    }

    /// What the message behind `opening` says, if it is this one from its first byte to its last.
    pub(super) fn read<'a>(&self, opening: &Opening<'a>) -> Option<Found<'a>> {
        let Opening { device, mut rest } = *opening;
        if device.is_some() != self.device {
            return None;
        }
        let mut number: Option<&[u8]> = None;
        for piece in &self.pieces {
            rest = match piece {
                Piece::Text(text) => rest.strip_prefix(text.as_slice())?,
                Piece::Number => {
                    let sign = usize::from(rest.first() == Some(&b'-'));
                    let digits = rest.iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count();
                    let (found, behind) = rest.split_at_checked(sign + digits).filter(|_| digits > 0)?;
                    number = Some(found);
                    behind
                }
                Piece::Hex => {
                    let (found, behind) = rest.split_at_checked(4)?;
                    found.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(behind)?
                }
            };
        }
        rest.trim_ascii().is_empty().then_some(Found::Plain { device, number })
    }
}

/// What pciback puts before a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening<'a> {
    /// The device, or none where the module speaks for itself.
    device: Option<Address>,
    rest: &'a [u8],
}

impl<'a> Opening<'a> {
    /// Takes off what the patterns have `{p}` or `{m}` for.
    pub(super) fn of(message: &'a [u8]) -> Option<Self> {
        let Some(rest) = message.strip_prefix(b"pciback ") else {
            return Some(Self { device: None, rest: module(message)? });
        };
        let (address, rest) = Address::peel(rest)?;
        let rest = rest.strip_prefix(b": ")?;
        Some(Self { device: Some(address), rest: module(rest).unwrap_or(rest) })
    }
}

fn module(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"xen_pciback: ").or_else(|| text.strip_prefix(b"xen-pciback: "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::messages;

    #[test]
    fn the_frequent_messages_need_no_regular_expression() {
        let plain: Vec<_> = messages().filter(|message| Plain::of(message.pattern).is_some()).collect();
        let patterns: Vec<_> = plain.iter().map(|message| message.pattern).collect();
        for frequent in ["seizing device", "backend is vpci", "registering for {n}", "enabling device"] {
            assert!(patterns.iter().any(|pattern| pattern.contains(frequent)), "{frequent}: {patterns:?}");
        }
        for message in plain {
            let plain = Plain::of(message.pattern).unwrap();
            for example in message.examples {
                assert!(plain.read(&Opening::of(example.as_bytes()).unwrap()).is_some(), "{example}");
            }
        }
    }
}
