//! `scan` judges as `check --log` does, however it reads: with its search or without, in parts of any size, with any number of
//! threads, from one file or from a rotated set.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may end in a panic")]

mod common;
mod support;

use std::fmt::Write as _;
use std::num::NonZeroU64;
use std::path::PathBuf;

use common::{Folder, gzip};
use pciback_audit::audit::{Asked, Case, Options, conclude};
use pciback_audit::event::Event;
use pciback_audit::record::{Decoder, Input};
use pciback_audit::report::{Code, Evidence, EvidenceTime, Report, Run, Severity, Verdict};
use pciback_audit::scan::{Progress, Scan, Scanned};
use pciback_audit::source::Logs;
use pciback_audit::timeline::BootChoice;
use support::{captures, logs_of, read, testdata};

/// What a report says, without what depends on how the log was read: counts of its records, and lines or bytes.
fn said(report: &Report) -> String {
    let mut report = report.clone();
    report.logs.clear();
    report.host = None;
    // Which record of a boot is its last one is known to within the lines that are looked at.
    report.seen = EvidenceTime::Unknown;
    // A scan judges each boot on its own, and does not say whose lines those of the others are.
    report.findings.retain(|finding| finding.code != Code::StaleBoot);
    report.findings.retain(|finding| finding.code != Code::AuthorUnstated || finding.severity != Severity::Info);
    for evidence in report.findings.iter_mut().flat_map(|finding| &mut finding.evidence) {
        if let Evidence::Log { line, offset, source, sequence, stamp, .. } = evidence {
            (*line, *offset, *sequence) = (None, None, None);
            source.clear();
            stamp.wall = None;
        }
    }
    for entry in &mut report.request.entries {
        entry.location = None;
    }
    for device in &mut report.devices {
        device.seizing = device.seizing.map(|stamp| pciback_audit::record::Stamp { wall: None, ..stamp });
    }
    for finding in &mut report.findings {
        finding.stamp.wall = None;
        // These name the log; count the places where something is missing (a scan counts one between two records that say
        // something); or give the first of several reasons, which can hang on a time that was rounded.
        if matches!(finding.code, Code::AuthorUnstated | Code::RecordsLost | Code::Unsettled) {
            finding.message.clear();
        }
    }
    format!("{report:#?}")
}

fn scan(paths: &[PathBuf]) -> Scan {
    Scan { paths: paths.to_vec(), threads: 1, ..Scan::default() }
}

fn run(scan: &Scan) -> (Vec<(Report, Run)>, Scanned) {
    let mut reports = Vec::new();
    let scanned = scan.run(&Progress::default(), &mut |report, run| {
        reports.push((report.clone(), *run));
        true
    });
    (reports, scanned)
}

/// All that a scan says, to be compared with another of the same logs. Which line of a host is its last one is known to within
/// the lines that are looked at.
fn all(scan: &Scan) -> String {
    let (mut reports, scanned) = run(scan);
    for (_, run) in &mut reports {
        run.last = None;
    }
    format!("{reports:#?}\n{scanned:#?}")
}

/// The same, without what depends on whether lines were passed over.
fn meant(scan: &Scan) -> String {
    let (reports, scanned) = run(scan);
    let reports: Vec<_> =
        reports.iter().map(|(report, run)| format!("{:?} {} {}", report.host, run.back, said(report))).collect();
    format!("{}\n{scanned:#?}", reports.concat())
}

fn check(path: &std::path::Path, asked: &Asked, back: usize) -> Report {
    let mut logs = Logs::default();
    logs.file(path);
    let options = Options { boot: BootChoice::FromLast(back), ..Options::default() };
    conclude(&Case { asked: asked.clone(), logs: logs.into_inner(), options, ..Case::default() })
}

/// Holds that a scan of one log says of each boot what `check --log` says of it.
#[track_caller]
fn agrees(name: &str, path: &std::path::Path, asked: &Asked) {
    let mut scan = scan(&[path.to_owned()]);
    scan.asked = asked.clone();
    let (reports, _) = run(&scan);
    assert!(!reports.is_empty(), "{name}: no report");
    for (report, run) in reports.into_iter().filter(|(report, _)| !report.logs.is_empty()) {
        let checked = check(path, asked, run.back);
        similar(name, &said(&report), &said(&checked));
    }
}

#[track_caller]
fn similar(name: &str, one: &str, other: &str) {
    if one != other {
        let differing = one.lines().zip(other.lines()).find(|(one, other)| one != other);
        panic!("{name}: {differing:?}");
    }
}

