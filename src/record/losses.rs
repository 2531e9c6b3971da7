//! Notes of loss: what the kernel and log daemons say of records that they did not keep.

use memchr::memmem;

use super::peel::{decimal, number, split};
use super::{Author, Record};

/// What a note of loss says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// So many records were lost.
    Counted(u64),
    /// Some were lost.
    Uncounted,
}

impl Loss {
    /// How many records, where the note says so.
    pub(super) const fn count(self) -> Option<u64> {
        match self {
            Self::Counted(count) => Some(count),
            Self::Uncounted => None,
        }
    }
}

/// What a record says of others that were lost, if it says so.
pub(super) fn lost(record: &Record<'_>) -> Option<Loss> {
    let message: &[u8] = &record.message;
    let Some(program) = record.program() else {
        return suppressed(message).filter(|_| record.author != Author::User).map(Loss::Counted);
    };
    if program.starts_with(b"systemd") {
        return by_systemd(message);
    }
    if is_rsyslog(program) {
        return by_rsyslog(message);
    }
    match program {
        b"syslog-ng" => by_syslog_ng(message),
        // sysklogd and inetutils, syslogd.c `logerror`: `/var/log/kern.log: No space left on device`.
        b"syslogd" => memmem::find(message, b"No space left on device").map(|_| Loss::Uncounted),
        _ => None,
    }
}

/// Whether a person put this line in the place of records that a copy leaves out: `...`, `[...]`, `<snip>`, `-- cut --`, `---8<---`.
/// The kernel's `------------[ cut here ]------------` is none.
pub(super) fn elided(line: &[u8]) -> bool {
    const WORDS: [&[u8]; 6] = [b"snip", b"snipped", b"cut", b"omitted", b"truncated", "\u{2026}".as_bytes()];
    let is_frame = |byte: &u8| byte.is_ascii_whitespace() || b"[](){}<>*-=_~.".contains(byte);
    let Some(first) = line.iter().position(|byte| !is_frame(byte)) else {
        let dots = memchr::memchr_iter(b'.', line).count();
        return (2..=6).contains(&dots);
    };
    let last = line.iter().rposition(|byte| !is_frame(byte)).unwrap_or(first);
    let inner = line.get(first..=last).unwrap_or(line);
    inner == b"8" && (memmem::find(line, b"8<").is_some() || memmem::find(line, b">8").is_some())
        || WORDS.iter().any(|word| word.eq_ignore_ascii_case(inner))
}

/// `xen_pcibk_config_write: 12 callbacks suppressed`: lib/ratelimit.c, `___ratelimit`, for pciback's own functions.
fn suppressed(message: &[u8]) -> Option<u64> {
    let text = message.strip_suffix(b" callbacks suppressed")?;
    let at = memmem::rfind(text, b": ")?;
    let (function, count) = split(text, at);
    let own = [&b"pciback"[..], b"xen_pcibk", b"pcistub"].iter().any(|name| memmem::find(function, name).is_some());
    decimal(count.strip_prefix(b": ")?).filter(|_| own)
}

/// systemd src/journal/journald-kmsg.c (252): `Missed %llu kernel messages` of `dev_kmsg_record`, and the note of
/// `server_read_dev_kmsg` and udevd when the device reports an overrun.
fn by_systemd(message: &[u8]) -> Option<Loss> {
    if let Some((count, rest)) = message.strip_prefix(b"Missed ").and_then(number) {
        return rest.starts_with(b" kernel messages").then_some(Loss::Counted(count));
    }
    message.starts_with(b"/dev/kmsg buffer overrun").then_some(Loss::Uncounted)
}

/// `rsyslogd`, `rsyslogd-2177` (rsyslog 7 and older: with the number of the message), `rsyslogd0`, or one of its modules.
fn is_rsyslog(program: &[u8]) -> bool {
    let modules: [&[u8]; 3] = [b"imklog", b"imuxsock", b"imjournal"];
    memmem::find(program, b"rsyslogd").is_some() || modules.iter().any(|name| program.starts_with(name))
}

/// rsyslog runtime/ratelimit.c: `imjournal: 236 messages lost due to rate-limiting`, `imuxsock lost 5 messages from pid 12`,
/// `begin to drop messages due to rate-limiting`; runtime/stream.c and action.c where a file cannot be written.
fn by_rsyslog(message: &[u8]) -> Option<Loss> {
    let has = |text: &[u8]| memmem::find(message, text).is_some();
    let counted = || {
        let words: Vec<&[u8]> = message.split(|byte| *byte == b' ').collect();
        words.windows(3).find_map(|words| match words {
            [b"lost", count, b"messages"] | [count, b"messages", b"lost"] => decimal(count),
            _ => None,
        })
    };
    if has(b"messages lost") || (has(b"lost ") && has(b" messages")) {
        return Some(counted().map_or(Loss::Uncounted, Loss::Counted));
    }
    // An action that sends elsewhere takes nothing from the file that says so.
    let failed = has(b"suspended") || has(b"message lost");
    let suspended = has(b"action") && failed && (!has(b"(module") || has(b"omfile"));
    let drops = has(b"begin to drop") || has(b"begins to drop") || has(b"discard");
    let unwritten = drops || has(b"No space left on device") || has(b"write error");
    (suspended || unwritten).then_some(Loss::Uncounted)
}

