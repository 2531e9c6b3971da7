//! One word of a list that is not right, read with much good will.

use super::Lookalike;
use crate::pci::{Era, Pattern};
use crate::request::hide::Part;

/// What a word can be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ListWord {
    Entry(Pattern),
    /// One digit that can be the number of a function.
    Function(u8),
    /// Something beside the addresses, such as an option of xl's `pci` list or a comment.
    Junk,
    LooksLike(Lookalike),
    TooLarge {
        part: Part,
        written: String,
        most: u32,
    },
    Unknown,
}

/// Prefixes by which other programs mark an address.
const PREFIXES: [&str; 4] = ["pci:", "pci_", "pci-", "pci@"];

pub(super) fn read(word: &str, era: Era) -> ListWord {
    let lower = word.to_ascii_lowercase();
    let mut word = PREFIXES.iter().find_map(|prefix| lower.strip_prefix(prefix)).unwrap_or(&lower);
    word = match word.split_once('=') {
        // The options of xl behind an address, the key of the list itself before one, and an option of its own.
        Some((address, _)) if address.contains(':') => address,
        Some((_, value)) if value.contains([':', '.']) => value,
        Some(_) => return ListWord::Junk,
        None => word,
    };
    if let Some((address, _)) = word.split_once(['@', '#'])
        && address.contains([':', '.'])
    {
        word = address;
    }
    let colons = if word.contains(':') { word.to_owned() } else { word.replace(['_', '-'], ":") };
    if !colons.contains(|char: char| char.is_ascii_digit() || char == '*') {
        // A word of a comment. What has no letters may mean a range.
        return if colons.contains(char::is_alphabetic) { ListWord::Junk } else { ListWord::Unknown };
    }
    let fields = FieldList::of(&colons);
    if let [AddressField::Number { value, .. }] = fields.all.as_slice()
        && colons.len() == 1
    {
        return u8::try_from(*value).ok().filter(|value| *value < 8).map_or(ListWord::Unknown, ListWord::Function);
    }
    if fields.all.contains(&AddressField::Wrong) {
        return ListWord::Unknown;
    }
    if let Some(lookalike) = fields.lookalike() {
        return ListWord::LooksLike(lookalike);
    }
    match fields.parts() {
        Some(parts) => entry(&parts, era),
        None => ListWord::Unknown,
    }
}

/// What stands between the separators of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
enum AddressField {
    Number { value: u64, digits: usize, written: String },
    Any,
    Wrong,
}

impl AddressField {
    fn of(text: &str) -> Self {
        if text.bytes().all(|byte| byte == b'*') {
            return Self::Any;
        }
        let digits = text.strip_prefix("0x").unwrap_or(text);
        // Letters that look like digits in many typefaces.
        let digits = digits.replace(['l', 'i'], "1").replace('o', "0");
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Self::Wrong;
        }
        // `0x` alone is 0 to the kernel.
        let value = if digits.is_empty() { Ok(0) } else { u64::from_str_radix(&digits, 16) };
        Self::Number { value: value.unwrap_or(u64::MAX), digits: digits.len(), written: text.to_owned() }
    }

    /// Whether it is a number of at most so many digits, or a wildcard.
    const fn is_short(&self, most: usize) -> bool {
        match self {
            Self::Number { digits, .. } => *digits <= most,
            Self::Any => true,
            Self::Wrong => false,
        }
    }

    const fn is_at_most(&self, most: u32) -> bool {
        match self {
            Self::Number { value, .. } => *value <= most as u64,
            Self::Any => true,
            Self::Wrong => false,
        }
    }

    const fn is_number(&self) -> bool {
        matches!(self, Self::Number { .. })
    }

    /// A decimal number as a person counts: no letters, no zeros in front.
    fn is_plain_decimal(&self) -> bool {
        match self {
            Self::Number { digits, written, .. } => {
                let padded = *digits > 1 && written.starts_with('0');
                *digits <= 3 && !padded && written.bytes().all(|byte| byte.is_ascii_digit())
            }
            Self::Any | Self::Wrong => false,
        }
    }
}

/// A word in its fields, and the separators between them.
struct FieldList {
    all: Vec<AddressField>,
    separators: Vec<char>,
    /// Whether a separator was typed twice, so that a field may be missing.
    doubled: bool,
    /// The separator behind the last field.
    trailing: Option<char>,
}

/// Domain, bus, slot and function; `None` for a function that is not there at all.
type AddressFields = (Option<AddressField>, AddressField, AddressField, Option<AddressField>);

