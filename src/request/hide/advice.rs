//! What was probably meant by a list that pciback does not take as it is.

mod word;

use std::fmt;

use super::{Grammar, LONGEST, Part, read, read_of_any_length, shortest};
use crate::pci::{Era, Pattern};
use word::ListWord;

/// What to say about a list that is not right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The nearest valid spelling of the whole list. It is accepted by the kernel, and drops nothing.
    Spelling(String),
    /// It is something else: no spelling of it is a PCI address.
    LooksLike(Lookalike),
    /// A number is too large, so that only the writer can know what was meant.
    TooLarge {
        /// Which part of the address.
        part: Part,
        /// The number as written.
        written: String,
        /// The largest number allowed there.
        most: u32,
    },
}

/// What people write into hide lists by mistake for PCI addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookalike {
    /// `1:0:1:0`, as in `/proc/scsi` and `lsscsi`.
    Scsi,
    /// `8086:2934`, as in `lspci -n`, `vfio-pci.ids` and `pci-stub.ids`.
    VendorDevice,
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scsi => "looks like a SCSI host:channel:id:lun; the PCI address of its controller is needed",
            Self::VendorDevice => "looks like vendor:device ids; the PCI address of the device is needed",
        })
    }
}

/// What to say about `list` to a person with such a kernel; `None` for a list in order, or where any guess would be as
/// good as another.
pub fn advise(list: &[u8], grammar: impl Into<Grammar>) -> Option<Advice> {
    let grammar = grammar.into();
    let era = grammar.era;
    if list.len() > LONGEST * 16 {
        return None;
    }
    let plain = read_of_any_length(list, grammar);
    let patterns = match plain.fault {
        None if plain.text().len() <= LONGEST => return None,
        None => plain.entries.into_iter().map(|entry| entry.pattern).collect(),
        Some(_) => match meant(&String::from_utf8_lossy(plain.text()), era) {
            Ok(patterns) => patterns,
            Err(advice) => return advice,
        },
    };
    let mut spelling: String = patterns.iter().map(ToString::to_string).collect();
    if spelling.len() > LONGEST {
        spelling = shortest(&patterns, era);
    }
    let right = !patterns.is_empty() && read(spelling.as_bytes(), grammar).fault.is_none();
    right.then_some(Advice::Spelling(spelling))
}

/// The nearest valid spelling of a list that is not right, where there is one.
pub fn nearest(list: &[u8], grammar: impl Into<Grammar>) -> Option<String> {
    match advise(list, grammar)? {
        Advice::Spelling(spelling) => Some(spelling),
        Advice::LooksLike(_) | Advice::TooLarge { .. } => None,
    }
}

/// The addresses that were probably meant, or what can be said instead.
fn meant(list: &str, era: Era) -> Result<Vec<Pattern>, Option<Advice>> {
    let list = compact(list);
    let mut patterns: Vec<Pattern> = Vec::new();
    let mut between = String::new();
    for piece in list.split_inclusive(is_separator) {
        let word = piece.trim_end_matches(is_separator);
        if !word.is_empty() {
            match word::read(word, era) {
                ListWord::Entry(pattern) => patterns.extend(known_to(era, pattern).ok_or(None)?),
                ListWord::Junk => {}
                ListWord::LooksLike(lookalike) => return Err(Some(Advice::LooksLike(lookalike))),
                ListWord::TooLarge { part, written, most } => {
                    return Err(Some(Advice::TooLarge { part, written, most }));
                }
                // `1d.0,1` in one pair of brackets: another function of the same slot.
                ListWord::Function(function) => match patterns.last() {
                    Some(before) if between == "," && before.function.is_some() => {
                        patterns.push(Pattern { function: Some(function), ..*before });
                    }
                    Some(_) | None => return Err(None),
                },
                ListWord::Unknown => return Err(None),
            }
            between.clear();
        }
        between.push_str(piece.get(word.len()..).unwrap_or_default());
    }
    Ok(patterns)
}

/// A pattern as the kernel of the era can have it. Up to 3.6 there are no wildcards: all functions of a slot are spelt
/// out, and all of a bus would be too long a list.
fn known_to(era: Era, pattern: Pattern) -> Option<Vec<Pattern>> {
    match era {
        Era::UpTo3_6 if pattern.slot.is_none() => None,
        Era::UpTo3_6 => Some(pattern.addresses().map(Pattern::from).collect()),
        Era::From3_7 => Some(vec![pattern]),
    }
}

/// Brackets of every kind, quotes, and what people put between entries.
fn is_separator(char: char) -> bool {
    char.is_whitespace()
        || matches!(char, '(' | ')' | '[' | ']' | '<' | '>' | '{' | '}' | '"' | '\'' | '`')
        || matches!(char, ',' | ';' | '|' | '&' | '\\')
}

/// The list with the look of ASCII, and without the blanks around the `:` and `.` of an address.
fn compact(list: &str) -> String {
    let ascii: String = list.chars().map(ascii_of).collect();
    let mut compact = String::new();
    for piece in ascii.split_whitespace() {
        if !compact.is_empty() && !compact.ends_with([':', '.']) && !piece.starts_with([':', '.']) {
            compact.push(' ');
        }
        compact.push_str(piece);
    }
    compact
}

/// The character that a full-width form, a typographic quote or a byte that is no text stands for.
fn ascii_of(char: char) -> char {
    match char {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(char) - 0xfee0).unwrap_or(char),
        '\u{2018}'..='\u{201f}' => '"',
        char::REPLACEMENT_CHARACTER => ' ',
        other => other,
    }
}

#[cfg(test)]
mod tests;
