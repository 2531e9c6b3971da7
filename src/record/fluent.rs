//! Lines of a log as Fluent Bit and Fluentd print them to standard output: a time, a tag, and the members of an object.

use std::borrow::Cow;

use memchr::memmem::find;

use super::collected::Collected;
use super::peel::{digits, run, split};
use super::{Wall, time};

/// What stands between a name and its value.
const ARROW: &[u8] = b"\"=>";

/// The line in one of Fluent Bit's, `[0] kern: [[1700000000.000000000, {}], {"log"=>"line"}]`; up to 2.0 without what is known of the
/// record, `[0] kern: [1700000000.000000000, {"log"=>"line"}]` (`plugins/out_stdout/stdout.c`; texts are not escaped).
pub(super) fn of_bit(line: &[u8]) -> Option<Collected<'_>> {
    let (number, rest) = digits(line.strip_prefix(b"[")?);
    let rest = rest.strip_prefix(b"] ").filter(|_| !number.is_empty())?;
    let (_, rest) = split(rest, find(rest, b": [")? + b": [".len());
    let time = rest.strip_prefix(b"[");
    let (seconds, rest) = super::peel::number(time.unwrap_or(rest))?;
    let rest = digits(rest.strip_prefix(b".")?).1.strip_prefix(b", ")?;
    let rest = if time.is_some() { split(rest, find(rest, b"}], {")? + b"}], ".len()).1 } else { rest };
    let mut found = Collected::at(seconds.checked_mul(1_000_000).and_then(time::unix));
    let mut rest = rest.strip_prefix(b"{")?.strip_suffix(b"}]")?;
    while let Some(inside) = rest.strip_prefix(b"\"") {
        let (name, behind) = run(inside, is_of_name);
        let (value, behind) = until_next(behind.strip_prefix(ARROW)?);
        if let Some(text) = value.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")) {
            found.take(name, Cow::Borrowed(text));
        }
        rest = behind;
    }
    found.has_line().then_some(found)
}

/// Whether a line begins like one of Fluent Bit's.
pub(super) fn is_begun(line: &[u8]) -> bool {
    let begun = || {
        let (number, rest) = digits(line.strip_prefix(b"[")?);
        let (tag, rest) = run(rest.strip_prefix(b"] ").filter(|_| !number.is_empty())?, is_of_name);
        let rest = rest.strip_prefix(b": [").filter(|_| !tag.is_empty())?;
        rest.strip_prefix(b"[").unwrap_or(rest).first()
    };
    begun().is_some_and(u8::is_ascii_digit)
}

/// The line in one of Fluentd's, `2023-11-14 22:13:20.000000000 +0000 kern: {"message":"line"}` (`lib/fluent/plugin/out_stdout.rb`).
pub(super) fn of_d(line: &[u8]) -> Option<Collected<'_>> {
    let (wall, rest) = time::date_and_clock(line)?;
    let (offset, rest) = time::offset(rest.strip_prefix(b" ")?)?;
    let (_, object) = split(rest.strip_prefix(b" ")?, find(rest, b": {\"")? + 1);
    let found = super::collected::of_object(object)?;
    Some(found.or_at(Wall { offset: Some(offset), ..wall }))
}

/// A value, and what begins with the name of the next member.
fn until_next(text: &[u8]) -> (&[u8], &[u8]) {
    let mut from = 0;
    while let Some(at) = find(split(text, from).1, b", \"") {
        let (value, behind) = split(text, from + at);
        let next = split(behind, b", ".len()).1;
        if run(split(next, 1).1, is_of_name).1.starts_with(ARROW) {
            return (value, next);
        }
        from += at + 1;
    }
    (text, &[])
}

const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@')
}

#[cfg(test)]
mod tests {
    use super::super::{Author, Decoder, Input};

    fn records(log: &str) -> Vec<(String, String, bool)> {
        let mut found = Vec::new();
        let mut decoder = Decoder::new(0);
        let mut sink = |input: Input<'_>| {
            let Input::Record(record) = input else { panic!("{input:?}") };
            assert_eq!(record.author, Author::Unstated);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let host = text(record.hostname.as_deref().unwrap_or_default());
            found.push((host, text(&record.message), record.stamp.uptime.or(record.stamp.wall.map(|_| 0)).is_some()));
        };
        decoder.feed(log.as_bytes(), &mut sink);
        decoder.finish(&mut sink);
        assert!(decoder.has_known_form());
        found
    }

    #[test]
    fn what_is_printed_to_standard_output_holds_the_line() {
        for (line, host) in [
            (r#"[0] kmsg.0: [[1700000000.000000000, {}], {"priority"=>6, "sequence"=>7, "msg"=>"a "b", "c" d"}]"#, ""),
            (
                r#"[12] x: [1700000000.000000000, {"_HOSTNAME"=>"dom0", "MESSAGE"=>"a "b", "c" d", "PRIORITY"=>"6"}]"#,
                "dom0",
            ),
            (
                r#"[0] tail.0: [[1700000000.0, {"m"=>"n"}], {"log"=>"Nov 14 22:13:20 dom0 kernel: a "b", "c" d"}]"#,
                "dom0",
            ),
            (r#"2023-11-14 22:13:20.000000000 +0000 k.x: {"message":"a \"b\", \"c\" d","host":"dom0"}"#, "dom0"),
        ] {
            let expected = (host.to_owned(), "a \"b\", \"c\" d".to_owned(), true);
            assert_eq!(records(&format!("{line}\n{line}\n")), [expected.clone(), expected], "{line}");
        }
    }

    #[test]
    fn a_line_that_is_torn_is_known_by_its_beginning() {
        let torn = b"[0] x: [[1.0, {}], {\"log\"=>\"y\"";
        assert!(super::is_begun(torn) && super::of_bit(torn).is_none());
        assert!(!super::is_begun(b"[0] kern: [x]") && !super::is_begun(b"[    1.000000] x: [1"));
    }

    #[test]
    fn other_lines_are_left_alone() {
        for line in ["[0] kern: [x]", "[1] a: [[1.0, {}], {}]", "[12345] x", "2023-11-14 22:13:20 +0000 x"] {
            assert!(super::of_bit(line.as_bytes()).is_none() && super::of_d(line.as_bytes()).is_none(), "{line}");
        }
    }
}
