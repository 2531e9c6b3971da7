//! Lines of a log that a collector put into something of its own: an object for each (Docker, Filebeat, Loki, Fluent Bit, Splunk), or a
//! row of a table (what Kibana, Graylog and Splunk export).
//!
//! The line is read as if it stood alone in a text: such an object states no author that could be trusted. What it says of the host
//! holds where the line does not say it.

use std::borrow::Cow;

use memchr::memchr;

use super::container::Container;
use super::json::{Value, members};
use super::peel::{blanks, chomp, run, split};
use super::stream::Stream;
use super::{Flaw, Input, Place, Record, Unparsed, fluent, time};

/// Names under which the line is kept: Filebeat, Logstash and Graylog; Docker and Fluent Bit; Loki; Splunk; OpenTelemetry; GELF; Google's
/// and Azure's stores.
const LINES: [&[u8]; 11] = [
    b"message",
    b"log",
    b"line",
    b"_raw",
    b"msg",
    b"full_message",
    b"body",
    b"event.original",
    b"short_message",
    b"textPayload",
    b"SyslogMessage",
];

/// Names under which the host is kept.
const HOSTS: [&[u8]; 13] = [
    b"host",
    b"hostname",
    b"host.name",
    b"host.hostname",
    b"agent.hostname",
    b"agent.name",
    b"source",
    b"nodename",
    b"instance",
    b"fromhost",
    b"computer",
    b"_HOSTNAME",
    b"syslog_hostname",
];

/// Names under which the time is kept.
const TIMES: [&[u8]; 5] = [b"@timestamp", b"timestamp", b"time", b"_time", b"ts"];

/// Members whose own members are looked at as well: Elasticsearch's answers, Splunk's, Loki's labels, Google's.
const INNER: [&[u8]; 8] = [b"_source", b"result", b"labels", b"stream", b"host", b"beat", b"fields", b"jsonPayload"];

/// Most columns of a table.
const MOST: usize = 1024;

/// What is known of a line from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) host: Option<Vec<u8>>,
    pub(super) wall: Option<super::Wall>,
}

/// A line, and what its collector says of it.
#[derive(Debug, Default)]
pub(super) struct Collected<'a> {
    line: Option<Cow<'a, [u8]>>,
    origin: Origin,
}

impl<'a> Collected<'a> {
    /// A line of this time.
    pub(super) fn at(wall: Option<super::Wall>) -> Self {
        Self { origin: Origin { wall, ..Origin::default() }, ..Self::default() }
    }

    /// The same, of this time where none is known.
    pub(super) fn or_at(mut self, wall: super::Wall) -> Self {
        self.origin.wall.get_or_insert(wall);
        self
    }

    pub(super) const fn has_line(&self) -> bool {
        self.line.is_some()
    }

    /// Takes one member or column. Of several that may hold the line, the first one does.
    pub(super) fn take(&mut self, name: &[u8], value: Cow<'a, [u8]>) {
        if LINES.iter().any(|line| line.eq_ignore_ascii_case(name)) {
            self.line.get_or_insert(value);
        } else if HOSTS.iter().any(|host| host.eq_ignore_ascii_case(name)) && memchr(b'/', &value).is_none() {
            // With a slash it is the file that the line comes from.
            self.origin.host.get_or_insert_with(|| value.into_owned()).truncate(255);
        } else if TIMES.iter().any(|time| time.eq_ignore_ascii_case(name)) {
            self.origin.wall = time::rfc3339(&value).map(|(wall, ..)| wall);
        }
    }
}

/// The line in an object.
pub(super) fn of_object(object: &[u8]) -> Option<Collected<'_>> {
    let mut found = Collected::default();
    members(object, |name, value| match value {
        Value::Object(inner) if INNER.contains(&&*name) => {
            let above = name;
            let read = members(inner, |name, value| {
                let Value::Text(text) = value else { return };
                let is_name = *above == *b"host" && matches!(&*name, b"name" | b"hostname");
                found.take(if is_name { b"host" } else { &name }, text);
            });
            // An object that is damaged is none.
            if read.is_none() {
                found.line = None;
            }
        }
        Value::Text(text) => found.take(&name, text),
        Value::Number(_) | Value::Bytes(_) | Value::Null | Value::Object(_) | Value::Array(_) | Value::Other => {}
    })?;
    found.line.is_some().then_some(found)
}

