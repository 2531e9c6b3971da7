//! Lines that were copied from a web page or its source: blanks that do not break, HTML's names of characters, ends of lines.

use std::borrow::Cow;

use memchr::{memchr, memchr3};

use super::peel::split;

/// What a page writes for a character (HTML 4.01, section 24; `&apos;` from XML), and the character.
const NAMES: [(&[u8], &[u8]); 9] = [
    (b"&lt;", b"<"),
    (b"&gt;", b">"),
    (b"&amp;", b"&"),
    (b"&quot;", b"\""),
    (b"&#34;", b"\""),
    (b"&#39;", b"'"),
    (b"&apos;", b"'"),
    (b"&nbsp;", b" "),
    (b"&#160;", b" "),
];

/// Characters that look like a blank, or like nothing: U+00A0, U+202F, U+2007, U+200B.
const BLANKS: [(&[u8], &[u8]); 4] =
    [(b"\xc2\xa0", b" "), (b"\xe2\x80\xaf", b" "), (b"\xe2\x80\x87", b" "), (b"\xe2\x80\x8b", b"")];

/// The end of a line in a page.
const ENDS: [&[u8]; 3] = [b"<br>", b"<br/>", b"<br />"];

/// The text that the page shows.
pub(super) fn plain(line: &[u8]) -> Cow<'_, [u8]> {
    let end = ENDS.iter().find_map(|end| line.strip_suffix(*end)).unwrap_or(line);
    if memchr3(b'&', 0xc2, 0xe2, end).is_none_or(|first| !has_any(split(end, first).1)) {
        return Cow::Borrowed(end);
    }
    let mut text = Vec::with_capacity(end.len());
    let mut rest = end;
    while let Some(at) = memchr3(b'&', 0xc2, 0xe2, rest) {
        let (before, found) = split(rest, at);
        text.extend_from_slice(before);
        let (shown, length) = shown(found).unwrap_or((split(found, 1).0, 1));
        text.extend_from_slice(shown);
        rest = split(found, length).1;
    }
    text.extend_from_slice(rest);
    Cow::Owned(text)
}

/// Whether any of the names is in the text.
fn has_any(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr3(b'&', 0xc2, 0xe2, rest) {
        let found = split(rest, at).1;
        // Nearly every other `&` is far from a `;`.
        if found.starts_with(b"&") && memchr(b';', split(found, 7).0).is_none() || shown(found).is_none() {
            rest = split(found, 1).1;
            continue;
        }
        return true;
    }
    false
}

/// What the name at the front stands for, and its length.
fn shown(text: &[u8]) -> Option<(&'static [u8], usize)> {
    let mut names = NAMES.iter().chain(&BLANKS);
    names.find(|(name, _)| text.starts_with(name)).map(|(name, shown)| (*shown, name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_shows_is_read() {
        for (line, expected) in [
            ("plain & text; <b>", "plain & text; <b>"),
            ("&lt;6&gt;[&nbsp;&nbsp; 1.000000] a &amp;lt; b<br />", "<6>[   1.000000] a &lt; b"),
            ("[\u{a0}\u{a0} 1.000000] x", "[   1.000000] x"),
            ("a\u{200b}b\u{202f}c d\u{2007}\u{e9}\u{2013}", "ab c d \u{e9}\u{2013}"),
            ("text<br>", "text"),
            ("&quot;&#39;&apos;&#34;&#160;", "\"''\" "),
            ("&", "&"),
            ("<br/>", ""),
        ] {
            assert_eq!(String::from_utf8_lossy(&plain(line.as_bytes())), expected, "{line}");
        }
        assert!(matches!(plain(b"a & b"), Cow::Borrowed(_)));
    }
}
