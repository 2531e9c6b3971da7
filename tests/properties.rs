//! What must hold for every input: the same events in every format, input cut into reads, prefixes, noise.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

mod support;

use std::fmt::Write as _;

use pciback_audit::audit::{Asked, Case, Options, conclude};
use pciback_audit::report::{Report, Verdict};
use pciback_audit::request::policy;
use support::summary::summary;
use support::{by_log, captures, endless_log, log, log_of_reads, logs_of, read, tree};

/// The list each capture's module was last given, and whether all of it was seized.
const TRUTH: [(&str, &str, bool); 10] = [
    ("absent-devices", "(0000:00:1e.3)(0000:82:00.0)(0001:00:1d.0)(0000:00:1d.0)", false),
    ("all-seized", "(0000:00:1d.0)(0000:00:1d.1)(0000:00:1d.2)(0000:00:1d.7)", true),
    ("bound-but-unusable", "(0000:00:0a.0)(0000:00:1d.0)", false),
    ("forged-lines", "(0000:00:1d.0)(0000:00:1d.7)", false),
    ("journal-formats", "(0000:00:1d.0)(0000:00:1d.1)(0000:00:1d.2)(0000:00:1d.7)(0000:00:1e.3)", false),
    ("list-on-command-line", "(0000:00:1d.0)(0000:00:1d.1)", true),
    ("list-refused", "(0000:00:1d.0)(0000:00:1d.7)", false),
    ("no-xen", "(0000:00:1d.0)(0000:00:1d.1)(0000:00:1d.2)(0000:00:1d.7)", false),
    ("silently-ignored", "(0000:00:1d.0)(0000:00:1d.1)(0000:00:1d.2)(0000:00:1d.7)", false),
    ("stale-seizing-lines", "(0000:00:1d.0)(0000:00:1d.7)", false),
];

fn statuses(report: &Report) -> Vec<String> {
    report.devices.iter().map(|device| format!("{} {}", device.address, device.status.name())).collect()
}

/// One record of a log that is written in every format.
struct Line {
    level: u8,
    micros: u64,
    text: &'static str,
}

const EVENTS: &[Line] = &[
    Line { level: 5, micros: 0, text: "Linux version 6.1.0-56-amd64 (builder) #1 SMP" },
    Line { level: 6, micros: 0, text: "Command line: placeholder" },
    Line { level: 6, micros: 700_000, text: "pci 0000:00:1d.0: [8086:2934] type 00 class 0x0c0300" },
    Line { level: 6, micros: 20_000_000, text: "uhci_hcd 0000:00:1d.2: UHCI Host Controller" },
    Line { level: 6, micros: 24_787_468, text: "pciback 0000:00:1d.0: xen_pciback: seizing device" },
    Line { level: 6, micros: 24_790_327, text: "pciback 0000:00:1d.1: xen_pciback: seizing device" },
    Line { level: 3, micros: 24_795_126, text: "pciback 0000:00:1d.1: xen_pciback: error -22 initializing device" },
    Line { level: 6, micros: 24_842_913, text: "xen_pciback: backend is vpci" },
    Line { level: 4, micros: 40_000_000, text: "random: \"quoted\" \\ back" },
];

const WANTED: &str = "(0000:00:1d.0)(0000:00:1d.1)(0000:00:1d.2)";

