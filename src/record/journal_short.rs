//! Lines of `journalctl` with `-o short-full`, `short-unix`, `short-monotonic` and `short-delta`, and the lines between
//! boots. `short`, `short-precise` and `short-iso` are read as syslog files are.
//!
//! systemd src/shared/logs-show.c, `output_short`; src/journal/journalctl.c (252).

use super::peel::{decimal, digits, fixed, word};
use super::syslog::{Origin, body, origin};
use super::{BootId, Place, Record, time};

/// A line that is journalctl's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separator {
    /// `-- Boot 0123456789abcdef0123456789abcdef --`: what follows belongs to that boot.
    Boot(BootId),
    /// `-- Reboot --`, before systemd 247.
    Reboot,
    /// `-- Journal begins at ..`, `-- No entries --` and the like.
    Other,
}

/// Reads a line between entries.
pub(super) fn separator(line: &[u8]) -> Option<Separator> {
    let text = line.strip_prefix(b"-- ")?;
    let inner = text.strip_suffix(b" --").or_else(|| text.strip_suffix(b".")).unwrap_or(text);
    if inner == b"Reboot" {
        return Some(Separator::Reboot);
    }
    if let Some(id) = inner.strip_prefix(b"Boot ").and_then(BootId::parse) {
        return Some(Separator::Boot(id));
    }
    let known: [&[u8]; 3] = [b"Journal begins at ", b"Logs begin at ", b"No entries"];
    known.iter().any(|start| inner.starts_with(start)).then_some(Separator::Other)
}

/// Reads a line of `short-full` or `short-unix`.
pub(super) fn decode(line: &[u8], place: Place) -> Option<Record<'_>> {
    let (wall, rest) = match line {
        [b'A'..=b'Z', ..] => time::full(line)?,
        [b'0'..=b'9', ..] => {
            let (seconds, rest) = digits(line);
            let (micros, rest) = fixed::<6>(rest.strip_prefix(b".")?)?;
            let seconds = decimal(seconds).filter(|_| seconds.len() >= 9)?;
            (time::unix(seconds.checked_mul(1_000_000)?.checked_add(u64::from(micros))?)?, rest)
        }
        _ => return None,
    };
    let (origin, rest) = origin(rest.strip_prefix(b" ")?);
    let mut record = Record::bare(place, rest);
    record.stamp.wall = Some(wall);
    body(&mut record, origin, rest, None);
    Some(record)
}

/// The names behind an uptime in brackets, which `journalctl -o short-monotonic` writes and dmesg does not.
#[derive(Debug, Default)]
pub(super) enum Names {
    /// No line told yet.
    #[default]
    Undecided,
    /// None: the lines are those of dmesg.
    Absent,
    /// The identifier only (`--no-hostname`).
    Identifier,
    /// This host, and the identifier.
    Host(Vec<u8>),
}

/// Reads what stands behind an uptime in brackets as `host identifier: text` or `identifier: text`, if it is that and not
/// dmesg's text.
///
/// They look alike, so the first line with a host must name the kernel or systemd, and the later ones the same host. Without
/// hosts the very first line must name the kernel, which no line of dmesg does. No PCI address or USB port passes for an
/// identifier: there is no colon in one.
pub(super) fn behind_uptime<'a>(text: &'a [u8], names: &mut Names) -> Option<(Origin<'a>, &'a [u8])> {
    let (first, rest) = word(text);
    if first.ends_with(b":") {
        return behind_identifier(first, text, names);
    }
    // Most lines of dmesg end here: no tag in the second word.
    let (tag, _) = word(rest);
    if first.is_empty() || !tag.ends_with(b":") || first.contains(&b':') {
        if matches!(names, Names::Undecided) {
            *names = Names::Absent;
        }
        return None;
    }
    let (origin, rest) = origin(text);
    let (hostname, identifier) = (origin.hostname?, origin.identifier?);
    let telling = identifier == b"kernel" || (origin.process && identifier.starts_with(b"systemd"));
    let same = matches!(names, Names::Host(known) if known == hostname) && !identifier.contains(&b':');
    if !telling && !same && matches!(names, Names::Undecided) {
        *names = Names::Absent;
    }
    if telling && !same {
        *names = Names::Host(hostname.to_vec());
    }
    (telling || same).then_some((origin, rest))
}