fn hide(list: &str) -> Asked {
    Asked::List(list.as_bytes().to_vec())
}

const LISTS: [&str; 3] =
    ["(0000:00:1d.0)(0000:00:1d.1)(0000:00:1d.2)(0000:00:1d.7)", "(0000:00:1d.0)", "(0000:00:0a.0)(0000:00:1f.6)"];

/// The records of a log as a syslog daemon on `host` would have written them, from this second of November 22 on.
fn syslog(bytes: &[u8], host: &str, modern: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut decoder = Decoder::new(0);
    let mut sink = |input: Input<'_>| {
        let Input::Record(record) = input else { return };
        let uptime = record.stamp.uptime.unwrap_or_default();
        let second = 6 * 3600 + uptime / 1_000_000;
        let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
        let time = if modern {
            format!("2026-11-22T{clock}.{:06}+01:00", uptime % 1_000_000)
        } else {
            format!("Nov 22 {clock}")
        };
        let message = String::from_utf8_lossy(&record.message).replace('\n', "#012");
        let (seconds, micros) = (uptime / 1_000_000, uptime % 1_000_000);
        lines.push(format!("{time} {host} kernel: [{seconds:5}.{micros:06}] {message}\n"));
    };
    decoder.feed(bytes, &mut sink);
    decoder.finish(&mut sink);
    lines
}

/// Lines of daemons, as they stand between those of the kernel.
fn noise(host: &str, number: usize, second: usize) -> String {
    let clock = format!("Nov 22 {:02}:{:02}:{:02}", 6 + second / 3600, second / 60 % 60, second % 60);
    match number % 4 {
        0 => {
            format!("{clock} {host} sshd[{number}]: Accepted publickey for root from 10.0.0.{} port 22\n", number % 250)
        }
        1 => format!("{clock} {host} systemd[1]: Started Session {number} of user root.\n"),
        2 => format!("{clock} {host} CRON[{number}]: (root) CMD (test -x /usr/sbin/anacron)\n"),
        _ => format!("{clock} {host} kernel: audit: type=1400 audit({number}.0:0): x\n"),
    }
}

#[test]
fn scan_and_check_agree_on_every_capture() {
    let folder = Folder::new();
    for capture in captures() {
        for log in logs_of(&capture) {
            let path = testdata(&format!("captures/{capture}/{log}"));
            for list in LISTS {
                agrees(&format!("{capture}/{log} {list}"), &path, &hide(list));
            }
        }
        // The same as a syslog, which is searched, with every shape of time.
        let records = read(&format!("captures/{capture}/kmsg.raw"));
        for modern in [false, true] {
            let text = syslog(&records, "dom0-a", modern).concat();
            folder.file("kern.log", text.as_bytes());
            let path = folder.at("kern.log");
            for list in LISTS {
                agrees(&format!("{capture} as syslog ({modern}), {list}"), &path, &hide(list));
            }
            let found = Asked::default();
            let (reports, _) = run(&scan(std::slice::from_ref(&path)));
            for (report, run) in reports {
                similar(&capture, &said(&report), &said(&check(&path, &found, run.back)));
            }
        }
    }
}

#[test]
fn logs_of_several_kinds_behind_each_other_are_read_whole() {
    let folder = Folder::new();
    let lines = syslog(&read("captures/silently-ignored/kmsg.raw"), "dom0", false).concat();
    let quiet: String = (0..20_000).map(|number| noise("dom0", number, number / 10)).collect();
    for log in ["all-seized/kmsg.raw", "journal-formats/journalctl-k-export.txt"] {
        let other = read(&format!("captures/{log}"));
        for (name, text) in [
            ("behind", [lines.as_bytes(), &other].concat()),
            ("among", [lines.as_bytes(), &other, lines.as_bytes()].concat()),
            ("at the end", [quiet.as_bytes(), &other].concat()),
        ] {
            folder.file("mixed.log", &text);
            agrees(&format!("{log} {name}"), &folder.at("mixed.log"), &hide(LISTS[0]));
        }
    }
    // In a large file only some places are looked at. A record of another form proves nothing there.
    for log in
        ["all-seized/kmsg.raw", "journal-formats/journalctl-k-export.txt", "journal-formats/journalctl-k-verbose.txt"]
    {
        let text = [quiet.as_bytes(), &read(&format!("captures/{log}")), quiet.as_bytes()].concat();
        folder.file("mixed.log", &text);
        let (reports, _) = run(&Scan { asked: hide(LISTS[0]), ..scan(&[folder.at("mixed.log")]) });
        assert!(reports.iter().all(|(report, _)| report.verdict > Verdict::Warning), "{log} {reports:#?}");
    }
}

