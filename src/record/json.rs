//! JSON objects, as far as logs need them: where one ends, and its members one by one. Strict, and linear in its input.

use std::borrow::Cow;

use memchr::{memchr, memchr3};

use super::Frame;
use super::peel::{run, split};

/// Deeper values than this are damage: no log has any.
const DEEPEST: u32 = 64;

/// Whether `bytes` start like an object with members.
pub(super) fn starts(bytes: &[u8]) -> bool {
    matches!(bytes.strip_prefix(b"{").map(space), Some([b'"', ..]))
}

/// What may come next in the object itself; of the values inside it only the brackets are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Object,
    KeyOrEnd,
    Key,
    Colon,
    Value,
    /// The rest of a number or a word, or what follows a value.
    Scalar,
    CommaOrEnd,
}

/// Where in a string the search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    Outside,
    Inside,
    Escaped,
}

/// Looks for the end of an object.
#[derive(Debug)]
pub(super) struct Framer {
    /// Everything before this was looked at.
    at: usize,
    /// Where the line starts that the search is in.
    line: usize,
    want: Want,
    depth: u32,
    quote: Quote,
    broken: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self { at: 0, line: 0, want: Want::Object, depth: 0, quote: Quote::Outside, broken: false }
    }
}

impl Framer {
    /// An object ends at its brace. One that was torn (by a crash, by a full disk) must not swallow those behind it: it
    /// ends at the end of a line, since no string may contain one.
    pub(super) fn frame(&mut self, bytes: &[u8], at_end: bool) -> Frame {
        while !self.broken {
            let (_, unseen) = split(bytes, self.at);
            if self.quote == Quote::Inside {
                let Some(stop) = memchr3(b'"', b'\\', b'\n', unseen) else {
                    self.at = bytes.len();
                    break;
                };
                self.at += stop;
            }
            let Some(byte) = bytes.get(self.at) else { break };
            if self.quote != Quote::Outside {
                self.string(*byte);
            } else if self.depth > 1 {
                self.nested(*byte);
            } else if *byte == b'}' && matches!(self.want, Want::KeyOrEnd | Want::Scalar | Want::CommaOrEnd) {
                return Frame::Whole(self.at + 1);
            } else {
                self.member(*byte);
            }
            if self.broken {
                // The line that does not fit may be the start of the next object.
                if self.line > 0 {
                    return Frame::Damaged(self.line);
                }
                break;
            }
            self.at += 1;
            if *byte == b'\n' {
                self.line = self.at;
            }
        }
        if self.broken
            && let Some(end) = memchr(b'\n', split(bytes, self.at).1)
        {
            return Frame::Damaged(self.at + end + 1);
        }
        match (at_end, self.broken) {
            (true, true) => Frame::Damaged(bytes.len()),
            (true, false) => Frame::CutShort(bytes.len()),
            (false, _) => {
                self.at = bytes.len();
                Frame::NeedMore
            }
        }
    }

    /// How many bytes need not be kept to go on.
    pub(super) fn forget(&mut self) -> usize {
        self.line = self.line.saturating_sub(self.at);
        std::mem::take(&mut self.at)
    }

    fn string(&mut self, byte: u8) {
        self.quote = match (self.quote, byte) {
            (_, b'\n') => {
                self.broken = true;
                // This line belongs to the torn string.
                self.line = 0;
                Quote::Inside
            }
            (Quote::Inside, b'"') => {
                if self.depth == 1 {
                    self.want = if self.want == Want::Value { Want::CommaOrEnd } else { Want::Colon };
                }
                Quote::Outside
            }
            (Quote::Inside, b'\\') => Quote::Escaped,
            _ => Quote::Inside,
        };
    }

