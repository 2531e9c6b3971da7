//! The text of a message with holes in it, and how a record is compared with it.

use super::Found;
use super::opening::{Opening, Speaker};
use crate::pci::Address;

/// What a text begins with, who says that, and whether pciback's second prefix may stand behind it.
const SPEAKERS: [(&str, Speaker, bool); 6] = [
    ("{p}", Speaker::Driver, true),
    ("{k}", Speaker::Driver, false),
    ("{m}", Speaker::Module, true),
    ("{b}", Speaker::Backend, true),
    ("{c}", Speaker::Core, true),
    ("", Speaker::Kernel, true),
];

const HOLES: [(&str, Piece); 6] = [
    ("{n}", Piece::Number),
    ("{x}", Piece::Hex),
    ("{w}", Piece::Word),
    ("{a}", Piece::Address),
    ("{*}", Piece::Any),
    ("{+}", Piece::More),
];

/// How far a hole that takes anything may reach before the text goes on: a list of devices has 1,024 characters at most.
const FARTHEST: usize = 2048;

#[derive(Clone, Copy, Debug)]
enum Piece {
    Text(&'static str),
    /// A decimal number, perhaps negative.
    Number,
    /// Hexadecimal digits.
    Hex,
    /// Anything but blanks.
    Word,
    /// An address in the kernel's spelling.
    Address,
    /// Anything, up to the text behind it or to the end.
    Any,
    /// Nothing, or a blank and anything to the end.
    More,
}

/// One text of a [`super::Message`].
#[derive(Debug)]
pub(super) struct Template {
    speaker: Speaker,
    /// Whether the second prefix may stand before it.
    own: bool,
    pieces: Vec<Piece>,
}

/// How a template and a text compare.
#[derive(Debug)]
pub(super) enum Match<'a> {
    /// The text begins with the whole template.
    Whole {
        found: Found<'a>,
        /// What stands behind the message.
        rest: &'a [u8],
        /// Whether the message takes all that comes.
        open: bool,
    },
    /// The text ends inside the template.
    Cut,
    /// They differ.
    Differs,
}

/// What a piece takes from the front of a text.
enum Taken<'a> {
    Part(&'a [u8], &'a [u8]),
    Cut,
    Nothing,
}

impl Template {
    /// Reads the text of a row.
    pub(super) fn of(text: &'static str) -> Option<Self> {
        let (speaker, own, mut rest) =
            SPEAKERS.iter().find_map(|(name, speaker, own)| Some((*speaker, *own, text.strip_prefix(name)?)))?;
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let hole = HOLES.iter().find_map(|(name, piece)| Some((*piece, rest.strip_prefix(name)?)));
            let (piece, behind) = if let Some(hole) = hole {
                hole
            } else {
                let end = HOLES.iter().filter_map(|(name, _)| rest.find(name)).min().unwrap_or(rest.len());
                let (text, behind) = rest.split_at_checked(end)?;
                (Piece::Text(text), behind)
            };
            pieces.push(piece);
            rest = behind;
        }
        Some(Self { speaker, own, pieces })
    }

    /// The first byte behind what [`SPEAKERS`] names.
    pub(super) fn first(&self) -> Option<u8> {
        if let Some(Piece::Text(text)) = self.pieces.first() { text.bytes().next() } else { None }
    }

    /// Compares the text behind `opening`.
    pub(super) fn compare<'a>(&self, opening: &Opening<'a>) -> Match<'a> {
        if opening.speaker != self.speaker || (opening.own && !self.own) {
            return Match::Differs;
        }
        let mut found = Found { device: opening.device, ..Found::default() };
        let mut rest = opening.text;
        let mut pieces = self.pieces.iter().peekable();
        let mut parts = found.parts.iter_mut();
        let mut open = false;
        while let Some(piece) = pieces.next() {
            let (part, behind) = match piece.take(rest, pieces.peek().copied()) {
                Taken::Part(part, behind) => (part, behind),
                Taken::Cut => return Match::Cut,
                Taken::Nothing => return Match::Differs,
            };
            match piece {
                Piece::Text(_) => {}
                Piece::Address => found.named = Address::from_kernel(part),
                Piece::Number | Piece::Hex | Piece::Word | Piece::Any | Piece::More => {
                    if let Some(slot) = parts.next() {
                        *slot = Some(part);
                    }
                }
            }
            open |= matches!(piece, Piece::Any | Piece::More) && pieces.peek().is_none();
            rest = behind;
        }
        if let Some(length) = opening.message.len().checked_sub(rest.len()) {
            found.whole = opening.message.get(..length).unwrap_or_default();
        }
        Match::Whole { found, rest, open }
    }
}