/// syslog-ng lib/logqueue-fifo.c and modules/diskq: `Destination queue full, dropping message`; lib/logwriter.c: `Message(s)
/// dropped while sending message to destination`, `I/O error occurred while writing; fd='7', error='No space left on device
/// (28)'`; lib/stats: `Log statistics; dropped='..=12'`, and `STATS: dropped 12` of its first versions.
fn by_syslog_ng(message: &[u8]) -> Option<Loss> {
    let texts: [&[u8]; 5] = [
        b"queue full",
        b"No space left on device",
        b"dropping message",
        b"Message(s) dropped",
        b"Read-only file system",
    ];
    if texts.iter().any(|text| memmem::find(message, text).is_some()) {
        return Some(Loss::Uncounted);
    }
    let some = |text: &[u8]| number(text).is_some_and(|(count, _)| count > 0);
    for name in [&b"dropped "[..], b"dropped messages: ", b"dropped messages="] {
        if let Some(at) = memmem::find(message, name)
            && some(split(message, at + name.len()).1)
        {
            return Some(Loss::Uncounted);
        }
    }
    memmem::find_iter(message, b"dropped='")
        .any(|at| statistic(split(message, at).1).is_some_and(some))
        .then_some(Loss::Uncounted)
}

/// The number in `dropped='dst.file(d_kern#0,/var/log/kern.log)=12'`.
fn statistic(text: &[u8]) -> Option<&[u8]> {
    let value = text.strip_prefix(b"dropped='")?;
    let value = split(value, memchr::memchr(b'\'', value)?).0;
    Some(split(value, memchr::memrchr(b'=', value)? + 1).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Place;

    #[expect(clippy::option_option, reason = "short in a table")]
    fn noted(program: &'static str, message: &'static str) -> Option<Option<u64>> {
        let identifier = Some(program.as_bytes().into());
        lost(&Record { identifier, ..Record::bare(Place::default(), message.as_bytes()) }).map(Loss::count)
    }

    #[test]
    fn a_mark_of_left_out_lines_is_told_from_text() {
        for line in [
            "...",
            "[...]",
            "(....)",
            "<snip>",
            "[ Snip ]",
            "-- cut --",
            "*snipped*",
            "---8<---",
            ">8--",
            "\u{2026}",
            "[\u{2026}]",
        ] {
            assert!(elided(line.as_bytes()), "{line}");
        }
        for line in
            ["", ".", "---", "------------[ cut here ]------------", "........", "a...", "... done", "[8]", "snip it"]
        {
            assert!(!elided(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn every_daemon_that_lost_records_says_so() {
        for (program, message, expected) in [
            ("systemd-journald", "Missed 52 kernel messages", Some(Some(52))),
            ("systemd-journald", "/dev/kmsg buffer overrun, some messages lost.", Some(None)),
            ("systemd-udevd", "/dev/kmsg buffer overrun, some messages lost.", Some(None)),
            ("systemd-journald", "Suppressed 12 messages from lab.service", None),
            ("rsyslogd", "imklog: 7 messages lost due to rate-limiting", Some(Some(7))),
            ("rsyslogd-2177", "imuxsock lost 3 messages from pid 12 due to rate-limiting", Some(Some(3))),
            ("rsyslogd0", "imuxsock[pid 12]: begin to drop messages due to rate-limiting", Some(None)),
            ("syncd#rsyslogd", "imjournal from <a:b>: begin to drop messages due to rate-limiting", Some(None)),
            ("imjournal", "messages lost due to rate-limiting", Some(None)),
            ("rsyslogd-2177", "imuxsock begins to drop messages from pid 12 due to rate-limiting", Some(None)),
            ("rsyslogd", "file '/var/log/kern.log'[7] write error: Read-only file system", Some(None)),
            ("syslogd", "/var/log/kern.log: No space left on device", Some(None)),
            ("syslogd", "exiting on signal 15", None),
            ("rsyslogd", "file '/var/log/kern.log'[7] write error: No space left on device", Some(None)),
            ("rsyslogd", "action 'a' (module 'builtin:omfile') message lost, could not be processed.", Some(None)),
            ("rsyslogd", "action 'a' (module 'builtin:omfwd') message lost, could not be processed.", None),
            ("rsyslogd-2007", "action 'action 1' suspended (module 'builtin:omfile'), retry 0.", Some(None)),
            ("rsyslogd", "action 'action 17' suspended, next retry is Sun Nov 22 06:20:00 2026", Some(None)),
            ("rsyslogd", "action 'action 2' suspended (module 'builtin:omfwd'), retry 0.", None),
            ("rsyslogd", "[origin software=\"rsyslogd\" swVersion=\"8.2102.0\"] start", None),
            ("syslog-ng", "Destination queue full, dropping message; filename='x'", Some(None)),
            ("syslog-ng", "I/O error occurred while writing; fd='5', error='No space left on device (28)'", Some(None)),
            ("syslog-ng", "Log statistics; dropped='dst.file(d#0,/var/log/kern.log)=12', processed='x=1'", Some(None)),
            ("syslog-ng", "Log statistics; processed='x=1', dropped='dst.file(d#0,/var/log/kern.log)=0'", None),
            ("syslog-ng", "Message(s) dropped while sending message to destination; driver='d_kern'", Some(None)),
            ("syslog-ng", "STATS: dropped 5", Some(None)),
            ("syslog-ng", "STATS: dropped 0", None),
            ("lab", "Missed 52 kernel messages", None),
            ("kernel", "xen_pcibk_config_write: 12 callbacks suppressed", Some(Some(12))),
            ("kernel", "net_ratelimit: 12 callbacks suppressed", None),
        ] {
            assert_eq!(noted(program, message), expected, "{program}: {message}");
        }
    }
}