/// Every format, and the same events in it.
#[expect(clippy::too_many_lines, reason = "a table")]
fn in_every_format() -> Vec<(&'static str, String)> {
    type Format = fn(usize, &Line) -> String;
    fn uptime(line: &Line) -> String {
        format!("[{:5}.{:06}]", line.micros / 1_000_000, line.micros % 1_000_000)
    }
    fn clock(line: &Line) -> (u64, u64) {
        (line.micros / 1_000_000, line.micros % 1_000_000)
    }
    fn quoted(text: &str) -> String {
        text.replace('\\', "\\\\").replace('"', "\\\"")
    }
    const ZONE: &str = "+00:00";
    let formats: [(&str, Format); 20] = [
        ("kmsg", |n, l| format!("{},{n},{},-;{}", l.level, l.micros, l.text.replace('\\', "\\x5c"))),
        ("kmsg with caller", |n, l| {
            format!("{},{n},{},-,caller=T1;{}", l.level, l.micros, l.text.replace('\\', "\\x5c"))
        }),
        ("dmesg", |_, l| format!("{} {}", uptime(l), l.text)),
        ("dmesg with caller", |_, l| format!("{} [    T1] {}", uptime(l), l.text)),
        ("console with caller", |_, l| format!("{}[    T1] {}", uptime(l), l.text)),
        ("dmesg -r", |_, l| format!("<{}>{} {}", l.level, uptime(l), l.text)),
        ("dmesg -x", |_, l| {
            let level = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"][usize::from(l.level)];
            format!("kern  :{level:<6}: {} {}", uptime(l), l.text)
        }),
        ("dmesg -T", |_, l| format!("[Sun Nov 22 06:46:{:02} 2026] {}", clock(l).0, l.text)),
        ("dmesg iso", |_, l| format!("2026-11-22T06:46:{:02},{:06}{ZONE} {}", clock(l).0, clock(l).1, l.text)),
        ("RFC 3164", |_, l| format!("Nov 22 06:46:{:02} dom0 kernel: {} {}", clock(l).0, uptime(l), l.text)),
        ("RFC 3164 without uptime", |_, l| format!("Nov 22 06:46:{:02} dom0 kernel: {}", clock(l).0, l.text)),
        ("RFC 3339", |_, l| {
            format!("2026-11-22T06:46:{:02}.{:06}{ZONE} dom0 kernel: {} {}", clock(l).0, clock(l).1, uptime(l), l.text)
        }),
        ("RFC 5424", |_, l| {
            let (s, u) = clock(l);
            format!("<{}>1 2026-11-22T06:46:{s:02}.{u:06}{ZONE} dom0 kernel - - - {} {}", l.level, uptime(l), l.text)
        }),
        ("journalctl short", |_, l| format!("Nov 22 06:46:{:02} dom0 kernel: {}", clock(l).0, l.text)),
        ("journalctl short-precise", |_, l| {
            format!("Nov 22 06:46:{:02}.{:06} dom0 kernel: {}", clock(l).0, clock(l).1, l.text)
        }),
        ("journalctl short-iso", |_, l| format!("2026-11-22T06:46:{:02}+0000 dom0 kernel: {}", clock(l).0, l.text)),
        ("journalctl short-monotonic", |_, l| format!("{} dom0 kernel: {}", uptime(l), l.text)),
        ("journalctl json", |_, l| {
            format!(
                "{{\"_BOOT_ID\":\"e3e04467517848339c5b9e97abdc7330\",\"_TRANSPORT\":\"kernel\",\"SYSLOG_FACILITY\":\"0\",\
                 \"SYSLOG_IDENTIFIER\":\"kernel\",\"PRIORITY\":\"{}\",\"_SOURCE_MONOTONIC_TIMESTAMP\":\"{}\",\"MESSAGE\":\"{}\"}}",
                l.level,
                l.micros,
                quoted(l.text)
            )
        }),
        ("journalctl export", |_, l| {
            format!(
                "__CURSOR=x\n_BOOT_ID=e3e04467517848339c5b9e97abdc7330\n_TRANSPORT=kernel\nSYSLOG_FACILITY=0\n\
                 SYSLOG_IDENTIFIER=kernel\nPRIORITY={}\n_SOURCE_MONOTONIC_TIMESTAMP={}\nMESSAGE={}\n",
                l.level, l.micros, l.text
            )
        }),
        ("no time at all", |_, l| l.text.to_owned()),
    ];
    let lines = |format: Format| {
        let mut text = String::new();
        for (number, line) in EVENTS.iter().enumerate() {
            let _ = writeln!(text, "{}", format(number, line));
        }
        text
    };
    let mut all: Vec<(&str, String)> = formats.into_iter().map(|(name, format)| (name, lines(format))).collect();
    let objects = EVENTS.iter().map(|l| {
        let (s, u) = clock(l);
        format!(
            "      {{\n         \"pri\": {},\n         \"time\": {s:5}.{u:06},\n         \"msg\": \"{}\"\n      }}",
            l.level,
            quoted(l.text)
        )
    });
    let json = format!("{{\n   \"dmesg\": [\n{}\n   ]\n}}\n", objects.collect::<Vec<_>>().join(","));
    all.push(("dmesg -J", json));
    all
}