#[test]
fn a_load_is_the_same_wherever_parts_of_its_file_meet() {
    const PART: usize = 128 << 10;
    let folder = Folder::new();
    let path = folder.at("kern.log");
    // Of the same second, so that the first line behind the load settles nothing.
    let messages = ["Linux version 6.1.0-56-amd64 (x)", "Command line: ro"].map(str::to_owned).into_iter();
    let seizing = (0..4).map(|function| format!("pciback 0000:00:1d.{function}: xen_pciback: seizing device"));
    let others = ["xen_pciback: backend is vpci", "one", "two", "three", "four"].map(str::to_owned);
    let lines: Vec<String> = (0..)
        .zip(messages.chain(seizing).chain(others))
        .map(|(number, message)| format!("Nov 22 06:00:01 dom0-a kernel: [    0.{number:02}0000] {message}\n"))
        .collect();
    let quiet: String = (0..2000).map(|number| noise("web-1", number, number / 100)).collect();
    for meeting in 0..lines.len() {
        // The part begins with this line, or somewhere in it.
        for into in [0, 1, 60] {
            let before: usize = lines[..meeting].iter().map(String::len).sum();
            let padding = PART + 1 - before - into;
            let line = "Nov 22 06:00:00 web-1 sshd[1]: x\n";
            let filler = format!("{}\n", "x".repeat(padding % line.len() + line.len() - 1));
            let text = line.repeat(padding / line.len() - 1) + &filler + &lines.concat() + &quiet + &quiet;
            std::fs::write(&path, text).unwrap();
            let mut scan = Scan { asked: hide(LISTS[0]), ..scan(std::slice::from_ref(&path)) };
            scan.part = NonZeroU64::new(1 << 30);
            let whole = all(&scan);
            scan.part = NonZeroU64::new(PART as u64);
            similar(&format!("line {meeting}, byte {into}"), &all(&scan), &whole);
        }
    }
}

/// A central log: three hosts' boots, line by line among each other and among those of daemons.
fn central() -> String {
    let hosts: Vec<Vec<String>> = ["all-seized", "silently-ignored", "stale-seizing-lines"]
        .iter()
        .zip(["dom0-a", "dom0-b", "web-1.example.org"])
        .map(|(capture, host)| syslog(&read(&format!("captures/{capture}/kmsg.raw")), host, false))
        .collect();
    let mut text = String::new();
    for number in 0..hosts.iter().map(Vec::len).max().unwrap() {
        for (host, lines) in ["dom0-a", "dom0-b", "web-1.example.org"].iter().zip(&hosts) {
            text.push_str(lines.get(number).map_or("", String::as_str));
            (0..8).for_each(|more| text.push_str(&noise(host, number * 8 + more, number / 20)));
        }
    }
    text
}

#[test]
fn the_outcome_is_the_same_for_any_number_of_threads_and_any_parts_and_without_the_search() {
    let folder = Folder::new();
    let text = central();
    folder.file("kern.log", text.as_bytes());
    folder.file("other/kern.log", text.replace("dom0-", "xen-").as_bytes());
    let paths = [folder.at("kern.log"), folder.at("other")];
    let mut base = scan(&paths);
    base.asked = hide(LISTS[0]);
    let (expected, same) = (all(&base), meant(&base));
    assert!(text.len() > 1_000_000, "{} bytes make few parts", text.len());
    assert!(expected.contains("Critical") && expected.contains("dom0-b") && expected.contains("xen-a"));
    for threads in [1, 2, 3, 8] {
        for part in [None, Some(131_072), Some(200_001), Some(333_333)] {
            for every_line in [false, true] {
                let part = part.and_then(NonZeroU64::new);
                let other = Scan { threads, part, every_line, ..base.clone() };
                let name = format!("{threads} threads, {part:?}, every line: {every_line}");
                similar(
                    &name,
                    &if every_line { meant(&other) } else { all(&other) },
                    if every_line { &same } else { &expected },
                );
            }
        }
    }
}