impl Piece {
    fn take<'a>(self, text: &'a [u8], next: Option<&Self>) -> Taken<'a> {
        let length = match self {
            Self::Text(wanted) if text.starts_with(wanted.as_bytes()) => wanted.len(),
            Self::Text(wanted) if wanted.as_bytes().starts_with(text) => return Taken::Cut,
            Self::Text(_) => return Taken::Nothing,
            Self::Number => {
                let sign = usize::from(text.first() == Some(&b'-'));
                match text.iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count() {
                    0 if text.len() == sign => return Taken::Cut,
                    0 => return Taken::Nothing,
                    digits => sign + digits,
                }
            }
            Self::Hex => text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count(),
            Self::Word => text.iter().take_while(|byte| !byte.is_ascii_whitespace()).count(),
            Self::Address => match Address::peel(text) {
                Some((_, rest)) => text.len() - rest.len(),
                None if is_start_of_address(text) => return Taken::Cut,
                None => return Taken::Nothing,
            },
            Self::Any => match next {
                Some(Self::Text(behind)) => {
                    let near = text.get(..FARTHEST).unwrap_or(text);
                    match memchr::memmem::find(near, behind.as_bytes()) {
                        Some(at) => at,
                        None => return Taken::Nothing,
                    }
                }
                _ => text.len(),
            },
            Self::More if text.first() == Some(&b' ') => text.len(),
            Self::More => 0,
        };
        match text.split_at_checked(length) {
            Some((part, rest)) if length > 0 || matches!(self, Self::Any | Self::More) => Taken::Part(part, rest),
            _ if text.is_empty() => Taken::Cut,
            _ => Taken::Nothing,
        }
    }
}

/// Whether `text` can be an address whose end is missing.
pub(super) fn is_start_of_address(text: &[u8]) -> bool {
    text.len() <= "ffffffff:ff:1f.".len()
        && (text.is_empty() || text.iter().any(u8::is_ascii_digit))
        && text.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::messages;

    #[test]
    fn every_text_begins_with_letters_and_no_hole_follows_one_that_takes_anything() {
        for text in messages().flat_map(|message| message.texts) {
            let template = Template::of(text).unwrap();
            assert!(template.first().is_some(), "{text}");
            let fills = |piece: &Piece| matches!(piece, Piece::Any | Piece::More);
            let open = template.pieces.iter().position(fills).map(|at| template.pieces.get(at + 1));
            assert!(open.flatten().is_none_or(|next| matches!(next, Piece::Text(_))), "{text}");
        }
    }

    #[test]
    fn a_text_that_ends_inside_a_template_is_cut() {
        let template = Template::of("{p}error {n} initializing device at {a}").unwrap();
        let whole = b"pciback 0000:00:1d.0: error -22 initializing device at 0000:00:1d.0";
        let compare = |text: &'static [u8]| template.compare(&Opening::of(text).unwrap());
        for end in b"pciback 0000:00:1d.0: ".len()..whole.len() {
            assert!(matches!(compare(whole.get(..end).unwrap()), Match::Cut), "{end}");
        }
        assert!(matches!(compare(whole), Match::Whole { rest: b"", open: false, .. }));
        assert!(matches!(compare(b"pciback 0000:00:1d.0: error x"), Match::Differs));
        assert!(matches!(compare(b"pciback 0000:00:1d.0: error -22 initializing device at home"), Match::Differs));
    }

    #[test]
    fn the_module_and_the_core_are_told_apart() {
        let compare = |template, text: &'static [u8]| {
            matches!(Template::of(template).unwrap().compare(&Opening::of(text).unwrap()), Match::Whole { .. })
        };
        for text in [&b"pciback 0000:00:1d.0: reset done"[..], b"pciback 0000:00:1d.0: xen-pciback: reset done"] {
            assert!(compare("{p}reset done", text));
        }
        assert!(compare("{k}reset done", b"pciback 0000:00:1d.0: reset done"));
        assert!(!compare("{k}reset done", b"pciback 0000:00:1d.0: xen_pciback: reset done"));
        assert!(!compare("{c}reset done", b"pciback 0000:00:1d.0: reset done"));
        assert!(compare("{m}reset done", b"xen-pciback: 0000:00:1d.0: reset done"));
    }
}