#[test]
fn the_same_events_in_every_format_give_the_same_statuses() {
    let expected = ["0000:00:1d.0 seized", "0000:00:1d.1 failed", "0000:00:1d.2 missing"];
    for (name, text) in in_every_format() {
        let report = conclude(&by_log(WANTED, text.as_bytes()));
        assert_eq!(statuses(&report), expected, "{name}\n{text}");
        assert_eq!(report.logs[0].records, EVENTS.len() as u64, "{name}\n{text}");
        assert_eq!(report.logs[0].unparsed, 0, "{name}");
    }
}

#[test]
fn formats_may_be_mixed_freely() {
    let all = in_every_format();
    let lines = |name: &str| {
        let found = all.iter().find(|(known, _)| *known == name).unwrap();
        found.1.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let forms = ["kmsg", "dmesg", "dmesg -r", "dmesg -x", "console with caller"].map(lines);
    let mixed: Vec<&str> = (0..EVENTS.len()).map(|n| forms[n % forms.len()][n].as_str()).collect();
    // kmsg's own numbers jump where another format stands: those are gaps, and must be seen as such.
    let report = conclude(&by_log(WANTED, mixed.join("\n").as_bytes()));
    assert_eq!(report.logs[0].records, EVENTS.len() as u64);
    assert!(report.logs[0].lost > 0 && report.verdict >= Verdict::Unknown);
    let forms = ["dmesg", "dmesg -r", "dmesg -x", "console with caller"].map(lines);
    let mixed: Vec<&str> = (0..EVENTS.len()).map(|n| forms[n % forms.len()][n].as_str()).collect();
    let report = conclude(&by_log(WANTED, mixed.join("\n").as_bytes()));
    assert_eq!(statuses(&report), ["0000:00:1d.0 seized", "0000:00:1d.1 failed", "0000:00:1d.2 missing"]);
}

#[test]
fn cutting_the_input_at_any_byte_changes_nothing() {
    for (name, text) in in_every_format() {
        let bytes = text.as_bytes();
        let whole = summary(&conclude(&by_log(WANTED, bytes)));
        for at in 0..=bytes.len() {
            let (front, back) = bytes.split_at(at);
            let mut case = by_log(WANTED, b"");
            case.logs = vec![log_of_reads(0, "log", &[front, back])];
            assert_eq!(summary(&conclude(&case)), whole, "{name} cut at {at}");
        }
    }
}

/// Prefixes of `bytes`: every line's end and middle, and every byte of the last lines that are about pciback.
fn prefixes(bytes: &[u8]) -> Vec<usize> {
    let mut cuts = Vec::new();
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let end = start + line.len();
        if line.windows(7).any(|part| part == b"pciback") {
            cuts.extend(start..end);
        } else if start % 16 == 0 {
            cuts.push(start + line.len() / 2);
        }
        start = end;
    }
    cuts.push(bytes.len());
    cuts
}

