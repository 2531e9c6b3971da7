//! The members of JSON objects, as far as logs and libxl's files need them. Strict, linear in its input, and without recursion.

use std::borrow::Cow;

use super::peel::run;

/// Deeper values than this are damage: no log has any.
pub(super) const DEEPEST: u32 = 64;

/// A value, as far as logs have a use for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A string; a number as it is written; or an array of numbers, which is how the journal writes what is not text.
    Text(Cow<'a, [u8]>),
    Number(&'a [u8]),
    Bytes(Vec<u8>),
    /// `null`: the journal's value is too long to be shown (systemd src/shared/logs-show.c, `--all`).
    Null,
    /// An object, as it is written.
    Object(&'a [u8]),
    /// An array of anything else, as it is written.
    Array(&'a [u8]),
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
            Self::Null | Self::Object(_) | Self::Array(_) | Self::Other => None,
        }
    }
}

/// Hands every member of the object to `each`, in order; `None` when it is no JSON object with nothing behind it.
pub(crate) fn members<'a>(object: &'a [u8], mut each: impl FnMut(Cow<'a, [u8]>, Value<'a>)) -> Option<()> {
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

/// Hands every element of the array to `each`, in order; `None` when it is no JSON array with nothing behind it.
pub(crate) fn elements<'a>(array: &'a [u8], mut each: impl FnMut(Value<'a>)) -> Option<()> {
    let mut rest = space(space(array).strip_prefix(b"[")?);
    if let Some(rest) = rest.strip_prefix(b"]") {
        return space(rest).is_empty().then_some(());
    }
    loop {
        let (value, behind) = value(rest)?;
        each(value);
        rest = match space(behind) {
            [b',', rest @ ..] => space(rest),
            [b']', rest @ ..] => return space(rest).is_empty().then_some(()),
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
        [b'[', ..] => bytes(text).or_else(|| whole(text).map(|(array, rest)| (Value::Array(array), rest))),
        [b'{', ..] => whole(text).map(|(object, rest)| (Value::Object(object), rest)),
        _ => None,
    }
}

/// An array or object, as it is written.
fn whole(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = nested(text)?;
    Some((super::peel::split(text, text.len() - rest.len()).0, rest))
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
            (r#"{"a":[104,256]}"#, "Array([91, 49, 48, 52, 44, 50, 53, 54, 93])"),
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
    fn the_elements_of_an_array_are_read() {
        for (array, expected) in [
            ("[]", Some(0)),
            (r#"[ {"a":["]"]} , "x", [[1]], null ]"#, Some(4)),
            (r#"["x","]"]"#, Some(2)),
            (r#"[{"b":[{"c":"}"}]}]"#, Some(1)),
            ("[1 2]", None),
            ("[1,]", None),
            ("[1]]", None),
            ("{}", None),
        ] {
            let mut count = 0;
            assert_eq!(elements(array.as_bytes(), |_| count += 1).map(|()| count), expected, "{array}");
        }
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
            r"{a:1}",
            r#"{"a":1 "b":2}"#,
            "{\"a\":\"\n\"}",
            r#"{"a":--}"#,
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&deep), None);
    }
}
