//! `dmesg -J`: one object whose member `dmesg` is an array of objects, one per record.
//!
//! util-linux sys-utils/dmesg.c, `print_record` with `ctl->json` (2.38; `caller` from 2.40).

use super::json::{Value, members, space};
use super::{Author, Place, Record, dmesg, time};

/// The wrapper's start is within this many bytes.
pub(super) const LONGEST_WRAPPER: usize = 64;

/// How far the array is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Array {
    #[default]
    Outside,
    /// Between its brackets.
    Open,
    /// Behind them, with the wrapper's brace still to come.
    Closed,
    /// Between the brackets of an array without a wrapper, as log stores hand out entries of the journal.
    Bare,
}

/// The length of the wrapper's start, up to and with the `[`; 0 when this is another object, and `None` when there are
/// too few bytes to tell.
pub(super) fn wrapper(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    for part in [&b"{"[..], b"\"dmesg\"", b":", b"["] {
        rest = space(rest);
        match rest.strip_prefix(part) {
            Some(behind) => rest = behind,
            None if part.starts_with(rest) && bytes.len() < LONGEST_WRAPPER => return None,
            None => return Some(0),
        }
    }
    Some(bytes.len() - rest.len())
}

/// The length of the start of an array without a wrapper: its bracket, before an object; 0 when this is other text, and `None`
/// when there are too few bytes to tell.
pub(super) fn bare(bytes: &[u8]) -> Option<usize> {
    let Some(rest) = bytes.strip_prefix(b"[").map(space) else { return Some(0) };
    match rest {
        [b'{', rest @ ..] if !space(rest).is_empty() => Some(usize::from(space(rest).starts_with(b"\""))),
        [] | [b'{', ..] if bytes.len() < LONGEST_WRAPPER => None,
        _ => Some(0),
    }
}

impl Array {
    /// How many bytes stand between two objects here, and what state that leads to. 0 means that none do.
    pub(super) fn between(self, bytes: &[u8]) -> (usize, Self) {
        match (self, bytes.first()) {
            (Self::Outside, _) => (0, Self::Outside),
            (_, Some(b' ' | b'\t' | b'\r' | b'\n')) => (bytes.len() - space(bytes).len(), self),
            (Self::Open, Some(b']')) => (1, Self::Closed),
            (Self::Bare, Some(b',')) => (1, Self::Bare),
            (Self::Bare, Some(b'{' | b'"')) => (0, Self::Bare),
            (Self::Closed, Some(b'}')) | (Self::Bare, Some(b']')) => (1, Self::Outside),
            // A brace or a quote here is what is left of a damaged object: its members, one on a line, and its end.
            (Self::Open, Some(b',' | b'}')) => (1, Self::Open),
            (Self::Open, Some(b'{' | b'"')) => (0, Self::Open),
            _ => (0, Self::Outside),
        }
    }
}

/// Reads a whole object; `None` when it is no JSON or lacks the message.
pub(super) fn decode(whole: &[u8], place: Place) -> Option<Record<'_>> {
    let mut record = Record::bare(place, &[]);
    let (mut message, mut priority, mut facility) = (None, None, None);
    members(whole, |name, value| match (&*name, value) {
        (b"msg", value) => message = value.into_bytes(),
        (b"time", Value::Number(time)) => record.stamp.uptime = time::uptime(time).map(|(uptime, _)| uptime),
        (b"pri", value) => priority = value.into_bytes(),
        (b"fac", value) => facility = value.into_bytes(),
        _ => {}
    })?;
    let number = priority.as_deref().and_then(super::peel::decimal).and_then(|number| u32::try_from(number).ok());
    record.level = priority.as_deref().and_then(dmesg::level).or_else(|| match number? {
        level @ 0..=7 => Some(super::level(level)),
        _ => None,
    });
    record.author = match (facility.as_deref(), number) {
        (Some(name), _) => dmesg::facility(name).unwrap_or(Author::User),
        (None, Some(8..)) => Author::User,
        // A small number proves nothing: util-linux mixes the facility into it (see `dmesg::author`).
        (None, Some(_) | None) => Author::Unstated,
    };
    record.message = message?;
    Some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_who_wrote_it_and_small_numbers_do_not() {
        for (object, author, level) in [
            (r#"{"fac":"kern","pri":"info","time":    1.000000,"msg":"x"}"#, Author::Kernel, Some(6)),
            (r#"{"fac":"user","pri":"warn","time":    1.000000,"msg":"x"}"#, Author::User, Some(4)),
            (r#"{"fac":"other","pri":"warn","time":    1.000000,"msg":"x"}"#, Author::User, Some(4)),
            (r#"{"pri":6,"time":    1.000000,"caller":"T1","msg":"x"}"#, Author::Unstated, Some(6)),
            (r#"{"pri":14,"time":    1.000000,"msg":"x"}"#, Author::User, None),
            (r#"{"time":    1.000000,"msg":"x"}"#, Author::Unstated, None),
        ] {
            let record = decode(object.as_bytes(), Place::default()).unwrap();
            assert_eq!(
                (record.author, record.level, record.stamp.uptime),
                (author, level, Some(1_000_000)),
                "{object}"
            );
        }
        assert!(decode(br#"{"pri":6}"#, Place::default()).is_none());
    }

    #[test]
    fn the_wrapper_is_known_by_its_name() {
        for (text, length) in [
            ("{\n   \"dmesg\": [\n", Some(15)),
            (r#"{"dmesg":[{"#, Some(10)),
            (r#"{"dmesg":"x"#, Some(0)),
            (r#"{"MESSAGE":"#, Some(0)),
            (r#"{ "dme"#, None),
            ("{", None),
        ] {
            assert_eq!(wrapper(text.as_bytes()), length, "{text}");
        }
        assert_eq!(wrapper(format!("{{{}", " ".repeat(100)).as_bytes()), Some(0));
    }
}