#[test]
fn no_prefix_of_a_capture_is_judged_a_false_ok() {
    assert_eq!(captures(), TRUTH.map(|(name, ..)| name.to_owned()), "a capture without its truth");
    for (capture, hide, all_seized) in TRUTH {
        let host = tree(&read(&format!("captures/{capture}/root.txt")));
        for name in logs_of(capture)
            .iter()
            .filter(|name| ["kmsg.raw", "dmesg-ul.txt", "journalctl-k-export.txt"].contains(&name.as_str()))
        {
            let bytes = read(&format!("captures/{capture}/{name}"));
            for end in prefixes(&bytes) {
                let alone = by_log(hide, &bytes[..end]);
                let verdict = conclude(&alone).verdict;
                let may_be_ok = all_seized || (name == "dmesg-ul.txt" && capture == "forged-lines");
                assert!(verdict > Verdict::Warning || may_be_ok, "{capture}/{name} up to {end}: {verdict}");
            }
            let case = Case { tree: Some(host.clone()), options: Options::default(), ..by_log(hide, &bytes) };
            assert_eq!(conclude(&case).verdict == Verdict::Ok, all_seized, "{capture}/{name}");
        }
    }
}

#[test]
fn every_log_of_a_capture_gives_its_truth_by_itself() {
    for (capture, hide, all_seized) in TRUTH {
        for name in logs_of(capture) {
            let case = by_log(hide, &read(&format!("captures/{capture}/{name}")));
            let report = conclude(&case);
            // Without the author the forged lines of that capture look like the driver's, which is why --trust-log warns.
            let fooled = capture == "forged-lines" && !report.logs[0].trusted;
            assert!(report.verdict != Verdict::Ok || all_seized || fooled, "{capture}/{name}: {}", summary(&report));
            let filtered = name == "journalctl-k-p-warning.txt";
            assert!(!all_seized || filtered || report.verdict == Verdict::Ok, "{capture}/{name}: {}", summary(&report));
        }
    }
}

#[test]
fn a_log_given_twice_is_judged_like_once() {
    for (capture, hide, _) in TRUTH {
        let bytes = read(&format!("captures/{capture}/kmsg.raw"));
        let once = conclude(&by_log(hide, &bytes));
        let mut case = by_log(hide, &bytes);
        case.logs = vec![log(0, "one", &bytes), log(1, "other", &bytes)];
        let twice = conclude(&case);
        assert_eq!((statuses(&twice), twice.verdict), (statuses(&once), once.verdict), "{capture} in two files");
        let joined = conclude(&by_log(hide, &[bytes.clone(), bytes].concat()));
        assert_eq!((statuses(&joined), joined.verdict), (statuses(&once), once.verdict), "{capture} in one file");
    }
}

#[test]
fn every_log_is_judged_alike_whether_its_facts_are_kept_one_by_one_or_not() {
    for (capture, hide, _) in TRUTH {
        for name in logs_of(capture) {
            let bytes = read(&format!("captures/{capture}/{name}"));
            let kept = by_log(hide, &bytes);
            let endless = Case { logs: vec![endless_log(&bytes)], ..kept.clone() };
            assert_eq!(format!("{:?}", conclude(&endless)), format!("{:?}", conclude(&kept)), "{capture}/{name}");
        }
    }
}

#[test]
fn rotated_files_may_be_named_in_any_order() {
    let text = in_every_format().into_iter().find(|(name, _)| *name == "RFC 3339").unwrap().1;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let expected = statuses(&conclude(&by_log(WANTED, text.as_bytes())));
    for at in 1..lines.len() {
        let (old, new) = (lines[..at].concat(), lines[at..].concat());
        for parts in [[&old, &new], [&new, &old]] {
            let mut case = by_log(WANTED, b"");
            case.logs = parts.iter().enumerate().map(|(index, part)| log(index, "part", part.as_bytes())).collect();
            assert_eq!(statuses(&conclude(&case)), expected, "rotated before line {at}");
        }
    }
}

/// A small generator, so that a failure can be had again.
struct Noise(u64);

impl Noise {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.next(256)).unwrap()
    }
}

