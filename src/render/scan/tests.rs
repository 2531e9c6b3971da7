use super::super::sample::{device, finding, report};
use super::*;
use crate::record::BootId;
use crate::report::{Device, Severity};
use crate::request::Source;

const STYLE: Style = Style { width: 100, colour: false, verbose: false, ascii: false };

fn wall(text: &str, offset: Option<i32>) -> Stamp {
    let offset = offset.and_then(chrono::FixedOffset::east_opt);
    Stamp { uptime: Some(0), wall: Some(Wall { local: text.parse().unwrap(), offset }) }
}

fn run(back: usize, first: Option<Stamp>) -> Run {
    Run { back, first, last: None }
}

fn of(host: &str, mut report: Report) -> Report {
    report.host = Some(host.to_owned());
    report
}

fn missing(slots: std::ops::Range<u8>) -> Vec<Device> {
    slots.map(|slot| device(slot, Status::Missing, None)).collect()
}

/// What the row of a report says is wrong.
fn phrase(report: &Report) -> String {
    Row::of(report, &Run::default(), &STYLE).found.into()
}

#[test]
fn the_worst_comes_first_then_the_host_then_its_last_boot() {
    let mut failed = missing(1..2);
    failed.push(device(7, Status::Failed, None));
    let unknown = finding(Code::NothingRequested, Severity::Unknown, None, "no list");
    let mut held = device(5, Status::Unrequested { explained: false }, None);
    held.requested = false;
    let reports = [
        (of("gaia", report(0, vec![], vec![])), run(1, Some(wall("2026-11-20T06:20:59", Some(3600))))),
        (of("gaia", report(0, vec![], vec![])), run(0, Some(wall("2026-11-22T06:20:00", Some(0))))),
        (of("hyperion", report(3, vec![held], vec![unknown])), run(0, Some(wall("2026-11-22T06:20:00", None)))),
        (of("zeus", report(2, failed, vec![])), run(2, Some(wall("1972-11-02T06:20:00", None)))),
        (of("rhea", report(2, missing(1..2), vec![])), run(3, None)),
    ];
    let mut totals = Totals { files: 2, bytes: 3_500_000_000, unattributed: 1, ..Totals::default() };
    for (report, run) in &reports {
        totals.count(report, run);
    }
    let rows = reports.iter().map(|(report, run)| Row::of(report, run, &STYLE)).collect();
    let expected = "\
HOST      BOOT               VERDICT   SEIZED  FOUND
rhea      -3                 critical  0/1     00:01.0 missing
zeus      Nov  2 06:20       critical  0/2     00:01.0 missing; 00:07.0 failed
hyperion  2026-11-22 06:20   unknown   -       request unknown: 1 seized
gaia      2026-11-22 06:20Z  ok        -       no device is requested
gaia      2026-11-20 05:20Z  ok        -       no device is requested

5 boots of 2 hosts: 2 critical, 1 unknown, 2 ok; last boots: 1 unknown, 1 ok; 0 of 3 devices seized;
2 files read, 3.2 GiB; 1 record of no known host or boot
";
    assert_eq!(scan_table(rows, &totals, &STYLE), expected);
}

#[test]
fn a_boot_is_called_by_its_time_or_its_id_or_its_distance() {
    let mut named = report(0, vec![], vec![]);
    named.boot_id = Some(BootId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef));
    let boot = |report: &Report, run: &Run| Row::of(report, run, &STYLE).boot();
    let uptime = Some(Stamp { uptime: Some(5), wall: None });
    assert_eq!(boot(&named, &run(1, Some(wall("2026-11-22T06:20:00", Some(0))))), "2026-11-22 06:20Z");
    assert_eq!(boot(&named, &run(1, uptime)), "01234567");
    named.boot_id = None;
    assert_eq!((boot(&named, &run(1, uptime)), boot(&named, &run(0, None))), ("-1".to_owned(), "0".to_owned()));
}

#[test]
fn one_phrase_says_what_is_wrong() {
    let unasked = |slot, status| Device { requested: false, ..device(slot, status, None) };
    let held = unasked(2, Status::Unrequested { explained: false });
    let nothing = || finding(Code::NothingRequested, Severity::Unknown, None, "no list");
    let blind = finding(Code::LogUnreadable, Severity::Unknown, None, "a.gz ends early");
    let malformed = finding(Code::ListMalformed, Severity::Critical, None, "column 3");
    let mut empty = nothing();
    empty.evidence.push(Evidence::Request { source: Source::Log, location: None, text: String::new() });
    for (report, expected) in [
        (report(2, missing(1..3), vec![]), "00:01.0 missing; 00:02.0 missing"),
        (report(2, missing(1..9), vec![]), "00:01.0 missing; 00:02.0 missing; 00:03.0 missing; and 5 more"),
        (report(2, missing(1..3), vec![malformed]), "the kernel cannot read the list"),
        (report(3, vec![held, unasked(3, Status::Failed)], vec![nothing()]), "request unknown: 1 seized, 1 failed"),
        (report(3, vec![], vec![blind, nothing()]), "request unknown: 0 seized; a.gz ends early"),
        (report(3, vec![], vec![empty]), "the list requests no device"),
        (report(0, vec![device(1, Status::Bridge, None)], vec![]), "only bridges are requested"),
        (report(0, vec![], vec![]), "no device is requested"),
    ] {
        assert_eq!(phrase(&report), expected);
    }
}