/// The line behind its time and its labels, as `logcli query` prints it: `2026-11-22T06:00:00Z {host="dom0", job="kern"} line`.
fn of_labelled(line: &[u8]) -> Option<Collected<'_>> {
    let end = memchr(b' ', split(line, 40).0)?;
    let (time, behind) = split(line, end);
    let mut rest = blanks(behind).strip_prefix(b"{")?;
    let (wall, ..) = time::rfc3339(time)?;
    let mut found = Collected::at(Some(wall));
    loop {
        let (name, behind) = run(rest, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if let Some(behind) = behind.strip_prefix(b"=\"") {
            let (value, behind) = split(behind, memchr(b'"', behind)?);
            if HOSTS.contains(&name) {
                found.origin.host = Some(value.to_vec());
            }
            rest = behind.strip_prefix(b"\"")?;
        }
        rest = match rest {
            [b'}', rest @ ..] => {
                found.line = Some(Cow::Borrowed(rest.trim_ascii_start()));
                return Some(found);
            }
            [b',' | b' ', rest @ ..] => rest,
            _ => return None,
        };
    }
}

/// Columns of a table, by its first row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    separator: u8,
    columns: Vec<Vec<u8>>,
}

impl Table {
    /// Reads the first line of a log as the names of columns, one of them the line's.
    pub(super) fn of(first: &[u8]) -> Option<Self> {
        let separator = [b',', b';', b'\t'].into_iter().find(|byte| memchr(*byte, first).is_some())?;
        let columns: Vec<Vec<u8>> = fields(first, separator, MOST)?.into_iter().map(Cow::into_owned).collect();
        let is = |names: &[&[u8]], column: &Vec<u8>| names.iter().any(|name| name.eq_ignore_ascii_case(column));
        let beside = columns
            .iter()
            .any(|column| is(&HOSTS, column) || is(&TIMES, column) || column.eq_ignore_ascii_case(b"date"));
        (beside && columns.iter().any(|column| is(&LINES, column))).then_some(Self { separator, columns })
    }

    /// The line in a row. `None` where the row has other columns: it is damaged, or goes on in the next line.
    fn row<'a>(&self, row: &'a [u8]) -> Option<Collected<'a>> {
        let fields =
            fields(row, self.separator, self.columns.len()).filter(|fields| fields.len() == self.columns.len())?;
        let mut found = Collected::default();
        for (name, field) in self.columns.iter().zip(fields) {
            // Grafana puts all labels of a line into one column.
            if name.eq_ignore_ascii_case(b"labels") {
                let labels = of_labels(&field);
                found.origin.host = found.origin.host.or(labels);
            } else {
                found.take(name, field);
            }
        }
        Some(found)
    }
}

/// The host among the labels of a line.
fn of_labels(labels: &[u8]) -> Option<Vec<u8>> {
    let mut found = Collected::default();
    members(labels, |name, value| {
        if let Value::Text(text) = value {
            found.take(&name, text);
        }
    })?;
    found.origin.host
}

/// The fields of a row, of which there are `most` at most (RFC 4180): those in quotes may hold separators, and two quotes for one.
fn fields(row: &[u8], separator: u8, most: usize) -> Option<Vec<Cow<'_, [u8]>>> {
    let mut fields = Vec::new();
    let mut rest = row;
    while fields.len() < most {
        let end = if let Some(inside) = rest.strip_prefix(b"\"") {
            let (field, behind) = quoted(inside)?;
            fields.push(field);
            behind
        } else {
            let (field, behind) = run(rest, |byte| byte != separator);
            fields.push(Cow::Borrowed(field));
            behind
        };
        rest = match end.split_first() {
            None => return Some(fields),
            Some((byte, rest)) if *byte == separator => rest,
            Some(_) => return None,
        };
    }
    None
}

