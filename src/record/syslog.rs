//! Lines of syslog files: RFC 3164, RFC 3339 times as rsyslog writes them, RFC 5424, and what they share with
//! `journalctl -o short`.

use std::borrow::Cow;

use memchr::memchr;

use super::peel::{digits, number, split, word};
use super::time::{self, Fraction};
use super::{Author, Record, Stamp, Wall, dmesg, terminal};

/// Where a line says it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin<'a> {
    pub(super) hostname: Option<&'a [u8]>,
    pub(super) identifier: Option<&'a [u8]>,
    /// Whether a process number stands behind the identifier.
    pub(super) process: bool,
}

/// Reads a line with the time of a syslog file, behind its priority if it has one, into a bare record. A record that it is not
/// stays as it is; one is large, and moving it through every function took longer than reading it.
pub(super) fn read<'a>(record: &mut Record<'a>, line: &'a [u8], priority: Option<u32>) -> Option<()> {
    if let [b'1', b' ', rest @ ..] = line {
        return rfc5424(record, rest, priority);
    }
    let (wall, rest) = time(line)?;
    let rest = rest.strip_prefix(b" ")?;
    let (origin, text) = fields_without_priority(rest).unwrap_or_else(|| origin(rest));
    record.stamp.wall = Some(wall);
    body(record, origin, text, priority);
    Some(())
}

/// The time at the front of a line.
pub(super) fn time(line: &[u8]) -> Option<(Wall, &[u8])> {
    match line {
        [b'0'..=b'9', ..] => match time::rfc3339(line) {
            Some((_, Fraction::Comma, _)) => None,
            Some((wall, _, rest)) => Some((wall, rest)),
            // Chinese has numbers for names of months.
            None => time::rfc3164(line),
        },
        _ => time::rfc3164(line),
    }
}

/// `2026-11-22T06:20:37.123456+00:00 gaia kernel - - - text`, behind `<6>1 ` or `1 ` (RFC 5424, section 6).
fn rfc5424<'a>(record: &mut Record<'a>, text: &'a [u8], priority: Option<u32>) -> Option<()> {
    let (wall, rest) = match text {
        [b'-', rest @ ..] => (None, rest),
        _ => time::rfc3339(text).map(|(wall, _, rest)| (Some(wall), rest))?,
    };
    let (origin, text) = fields(rest.strip_prefix(b" ")?)?;
    record.stamp.wall = wall;
    body(record, origin, text, priority);
    Some(())
}

/// The same without `<6>1 `, as some files keep it, from the host on: told from a tag by its process and message numbers.
pub(super) fn fields_without_priority(text: &[u8]) -> Option<(Origin<'_>, &[u8])> {
    let (_, rest) = word(text);
    let (identifier, rest) = word(rest);
    let (process, rest) = word(rest);
    let (message_id, rest) = word(rest);
    let none = |field: &[u8]| field == b"-";
    let is_one = (none(process) || process.iter().all(u8::is_ascii_digit))
        && (none(message_id) || message_id.iter().all(u8::is_ascii_alphanumeric))
        && !process.is_empty()
        && !message_id.is_empty()
        && !identifier.ends_with(b":")
        && matches!(rest, [b'-'] | [b'-', b' ', ..] | [b'[', ..]);
    if is_one { fields(text) } else { None }
}

/// Host, program, process, message number and structured data; also returns the message.
fn fields(text: &[u8]) -> Option<(Origin<'_>, &[u8])> {
    let (hostname, rest) = word(text);
    let (identifier, rest) = word(rest);
    let (_process, rest) = word(rest);
    let (_message_id, rest) = word(rest);
    let rest = structured_data(rest)?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let mut text = rest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(rest);
    // rsyslog's template adds a space to the one that it keeps of the message (RSYSLOG_SyslogProtocol23Format).
    if identifier == b"kernel" {
        text = text.strip_prefix(b" ").unwrap_or(text);
    }
    let said = |name: &'static [u8], value| if value == name { None } else { Some(value) };
    let origin = Origin { hostname: said(b"-", hostname), identifier: said(b"-", identifier), process: false };
    Some((origin, text))
}

/// Past `-` or `[id name="value"][..]`; in a value `"`, `\` and `]` have a `\` before them.
fn structured_data(text: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = text.strip_prefix(b"-") {
        return Some(rest);
    }
    let mut rest = text.strip_prefix(b"[")?;
    let mut quoted = false;
    loop {
        rest = match rest {
            [b'\\', _, rest @ ..] if quoted => rest,
            [b'"', rest @ ..] => {
                quoted = !quoted;
                rest
            }
            [b']', b'[', rest @ ..] if !quoted => rest,
            [b']', rest @ ..] if !quoted => return Some(rest),
            [_, rest @ ..] => rest,
            [] => return None,
        };
    }
}