#[test]
fn nothing_out_of_a_log_can_break_the_table() {
    let evil = "\u{1b}[2J\nevil\u{202e}".repeat(40);
    let bad = finding(Code::LogUnreadable, Severity::Unknown, None, &evil);
    let reports = [
        of(&evil, report(3, vec![device(1, Status::Held, Some(&evil))], vec![bad])),
        of("控制器控制器控制器控制器控制器控制器控制器", report(2, missing(1..9), vec![])),
        of("gaia", report(0, vec![], vec![])),
    ];
    for (columns, ascii) in [(40, false), (80, true), (80, false), (300, false)] {
        let style = Style { width: columns, ascii, ..STYLE };
        let rows: Vec<_> = reports.iter().map(|report| Row::of(report, &run(0, None), &style)).collect();
        assert!(rows.iter().all(|row| row.found.len() < 400), "{rows:#?}");
        let page = scan_table(rows, &Totals::default(), &style);
        let lines: Vec<&str> = page.lines().collect();
        assert!(lines.len() >= 6 && lines.get(4) == Some(&""), "{page}");
        assert!(!page.contains(|letter: char| letter != '\n' && super::super::text::is_harmful(letter)), "{page}");
        let most = columns.max(60);
        assert!(lines.iter().all(|line| width(line) <= most), "{page}");
        let found = lines.first().unwrap().find("FOUND").unwrap();
        let behind = |line: &&str| width(line.split("0/1").next().unwrap_or_default());
        assert!(lines.iter().filter(|line| line.contains("  0/1  ")).all(|line| behind(line) < found), "{page}");
    }
}

#[test]
fn colours_change_no_column() {
    let style = Style { colour: true, ..STYLE };
    let row = |style| Row::of(&of("gaia", report(2, missing(1..2), vec![])), &run(0, None), style);
    let plain = scan_table(vec![row(&STYLE)], &Totals::default(), &STYLE);
    let painted = scan_table(vec![row(&style)], &Totals::default(), &style);
    assert!(painted.contains("\x1b[1;31mcritical\x1b[0m  0/1"), "{painted}");
    assert_eq!(painted.replace("\x1b[1;31m", "").replace("\x1b[0m", ""), plain);
}

#[test]
fn a_row_is_small() {
    let row = Row::of(&of("dom0-a.example.com", report(2, missing(1..32), vec![])), &run(0, None), &STYLE);
    assert!(size_of::<Row>() <= 64, "{}", size_of::<Row>());
    assert!(row.found.len() <= WORDS + 16, "{}", row.found);
}

#[test]
fn the_summary_is_counts_alone() {
    let mut totals = Totals {
        files: 3,
        passed_over: 2,
        silent_hosts: 1,
        silent_boots: 4,
        bytes: 1 << 30,
        unreadable: 1,
        unattributed: 7,
        partial: true,
        ..Totals::default()
    };
    totals.count(&report(2, missing(1..3), vec![]), &run(0, None));
    totals.count(&report(0, vec![], vec![]), &run(1, None));
    let expected = "\
hosts                           1
boots                           2
boots critical                  1
boots unknown                   0
boots warning                   0
boots ok                        1
last boots critical             1
last boots unknown              0
last boots warning              0
last boots ok                   0
devices requested               2
devices seized                  0
silent hosts                    1
silent boots                    4
files                           3
files passed over               2
unreadable                      1
bytes                  1073741824
records unattributed            7
interrupted                     1
";
    assert_eq!(scan_summary(&totals), expected);
    let page = scan_table(vec![], &totals, &STYLE);
    let expected = "\
INTERRUPTED, so far: 2 boots of 1 host: 1 critical, 1 ok; last boots: 1 critical; 0 of 2 devices
seized; nothing of pciback in 4 more boots, 1 more host; 3 files read, 1.0 GiB, 2 passed over; 1
file or part of one could not be read; 7 records of no known host or boot
";
    assert_eq!(page, expected);
}

#[test]
fn sizes_are_rounded_down() {
    for (bytes, expected) in [
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (1_048_575, "1023.9 KiB"),
        (1 << 30, "1.0 GiB"),
        (u64::MAX, "16383.9 PiB"),
    ] {
        assert_eq!(size(bytes), expected);
    }
}

#[test]
fn what_could_not_be_read_is_a_row_and_no_boot() {
    let mut unread = report(3, vec![], vec![finding(Code::LogUnreadable, Severity::Unknown, None, "a.gz ends early")]);
    unread.logs.clear();
    let mut totals = Totals::default();
    totals.count(&unread, &Run::default());
    assert_eq!(totals, Totals::default());
    let page = scan_table(vec![Row::of(&unread, &Run::default(), &STYLE)], &totals, &STYLE);
    assert!(page.contains("\n-     -     unknown  -       a.gz ends early\n"), "{page}");
}
