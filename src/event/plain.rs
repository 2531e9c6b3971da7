//! Messages that can be read without a regular expression: what pciback or the PCI core puts before them, if anything, and one
//! text with numbers in it. Nearly all that is ours in any log is of these.

use super::Found;
use crate::pci::Address;

/// What is no text in a regular expression.
const SPECIAL: &str = r"\.^$|?*+()[]{}";

/// What patterns begin with, and who says what does.
const SPEAKERS: [(&str, Speaker); 3] = [("{p}", Speaker::Driver), ("{m}", Speaker::Module), ("{c}", Speaker::Core)];

/// What stands in patterns that are read here, and what it stands for.
const HOLES: [(&str, Piece); 8] = [
    ("{n}", Piece::Number),
    (r"(?<release>[0-9]\S*)", Piece::Release),
    ("(?<line>.*)", Piece::Line),
    ("{x}", Piece::Hex(4)),
    ("[0-9a-f]{2}", Piece::Hex(2)),
    ("[0-9a-f]{6}", Piece::Hex(6)),
    (".*", Piece::Rest),
    ("(?: .*)?", Piece::More),
];

/// Who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaker {
    /// pciback, of a device.
    Driver,
    /// The module, for itself.
    Module,
    /// The PCI core, of a device.
    Core,
    /// The kernel, of itself: nothing stands before the text.
    Kernel,
}

/// A pattern that leaves no choice behind the prefix.
#[derive(Debug)]
pub(super) struct Plain {
    speaker: Speaker,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(Vec<u8>),
    Number,
    /// A digit, and whatever is no blank.
    Release,
    /// Anything, to the end, which is what it says.
    Line,
    /// So many hexadecimal digits.
    Hex(usize),
    /// Anything, to the end.
    Rest,
    /// Nothing, or a space and anything to the end.
    More,
}

impl Plain {
    /// The pattern of a [`super::Message`], if it is so simple.
    pub(super) fn of(pattern: &str) -> Option<Self> {
        let begins = |(name, speaker): &(&str, Speaker)| Some((*speaker, pattern.strip_prefix(name)?));
        let (speaker, mut rest) = SPEAKERS.iter().find_map(begins).unwrap_or((Speaker::Kernel, pattern));
        let mut pieces = Vec::new();
        while let Some(first) = rest.chars().next() {
            if let Some((piece, behind)) =
                HOLES.iter().find_map(|(name, piece)| Some((piece, rest.strip_prefix(name)?)))
            {
                let is_last = matches!(piece, Piece::Rest | Piece::More | Piece::Line);
                if is_last && !behind.is_empty() {
                    return None;
                }
                pieces.push(piece.clone());
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
        Some(Self { speaker, pieces })
    }

    /// The first byte behind the prefix.
    pub(super) fn first(&self) -> Option<u8> {
        if let Some(Piece::Text(text)) = self.pieces.first() { text.first().copied() } else { None }
    }

    /// What the message behind `opening` says, if it is this one from its first byte to its last.
    pub(super) fn read<'a>(&self, opening: &Opening<'a>) -> Option<Found<'a>> {
        let Opening { speaker, device, mut rest } = *opening;
        if speaker != self.speaker {
            return None;
        }
        let mut part = None;
        for piece in &self.pieces {
            rest = match piece {
                Piece::Text(text) => rest.strip_prefix(text.as_slice())?,
                Piece::Number => {
                    let sign = usize::from(rest.first() == Some(&b'-'));
                    let digits = rest.iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count();
                    let (found, behind) = rest.split_at_checked(sign + digits).filter(|_| digits > 0)?;
                    part = Some(("n", found));
                    behind
                }
                Piece::Release => {
                    let blank = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ');
                    let end = rest.iter().position(blank).unwrap_or(rest.len());
                    let (found, behind) = rest.split_at_checked(end)?;
                    part = Some(("release", found)).filter(|_| rest.first().is_some_and(u8::is_ascii_digit));
                    part.is_some().then_some(behind)?
                }
                Piece::Line => {
                    part = Some(("line", rest));
                    &[]
                }
                Piece::Hex(digits) => {
                    let (found, behind) = rest.split_at_checked(*digits)?;
                    found.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(behind)?
                }
                Piece::Rest => &[],
                Piece::More if rest.first() == Some(&b' ') => &[],
                Piece::More => rest,
            };
        }
        rest.trim_ascii().is_empty().then_some(Found::Plain { device, part })
    }
}

/// What stands before a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening<'a> {
    speaker: Speaker,
    /// The device, unless the module or the kernel speaks for itself.
    device: Option<Address>,
    rest: &'a [u8],
}

impl<'a> Opening<'a> {
    /// The first byte behind the prefix.
    pub(super) fn first(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes off what the patterns begin with.
    pub(super) fn of(message: &'a [u8]) -> Option<Self> {
        let (speaker, rest) = match message {
            [b'p', b'c', b'i', b' ', rest @ ..] => (Speaker::Core, rest),
            [b'p', b'c', b'i', b'b', b'a', b'c', b'k', b' ', rest @ ..] => (Speaker::Driver, rest),
            [b'p', b'c', b'i', ..] => return None,
            _ => {
                let own = module(message);
                let speaker = if own.is_some() { Speaker::Module } else { Speaker::Kernel };
                return Some(Self { speaker, device: None, rest: own.unwrap_or(message) });
            }
        };
        let (address, rest) = Address::peel(rest)?;
        let rest = rest.strip_prefix(b": ")?;
        let own = if speaker == Speaker::Driver { module(rest) } else { None };
        Some(Self { speaker, device: Some(address), rest: own.unwrap_or(rest) })
    }
}

fn module(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'x', b'e', b'n', b'_' | b'-', rest @ ..] => rest.strip_prefix(b"pciback: "),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::messages;

    #[test]
    fn the_frequent_messages_need_no_regular_expression() {
        let plain: Vec<_> = messages().filter(|message| Plain::of(message.pattern).is_some()).collect();
        let patterns: Vec<_> = plain.iter().map(|message| message.pattern).collect();
        let frequent = [
            "{p}seizing device",
            "backend is vpci",
            "registering for {n}",
            "enabling device",
            "virtual slot {n}",
            "read-only configuration space field",
            " class 0x",
        ];
        for frequent in frequent {
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