/// `gaia kernel: `, `gaia sshd[812]: `, `kernel: ` as local senders write it (no host), or `gaia ` alone.
pub(super) fn origin(text: &[u8]) -> (Origin<'_>, &[u8]) {
    if has_no_origin(text) {
        return (Origin { hostname: None, identifier: None, process: false }, text);
    }
    let tagged =
        |hostname, (identifier, process, rest)| (Origin { hostname, identifier: Some(identifier), process }, rest);
    if let Some((identifier, rest)) = metalog(text) {
        return tagged(None, (identifier, false, rest));
    }
    let (first, rest) = word(text);
    if let Some(tag) = tag(text, first, rest) {
        return tagged(None, tag);
    }
    let hostname = first;
    let behind = |rest| {
        let (second, behind) = word(rest);
        tag(rest, second, behind)
    };
    match behind(rest).or_else(|| behind(busybox(rest)?)) {
        Some(tag) => tagged(Some(hostname), tag),
        None => (Origin { hostname: Some(hostname), identifier: None, process: false }, rest),
    }
}

/// Whether a text comes without host and tag: a line of the syslog daemon's own (sysklogd syslogd.c and Apple's ASL), or one of a
/// console that a program put the date before.
fn has_no_origin(text: &[u8]) -> bool {
    let own: [&[u8]; 3] = [b"last message repeated ", b"--- last message repeated ", b"-- MARK --"];
    match text {
        [b'l' | b'-', ..] => own.iter().any(|start| text.starts_with(start)),
        [b'[', b' ' | b'0'..=b'9', ..] => dmesg::stamp(text).is_some(),
        _ => false,
    }
}

/// `[kernel] ` and `[sshd] `: metalog writes the name in brackets, and no host (metalog src/metalog.c, `processLogLine`).
fn metalog(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (identifier, rest) = split(text.strip_prefix(b"[")?, memchr(b']', text)?.checked_sub(1)?);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'(' | b')');
    let begins = identifier.first().is_some_and(u8::is_ascii_alphabetic);
    Some((identifier, rest.strip_prefix(b"] ")?)).filter(|_| begins && identifier.iter().all(is_name))
}

/// Past `kern.info `, which busybox syslogd puts before the tag. It says no more than a priority below 8 does.
fn busybox(text: &[u8]) -> Option<&[u8]> {
    let (names, rest) = word(text);
    let (facility, level) = split(names, memchr(b'.', names)?);
    dmesg::facility(facility).filter(|author| *author == Author::Kernel)?;
    dmesg::level(level.strip_prefix(b".")?)?;
    Some(rest)
}

/// `kernel: ` or `sshd[812]: `: the identifier, and whether it has a process number.
fn tag<'a>(text: &'a [u8], first: &'a [u8], rest: &'a [u8]) -> Option<(&'a [u8], bool, &'a [u8])> {
    let Some(tag) = first.strip_suffix(b":") else {
        // What reached it by RFC 5424, rsyslog writes without the colon that is no part of a name there. The kernel's clock
        // behind it tells that from a message that begins with the word.
        if first == b"kernel" && dmesg::stamp(rest).is_some_and(|(stamp, _)| stamp.uptime.is_some()) {
            return Some((first, false, rest));
        }
        // Old daemons left out the space that the kernel's bracket follows.
        return text.strip_prefix(b"kernel:").map(|rest| (text.get(..6).unwrap_or(text), false, rest));
    };
    let Some(open) = tag.iter().position(|byte| *byte == b'[') else {
        return Some((tag, false, rest)).filter(|_| !tag.is_empty());
    };
    let (identifier, process) = split(tag, open);
    let (number, end) = digits(process.strip_prefix(b"[")?);
    Some((identifier, true, rest)).filter(|_| !identifier.is_empty() && !number.is_empty() && end == b"]")
}

/// Fills in what stands behind the time: origin, author, and the message with the kernel's own time before it.
pub(super) fn body<'a>(record: &mut Record<'a>, origin: Origin<'a>, text: &'a [u8], priority: Option<u32>) {
    record.hostname = origin.hostname.map(Cow::Borrowed);
    record.identifier = origin.identifier.map(Cow::Borrowed);
    record.level = priority.map(super::level);
    // Any user can log as "kernel" (logger -t kernel), so the name proves nothing; another name does.
    let is_kernel = origin.identifier == Some(b"kernel");
    let is_user = priority.is_some_and(|priority| priority >= 8) || (!is_kernel && origin.identifier.is_some());
    record.author = if is_user { Author::User } else { Author::Unstated };
    let mut text = repeated(text).unwrap_or(text);
    let is_console = origin.hostname.is_none() && origin.identifier.is_none();
    if is_kernel || is_console {
        // Forwarded twice, the tag is there twice.
        while let Some(rest) = text.strip_prefix(b"kernel: ") {
            text = rest;
        }
        if let Some((priority, rest)) = dmesg::priority(text) {
            record.level = Some(super::level(priority));
            text = rest;
        }
        let whole = dmesg::stamp(text);
        let damaged = || dmesg::unclosed(text).filter(|_| is_kernel);
        record.damaged = whole.is_none() && damaged().is_some();
        let stamp = whole.or_else(damaged);
        if let Some((Stamp { uptime: Some(uptime), wall: None }, rest)) = stamp {
            record.stamp.uptime = Some(uptime);
            text = rest;
        }
    }
    record.message = match unescape(text) {
        Cow::Owned(text) => Cow::Owned(terminal::plain(&text).into_owned()),
        text @ Cow::Borrowed(_) => text,
    };
}