fn behind_identifier<'a>(tag: &[u8], text: &'a [u8], names: &mut Names) -> Option<(Origin<'a>, &'a [u8])> {
    match names {
        Names::Undecided if tag == b"kernel:" => *names = Names::Identifier,
        // Both have lines of systemd, which writes its name into the kernel's log.
        Names::Undecided if tag.ends_with(b"]:") => {}
        Names::Undecided => *names = Names::Absent,
        Names::Absent | Names::Identifier | Names::Host(_) => {}
    }
    if !matches!(names, Names::Identifier) {
        return None;
    }
    Some(origin(text)).filter(|(origin, _)| origin.identifier.is_some_and(|identifier| !identifier.contains(&b':')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Author;

    #[test]
    fn lines_between_entries_are_told_from_text() {
        let boot = "-- Boot e3e04467517848339c5b9e97abdc7330 --";
        let id = BootId::parse(b"e3e04467517848339c5b9e97abdc7330").unwrap();
        assert_eq!(separator(boot.as_bytes()), Some(Separator::Boot(id)));
        assert_eq!(separator(b"-- Reboot --"), Some(Separator::Reboot));
        for line in [
            "-- No entries --",
            "-- Journal begins at Sun 2026-11-22 07:05:53 UTC, ends at Sun 2026-11-22 07:06:06 UTC. --",
            "-- Logs begin at Sun 2026-11-22 07:05:53 UTC, end at Sun 2026-11-22 07:06:06 UTC. --",
        ] {
            assert_eq!(separator(line.as_bytes()), Some(Separator::Other), "{line}");
        }
        for line in ["-- Boot 12 --", "-- hello --", "--", " -- Reboot --", "-- Rebooting --"] {
            assert_eq!(separator(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn a_line_of_dmesg_is_no_host_and_identifier() {
        let mut known = Names::Absent;
        for text in [
            "usb 1-1: new device",
            "systemd[1]: Detected virtualization",
            "pciback 0000:00:1d.0: seizing device",
            "hub 3-0:1.0: USB hub found",
            "kernel: text",
            "dom0 lab: note",
        ] {
            assert_eq!(behind_uptime(text.as_bytes(), &mut known), None, "{text}");
        }
        assert!(behind_uptime(b"dom0 kernel: text", &mut known).is_some());
        assert!(behind_uptime(b"dom0 lab: note", &mut known).is_some());
        assert!(behind_uptime(b"dom0 0000:00:1d.0: text", &mut known).is_none());
        assert!(behind_uptime(b"other lab: note", &mut known).is_none());
    }

    #[test]
    fn a_log_without_hosts_begins_with_the_kernels_name() {
        let read = |texts: &[&'static str]| {
            let mut names = Names::default();
            let read =
                |text: &&'static str| behind_uptime(text.as_bytes(), &mut names).map(|(origin, _)| origin.identifier);
            texts.iter().map(read).fold(None, |_, read| read).flatten()
        };
        assert_eq!(read(&["kernel: Linux version"]), Some(&b"kernel"[..]));
        assert_eq!(read(&["systemd[1]: x", "kernel: Linux version", "lab: x"]), Some(&b"lab"[..]));
        assert_eq!(read(&["Linux version", "kernel: forged"]), None);
        assert_eq!(read(&["usb 1-1: x", "kernel: forged"]), None);
        assert_eq!(read(&["kernel: a", "0000:00:1d.0: x"]), None);
    }

    #[test]
    fn full_and_unix_times_stand_before_host_and_identifier() {
        for line in ["Sun 2026-11-22 07:05:53 UTC dom0 lab[7]: text", "1795331153.830344 dom0 lab: text"] {
            let record = decode(line.as_bytes(), Place::default()).unwrap();
            assert_eq!((&*record.message, record.author), (&b"text"[..], Author::User), "{line}");
            assert_eq!(record.stamp.wall.unwrap().local.to_string().get(..19), Some("2026-11-22 07:05:53"), "{line}");
        }
    }
}
