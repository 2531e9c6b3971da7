use super::super::layout::width;
use super::super::sample::{device, finding, report};
use super::*;
use crate::record::{BootId, Stamp, Wall};
use crate::report::{Changes, Code, Device, Evidence, Finding, Severity, Status};
use crate::request::Source;

const STYLE: Style = Style { width: 100, colour: false, verbose: false, ascii: false };

fn sheet() -> Sheet {
    Sheet { style: STYLE, lines: None, all: false, choice: Choice::default(), counted: Counted::Back(0) }
}

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

fn page(sheet: Sheet, reports: &[(Report, Run)]) -> String {
    let mut totals = Totals::default();
    let mut overview = Overview::new(sheet);
    for (report, run) in reports {
        totals.count(report, run, Counted::Back(0));
        overview.take(report, run);
    }
    overview.page(&totals, None)
}

/// What the row of a report says is wrong.
fn phrase(report: &Report) -> String {
    let text = page(Sheet { all: true, ..sheet() }, &[(of("a", report.clone()), Run::default())]);
    let line = text.lines().nth(1).unwrap().to_owned();
    line.split_whitespace().skip(4).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_counts_comes_first_and_the_worst_of_it_and_what_is_ok_is_counted() {
    let mut failed = missing(1..2);
    failed.push(device(7, Status::Failed, None));
    let unknown = finding(Code::NothingRequested, Severity::Unknown, None, "no list");
    let mut held = device(5, Status::Unrequested { explained: false }, None);
    held.requested = false;
    let reports = [
        (of("gaia", report(0, vec![], vec![])), run(1, Some(wall("2026-11-20T06:20:59", Some(3600))))),
        (of("gaia", report(0, vec![], vec![])), run(0, Some(wall("2026-11-22T06:20:00", Some(0))))),
        (of("hyperion", report(3, vec![held], vec![unknown])), run(0, Some(wall("2026-11-22T06:20:00", Some(0))))),
        (of("zeus", report(2, failed, vec![])), run(0, Some(wall("1972-11-02T06:20:00", None)))),
        (of("rhea", report(2, missing(1..2), vec![])), run(3, None)),
    ];
    let rows = "\
HOST      BOOT               VERDICT   SEIZED  FOUND
zeus      Nov  2 06:20       critical  0/2     00:01.0 missing; 00:07.0 failed
hyperion  2026-11-22 06:20Z  unknown   -       request unknown: 1 seized
";
    let earlier = "rhea      -3                 critical  0/1     00:01.0 missing\n";
    let foot = "
1 host is fine; --all shows them. 5 boots of 3 hosts: 2 critical, 1 unknown, 2 ok; last boots: 1
critical, 1 unknown, 1 ok; 0 of 3 devices seized
";
    assert_eq!(page(sheet(), &reports), format!("{rows}{earlier}{foot}"));
    let all = page(Sheet { all: true, ..sheet() }, &reports);
    let fine = "gaia      2026-11-22 06:20Z  ok        -       no device is requested\n";
    assert!(all.starts_with(&format!("{rows}{fine}{earlier}gaia      2026-11-20 05:20Z  ok")), "{all}");
}

#[test]
fn a_boot_is_called_by_its_time_or_its_id_or_its_distance() {
    let mut named = report(2, missing(1..2), vec![]);
    named.boot_id = Some(BootId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef));
    let boot = |report: &Report, run: &Run| {
        let text = page(sheet(), &[(of("a", report.clone()), *run)]);
        text.lines().nth(1).unwrap().split_whitespace().nth(1).unwrap().to_owned()
    };
    let uptime = Some(Stamp { uptime: Some(5), wall: None });
    assert_eq!(boot(&named, &run(1, Some(wall("2026-11-22T06:20:00", Some(0))))), "2026-11-22");
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
        let told: Vec<_> = reports.iter().map(|report| (report.clone(), run(0, None))).collect();
        let page = page(Sheet { style, all: true, ..sheet() }, &told);
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

/// A fleet in which every third host of so many has no device, and the logs do not say who wrote their lines.
fn fleet(hosts: u8) -> Vec<(Report, Run)> {
    let host = |number: u8| {
        let doubt = finding(Code::AuthorUnstated, Severity::Warning, None, "x");
        let mut report = match number % 3 {
            0 => report(2, missing(1..2), vec![Finding { severity: Severity::Info, ..doubt }]),
            _ => report(1, vec![], vec![doubt]),
        };
        report.logs[0].trusted = false;
        (of(&format!("h{number:02}"), report), run(0, None))
    };
    (0..hosts).map(host).collect()
}

#[test]
fn a_doubt_that_all_logs_share_is_said_once() {
    let text = page(sheet(), &fleet(6));
    assert_eq!((text.matches("critical").count(), text.matches("author-unstated").count()), (3, 1), "{text}");
    assert!(text.contains("4 hosts are fine") && text.contains("2 critical, 4 ok"), "{text}");
    let all = page(Sheet { all: true, ..sheet() }, &fleet(6));
    let rows = |text: &str, verdict: &str| {
        text.lines().filter(|line| line.starts_with('h') && line.contains(&format!("  {verdict}  "))).count()
    };
    assert_eq!((rows(&all, "ok*    "), rows(&all, "warning")), (4, 0), "{all}");
    // Of one log it is known: the others are in doubt.
    let mut mixed = fleet(6);
    mixed[0].0.logs[0].trusted = true;
    let text = page(sheet(), &mixed);
    assert_eq!(rows(&text, "warning "), 4, "{text}");
}

#[test]
fn on_a_terminal_much_is_cut_to_what_fits() {
    let lines = 24;
    let text = page(Sheet { lines: Some(lines), style: Style { width: 80, ..STYLE }, ..sheet() }, &fleet(120));
    assert!(text.lines().count() <= lines - PROMPT, "{text}");
    assert!(text.contains("   40  critical  missing") && text.contains("   40  00:01.0  40 missing"), "{text}");
    let shown = text.lines().filter(|line| line.starts_with('h')).count();
    assert!(text.contains(&format!("{} more rows: --verdict", 40 - shown)) && shown > FEWEST, "{text}");
    let chosen = Choice { verdicts: vec![Verdict::Critical], ..Choice::default() };
    let text = page(Sheet { lines: Some(lines), choice: chosen, ..sheet() }, &fleet(120));
    assert_eq!(text.lines().filter(|line| line.starts_with('h')).count(), 40);
}

#[test]
fn a_choice_shows_what_was_chosen_and_counts_everything() {
    let with = |choice: Choice| page(Sheet { choice, ..sheet() }, &fleet(6));
    let text = with(Choice { verdicts: vec![Verdict::Warning], ..Choice::default() });
    assert!(text.matches("  ok*  ").count() == 4 && text.contains("2 critical, 4 ok"), "{text}");
    let text = with(Choice { only: vec!["00:01.0".parse().unwrap()], ..Choice::default() });
    assert!(text.contains("h00") && text.contains("h03") && !text.contains("h01"), "{text}");
    assert!(!with(Choice { only: vec!["00:02.0".parse().unwrap()], ..Choice::default() }).contains("h00"));
    let one = with(Choice { hosts: vec!["h03".parse().unwrap()], ..Choice::default() });
    assert!(one.starts_with("CRITICAL: the requested device is not pciback's\nh03"), "{one}");
}

#[test]
fn proof_stands_below_its_row_and_what_could_not_be_read_is_counted() {
    let found = finding(Code::Missing, Severity::Critical, Some(1), "nothing of it");
    let mut reports = vec![(of("a", report(2, missing(1..2), vec![found])), run(0, None))];
    reports.extend((0..5).map(|file| (Report::unreadable(format!("f{file} cannot be read"), None), run(0, None))));
    let text = page(sheet(), &reports);
    assert!(text.contains("  f2 cannot be read\n  and 2 more; -v names all\n") && !text.contains("f3"), "{text}");
    let verbose = page(Sheet { style: Style { verbose: true, ..STYLE }, ..sheet() }, &reports);
    assert!(verbose.contains("f4 cannot be read\n") && !verbose.contains("more; -v"), "{verbose}");
    assert!(
        verbose.contains("00:01.0 missing\n    critical missing: 0000:00:01.0\n      nothing of it\n"),
        "{verbose}"
    );
}

#[test]
fn colours_change_no_column() {
    let style = Style { colour: true, ..STYLE };
    let (plain, painted) = (page(sheet(), &fleet(60)), page(Sheet { style, ..sheet() }, &fleet(60)));
    assert!(painted.contains("\x1b[1;31mcritical\x1b[0m  0/1"), "{painted}");
    assert_eq!(painted.replace("\x1b[1;31m", "").replace("\x1b[0m", ""), plain);
}

#[test]
fn a_row_is_small() {
    let report = of("dom0-a.example.com", report(2, missing(1..32), vec![]));
    let row = Row::of(&report, &run(0, None), &Wrong::of(&report, &Choice::default()), &STYLE);
    assert!(size_of::<Row>() <= 64, "{}", size_of::<Row>());
    assert!(row.length(&STYLE) <= 120, "{row:?}");
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
    totals.count(&report(2, missing(1..3), vec![]), &run(0, None), Counted::Back(0));
    totals.count(&report(0, vec![], vec![]), &run(1, None), Counted::Back(0));
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
    let compared = Totals { changes: Some(Changes { new: 2, ..Changes::default() }), ..totals };
    assert!(scan_summary(&compared).contains("\nproblems new                    2\nproblems gone "));
    let page = Overview::new(sheet()).page(&totals, None);
    let expected = "\
0 hosts are fine. INTERRUPTED, so far: 2 boots of 1 host: 1 critical, 1 ok; last boots: 1 critical;
0 of 2 devices seized; nothing of pciback in 4 more boots, 1 more host; 3 files read, 1.0 GiB, 2
passed over; 1 file or part of one could not be read; 7 records of no known host or boot
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
        assert_eq!(totals::size(bytes), expected);
    }
}