/// The message in `message repeated 3 times: [ text]` (rsyslog runtime/ratelimit.c, `ratelimitMsg`; systemd and others write
/// the same).
fn repeated(text: &[u8]) -> Option<&[u8]> {
    let (_, rest) = number(text.strip_prefix(b"message repeated ")?)?;
    let inner = rest.strip_prefix(b" times: [")?;
    let inner = inner.trim_ascii_end().strip_suffix(b"]")?;
    Some(inner.strip_prefix(b" ").unwrap_or(inner).trim_ascii_end())
}

/// Undoes `#012`: rsyslog writes control characters as `#` and three octal digits (`$EscapeControlCharactersOnReceive`).
fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    let control = |digits: &[u8]| match digits {
        [b'#', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
            let value = (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0');
            value.is_ascii_control().then_some(value)
        }
        _ => None,
    };
    let mut starts = memchr::memchr_iter(b'#', text);
    if !starts.any(|at| control(split(text, at).1).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(b'#', rest) {
        let (before, escape) = split(rest, at);
        plain.extend_from_slice(before);
        let (byte, length) = control(escape).map_or((b'#', 1), |byte| (byte, 4));
        plain.push(byte);
        rest = split(escape, length).1;
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Place;

    fn shown(line: &str) -> String {
        let (priority, rest) = match dmesg::priority(line.as_bytes()) {
            Some((priority, rest)) => (Some(priority), rest),
            None => (None, line.as_bytes()),
        };
        let mut record = Record::bare(Place::default(), rest);
        if read(&mut record, rest, priority).is_none() {
            return "none".to_owned();
        }
        let text = |bytes: Option<&[u8]>| bytes.map_or("-".to_owned(), |b| String::from_utf8_lossy(b).into_owned());
        let (hostname, identifier) = (text(record.hostname.as_deref()), text(record.identifier.as_deref()));
        let uptime = record.stamp.uptime.map_or(String::new(), |uptime| uptime.to_string());
        let message = text(Some(&record.message));
        format!("{hostname}|{identifier}|{uptime}|{:?}|{message}", record.author)
    }

    #[test]
    fn every_form_of_a_syslog_file_is_read() {
        for (line, expected) in [
            ("Jul  2 00:36:54 gaia kernel: [    1.648270] text", "gaia|kernel|1648270|Unstated|text"),
            ("Jul  2 00:36:54 gaia kernel: [    1.648270][    T1] text", "gaia|kernel|1648270|Unstated|text"),
            ("Jul  2 00:36:54 gaia kernel: kernel: [    1.648270] text", "gaia|kernel|1648270|Unstated|text"),
            ("Jul  2 00:36:54 gaia kernel:[    1.648270] text", "gaia|kernel|1648270|Unstated|text"),
            ("Jul  2 00:36:54 gaia kernel [    1.648270] text", "gaia|kernel|1648270|Unstated|text"),
            ("Jul  2 00:36:54 gaia kernel text", "gaia|-||Unstated|kernel text"),
            ("Jul  2 00:36:54 gaia kernel [x] text", "gaia|-||Unstated|kernel [x] text"),
            ("Jul  2 00:36:54 gaia kernel: text", "gaia|kernel||Unstated|text"),
            ("Jul  2 00:36:54.123456 gaia kernel: text", "gaia|kernel||Unstated|text"),
            ("<6>Jul  2 00:36:54 gaia kernel: text", "gaia|kernel||Unstated|text"),
            ("<14>Jul  2 00:36:54 gaia kernel: text", "gaia|kernel||User|text"),
            ("<13>Jul  2 00:36:54 kernel: text", "-|kernel||User|text"),
            ("Jul  2 00:36:54 gaia lab[12]: [    1.648270] text", "gaia|lab||User|[    1.648270] text"),
            ("Jul  2 00:36:54 gaia lab: kernel: text", "gaia|lab||User|kernel: text"),
            ("Jul  2 00:36:54 gaia pciback 0000:00:1d.0: x", "gaia|-||Unstated|pciback 0000:00:1d.0: x"),
            ("Jan  1 00:00:05 gaia kern.info kernel: text", "gaia|kernel||Unstated|text"),
            ("Jan  1 00:00:05 gaia user.notice root: text", "gaia|-||Unstated|user.notice root: text"),
            ("2026-11-22T06:20:37.123456+00:00 gaia kernel: [    1.648270] text", "gaia|kernel|1648270|Unstated|text"),
            ("2026-11-22T06:20:37.123456+00:00 gaia kernel [    1.648270] text", "gaia|kernel|1648270|Unstated|text"),
            ("<14>Jul  2 00:36:54 gaia kernel [    1.648270] text", "gaia|kernel|1648270|User|text"),
            ("2026-11-22T06:20:37+0000 gaia kernel: text", "gaia|kernel||Unstated|text"),
            ("2026-11-22T06:20:37Z gaia sshd[1]: text", "gaia|sshd||User|text"),
            ("2026-11-22T06:20:37 gaia kernel: text", "gaia|kernel||Unstated|text"),
            (
                "<6>1 2026-11-22T06:20:37.1+00:00 gaia kernel - - - [    1.648270] text",
                "gaia|kernel|1648270|Unstated|text",
            ),
            ("<6>1 2026-11-22T06:20:37.1Z gaia kernel - - -  [    1.648270] text", "gaia|kernel|1648270|Unstated|text"),
            ("<14>1 - - lab 12 ID [a b=\"]\\\"\"][c] \u{feff}text", "-|lab||User|text"),
            ("<6>1 - gaia kernel - - -", "gaia|kernel||Unstated|"),
            ("2026-11-22T06:20:37.1Z gaia kernel - - - [    1.648270] text", "gaia|kernel|1648270|Unstated|text"),
            ("1 2026-11-22T06:20:37.1Z gaia kernel - - - text", "gaia|kernel||Unstated|text"),
            ("2026-11-22T06:20:37.1Z gaia lab 812 ID7 [a b=\"c\"] text", "gaia|lab||User|text"),
            ("2026-11-22T06:20:37Z gaia lab: a - - - text", "gaia|lab||User|a - - - text"),
            ("Jul  2 00:36:54 last message repeated 2 times", "-|-||Unstated|last message repeated 2 times"),
            (
                "Jul  2 00:36:54 --- last message repeated 2 times ---",
                "-|-||Unstated|--- last message repeated 2 times ---",
            ),
            ("Jul  2 00:36:54 -- MARK --", "-|-||Unstated|-- MARK --"),
            ("Jul  2 00:36:54 gaia -- MARK --", "gaia|-||Unstated|-- MARK --"),
            ("Jul  2 00:36:54 [    1.648270] text", "-|-|1648270|Unstated|text"),
            (
                "Jul  2 00:36:54 gaia kernel: message repeated 3 times: [ [    1.648270] text]",
                "gaia|kernel|1648270|Unstated|text",
            ),
            ("Jul  2 00:36:54 gaia lab[7]: message repeated 3 times: [ text]", "gaia|lab||User|text"),
            ("Jul  2 00:36:54 gaia kernel: [1.648270 pciback text", "gaia|kernel|1648270|Unstated|pciback text"),
            ("Jul  2 00:36:54 gaia kernel: #033[0;1;31mtext#033[0m", "gaia|kernel||Unstated|text"),
            ("Jul  2 00:36:54 kernel: [    1.648270] text", "-|kernel|1648270|Unstated|text"),
            ("Jul  2 00:36:54 [kernel] [    1.648270] text", "-|kernel|1648270|Unstated|text"),
            ("Jul  2 00:36:54 [kernel] [drm] text", "-|kernel||Unstated|[drm] text"),
            ("Jul  2 00:36:54 [sshd] [    1.648270] text", "-|sshd||User|[    1.648270] text"),
            ("Jul  2 00:36:54 [ INFO: possible ] text", "[|INFO||User|possible ] text"),
            ("juil. 02 00:36:54 gaia kernel: text", "gaia|kernel||Unstated|text"),
            ("7月 02 00:36:54 gaia kernel: text", "gaia|kernel||Unstated|text"),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }

    #[test]
    fn octal_escapes_are_undone_and_other_numbers_are_not() {
        for (text, expected) in [
            ("a#012b", "a\nb"),
            ("a#011b#", "a\tb#"),
            ("bug #123 #399 #01", "bug #123 #399 #01"),
            ("##012", "#\n"),
            ("#777", "#777"),
        ] {
            assert_eq!(&*unescape(text.as_bytes()), expected.as_bytes(), "{text}");
        }
    }
}