    fn nested(&mut self, byte: u8) {
        match byte {
            b'"' => self.quote = Quote::Inside,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        if self.depth == 1 {
            self.want = Want::CommaOrEnd;
        }
        self.broken = self.depth > DEEPEST;
    }

    fn member(&mut self, byte: u8) {
        self.want = match (self.want, byte) {
            (Want::Scalar, b' ' | b'\t' | b'\r' | b'\n') => Want::CommaOrEnd,
            (want, b' ' | b'\t' | b'\r' | b'\n') => want,
            (Want::Object, b'{') => {
                self.depth = 1;
                Want::KeyOrEnd
            }
            (want @ (Want::KeyOrEnd | Want::Key | Want::Value), b'"') => {
                self.quote = Quote::Inside;
                want
            }
            (Want::Colon, b':') => Want::Value,
            (Want::Value, b'{' | b'[') => {
                self.depth = 2;
                Want::Value
            }
            (Want::Value | Want::Scalar, b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E') => Want::Scalar,
            (Want::Scalar | Want::CommaOrEnd, b',') => Want::Key,
            (want, _) => {
                self.broken = true;
                want
            }
        };
    }
}

/// A value, as far as logs have a use for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A string; a number as it is written; or an array of numbers, which is how the journal writes what is not text.
    Text(Cow<'a, [u8]>),
    Number(&'a [u8]),
    Bytes(Vec<u8>),
    /// `null`: the journal's value is too long to be shown (systemd src/shared/logs-show.c, `--all`).
    Null,
    /// Anything else.
    Other,
}

impl<'a> Value<'a> {
    /// The bytes that the value stands for.
    pub(super) fn into_bytes(self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(digits) => Some(Cow::Borrowed(digits)),
            Self::Bytes(bytes) => Some(Cow::Owned(bytes)),
            Self::Null | Self::Other => None,
        }
    }
}

/// Hands every member of the object to `each`, in order; `None` when it is no JSON object with nothing behind it.
pub(super) fn members<'a>(object: &'a [u8], mut each: impl FnMut(Cow<'a, [u8]>, Value<'a>)) -> Option<()> {
    let mut rest = space(space(object).strip_prefix(b"{")?);
    if let Some(rest) = rest.strip_prefix(b"}") {
        return space(rest).is_empty().then_some(());
    }
    loop {
        let (key, behind) = string(rest)?;
        let (value, behind) = value(space(space(behind).strip_prefix(b":")?))?;
        each(key, value);
        rest = match space(behind) {
            [b',', rest @ ..] => space(rest),
            [b'}', rest @ ..] => return space(rest).is_empty().then_some(()),
            _ => return None,
        };
    }
}

/// What follows white space.
pub(super) fn space(text: &[u8]) -> &[u8] {
    run(text, |byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).1
}

fn value(text: &[u8]) -> Option<(Value<'_>, &[u8])> {
    match text {
        [b'"', ..] => string(text).map(|(text, rest)| (Value::Text(text), rest)),
        [b'-' | b'0'..=b'9', ..] => number(text).map(|(number, rest)| (Value::Number(number), rest)),
        [b'n', b'u', b'l', b'l', rest @ ..] => Some((Value::Null, rest)),
        [b't', b'r', b'u', b'e', rest @ ..] | [b'f', b'a', b'l', b's', b'e', rest @ ..] => Some((Value::Other, rest)),
        [b'[', ..] => bytes(text).or_else(|| Some((Value::Other, nested(text)?))),
        [b'{', ..] => Some((Value::Other, nested(text)?)),
        _ => None,
    }
}

fn number(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (number, rest) = run(text, |byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'));
    number.last().is_some_and(u8::is_ascii_digit).then_some((number, rest))
}

/// An array of numbers that are bytes.
fn bytes(text: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let mut rest = space(text.strip_prefix(b"[")?);
    let mut bytes = Vec::new();
    loop {
        let (byte, behind) = super::peel::number(rest)?;
        bytes.push(u8::try_from(byte).ok()?);
        rest = match space(behind) {
            [b',', rest @ ..] => space(rest),
            [b']', rest @ ..] => return Some((Value::Bytes(bytes), rest)),
            _ => return None,
        };
    }
}

/// Passes over an array or object; what is in it is checked for its brackets and strings only.
fn nested(text: &[u8]) -> Option<&[u8]> {
    // One bit per open bracket, set for an array: depth costs no stack.
    let (mut open, mut depth, mut rest) = (0_u64, 0_u32, text);
    loop {
        rest = match rest {
            [b'"', ..] => string(rest)?.1,
            [bracket @ (b'[' | b'{'), rest @ ..] if depth < DEEPEST => {
                open = open << 1 | u64::from(*bracket == b'[');
                depth += 1;
                rest
            }
            [bracket @ (b']' | b'}'), rest @ ..] if (open & 1 == 1) == (*bracket == b']') => {
                open >>= 1;
                depth -= 1;
                if depth == 0 {
                    return Some(rest);
                }
                rest
            }
            [byte, rest @ ..] if byte.is_ascii_alphanumeric() || b"-+.,: \t\r\n".contains(byte) => rest,
            _ => return None,
        };
    }
}

/// A string, its escapes undone. Bytes that are no UTF-8 stay as they are: dmesg writes what the kernel had.
fn string(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let inside = text.strip_prefix(b"\"")?;
    let (plain, mut rest) = run(inside, |byte| byte >= b' ' && byte != b'"' && byte != b'\\');
    if let [b'"', rest @ ..] = rest {
        return Some((Cow::Borrowed(plain), rest));
    }
    let mut owned = plain.to_vec();
    loop {
        let (plain, behind) = run(rest, |byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        owned.extend_from_slice(plain);
        rest = match behind {
            [b'"', rest @ ..] => return Some((Cow::Owned(owned), rest)),
            [b'\\', rest @ ..] => escape(rest, &mut owned)?,
            _ => return None,
        };
    }
}

fn escape<'a>(text: &'a [u8], into: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (kind, rest) = text.split_first()?;
    into.push(match kind {
        b'"' | b'\\' | b'/' => *kind,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return unicode(rest, into),
        _ => return None,
    });
    Some(rest)
}

/// The four digits behind `\u`, and a second `\uNNNN` when the two are a pair. Half a pair becomes U+FFFD.
fn unicode<'a>(text: &'a [u8], into: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (first, rest) = hex(text)?;
    let pair = |high: u32, low: u32| char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
    let (letter, rest) = match (first, rest.strip_prefix(b"\\u").and_then(hex)) {
        (0xd800..=0xdbff, Some((low @ 0xdc00..=0xdfff, behind))) => (pair(first, low), behind),
        _ => (char::from_u32(first), rest),
    };
    let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
    into.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    Some(rest)
}

fn hex(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let value = digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))?;
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(object: &str) -> Option<Vec<(String, String)>> {
        let mut all = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        members(object.as_bytes(), |key, value| {
            let shown = format!("{value:?}");
            all.push((text(&key), value.into_bytes().map_or(shown, |bytes| text(&bytes))));
        })?;
        Some(all)
    }

    #[test]
    fn every_kind_of_value_is_read() {
        for (object, expected) in [
            (r#"{"a":"b"}"#, "b"),
            (r#"{ "a" : -1.5e3 }"#, "-1.5e3"),
            (r#"{"a":[104,105]}"#, "hi"),
            (r#"{"a":[104,256]}"#, "Other"),
            (r#"{"a":["x","]"]}"#, "Other"),
            (r#"{"a":{"b":[{"c":"}"}]}}"#, "Other"),
            (r#"{"a":null}"#, "Null"),
            (r#"{"a":true}"#, "Other"),
            (r#"{"a":"\"\\\/\b\f\n\r\tA\u00e9"}"#, "\"\\/\u{8}\u{c}\n\r\tA\u{e9}"),
            (r#"{"a":"\ud83d\ude00"}"#, "\u{1f600}"),
            (r#"{"a":"\ud83d"}"#, "\u{fffd}"),
            (r#"{"a":"\ude00x"}"#, "\u{fffd}x"),
            (r#"{"a":"\ud83d\u0041"}"#, "\u{fffd}A"),
        ] {
            assert_eq!(read(object), Some(vec![("a".to_owned(), expected.to_owned())]), "{object}");
        }
        assert_eq!(read("{}"), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for wrong in [
            "",
            "{",
            "[]",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":1}x"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\u12"}"#,
            r#"{"a":[}]}"#,
            r#"{"a":[1}"#,
            r#"{a:1}"#,
            r#"{"a":1 "b":2}"#,
            "{\"a\":\"\n\"}",
            r#"{"a":--}"#,
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&deep), None);
    }

    fn framed(text: &str) -> Frame {
        Framer::default().frame(text.as_bytes(), false)
    }

    #[test]
    fn braces_in_strings_do_not_count() {
        assert_eq!(framed(r#"{"a":"}\"}"}{"#), Frame::Whole(12));
        assert_eq!(framed("{\n \"a\" : [ {\"b\":1} ],\n \"c\":2}\n"), Frame::Whole(29));
        assert_eq!(framed(r#"{"a":"}"#), Frame::NeedMore);
        assert_eq!(Framer::default().frame(br#"{"a":"}"#, true), Frame::CutShort(7));
    }

    #[test]
    fn a_torn_object_leaves_the_next_one_whole() {
        for (torn, length) in [
            ("{\"a\":\"b\n{\"a\":1}\n", 8),
            ("{\"a\":\"b\",\n{\"a\":1}\n", 10),
            ("{\"a\":\"b\"\n{\"a\":1}\n", 9),
            ("{\"a\"\n{\"a\":1}\n", 5),
            ("{\"a\":1 garbage \"b\":2}\nx", 22),
        ] {
            assert_eq!(framed(torn), Frame::Damaged(length), "{torn}");
        }
    }

    #[test]
    fn the_cut_between_two_reads_does_not_matter() {
        let text = "{\"a\":\"\\\"}\\\\\",\"b\":[1,{\"c\":\"]\"}],\"d\" : 12}";
        let mut framer = Framer::default();
        for length in 1..text.len() {
            assert_eq!(framer.frame(&text.as_bytes()[..length], false), Frame::NeedMore, "{length}");
        }
        assert_eq!(framer.frame(text.as_bytes(), false), Frame::Whole(text.len()));
    }
}
