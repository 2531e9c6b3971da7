//! Where a JSON object ends, found without reading what is in it.

use memchr::{memchr, memchr3};

use super::Frame;
use super::json::{DEEPEST, space};
use super::peel::split;

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

#[cfg(test)]
mod tests {
    use super::*;

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