#[test]
fn no_bytes_make_the_judge_panic_or_say_ok() {
    let mut noise = Noise(0x1908_eb0e);
    for round in 0..400 {
        let length = noise.next(2000);
        let bytes: Vec<u8> = (0..length).map(|_| noise.byte()).collect();
        let mut case = by_log(WANTED, &bytes);
        assert!(conclude(&case).verdict > Verdict::Warning, "round {round}");
        case.asked = Asked::List(bytes);
        case.logs = Vec::new();
        assert!(conclude(&case).verdict > Verdict::Warning, "round {round}");
    }
}

#[test]
fn no_bytes_make_a_policy_panic_and_none_is_half_understood() {
    let mut noise = Noise(0x0070_110c);
    let good = "[[device]]\naddress = \"00:1d.0\"\nid = \"8086:2934\"\nlabel = 'ü'\n\n[[device]]\naddress = '0000:00:1d.1'\n\
                severity = \"warning\"\nguest = \"a\"\n";
    let mut read = 0;
    for _ in 0..20_000 {
        let mut bytes = good.as_bytes().to_vec();
        for _ in 0..=noise.next(4) {
            let at = noise.next(bytes.len().max(1));
            let other = b"[]{}='\"#.,\n\\0:"[noise.next(14)];
            match noise.next(5) {
                _ if bytes.is_empty() => {}
                0 => bytes[at] = noise.byte(),
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, other),
                3 => bytes.extend_from_within(at..),
                _ => bytes.truncate(at),
            }
        }
        match policy::read("p", &bytes) {
            Ok(policy) => {
                read += 1;
                assert!(!policy.devices.is_empty());
                let lines = bytes.split(|byte| *byte == b'\n').count();
                for device in &policy.devices {
                    assert!((1..=lines).contains(&device.line), "{:?}", String::from_utf8_lossy(&bytes));
                    assert_eq!(policy.devices.iter().filter(|other| other.address == device.address).count(), 1);
                }
                let case = Case { asked: Asked::Policy(policy), ..Case::default() };
                assert_eq!(conclude(&case).verdict, Verdict::Unknown, "{}", String::from_utf8_lossy(&bytes));
            }
            Err(error) => assert!(error.to_string().starts_with("p:"), "{error}"),
        }
    }
    assert!(read > 100, "damage that does no harm is rare: {read}");
}

#[test]
fn damaged_logs_never_panic_and_never_turn_into_ok() {
    let mut noise = Noise(0x00c0_ffee);
    let all = in_every_format();
    for (name, text) in all {
        for round in 0..60 {
            let mut bytes = text.clone().into_bytes();
            for _ in 0..=noise.next(6) {
                let at = noise.next(bytes.len().max(1));
                if bytes.is_empty() {
                    break;
                }
                match noise.next(4) {
                    0 => bytes[at] = noise.byte(),
                    1 => drop(bytes.remove(at)),
                    2 => bytes.insert(at, noise.byte()),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            let report = conclude(&by_log(WANTED, &bytes));
            assert!(report.verdict > Verdict::Warning, "{name} round {round}: {}", String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn unknown_words_of_pciback_leave_a_device_unconfirmed_by_the_log_if_they_read_like_a_failure() {
    let text = in_every_format().into_iter().find(|(name, _)| *name == "kmsg").unwrap().1;
    for (words, status, verdict) in [
        ("device cannot go to sea", "unconfirmed", Verdict::Unknown),
        ("device has gone to sea", "seized", Verdict::Ok),
    ] {
        let text = text.replace("xen_pciback: error -22 initializing device", &format!("xen_pciback: {words}"));
        let report = conclude(&by_log("(0000:00:1d.0)(0000:00:1d.1)", text.as_bytes()));
        assert_eq!(statuses(&report), ["0000:00:1d.0 seized".to_owned(), format!("0000:00:1d.1 {status}")]);
        assert_eq!((report.verdict, report.logs[0].unrecognised), (verdict, 1), "{words}");
    }
}
