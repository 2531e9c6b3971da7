//! `scan` of much: many hosts that are judged in threads, more damage than is kept, files that a stopped scan left unread.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

mod common;

use std::num::NonZeroU64;
use std::sync::atomic::Ordering;

use common::Folder;
use pciback_audit::report::{Code, Report, Run};
use pciback_audit::scan::{Progress, Scan, Scanned};

/// What a kernel says in the first second of its boot, this day of November.
fn line(day: usize, host: &str, micros: usize, message: &str) -> String {
    format!("Nov {day:2} 06:00:01 {host} kernel: [    1.{micros:06}] {message}\n")
}

/// A boot for which two devices are requested, and both seized, or only the first.
fn boot(day: usize, host: &str, both: bool) -> String {
    let seizing = |function: usize| format!("pciback 0000:00:1d.{function}: xen_pciback: seizing device");
    let list = "Command line: xen-pciback.hide=(0000:00:1d.0)(0000:00:1d.1)";
    let mut text = line(day, host, 0, "Linux version 6.1.0 x") + &line(day, host, 1, list);
    text += &line(day, host, 2, &seizing(0));
    if both {
        text += &line(day, host, 3, &seizing(1));
    }
    text + &line(day, host, 4, "xen_pciback: backend is vpci")
}

/// So many lines of daemons.
fn noise(lines: usize) -> String {
    "Nov  1 06:00:00 c sshd[12]: Accepted publickey for root\n".repeat(lines)
}

fn run(scan: &Scan, progress: &Progress) -> (Vec<(Report, Run)>, Scanned) {
    let mut reports = Vec::new();
    let scanned = scan.run(progress, &mut |report, run| {
        reports.push((report.clone(), *run));
        true
    });
    (reports, scanned)
}

#[test]
fn reports_come_in_one_order_whoever_judges_and_none_when_no_more_are_wanted() {
    let folder = Folder::new();
    let hosts = |day: usize| (0..30).map(move |host| boot(day, &format!("h{host}"), !(day + host).is_multiple_of(3)));
    folder.file("syslog", (1..=20).flat_map(hosts).collect::<String>().as_bytes());
    let base = Scan { paths: vec![folder.at("syslog")], threads: 1, ..Scan::default() };
    let all = |threads: usize| run(&Scan { threads, ..base.clone() }, &Progress::default());
    let expected = all(1);
    assert_eq!(expected.0.len(), 600);
    for threads in [2, 3, 7, 40] {
        assert!(format!("{:?}", all(threads)) == format!("{expected:?}"), "{threads} threads");
    }
    for (threads, most) in [(1, 1), (3, 1), (3, 20), (3, 21), (7, 599), (7, 600)] {
        let mut told = 0;
        Scan { threads, ..base.clone() }.run(&Progress::default(), &mut |_, _| {
            told += 1;
            told < most
        });
        assert_eq!(told, most, "{threads} threads");
    }
}

#[test]
fn damage_between_lines_counts_against_every_host_that_goes_on_and_against_no_other() {
    let folder = Folder::new();
    let damage = |places: usize| (line(1, "c", 0, "x") + "\x01\x02\x03\x04\x05\n").repeat(places);
    for before in [10, 2000] {
        // With damage in its first block, it would be no log.
        let text = noise(2000) + &damage(before) + &boot(1, "a", true) + &damage(20) + &boot(1, "b", true);
        folder.file("syslog", text.as_bytes());
        let scan = Scan { paths: vec![folder.at("syslog")], threads: 1, ..Scan::default() };
        let (reports, scanned) = run(&scan, &Progress::default());
        assert_eq!(scanned.unreadable, 1);
        let is_whole = |host: &str| {
            let (report, _) = reports.iter().find(|(report, _)| report.host.as_deref() == Some(host)).unwrap();
            !report.findings.iter().any(|finding| finding.code == Code::RecordsLost)
        };
        assert_eq!((is_whole("a"), is_whole("b")), (false, true), "{before} pieces before");
    }
}

#[test]
fn a_file_that_a_stopped_scan_left_unread_is_named_once() {
    let folder = Folder::new();
    let text = boot(1, "a", true) + &noise(20_000);
    assert!(text.len() > 1_000_000, "{} bytes make few parts", text.len());
    folder.file("one.log", text.as_bytes());
    folder.file("two.log", text.as_bytes());
    let paths = vec![folder.at("one.log"), folder.at("two.log")];
    for threads in [1, 3] {
        let progress = Progress::default();
        progress.stop.store(true, Ordering::Relaxed);
        let scan = Scan { paths: paths.clone(), threads, part: NonZeroU64::new(131_072), ..Scan::default() };
        let (reports, scanned) = run(&scan, &progress);
        let told: Vec<&str> = reports.iter().map(|(report, _)| report.findings[0].message.as_str()).collect();
        assert!(scanned.stopped);
        assert_eq!((scanned.unreadable, told.len()), (2, 2), "{told:#?}");
        assert!(told[0].contains("one.log") && told[1].contains("two.log"), "{told:#?}");
    }
}