#[test]
fn hosts_of_a_central_log_are_told_apart() {
    let folder = Folder::new();
    folder.file("kern.log", central().as_bytes());
    let mut central = scan(&[folder.at("kern.log")]);
    central.asked = hide(LISTS[0]);
    let (reports, _) = run(&central);
    for (report, run) in reports {
        let host = report.host.clone().unwrap();
        let capture = match host.as_str() {
            "dom0-a" => "all-seized",
            "dom0-b" => "silently-ignored",
            _ => "stale-seizing-lines",
        };
        let text = syslog(&read(&format!("captures/{capture}/kmsg.raw")), &host, false).concat();
        folder.file("alone.log", text.as_bytes());
        let checked = check(&folder.at("alone.log"), &central.asked, run.back);
        assert_eq!(report.verdict, checked.verdict, "{host}");
        let statuses =
            |report: &Report| report.devices.iter().map(|d| (d.address, d.status.name())).collect::<Vec<_>>();
        assert_eq!(statuses(&report), statuses(&checked), "{host}");
    }
}

#[test]
fn packed_and_rotated_files_are_one_log() {
    let text = syslog(&read("captures/all-seized/kmsg.raw"), "dom0-a", true);
    let folder = Folder::new();
    folder.file("whole/kern.log", text.concat().as_bytes());
    let (first, rest) = text.split_at(text.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    folder.file("rotated/kern.log.2.gz", &gzip(first.concat().as_bytes()));
    folder.file("rotated/kern.log.1", second.concat().as_bytes());
    folder.file("rotated/kern.log", third.concat().as_bytes());
    let of = |name: &str| {
        let mut scan = scan(&[folder.at(name)]);
        scan.asked = hide(LISTS[0]);
        let (reports, _) = run(&scan);
        reports.iter().map(|(report, run)| format!("{} {}", run.back, said(report))).collect::<Vec<_>>()
    };
    assert_eq!(of("whole").len(), 1);
    similar("rotated", &of("rotated").concat(), &of("whole").concat());
}

#[test]
fn the_same_records_in_several_logs_are_there_once() {
    let folder = Folder::new();
    let text = syslog(&read("captures/silently-ignored/kmsg.raw"), "dom0-a", true).concat();
    folder.file("one/kern.log", text.as_bytes());
    folder.file("both/kern.log", text.as_bytes());
    folder.file("both/syslog", text.as_bytes());
    folder.file("both/messages", text.as_bytes());
    let of = |name: &str| {
        let mut scan = scan(&[folder.at(name)]);
        scan.asked = hide(LISTS[0]);
        run(&scan).0.iter().map(|(report, _)| said(report)).collect::<Vec<_>>()
    };
    assert_eq!(of("both"), of("one"));
}

#[test]
fn a_year_that_went_by_between_two_boots_is_counted() {
    let boot = |day: &str| {
        let line =
            |micros: u32, message: &str| format!("{day} 06:00:00 gaia kernel: [    0.00000{micros}] {message}\n");
        let seized = line(3, "pciback 0000:00:1d.0: xen_pciback: seizing device");
        line(0, "Linux version 6.1.0 x") + &seized + &line(4, "xen_pciback: backend is vpci")
    };
    let quiet = |host: &str| {
        let mut text = String::new();
        for month in ["Apr", "Jul", "Oct", "Dec", "Jan", "Feb"] {
            for number in 0..2000 {
                // A switch that does not know what day it is.
                writeln!(text, "Jan  1 00:{:02}:00 switch portd: link up", number % 60).unwrap();
                writeln!(text, "{month} 20 12:{:02}:00 {host} sshd[812]: Connection closed", number % 60).unwrap();
            }
        }
        text
    };
    let folder = Folder::new();
    let log = |between: String| boot("Mar 10") + &between + &boot("Mar 12");
    // Without hosts, every record is looked at.
    let own = log(quiet("gaia"))
        .lines()
        .filter(|line| line.contains(" gaia "))
        .fold(String::new(), |own, line| own + line + "\n");
    let nameless = own.replace(" gaia ", " ");
    for (log, years) in [(log(quiet("gaia")), 1), (log(quiet("switch")), 0), (log(String::new()), 0), (nameless, 1)] {
        folder.file("syslog", log.as_bytes());
        for part in [None, NonZeroU64::new(1), NonZeroU64::new(200_000)] {
            let (reports, _) = run(&Scan { part, asked: hide("(0000:00:1d.0)"), ..scan(&[folder.at("syslog")]) });
            let seized = |back| {
                let (report, _) = reports.iter().find(|(_, run)| run.back == back).unwrap();
                report.devices[0].seizing.unwrap().wall.unwrap().local.format("%Y %b %d").to_string()
            };
            let year = |text: String| text[..4].parse::<i32>().unwrap();
            assert_eq!((&seized(1)[5..], &seized(0)[5..]), ("Mar 10", "Mar 12"));
            assert_eq!(year(seized(0)) - year(seized(1)), years, "{part:?}");
        }
    }
}

#[test]
fn what_daemons_alone_wrote_is_no_boot() {
    let folder = Folder::new();
    let text = syslog(&read("captures/all-seized/kmsg.raw"), "dom0-a", true).concat();
    let auth: String = (0..40).map(|number| noise("dom0-a", number * 4, 900)).collect();
    folder.file("dom0-a/kern.log", text.as_bytes());
    folder.file("dom0-a/auth.log", auth.as_bytes());
    // The end of a central log, where lines without anything to say are asked as well.
    let mail: String = (0..40).map(|number| noise("mail", number * 4, 900)).collect();
    folder.file("all.log", (text + &mail).as_bytes());
    for names in [&["dom0-a"][..], &["all.log"], &["dom0-a", "all.log"]] {
        let mut scan = scan(&names.iter().map(|name| folder.at(name)).collect::<Vec<_>>());
        for asked in [hide(LISTS[0]), Asked::default()] {
            scan.asked = asked;
            let (reports, _) = run(&scan);
            let hosts: Vec<_> = reports.iter().map(|(report, _)| report.host.as_deref().unwrap()).collect();
            assert_eq!(hosts, ["dom0-a"], "{names:?}");
        }
    }
    let mut scan = scan(&[folder.at("dom0-a/auth.log")]);
    scan.asked = hide(LISTS[0]);
    assert_eq!(run(&scan).0.len(), 0);
}

#[test]
fn what_cannot_be_read_is_a_report_of_its_own_and_makes_nothing_ok() {
    let text = syslog(&read("captures/all-seized/kmsg.raw"), "dom0-a", true).concat();
    let folder = Folder::new();
    let packed = gzip(text.as_bytes());
    folder.file("cut.log.gz", &packed[..packed.len() - 9]);
    // Nothing of it can be unpacked, as of a small file of zstd that lacks its end.
    folder.file("begun.log.gz", &packed[..20]);
    let (reports, scanned) = run(&scan(&[folder.at("begun.log.gz")]));
    assert_eq!((scanned.unreadable, reports.len(), reports[0].0.exit_status), (1, 1, 3));
    let mut holed = text.clone().into_bytes();
    holed.extend([0; 3000]);
    holed.extend(b"\nNov 22 07:00:00 dom0-a CRON[1]: x\n");
    folder.file("holed.log", &holed);
    folder.file("long.log", format!("{text}Nov 22 07:00:00 dom0-a x: {}\n", "y".repeat(3 << 20)).as_bytes());
    for (name, place) in [("cut.log.gz", "byte"), ("holed.log", "not text"), ("long.log", "too long")] {
        let mut scan = scan(&[folder.at(name)]);
        scan.asked = hide(LISTS[0]);
        let (reports, scanned) = run(&scan);
        assert_eq!(scanned.unreadable, 1, "{name}");
        let finding = &reports[0].0.findings[0];
        assert!(finding.message.contains(name) && finding.message.contains(place), "{}", finding.message);
        assert!(reports.iter().all(|(report, _)| report.exit_status == 3), "{name}: {reports:#?}");
        assert!(reports.len() > 1, "{name}: the rest is audited");
    }
}

#[test]
fn a_file_that_is_no_log_is_passed_over_unless_it_is_named() {
    let folder = Folder::new();
    folder.file("logs/kern.log", syslog(&read("captures/all-seized/kmsg.raw"), "dom0-a", false).concat().as_bytes());
    let junk: Vec<u8> = (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    folder.file("logs/data", &junk);
    let (reports, scanned) = run(&scan(&[folder.at("logs")]));
    assert_eq!((scanned.passed_over, scanned.unreadable), (1, 0));
    assert!(reports.iter().all(|(report, _)| report.host.is_some()));
    let (_, scanned) = run(&scan(&[folder.at("logs/data")]));
    assert_eq!(scanned.unreadable, 1);
}

#[test]
fn the_hypervisors_lines_of_a_serial_capture_are_of_the_boot_behind_them() {
    let boot = |state: &str, fault: &str| {
        format!(
            "(XEN) Xen version 4.14.6 (Debian 4.14.6-1) (x86_64-linux-gnu-gcc) debug=n\n\
             (XEN) [    1.234567] I/O virtualisation {state}\n\
             [    0.000000] Linux version 5.10.0-32-amd64 (builder) #1 SMP\n\
             [   24.000000] pciback 0000:03:00.0: seizing device\n\
             [   24.000200] xen_pciback: backend is vpci\n{fault}\
             [   90.000000] random: crng init done\n"
        )
    };
    let fault =
        "(XEN) [   81.234567] AMD-Vi: IO_PAGE_FAULT: domain = 1, device id = 0x300, fault address = 0xfe000000\n";
    let folder = Folder::new();
    folder.file("serial.log", (boot("disabled", "") + &boot("enabled", fault)).as_bytes());
    let asked = hide("(0000:03:00.0)");
    agrees("serial.log", &folder.at("serial.log"), &asked);
    let (reports, _) = run(&Scan { asked, ..scan(&[folder.at("serial.log")]) });
    let has = |back: usize, code: Code| {
        let report = reports.iter().find(|(_, run)| run.back == back);
        report.is_some_and(|(report, _)| report.findings.iter().any(|finding| finding.code == code))
    };
    assert_eq!([has(1, Code::IommuOff), has(0, Code::IommuOff)], [true, false]);
    assert_eq!([has(1, Code::DmaFault), has(0, Code::DmaFault)], [false, true]);
}

#[test]
fn a_seizing_line_without_an_end_is_settled_by_what_its_host_says_a_second_later() {
    let line = |second: usize, host: &str, text: &str| {
        format!("Nov 22 06:00:{second:02} {host} kernel: [{second:5}.000000] {text}\n")
    };
    let seizing = "pciback 0000:00:1d.0: xen_pciback: seizing device";
    let asked = hide("(0000:00:1d.0)");
    let folder = Folder::new();
    for (later, host, status) in [(9, "dom0-a", "seized"), (5, "dom0-a", "unconfirmed"), (9, "dom0-b", "unconfirmed")] {
        for far in [0, 3000] {
            let mut text = line(1, "dom0-a", "Linux version 6.1.0 x") + &line(5, "dom0-a", seizing);
            (0..far).for_each(|number| text.push_str(&noise("mail", number, 5)));
            text += &line(later, host, "usb 1-1: new device");
            (0..far).for_each(|number| text.push_str(&noise("mail", number, 10)));
            folder.file("kern.log", text.as_bytes());
            for part in [None, NonZeroU64::new(500)] {
                let (reports, _) = run(&Scan { asked: asked.clone(), part, ..scan(&[folder.at("kern.log")]) });
                let (report, _) = reports.iter().find(|(report, _)| report.host.as_deref() == Some("dom0-a")).unwrap();
                assert_eq!(report.devices[0].status.name(), status, "{later} {host} {far} {part:?}");
            }
        }
    }
}

#[test]
fn many_boots_of_many_hosts_are_each_told_of() {
    let mut text = String::new();
    for boot in 0..20 {
        for host in 0..30 {
            let line = |micros: u32, message: &str| {
                format!("Nov {:2} 06:00:{:02} h{host} kernel: [    {}.{micros:06}] {message}\n", boot + 1, host, 1)
            };
            text += &line(0, "Linux version 6.1.0 x");
            text += &line(1, "Command line: xen-pciback.hide=(0000:00:1d.0)(0000:00:1d.1)");
            text += &line(2, "pciback 0000:00:1d.0: xen_pciback: seizing device");
            if (boot + host) % 3 > 0 {
                text += &line(3, "pciback 0000:00:1d.1: xen_pciback: seizing device");
            }
            text += &line(4, "xen_pciback: backend is vpci");
        }
    }
    let folder = Folder::new();
    folder.file("syslog", text.as_bytes());
    let (reports, scanned) = run(&Scan { threads: 2, part: NonZeroU64::new(7000), ..scan(&[folder.at("syslog")]) });
    assert_eq!((reports.len(), scanned.unattributed, scanned.silent.boots), (600, 0, 0));
    let mut expected = String::new();
    let mut told = String::new();
    for (report, run) in &reports {
        let host: usize = report.host.as_deref().unwrap()[1..].parse().unwrap();
        writeln!(expected, "{host} {} {}", run.back, !(19 - run.back + host).is_multiple_of(3)).unwrap();
        writeln!(told, "{host} {} {}", run.back, report.count("seized") == 2).unwrap();
    }
    assert_eq!(told, expected);
}

/// A source of numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Lines that say something, nothing, or that something is missing.
fn messages() -> Vec<String> {
    let known = pciback_audit::event::messages().flat_map(|message| message.examples).map(|text| (*text).to_owned());
    // What begins a boot, ends it or shows that it is no dom0: in the middle of one no kernel prints that.
    let of_boots = |text: &String| {
        let mut any = false;
        let record = pciback_audit::record::Record::bare(pciback_audit::record::Place::default(), text.as_bytes());
        pciback_audit::event::Recogniser::get().hear(&record, &mut |said| {
            any |= matches!(
                said.event,
                Event::Booted { .. } | Event::BootEnds | Event::NotDom0 { .. } | Event::Frontend { .. }
            );
        });
        any
    };
    let known = known.filter(move |text| !of_boots(text));
    // How kernels before 3.11 end is not searched for (`OLD` in the tests of the search).
    let known = known.filter(|text| {
        let old = ["Restarting system", "System halted", "machine restart", "error enable"];
        !old.iter().any(|old| text.starts_with(old))
    });
    let more = [
        "uhci_hcd 0000:00:1d.1: UHCI Host Controller",
        "e1000e 0000:00:19.0 eth0: NIC Link is Up 1000 Mbps",
        "pciback 0000:00:1d.0: xen_pciback: grabbing gadget",
        "note: pciback 0000:00:1d.2: xen_pciback: seizing device (quoted)",
        "pci 0000:00:1d.0: BAR 4: assigned [io 0x1000]",
        "pciback 0000:00:1d.0: seizing device pciback 0000:00:1d.1: seizing device",
        "usb 1-1: new high-speed USB device",
        "seizing devices is fun",
        "",
    ];
    known.chain(more.map(str::to_owned)).collect()
}

/// What stands between the lines of a damaged log.
const JUNK: &[&[u8]] = &[
    b"\0\0\0\0",
    b"\xff\xfe\xfd\n",
    b"\x01\x02\x03\x04\x05\n",
    b"\x1b[31mred\x1b[0m\n",
    b"a\0b\n",
    b"** 3 printk messages dropped **\n",
    b"\n\n",
];

/// A log of so many hosts, with boots, loads, daemons, losses and damage. Times go forward, as in a real one. That of one
/// host has the kernel's clock on all its records: by whole seconds alone, it would hang on single records what is settled.
fn generated(dice: &mut Dice, hosts: usize, damaged: bool) -> Vec<u8> {
    let messages = messages();
    let modern = dice.below(2) == 0;
    let mut booted = vec![0_usize; hosts];
    let mut log = Vec::new();
    let (mut now, mut host) = (0, 0);
    // In some logs a host says much at a time, and most of it matters.
    let (calm, kinds, daemons) = *dice.one_of(&[(1, 12, 14), (30, 8, 60)]);
    for number in 0..300 + dice.below(300) {
        if dice.below(calm) == 0 {
            host = dice.below(hosts);
            now += dice.below(if calm == 1 { 700_000 } else { 100_000 });
        } else {
            now += dice.below(3_000);
        }
        let boots = dice.below(50) == 0;
        if boots {
            booted[host] = now;
        }
        let text = match dice.below(kinds) {
            _ if boots => "Linux version 6.1.0-56-amd64 (x) #1 SMP".to_owned(),
            1 => "Command line: root=/dev/sda xen-pciback.hide=(0000:00:1d.0)(0000:00:1d.1)".to_owned(),
            2..5 => format!("pciback 0000:00:1d.{}: xen_pciback: seizing device", dice.below(4)),
            5 => "xen_pciback: backend is vpci".to_owned(),
            6..8 => dice.one_of(&messages).replace('\n', "#012"),
            _ => format!("audit: type=1400 audit({number}.000:1): apparmor"),
        };
        let second = now / 1_000_000;
        let clock = format!("{:02}:{:02}:{:02}", second / 60 / 60, second / 60 % 60, second % 60);
        let time = if modern { format!("2026-11-22T{clock}.5+00:00") } else { format!("Nov 22 {clock}") };
        let uptime = now - booted[host];
        let (seconds, micros) = (uptime / 1_000_000, uptime % 1_000_000);
        // Every line of the kernel has its clock: one without is the kernel's only where no line before it has one, and a search
        // does not see all of these.
        let line = match dice.below(daemons) {
            _ if boots => format!("{time} h{host} kernel: [{seconds:5}.{micros:06}] {text}"),
            0 => format!("{time} h{host} sshd[12]: {text}"),
            1 => format!("{time} h{host} systemd-journald[88]: Missed {number} kernel messages"),
            2 => format!("{time} h{host} rsyslogd: imuxsock lost 5 messages from pid 12 due to rate-limiting"),
            _ => format!("{time} h{host} kernel: [{seconds:5}.{micros:06}] {text}"),
        };
        log.extend_from_slice(line.as_bytes());
        if damaged && !boots && line.ends_with(&text) && dice.below(25) == 0 {
            let text = dice.below(text.len() + 1);
            let at = log.len() - text;
            let inside: &&[u8] = dice.one_of(&[b"\x1b[0m", b"\x07", b"\t", b"\r"]);
            log.splice(at..at, inside.iter().copied());
        }
        log.extend_from_slice(if dice.below(9) == 0 { b"\r\n" } else { b"\n" });
        if damaged && dice.below(40) == 0 {
            let junk: &&[u8] = dice.one_of(JUNK);
            log.extend_from_slice(junk);
        }
    }
    if dice.below(4) == 0 {
        log.truncate(log.len() - dice.below(10));
    }
    log
}

#[test]
fn on_generated_logs_the_search_misses_nothing() {
    let folder = Folder::new();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..150 {
        let hosts = 1 + dice.below(4);
        misses_nothing(&folder, round, &generated(&mut dice, hosts, round % 2 == 0));
    }
}

#[track_caller]
fn misses_nothing(folder: &Folder, round: usize, log: &[u8]) {
    folder.file("syslog", log);
    let base = scan(&[folder.at("syslog")]);
    let expected = meant(&Scan { every_line: true, ..base.clone() });
    similar(&format!("round {round}"), &meant(&base), &expected);
}

/// A log in which nearly every line says something, and begins as the one before did.
fn crowded(dice: &mut Dice, strange: bool) -> Vec<u8> {
    let messages: Vec<String> = messages().into_iter().filter(|text| !text.contains('\n')).collect();
    let (mut second, mut host) = (0, 0);
    let mut log = Vec::new();
    for number in 0..400 {
        second += usize::from(dice.below(60) == 0);
        host = if dice.below(40) == 0 { dice.below(3) } else { host };
        let header = format!("Nov 22 00:00:{second:02} h{host} kernel: [{second:5}.{number:06}] ");
        let line = match dice.below(150) {
            0 => format!("Nov 22 00:00:{second:02} h{} kernel: [{:5}.{number:06}] audit: x", dice.below(3), second + 1),
            1 => "** 3 printk messages dropped **".to_owned(),
            2 => format!("Nov 22 00:00:{second:02} h{host} rsyslogd: imuxsock lost 5 messages from pid 12"),
            3 => "MESSAGE=pciback 0000:00:1d.0: seizing device".to_owned(),
            4 if strange => format!("{header}uhci_hcd 0000:00:1d.1: {}", "\u{1}".repeat(99)),
            5 if strange => format!("{header}pciback 0000:00:1d.0: \u{1b}[1mseizing device\u{1b}[0m"),
            6 => format!("{header}audit: type=1400"),
            7..30 => format!("{header}{}", dice.one_of(&messages)),
            30..60 => {
                // Of these two levels only one is the kernel's own.
                let (start, text) = header.split_once('[').unwrap();
                format!("{start}<{}>[{text}pciback 0000:00:1d.0: seizing device", dice.one_of(&[5, 6]))
            }
            _ => format!("{header}pciback 0000:00:1d.{}: seizing device", dice.below(3)),
        };
        log.extend_from_slice(line.as_bytes());
        log.push(b'\n');
    }
    log
}

#[test]
fn where_nearly_every_line_says_something_none_is_missed_and_none_is_of_another_host() {
    let folder = Folder::new();
    let mut dice = Dice(0x1234_5678_9abc_def1);
    for round in 0..100 {
        misses_nothing(&folder, round, &crowded(&mut dice, round % 3 == 0));
    }
}

#[test]
fn on_generated_logs_of_one_host_scan_and_check_agree() {
    let folder = Folder::new();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut worst = std::collections::BTreeMap::new();
    for round in 0..150 {
        folder.file("syslog", &generated(&mut dice, 1, round % 2 == 0));
        let path = folder.at("syslog");
        let asked = if round % 3 == 0 { hide(LISTS[0]) } else { Asked::default() };
        let (reports, _) = run(&Scan { asked: asked.clone(), ..scan(std::slice::from_ref(&path)) });
        for (report, run) in reports.iter().filter(|(report, _)| !report.logs.is_empty()) {
            *worst.entry(report.verdict).or_insert(0) += 1;
            similar(
                &format!("round {round}, boot -{}", run.back),
                &said(report),
                &said(&check(&path, &asked, run.back)),
            );
        }
    }
    assert!(worst.len() > 2, "the logs are all alike: {worst:?}");
}
