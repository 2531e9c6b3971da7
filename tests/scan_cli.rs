//! `scan` as a user runs it: its forms, its exit statuses, and how it is stopped.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

use common::{Folder, audit};
use serde_json::Value;

/// A boot of a host on this day of November: with the second device seized or not.
fn boot(day: usize, host: &str, whole: bool) -> String {
    let line = |micros: usize, text: &str| {
        format!("2026-11-{day:02}T06:00:00.{micros:06}+00:00 {host} kernel: [    1.{micros:06}] {text}\n")
    };
    let mut text = line(0, "Linux version 6.1.0-56-amd64 (x) #1 SMP");
    text += &line(1, "Command line: root=/dev/sda xen-pciback.hide=(0000:00:1d.0)(0000:00:1d.1)");
    text += &line(2, "pciback 0000:00:1d.0: xen_pciback: seizing device");
    if whole {
        text += &line(3, "pciback 0000:00:1d.1: xen_pciback: seizing device");
    }
    text + &line(4, "xen_pciback: backend is vpci")
}

/// Two hosts: `a` failed yesterday and is well today, `b` the other way round.
fn archive() -> Folder {
    let folder = Folder::new();
    let text = boot(20, "a", false) + &boot(20, "b", true) + &boot(21, "a", true) + &boot(21, "b", false);
    folder.file("kern.log", text.as_bytes());
    folder.file("only-a.log", (boot(20, "a", false) + &boot(21, "a", true)).as_bytes());
    folder
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_status_is_that_of_the_last_boots_or_of_all() {
    let folder = archive();
    let scan = |args: &str, file: &str| audit(&format!("scan --trust-log {args}")).with(folder.at(file)).run();
    scan("", "kern.log").ends_with(2);
    scan("", "only-a.log").ends_with(0);
    scan("--boot all", "only-a.log").ends_with(2);
    scan("--until 2026-11-20T12:00:00Z", "only-a.log").ends_with(2);
    scan("--since 2026-11-21 --boot all", "only-a.log").ends_with(0);
    scan("--since 2026-11-22", "only-a.log")
        .ends_with(3)
        .complains("no boot in these logs says anything of pciback in that time");
    scan("--device 00:1d.0 --boot all", "kern.log").ends_with(0);
    scan("--hide (00:1d.0)(00:1d.5)", "only-a.log").ends_with(2);
    audit("scan").with(folder.at("only-a.log")).run().ends_with(1);
    audit("scan --fail-on critical").with(folder.at("only-a.log")).run().ends_with(0);
}

#[test]
fn the_table_has_a_row_for_each_boot_worst_first() {
    let folder = archive();
    let ran = audit("scan --trust-log").with(folder.at("kern.log")).run();
    let rows: Vec<&str> = ran.out.lines().collect();
    let columns = |row: &str| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(columns(rows[0]), ["HOST", "BOOT", "VERDICT", "SEIZED", "FOUND"]);
    let found: Vec<String> = rows[1..5].iter().map(|row| columns(row)[..5].join(" ")).collect();
    assert_eq!(
        found,
        [
            "a 2026-11-20 06:00Z critical 1/2",
            "b 2026-11-21 06:00Z critical 1/2",
            "a 2026-11-21 06:00Z ok 2/2",
            "b 2026-11-20 06:00Z ok 2/2",
        ]
    );
    assert!(rows[1].ends_with("00:1d.1 missing"), "{}", rows[1]);
}

#[test]
fn the_objects_are_reports_and_the_summary_counts_them() {
    let schema: Value = serde_json::from_str(include_str!("../schema/report-1.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let folder = archive();
    let ran = audit("scan --format json").with(folder.at("kern.log")).run();
    let reports = objects(&ran.out);
    for report in &reports {
        let errors: Vec<String> = validator.iter_errors(report).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{report:#}");
    }
    let hosts: Vec<&str> = reports.iter().map(|report| report["host"].as_str().unwrap()).collect();
    assert_eq!(hosts, ["a", "a", "b", "b"]);
    let evidence = &reports[0]["request"]["entries"][0];
    assert_eq!(evidence["source"], "log");
    let ran = audit("scan --summary").with(folder.at("kern.log")).run();
    let counts: Vec<String> =
        ran.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for count in
        ["hosts 2", "boots 4", "boots critical 2", "last boots critical 1", "devices requested 8", "devices seized 6"]
    {
        assert!(counts.contains(&count.to_owned()), "{count}\n{counts:#?}");
    }
}

#[test]
fn what_says_nothing_of_pciback_is_neither_listed_nor_ok() {
    let folder = Folder::new();
    folder.file("web.log", b"Nov 22 06:00:00 web-1 kernel: [    0.000000] Linux version 6.1.0 (x)\n");
    audit("scan")
        .with(folder.at("web.log"))
        .run()
        .ends_with(3)
        .complains("no boot in these logs says anything of pciback");
    audit("scan --if-requested").with(folder.at("web.log")).run().ends_with(0).says_nothing();
    let ran = audit("scan --device 00:1d.0").with(folder.at("web.log")).run().ends_with(3);
    assert!(ran.out.contains("web-1"), "{}", ran.out);
}

#[test]
fn standard_input_directories_and_files_can_be_mixed() {
    let folder = archive();
    folder.file("more/b.log", boot(22, "b", true).as_bytes());
    let ran = audit("scan --trust-log -").with(folder.at("more")).input(boot(22, "a", true)).run().ends_with(0);
    assert!(ran.out.contains("2 boots of 2 hosts"), "{}", ran.out);
    audit("scan - -").run().ends_with(3).complains("only once");
    audit("scan").run().ends_with(3);
    audit("scan --since yesteryear x").run().ends_with(3).complains("--since yesteryear: expected a time");
    audit("scan --format nagios x").run().ends_with(3);
    audit("scan /nowhere/at/all").run().ends_with(3);
}

#[test]
fn output_goes_to_a_file_whole_and_quiet_is_quiet_only_when_all_is_well() {
    let folder = archive();
    let out = folder.at("report.txt");
    audit("scan --trust-log --output").with(&out).with(folder.at("kern.log")).run().ends_with(2).says_nothing();
    assert!(fs::read_to_string(&out).unwrap().starts_with("HOST"));
    audit("scan --trust-log -q").with(folder.at("only-a.log")).run().ends_with(0).says_nothing();
    let ran = audit("scan --trust-log -q -J").with(folder.at("kern.log")).run().ends_with(2);
    assert_eq!(objects(&ran.out).len(), 4);
}

#[test]
fn a_scan_that_is_stopped_tells_what_it_knows_and_that_it_is_not_all() {
    let mut command = audit("scan --trust-log -").command();
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // The pipe stays open: whoever writes into it is not done. It holds 64 KiB, so most of this was read when it is written.
    let text = boot(20, "a", false) + &boot(21, "a", true);
    let noise = "2026-11-21T06:00:09+00:00 a sshd[1]: x\n".repeat(15_000);
    pipe.write_all((text + &noise).as_bytes()).unwrap();
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let mut told = String::new();
    child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    let mut complaints = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{told}{complaints}");
    assert!(complaints.contains("stopped") && told.contains("2026-11-20 06:00Z"), "{told}{complaints}");
    assert!(!told.contains(" ok "), "{told}");
    drop(pipe);
}

#[test]
fn a_limit_stops_it_too() {
    let mut command = audit("scan --timeout 1 -").command();
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let pipe = child.stdin.take().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    drop(pipe);
}

#[test]
fn on_a_terminal_long_work_shows_how_far_it_is() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let terminal = || fs::OpenOptions::new().read(true).write(true).open(&name).unwrap();
    let kept = terminal();
    let mut command = audit("scan --timeout 2 -").env("TERM", "xterm").command();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(terminal()).spawn().unwrap();
    let pipe = child.stdin.take().unwrap();
    child.wait().unwrap();
    drop((pipe, command));
    let mut shown = vec![0; 64 << 10];
    let length = rustix::io::read(&ours, &mut shown).unwrap();
    drop(kept);
    let shown = String::from_utf8_lossy(&shown[..length]).into_owned();
    assert!(shown.contains(" of ") && shown.contains(" left"), "{shown:?}");
}