impl FieldList {
    fn of(word: &str) -> Self {
        let is_separator = |char: char| matches!(char, ':' | '.');
        let mut found = Self { all: Vec::new(), separators: Vec::new(), doubled: false, trailing: None };
        for piece in word.trim_start_matches(is_separator).split_inclusive(is_separator) {
            let text = piece.trim_end_matches(is_separator);
            if text.is_empty() {
                found.doubled = true;
            } else {
                found.separators.extend(found.trailing.take());
                found.push(text);
            }
            found.trailing = piece.chars().last().filter(|char| is_separator(*char)).or(found.trailing);
        }
        found
    }

    fn push(&mut self, text: &str) {
        // `1d*` with its dot forgotten.
        let number = text.trim_end_matches('*');
        self.all.push(AddressField::of(if number.is_empty() { text } else { number }));
        if !number.is_empty() && number.len() < text.len() {
            self.separators.push('.');
            self.all.push(AddressField::Any);
        }
    }

    fn lookalike(&self) -> Option<Lookalike> {
        let colons = self.separators.iter().all(|separator| *separator == ':');
        match self.all.as_slice() {
            fields @ [_, _, _, _] if colons && fields.iter().all(AddressField::is_plain_decimal) => {
                Some(Lookalike::Scsi)
            }
            [AddressField::Number { value: 1.., digits: 4, .. }, AddressField::Number { digits: 4, .. }] if colons => {
                Some(Lookalike::VendorDevice)
            }
            _ => None,
        }
    }

    /// Which field is what, where that is beyond doubt.
    fn parts(&self) -> Option<AddressFields> {
        let with_domain = |a: &AddressField, b: &AddressField, c: &AddressField, d: Option<&AddressField>| {
            Some((Some(a.clone()), b.clone(), c.clone(), d.cloned()))
        };
        let short = |a: &AddressField, b: &AddressField, c: Option<&AddressField>| {
            Some((None, a.clone(), b.clone(), c.cloned()))
        };
        match (self.all.as_slice(), self.separators.as_slice()) {
            ([a, b, c, d], _) => with_domain(a, b, c, Some(d)),
            ([a, b, c], [':', ':']) if self.trailing == Some('.') => with_domain(a, b, c, None),
            // With a separator typed twice only the dot tells the function from the slot.
            ([a, b, c], [_, '.']) if a.is_short(2) => short(a, b, Some(c)),
            _ if self.doubled => None,
            ([a, b, c], [':', '.']) => {
                let fits = a.is_at_most(0xff) && b.is_at_most(0x1f) && c.is_at_most(7);
                fits.then(|| short(a, b, Some(c))).flatten()
            }
            ([a, b, c @ AddressField::Any], [':', ':']) if !a.is_short(2) => with_domain(a, b, c, Some(c)),
            ([a, b, c], _) if !a.is_short(2) || !c.is_at_most(7) => with_domain(a, b, c, None),
            ([a, b, c], _) => short(a, b, Some(c)),
            ([a, b @ AddressField::Any], [':']) if a.is_short(2) => short(a, b, Some(b)),
            ([a, b], [':']) if a.is_short(2) && b.is_short(2) => short(a, b, None),
            _ => None,
        }
    }
}

fn entry((domain, bus, slot, function): &AddressFields, era: Era) -> ListWord {
    let most_domain = if era == Era::UpTo3_6 { u32::MAX } else { Part::Domain.most() };
    let fields = [
        (Part::Domain, most_domain, domain.as_ref()),
        (Part::Bus, Part::Bus.most(), Some(bus)),
        (Part::Slot, Part::Slot.most(), Some(slot)),
        (Part::Function, Part::Function.most(), function.as_ref()),
    ];
    for (part, most, field) in fields {
        if let Some(AddressField::Number { written, .. }) = field.filter(|field| !field.is_at_most(most)) {
            return ListWord::TooLarge { part, written: written.clone(), most };
        }
    }
    let number = |field: &AddressField| match field {
        AddressField::Number { value, .. } => u32::try_from(*value).ok(),
        AddressField::Any | AddressField::Wrong => None,
    };
    let byte = |field: &AddressField| number(field).and_then(|value| u8::try_from(value).ok());
    // Up to 3.6 a slot without function cannot be written, and which functions it has is not known.
    let function_is_known = function.is_some() || era == Era::From3_7;
    let wildcards_fit =
        bus.is_number() && (slot.is_number() || function.as_ref().is_some_and(|field| !field.is_number()));
    let domain = domain.as_ref().map_or(Some(0), number);
    match (domain, byte(bus)) {
        (Some(domain), Some(bus)) if function_is_known && wildcards_fit => {
            let (slot, function) = (byte(slot), function.as_ref().and_then(byte));
            ListWord::Entry(Pattern { domain, bus, slot, function })
        }
        _ => ListWord::Unknown,
    }
}