/// A field behind its first quote, and what stands behind its last one.
fn quoted(inside: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let (field, behind) = split(inside, memchr(b'"', inside)?);
    let Some(mut rest) = behind.strip_prefix(b"\"\"") else {
        return Some((Cow::Borrowed(field), behind.strip_prefix(b"\"")?));
    };
    let mut owned = field.to_vec();
    loop {
        owned.push(b'"');
        let (part, behind) = split(rest, memchr(b'"', rest)?);
        owned.extend_from_slice(part);
        match behind.strip_prefix(b"\"\"") {
            Some(further) => rest = further,
            None => return Some((Cow::Owned(owned), behind.strip_prefix(b"\"")?)),
        }
    }
}

impl Stream {
    /// The line in one of a collector's, which puts it behind a time and what else it knows.
    pub(super) fn collected_line<'a>(&self, line: &'a [u8]) -> Option<Collected<'a>> {
        if matches!(self.container, Container::Stated | Container::Call) || self.origin != Origin::default() {
            return None;
        }
        match line.first()? {
            b'[' => fluent::of_bit(line),
            b'0'..=b'9' if memchr(b'{', split(line, 42).0).is_some() => {
                of_labelled(line).or_else(|| fluent::of_d(line))
            }
            b'0'..=b'9' => fluent::of_d(line),
            _ => None,
        }
    }

    /// Reads the lines that a collector kept.
    pub(super) fn collected(&mut self, found: Collected<'_>, place: Place, sink: &mut dyn FnMut(Input<'_>)) {
        let Some(text) = found.line else { return };
        if self.container.is_trusted() {
            self.container = Container::Text;
        }
        self.known = true;
        self.origin = found.origin;
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            self.line(line, place, sink);
            // The next line may be of another host, and an object of its own.
            self.section();
        }
        self.origin = Origin::default();
    }

    /// Passes on an object or entry that is none of the journal's: the line in it, or its text.
    pub(super) fn foreign(&mut self, whole: &[u8], place: Place, sink: &mut dyn FnMut(Input<'_>)) {
        if self.container != Container::Stated
            && let Some(found) = of_object(whole)
        {
            return self.collected(found, place, sink);
        }
        if self.container == Container::Undecided {
            self.container = Container::Text;
        }
        self.bare = self.bare.saturating_add(1);
        self.record(Record::bare(place, chomp(whole)), sink);
    }

    /// A line of text, or a row of a table.
    pub(super) fn line_or_row(&mut self, line: &[u8], place: Place, sink: &mut dyn FnMut(Input<'_>)) {
        if place.line == 1 && place.offset < 4 && self.container == Container::Undecided {
            self.table = Table::of(chomp(line));
            if self.table.is_some() {
                self.container = Container::Text;
                self.known = true;
                return;
            }
        }
        match self.table.take() {
            Some(table) => {
                self.row(&table, line, place, sink);
                self.table = Some(table);
            }
            None => self.line(line, place, sink),
        }
    }

    /// Reads a row of a table.
    fn row(&mut self, table: &Table, whole: &[u8], place: Place, sink: &mut dyn FnMut(Input<'_>)) {
        match table.row(chomp(whole)) {
            Some(found) => self.collected(found, place, sink),
            None => self.unparsed(Unparsed { place, length: whole.len() as u64, why: Flaw::Damaged }, sink),
        }
    }
}

/// Whether a log begins like a table of lines.
pub fn is_table(head: &[u8]) -> bool {
    let first = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).split(|byte| *byte == b'\n').next();
    first.is_some_and(|first| Table::of(chomp(first)).is_some())
}

#[cfg(test)]
mod tests {
    use super::super::Decoder;
    use super::*;

    /// The records of a log: host, kernel's clock in seconds, message.
    fn records(log: &str) -> Vec<(String, Option<u64>, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut found = Vec::new();
        let mut sink = |input: Input<'_>| match input {
            Input::Record(Record { hostname, stamp, message, author, .. }) => {
                assert_eq!(author, super::super::Author::Unstated);
                let seconds = stamp.uptime.map(|uptime| uptime / 1_000_000);
                found.push((text(hostname.as_deref().unwrap_or_default()), seconds, text(&message)));
            }
            other @ (Input::Gap(_) | Input::Boot(..) | Input::Unparsed(_)) => {
                found.push((String::new(), None, format!("{other:?}")));
            }
        };
        let mut decoder = Decoder::new(0);
        decoder.feed(log.as_bytes(), &mut sink);
        decoder.finish(&mut sink);
        assert!(decoder.has_known_form());
        found
    }

    #[test]
    fn the_line_of_every_collector_is_found() {
        for (log, host) in [
            (r#"{"log":"[    3.000000] a \"b\"\n","stream":"stdout","time":"2026-11-22T06:00:00.1Z"}"#, ""),
            (
                r#"{"labels":{"host":"dom0"},"line":"[    3.000000] a \"b\"","timestamp":"2026-11-22T06:00:00.1Z"}"#,
                "dom0",
            ),
            (
                r#"{"@timestamp":"2026-11-22T06:00:00Z","message":"[    3.000000] a \"b\"","host":{"name":"dom0"}}"#,
                "dom0",
            ),
            (r#"{"source":"/var/log/kern.log","message":"[    3.000000] a \"b\"","beat":{"hostname":"dom0"}}"#, "dom0"),
            (r#"{"_index":"x","_source":{"message":"[    3.000000] a \"b\"","host.name":"dom0"}}"#, "dom0"),
            (r#"{"preview":false,"result":{"_raw":"[    3.000000] a \"b\"","host":"dom0"}}"#, "dom0"),
            (r#"{"log":"Nov 22 06:00:00 dom0 kernel: [    3.000000] a \"b\"\n"}"#, "dom0"),
            (
                "\"@timestamp\",\"host.name\",message\n\"Nov 22, 2026 @ 06:00:00.000\",dom0,\"[    3.000000] a \"\"b\"\"\"",
                "dom0",
            ),
            ("timestamp;source;message\r\n2026-11-22T06:00:00Z;dom0;\"[    3.000000] a \"\"b\"\"\"\r", "dom0"),
            ("2026-11-22T06:00:00Z {filename=\"/var/log/kern.log\", host=\"dom0\"} [    3.000000] a \"b\"", "dom0"),
            ("Time,Line,labels\n1,\"[    3.000000] a \"\"b\"\"\",\"{\"\"host\"\":\"\"dom0\"\"}\"", "dom0"),
            (
                r#"{"version":"1.1","host":"dom0","short_message":"[    3.000000] a \"b\"","level":6,"_facility":"kern"}"#,
                "dom0",
            ),
            (
                r#"{"jsonPayload":{"message":"[    3.000000] a \"b\"","hostname":"dom0"},"timestamp":"2026-11-22T06:00:00Z"}"#,
                "dom0",
            ),
            (r#"{"Computer":"dom0","Facility":"kern","SyslogMessage":"[    3.000000] a \"b\""}"#, "dom0"),
            ("_time,_raw,host\n2026-11-22T06:00:00Z,\"[    3.000000] a \"\"b\"\"\",dom0", "dom0"),
        ] {
            let expected = (host.to_owned(), Some(3), "a \"b\"".to_owned());
            assert_eq!(
                records(&format!("{log}\n{}", log.lines().last().unwrap())),
                [expected.clone(), expected],
                "{log}"
            );
        }
    }

    #[test]
    fn a_row_that_is_torn_is_damage() {
        let found =
            records("time,message\n1,\"[    3.000000] a\"\n2,\"[    3.1\n3,[    4.000000] b,c\n4,[    5.000000] d\n");
        assert_eq!(found.iter().filter(|(_, _, message)| message.contains("Damaged")).count(), 2);
        assert_eq!(found.first().map(|(_, seconds, _)| *seconds), Some(Some(3)));
        assert_eq!(found.last().map(|(_, seconds, _)| *seconds), Some(Some(5)));
    }

    #[test]
    fn other_text_is_no_table() {
        for head in
            ["", "message", "a,b\n", "Nov 22 06:00:00 dom0 kernel: message, time\n", "[    1.000000] time,message"]
        {
            assert!(!is_table(head.as_bytes()), "{head}");
        }
        assert!(is_table(b"\xef\xbb\xbf\"time\",\"message\"\r\n"));
    }
}
